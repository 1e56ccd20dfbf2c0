"""The queue of what leads rule on, as one lead sees it.

What is in it follows from the votes and verdicts, counted in a tally that is kept in step with the
study; nothing is stored of it but who has which case open. A case is open with one lead at a time,
for the time of a lease.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.adjudication.case import (
    Case,
    Filter,
    Opinion,
    Order,
    Reason,
    Row,
    RulingSeen,
    Unmasked,
    ruled,
    ruling_as_seen,
)
from core.adjudication.masking import Mask
from core.errors import Conflict, NotAdmitted
from core.families import family_of
from core.records import Role, RulingChoice, RulingStage
from core.times import stamp
from db import rulings
from db.admission import admit
from db.more_votes import Asked, ask_more, ask_no_more
from db.ruling_cases import Place, Told, mask_of, opinions_of, side
from db.ruling_list import CaseList
from db.serving import storable
from db.texts import shown

if TYPE_CHECKING:
    from db.feed import Feed
    from db.rulings import Standing
    from db.store import Store

_TRY = 200
"""Cases that :meth:`RulingQueue.next` looks at in one transaction; others may have most of them."""


class RulingQueue:
    """The queue as one lead sees it. Use it in the thread that opened the store.

    Args:
        lead: the lead's name.
        identity: as stored with each ruling, such as ``ssh:SHA256:…``.
        feed: of this store, with its tally, where one is there already; otherwise one is made
            when the list is first asked for.

    Raises:
        NotAdmitted: if this is no lead of the study, or paused or retired.
    """

    def __init__(
        self, store: Store, lead: str, identity: str = "", *, feed: Feed | None = None
    ) -> None:
        self.store = store
        self.lead = lead
        self.identity = identity or f"local:{lead}"
        with store.read() as connection:
            row = connection.execute(
                "SELECT id, role FROM annotator WHERE name = ?", (lead,)
            ).fetchone()
            if row is None or Role(row[1]) is not Role.LEAD:
                raise NotAdmitted(
                    f"{lead!r} is no lead of this study, and only leads rule",
                    "tiebreak annotator change NAME --role lead makes one of somebody",
                )
            self.lead_id = int(row[0])
            admit(connection, self.lead_id)
        self._feed = feed
        self._list: CaseList | None = None
        self._mask: tuple[int, Mask] | None = None

    # ── the list ────────────────────────────────────────────────────────────

    @property
    def listed(self) -> CaseList:
        """The list behind :meth:`cases`; made when it is first asked for, outside transactions."""
        if self._list is None:
            self._list = CaseList(self.store, self.lead_id, self.own_models(), self._feed)
        return self._list

    def cases(
        self,
        wanted: Filter = Filter(),  # noqa: B008 - frozen
        order: Order = Order.RANKING,
        *,
        limit: int | None = None,
        backwards: bool = False,
    ) -> list[Row]:
        """The cases that a filter lets through, as the study stands now.

        Args:
            limit: the first so many; all otherwise.
            backwards: the order's last first.
        """
        self.listed.refresh()
        return self.listed.rows(wanted, order, limit, backwards=backwards)

    def size(self, wanted: Filter = Filter()) -> int:  # noqa: B008 - frozen
        """How many cases a filter lets through, as they were listed last."""
        return self.listed.size(wanted)

    def counts(self) -> dict[Reason, int]:
        """How many cases wait for this lead, by reason; one that has several counts in each."""
        self.listed.refresh()
        return self.listed.counts()

    def next(
        self,
        wanted: Filter = Filter(),  # noqa: B008 - frozen
        order: Order = Order.RANKING,
        *,
        after: str = "",
    ) -> Case | None:
        """Open the case to rule on now: the one left open, or the first that no other lead has.

        Args:
            after: leave this case out, as one that was just put aside.

        Returns:
            The case, which no other lead gets for the time of the lease; None where none is left.
        """
        self.listed.refresh()
        keys = self.listed.keys(wanted, order)
        for start in range(0, max(len(keys), 1), _TRY):
            with self.store.write() as connection:
                self._admit(connection)
                place = None if start else self._open(connection, after)
                for key in [] if place else keys[start : start + _TRY]:
                    candidate = self._place(connection, key)
                    if key != after and not self._why_not(connection, candidate):
                        place = candidate
                        break
                if place is not None:
                    return self._lease(connection, place)
        return None

    def take(self, key: str) -> Case:
        """Open one case, in the queue or not.

        Raises:
            Conflict: if another lead has it open or ruled on it, this one may not, or there is no
                such case.
        """
        _ = self.listed
        with self.store.write() as connection:
            self._admit(connection)
            place = self._place(connection, key)
            if problem := self._why_not(connection, place):
                raise Conflict(*problem)
            return self._lease(connection, place)

    def look(self, key: str) -> Case:
        """A case that this lead has ruled on, as it was before them; opens nothing.

        Raises:
            Conflict: if this lead has not ruled on it.
        """
        _ = self.listed
        with self.store.read() as connection:
            place = self._place(connection, key)
            self._mine(connection, place)
            return self._case(connection, place, "")

    def renew(self, key: str) -> bool:
        """Keep a case open for another lease; False where another lead has it by now."""
        with self.store.write() as connection:
            place = self._place(connection, key)
            renewed = connection.execute(
                "UPDATE ruling_lease SET lease_until = ? "
                "WHERE pair_id = ? AND turn = ? AND lead_id = ? RETURNING 1",
                (self._until(), place.pair_id, place.turn, self.lead_id),
            ).fetchall()
        return bool(renewed)

    def release(self, key: str) -> None:
        """Give a case back without a ruling; what was typed is kept for this lead."""
        with self.store.write() as connection:
            self._free(connection, self._place(connection, key))

    def keep_draft(self, key: str, choice: RulingSeen | None, reason: str) -> None:
        """Keep what is chosen and typed, so that a dropped line loses nothing."""
        with self.store.write() as connection:
            self._keep_draft(connection, self._place(connection, key), choice, reason)

    # ── ruling ──────────────────────────────────────────────────────────────

    def rule(
        self, key: str, choice: RulingSeen, reason: str, *, id: str, final: bool = False
    ) -> Asked | None:
        """Rule on a case; when this returns, it is on the disk.

        A ruling before this lead saw who is who is blind, and takes the place of their earlier
        blind one. After that it is an unmasked one, even where the blind one was taken back.
        Ruling :attr:`RulingSeen.MORE_VOTES` has the pair served to further annotators.

        Args:
            id: made by the client; ruling it again records nothing.
            final: it settles what leads disagree about.

        Returns:
            What was asked of annotators, where more votes were; None otherwise.

        Raises:
            Conflict: if another lead has the case by now or has ruled on it, no reason is given,
                or this lead has seen who is who; the draft is kept.
        """
        reason = _given(reason)
        _ = self.listed
        try:
            with self.store.write() as connection:
                self._admit(connection)
                if rulings.is_recorded(connection, id):
                    return None
                place = self._place(connection, key)
                if problem := self._why_not(connection, place):
                    raise Conflict(*problem)
                return self._rule(connection, place, choice, reason, id, final)
        except Conflict:
            self.keep_draft(key, choice, reason)
            raise

    def _rule(
        self,
        connection: sqlite3.Connection,
        place: Place,
        choice: RulingSeen,
        reason: str,
        id: str,
        final: bool,
    ) -> Asked | None:
        earlier = self._superseded(connection, place)
        has_seen = self._has_seen(connection, place)
        if has_seen and earlier and earlier.lead_id == self.lead_id:
            raise Conflict(
                "you have seen who is who in this case, so a ruling is no longer blind",
                "revise your ruling instead: it is kept as made after unmasking",
            )
        told = self._told(connection, place)
        queued = self.listed.queued(place.pair_id, place.turn)
        asked = ask_more(self.store, connection, place) if choice is _MORE else None
        set_off = {"more_votes": asked.wanted} if asked else {}
        if self._wants_second(connection, place):
            queued = (Reason.SECOND_OPINION, queued[1])
        rulings.append(
            connection,
            place,
            (self.lead_id, self.lead),
            self.store.now(),
            id=id,
            identity=self.identity,
            stage=RulingStage.UNMASKED if has_seen else RulingStage.BLIND,
            choice=ruled(choice, place.left),
            reason=reason,
            final=int(final),
            supersedes=earlier.id if earlier else None,
            queue_reason=queued[0],
            queue_probability=queued[1],
            shown={
                "opinions": [one.event for one in told],
                "kinds": bool(self.store.settings()["ruling_shows_kind"]),
                "votes": sum(
                    one.named.kind == "person" and one.named.opinion.seen is not None
                    for one in told
                ),
                **set_off,
            },
        )
        if choice is not _MORE:
            connection.execute(
                "UPDATE second_opinion SET answered_by = ? WHERE pair_id = ? AND turn = ? "
                "AND answered_by IS NULL AND asked_by <> ?",
                (id, place.pair_id, place.turn, self.lead_id),
            )
        self._forget(connection, place)
        return asked

    def unmask(self, key: str) -> Unmasked:
        """Tell who is who in a case that this lead ruled on; from here on nothing is blind.

        Raises:
            Conflict: if this lead has not ruled on it, or sent it for more votes.
        """
        _ = self.listed
        with self.store.write() as connection:
            self._admit(connection)
            place = self._place(connection, key)
            mine = self._mine(connection, place)
            if mine.choice is RulingChoice.MORE_VOTES:
                raise Conflict(
                    "this case waits for more votes, and is to be ruled on blind then",
                    "undo that, and rule, to see who is who",
                )
            connection.execute(
                "INSERT OR IGNORE INTO unmasking VALUES (?, ?, ?, ?)",
                (place.pair_id, place.turn, self.lead_id, self.store.now()),
            )
            return self._unmasked(connection, place, mine)

    def revise(
        self, key: str, choice: RulingSeen, reason: str, *, id: str, final: bool = False
    ) -> None:
        """Rule anew after unmasking; both decisions are kept.

        Raises:
            Conflict: if this lead has not ruled on the case or not unmasked it, or no reason is
                given.
        """
        reason = _given(reason)
        with self.store.write() as connection:
            self._admit(connection)
            if rulings.is_recorded(connection, id):
                return
            place = self._place(connection, key)
            mine = self._mine(connection, place)
            if not self._has_seen(connection, place):
                raise Conflict(
                    "you have not seen who is who in this case yet",
                    "rule on it again instead, blind as before, or unmask it first",
                )
            if choice is _MORE:
                raise Conflict(
                    "more votes are asked for before unmasking: what comes is to be ruled on blind",
                    "say that it is not decidable, or undo the ruling",
                )
            rulings.append(
                connection,
                place,
                (self.lead_id, self.lead),
                self.store.now(),
                id=id,
                identity=self.identity,
                stage=RulingStage.UNMASKED,
                choice=ruled(choice, place.left),
                reason=reason,
                final=int(final),
                supersedes=mine.id,
                queue_reason=mine.queue_reason,
                queue_probability=mine.queue_probability,
                shown=_kept(mine.shown),
            )

    def undo(self, *, id: str) -> str | None:
        """Take back what this lead ruled or revised last. The log only grows by it.

        What a revision had replaced stands again. What was ruled blind is open again with its
        reason as the draft, and more votes that it asked for are wanted no longer.

        Args:
            id: of the withdrawal, made by the client; offering it again takes nothing more back.

        Returns:
            The case's key; None where nothing is left to take back.
        """
        with self.store.write() as connection:
            self._admit(connection)
            known = connection.execute(
                "SELECT p.key || '/' || v.turn FROM ruling v JOIN pair p ON p.id = v.pair_id "
                "WHERE v.id = ? AND v.choice IS NULL",
                (id,),
            ).fetchone()
            if known is not None:
                return str(known[0])
            last = rulings.last_of(connection, self.lead_id)
            if last is None:
                return None
            place = self._place_of(connection, last.pair_id, last.turn)
            self._withdraw(connection, place, last, id)
            return place.key

    def _withdraw(
        self, connection: sqlite3.Connection, place: Place, last: Standing, id: str
    ) -> None:
        me, now = (self.lead_id, self.lead), self.store.now()
        rulings.append(
            connection,
            place,
            me,
            now,
            id=id,
            identity=self.identity,
            stage=last.stage,
            left=last.left,
            choice=None,
            reason="",
            supersedes=last.id,
        )
        rulings.stand_again(connection, place, last, id, self.identity, now)
        ask_no_more(connection, place, int(last.shown.get("more_votes", 0)))
        connection.execute(
            "UPDATE second_opinion SET answered_by = NULL WHERE answered_by = ?", (last.id,)
        )
        if last.stage is RulingStage.BLIND and last.left is not None:
            if not self._why_not(connection, place):
                self._hold(connection, place)
            self._keep_draft(
                connection, place, ruling_as_seen(last.choice, place.left), last.reason
            )

    def ask_second(self, key: str, why: str, *, id: str) -> None:
        """Ask another lead for a second opinion; whoever asks gives none.

        Args:
            id: made by the client; asking it again asks nothing more.

        Raises:
            Conflict: if there is no other lead who could give one, or nothing says why.
        """
        why = _given(why)
        with self.store.write() as connection:
            self._admit(connection)
            place = self._place(connection, key)
            (others,) = connection.execute(
                "SELECT count(*) FROM annotator a WHERE a.role = 'lead' AND a.id <> ?1 "
                "AND coalesce(a.retired_at, a.paused_at) IS NULL AND NOT EXISTS (SELECT 1 "
                "FROM ruling v WHERE v.pair_id = ?2 AND v.turn = ?3 AND v.lead_id = a.id "
                f"AND v.choice IS NOT NULL AND {rulings.STANDS})",
                (self.lead_id, place.pair_id, place.turn),
            ).fetchone()
            if not others:
                raise Conflict(
                    "no other lead is here who could give a second opinion",
                    "tiebreak annotator add NAME --role lead adds one",
                )
            connection.execute(
                "INSERT INTO second_opinion (uid, pair_id, turn, asked_by, why, asked_at) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO NOTHING",
                (id, place.pair_id, place.turn, self.lead_id, why, self.store.now()),
            )

    # ── what a lead may ─────────────────────────────────────────────────────

    def own_models(self) -> frozenset[str]:
        """Models of a family that this lead has an interest in; none where the study allows it."""
        if self.store.settings()["own_family"] == "allow":
            return frozenset()
        with self.store.read() as connection:
            return self._own_models(connection)

    def _own_models(self, connection: sqlite3.Connection) -> frozenset[str]:
        (said,) = connection.execute(
            "SELECT attributes ->> 'families' FROM annotator WHERE id = ?", (self.lead_id,)
        ).fetchone()
        own = _families(said)
        if not own:
            return frozenset()
        models = connection.execute(
            "SELECT name, family FROM model UNION "
            "SELECT model_1, '' FROM block UNION SELECT model_2, '' FROM block"
        )
        return frozenset(
            name
            for name, family in models
            if own & {family.casefold(), family_of(name, {}), name.casefold()}
        )

    def _admit(self, connection: sqlite3.Connection) -> None:
        """Refuse who is paused, retired, or no lead any more."""
        admit(connection, self.lead_id)
        (role,) = connection.execute(
            "SELECT role FROM annotator WHERE id = ?", (self.lead_id,)
        ).fetchone()
        if Role(role) is not Role.LEAD:
            raise NotAdmitted("you are no lead of this study any more", "log in again to vote")

    def _why_not(self, connection: sqlite3.Connection, place: Place) -> tuple[str, str] | None:
        """Why this lead cannot rule on a case now, and what to do; None if they can."""
        if self.store.settings()["own_family"] != "allow":
            own = self._own_models(connection)
            if own and own & set(self._models(connection, place)):
                return (
                    "this pair has an answer of a model family that you have an interest in",
                    "another lead rules on it; the setting own_family says so",
                )
        held = connection.execute(
            "SELECT 1 FROM ruling_lease WHERE pair_id = ? AND turn = ? AND lead_id <> ? "
            "AND lease_until >= ?",
            (place.pair_id, place.turn, self.lead_id, self.store.now()),
        ).fetchone()
        if held:
            return (
                "another lead has this case open",
                "take another one; it comes back if they leave it",
            )
        stand = rulings.on_place(connection, place)
        others = [
            one
            for one in stand
            if one.lead_id != self.lead_id and one.choice is not RulingChoice.MORE_VOTES
        ]
        is_mine = any(one.lead_id == self.lead_id for one in stand)
        if others and not is_mine and not self._wants_second(connection, place):
            return (
                "another lead has ruled on this case",
                "a second opinion has to be asked for: tiebreak rulings second",
            )
        return None

    def _wants_second(self, connection: sqlite3.Connection, place: Place) -> bool:
        return (
            connection.execute(
                "SELECT 1 FROM second_opinion WHERE pair_id = ? AND turn = ? AND asked_by <> ? "
                "AND answered_by IS NULL",
                (place.pair_id, place.turn, self.lead_id),
            ).fetchone()
            is not None
        )

    def _has_seen(self, connection: sqlite3.Connection, place: Place) -> bool:
        return (
            connection.execute(
                "SELECT 1 FROM unmasking WHERE pair_id = ? AND turn = ? AND lead_id = ?",
                (place.pair_id, place.turn, self.lead_id),
            ).fetchone()
            is not None
        )

    def _mine(self, connection: sqlite3.Connection, place: Place) -> Standing:
        mine = [one for one in rulings.on_place(connection, place) if one.lead_id == self.lead_id]
        if not mine:
            raise Conflict("you have not ruled on this case", "rule on it first")
        return mine[-1]

    def _superseded(self, connection: sqlite3.Connection, place: Place) -> Standing | None:
        """What a new ruling takes the place of: one's own, or another's wish for more votes."""
        stand = rulings.on_place(connection, place)
        mine = [one for one in stand if one.lead_id == self.lead_id]
        waited = [one for one in stand if one.choice is RulingChoice.MORE_VOTES]
        found = mine or waited
        return found[-1] if found else None

    # ── places and leases ───────────────────────────────────────────────────

    def _place(self, connection: sqlite3.Connection, key: str) -> Place:
        pair, _, turn = key.partition("/")
        row = connection.execute("SELECT id FROM pair WHERE key = ?", (pair,)).fetchone()
        if row is None or not turn.isascii() or not turn.isdecimal():
            raise Conflict(f"no case is called {key!r}", "tiebreak rulings queue lists the keys")
        return Place(row[0], pair, int(turn), side(self.store.seed, pair, self.lead))

    def _place_of(self, connection: sqlite3.Connection, pair_id: int, turn: int) -> Place:
        (pair,) = connection.execute("SELECT key FROM pair WHERE id = ?", (pair_id,)).fetchone()
        return Place(pair_id, pair, turn, side(self.store.seed, pair, self.lead))

    def _open(self, connection: sqlite3.Connection, after: str) -> Place | None:
        """The case that this lead left open."""
        rows = connection.execute(
            "SELECT pair_id, turn FROM ruling_lease WHERE lead_id = ? ORDER BY leased_at, pair_id",
            (self.lead_id,),
        ).fetchall()
        for pair_id, turn in rows:
            place = self._place_of(connection, pair_id, turn)
            if place.key != after and not self._why_not(connection, place):
                return place
        return None

    def _until(self) -> str:
        minutes = int(self.store.settings()["ruling_lease_minutes"])
        return stamp(self.store.clock() + timedelta(minutes=minutes))

    def _lease(self, connection: sqlite3.Connection, place: Place) -> Case:
        return self._case(connection, place, self._hold(connection, place))

    def _hold(self, connection: sqlite3.Connection, place: Place) -> str:
        until = self._until()
        connection.execute(
            "INSERT INTO ruling_lease VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "lead_id = excluded.lead_id, leased_at = excluded.leased_at, "
            "lease_until = excluded.lease_until",
            (place.pair_id, place.turn, self.lead_id, self.store.now(), until),
        )
        return until

    def _free(self, connection: sqlite3.Connection, place: Place) -> None:
        connection.execute(
            "DELETE FROM ruling_lease WHERE pair_id = ? AND turn = ? AND lead_id = ?",
            (place.pair_id, place.turn, self.lead_id),
        )

    def _forget(self, connection: sqlite3.Connection, place: Place) -> None:
        """Close a case and drop its draft."""
        self._free(connection, place)
        connection.execute(
            "DELETE FROM ruling_draft WHERE pair_id = ? AND turn = ? AND lead_id = ?",
            (place.pair_id, place.turn, self.lead_id),
        )

    def _keep_draft(
        self,
        connection: sqlite3.Connection,
        place: Place,
        choice: RulingSeen | None,
        reason: str,
    ) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO ruling_draft VALUES (?, ?, ?, ?, ?)",
            (
                place.pair_id,
                place.turn,
                self.lead_id,
                None if choice is None else ruled(choice, place.left),
                storable(reason),
            ),
        )

    # ── what is shown ───────────────────────────────────────────────────────

    def _told(self, connection: sqlite3.Connection, place: Place) -> list[Told]:
        (people,) = connection.execute(
            "SELECT (SELECT count(*) FROM annotator) + (SELECT count(*) FROM judge) "
            "+ (SELECT count(*) FROM model)"
        ).fetchone()
        if self._mask is None or self._mask[0] != people:
            self._mask = (people, mask_of(connection))
        return opinions_of(connection, place, self.lead_id, self.store.seed, self._mask[1])

    def _models(self, connection: sqlite3.Connection, place: Place) -> tuple[str, str]:
        """The models of a case, as their answers stand."""
        first, second = connection.execute(
            "SELECT model_1, model_2 FROM pair WHERE id = ?", (place.pair_id,)
        ).fetchone()
        return (first, second) if place.left == 1 else (second, first)

    def _case(self, connection: sqlite3.Connection, place: Place, until: str) -> Case:
        question_id, *answers = connection.execute(
            "SELECT question_id, answer_1, answer_2 FROM pair WHERE id = ?", (place.pair_id,)
        ).fetchone()
        texts = shown(connection, question_id, (answers[0], answers[1]), place.left)
        mine = [one for one in rulings.on_place(connection, place) if one.lead_id == self.lead_id]
        draft = connection.execute(
            "SELECT choice, reason FROM ruling_draft WHERE pair_id = ? AND turn = ? "
            "AND lead_id = ?",
            (place.pair_id, place.turn, self.lead_id),
        ).fetchone()
        asked = connection.execute(
            "SELECT why FROM second_opinion WHERE pair_id = ? AND turn = ? AND asked_by <> ? "
            "AND answered_by IS NULL ORDER BY id DESC",
            (place.pair_id, place.turn, self.lead_id),
        ).fetchone()
        shows_kind = bool(self.store.settings()["ruling_shows_kind"])
        told = self._told(connection, place)
        assert self._mask is not None
        return Case(
            place.key,
            place.turn,
            texts.category,
            texts.question,
            texts.references,
            texts.left,
            texts.right,
            tuple(_unnamed(one, shows_kind=shows_kind) for one in told),
            self.listed.reasons(place.pair_id, place.turn) if shows_kind else (),
            _draft(draft, place.left),
            mine[-1].id if mine else "",
            self._has_seen(connection, place),
            self._mask[1].hide(asked[0])[0] if asked else "",
            until,
        )

    def _unmasked(self, connection: sqlite3.Connection, place: Place, mine: Standing) -> Unmasked:
        blind = rulings.blind_of(connection, mine)
        told = opinions_of(connection, place, self.lead_id, self.store.seed, Mask(()))
        return Unmasked(
            place.key,
            *self._models(connection, place),
            tuple(one.named for one in told),
            ruling_as_seen(blind, place.left),
            ruling_as_seen(mine.choice, place.left),
            mine.reason,
            self.listed.reasons(place.pair_id, place.turn),
        )


_MORE = RulingSeen.MORE_VOTES


def _given(said: str) -> str:
    """A reason that was given.

    Raises:
        Conflict: if it is empty.
    """
    if not said.strip():
        raise Conflict("no reason is given", "say why in a few words: it is kept with the ruling")
    return storable(said)


def _families(said: str | None) -> set[str]:
    """Model families as an annotator's attribute names them: a list, or one text with commas."""
    if said is None:
        return set()
    several = json.loads(said) if said.startswith("[") else said.split(",")
    return {str(each).strip().casefold() for each in several if str(each).strip()}


def _kept(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What was before the lead; what the ruling set off is not set off again."""
    return {name: value for name, value in shown.items() if name in ("opinions", "kinds", "votes")}


def _unnamed(told: Told, *, shows_kind: bool) -> Opinion:
    opinion = told.named.opinion
    return opinion if shows_kind else replace(opinion, kind="")


def _draft(kept: tuple[str | None, str] | None, left: int) -> tuple[str, str]:
    if kept is None:
        return "", ""
    choice = "" if kept[0] is None else ruling_as_seen(RulingChoice(kept[0]), left).value
    return choice, kept[1]

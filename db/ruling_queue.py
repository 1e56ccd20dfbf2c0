"""The queue of what leads rule on, as one lead sees it, and their rulings.

What is in it follows from the votes and verdicts, counted in a tally that is kept in step with the
study; nothing is stored of it but who has which case open. A case is open with one lead at a time,
for the time of a lease.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from core.adjudication.case import (
    Case,
    Filter,
    Order,
    Reason,
    Row,
    RulingSeen,
    Unmasked,
    is_sample_due,
    ruled,
    ruling_as_seen,
)
from core.errors import Conflict
from core.records import Choice, Lesson, LessonUse, RulingChoice, RulingStage
from db import rulings
from db.more_votes import Asked, ask_more, ask_no_more
from db.ruling_desk import Desk
from db.ruling_lead import Lead
from db.ruling_list import CaseList
from db.serving import storable

if TYPE_CHECKING:
    from db.feed import Feed
    from db.ruling_cases import Place
    from db.ruling_list import Roll
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
        self.lead = Lead.of(store, lead, identity)
        self._feed = feed
        self._list: CaseList | None = None
        self._desk = Desk(self.lead, lambda pair, turn: self.listed.reasons(pair, turn))

    # ── the list ────────────────────────────────────────────────────────────

    @property
    def listed(self) -> CaseList:
        """The list behind :meth:`cases`; made when first asked for, outside of transactions."""
        if self._list is None:
            with self.store.read() as connection:
                own = self.lead.own_models(connection)
            self._list = CaseList(self.store, self.lead.id, own, self._feed)
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

    def roll(self, wanted: Filter, order: Order, *, backwards: bool = False) -> Roll:
        """The same, all of them; rows are made when they are looked at."""
        self.listed.refresh()
        return self.listed.roll(wanted, order, backwards=backwards)

    def size(self, wanted: Filter = Filter()) -> int:  # noqa: B008 - frozen
        """How many cases a filter lets through, as they were listed last."""
        return self.listed.size(wanted)

    def counts(self) -> dict[Reason, int]:
        """How many cases wait for this lead, by reason; one that has several counts in each."""
        self.listed.refresh()
        return self.listed.counts()

    def is_sample_due(self) -> bool:
        """Whether this lead's next case, by its effect, is to be of the random sample."""
        with self.store.read() as connection:
            return is_sample_due(rulings.since_sample(connection, self.lead.id))

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
        found = self.listed.found(wanted, order)
        for start in range(0, max(len(found), 1), _TRY):
            with self.store.write() as connection:
                self.lead.admit(connection)
                place = None if start else self._desk.left_open(connection, after)
                for pair_id, turn in () if place else self.listed.places(found, start, _TRY):
                    candidate = self.lead.place_of(connection, pair_id, turn)
                    if candidate.key != after and not self._is_gone(connection, candidate):
                        place = candidate
                        break
                if place is not None:
                    return self._desk.lease(connection, place)
        return None

    def _is_gone(self, connection: sqlite3.Connection, place: Place) -> bool:
        """Whether a case of the list was ruled on or taken since it was listed."""
        mine = self.lead.own_ruling(connection, place)
        is_ruled = mine is not None and mine.choice is not RulingChoice.MORE_VOTES
        return is_ruled or self.lead.why_not(connection, place) is not None

    def take(self, key: str) -> Case:
        """Open one case, in the queue or not.

        Raises:
            Conflict: if another lead has it open or ruled on it, this one may not, or there is no
                such case.
        """
        _ = self.listed
        with self.store.write() as connection:
            return self._desk.lease(connection, self._allowed(connection, key))

    def look(self, key: str) -> Case:
        """A case that this lead has ruled on, as it was before them; opens nothing.

        Raises:
            Conflict: if this lead has not ruled on it.
        """
        _ = self.listed
        with self.store.read() as connection:
            place = self.lead.place(connection, key)
            self.lead.mine(connection, place)
            return self._desk.case(connection, place, "")

    def renew(self, key: str) -> bool:
        """Keep a case open for another lease; False where another lead has it by now."""
        with self.store.write() as connection:
            return self._desk.renew(connection, self.lead.place(connection, key))

    def release(self, key: str) -> None:
        """Give a case back without a ruling; what was typed is kept for this lead."""
        with self.store.write() as connection:
            self._desk.free(connection, self.lead.place(connection, key))

    def keep_draft(self, key: str, choice: RulingSeen | None, reason: str) -> None:
        """Keep what is chosen and typed, so that a dropped line loses nothing."""
        with self.store.write() as connection:
            place = self.lead.place(connection, key)
            self._desk.keep_draft(connection, place, choice, reason)

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
                if rulings.is_recorded(connection, id):
                    return None
                place = self._allowed(connection, key)
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
        earlier = self.lead.replaced(connection, place)
        has_seen = self.lead.has_seen(connection, place)
        if has_seen and earlier and earlier.lead_id == self.lead.id:
            raise Conflict(
                "you have seen who is who in this case, so a ruling is no longer blind",
                "revise your ruling instead: it is kept as made after unmasking",
            )
        reasons = self.listed.queued(place.pair_id, place.turn)
        is_second = self.lead.wants_second(connection, place)
        opinions = self._desk.told(connection, place)
        shown = {
            "opinions": [one.event for one in opinions],
            "kinds": bool(self.store.settings()["ruling_shows_kind"]),
            "votes": sum(one.is_vote for one in opinions),
        }
        asked = ask_more(self.store, connection, place) if choice is _MORE else None
        self._append(
            connection,
            place,
            id=id,
            stage=RulingStage.UNMASKED if has_seen else RulingStage.BLIND,
            choice=ruled(choice, place.left),
            reason=reason,
            final=int(final),
            supersedes=earlier.id if earlier else None,
            queue_reason=Reason.SECOND_OPINION if is_second else reasons[0],
            queue_probability=reasons[1],
            shown=shown | (asked.told if asked else {}),
        )
        if not asked:
            connection.execute(
                "UPDATE second_opinion SET answered_by = ? WHERE pair_id = ? AND turn = ? "
                "AND answered_by IS NULL AND asked_by <> ?",
                (id, place.pair_id, place.turn, self.lead.id),
            )
        self._desk.close(connection, place)
        return asked

    def unmask(self, key: str) -> Unmasked:
        """Tell who is who in a case that this lead ruled on; from here on nothing is blind.

        Raises:
            Conflict: if this lead has not ruled on it, or sent it for more votes.
        """
        _ = self.listed
        with self.store.write() as connection:
            self.lead.admit(connection)
            place = self.lead.place(connection, key)
            mine = self.lead.mine(connection, place)
            if mine.choice is RulingChoice.MORE_VOTES:
                raise Conflict(
                    "this case waits for more votes, and is to be ruled on blind then",
                    "undo that, and rule, to see who is who",
                )
            self.lead.see(connection, place)
            return self._desk.unmasked(connection, place, mine)

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
            self.lead.admit(connection)
            if rulings.is_recorded(connection, id):
                return
            place = self.lead.place(connection, key)
            mine = self.lead.mine(connection, place)
            if not self.lead.has_seen(connection, place):
                raise Conflict(
                    "you have not seen who is who in this case yet",
                    "rule on it again instead, blind as before, or unmask it first",
                )
            if choice is _MORE:
                raise Conflict(
                    "more votes are asked for before unmasking: what comes is to be ruled on blind",
                    "say that it is not decidable, or undo the ruling",
                )
            self._append(
                connection,
                place,
                id=id,
                stage=RulingStage.UNMASKED,
                choice=ruled(choice, place.left),
                reason=reason,
                final=int(final),
                supersedes=mine.id,
                queue_reason=mine.queue_reason,
                queue_probability=mine.queue_probability,
                shown={name: mine.shown[name] for name in _SHOWN if name in mine.shown},
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
            self.lead.admit(connection)
            if known := rulings.withdrawn_by(connection, id):
                return self.lead.place_of(connection, *known).key
            last = rulings.last_of(connection, self.lead.id)
            if last is None:
                return None
            place = self.lead.place_of(connection, last.pair_id, last.turn)
            self._withdraw(connection, place, last, id)
            return place.key

    def _withdraw(
        self, connection: sqlite3.Connection, place: Place, last: Standing, id: str
    ) -> None:
        self._append(
            connection,
            place,
            id=id,
            stage=last.stage,
            left=last.left,
            choice=None,
            reason="",
            supersedes=last.id,
        )
        rulings.stand_again(connection, place, last, id, self.lead.identity, self.store.now())
        ask_no_more(connection, place, int(last.shown.get("more_votes", 0)))
        connection.execute(
            "UPDATE second_opinion SET answered_by = NULL WHERE answered_by = ?", (last.id,)
        )
        if last.stage is RulingStage.BLIND:
            if not self.lead.why_not(connection, place):
                self._desk.hold(connection, place)
            seen = ruling_as_seen(last.choice, place.left)
            self._desk.keep_draft(connection, place, seen, last.reason)

    def ask_second(self, key: str, why: str, *, id: str) -> None:
        """Ask another lead for a second opinion; whoever asks gives none.

        Args:
            id: made by the client; asking it again asks nothing more.

        Raises:
            Conflict: if there is no other lead who could give one, or nothing says why.
        """
        why = _given(why)
        with self.store.write() as connection:
            self.lead.admit(connection)
            place = self.lead.place(connection, key)
            if not rulings.others(connection, place, self.lead.id):
                raise Conflict(
                    "no other lead is here who could give a second opinion",
                    "tiebreak annotator add NAME --role lead adds one",
                )
            connection.execute(
                "INSERT INTO second_opinion (uid, pair_id, turn, asked_by, why, asked_at) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO NOTHING",
                (id, place.pair_id, place.turn, self.lead.id, why, self.store.now()),
            )
            self._desk.free(connection, place)

    def teach(self, key: str, use: LessonUse, why: str = "") -> bool:
        """Make a lesson of this lead's ruling on a case, for practice or to be let in by.

        Args:
            why: what annotators read; the ruling's reason where it is empty.

        Returns:
            Whether it is new.

        Raises:
            Conflict: if this lead has no ruling on it that names an outcome, the reason names a
                model, or a lesson says otherwise already.
            TiebreakError: if its texts are not known.
        """
        with self.store.read() as connection:
            place = self.lead.place(connection, key)
            mine = self.lead.mine(connection, place)
            pair = rulings.pair_of(connection, place)
        if mine.choice in _WITHOUT_OUTCOME:
            raise Conflict(
                "this ruling names no outcome, so nobody can learn it",
                "a lesson has one right outcome",
            )
        outcome = Choice(mine.choice.value)
        return self.store.lessons.add(
            Lesson(pair, place.turn, outcome, why.strip() or mine.reason, use)
        )

    # ── both of them ────────────────────────────────────────────────────────

    def _allowed(self, connection: sqlite3.Connection, key: str) -> Place:
        """A case that this lead may rule on now; seen with its names, where the key tells them.

        Raises:
            Conflict: if they may not, with the reason.
        """
        self.lead.admit(connection)
        place = self.lead.place(connection, key)
        if problem := self.lead.why_not(connection, place):
            raise Conflict(*problem)
        if place.is_by_pair:
            self.lead.see(connection, place)
        return place

    def _append(self, connection: sqlite3.Connection, place: Place, **row: object) -> None:
        me = (self.lead.id, self.lead.name)
        row["identity"] = self.lead.identity
        rulings.append(connection, place, me, self.store.now(), **row)


_MORE = RulingSeen.MORE_VOTES
_WITHOUT_OUTCOME = (RulingChoice.NOT_DECIDABLE, RulingChoice.MORE_VOTES)
_SHOWN = ("opinions", "kinds", "votes")
"""What was before the lead; what a ruling set off is not set off again by its revision."""


def _given(said: str) -> str:
    """A reason that was given.

    Raises:
        Conflict: if it is empty.
    """
    if not said.strip():
        raise Conflict("no reason is given", "say why in a few words: it is kept with the ruling")
    return storable(said.strip())

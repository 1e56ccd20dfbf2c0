"""The list of cases kept in step with a study: what is read for it, and when it is made anew."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

from core.adjudication.case import Filter, Order, Reason, Row, State
from core.blinding import case_name, pair_called
from core.records import RulingChoice
from db import rulings
from db.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from core.adjudication.listing import Listing
    from core.adjudication.table import Longs, Marks
    from db.rulings import Standing
    from db.store import Store

_CODES = {choice: code for code, choice in enumerate(RulingChoice, 1)}
"""Rulings as a tally counts them: 1–4 as votes, then those without an outcome."""


class Roll:
    """Cases in order, as of one moment; a row is made when somebody looks at it.

    May be read in another thread than the one whose list it is of: of what it rests on nothing
    changes any more, and keys are looked up on the reader's own connection.
    """

    def __init__(self, listing: Listing, items: Longs) -> None:
        self._listing = listing
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def rows(self, store: Store, start: int, stop: int | None) -> list[Row]:
        """The cases from one place up to another.

        Raises:
            StudyUnavailable: if their keys cannot be read.
        """
        items = self._items[start:stop].tolist()
        places = self._listing.cases.view.tally.places_of(items)
        with store.in_words():
            named = {
                pair: case_name(
                    store.seed,
                    store.connection.execute(
                        "SELECT key FROM pair WHERE id = ?", (pair,)
                    ).fetchone()[0],
                )
                for pair, _ in places
            }
        return [
            self._listing.row(item, f"{named[pair]}/{turn}")
            for item, (pair, turn) in zip(items, places, strict=True)
        ]

    def place(self, store: Store, key: str) -> int | None:
        """Where a case stands; None if it is not among these.

        Raises:
            StudyUnavailable: if that cannot be looked up.
        """
        name, _, turn = key.partition("/")
        pair = pair_called(store.seed, name)
        with store.in_words():
            row = store.connection.execute("SELECT id FROM pair WHERE key = ?", (pair,)).fetchone()
        if row is None:
            return None
        (item,) = self._listing.cases.view.tally.find_items([(row[0], int(turn))])
        found = self._items == item
        return int(found.argmax()) if found.any() else None

    def key(self, store: Store, place: int) -> str:
        """What names the case at a place.

        Raises:
            StudyUnavailable: if it cannot be read.
        """
        return self.rows(store, place, place + 1)[0].key

    def in_state(
        self, states: Collection[State], start: int = 0, *, drawn: bool | None = None
    ) -> Iterator[int]:
        """The places of the cases in one of these states, from one place round to it again.

        Args:
            drawn: only those of the random sample, or only the others; both where None.
        """
        items = self._items.tolist()
        is_drawn = self._listing.cases.is_drawn
        for place in (*range(start, len(items)), *range(min(start, len(items)))):
            if drawn is not None and is_drawn[items[place]] != drawn:
                continue
            if self._listing.state(items[place]) in states:
                yield place


class CaseList:
    """What waits for one lead, by the keys that name cases.

    Args:
        own_models: models that this lead may not rule on.
        feed: of this store; made here where there is none.
    """

    def __init__(
        self, store: Store, lead_id: int, own_models: Collection[str], feed: Feed | None
    ) -> None:
        from core.stats.tally import Tally

        self.store = store
        self._lead_id = lead_id
        self._own_models = own_models
        self._feed = feed or Feed(store, Tally())
        self._marked_until = 0
        self._flagged: dict[int, int] = {}
        self._doubtful: dict[int, int] = {}
        self._listing: Listing
        self._seen: object = None
        self._rests_on: object = None
        self.refresh()

    # ── looking at it ───────────────────────────────────────────────────────

    def found(self, wanted: Filter, order: Order) -> list[int]:
        """The cases that a filter lets through, in order, for :meth:`places`."""
        return self._listing.items(wanted, order)

    def places(self, found: list[int], start: int, most: int) -> list[tuple[int, int]]:
        """The pairs and turns of some of what was found, as (pair_id, turn)."""
        return self._feed.tally.places_of(found[start : start + most])

    def rows(
        self, wanted: Filter, order: Order, limit: int | None, *, backwards: bool
    ) -> list[Row]:
        """The cases that a filter lets through, in order."""
        return self.roll(wanted, order, backwards=backwards).rows(self.store, 0, limit)

    def roll(self, wanted: Filter, order: Order, *, backwards: bool) -> Roll:
        """The cases that a filter lets through, in order, as they are now."""
        items = self._listing.ordered(wanted, order, backwards=backwards)
        return Roll(self._listing, items)

    def size(self, wanted: Filter) -> int:
        """How many cases a filter lets through."""
        return self._listing.size(wanted)

    def counts(self) -> dict[Reason, int]:
        """How many cases wait, by reason."""
        return self._listing.counts()

    def queued(self, pair_id: int, turn: int) -> tuple[Reason, float | None]:
        """Why a case is in the queue, and the probability of its draw where it was drawn."""
        return self._listing.queued(self._found([(pair_id, turn)])[0])

    def reasons(self, pair_id: int, turn: int) -> tuple[Reason, ...]:
        """All reasons for which a case is in the queue."""
        return self._listing.reasons(self._found([(pair_id, turn)])[0])

    def _found(self, places: Sequence[tuple[int, int]]) -> list[int]:
        return self._feed.tally.find_items(places)

    # ── keeping in step ─────────────────────────────────────────────────────

    def refresh(self) -> None:
        """Read what was committed since the last time; not within a transaction."""
        self._feed.catch_up()
        with self.store.read() as connection:
            seen = self._look(connection)
            if seen != self._seen:
                self._rebuild(connection)
                self._seen = seen

    def _look(self, connection: sqlite3.Connection) -> object:
        """What the list depends on: where any of this is another, it is made anew."""
        tally = self._feed.tally
        row = connection.execute(
            "SELECT (SELECT seq FROM chain_head WHERE log = 'ruling'), "
            "(SELECT count(*) || ' ' || count(answered_by) FROM second_opinion), "
            "(SELECT group_concat(pair_id || ' ' || turn || ' ' || lead_id) FROM ruling_lease "
            "WHERE lease_until >= ?), (SELECT group_concat(key || value) FROM study), "
            "(SELECT count(*) FROM unmasking WHERE lead_id = ?)",
            (self.store.now(), self._lead_id),
        ).fetchone()
        return (tally.last_vote_seq, tally.last_verdict_seq, *row)

    def _rebuild(self, connection: sqlite3.Connection) -> None:
        from core.adjudication.listing import Listing
        from core.adjudication.table import Cases
        from core.stats.options import Options
        from core.stats.view import View

        settings = self.store.settings()
        options = Options(
            exclude_groups=tuple(settings["exclude_groups"]), repeats=settings["judge_repeats"]
        )
        shares = settings["ruling_sample_agreements"], settings["ruling_sample_conflicts"]
        stand = [*rulings.standing(connection)]
        ruled = self._found([(one.pair_id, one.turn) for one in stand])
        marks = self._marks(connection, stand, ruled)
        tally = self._feed.tally
        said = tally.last_vote_seq, tally.last_verdict_seq, len(tally.item_turn)
        rests_on = (said, marks.flagged, marks.doubtful, options, shares, tally.annotator_groups)
        if rests_on == self._rests_on:
            cases = self._listing.cases.ruled_on(marks)
        else:
            agreements, conflicts = shares
            cases = Cases(
                View(tally, options),
                marks,
                agreements=agreements,
                conflicts=conflicts,
                seed=_number(self.store.seed),
            )
            self._rests_on = rests_on
        counted: dict[int, int] = {}
        for item in ruled:
            counted[item] = counted.get(item, 0) + 1
        states = self._states(connection, stand, ruled, set(marks.second))
        seen = connection.execute(
            "SELECT pair_id, turn FROM unmasking WHERE lead_id = ?", (self._lead_id,)
        ).fetchall()
        # Who rules blind is not to know that another lead said otherwise.
        disputed = _disputed(stand, ruled) & set(self._found(seen))
        since = rulings.since_sample(connection, self._lead_id)
        self._listing = Listing(cases, states, counted, self._own_models, disputed, since)

    def _marks(
        self, connection: sqlite3.Connection, stand: list[Standing], ruled: list[int]
    ) -> Marks:
        from core.adjudication.table import Marks

        self._read_marked(connection)
        asked = connection.execute(
            "SELECT pair_id, turn FROM second_opinion WHERE answered_by IS NULL AND asked_by <> ?",
            (self._lead_id,),
        ).fetchall()
        settled = _settled(stand, ruled)
        return Marks(
            sorted(set(self._flagged.values())),
            sorted(set(self._doubtful.values())),
            sorted({item for item in self._found(asked) if item >= 0}),
            settled,
        )

    def _read_marked(self, connection: sqlite3.Connection) -> None:
        """Flags and lowest confidence of votes that stand, by vote; only what is new is read."""
        rows = connection.execute(
            "SELECT v.seq, v.pair_id, v.turn, v.flag <> '', v.confidence <= 1 FROM vote v "
            "WHERE v.seq > ? AND (v.flag <> '' OR v.confidence <= 1) AND v.repeat = 0 "
            "AND coalesce(v.choice, v.cannot_judge) IS NOT NULL ORDER BY v.seq",
            (self._marked_until,),
        ).fetchall()
        items = self._found([row[1:3] for row in rows])
        for (seq, _, _, is_flagged, is_doubtful), item in zip(rows, items, strict=True):
            if is_flagged:
                self._flagged[seq] = item
            if is_doubtful:
                self._doubtful[seq] = item
        if self._flagged or self._doubtful:
            for (gone,) in connection.execute(
                "SELECT s.seq FROM vote v JOIN vote s ON s.id = v.supersedes WHERE v.seq > ?",
                (self._marked_until,),
            ):
                self._flagged.pop(gone, None)
                self._doubtful.pop(gone, None)
        self._marked_until = self._feed.tally.last_vote_seq

    def _states(
        self,
        connection: sqlite3.Connection,
        stand: list[Standing],
        ruled: list[int],
        second: set[int],
    ) -> dict[int, State]:
        """What became of each case that anybody opened or ruled on."""
        states: dict[int, State] = {}
        for one, item in zip(stand, ruled, strict=True):
            if item < 0:
                continue
            if one.choice is RulingChoice.MORE_VOTES:
                states.setdefault(item, self._waits(one, item))
            elif item not in second or one.lead_id == self._lead_id:
                states[item] = State.RULED
        leases = connection.execute(
            "SELECT pair_id, turn, lead_id FROM ruling_lease WHERE lease_until >= ? OR lead_id = ?",
            (self.store.now(), self._lead_id),
        ).fetchall()
        for (*_, lead_id), item in zip(
            leases, self._found([row[:2] for row in leases]), strict=True
        ):
            states[item] = State.MINE if lead_id == self._lead_id else State.TAKEN
        states.pop(-1, None)
        return states

    def _waits(self, ruling: Standing, item: int) -> State:
        """Whether the votes that a ruling asked for are in."""
        enough = ruling.shown.get("votes", 0) + ruling.shown.get("more_votes", 0)
        votes = int(self._feed.tally.vote_counts()[item, :4].sum())
        return State.WAITING if votes >= enough else State.MORE_VOTES


def _settled(stand: list[Standing], ruled: list[int]) -> list[tuple[int, int]]:
    """Items on which a ruling counts: a final one, or what all leads who ruled say."""
    said, final = _said(stand, ruled)
    alike = {
        item: next(iter(codes.values()))
        for item, codes in said.items()
        if len(set(codes.values())) == 1
    }
    return [(item, code) for item, code in (alike | final).items() if item >= 0]


def _disputed(stand: list[Standing], ruled: list[int]) -> set[int]:
    """Items on which leads say several things and nobody's ruling is final."""
    said, final = _said(stand, ruled)
    return {item for item, codes in said.items() if len(set(codes.values())) > 1} - set(final)


def _said(
    stand: list[Standing], ruled: list[int]
) -> tuple[dict[int, dict[int, int]], dict[int, int]]:
    """By item: what each lead says, and what the last final ruling does."""
    said: dict[int, dict[int, int]] = {}
    final: dict[int, int] = {}
    for one, item in zip(stand, ruled, strict=True):
        said.setdefault(item, {})[one.lead_id] = _CODES[one.choice]
        if one.is_final:
            final[item] = _CODES[one.choice]
    return said, final


def _number(seed: str) -> int:
    """The study's seed as the random sample takes it."""
    digest = hashlib.sha256(f"ruling sample\x1f{seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big")

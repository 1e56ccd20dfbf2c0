"""The list of cases: a tally kept in step with the study, and what became of each case."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING, Any

from core.adjudication.case import Filter, Order, Reason, Row, State
from core.records import RulingChoice
from db import rulings
from db.feed import Feed

if TYPE_CHECKING:
    from core.adjudication.table import Cases, Longs
    from db.store import Store

_CODES = {choice: code for code, choice in enumerate(RulingChoice, 1)}
"""Rulings as a tally counts them: 1–4 as votes, then those without an outcome."""


class CaseList:
    """What waits for one lead, in any order.

    Args:
        own_models: models that this lead may not rule on.
        feed: of this store; made here where there is none.
    """

    def __init__(
        self, store: Store, lead_id: int, own_models: frozenset[str], feed: Feed | None
    ) -> None:
        from core.stats.tally import Tally

        self.store = store
        self._lead_id = lead_id
        self._own_models = own_models
        self._feed = feed or Feed(store, Tally())
        self._marked_until = 0
        self._flagged: dict[int, int] = {}
        self._doubtful: dict[int, int] = {}
        self._states: dict[int, State] = {}
        self._rulings: dict[int, int] = {}
        self._table: Cases
        self._stamp: object = None
        self.refresh()

    # ── keeping in step ─────────────────────────────────────────────────────

    def refresh(self) -> None:
        """Read what was committed since the last time."""
        self._feed.catch_up()
        with self.store.read() as connection:
            stamp = self._look(connection)
            if stamp != self._stamp:
                self._rebuild(connection)
                self._stamp = stamp

    def _look(self, connection: sqlite3.Connection) -> object:
        """What the list depends on: it is made anew where any of this is another."""
        tally = self._feed.tally
        row = connection.execute(
            "SELECT (SELECT seq FROM chain_head WHERE log = 'ruling'), "
            "(SELECT count(*) FROM second_opinion WHERE answered_by IS NULL), "
            "(SELECT group_concat(pair_id || ' ' || turn || ' ' || lead_id || lease_until) "
            "FROM ruling_lease), (SELECT group_concat(key || value) FROM study)"
        ).fetchone()
        now = self.store.now()[:16]  # leases lapse by the minute
        return (tally.last_vote_seq, tally.last_verdict_seq, now, *row)

    def _rebuild(self, connection: sqlite3.Connection) -> None:
        from core.adjudication.table import Cases, Marks
        from core.stats.options import Options
        from core.stats.view import View

        settings = self.store.settings()
        options = Options(
            exclude_groups=tuple(settings["exclude_groups"]), repeats=settings["judge_repeats"]
        )
        self._read_marks(connection)
        stand = [*rulings.standing(connection)]
        asked = connection.execute(
            "SELECT pair_id, turn, asked_by FROM second_opinion WHERE answered_by IS NULL"
        ).fetchall()
        ruled = self._items([(one.pair_id, one.turn) for one in stand])
        known = ruled >= 0
        second = self._items([(pair, turn) for pair, turn, by in asked if by != self._lead_id])
        marks = Marks(
            self._items_of(self._flagged),
            self._items_of(self._doubtful),
            second[second >= 0],
            ruled[known],
            _codes(one.choice for one in stand)[known],
        )
        self._table = Cases(
            View(self._feed.tally, options),
            marks,
            agreements=settings["ruling_sample_agreements"],
            conflicts=settings["ruling_sample_conflicts"],
            seed=_number(self.store.seed),
        )
        self._read_states(connection, stand, ruled, marks.second)

    def _read_marks(self, connection: sqlite3.Connection) -> None:
        """Flags and lowest confidence of votes that stand, by vote; only what is new is read."""
        rows = connection.execute(
            "SELECT v.seq, v.pair_id, v.turn, v.flag <> '', v.confidence <= 1 FROM vote v "
            "WHERE v.seq > ? AND (v.flag <> '' OR v.confidence <= 1) AND v.repeat = 0 "
            "ORDER BY v.seq",
            (self._marked_until,),
        ).fetchall()
        for (seq, _, _, flagged, doubtful), item in zip(
            rows, self._found([row[1:3] for row in rows]), strict=True
        ):
            if flagged:
                self._flagged[seq] = item
            if doubtful:
                self._doubtful[seq] = item
        if self._flagged or self._doubtful:
            for (gone,) in connection.execute(
                "SELECT s.seq FROM vote v JOIN vote s ON s.id = v.supersedes WHERE v.seq > ?",
                (self._marked_until,),
            ):
                self._flagged.pop(gone, None)
                self._doubtful.pop(gone, None)
        self._marked_until = self._feed.tally.last_vote_seq

    def _read_states(
        self,
        connection: sqlite3.Connection,
        stand: list[rulings.Standing],
        ruled: Longs,
        second: Longs,
    ) -> None:
        """What became of each case that anybody opened or ruled on."""
        self._states, self._rulings = {}, {}
        wanted = set(second.tolist())
        votes = self._feed.tally.vote_counts()
        for one, item in zip(stand, ruled.tolist(), strict=True):
            if item < 0:
                continue
            self._rulings[item] = self._rulings.get(item, 0) + 1
            if one.choice is RulingChoice.MORE_VOTES:
                enough = one.shown.get("votes", 0) + one.shown.get("more_votes", 0)
                is_in = int(votes[item, :4].sum()) >= enough
                self._states.setdefault(item, State.WAITING if is_in else State.MORE_VOTES)
            elif item not in wanted or one.lead_id == self._lead_id:
                self._states[item] = State.RULED
        leases = connection.execute(
            "SELECT pair_id, turn, lead_id FROM ruling_lease WHERE lease_until >= ? OR lead_id = ?",
            (self.store.now(), self._lead_id),
        ).fetchall()
        for (_, _, who), item in zip(leases, self._found([row[:2] for row in leases]), strict=True):
            self._states[item] = State.MINE if who == self._lead_id else State.TAKEN

    def _found(self, places: list[Any]) -> list[int]:
        return self._feed.tally.find_items(places)

    def _items(self, places: list[tuple[int, int]]) -> Longs:
        import numpy as np

        return np.array(self._found(places), np.int64)

    @staticmethod
    def _items_of(marked: dict[int, int]) -> Longs:
        import numpy as np

        return np.unique(np.array([*marked.values()], np.int64))

    # ── looking at it ───────────────────────────────────────────────────────

    def keys(self, wanted: Filter, order: Order) -> list[str]:
        """The keys of the cases that a filter lets through, in order."""
        items = self._ordered(self._selected(wanted), order, None)
        return self._keys(items)

    def rows(
        self, wanted: Filter, order: Order, limit: int | None, descending: bool | None
    ) -> list[Row]:
        """The cases that a filter lets through, in order."""
        items = self._ordered(self._selected(wanted), order, descending)[:limit]
        return [
            self._row(item, key)
            for item, key in zip(items.tolist(), self._keys(items), strict=True)
        ]

    def counts(self) -> dict[Reason, int]:
        """How many cases wait, by reason."""
        import numpy as np

        from core.adjudication.table import BIT

        bits = self._table.reasons[self._selected(Filter())]
        return {
            reason: int(np.count_nonzero(bits & bit))
            for reason, bit in BIT.items()
            if reason is not Reason.BY_HAND
        }

    def queued(self, pair_id: int, turn: int) -> tuple[Reason, float | None]:
        """Why a case is in the queue, and the probability of its draw where it was drawn."""
        reasons = self.reasons(pair_id, turn)
        (item,) = self._found([(pair_id, turn)])
        if not reasons or not 0 <= item < len(self._table.reasons):
            return Reason.BY_HAND, None
        drawn = bool(self._table.is_drawn[item])
        return reasons[0], float(self._table.probability[item]) if drawn else None

    def reasons(self, pair_id: int, turn: int) -> tuple[Reason, ...]:
        """All reasons for which a case is in the queue."""
        from core.adjudication.table import reasons_of

        (item,) = self._found([(pair_id, turn)])
        known = 0 <= item < len(self._table.reasons)
        return reasons_of(int(self._table.reasons[item])) if known else ()

    def _selected(self, wanted: Filter) -> Longs:
        import numpy as np

        from core.adjudication.table import BIT

        table, view = self._table, self._table.view
        keep = table.reasons > 0
        if wanted.reasons:
            keep &= (table.reasons & sum(BIT[each] for each in wanted.reasons)) > 0
        if wanted.turn is not None:
            keep &= view.turn == wanted.turn
        if wanted.category is not None:
            named = [each == wanted.category for each in view.tally.categories]
            keep &= np.array(named, np.bool_)[view.category]
        touched = np.array([*self._states], np.int64)
        touched = touched[touched < len(keep)]
        inside = keep[touched]
        if State.WAITING not in wanted.states:
            keep[:] = False
        own = self._refused()
        keep[own] = State.REFUSED in wanted.states
        for item, was_inside in zip(touched.tolist(), inside.tolist(), strict=True):
            state = State.REFUSED if own[item] else self._states[item]
            keep[item] = was_inside and state in wanted.states
        return np.flatnonzero(keep)

    def _refused(self) -> Any:
        """Which items have an answer of a family that this lead has an interest in."""
        import numpy as np

        view = self._table.view
        own = np.array([name in self._own_models for name in view.tally.models], np.bool_)
        return own[view.model_1] | own[view.model_2]

    def _ordered(self, items: Longs, order: Order, descending: bool | None) -> Longs:
        import numpy as np

        table = self._table
        if order is Order.RANKING:
            found = table.mixed(items, table.on_ranking)
        elif order is Order.AGREEMENT:
            found = table.mixed(items, table.on_agreement)
        else:
            found = items[np.argsort(self._column(items, order), kind="stable")]
        return found[::-1] if descending else found

    def _column(self, items: Longs, order: Order) -> Any:
        import numpy as np

        table, view = self._table, self._table.view
        if order is Order.RANDOM:
            return table.chance[items]
        if order is Order.TURN:
            return view.turn[items]
        if order is Order.OPINIONS:
            return -table.opinions[items].sum(axis=1)
        if order is Order.SPREAD:
            return -_entropy(table.opinions[items])
        if order is Order.REASON:
            bits = table.reasons[items]
            return bits & -bits
        tally = view.tally
        if order is Order.CATEGORY:
            names, numbers = [each or "" for each in tally.categories], view.category[items]
        else:
            names = list(tally.questions)
            numbers = tally.pair_table[view.pair[items], 3]
        rank = np.empty(len(names), np.int64)
        rank[np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)] = np.arange(
            len(names)
        )
        return rank[numbers]

    def _keys(self, items: Longs) -> list[str]:
        pairs = self._feed.tally.pair_ids(items).tolist()
        turns = self._table.view.turn[items].tolist()
        with self.store.in_words():
            connection = self.store.connection
            named = {
                pair: connection.execute("SELECT key FROM pair WHERE id = ?", (pair,)).fetchone()[0]
                for pair in set(pairs)
            }
        return [f"{named[pair]}/{turn}" for pair, turn in zip(pairs, turns, strict=True)]

    def _row(self, item: int, key: str) -> Row:
        from core.adjudication.table import reasons_of

        table, tally = self._table, self._feed.tally
        _, _, category, question = tally.pair_table[tally.item_pair[item]].tolist()
        probability = float(table.probability[item])
        state = self._states.get(item, State.WAITING)
        return Row(
            key,
            tally.questions[question],
            tally.categories[category],
            int(tally.item_turn[item]),
            reasons_of(int(table.reasons[item])),
            State.REFUSED if self._refused()[item] else state,
            tuple(sorted((n for n in table.opinions[item].tolist() if n), reverse=True)),
            float(table.on_ranking[item]),
            float(table.on_agreement[item]),
            None if probability != probability else probability,
            self._rulings.get(item, 0),
        )


def _entropy(counts: Any) -> Any:
    """How evenly opinions spread over the outcomes, in bits, shape (items,)."""
    import numpy as np

    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return -(share * np.log2(np.where(share > 0, share, 1))).sum(axis=1)


def _codes(choices: Any) -> Longs:
    import numpy as np

    return np.array([_CODES[each] for each in choices], np.int64)


def _number(seed: str) -> int:
    """The study's seed as the random sample takes it."""
    digest = hashlib.sha256(f"ruling sample\x1f{seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big")

"""Counts in memory, fed from append-only logs: what every statistic reads.

Whoever reads the logs hands over the new rows only, and asks for the watermarks
(:attr:`Tally.last_vote_seq`, :attr:`Tally.last_verdict_seq`) to know where to go on. A row is
counted once when it comes, and uncounted once when a later row supersedes it; nothing is ever
counted over again, so that catching up costs what is new, not what there is.

An item is a pair and a turn: what one vote is about. Items, models, annotators and judges are
numbered densely in order of appearance; the arrays below are indexed by those numbers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.baselines import Counts
from core.panels import Panel
from core.records import Score
from core.stats.background import Background
from core.stats.beside import BaselineWords, FailureNames
from core.stats.cast_order import CastOrder
from core.stats.cells import Cells
from core.stats.census import Followed, FollowedByFilter
from core.stats.growing import Growing
from core.stats.journal import Journal
from core.stats.log import IntArray, Log, Names, Raters, blocks, check_range
from core.stats.memo import Memo
from core.stats.rulings import Rulings
from core.stats.standing import ByItem, ItemsOfPairs, Standing
from core.stats.vote_times import VoteTimes

WITHDRAWN: Final = 0
MODEL_1, MODEL_2, TIE, BOTH_BAD = 1, 2, 3, 4
"""Choice codes, in model space. In a verdict row, 0 stands for a failure."""

CANNOT_JUDGE: Final = 5
"""In a vote row: no outcome was given. It counts as no vote, and is counted apart."""

CHOICES: Final = 4
COUNTED_LEFT, COUNTED_RIGHT = CHOICES, CHOICES + 1
"""Columns of a count table after the four choices: decisive votes by the side they went to."""

REPEAT: Final = 10
"""What a vote row's choice code has more for each time that its pair was repeated: the last digit
is the choice, what stands before it the number of the marked repeat."""

_COLUMNS = CHOICES + 2
_TURN_BITS = 16
_VOTE_WIDTH, _VERDICT_WIDTH = 7, 8


@dataclass(frozen=True, slots=True)
class Votes:
    """Columns of some rows of the log of votes: seq, item, annotator and choice."""

    seq: IntArray
    item: NDArray[Any]
    annotator: NDArray[Any]
    choice: NDArray[Any]


class Tally:
    """Votes and verdicts, counted as they come.

    Feed pairs, annotators and judges before the votes and verdicts that name them.

    Attributes:
        panels: the study's panels; whoever feeds the tally replaces them.
        scores: what models have on automatic benchmarks; the same.
        failures: why calls failed.
        baselines: what judges that need no model say.
        background: what is known of answers and judges besides; fed apart.
        memo: what statistics keep, but for :meth:`followed`.
        rulings: what leads decided; told by :meth:`add_rulings`.
        unmasked: item and lead's annotator number of every case whose names its lead has seen;
            told by :meth:`tell_unmasked`.
        times: when votes were cast, as far as somebody asked for it; fed apart.
    """

    def __init__(self) -> None:
        self.background = Background()
        self._journal = Journal()
        self._followed = FollowedByFilter(self._journal)
        self.memo = Memo()
        self._revoked = Growing(np.int64)
        self._pair_number: dict[int, int] = {}
        self._item_number: dict[int, int] = {}
        self._models, self._categories, self._questions = Names(), Names(), Names()
        self._pairs = Growing(np.int32, 4)
        self._probabilities = Growing(np.float64)
        self._pair_ids = Growing(np.int64)
        self._items = Growing(np.int32, 2)
        self._items_of = ItemsOfPairs()
        self._questions_told: tuple[str, ...] = ()
        self._unequal: bool | None = False
        self._annotators, self._judges = Raters(), Raters()
        self._votes, self._verdicts, self._repeats = Log(), Log(), Log()
        self._declined = Growing(np.bool_)  # by row of the vote log
        self._ever_declined = Growing(np.int64)
        self._all_counts = Growing(np.int32, _COLUMNS)
        self._group_counts: dict[str, Growing] = {}
        self._standing = Standing()
        self._cells = Cells(self._verdicts, self._journal)
        self._votes_on, self._verdicts_on = ByItem(self._votes), ByItem(self._verdicts)
        self.panels: tuple[Panel, ...] = ()
        self.scores: tuple[Score, ...] = ()
        self.failures = FailureNames()
        self.baselines = BaselineWords(self._journal)
        self.rulings = Rulings()
        self.unmasked: frozenset[tuple[int, int]] = frozenset()
        self.times = VoteTimes()
        self._cast = CastOrder(self._votes, self.times)

    # --- what there is -----------------------------------------------------------------

    @property
    def last_vote_seq(self) -> int:
        """Watermark: the seq of the last vote row taken; 0 before the first."""
        return self._votes.last_seq

    @property
    def last_verdict_seq(self) -> int:
        """Watermark: the seq of the last verdict row taken; 0 before the first."""
        return self._verdicts.last_seq

    @property
    def models(self) -> tuple[str, ...]:
        """Model names by model number."""
        return tuple(name or "" for name in self._models.texts)

    @property
    def categories(self) -> tuple[str | None, ...]:
        """Category names by category number; None for questions without one."""
        return tuple(self._categories.texts)

    @property
    def questions(self) -> tuple[str, ...]:
        """Question keys by question number."""
        if len(self._questions_told) != len(self._questions.texts):
            self._questions_told = tuple(key or "" for key in self._questions.texts)
        return self._questions_told

    @property
    def annotators(self) -> tuple[str, ...]:
        """Annotators' names by annotator number."""
        return tuple(self._annotators.names)

    @property
    def annotator_groups(self) -> tuple[str, ...]:
        """Annotators' groups by annotator number."""
        return tuple(self._annotators.words)

    @property
    def judges(self) -> tuple[str, ...]:
        """Judges' names by judge number; a name that occurs twice carries its id."""
        names, ids = self._judges.names, list(self._judges.number)
        return tuple(
            f"{name} #{ids[number]}" if names.count(name) > 1 else name
            for number, name in enumerate(names)
        )

    @property
    def judge_kinds(self) -> tuple[str, ...]:
        """Judges' kinds by judge number."""
        return tuple(self._judges.words)

    @property
    def item_pair(self) -> NDArray[np.int32]:
        """Pair number by item, shape (items,)."""
        return self._items.rows[:, 0]

    @property
    def item_turn(self) -> NDArray[np.int32]:
        """Turn by item, shape (items,); 0 is the whole conversation."""
        return self._items.rows[:, 1]

    @property
    def pair_table(self) -> NDArray[np.int32]:
        """By pair number: model_1, model_2, category, question; shape (pairs, 4)."""
        return self._pairs.rows

    @property
    def pair_probability(self) -> NDArray[np.float64]:
        """With what probability each pair is in the queue: 0 none on record, below 0 unknown."""
        self._probabilities.grow_to(len(self._pairs))
        return self._probabilities.rows

    @property
    def votes(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Item, annotator and choice (1–4) of every vote that counts, in order of seq."""
        log, counts = self._votes, self._votes.counts.rows
        return log.item.rows[counts], log.rater.rows[counts], log.choice.rows[counts]

    def votes_from(self, seq: int) -> Votes:
        """The votes that count among those after a seq."""
        log = self._votes
        start = int(np.searchsorted(log.seq.rows, seq, "right"))
        return self._votes_in(start + np.flatnonzero(log.counts.rows[start:]))

    def votes_lost(self, since: int, until: int) -> Votes:
        """The votes up to a seq that counted and do not any more.

        Args:
            since: the number of :attr:`revocations` when they counted.
            until: the seq.
        """
        log = self._votes
        seqs = np.unique(self._revoked.rows[since:])
        rows = np.searchsorted(log.seq.rows, seqs[seqs <= until])
        return self._votes_in(rows[~log.counts.rows[rows]])

    def _votes_in(self, rows: IntArray) -> Votes:
        log = self._votes
        return Votes(*(each.rows[rows] for each in (log.seq, log.item, log.rater, log.choice)))

    @property
    def mark(self) -> int:
        """The moment, to be handed to :meth:`changed_since` later."""
        return self._journal.mark

    def changed_since(self, mark: int) -> IntArray | None:
        """The items on which anything was said or taken back since; None if not known any more.

        Good for the :attr:`epoch` in which the mark was taken.
        """
        return self._journal.since(mark)

    @property
    def epoch(self) -> int:
        """Moves when something changed that is known of pairs, and not only votes came."""
        return self._journal.epoch

    @property
    def revocations(self) -> int:
        """How many votes that had been counted changed: were superseded, or changed group."""
        return len(self._revoked)

    @property
    def cast(self) -> CastOrder:
        """In what order the rows of the log of votes were cast."""
        self._cast.catch_up()
        return self._cast

    def votes_cast(self, place: int = 0) -> tuple[Votes, IntArray]:
        """The votes that count from a place of :attr:`cast` on, in that order, and their places."""
        rows = self.cast.rows_from(place)
        counting = np.flatnonzero(self._votes.counts.rows[rows])
        return self._votes_in(rows[counting]), place + counting

    def first_recast(self, revocations: int, moves: int) -> int | None:
        """The lowest place of :attr:`cast` at which votes are not what they were; None if none.

        Args:
            revocations: the number of :attr:`revocations` then.
            moves: that of :attr:`CastOrder.moves`.
        """
        places = [self.cast.first_moved(moves)]
        revoked = self._revoked.rows[revocations:]
        if len(revoked):
            places.append(self.cast.first_place(np.searchsorted(self._votes.seq.rows, revoked)))
        return min((place for place in places if place is not None), default=None)

    @property
    def vote_seqs(self) -> IntArray:
        """The seqs of :attr:`votes`."""
        seq: IntArray = self._votes.seq.rows[self._votes.counts.rows]
        return seq

    @property
    def cannot_judge(self) -> Votes:
        """Every standing word that somebody cannot judge; costs no look at the votes."""
        rows = self._ever_declined.rows
        return self._votes_in(rows[self._declined.rows[rows]])

    @property
    def vote_sides(self) -> NDArray[Any]:
        """Which model stood left (1 or 2) for each of :attr:`votes`; 0 where it is not known."""
        left: NDArray[Any] = self._votes.left.rows[self._votes.counts.rows]
        return left

    @property
    def repeats(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Item, annotator, choice (1–4) and side of every marked repeat that counts.

        They say how steady an annotator is, and are in no other number.
        """
        log, counts = self._repeats, self._repeats.counts.rows
        columns = log.item, log.rater, log.choice, log.left
        item, rater, choice, left = (column.rows[counts] for column in columns)
        return item, rater, choice, left

    @property
    def repeat_seqs(self) -> IntArray:
        """The seqs of :attr:`repeats`."""
        seq: IntArray = self._repeats.seq.rows[self._repeats.counts.rows]
        return seq

    def vote_counts(self, group: str | None = None) -> NDArray[np.int32]:
        """Votes per item, shape (items, 6): the four choices, then decisive left and right.

        A decisive vote whose side nobody recorded is in neither of the last two columns.

        Args:
            group: only votes of annotators in this group; None for all.
        """
        table = self._all_counts if group is None else self._group_counts.get(group)
        if table is None:
            return np.zeros((len(self._items), _COLUMNS), np.int32)
        table.grow_to(len(self._items))
        return table.rows

    def judge_cells(self, judge: int) -> NDArray[np.int8]:
        """One judge's words per item, shape (items, 3): reported, model_1 left, model_2 left.

        A cell holds ``ABSENT``, ``FAILED`` (see :mod:`core.stats.cells`), or a choice + 1.
        Repeat 0 is the judge's word; further repeats measure the judge against itself and are
        not in here. Where a cell was said twice and neither row supersedes the other, the later
        one stands.
        """
        return self._cells.of(judge, len(self._items))

    def votes_on(self, items: IntArray) -> dict[str, NDArray[Any]]:
        """Columns of the votes that count on some items, in order of seq; costs no look at others.

        ``place`` (of the item among these), ``seq``, ``rater`` (annotator number), ``choice``,
        ``left``.
        """
        return self._votes_on.on(items)

    def verdicts_on(self, items: IntArray) -> dict[str, NDArray[Any]]:
        """The same of the verdicts that count; see :attr:`verdicts`."""
        return self._verdicts_on.on(items)

    @property
    def verdicts(self) -> dict[str, NDArray[Any]]:
        """Columns of every verdict that counts, in order of seq, repeats and failures included.

        ``seq``, ``item``, ``rater`` (judge number), ``choice`` (0: failed), ``left``, ``repeat``.
        """
        log = self._verdicts
        names = ("seq", "item", "rater", "choice", "left", "repeat")
        return {name: getattr(log, name).rows[log.counts.rows] for name in names}

    def without_baselines(self, judged_until: int, *, again: bool) -> IntArray:
        """Items judged after a watermark of verdicts that baselines have no word on yet.

        Args:
            again: with those whose answers were not known when they were looked at.
        """
        log = self._verdicts
        fresh = log.item.rows[np.searchsorted(log.seq.rows, judged_until, "right") :]
        wanted = self.baselines.wanted(fresh)
        return np.union1d(wanted, self.baselines.look_again()) if again else wanted

    def tell_baselines(
        self,
        items: IntArray,
        answers: Sequence[tuple[int, int, int]],
        counts: Mapping[int, Counts],
    ) -> None:
        """Take what baselines count in the answers of some items; see :class:`BaselineWords`."""
        on = self.pair_ids(items), self.item_turn[items]
        self.baselines.compare(items, on, answers, counts)

    def pair_ids(self, items: NDArray[Any]) -> NDArray[np.int64]:
        """The ids under which the pairs of these items were told."""
        return np.asarray(self._pair_ids.rows[self.item_pair[items]])

    def find_items(self, places: Iterable[tuple[int, int]]) -> list[int]:
        """The items of pairs and turns, given as (pair_id, turn); -1 where nothing was said."""
        numbers = self._item_number
        return [numbers.get(pair << _TURN_BITS | turn, -1) for pair, turn in places]

    def places_of(self, items: Sequence[int]) -> list[tuple[int, int]]:
        """The pairs and turns of some items, as (pair_id, turn)."""
        wanted = np.array(items, np.int64)
        turns = self.item_turn[wanted].tolist()
        return list(zip(self.pair_ids(wanted).tolist(), turns, strict=True))

    def verdict_calls(self, judge: int) -> tuple[int, int]:
        """How many calls of one judge count: (with a choice, failed), repeats included."""
        judges, standing = len(self._judges.names), self._standing
        return int(standing.verdicts.rows(judges)[judge]), int(
            standing.failures.rows(judges)[judge]
        )

    def was_asked_again(self, judge: int) -> bool:
        """Whether a verdict of one judge counts that is not its first."""
        return bool(self._standing.repeats.rows(len(self._judges.names))[judge])

    def gave_both_orders(self, judge: int) -> bool:
        """Whether one judge has a first word, or a failure, in both orders of some item."""
        return self._cells.has_both_orders(judge)

    @property
    def votes_standing(self) -> IntArray:
        """Votes that count, by annotator number."""
        return self._standing.votes.rows(len(self._annotators.names))

    @property
    def verdicts_standing(self) -> int:
        """Verdicts and failures that count, repeats included."""
        judges, standing = len(self._judges.names), self._standing
        return int(standing.verdicts.rows(judges).sum() + standing.failures.rows(judges).sum())

    @property
    def declined_standing(self) -> IntArray:
        """Standing words that somebody cannot judge, by annotator number."""
        return self._standing.declined.rows(len(self._annotators.names))

    def has_votes(self, group: str) -> bool:
        """Whether a vote of this group counts."""
        return self._standing.groups.get(group, 0) > 0

    @property
    def sampled_unequally(self) -> bool:
        """Whether pairs are on record with different or unknown chances of being in the queue."""
        if self._unequal is None:
            known = self.pair_probability
            known = known[known != 0]
            self._unequal = bool(known.size) and bool(known.min() != known.max() or known[0] < 0)
        return self._unequal

    def items_of_pairs(self, pairs: IntArray) -> tuple[IntArray, IntArray]:
        """Every item of some pair numbers, and the place of its pair among these."""
        return self._items_of.of(pairs)

    def followed(self, chosen: Hashable) -> Followed:
        """What is kept of the votes that a filter chooses; of all where it is None."""
        return self._followed.of(chosen)

    # --- feeding -----------------------------------------------------------------------

    def add_pairs(self, rows: Iterable[tuple[int, str, str | None, str, str]]) -> None:
        """Take pairs: (pair_id, question_key, category, model_1, model_2).

        A pair told again replaces what was told before (a category may be corrected).
        """
        fresh: list[tuple[int, int, int, int]] = []
        ids: list[int] = []
        for pair_id, question, category, model_1, model_2 in rows:
            entry = (
                self._models.number(model_1),
                self._models.number(model_2),
                self._categories.number(category),
                self._questions.number(question),
            )
            known = self._pair_number.setdefault(pair_id, len(self._pair_number))
            stored = len(self._pairs)
            if known < stored:
                if tuple(self._pairs.rows[known].tolist()) != entry:
                    self._journal.note_everything()
                self._pairs.rows[known] = entry
            elif known - stored < len(fresh):
                fresh[known - stored] = entry
            else:
                fresh.append(entry)
                ids.append(pair_id)
        if fresh:
            self._pairs.extend(np.array(fresh, np.int32))
            self._pair_ids.extend(np.array(ids, np.int64))

    def set_probabilities(self, rows: Iterable[tuple[int, float]]) -> None:
        """Take with what probability pairs came into the queue: (pair_id, probability).

        A pair told again replaces what was told before.
        """
        told = self.pair_probability
        self._unequal = None
        for pair_id, probability in rows:
            told[self._pair_number[pair_id]] = probability

    def add_annotators(self, rows: Iterable[tuple[int, str, str]]) -> None:
        """Take annotators: (annotator_id, name, group). Told again, their votes change group."""
        told = self._annotators
        for annotator_id, name, group in rows:
            number = told.number.setdefault(annotator_id, len(told.names))
            if number == len(told.names):
                told.names.append(name)
                told.words.append(group)
            elif told.words[number] != group:
                self._move_group(number, group)
            told.names[number] = name

    def add_judges(self, rows: Iterable[tuple[int, str, str]]) -> None:
        """Take judges: (judge_id, name, kind)."""
        told = self._judges
        for judge_id, name, kind in rows:
            number = told.number.setdefault(judge_id, len(told.names))
            if number == len(told.names):
                told.names.append(name)
                told.words.append(kind)
                self._cells.add_judge()
            told.names[number], told.words[number] = name, kind

    def add_votes(self, rows: Iterable[tuple[int, int, int, int, int, int, int]]) -> None:
        """Take votes: (seq, pair_id, turn, annotator_id, choice, left, superseded_seq).

        ``choice`` 0 withdraws the vote it supersedes, 5 says that the annotator cannot judge;
        ``left`` 0 is unknown; a ``superseded_seq`` of 0 supersedes nothing. Two votes of one
        annotator on one item both count unless one supersedes the other, or is a marked repeat
        (:data:`REPEAT`).

        Raises:
            ValueError: if rows come out of order or name something unknown. Rows before the
                faulty block are taken; the watermark says how far.
        """
        log = self._votes
        for seq, pair, turn, annotator, code, left, target in blocks(rows, _VOTE_WIDTH):
            repeat, choice = np.divmod(code, REPEAT)
            check_range("choice", choice, WITHDRAWN, CANNOT_JUDGE)
            check_range("left", left, 0, 2)
            gone = log.superseded(seq, target)
            raters = self._annotators.numbers(annotator, "annotator")
            items = self._number_items(pair, turn)
            start = len(log.seq)
            log.append(seq=seq, item=items, rater=raters, choice=choice, left=left)
            log.counts.extend((choice != WITHDRAWN) & (choice != CANNOT_JUDGE) & (repeat == 0))
            self._decline(raters, (choice == CANNOT_JUDGE) & (repeat == 0), gone)
            before = gone[gone < start]
            revoked = before[log.counts.rows[before]]
            self._count(revoked, -1)
            self._revoke(revoked)
            log.counts.rows[gone] = False
            self._count(start + np.flatnonzero(log.counts.rows[start:]), 1)
            self._keep_repeats(start + np.flatnonzero(repeat), log.seq.rows[gone])

    def add_verdicts(self, rows: Iterable[tuple[int, int, int, int, int, int, int, int]]) -> None:
        """Take verdicts: (seq, pair_id, turn, judge_id, choice, left, repeat, superseded_seq).

        ``choice`` 0 is a failure; ``left`` 0 is a verdict reported without its orders.

        Raises:
            ValueError: as for :meth:`add_votes`.
        """
        log = self._verdicts
        for seq, pair, turn, judge, choice, left, repeat, target in blocks(rows, _VERDICT_WIDTH):
            check_range("choice", choice, WITHDRAWN, BOTH_BAD)
            check_range("left", left, 0, 2)
            gone = log.superseded(seq, target)
            raters = self._judges.numbers(judge, "judge")
            items = self._number_items(pair, turn)
            start = len(log.seq)
            log.append(seq=seq, item=items, rater=raters, choice=choice, left=left, repeat=repeat)
            log.counts.extend(np.ones(len(seq), np.bool_))
            self._standing.judged(raters, choice, repeat, 1)
            lost = gone[log.counts.rows[gone]]
            gone_by, said, again = (each.rows[lost] for each in (log.rater, log.choice, log.repeat))
            self._standing.judged(gone_by, said, again, -1)
            log.counts.rows[gone] = False
            self._cells.write(gone[gone < start], clear=True)
            self._cells.write(start + np.flatnonzero(log.counts.rows[start:]))
            self._cells.restore(gone[gone < start])

    def tell_unmasked(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """Take which leads saw the names of which cases: (pair_id, turn, lead's annotator_id)."""
        told = list(rows)
        items = self.find_items([(pair, turn) for pair, turn, _ in told])
        leads = self._annotators.number
        known = zip(items, told, strict=True)
        self.unmasked = frozenset((item, leads[row[2]]) for item, row in known if item >= 0)

    def add_rulings(
        self,
        rows: Iterable[tuple[int, int, int, int, int, int, int, float | None, str, str, int, int]],
    ) -> None:
        """Take rulings: one row of :meth:`Rulings.add` each, with pair_id and turn for the item.

        (seq, pair_id, turn, lead's annotator_id, stage, choice, left, probability, reason, at,
        superseded_seq, final). Few are made, and each by hand: they are taken one by one.

        Raises:
            ValueError: if rows come out of order or name something unknown.
        """
        for row in rows:
            pair, turn, lead = (np.array([each], np.int64) for each in row[1:4])
            item = self._number_items(pair, turn)[0]
            number = self._annotators.numbers(lead, "annotator")[0]
            self._journal.note(np.array([item]))
            self.rulings.add((row[0], int(item), int(number), *row[4:]))

    def _decline(self, raters: IntArray, declined: NDArray[np.bool_], gone: IntArray) -> None:
        """Take who cannot judge among new vote rows, and take back what they supersede."""
        rows = self._declined
        self._ever_declined.extend(len(rows) + np.flatnonzero(declined))
        rows.extend(declined)
        self._standing.declined.add(raters[declined], 1)
        lost = gone[rows.rows[gone]]
        self._standing.declined.add(self._votes.rater.rows[lost], -1)
        rows.rows[lost] = False

    def _keep_repeats(self, rows: IntArray, gone: IntArray) -> None:
        """Take the repeats among new vote rows to a log of their own.

        Args:
            rows: row numbers in the log of votes.
            gone: seqs of the votes that new rows supersede.
        """
        votes, log = self._votes, self._repeats
        choice = votes.choice.rows[rows]
        log.append(
            seq=votes.seq.rows[rows],
            item=votes.item.rows[rows],
            rater=votes.rater.rows[rows],
            choice=choice,
            left=votes.left.rows[rows],
            counts=(choice != WITHDRAWN) & (choice != CANNOT_JUDGE),
        )
        places = np.searchsorted(log.seq.rows, gone)
        inside = places < len(log.seq)
        places, gone = places[inside], gone[inside]
        log.counts.rows[places[log.seq.rows[places] == gone]] = False

    # --- counting ----------------------------------------------------------------------

    def _number_items(self, pair: IntArray, turn: IntArray) -> IntArray:
        check_range("turn", turn, 0, (1 << _TURN_BITS) - 1)
        keys, inverse = np.unique((pair << _TURN_BITS) | turn, return_inverse=True)
        numbers = self._item_number
        fresh = [key for key in keys.tolist() if key not in numbers]
        try:
            entries = [
                (self._pair_number[key >> _TURN_BITS], key & ((1 << _TURN_BITS) - 1))
                for key in fresh
            ]
        except KeyError as unknown:
            raise ValueError(f"pair {unknown.args[0]} is not known to the tally") from None
        for key in fresh:
            numbers[key] = len(numbers)
        if entries:
            fresh_items = np.array(entries, np.int32)
            self._items.extend(fresh_items)
            self._items_of.add(fresh_items[:, 0])
            self._journal.note(np.arange(len(numbers) - len(entries), len(numbers)))
        return np.array([numbers[key] for key in keys.tolist()], np.int64)[inverse]

    def _count(self, rows: IntArray, by: int) -> None:
        """Add ``by`` to the counts of these vote rows, in all and in their groups."""
        if not rows.size:
            return
        log = self._votes
        choice, left = log.choice.rows[rows], log.left.rows[rows]
        base = log.item.rows[rows].astype(np.int64) * _COLUMNS
        sided = np.flatnonzero((left > 0) & (choice <= MODEL_2))
        side = np.where(choice[sided] == left[sided], COUNTED_LEFT, COUNTED_RIGHT)
        cells = np.concatenate([base + choice - 1, base[sided] + side])
        raters = log.rater.rows[rows]
        self._journal.note(np.unique(log.item.rows[rows]))
        self._standing.votes.add(raters, by)
        raters = np.concatenate([raters, raters[sided]])
        self._all_counts.grow_to(len(self._items))
        np.add.at(self._all_counts.flat, cells, np.int32(by))
        present = np.unique(raters).tolist()
        for group in {self._annotators.words[rater] for rater in present}:
            members = [rater for rater in present if self._annotators.words[rater] == group]
            mine = cells if len(members) == len(present) else cells[np.isin(raters, members)]
            self._add_to_group(group, mine, by)

    def _add_to_group(self, group: str, cells: IntArray, by: int) -> None:
        table = self._group_counts.setdefault(group, Growing(np.int32, _COLUMNS))
        self._standing.groups[group] = self._standing.groups.get(group, 0) + by * len(cells)
        table.grow_to(len(self._items))
        np.add.at(table.flat, cells, np.int32(by))

    def _revoke(self, rows: IntArray) -> None:
        if rows.size:
            self._revoked.extend(self._votes.seq.rows[rows])

    def _move_group(self, annotator: int, group: str) -> None:
        log = self._votes
        rows = np.flatnonzero(log.counts.rows & (log.rater.rows == annotator))
        self._count(rows, -1)
        self._annotators.words[annotator] = group
        self._count(rows, 1)
        self._revoke(rows)

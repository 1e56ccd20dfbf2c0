"""What the floor knows of each annotator, kept in step with the vote log row by row.

Taking a row costs what its pair has votes, never what the log has. Of each pair one vote says
how somebody votes: that on its first turn, or on the whole conversation, because the votes on
further turns of one pair depend on each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

FIRST_TURN = 1
"""Votes on this turn, and on the whole conversation (0), say how somebody votes."""

PAIRS_FOR_PACE = 20
"""The last pairs whose median is the pace."""

_LEAST_FOR_PACE = 3
"""Timed pairs below which a pace would be a guess."""


class Row(NamedTuple):
    """One row of the vote log.

    Attributes:
        choice: 1–4 in model space, 0 for a withdrawal, 5 for the word that nobody can judge.
        seen: 1–4 as cast: left, right, tie, both bad; 0 where nobody recorded it.
        seconds: active; None where nobody recorded them.
        at: seconds since the epoch; None where it is not known.
        day: any number that names the lead's calendar day; 0 where it is not known.
    """

    seq: int
    annotator: int
    pair: int
    turn: int
    repeat: int
    choice: int
    seen: int
    seconds: float | None
    at: float | None
    day: int
    flagged: bool


@dataclass(slots=True)
class _Said:
    """What stands on one turn of a pair, with the seconds of all that was said on it before."""

    choice: int
    seen: int
    seconds: float | None
    day: int
    flagged: bool


@dataclass(slots=True)
class Agreed:
    """How one annotator's first-turn votes agree with the others' on the same pairs.

    Attributes:
        items: pairs that somebody else voted on too.
        share: the sum over them of the share of the others who said the same.
        squares: the sum of the squares of these shares.
        same: comparisons with one other vote that agree, of ``compared``.
    """

    items: int = 0
    share: float = 0.0
    squares: float = 0.0
    same: int = 0
    compared: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """One annotator in numbers; all shares are over pairs.

    Attributes:
        seen: first-turn votes by what was cast: left, right, tie, both bad.
        every: votes of all turns, likewise.
        runs: how many stretches of one and the same choice the sequence of these has.
        longest: the longest such stretch, in pairs.
        longest_of: what it is of (1–4); 0 where there is none.
        timed: pairs whose texts and active seconds are known, of which ``quick`` took less
            time than reading both answers does.
        speed: the median of words shown per active minute, over the timed pairs.
        repeats: marked repeats whose first vote stands, of which ``same`` say the same.
        pace: median active seconds of the last pairs; None below three timed pairs.
    """

    seen: tuple[int, int, int, int] = (0, 0, 0, 0)
    runs: int = 0
    longest: int = 0
    longest_of: int = 0
    timed: int = 0
    quick: int = 0
    speed: float | None = None
    repeats: int = 0
    same: int = 0
    pace: float | None = None
    agreed: Agreed = field(default_factory=Agreed)
    every: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(slots=True)
class _Person:
    units: dict[tuple[int, int], dict[int, _Said]] = field(default_factory=dict)
    days: Counter[int] = field(default_factory=Counter)
    agreed: Agreed = field(default_factory=Agreed)
    votes: int = 0
    declined: int = 0
    flags: int = 0
    last_at: float = 0.0
    counts: Counts | None = None


class FloorLog:
    """The votes of everybody, as far as the floor needs them.

    Args:
        words_per_minute: above it nobody reads.
        strangers: annotators who are nobody's peers: their votes are compared with no one's.
        keep: seconds for which the time of each finished pair is remembered.
    """

    def __init__(
        self,
        words_per_minute: float,
        strangers: frozenset[int] = frozenset(),
        *,
        keep: float = 3600.0,
    ) -> None:
        self.last_seq = 0
        self.strangers = strangers
        self._words_per_minute = words_per_minute
        self._keep = keep
        self._words: dict[int, tuple[int, ...]] = {}
        self._people: dict[int, _Person] = {}
        self._items: dict[tuple[int, int], dict[int, int]] = {}
        self._finished: dict[tuple[int, int], float] = {}

    # ── feeding ─────────────────────────────────────────────────────────────

    def knows(self, pair: int) -> bool:
        """Whether the words of a pair were told."""
        return pair in self._words

    def add_pair(self, pair: int, words: Sequence[int]) -> None:
        """Tell a pair's words before its votes: of both answers, turn by turn; none if unknown."""
        self._words[pair] = tuple(words)

    def add(self, row: Row) -> None:
        """Take the next row: what it says stands in the place of what was said before.

        Raises:
            ValueError: if rows come out of order, or the pair was not told.
        """
        if row.seq <= self.last_seq:
            raise ValueError(f"row {row.seq} comes after row {self.last_seq}")
        if row.pair not in self._words:
            raise ValueError(f"pair {row.pair} was not told")
        self.last_seq = row.seq
        person = self._people.setdefault(row.annotator, _Person())
        key = (row.pair, row.repeat)
        unit = person.units.setdefault(key, {})
        before = unit.get(row.turn)
        was_finished = self._is_finished(row.pair, unit)
        if before is not None:
            self._count(person, before, -1)
        seconds = None if before is None else before.seconds
        if row.seconds is not None:
            seconds = (seconds or 0.0) + row.seconds
        # A withdrawal keeps its place: what is said next is said on the same look at the pair.
        unit[row.turn] = _Said(row.choice, row.seen, seconds, row.day, row.flagged)
        self._count(person, unit[row.turn], 1)
        person.counts = None
        person.last_at = max(person.last_at, row.at or 0.0)
        if row.repeat:
            return
        if row.turn <= FIRST_TURN and row.annotator not in self.strangers:
            voted = row.choice if _is_vote(row.choice) else 0
            self._compare((row.pair, row.turn), row.annotator, voted)
        if was_finished != self._is_finished(row.pair, unit):
            self._note_finished((row.annotator, row.pair), None if was_finished else row.at)

    def _is_finished(self, pair: int, unit: Mapping[int, _Said]) -> bool:
        """Whether a vote stands on every turn that a pair has."""
        standing = [turn for turn, said in unit.items() if _is_vote(said.choice)]
        return 0 in standing or len(standing) >= max(1, len(self._words[pair]))

    def _note_finished(self, key: tuple[int, int], at: float | None) -> None:
        """Remember when a pair was finished (None: it is not any more), and forget what is old."""
        self._finished.pop(key, None)
        if at is None:
            return
        self._finished[key] = at
        while self._finished[oldest := next(iter(self._finished))] < at - self._keep:
            del self._finished[oldest]

    @staticmethod
    def _count(person: _Person, said: _Said, by: int) -> None:
        if _is_vote(said.choice):
            person.votes += by
            person.days[said.day] += by
            person.flags += by * said.flagged
        elif said.choice:
            person.declined += by

    def _compare(self, item: tuple[int, int], annotator: int, choice: int) -> None:
        """Let an annotator say something (0: nothing any more) on an item."""
        said = self._items.setdefault(item, {})
        if said.get(annotator, 0) == choice:
            return
        self._weigh(said, -1)
        if choice:
            said[annotator] = choice
        else:
            said.pop(annotator, None)
        self._weigh(said, 1)

    def _weigh(self, said: dict[int, int], by: int) -> None:
        """Add what an item's votes say of each other, or take it away."""
        others = len(said) - 1
        if others < 1:
            return
        sizes = Counter(said.values())
        for annotator, choice in said.items():
            same = sizes[choice] - 1
            agreed = self._people[annotator].agreed
            agreed.items += by
            agreed.share += by * same / others
            agreed.squares += by * (same / others) ** 2
            agreed.same += by * same
            agreed.compared += by * others

    # ── what there is ───────────────────────────────────────────────────────

    @property
    def people(self) -> list[int]:
        """Everybody with a row, in order of their first."""
        return list(self._people)

    def counts(self, annotator: int) -> Counts:
        """One annotator in numbers; counted again only after a row of theirs."""
        person = self._people.get(annotator)
        if person is None:
            return Counts()
        if person.counts is None:
            person.counts = self._counted(person)
        return person.counts

    def votes(self, annotator: int, day: int | None = None) -> int:
        """How many votes of an annotator stand, in all or of one day."""
        person = self._people.get(annotator, _NOBODY)
        return person.votes if day is None else person.days[day]

    def declined(self, annotator: int) -> int:
        """On how many turns an annotator said that they cannot judge."""
        return self._people.get(annotator, _NOBODY).declined

    def flags(self, annotator: int) -> int:
        """How many votes of an annotator carry a flag to the lead."""
        return self._people.get(annotator, _NOBODY).flags

    def last_at(self, annotator: int) -> float | None:
        """When an annotator last said something, in seconds since the epoch."""
        return self._people.get(annotator, _NOBODY).last_at or None

    def finished_since(self, moment: float) -> list[float]:
        """When pairs were finished, repeats left out, from a moment on; oldest first."""
        return sorted(at for at in self._finished.values() if at >= moment)

    def _counted(self, person: _Person) -> Counts:
        sequence: list[int] = []
        every: Counter[int] = Counter()
        speeds: list[float] = []
        paces: list[float] = []
        repeats = same = 0
        for (pair, repeat), unit in person.units.items():
            standing = {turn: said for turn, said in unit.items() if _is_vote(said.choice)}
            if not standing:
                continue
            every.update(said.seen for said in standing.values())
            first = standing.get(0) or standing.get(FIRST_TURN)
            if first is not None and first.seen:
                sequence.append(first.seen)
            took = [said.seconds for said in standing.values()]
            known = [seconds for seconds in took if seconds is not None]
            if len(known) == len(took):
                paces.append(sum(known))
                words = self._shown(pair, standing)
                if words:
                    speeds.append(60 * words / max(sum(known), 1e-3))
            if repeat:
                origin = person.units.get((pair, 0), {})
                both = [
                    (origin[turn].choice, said.choice)
                    for turn, said in standing.items()
                    if turn <= FIRST_TURN and turn in origin and _is_vote(origin[turn].choice)
                ]
                repeats += len(both)
                same += sum(one == other for one, other in both)
        length, of, runs = _stretches(sequence)
        recent = paces[-PAIRS_FOR_PACE:]
        left, right, tie, both_bad = (sequence.count(code) for code in (1, 2, 3, 4))
        return Counts(
            (left, right, tie, both_bad),
            runs,
            length,
            of,
            len(speeds),
            sum(speed > self._words_per_minute for speed in speeds),
            median(speeds) if speeds else None,
            repeats,
            same,
            median(recent) if len(recent) >= _LEAST_FOR_PACE else None,
            person.agreed,
            (every[1], every[2], every[3], every[4]),
        )

    def _shown(self, pair: int, turns: dict[int, _Said]) -> int:
        """Words of both answers on these turns; 0 where they are not known."""
        words = self._words[pair]
        if 0 in turns:
            return sum(words)
        return sum(words[turn - 1] for turn in turns if turn <= len(words))


_NOBODY = _Person()


def _is_vote(choice: int) -> bool:
    return 1 <= choice <= 4


def _stretches(sequence: Sequence[int]) -> tuple[int, int, int]:
    """The length of the longest stretch of one value, that value, and how many stretches."""
    longest = of = runs = length = 0
    for place, value in enumerate(sequence):
        length = length + 1 if place and sequence[place - 1] == value else 1
        runs += length == 1
        if length > longest:
            longest, of = length, value
    return longest, of, runs

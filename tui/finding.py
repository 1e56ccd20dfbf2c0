"""Searching the texts on a screen for what somebody typed, a little at a time."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

from core.text import displayable, one_line
from tui.rendering_source import Lines
from tui.rendering_wrap import expand_tabs

_BETWEEN_WORDS = "[*_~`]{0,3} {1,4}[*_~`]{0,3}"
"""What may stand where a space was typed: marks of Markdown are not seen by who reads."""


def pattern(needle: str) -> re.Pattern[str] | None:
    """What a typed text matches, as plain text; None if it is blank.

    Capitals match capitals only; a needle without any matches both.
    """
    shown = expand_tabs(displayable(needle)).replace("\n", " ")
    if not shown.strip():
        return None
    case = re.NOFLAG if any(map(str.isupper, shown)) else re.IGNORECASE
    return re.compile(_BETWEEN_WORDS.join(map(re.escape, re.split(" +", shown))), case)


@dataclass(frozen=True, slots=True)
class Match:
    """Where a match stands.

    Attributes:
        pane: the name of the text that it is in.
        line: the offset in the source at which its line begins.
        number: which match of its line it is, from 0.
        offset: about where in the source it begins; stand-ins shift it within its line.
    """

    pane: str
    line: int
    number: int
    offset: int


class Search:
    """All matches in one text, in order, as far as it was searched.

    The displayable source is searched line by line, so a match is what a reader could see.

    Attributes:
        complete: whether all of the text was searched.
        lines: how many lines were: a measure of work.
    """

    def __init__(self, text: str, wanted: re.Pattern[str]) -> None:
        self.complete = False
        self.lines = 0
        self._wanted = wanted
        self._reader = iter(Lines(text))
        self._line = -1
        self._matches_here = 0
        self._begins = array("Q")
        self._numbers = array("L")
        self._offsets = array("Q")

    def __len__(self) -> int:
        return len(self._offsets)

    def advance(self, budget: float) -> bool:
        """Search on.

        Args:
            budget: seconds; overrun by one line at most, which is never a long one.

        Returns:
            Whether all of the text is searched.
        """
        deadline = perf_counter() + budget
        while not self.complete and perf_counter() < deadline:
            self._step()
        return self.complete

    def match(self, pane: str, index: int) -> Match:
        """A match by its number among all, from 0."""
        return Match(pane, self._begins[index], self._numbers[index], self._offsets[index])

    def first_from(self, offset: int) -> int:
        """The number of the first match at or behind an offset of the source."""
        return bisect_left(self._offsets, offset)

    def _step(self) -> None:
        following = next(self._reader, None)
        if following is None:
            self.complete = True
            return
        self.lines += 1
        offset, line = following
        if offset != self._line:
            self._line, self._matches_here = offset, 0
        for match in self._wanted.finditer(line):
            self._begins.append(offset)
            self._numbers.append(self._matches_here)
            # Behind a lone CR a line goes on with the same offset: the order must hold.
            floor = self._offsets[-1] if self._offsets else 0
            self._offsets.append(max(floor, offset + match.start()))
            self._matches_here += 1


class Finding:
    """One needle in several texts, and the match one is at.

    Args:
        needle: as typed.
        texts: by pane, in the order in which matches follow each other.
    """

    def __init__(self, needle: str, texts: Mapping[str, str]) -> None:
        self.needle = needle
        self.pattern = pattern(needle)
        self.at: tuple[str, int] | None = None
        self._searches = {
            pane: Search(text, self.pattern) for pane, text in texts.items() if self.pattern
        }
        self._awaited: tuple[int, Mapping[str, int]] | None = None

    @property
    def complete(self) -> bool:
        """Whether all is searched."""
        return all(search.complete for search in self._searches.values())

    @property
    def total(self) -> int:
        """How many matches there are, as far as it is known."""
        return sum(map(len, self._searches.values()))

    @property
    def current(self) -> Match | None:
        """The match one is at."""
        return self._searches[self.at[0]].match(*self.at) if self.at else None

    def said(self) -> str:
        """The needle and the count, for a line: ``“word”: 3 of 17``, with ``…`` while it grows."""
        more = "" if self.complete else "…"
        return f"“{one_line(self.needle, 40)}”: {self.counted()}{more}"

    def counted(self) -> str:
        """The count alone."""
        if self.at is None:
            return f"{self.total or 'no'} found"
        number = self.at[1] + 1
        for pane, search in self._searches.items():
            if pane == self.at[0]:
                break
            number += len(search)
        return f"{number} of {self.total}"

    def counts(self) -> dict[str, int]:
        """How many matches each text has, as far as it is known; none where it has none."""
        return {pane: len(search) for pane, search in self._searches.items() if len(search)}

    def step(self, direction: int, places: Mapping[str, int]) -> bool:
        """Go to the next or the previous match, round the end.

        Args:
            direction: 1 or -1.
            places: where each text is read; the first step goes on from there.

        Returns:
            Whether there is one. False while it is not known yet which one it is: then
            :meth:`advance` goes there as soon as it is.
        """
        self._awaited = (direction, places)
        return self._settle()

    def advance(self, budget: float) -> bool:
        """Search on; whether a step that waited was taken."""
        for search in self._searches.values():
            if not search.complete:
                search.advance(budget)
                break
        return self._settle()

    def _settle(self) -> bool:
        if self._awaited is None:
            return False
        direction, places = self._awaited
        found = self._from_places(places) if self.at is None else self._beside(direction)
        if found is None:
            return False
        self._awaited = None
        self.at = found
        return True

    def _from_places(self, places: Mapping[str, int]) -> tuple[str, int] | None:
        """The first match from where the first text is read on; then the next text's."""
        for pane, search in self._searches.items():
            index = search.first_from(places[pane])
            if index < len(search):
                return pane, index
            if not search.complete:
                return None
        return next(((pane, 0) for pane, search in self._searches.items() if len(search)), None)

    def _beside(self, direction: int) -> tuple[str, int] | None:
        if self.at is None:
            return None
        pane, index = self.at[0], self.at[1] + direction
        panes = list(self._searches)
        for _ in range(len(panes) + 1):
            search = self._searches[pane]
            if 0 <= index < len(search):
                return pane, index
            if direction > 0 and not search.complete:
                return None
            pane = panes[(panes.index(pane) + direction) % len(panes)]
            if direction < 0:
                if not self._searches[pane].complete:
                    return None
                index = len(self._searches[pane]) - 1
            else:
                index = 0
        return None

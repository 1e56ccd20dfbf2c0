"""Which words of two answers the other has not, by line, worked out a little at a time."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from core.differences import Comparison, words
from tui.rendering_source import Lines

_WORDS_AT_A_TIME = 200


class Differences:
    """What differs between two texts.

    Attributes:
        complete: whether the work is done.
        too_long: whether the texts were too long to be compared.
        left, right: offset of a line → for each of its words, 1 if the other text has it not;
            empty until the work is done, and where it could not be.
    """

    def __init__(self, left: str, right: str) -> None:
        self.complete = False
        self.too_long = False
        self.left: dict[int, bytes] = {}
        self.right: dict[int, bytes] = {}
        self._counts = (0, 0, 0)
        self._work = self._compare(left, right)

    def advance(self, budget: float) -> bool:
        """Work on.

        Args:
            budget: seconds; overrun by some milliseconds at most.

        Returns:
            Whether the work is done.
        """
        deadline = perf_counter() + budget
        while not self.complete and perf_counter() < deadline:
            self.complete = next(self._work, None) is None
        return self.complete

    def said(self) -> str:
        """What came of it, for a line."""
        left, right, common = self._counts
        if not self.complete:
            return "Comparing the words of A and B …"
        if self.too_long:
            return f"Too long and too different to mark: {left:,} words in A, {right:,} in B."
        if not left - common and not right - common:
            return "A and B have the same words in the same order."
        return (
            f"Underlined, + at the edge: {left - common:,} of {left:,} words only in A, "
            f"{right - common:,} of {right:,} only in B."
        )

    def _compare(self, left: str, right: str) -> Iterator[bool]:
        read_left, read_right = _Words(left), _Words(right)
        yield from read_left.read()
        yield from read_right.read()
        comparison = Comparison(read_left.words, read_right.words)
        while not comparison.step():
            yield True
        self._counts = (len(read_left.words), len(read_right.words), comparison.common)
        self.too_long = comparison.too_long
        if not self.too_long:
            self.left = read_left.by_line(comparison.only_a)
            self.right = read_right.by_line(comparison.only_b)


class _Words:
    """The words of one text, and how many each of its lines has."""

    def __init__(self, text: str) -> None:
        self.words: list[str] = []
        self._text = text
        self._counts: dict[int, int] = {}

    def read(self) -> Iterator[bool]:
        seen = 0
        for offset, line in Lines(self._text):
            found = [line[start:end] for start, end in words(line)]
            self.words += found
            self._counts[offset] = self._counts.get(offset, 0) + len(found)
            if len(self.words) > seen + _WORDS_AT_A_TIME:
                seen = len(self.words)
                yield True

    def by_line(self, flags: bytearray) -> dict[int, bytes]:
        at = 0
        lines: dict[int, bytes] = {}
        for offset, count in self._counts.items():
            if count:
                lines[offset] = bytes(flags[at : at + count])
            at += count
        return lines

"""Which words of two texts are not in the other: a longest common subsequence of words.

Words that a longest common subsequence leaves out are marked, in both texts alike. The
lengths of the subsequences of all prefixes stand in the bits of one integer per word read (the
bit-parallel recurrence of Crochemore, Iliopoulos, Pinzon and Reid 2001, "A fast and practical
bit-vector algorithm for the longest common subsequence problem"), so that a row of the
quadratic table costs a few operations on long integers. Only every so many rows are kept; the
way back through the table computes those between again.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from math import isqrt

MOST_WORK = 2_000_000_000
"""Words times words that are compared, after common ends are taken off; under a second in all."""

_LETTER = (
    r"[^\s!-/:-@\[-`{-~\u00a1-\u00bf\u2000-\u206f\u2190-\u23ff\u2500-\u27bf\u3000-\u30ff"
    r"\u3400-\u9fff\uf900-\ufaff\uff00-\uff0f\U00020000-\U0003ffff\u27e8\u27e9]"
)
_WORD = re.compile(
    rf"{_LETTER}+(?:[.,'’_]{_LETTER}+)*"
    r"|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # no spaces between words
    r"|[=<>+/%^&\u2190-\u22ff][=<>+/%^&!\u2190-\u22ff-]*"  # operators change what code means
    r"|!=+|-[=>]+|-(?=\d)"
)


def words(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each word: letters and digits together, a Han or kana sign alone.

    Operators count as words; punctuation and the marks of Markdown do not.
    """
    for match in _WORD.finditer(text):
        yield match.span()


class Comparison:
    """The words of two texts that the other has not, found a little at a time.

    Attributes:
        only_a, only_b: for each word, 1 if it is not in the common subsequence; all ones until
            :attr:`complete`.
        common: how many words the common subsequence has.
        too_long: whether the texts are too long, and differ too much, to be compared at all.
        complete: whether there is nothing left to do.
    """

    def __init__(self, a: Sequence[str], b: Sequence[str]) -> None:
        self.only_a = bytearray(b"\1" * len(a))
        self.only_b = bytearray(b"\1" * len(b))
        self.common = 0
        self.complete = False
        self.too_long = False
        self._a: Sequence[int] = ()
        self._b: Sequence[int] = ()
        self._work = self._compare(a, b)

    def step(self) -> bool:
        """Do a little more, some milliseconds at most; whether all is done."""
        if next(self._work, None) is None:
            self.complete = True
        return self.complete

    def _match(self, a: int, b: int) -> None:
        self.only_a[a] = self.only_b[b] = 0
        self.common += 1

    def _compare(self, a: Sequence[str], b: Sequence[str]) -> Iterator[int]:
        """Take off what is easy, then fill in the table and go back through it."""
        yield from self._trim(a, b)
        if len(self._a) * len(self._b) > MOST_WORK:
            self.too_long = True
            return
        masks: dict[str, int] = {}
        for bit, index in enumerate(self._a):
            masks[a[index]] = masks.get(a[index], 0) | 1 << bit
            if bit % 512 == 0:
                yield bit
        full = (1 << len(self._a)) - 1
        symbols = [masks[b[index]] for index in self._b]
        stride = isqrt(len(symbols)) + 1
        kept = [full]
        row = full
        for number, mask in enumerate(symbols, start=1):
            row = _next_row(row, mask, full)
            if number % stride == 0:
                kept.append(row)
            if number % 128 == 0:
                yield number
        column = len(self._a)
        for block in range(len(symbols) // stride, -1, -1):
            begin = block * stride
            rows = [kept[block]]
            for mask in symbols[begin : begin + stride]:
                rows.append(_next_row(rows[-1], mask, full))
                if len(rows) % 128 == 0:
                    yield begin
            column = yield from self._go_back(rows, begin, column)

    def _trim(self, a: Sequence[str], b: Sequence[str]) -> Iterator[int]:
        """Match the common ends; leave out words that the other text has nowhere."""
        shorter = min(len(a), len(b))
        begin = 0
        while begin < shorter and a[begin] == b[begin]:
            begin += 1
        end = 0
        while end < shorter - begin and a[-1 - end] == b[-1 - end]:
            end += 1
        yield begin
        for index in range(begin):
            self._match(index, index)
        for index in range(1, end + 1):
            self._match(len(a) - index, len(b) - index)
        yield end
        in_a, in_b = set(a[begin : len(a) - end]), set(b[begin : len(b) - end])
        yield begin
        self._a = [index for index in range(begin, len(a) - end) if a[index] in in_b]
        yield begin
        self._b = [index for index in range(begin, len(b) - end) if b[index] in in_a]

    def _go_back(self, rows: Sequence[int], begin: int, column: int) -> Generator[int, None, int]:
        """Match what the subsequence takes between two kept rows; the column it ends at."""
        line = len(rows) - 1
        while line and column:
            # A bit that is not set: the subsequence is longer with this word than without it.
            bit = column - 1
            if rows[line] >> bit & 1:
                column -= 1
            elif not rows[line - 1] >> bit & 1:
                line -= 1
            else:
                self._match(self._a[bit], self._b[begin + line - 1])
                line -= 1
                column -= 1
            if (line + column) % 256 == 0:
                yield line
        return column


def _next_row(row: int, mask: int, full: int) -> int:
    matched = row & mask
    return ((row + matched) | (row - matched)) & full

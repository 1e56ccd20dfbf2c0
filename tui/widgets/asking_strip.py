"""The line of vote keys, in which the rest that a study asks is asked too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from core.shortening import told_apart
from core.text import one_line
from tui.actions import Action
from tui.widgets.key_bar import KeyBar

_WHOLE = 99
"""Cells in which any name fits."""

_FORMS = (
    (False, _WHOLE, 1),
    (True, _WHOLE, 1),
    (True, _WHOLE, 2),
    (True, 16, 2),
    (True, _WHOLE, 3),
    *((True, cells, 3) for cells in (24, 16, 12, 8, 4)),
)
"""How options are written, the fullest first: in short words, cells of each, rows of all."""

_TALLER = tuple((True, cells, rows) for rows in range(4, 13) for cells in (_WHOLE, 24, 16, 12, 8))
"""How they are written where some of them cannot be told apart in fewer rows."""

_MARKS = ("✓", "·")
"""May stand before an option."""

_WAYS = ("Enter", "Esc")
"""Keys that lead on or back; what they do is no answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked in the strip.

    Attributes:
        prompt: one line, displayable.
        options: what can be answered, with the key of each; labels may be foreign text.
    """

    prompt: str
    options: Sequence[Action]


@dataclass(frozen=True, slots=True)
class _Placed:
    row: int
    begin: int
    end: int
    text: str
    action: Action | None


def _placed(question: Question, room: int, *, is_short: bool, cells: int) -> Iterator[_Placed]:
    """Prompt and options one after another, in as many rows as they take."""
    row, column = 0, 0
    texts: list[tuple[str, Action | None]] = [(one_line(question.prompt, room), None)]
    for option, (mark, name) in zip(
        question.options, _labels(question, is_short=is_short, cells=cells), strict=True
    ):
        texts.append((one_line(f"{option.first_key()} {mark}{name}", room), option))
    for text, action in texts:
        width = cell_len(text)
        if column and column + width > room:
            row, column = row + 1, 0
        yield _Placed(row, column, column + width, text, action)
        column += width + 2


def _labels(question: Question, *, is_short: bool, cells: int) -> list[tuple[str, str]]:
    """The mark before each option, and its name; those that are answers are told apart."""
    found: list[tuple[str, str]] = []
    for option in question.options:
        label = (is_short and option.short) or option.label
        mark = label[:1] if label.startswith(_MARKS) else ""
        found.append((mark, one_line(label.removeprefix(mark), _WHOLE)))
    room = cells - any(mark for mark, _ in found)
    answers = [n for n, option in enumerate(question.options) if option.first_key() not in _WAYS]
    cut = iter(told_apart([found[n][1] for n in answers], room))
    return [
        (mark, next(cut) if n in answers else one_line(name, cells))
        for n, (mark, name) in enumerate(found)
    ]


def _is_told_apart(question: Question, room: int, *, is_short: bool, cells: int) -> bool:
    """Whether options with different names look different, whatever their keys and marks."""
    keys = [cell_len(option.first_key()) for option in question.options]
    whole = {name for _, name in _labels(question, is_short=is_short, cells=_WHOLE)}
    cut = _labels(question, is_short=is_short, cells=cells)
    # A row may be too narrow for a whole name, its key and its mark.
    seen = {one_line(name, room - key - 2) for (_, name), key in zip(cut, keys, strict=True)}
    return len(seen) == len(whole)


class AskingStrip(KeyBar):
    """Shows the vote keys; while something is asked, that and its keys in the same place.

    It keeps to one row wherever that can be read, so that a question paints one line.

    Attributes:
        rows: how many it takes now.
    """

    def __init__(self, votes: Sequence[Action], *, id: str) -> None:
        super().__init__(votes, gap="   ", id=id)
        self._question: Question | None = None
        self._places: list[_Placed] = []
        self.rows = 1

    def ask(self, question: Question | None) -> None:
        """Ask something; None shows the vote keys again."""
        if question != self._question:
            self._question = question
            self.set_class(question is not None, "-asking")
            self.show()

    def show(self) -> None:
        """Say what fits."""
        if self._question is None:
            self._places = []
            super().show()
            return
        room = self.content_size.width
        self._places = self._fitting(self._question, room)
        text = ""
        for one in self._places:
            text += "\n" * (one.row - text.count("\n"))
            text += " " * (one.begin - cell_len(text.rpartition("\n")[2])) + one.text
        self.put(text)

    def _fitting(self, question: Question, room: int) -> list[_Placed]:
        """What stands where in the fullest form in which the options fit and can be told apart."""
        fits: list[_Placed] = []
        for is_short, cells, rows in (*_FORMS, *_TALLER):
            # Something of the answers is to stay.
            if rows > max(3, self.screen.size.height // 3):
                break
            places = list(_placed(question, room, is_short=is_short, cells=cells))
            if places[-1].row < rows:
                if _is_told_apart(question, room, is_short=is_short, cells=cells):
                    return places
                fits = fits or places
            if (is_short, cells, rows) == _FORMS[-1]:
                fits = fits or places
        return fits

    def put(self, text: str) -> None:
        """Write the text; only where it takes more rows, or did, everything is laid out anew."""
        rows = 1 + text.count("\n")
        if self.content != text:
            self.update(text, layout=rows != self.rows)
        self.rows = rows
        self.set_class(rows > 1, "-tall")

    def action_at(self, x: int, y: int) -> Action | None:
        """What stands in a cell of the content, if anything does."""
        if self._question is None:
            return super().action_at(x, y)
        return next((o.action for o in self._places if o.row == y and o.begin <= x < o.end), None)

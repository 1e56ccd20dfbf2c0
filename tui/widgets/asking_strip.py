"""The line of vote keys, in which the rest that a study asks is asked too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from core.text import one_line
from tui.actions import Action
from tui.widgets.key_bar import KeyBar

_FORMS = (
    (False, 99, 1),
    (True, 99, 1),
    (True, 99, 2),
    (True, 16, 2),
    (True, 99, 3),
    *((True, cells, 3) for cells in (24, 16, 12, 8, 4)),
)
"""How options are written, the fullest first: in short words, cells of each, rows of all."""


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
    for option in question.options:
        label = one_line((is_short and option.short) or option.label, cells)
        texts.append((one_line(f"{option.first_key()} {label}", room), option))
    for text, action in texts:
        width = cell_len(text)
        if column and column + width > room:
            row, column = row + 1, 0
        yield _Placed(row, column, column + width, text, action)
        column += width + 2


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
        for is_short, cells, rows in _FORMS:
            self._places = list(_placed(self._question, room, is_short=is_short, cells=cells))
            if self._places[-1].row < rows:
                break
        text = ""
        for one in self._places:
            text += "\n" * (one.row - text.count("\n"))
            text += " " * (one.begin - cell_len(text.rpartition("\n")[2])) + one.text
        self.put(text)

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

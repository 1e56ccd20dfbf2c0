"""A text area in which hidden characters are seen, moved over and deleted, and kept as they are."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import TextArea
from textual.widgets.text_area import Edit, EditResult

from core.text import displayable, hidden

HIDDEN = "▯"
"""Stands for one hidden character that has no picture of its own."""

_PLACES = range(0xD800, 0xE000)
"""Half surrogate pairs: characters that no terminal can send and no study can hold."""


class VerbatimArea(TextArea):
    """Edits foreign text that is shown inert, one cell for each hidden character.

    Inside, each hidden character is a half surrogate pair, so that the cursor, wrapping and
    undo see one visible character; its document never holds what a terminal would obey, or what
    Textual would take for the end of a line. :attr:`verbatim` is the text with the characters
    themselves.
    """

    def __init__(self, text: str, *, id: str | None = None) -> None:
        self._inside: dict[str, str] = {}
        self._outside: dict[int, str] = {}
        self._shown: dict[int, str] = {}
        super().__init__(self._taken(text), id=id, show_line_numbers=False, soft_wrap=True)
        # A line that is busy all the time is never asked by sshd whether anybody is there, so a
        # blinking cursor would keep the session of a client that is gone.
        self.cursor_blink = False

    @property
    def verbatim(self) -> str:
        """The text as it was given and typed."""
        return self.text.translate(self._outside)

    @property
    def hides(self) -> bool:
        """Whether :data:`HIDDEN` stands for anything in the text."""
        boxes = [code for code, shown in self._shown.items() if shown == HIDDEN]
        return any(chr(code) in self.text for code in boxes)

    def edit(self, edit: Edit) -> EditResult:
        """Perform an edit; of what is pasted, every kind of line end is one line end."""
        lines = edit.text.replace("\r\n", "\n").replace("\r", "\n")
        edit.text = self._taken(lines)
        return super().edit(edit)

    def get_line(self, line_index: int) -> Text:
        """A line as it is shown."""
        line = self.document.get_line(line_index)
        return Text(line.translate(self._shown), end="", no_wrap=True)

    def _taken(self, text: str) -> str:
        """A text with a place for each hidden character, unless it has such places already."""
        characters = list(text)
        for index in hidden(text):
            character = characters[index]
            if ord(character) not in self._outside:
                characters[index] = self._place(character)
        return "".join(characters)

    def _place(self, character: str) -> str:
        place = self._inside.get(character)
        if place is None:
            if len(self._inside) == len(_PLACES):
                return displayable(character)  # more kinds than anybody types: shown, in words
            code = _PLACES[len(self._inside)]
            place = self._inside[character] = chr(code)
            self._outside[code] = character
            picture = displayable(character)[0]
            self._shown[code] = picture if "\u2400" <= picture <= "\u2421" else HIDDEN
        return place

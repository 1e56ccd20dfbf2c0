"""A line of keys and what they do; a click on one does it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.widgets import Static

from tui.actions import Action


class KeyBar(Static):
    """Shows as many of its actions as the width allows, in the words of the action table.

    Args:
        lines: what to show, the fullest first: the first that fits is shown, and the last where
            none does.
        gap: stands between two actions; two spaces and short words where that does not fit.
    """

    def __init__(
        self,
        *lines: Sequence[Action],
        gap: str = " · ",
        id: str | None = None,
        classes: str = "keys",
    ) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._take(lines)
        self._gap = gap
        self._spans: list[tuple[int, int, Action]] = []

    def _take(self, lines: Sequence[Sequence[Action]]) -> None:
        self._lines = [[action for action in line if action.label] for line in lines]

    def offer(self, *lines: Sequence[Action]) -> None:
        """Show other actions from now on, the fullest line first."""
        self._take(lines)
        self.show()

    def on_resize(self) -> None:
        self.show()

    def show(self) -> None:
        """Say what fits."""
        room = self.content_size.width
        for line in self._lines:
            for is_short in (False, True):
                text, spans = self._laid_out(line, is_short=is_short)
                if cell_len(text) <= room:
                    break
            else:
                continue
            break
        self._spans = spans
        self.put(text)

    def put(self, text: str) -> None:
        """Write the text, if it is another one."""
        if self.content != text:
            height = self.styles.height
            self.update(text, layout=height is None or height.is_auto)

    def _laid_out(
        self, line: Sequence[Action], *, is_short: bool
    ) -> tuple[str, list[tuple[int, int, Action]]]:
        """A line's text, and where each action stands in it, in cells."""
        text, spans = "", []
        for action in line:
            if text:
                text += "  " if is_short else self._gap
            begin = cell_len(text)
            text += f"{action.first_key()} {(is_short and action.short) or action.label}"
            spans.append((begin, cell_len(text), action))
        return text, spans

    async def on_click(self, event: events.Click) -> None:
        """Do what stands there."""
        event.stop()
        offset = event.get_content_offset(self)
        action = None if offset is None else self.action_at(offset.x, offset.y)
        if action is not None:
            await self.screen.run_action(action.do)

    def action_at(self, x: int, y: int) -> Action | None:
        """What stands in a cell of the content, if anything does."""
        return next((act for begin, end, act in self._spans if y == 0 and begin <= x < end), None)

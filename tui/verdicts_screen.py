"""The verdicts of one judge that came to the same: to look through, and to open one whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from core.errors import TiebreakError
from core.text import many, one_line
from tui.actions import VERDICTS, Action
from tui.judge_lines import OK, listed_lines, verdict_text
from tui.screens import take_keys
from tui.widgets.key_bar import KeyBar
from tui.widgets.named_list import NamedList
from tui.widgets.once import Once
from tui.widgets.reader import Reader

if TYPE_CHECKING:
    from tui.app import TiebreakApp

_MOST = 1000
"""Verdicts that are listed."""

_UNMASKS = "A pair whose verdict you read here counts as unmasked for you."
_HIDDEN = "· hides an outcome; opening it counts its pair as unmasked for you."


class VerdictList(NamedList, inherit_bindings=False):
    """Verdicts, by id."""

    class Moved(NamedList.Moved):
        """Another verdict is the chosen one."""

    class Picked(NamedList.Picked):
        """The chosen verdict was clicked."""


class VerdictsScreen(ModalScreen[None], Once[None]):
    """Lists the standing verdicts of one class, the newest first.

    Args:
        kind: the class; :data:`tui.judge_lines.OK` for those with a choice.
    """

    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    VerdictsScreen {
        background: $background;
        #verdicts-list { padding: 0 1; }
    }
    """

    def __init__(self, judge: str, kind: str) -> None:
        super().__init__()
        self._judge = judge
        self._kind = kind
        self._table: tuple[Action, ...] = ()

    def compose(self) -> ComposeResult:
        self._table = take_keys(self, VERDICTS)
        yield Static(classes="status", id="verdicts-status", markup=False)
        yield VerdictList(id="verdicts-list")
        yield Static(classes="said", id="said", markup=False)
        yield KeyBar(self._table)

    @property
    def verdicts(self) -> VerdictList:
        """The list."""
        return self.query_one(VerdictList)

    def on_mount(self) -> None:
        self._list()

    def _list(self) -> None:
        """Show the verdicts as they stand, and as this lead may see them."""
        from db.judge_lists import last_verdicts

        app: TiebreakApp = self.app  # type: ignore[assignment]
        try:
            found = last_verdicts(
                app.store, self._judge, self._kind, _MOST, hidden_from=app.who.annotator
            )
        except TiebreakError as error:
            self._say(f"{error.message}. {error.hint}.", warning=True)
            return
        now = app.store.clock()
        lines = listed_lines(found, now, with_kind=False)
        self.verdicts.show([(one.id, line) for one, line in zip(found, lines, strict=True)])
        kind = "with a choice" if self._kind == OK else one_line(self._kind, 60)
        newest = "the newest first" if len(found) < _MOST else "the newest of them"
        # A ranking that failed is one line for all its pairs.
        count = many(sum(one.pairs for one in found), "verdict")
        if any(one.pairs > 1 for one in found):
            count += f" of {many(len(found), 'call')}"
        self.query_one("#verdicts-status", Static).update(
            f"{one_line(self._judge, 60)}  │  {kind}  │  {count}, {newest}"
        )
        if found:
            self._say(_HIDDEN if any(one.said is None for one in found) else _UNMASKS)

    def _say(self, message: str, *, warning: bool = False) -> None:
        line = self.query_one("#said", Static)
        line.update(one_line(message, 400))
        line.set_class(warning, "-warning")

    def on_verdict_list_moved(self, message: VerdictList.Moved) -> None:
        message.stop()

    def on_verdict_list_picked(self, message: VerdictList.Picked) -> None:
        message.stop()
        self.action_open()

    def action_open(self) -> None:
        """Show the chosen verdict whole, its raw reply as it came."""
        from db.judge_lists import calls_of, successor
        from db.sights import know_reply

        app: TiebreakApp = self.app  # type: ignore[assignment]
        key = self.verdicts.chosen
        if key is None:
            return
        try:
            verdict = app.store.reading.verdict(key)
            know_reply(app.store, verdict.id, app.who.annotator)
            calls, replaced_by = calls_of(app.store, verdict.id), successor(app.store, verdict.id)
        except TiebreakError as error:
            self._say(f"{error.message}. {error.hint}.", warning=True)
            return
        width = min(self.size.width, 110) - 4
        text = verdict_text(verdict, calls, replaced_by, width)
        reader = Reader(f"Verdict {one_line(key, 60)}", text, is_raw=True)
        self.app.push_screen(reader, lambda _: self._list())

    def action_scroll(self, lines: int) -> None:
        """Choose the next verdict or the one before."""
        self.verdicts.go(lines)

    def action_page(self, direction: int) -> None:
        """Choose the verdict a page further."""
        self.verdicts.page(direction)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

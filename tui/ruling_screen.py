"""The lead's blind ruling: question, two answers, opinions without names, six keys.

Names come after the ruling, on a key of their own, and may be followed by a revision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from core.adjudication.case import REASON_WORDS, Case, RulingSeen
from core.errors import TiebreakError
from core.text import one_line
from tui.actions import READ, RULE, RULING, UNMASKED, Action
from tui.ruling_desk import Desk
from tui.ruling_lines import SAID_RULING, opinions_text, tally, unmasked_text
from tui.screens import take_keys
from tui.screens.reading import ReadingScreen
from tui.teaching import Teaching
from tui.widgets.answer_view import AnswerView
from tui.widgets.blank import BlankContainer
from tui.widgets.confirm import Confirm
from tui.widgets.conversation import Conversation
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import put
from tui.widgets.opinions import Opinions
from tui.widgets.reader import Reader

if TYPE_CHECKING:
    from tui.app import TiebreakApp
    from tui.widgets.note import NoteModal

BESIDE_FROM = 150
"""Columns from which the opinions stand beside the answers: each answer keeps half of 100."""

_BESIDE = 48
"""Cells that they take then."""


class RulingScreen(ReadingScreen, ModalScreen[None]):
    """Shows what is on a :class:`Desk`, which has a case on it; closes to the list of cases."""

    DEFAULT_CSS = """
    RulingScreen {
        background: $background;
        #case { height: 1fr; layout: vertical; }
        #case.-beside { layout: horizontal; }
        #case.-beside Opinions { width: 48; height: 1fr; }
        #case.-beside ReadingPanes { width: 1fr; }
        #case.-opinions #answers { display: none; }
        #case.-opinions ReadingPanes { height: auto; width: 1fr; }
        #case.-opinions Opinions { height: 1fr; }
        #case.-beside.-opinions { layout: vertical; }
        #case.-beside.-opinions Opinions { width: 1fr; }
        #outcomes { height: 1; color: $text; text-style: bold; }
        #keys { height: 1; }
        #finished { display: none; height: 1fr; padding: 2 4; }
    }
    """

    def __init__(self, desk: Desk, banner: str) -> None:
        super().__init__()
        self.desk = desk
        self._banner = banner
        self._table: tuple[Action, ...] = ()
        self._begun = False
        self._aims_opinions = False
        self._asks_why = False

    def compose(self) -> ComposeResult:
        self._table = take_keys(self, self._actions)
        yield Static(classes="status", id="status", markup=False)
        with BlankContainer(id="case"):
            yield ReadingPanes(self._key)
            yield Opinions(id="opinions")
        yield Static(id="finished", markup=False)
        yield from self.compose_said()
        yield KeyBar([a for a in self._table if a.group == RULE], gap="   ", id="outcomes")
        yield KeyBar(*self._footers(), id="keys")

    @property
    def _actions(self) -> Sequence[Action]:
        return RULING if self.desk.unmasked is None else UNMASKED

    def _footers(self) -> Iterator[list[Action]]:
        """What else the keys do, the fullest line first; reading goes before what is done."""
        shown = [a for a in self._table if a.label and a.group != RULE]
        dispensable = [a for a in shown if a.group == READ]
        yield list(shown)
        while dispensable:
            shown.remove(dispensable.pop())
            yield list(shown)

    def _key(self, action: str) -> str:
        """The key that does something, as messages name it."""
        app: TiebreakApp = self.app  # type: ignore[assignment]
        return app.preferences.keymap.first(action)

    @property
    def opinions(self) -> Opinions:
        """What others said."""
        return self.query_one(Opinions)

    # ── showing ─────────────────────────────────────────────────────────────

    def on_resize(self) -> None:
        is_wide = self.size.width >= BESIDE_FROM
        self.query_one("#case").set_class(is_wide, "-beside")
        if not self._begun:
            self._begun = True
            self._show(self.desk.greeting)
        else:
            self._show_status()
            self.call_after_refresh(self._fit_opinions)

    def _show(self, said: str, *, warning: bool = False) -> None:
        """Show the case on the desk, and say something about what led here."""
        self.put_find_away()
        case = self.desk.case
        self.query_one("#case").display = case is not None
        self.query_one("#finished").display = case is None
        self._aim_at_opinions(False)
        if self._table != (table := take_keys(self, self._actions)):
            self._table = table
            self.query_one("#keys", KeyBar).offer(*self._footers())
        if case is None:
            self._show_finished()
        else:
            self.panes.open(
                Conversation(case.question, case.left, case.right), max(case.turn, 1), case.turn, {}
            )
            self._show_opinions(case)
        self._show_status()
        self.say(said, warning=warning)
        self.call_after_refresh(self.desk.shown)

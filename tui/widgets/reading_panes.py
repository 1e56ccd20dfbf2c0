"""What is read on a screen with two answers: the question, A and B, and where one reads.

The panes know texts and places, and nothing of votes: a screen tells them which conversation
and which turn to show, and hears from them what to tell its reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message
from textual.widgets import Static

from tui.widgets.answer_view import AnswerView
from tui.widgets.lines import put

if TYPE_CHECKING:
    from tui.rendering import Rendered

PANES = ("question", "left", "right")
ANSWERS = ("left", "right")
NAMES = {"question": "Question", "left": "A", "right": "B"}
_AIMS: Sequence[Sequence[str]] = (ANSWERS, ("left",), ("right",), ("question",))
_ZOOMS = ("both", "A", "B")


@dataclass(frozen=True, slots=True)
class Conversation:
    """The texts of one pair, turn by turn, in the order to be shown."""

    question: Sequence[str]
    left: Sequence[str]
    right: Sequence[str]

    def texts(self, turn: int) -> dict[str, str]:
        """What each pane shows of a turn; an answer shorter than the question ends early."""
        by_pane = {"question": self.question, "left": self.left, "right": self.right}
        return {
            name: turns[turn - 1] if turn <= len(turns) else "" for name, turns in by_pane.items()
        }


class ReadingPanes(Vertical):
    """The question above two answers, and all that reading them takes."""

    DEFAULT_CSS = """
    ReadingPanes {
        height: 1fr;
        #question { height: 3; }
        #answers { height: 1fr; layout: horizontal; }
        .side { width: 1fr; height: 1fr; }
    }
    """

    class Said(Message):
        """Something happened that the reader should be told in a line."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.looking = 1
        self._conversation = Conversation((), (), ())
        self._voting = 0
        self._aim = 0
        self._zoom = 0

    def compose(self) -> ComposeResult:
        yield Static(classes="pane-title", id="question-title", markup=False)
        yield AnswerView(id="question")
        with Container(id="answers"):
            for side in ANSWERS:
                with Vertical(classes="side", id=f"{side}-side"):
                    yield Static(classes="pane-title", id=f"{side}-title", markup=False)
                    yield AnswerView(id=side)

    def pane(self, name: str) -> AnswerView:
        """The question's view, or an answer's."""
        return self.query_one(f"#{name}", AnswerView)

    # ── which texts ─────────────────────────────────────────────────────────

    def open(
        self,
        conversation: Conversation,
        turn: int,
        voting: int,
        prepared: Mapping[str, Rendered],
    ) -> None:
        """Show a pair from the beginning of a turn.

        Args:
            voting: the turn that is voted on; 0 for the whole conversation.
            prepared: what :meth:`prepare` made for it, as far as it did.
        """
        self._conversation = conversation
        self._voting = voting
        self._zoom = 0
        self._arrange()
        self._show(turn, prepared)

    def prepare(self, conversation: Conversation, turn: int) -> Iterator[tuple[str, Rendered]]:
        """Lay out the first screen of a pair that is to come."""
        for name, text in conversation.texts(turn).items():
            pane = self.pane(name)
            rendered = pane.prepare(text)
            rendered.ensure(pane.size.height + 1)
            yield name, rendered

    def turn(self, step: int) -> None:
        """Look at another turn; the vote stays on its own."""
        turn = self.looking + step
        if not 1 <= turn <= len(self._conversation.question):
            self._say("There is no turn there.")
        elif self._voting and turn > self._voting:
            self._say("The next turn comes after your vote on this one.")
        else:
            self._show(turn, {})

    def raw(self) -> None:
        """Switch between rendered text and source."""
        for name in PANES:
            self.pane(name).toggle_raw()
        self._say("The source, as it is." if self.pane("left").raw else "Rendered.")

    def _show(self, turn: int, prepared: Mapping[str, Rendered]) -> None:
        self.looking = turn
        texts = self._conversation.texts(turn)
        for name, text in texts.items():
            ready = prepared.get(name)
            self.pane(name).show(ready if ready is not None and ready.text == text else text)
        self._fit_question()
        self._show_titles()

    def _fit_question(self) -> None:
        """Give the question as many rows as it has, up to a quarter of the screen."""
        pane = self.pane("question")
        most = max(3, self.screen.size.height // 4)
        rendered = pane.prepare(pane.text)
        rendered.ensure(most)
        rows = max(1, min(most, rendered.height))
        if pane.styles.height is None or pane.styles.height.value != rows:
            pane.styles.height = rows

    # ── where one reads ─────────────────────────────────────────────────────

    def scroll(self, lines: int) -> None:
        """Scroll what is aimed at."""
        for pane in self._aimed():
            pane.scroll_by(lines)

    def page(self, direction: int) -> None:
        """Page what is aimed at."""
        for pane in self._aimed():
            pane.page(direction)

    def ends(self, direction: int) -> None:
        """Go to the start or the end of what is aimed at."""
        for pane in self._aimed():
            if direction < 0:
                pane.to_start()
            else:
                pane.to_end()

    def aim(self) -> None:
        """Aim the scrolling at the next pane."""
        self._aim = (self._aim + 1) % len(_AIMS)
        self._show_titles()
        self._say(f"Scrolling: {' and '.join(NAMES[name] for name in _AIMS[self._aim])}.")

    def _aimed(self) -> Sequence[AnswerView]:
        return [self.pane(name) for name in _AIMS[self._aim]]

    # ── how it is laid out ──────────────────────────────────────────────────

    def zoom(self) -> None:
        """Show one answer at full width, the other, or both."""
        self._zoom = (self._zoom + 1) % len(_ZOOMS)
        self._arrange()
        self._say(f"Shown: {_ZOOMS[self._zoom]}.")

    def _arrange(self) -> None:
        self.query_one("#left-side").display = self._zoom != 2
        self.query_one("#right-side").display = self._zoom != 1

    def _show_titles(self) -> None:
        turns = len(self._conversation.question)
        where = f" · turn {self.looking} of {turns}" if turns > 1 else ""
        if self._voting not in (0, self.looking):
            where += f" (you are voting on turn {self._voting})"
        for name, title in NAMES.items():
            label = self.query_one(f"#{name}-title", Static)
            is_aimed = name in _AIMS[self._aim]
            pane = self.pane(name)
            place = "" if pane.top == 0 and pane.at_end else f"  {pane.position}"
            put(
                label,
                f"{'▸' if is_aimed else ' '} {title}{where if name == 'question' else ''}{place}",
            )
            label.set_class(is_aimed, "-aimed")

    def _say(self, text: str) -> None:
        self.post_message(self.Said(text))

    def on_answer_view_scrolled(self, message: AnswerView.Scrolled) -> None:
        message.stop()
        self._show_titles()

    def on_resize(self) -> None:
        self._fit_question()

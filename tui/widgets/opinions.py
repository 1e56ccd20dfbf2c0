"""What others said about a case, beside the two answers or below them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tui.widgets.answer_view import AnswerView
from tui.widgets.blank import Blank
from tui.widgets.lines import put


class Opinions(Blank, Vertical):
    """A title and a text that scrolls; nothing of it is rendered as Markdown."""

    DEFAULT_CSS = """
    Opinions { width: 1fr; height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = ""
        self.aimed = False

    def compose(self) -> ComposeResult:
        yield Static(classes="pane-title", id="opinions-title", markup=False)
        yield AnswerView(id="opinions-text")

    def on_mount(self) -> None:
        self.view.hanging = True
        self.view.raw = True

    @property
    def view(self) -> AnswerView:
        """Where the text is read."""
        return self.query_one(AnswerView)

    def show(self, title: str, text: str) -> None:
        """Show another text from its beginning."""
        self._title = title
        self.view.show(text)
        self.show_title()

    def rows(self, most: int) -> int:
        """How many rows the text takes, up to so many."""
        rendered = self.view.prepare(self.view.text)
        rendered.ensure(most)
        return max(1, min(most, rendered.height))

    def aim(self, aimed: bool) -> None:
        """Have the keys that scroll, or have them no longer."""
        self.aimed = aimed
        self.show_title()

    def show_title(self) -> None:
        """Say how the opinions fall, and how far they are read."""
        view = self.view
        place = "" if view.top == 0 and view.at_end else f"  {view.position}"
        label = self.query_one("#opinions-title", Static)
        put(label, f"{'▸' if self.aimed else ' '} {self._title}{place}")
        label.set_class(self.aimed, "-aimed")

    def on_answer_view_scrolled(self, message: AnswerView.Scrolled) -> None:
        message.stop()
        self.show_title()

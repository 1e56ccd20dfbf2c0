"""What is read on a screen with two answers: the question, A and B, and where one reads.

The panes know texts and places, and nothing of votes: a screen tells them which conversation
and which turn to show, and hears from them what to tell its reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from tui.finding import Finding
from tui.marking import Marks
from tui.widgets.answer_view import AnswerView
from tui.widgets.blank import Blank, BlankContainer
from tui.widgets.conversation import Bookmark, Conversation, parts_of, place_of
from tui.widgets.lines import put

if TYPE_CHECKING:
    from tui.differing import Differences
    from tui.rendering import Rendered

PANES = ("question", "left", "right")
ANSWERS = ("left", "right")
NAMES = {"question": "Question", "left": "A", "right": "B"}
_AIMS: Sequence[Sequence[str]] = (ANSWERS, ("left",), ("right",), ("question",))
_LOCKED = 0
_QUESTION = 3
_SHOWN: Sequence[Sequence[str]] = (ANSWERS, ("left",), ("right",))
_SIDE_BY_SIDE, _STACKED, _ONE = range(3)
_ARRANGEMENTS = ("side by side", "stacked", "one at a time")

STACK_BELOW = 72
"""Columns; a narrower screen stacks the answers until somebody chooses.

Stacked at this width, a screen shows 14% less text than side by side, but a text takes 42% fewer
rows; below it, half a screen is under six words wide.
"""

_SLICE = 0.008
_PAUSE = 0.016
"""Seconds of searching or comparing at a time, and between two of them."""


class ReadingPanes(Blank, Vertical):
    """The question above two answers, and all that reading them takes.

    Args:
        key: names the key that does an action, by the action's id.
    """

    DEFAULT_CSS = """
    ReadingPanes {
        height: 1fr;
        #question { height: 3; }
        #answers { height: 1fr; layout: horizontal; }
        #answers.-stacked { layout: vertical; }
        .side { width: 1fr; height: 1fr; }
    }
    """

    class Said(Message):
        """Something happened that the reader should be told in a line."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, key: Callable[[str], str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._key = key
        self.looking = 1
        self._conversation = Conversation((), (), ())
        self._voting = 0
        self._aim = _LOCKED
        self._is_elsewhere = False  # whether keys scroll something that is no pane of these
        self._zoom = 0
        self._arrangement: int | None = None  # as somebody chose
        self._places: dict[int, dict[str, int]] = {}  # by turn
        self._finding: Finding | None = None
        self._before: dict[str, int] = {}  # where was read before something was searched for
        self._began = 1  # the turn that was looked at then
        self._differences: Differences | None = None
        self._idle: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(classes="pane-title", id="question-title", markup=False)
        yield AnswerView(id="question")
        with BlankContainer(id="answers"):
            for side in ANSWERS:
                with BlankContainer(classes="side", id=f"{side}-side"):
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
        """Show a turn of a pair: from its beginning, or from where it was read before.

        Args:
            voting: the turn that is voted on; 0 for the whole conversation.
            prepared: what :meth:`prepare` made for it, as far as it did.
        """
        self._keep_place()
        if conversation != self._conversation:
            self._conversation = conversation
            self._places = {}
        self._differences = None
        self._voting = voting
        self._zoom = 0
        self._lay_out()
        self._show(turn, prepared)

    def bookmark(self) -> Bookmark:
        """Where one reads now, to come back to; a search ends."""
        self._keep_place()
        return Bookmark(self._conversation, self.looking, self._voting, self._zoom, self._places)

    def return_to(self, bookmark: Bookmark) -> None:
        """Show again what was read when the bookmark was made, and how."""
        self._keep_place()
        self._conversation, self._voting = bookmark.conversation, bookmark.voting
        self._places = dict(bookmark.places)
        self._differences = None
        self._zoom = bookmark.zoom
        self._lay_out()
        self._show(bookmark.looking, {})

    def prepare(self, conversation: Conversation, turn: int) -> Iterator[tuple[str, Rendered]]:
        """Lay out the first screen of a pair that is to come, which is shown unzoomed."""
        widths = self._widths(int(self._arranged == _ONE))
        for name, text in conversation.texts(turn).items():
            pane = self.pane(name)
            rendered = pane.prepare(text, widths.get(name))
            rendered.ensure((pane.size.height or self.size.height) + 1)
            yield name, rendered

    def turn(self, step: int) -> None:
        """Look at another turn; the vote stays on its own."""
        turn = self.looking + step
        if not 1 <= turn <= len(self._conversation.question):
            self._say("There is no turn there.")
        elif self._voting and turn > self._voting:
            self._say("The next turn comes after your vote on this one.")
        else:
            self._keep_place()
            self._show(turn, {})

    def raw(self) -> None:
        """Switch between rendered text and source."""
        for name in PANES:
            self.pane(name).toggle_raw()
        self._say("The source, as it is." if self.pane("left").raw else "Rendered.")

    def _show(self, turn: int, prepared: Mapping[str, Rendered]) -> None:
        self.looking = turn
        texts = self._conversation.texts(turn)
        places = self._places.get(turn, {})
        for name, text in texts.items():
            ready = prepared.get(name)
            content = ready if ready is not None and ready.text == text else text
            self.pane(name).show(content, places.get(name, 0))
        if self._differences is not None:
            self._differences = None
            self.differences()
        self._fit_question()
        self._show_titles()

    def _keep_place(self) -> None:
        """Remember where this turn is read; a search ends, and leaves no trace in it."""
        if self._finding is not None:
            self._places[self._began] = self._before
            self._finding, self._before = None, {}
        else:
            self._places[self.looking] = self._places_now(PANES)

    def _places_now(self, names: Sequence[str]) -> dict[str, int]:
        return {name: self.pane(name).place for name in names}

    def _fit_question(self) -> None:
        """Give the question as many rows as it has, up to a quarter of the screen.

        In a small window less, so that each answer keeps a row for its title and one to be read.
        """
        pane = self.pane("question")
        answers = 2 * (len(_SHOWN[self._zoom]) if self._arranged == _STACKED else 1)
        room = self.size.height - 1 - answers
        most = max(1, min(max(3, self.screen.size.height // 4), room))
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

    def jump(self, kind: str, direction: int) -> None:
        """Go to the next heading or code of what is aimed at, or to the previous one."""
        for pane in self._aimed():
            pane.jump(kind, direction)

    def aim(self) -> None:
        """Aim the scrolling at the next pane in sight."""
        shown = ("question", *_SHOWN[self._zoom])
        aim = (self._aim + 1) % len(_AIMS)
        while not set(_AIMS[aim]) & set(shown):
            aim = (aim + 1) % len(_AIMS)
        self._aim_at(aim)

    @property
    def aims_at_question(self) -> bool:
        """Whether the question is what scrolls."""
        return self._aim == _QUESTION

    def aim_elsewhere(self, is_elsewhere: bool) -> None:
        """Mark no pane as what scrolls, or mark it again."""
        if self._is_elsewhere != is_elsewhere:
            self._is_elsewhere = is_elsewhere
            self._show_titles()

    def on_click(self, event: events.Click) -> None:
        """Aim at the pane that was clicked, or at both answers again."""
        clicked = (event.widget.id or "") if event.widget is not None else ""
        name = clicked.removesuffix("-title")
        if name in NAMES:
            aim = _AIMS.index((name,))
            self._aim_at(_LOCKED if aim == self._aim else aim)

    def _aim_at(self, aim: int) -> None:
        self._aim = aim
        self._show_titles()
        self._say(f"Scrolling: {' and '.join(NAMES[name] for name in _AIMS[self._aim])}.")

    def toggle_lock(self) -> None:
        """Scroll both answers together, or each alone."""
        if self._aim == _LOCKED:
            self._aim = self._zoom or 1
            name = NAMES[_AIMS[self._aim][0]]
            self._say(f"Free: scrolling {name} alone; {self._key('read.aim')} goes on.")
        else:
            self._aim = _LOCKED
            self._say("Locked: A and B scroll together.")
        self._show_titles()

    def _aimed(self) -> Sequence[AnswerView]:
        return [self.pane(name) for name in _AIMS[self._aim]]

    def on_answer_view_wheeled(self, message: AnswerView.Wheeled) -> None:
        if self._aim == _LOCKED and message.view.id in ANSWERS:
            for pane in self._aimed():
                if pane is not message.view:
                    pane.scroll_by(message.lines)

    def on_answer_view_nothing_further(self, message: AnswerView.NothingFurther) -> None:
        message.stop()
        self._say(f"{NAMES[message.view.id or '']}: no further {message.kind} that way.")

    # ── what stands where ───────────────────────────────────────────────────

    def find(self, needle: str) -> None:
        """Search the answers, the question and the other turns; mark what is found, move nothing.

        Turns that wait for the vote on this one are not searched.
        """
        if self._finding is None:
            self._before, self._began = self._places_now(PANES), self.looking
        self._finding = Finding(needle, dict(self._searched()))
        self._mark()
        self._go_on()

    def _searched(self) -> Iterator[tuple[str, str]]:
        """What is searched, by place: what is looked at first, the other turns in their order."""
        last = self._voting or len(self._conversation.question)
        for turn in sorted(range(1, last + 1), key=lambda turn: turn != self.looking):
            texts = self._conversation.texts(turn)
            yield from ((place_of(turn, name), texts[name]) for name in (*ANSWERS, "question"))

    def _read_on_from(self) -> dict[str, int]:
        """Where each place that is searched is read."""
        now = self._places_now(PANES)
        places = ((place, *parts_of(place)) for place, _ in self._searched())
        return {place: now[name] if turn == self.looking else 0 for place, turn, name in places}

    def _named(self, place: str) -> str:
        """A place as a message names it: ``A``, ``the question``, ``B of turn 1``."""
        turn, name = parts_of(place)
        where = f" of turn {turn}" if turn != self._began else ""
        return f"{'the question' if name == 'question' else NAMES[name]}{where}"

    def _found(self, finding: Finding) -> str:
        """How many matches there are, and where, where that is more than one place."""
        where: dict[str, int] = {}
        for place, count in finding.counts().items():
            turn, name = parts_of(place)
            said = (
                f"turn {turn}"
                if turn != self._began
                else "question"
                if name == "question"
                else NAMES[name]
            )
            where[said] = where.get(said, 0) + count
        if not where or finding.at is not None or not finding.complete:
            return finding.said()
        return (
            f"{finding.said()}: {', '.join(f'{count} in {said}' for said, count in where.items())}"
        )

    @property
    def is_finding(self) -> bool:
        """Whether something is searched for."""
        return self._finding is not None

    def next_match(self, direction: int) -> None:
        """Go to the next match, or to the previous one."""
        if self._finding is None or self._finding.pattern is None:
            self._say(f"Nothing is searched for: {self._key('read.find')} begins.")
        elif self._finding.step(direction, self._read_on_from()):
            self._show_match()
        else:
            self._go_on()
            self._say(self._found(self._finding))

    def end_find(self) -> bool:
        """Go back to where was read before; whether anything was searched for."""
        if self._finding is None:
            return False
        places, self._before, self._finding = self._before, {}, None
        if self.looking != self._began:
            self._show(self._began, {})
        self._mark()
        for name, place in places.items():
            if self.pane(name).place != place:
                self.pane(name).go_to(place)
        return True

    def differences(self) -> None:
        """Mark the words that the other answer has not, or no longer."""
        # Comparing takes a while to import: nobody waits for it before it is asked for.
        from tui.differing import Differences

        if self._differences is None:
            texts = self._conversation.texts(self.looking)
            self._differences = Differences(texts["left"], texts["right"])
            self._go_on()
        else:
            self._differences = None
            self._mark()
            self._say("Differences are no longer marked.")

    def on_mount(self) -> None:
        self._idle = self.set_interval(_PAUSE, self._work, pause=True)

    def _go_on(self) -> None:
        self._work()
        if self._idle is not None:
            self._idle.resume()

    def _work(self) -> None:
        """Search and compare for a moment, and tell what came of it."""
        finding, differences = self._finding, self._differences
        is_done = True
        if finding is not None and not finding.complete:
            if finding.advance(_SLICE):
                self._show_match()
            else:
                self._say(self._found(finding))
            is_done = finding.complete
        if differences is not None and not differences.complete:
            if differences.advance(_SLICE):
                self._mark()
            self._say(differences.said())
            is_done = is_done and differences.complete
        if is_done and self._idle is not None:
            self._idle.pause()

    def _show_match(self) -> None:
        match = self._finding.current if self._finding is not None else None
        if self._finding is None or match is None:
            return
        turn, name = parts_of(match.pane)
        if turn != self.looking:
            self._show(turn, {})
        self._mark()
        if name not in ("question", *_SHOWN[self._zoom]):
            self._zoom = ANSWERS.index(name) + 1
            self._lay_out()
        self.pane(name).go_to_match(match)
        others = {"next_match": "next", "previous_match": "previous", "end_find": "back"}
        keys = (f"{self._key(f'read.{action}')} {word}" for action, word in others.items())
        self._say(" · ".join((f"{self._finding.said()}, in {self._named(match.pane)}", *keys)))

    def _mark(self) -> None:
        """Let the panes paint what is found and what differs."""
        finding, differences = self._finding, self._differences
        current = finding.current if finding is not None else None
        by_pane = {"left": differences.left, "right": differences.right} if differences else {}
        for name in PANES:
            is_here = current is not None and current.pane == place_of(self.looking, name)
            self.pane(name).mark(
                Marks(
                    finding.pattern if finding is not None else None,
                    (current.line, current.number) if current is not None and is_here else None,
                    by_pane.get(name) or None,
                )
            )

    # ── how it is laid out ──────────────────────────────────────────────────

    def zoom(self) -> None:
        """Show one answer at full width, the other, or both."""
        self._zoom = (self._zoom + 1) % len(_SHOWN)
        self._lay_out()
        self._fit_question()
        self._say(f"Shown: {' and '.join(NAMES[name] for name in _SHOWN[self._zoom])}.")

    def rearrange(self) -> None:
        """Lay the answers out side by side, stacked, or one at a time."""
        self._arrangement = (self._arranged + 1) % len(_ARRANGEMENTS)
        self._zoom = 0
        self._lay_out()
        self._fit_question()
        flips = f"; {self._key('read.zoom')} flips to the other" * (self._arrangement == _ONE)
        self._say(f"Layout: {_ARRANGEMENTS[self._arrangement]}{flips}.")

    @property
    def _arranged(self) -> int:
        if self._arrangement is not None:
            return self._arrangement
        return _STACKED if self.screen.size.width < STACK_BELOW else _SIDE_BY_SIDE

    def _lay_out(self) -> None:
        if self._arranged == _ONE and not self._zoom:
            self._zoom = 1
        self.query_one("#answers").set_class(self._arranged == _STACKED, "-stacked")
        for name in ANSWERS:
            self.query_one(f"#{name}-side").display = name in _SHOWN[self._zoom]
        for name, width in self._widths(self._zoom).items():
            self.pane(name).expect(width)
        if self._zoom and self._aim not in (_LOCKED, _QUESTION):
            self._aim = self._zoom  # nobody wants to scroll what is out of sight
        self._show_titles()

    def _widths(self, zoom: int) -> dict[str, int]:
        """Cells of each answer's pane as this zoom lays them out, whether in sight or not."""
        whole = self.size.width
        if zoom or self._arranged != _SIDE_BY_SIDE:
            return dict.fromkeys(ANSWERS, whole)
        return {"left": whole // 2, "right": whole - whole // 2}

    def _show_titles(self) -> None:
        turns = len(self._conversation.question)
        where = f" · turn {self.looking} of {turns}" if turns > 1 else ""
        if self._voting not in (0, self.looking):
            where += f" (you are voting on turn {self._voting})"
        for name, title in NAMES.items():
            label = self.query_one(f"#{name}-title", Static)
            is_aimed = name in _AIMS[self._aim] and not self._is_elsewhere
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
        self._lay_out()
        self._fit_question()

"""What a study asks beyond a vote, as actions of a screen: the strip, its digits, Enter and Esc."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Container, Iterator, Sequence

from rich.cells import cell_len
from textual.binding import Binding

from core.records import Seen
from core.text import one_line
from tui.actions import REST, VOTE, Action
from tui.asking import Asking, Kind, Step
from tui.screens.reading import ReadingScreen
from tui.seat import Seat
from tui.widgets.asking_strip import AskingStrip, Question

_DIGITS = tuple("123456789")
ANSWER_KEYS = (*_DIGITS, "enter", "escape")
"""Keys that answer while something is asked, whatever else they do; nobody can move them."""


class AskingScreen(ReadingScreen):
    """A reading screen that asks in its :class:`AskingStrip`. Reading goes on meanwhile.

    Args:
        session: what is asked, and where the answers go.
    """

    def __init__(self, session: Seat) -> None:
        super().__init__()
        self.session = session
        self._votes: list[Action] = []
        self._failed = ""

    @abstractmethod
    def cast_vote(self, asking: Asking) -> bool:
        """Cast a vote whose every detail is said; whether it was saved."""

    @abstractmethod
    def decline(self, reason: str) -> None:
        """Close the pair to somebody who cannot judge it."""

    def compose_strip(self, table: Sequence[Action]) -> AskingStrip:
        """The line of vote keys, which asks the rest; binds the keys that answer."""
        self._votes = [action for action in table if action.group == VOTE]
        # Bound as the votes are, not taken by an event handler: keys typed ahead stay in order.
        for key in ANSWER_KEYS:
            binding = Binding(key, f"answer('{key}')", show=False)
            self._bindings.key_to_bindings.setdefault(key, []).insert(0, binding)
        return AskingStrip(self._votes, id="votes")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether an action is to be done now: only what is asked can be answered."""
        return action != "answer" or self._answers(str(parameters[0]))

    def _answers(self, key: str) -> bool:
        """Whether a key answers what is asked, and does nothing else meanwhile."""
        asking = self.session.asking
        if self.session.is_declining:
            return key == "escape" or key in _DIGITS
        if asking is None:
            return False
        if key in _DIGITS:
            return asking.takes_digits
        if key == "escape":
            return True
        if any(key in vote.keys for vote in self._votes) and not asking.takes_digits:
            return False
        return asking.has_answer and key == "enter"

    def opens_find(self, key: str) -> bool:
        """Whether a key opens the line to search by; not one that answers now."""
        return not self._answers(key) and super().opens_find(key)

    # ── asking ──────────────────────────────────────────────────────────────

    def show_question(self) -> None:
        """Show what is asked now and what is answered, or the vote keys where that is nothing."""
        asking = self.session.asking
        self._show_strip()
        if asking is None or self.session.is_declining:
            return
        if self._failed:
            self.say(self._so_far(asking))
        else:
            super().say(self._so_far(asking))

    def _show_strip(self) -> None:
        asking, strip = self.session.asking, self.query_one(AskingStrip)
        if self.session.is_declining:
            reasons = self.session.asked.cannot_judge_reasons
            strip.ask(Question("Why not?", [*_numbered(reasons), _key("escape", "back")]))
        elif asking is None or asking.step is None:
            strip.ask(None)
        else:
            strip.ask(_question(asking, asking.step, self._votes))
        self._make_room()

    def _make_room(self) -> None:
        """Give a second row of the strip the footer's place: the answers keep theirs."""
        # Taken off the screen it would have every widget painted anew; without height, none.
        self.query_one("#keys").set_class(self.query_one(AskingStrip).rows > 1, "-gone")

    def on_resize(self) -> None:
        self.call_after_refresh(self._make_room)

    def _so_far(self, asking: Asking) -> str:
        """What is answered, and that it is not saved; the latest answers where not all fit."""
        said = [one_line(words, 60) for words in asking.answered()]
        room, dots = self.size.width - 2, ""
        while True:
            line = f"Not saved yet: {dots}{' · '.join(said)}"
            if cell_len(line) <= room or len(said) < 2:
                return line
            said, dots = said[1:], "… "

    def say(self, message: str, *, warning: bool = False) -> None:
        """Tell the reader something, and that a vote on its way is not saved, if there is one."""
        if self._failed:
            message, warning = f"{self._failed} {message}".rstrip(), True
        elif self.session.asking is not None and not warning:
            message = f"Not saved yet. {message}"
        super().say(message, warning=warning)

    def say_failed(self, message: str) -> None:
        """Tell that a vote was not saved, with all that is said until :meth:`end_failed`."""
        self._failed = message
        self.say("")

    def end_failed(self) -> None:
        """The vote that was not saved is tried again, or is no longer what this is about."""
        self._failed = ""

    def _is_too_soon(self) -> bool:
        """Whether a key was pressed before what is on the screen could be read; says so then."""
        is_hasty = self.session.is_hasty()
        if is_hasty:
            self.say("A key pressed before this could be read did nothing.")
        return is_hasty

    def takes_vote(self, seen: Seen) -> bool:
        """Let a vote key answer what is asked; False where nothing is."""
        asking = self.session.asking
        if (asking is not None or self._failed) and self._is_too_soon():
            return True
        if self.session.is_declining:
            self.say("Why can you not judge it? A digit says so, Esc goes back.")
        elif asking is not None:
            self._go_on(asking, lambda: asking.vote(seen))
        return self.session.is_declining or asking is not None

    def action_answer(self, key: str) -> None:
        """Answer what is asked: a digit chooses, Enter goes on, Esc goes back."""
        asking = self.session.asking
        if self._is_too_soon():
            return
        if self.session.is_declining:
            self._answer_why(key)
        elif asking is not None and key == "escape":
            if asking.back():
                self.show_question()
            else:
                self.withdraw_vote()
        elif asking is not None and key in _DIGITS:
            self._go_on(asking, lambda: asking.digit(int(key)))
        elif asking is not None:
            self._go_on(asking, asking.confirm)

    def _go_on(self, asking: Asking, answer: Callable[[], bool]) -> None:
        if not answer():
            step = asking.step
            most = len(step.options) if step else 0
            self.say(f"This is answered with 1 to {most}.")
        elif asking.step is None and not self.cast_vote(asking):
            asking.back()  # what was answered last is still marked: Enter tries again
            self._show_strip()
        else:
            self.show_question()

    def withdraw_vote(self) -> None:
        """Forget a vote that is on its way."""
        self.session.withdraw()
        self.end_failed()
        self.show_question()
        self.say("Withdrawn: nothing was saved. Vote again.")

    # ── who cannot judge ────────────────────────────────────────────────────

    def action_cannot_judge(self) -> None:
        """Ask why, or go back."""
        if self.session.current is None:
            return
        if not self.session.counts:
            self.say("This is not counted: vote as well as you can.")
            return
        if not self.session.asked.cannot_judge_reasons:
            self.say("This study asks for a vote on every pair.")
            return
        self.session.is_declining = not self.session.is_declining
        self.show_question()
        if self.session.is_declining:
            self.say("If you cannot judge it, it is closed to you, and others get it.")
        elif self.session.asking is None:
            self.say("Not declined.")

    def _answer_why(self, key: str) -> None:
        reasons = self.session.asked.cannot_judge_reasons
        if key == "escape":
            self.action_cannot_judge()
        elif int(key) <= len(reasons):
            self.decline(reasons[int(key) - 1])
        else:
            self.say(f"This is answered with 1 to {len(reasons)}.")


def _question(asking: Asking, step: Step, votes: Sequence[Action]) -> Question:
    """What a step asks, and every key that answers it."""
    return Question(
        f"{one_line(step.name, 40)} ({asking.at + 1}/{len(asking.steps)})?",
        [*_options(asking, step, votes), *_ways(asking, step)],
    )


def _options(asking: Asking, step: Step, votes: Sequence[Action]) -> Iterator[Action]:
    if step.kind is not Kind.CRITERION:
        # Tags come and go: each keeps a cell for its mark, so that none moves.
        yield from _numbered(step.options, asking.marked(), "·" if step.kind is Kind.TAGS else "")
        return
    marked = {f"vote('{seen}')" for seen in asking.marked()}
    for vote in votes:
        sign = "✓" if vote.do in marked else ""
        short = f"{sign}{vote.short or vote.label}"
        yield Action(vote.id, vote.do, vote.keys, f"{sign}{vote.label}", vote.help, VOTE, short)


def _numbered(
    names: Sequence[str], marked: Container[object] = (), unmarked: str = ""
) -> Iterator[Action]:
    for number, name in enumerate(names, 1):
        yield _key(str(number), ("✓" if number in marked else unmarked) + name)


def _ways(asking: Asking, step: Step) -> Iterator[Action]:
    is_last = asking.at + 1 == len(asking.steps)
    if step.kind is Kind.TAGS:
        yield _key("enter", "saves" if is_last else "goes on")
    elif asking.has_answer:
        yield _key("enter", "keeps ✓")
    yield _key("escape", "back" if asking.at else "withdraws")


def _key(key: str, label: str) -> Action:
    return Action(f"answer.{key}", f"answer('{key}')", (key,), label, "", REST)

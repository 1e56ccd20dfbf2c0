"""One table of what a person can do, from which keys, footer, help and docs follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual.binding import Binding, BindingType

_NAMES = {
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "slash": "/",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "enter": "Enter",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "escape": "Esc",
    "up": "↑",
    "down": "↓",
}


def key_name(key: str) -> str:
    """How a key is written for people: ``Ctrl+Q``, ``F1``, ``?``."""
    if len(key) == 1:
        return key
    return "+".join(_NAMES.get(part, part.capitalize()) for part in key.split("+"))


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does.

    Attributes:
        do: the screen's action, as Textual calls it.
        keys: Textual's names, the one shown first. Never Ctrl+M, Ctrl+I or Ctrl+H: a terminal
            cannot tell them from Enter, Tab and Backspace.
        label: one or two words for the footer; empty where the footer leaves it out.
        help: a sentence for the help screen.
    """

    do: str
    keys: tuple[str, ...]
    label: str
    help: str
    group: str

    def shown_keys(self) -> str:
        """The keys as people read them."""
        return " ".join(map(key_name, self.keys))


VOTE, READ, PAIR, REST = "Vote", "Read", "This pair", "Everything else"

ANNOTATE: Sequence[Action] = (
    Action("vote('left')", ("1", "a"), "A is better", "A is the better answer.", VOTE),
    Action("vote('right')", ("2", "b"), "B is better", "B is the better answer.", VOTE),
    Action("vote('tie')", ("3", "t"), "tie", "A and B are equally good.", VOTE),
    Action("vote('both_bad')", ("4", "x"), "both bad", "Neither is acceptable.", VOTE),
    Action("scroll(1)", ("j", "down"), "", "Scroll one line down.", READ),
    Action("scroll(-1)", ("k", "up"), "", "Scroll one line up.", READ),
    Action("page(1)", ("space", "pagedown"), "page", "Scroll one page down.", READ),
    Action("page(-1)", ("w", "pageup"), "", "Scroll one page up.", READ),
    Action("ends(-1)", ("g", "home"), "", "Go to the start.", READ),
    Action("ends(1)", ("G", "end"), "", "Go to the end.", READ),
    Action(
        "aim",
        ("tab",),
        "aim",
        "Choose what scrolls: both answers, A alone, B alone, or the question.",
        READ,
    ),
    Action("find", ("slash",), "find", "Find a text in both answers.", READ),
    Action("match(1)", ("greater_than_sign", "enter"), "", "Go to the next match.", READ),
    Action("match(-1)", ("less_than_sign",), "", "Go to the previous match.", READ),
    Action("end_find", ("escape",), "", "End the search, back where you were.", READ),
    Action("differences", ("d",), "diff", "Mark words that only one answer has.", READ),
    Action("zoom", ("z",), "zoom", "Show A alone, B alone, or both again.", READ),
    Action(
        "arrange",
        ("y",),
        "layout",
        "Lay the answers out side by side, stacked, or one at a time.",
        READ,
    ),
    Action("reference", ("v",), "reference", "Show the reference answer.", READ),
    Action("guidelines", ("e",), "rubric", "Show what this study asks to judge by.", READ),
    Action("lock", ("l",), "lock", "Scroll both answers together, or each alone.", READ),
    Action("raw", ("r",), "raw", "Show the answers' source, nothing rendered.", READ),
    Action("jump('heading', 1)", ("right_curly_bracket",), "", "Go to the next heading.", READ),
    Action("jump('heading', -1)", ("left_curly_bracket",), "", "Go to the heading before.", READ),
    Action("jump('code', 1)", ("right_parenthesis",), "", "Go to the next code.", READ),
    Action("jump('code', -1)", ("left_parenthesis",), "", "Go to the code before.", READ),
    Action("turn(-1)", ("left_square_bracket",), "", "Look at the turn before.", READ),
    Action("turn(1)", ("right_square_bracket",), "", "Look at the turn after.", READ),
    Action("note", ("n",), "note", "Write a note; it is saved with the vote.", PAIR),
    Action("flag", ("f",), "flag", "Flag the pair to the lead, or take the flag away.", PAIR),
    Action("skip", ("s",), "skip", "Put the pair aside; it comes back at the end.", PAIR),
    Action("undo", ("u",), "undo", "Take back the last vote or skip, as often as you like.", PAIR),
    Action("help", ("question_mark", "f1"), "help", "Show this help and the guidelines.", REST),
    Action("app.quit", ("ctrl+q",), "quit", "Leave; you return to the same pair.", REST),
)

LEAD: Sequence[Action] = (
    Action("scroll(1)", ("j", "down"), "", "Scroll one line down.", READ),
    Action("scroll(-1)", ("k", "up"), "", "Scroll one line up.", READ),
    Action("page(1)", ("space", "pagedown"), "page", "Scroll one page down.", READ),
    Action("page(-1)", ("w", "pageup"), "", "Scroll one page up.", READ),
    Action("next(1)", ("tab",), "next", "Show the next statistic.", READ),
    Action("next(-1)", ("shift+tab",), "", "Show the statistic before.", READ),
    Action("help", ("question_mark", "f1"), "help", "Show this help.", REST),
    Action("app.quit", ("ctrl+q",), "quit", "Leave.", REST),
)

MODAL: Sequence[Action] = (
    Action("close", ("escape", "q"), "back", "Go back.", REST),
    Action("scroll(1)", ("j", "down"), "", "Scroll one line down.", READ),
    Action("scroll(-1)", ("k", "up"), "", "Scroll one line up.", READ),
    Action("page(1)", ("space", "pagedown"), "page", "Scroll one page down.", READ),
    Action("page(-1)", ("w", "pageup"), "", "Scroll one page up.", READ),
)


def bindings(actions: Iterable[Action]) -> list[BindingType]:
    """The key bindings of a screen."""
    return [
        Binding(",".join(action.keys), action.do, action.label or action.help, show=False)
        for action in actions
    ]

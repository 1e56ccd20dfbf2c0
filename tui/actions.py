"""One table of what a person can do, from which keys, footer, help and docs follow."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

_NAMES = {
    "space": "Space",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "escape": "Esc",
    "insert": "Ins",
    "delete": "Del",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "slash": "/",
    "backslash": "\\",
    "minus": "-",
    "plus": "+",
    "at": "@",
    "underscore": "_",
    "less_than_sign": "<",
    "greater_than_sign": ">",
}


def key_name(key: str) -> str:
    """How a key is written for people: ``Ctrl+Q``, ``F1``, ``?``."""
    *held, last = key.split("+")
    if held and len(last) == 1:
        last = last.upper()
    return "+".join([*(part.capitalize() for part in held), _part_name(last)])


def _part_name(part: str) -> str:
    if part in _NAMES or len(part) == 1:
        return _NAMES.get(part, part)
    try:
        character = unicodedata.lookup(part.replace("_", " "))
    except KeyError:
        return part.capitalize()
    return character if character.isprintable() else part.capitalize()


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does.

    Attributes:
        id: what the settings file calls it. It never changes, and the same id on two screens
            has the same keys on both.
        do: the screen's action, as Textual calls it.
        keys: Textual's names, the one shown first. Never Ctrl+M, Ctrl+I or Ctrl+H: a terminal
            cannot tell them from Enter, Tab and Backspace.
        label: one or two words for the footer; empty where the footer leaves it out.
        help: a sentence for the help screen.
        short: the label where the screen is too narrow for it.
    """

    id: str
    do: str
    keys: tuple[str, ...]
    label: str
    help: str
    group: str
    short: str = ""

    def shown_keys(self) -> str:
        """The keys as people read them."""
        return " ".join(map(key_name, self.keys))

    def first_key(self) -> str:
        """The key that footers and messages name."""
        return key_name(self.keys[0])


VOTE, READ, PAIR, REST = "Vote", "Read", "This pair", "Everything else"
PEOPLE = "This person"
JUDGE = "This judge"

ANNOTATE: Sequence[Action] = (
    Action(
        "vote.a", "vote('left')", ("1", "a"), "A is better", "A is the better answer.", VOTE, "A"
    ),
    Action(
        "vote.b", "vote('right')", ("2", "b"), "B is better", "B is the better answer.", VOTE, "B"
    ),
    Action("vote.tie", "vote('tie')", ("3", "t"), "tie", "A and B are equally good.", VOTE),
    Action(
        "vote.both_bad",
        "vote('both_bad')",
        ("4", "x"),
        "both bad",
        "Neither is acceptable.",
        VOTE,
        "bad",
    ),
    Action("read.line_down", "scroll(1)", ("j", "down"), "", "Scroll one line down.", READ),
    Action("read.line_up", "scroll(-1)", ("k", "up"), "", "Scroll one line up.", READ),
    Action(
        "read.page_down", "page(1)", ("space", "pagedown"), "page", "Scroll one page down.", READ
    ),
    Action("read.page_up", "page(-1)", ("w", "pageup"), "", "Scroll one page up.", READ),
    Action("read.start", "ends(-1)", ("g", "home"), "", "Go to the start.", READ),
    Action("read.end", "ends(1)", ("G", "end"), "", "Go to the end.", READ),
    Action(
        "read.aim",
        "aim",
        ("tab",),
        "aim",
        "Choose what scrolls: both answers, A alone, B alone, or the question.",
        READ,
    ),
    Action(
        "read.find",
        "find",
        ("slash",),
        "find",
        "Find a text in the answers, the question and other turns.",
        READ,
    ),
    Action(
        "read.next_match",
        "match(1)",
        ("greater_than_sign", "enter"),
        "",
        "Go to the next match.",
        READ,
    ),
    Action(
        "read.previous_match",
        "match(-1)",
        ("less_than_sign",),
        "",
        "Go to the previous match.",
        READ,
    ),
    Action(
        "read.end_find", "end_find", ("escape",), "", "End the search, back where you were.", READ
    ),
    Action(
        "read.differences",
        "differences",
        ("d",),
        "diff",
        "Mark words that only one answer has.",
        READ,
    ),
    Action("read.zoom", "zoom", ("z",), "zoom", "Show A alone, B alone, or both again.", READ),
    Action(
        "read.arrange",
        "arrange",
        ("y",),
        "layout",
        "Lay the answers out side by side, stacked, or one at a time.",
        READ,
    ),
    Action("read.reference", "reference", ("v",), "reference", "Show the reference answer.", READ),
    Action(
        "read.guidelines",
        "guidelines",
        ("e",),
        "rubric",
        "Show what this study asks to judge by.",
        READ,
    ),
    Action(
        "read.lock", "lock", ("l",), "lock", "Scroll both answers together, or each alone.", READ
    ),
    Action("read.raw", "raw", ("r",), "raw", "Show the answers' source, nothing rendered.", READ),
    Action(
        "read.next_heading",
        "jump('heading', 1)",
        ("right_curly_bracket",),
        "",
        "Go to the next heading.",
        READ,
    ),
    Action(
        "read.previous_heading",
        "jump('heading', -1)",
        ("left_curly_bracket",),
        "",
        "Go to the heading before.",
        READ,
    ),
    Action(
        "read.next_code",
        "jump('code', 1)",
        ("right_parenthesis",),
        "",
        "Go to the next code.",
        READ,
    ),
    Action(
        "read.previous_code",
        "jump('code', -1)",
        ("left_parenthesis",),
        "",
        "Go to the code before.",
        READ,
    ),
    Action(
        "read.turn_before",
        "turn(-1)",
        ("left_square_bracket",),
        "",
        "Look at the turn before.",
        READ,
    ),
    Action(
        "read.turn_after", "turn(1)", ("right_square_bracket",), "", "Look at the turn after.", READ
    ),
    Action("pair.note", "note", ("n",), "note", "Write a note; it is saved with the vote.", PAIR),
    Action(
        "pair.flag",
        "flag",
        ("f",),
        "flag",
        "Flag the pair to the lead, or take the flag away.",
        PAIR,
    ),
    Action(
        "pair.skip", "skip", ("s",), "skip", "Put the pair aside; it comes back at the end.", PAIR
    ),
    Action(
        "pair.undo",
        "undo",
        ("u",),
        "undo",
        "Take back what you did last, as often as you like.",
        PAIR,
    ),
    Action(
        "pair.cannot_judge",
        "cannot_judge",
        ("c",),
        "can't judge",
        "Say why you cannot judge the pair; it goes to somebody else.",
        PAIR,
        "can't",
    ),
    Action(
        "history",
        "history",
        ("h",),
        "history",
        "Search your own votes, reopen a pair, change its vote.",
        PAIR,
        "own",
    ),
    Action("pause", "pause", ("p",), "pause", "Stop the clock and hide the pair.", REST),
    Action("theme", "app.next_theme", ("comma",), "", "Take the next theme.", REST),
    Action(
        "help", "help", ("question_mark", "f1"), "help", "Show this help and the guidelines.", REST
    ),
    Action("quit", "app.quit", ("ctrl+q",), "quit", "Leave; you return to the same pair.", REST),
)

_TO_OPEN = Action(
    "lead.open",
    "open",
    ("enter",),
    "what is behind it",
    "Show what the chosen number rests on.",
    READ,
)

LEAD: Sequence[Action] = (
    _TO_OPEN,
    Action("lead.filter", "filter", ("f",), "filter", "Choose what the numbers are about.", READ),
    Action("read.line_down", "scroll(1)", ("j", "down"), "", "Go to the number below.", READ),
    Action("read.line_up", "scroll(-1)", ("k", "up"), "", "Go to the number above.", READ),
    Action("lead.right", "across(1)", ("l", "right"), "", "Go to the next number.", READ),
    Action("lead.left", "across(-1)", ("h", "left"), "", "Go to the number before.", READ),
    Action(
        "read.page_down", "page(1)", ("space", "pagedown"), "page", "Scroll one page down.", READ
    ),
    Action("read.page_up", "page(-1)", ("w", "pageup"), "", "Scroll one page up.", READ),
    Action("lead.next", "next(1)", ("tab",), "next", "Show the next page.", READ),
    Action("lead.before", "next(-1)", ("shift+tab",), "", "Show the page before.", READ),
    Action("lead.cancel", "cancel", ("x",), "", "Leave out the statistics not computed yet.", READ),
    Action("theme", "app.next_theme", ("comma",), "", "Take the next theme.", REST),
    Action("help", "help", ("question_mark", "f1"), "help", "Show this help.", REST),
    Action("quit", "app.quit", ("ctrl+q",), "quit", "Leave.", REST),
)

NUMBER: Sequence[Action] = (
    Action("back", "close", ("escape", "q"), "back", "Go back to the numbers.", REST),
    replace(_TO_OPEN, label="read", help="Read the chosen pair."),
    Action("read.line_down", "scroll(1)", ("j", "down"), "", "Go to the next pair.", READ),
    Action("read.line_up", "scroll(-1)", ("k", "up"), "", "Go to the pair before.", READ),
    Action("read.page_down", "page(1)", ("space", "pagedown"), "page", "Go one page down.", READ),
    Action("read.page_up", "page(-1)", ("w", "pageup"), "", "Go one page up.", READ),
    Action("quit", "app.quit", ("ctrl+q",), "", "Leave.", REST),
)

FILTERS: Sequence[Action] = (
    replace(_TO_OPEN, label="choose", help="Choose a value for what is marked."),
    Action("filter.clear", "clear", ("c",), "clear all", "Look at everything again.", READ),
    Action("back", "close", ("escape", "q"), "done", "Go back with what is chosen.", REST),
    Action("read.line_down", "scroll(1)", ("j", "down"), "", "Go one line down.", READ),
    Action("read.line_up", "scroll(-1)", ("k", "up"), "", "Go one line up.", READ),
)

PICK: Sequence[Action] = (
    Action("pick.take", "take", ("enter", "tab"), "take", "Take the marked value.", READ),
    Action("pick.back", "close", ("escape",), "leave it", "Leave it as it was.", REST),
)
"""Keys beside a line that is typed in, so that no letter may be one; arrows go up and down."""

MODAL: Sequence[Action] = (
    Action("back", "close", ("escape", "q"), "back", "Go back.", REST),
    Action("read.line_down", "scroll(1)", ("j", "down"), "", "Scroll one line down.", READ),
    Action("read.line_up", "scroll(-1)", ("k", "up"), "", "Scroll one line up.", READ),
    Action(
        "read.page_down", "page(1)", ("space", "pagedown"), "page", "Scroll one page down.", READ
    ),
    Action("read.page_up", "page(-1)", ("w", "pageup"), "", "Scroll one page up.", READ),
)

HISTORY: Sequence[Action] = (
    Action(
        "votes.open",
        "open",
        ("enter",),
        "open",
        "Show the pair again as it was shown, to look at it or to change the vote.",
        REST,
    ),
    Action("read.find", "find", ("slash",), "search", "Search your votes for words.", READ),
    Action(
        "votes.every",
        "every",
        ("tab",),
        "also changed ones",
        "List the votes that you changed or took back, too, or no longer.",
        REST,
        "all",
    ),
    Action("read.line_down", "scroll(1)", ("j", "down"), "", "Go to the next vote.", READ),
    Action("read.line_up", "scroll(-1)", ("k", "up"), "", "Go to the vote before.", READ),
    Action("read.page_down", "page(1)", ("space", "pagedown"), "page", "Go one page down.", READ),
    Action("read.page_up", "page(-1)", ("w", "pageup"), "", "Go one page up.", READ),
    Action("read.start", "ends(-1)", ("g", "home"), "", "Go to the newest vote.", READ),
    Action("read.end", "ends(1)", ("G", "end"), "", "Go to the oldest vote.", READ),
    Action("theme", "app.next_theme", ("comma",), "", "Take the next theme.", REST),
    Action("help", "help", ("question_mark", "f1"), "help", "Show this help.", REST),
    Action(
        "back",
        "close",
        ("escape", "q"),
        "back",
        "Stop a search, then end it, then go back to the pair you were on.",
        REST,
    ),
)

FLOOR: Sequence[Action] = (
    Action(
        "floor.open", "open", ("enter",), "open", "Show what this person's numbers rest on.", READ
    ),
    Action(
        "floor.pause",
        "ask('pause')",
        ("p",),
        "pause",
        "Let this person have no pairs until they are resumed.",
        PEOPLE,
    ),
    Action(
        "floor.resume",
        "ask('resume')",
        ("r",),
        "resume",
        "Let a paused or retired person vote again.",
        PEOPLE,
    ),
    Action(
        "floor.reassign",
        "ask('reassign')",
        ("b",),
        "reassign",
        "Give this person's open pairs back to the others.",
        PEOPLE,
    ),
    Action(
        "floor.retire",
        "ask('retire')",
        ("x",),
        "retire",
        "Let this person go; their votes stay, their open pairs go to others.",
        PEOPLE,
    ),
    Action("read.line_down", "scroll(1)", ("j", "down"), "", "Go to the next person.", READ),
    Action("read.line_up", "scroll(-1)", ("k", "up"), "", "Go to the person before.", READ),
    Action("read.page_down", "page(1)", ("space", "pagedown"), "page", "Go one page down.", READ),
    Action("read.page_up", "page(-1)", ("w", "pageup"), "", "Go one page up.", READ),
    Action("theme", "app.next_theme", ("comma",), "", "Take the next theme.", REST),
    Action("help", "help", ("question_mark", "f1"), "help", "Show this help.", REST),
    Action("quit", "app.quit", ("ctrl+q",), "quit", "Leave.", REST),
)

JUDGES: Sequence[Action] = (
    Action(
        "judges.open",
        "open",
        ("enter",),
        "open",
        "Go from a judge to its details, and from a class there to its verdicts.",
        READ,
    ),
    Action(
        "judges.other",
        "other",
        ("tab",),
        "details",
        "Move in the judges, or in the details of the chosen one.",
        READ,
    ),
    Action(
        "judges.pause",
        "ask('pause')",
        ("p",),
        "pause",
        "Let no call of this judge begin until it is resumed.",
        JUDGE,
    ),
    Action("judges.resume", "ask('resume')", ("r",), "resume", "Let a paused judge go on.", JUDGE),
    Action(
        "judges.retry",
        "ask('retry')",
        ("t",),
        "retry failed",
        "Try once more what failed; both verdicts stay in the log.",
        JUDGE,
        "retry",
    ),
    Action(
        "judges.cancel",
        "ask('cancel')",
        ("x",),
        "cancel",
        "End the work of this judge and empty its queue; what is recorded stays.",
        JUDGE,
    ),
    Action(
        "judges.work",
        "ask('work')",
        ("b",),
        "background",
        "Let the judges work in the background while this app is open, or no longer.",
        REST,
        "work",
    ),
    Action("read.line_down", "scroll(1)", ("j", "down"), "", "Go to the next line.", READ),
    Action("read.line_up", "scroll(-1)", ("k", "up"), "", "Go to the line before.", READ),
    Action("read.page_down", "page(1)", ("space", "pagedown"), "page", "Go one page down.", READ),
    Action("read.page_up", "page(-1)", ("w", "pageup"), "", "Go one page up.", READ),
    Action("theme", "app.next_theme", ("comma",), "", "Take the next theme.", REST),
    Action("help", "help", ("question_mark", "f1"), "help", "Show this help.", REST),
    Action("quit", "app.quit", ("ctrl+q",), "quit", "Leave.", REST),
)

VERDICTS: Sequence[Action] = (
    Action(
        "judges.open",
        "open",
        ("enter",),
        "open",
        "Show the verdict whole, with the raw reply.",
        READ,
    ),
    Action("read.line_down", "scroll(1)", ("j", "down"), "", "Go to the next verdict.", READ),
    Action("read.line_up", "scroll(-1)", ("k", "up"), "", "Go to the verdict before.", READ),
    Action("read.page_down", "page(1)", ("space", "pagedown"), "page", "Go one page down.", READ),
    Action("read.page_up", "page(-1)", ("w", "pageup"), "", "Go one page up.", READ),
    Action("back", "close", ("escape", "q"), "back", "Go back.", REST),
)

CONFIRM: Sequence[Action] = (
    Action("confirm.yes", "answer(True)", ("y",), "yes", "Do what was asked.", REST),
    Action("confirm.no", "answer(False)", ("n", "escape"), "no", "Leave it as it is.", REST),
)


def _reading() -> Iterator[Action]:
    """What reads two answers, as on the voting screen."""
    return (action for action in ANNOTATE if action.group == READ)


RULE = "Rule"
CASE = "This case"

QUEUE: Sequence[Action] = (
    Action(
        "queue.open",
        "open",
        ("enter",),
        "rule",
        "Open the chosen case, blind; once you have unmasked it, with its names.",
        CASE,
    ),
    Action(
        "queue.teach",
        "teach",
        ("p",),
        "teach",
        "Give a ruling of yours to the practice round, or make it a check that lets people in.",
        CASE,
    ),
    Action("queue.order", "order(1)", ("o",), "order", "Order by the next column.", READ),
    Action("queue.turn_round", "turn_round", ("v",), "", "Turn the order round.", READ),
    Action(
        "queue.reason",
        "sift('reason')",
        ("r",),
        "reason",
        "List the cases of one reason, of the next one, or of all.",
        READ,
    ),
    Action(
        "queue.category",
        "sift('category')",
        ("c",),
        "category",
        "List the cases of one category, of the next one, or of all.",
        READ,
        "cat.",
    ),
    Action(
        "queue.every",
        "every",
        ("tab",),
        "also ruled",
        "List the cases that are ruled on, too; then those alone on which leads disagree.",
        READ,
        "all",
    ),
    Action("read.line_down", "scroll(1)", ("j", "down"), "", "Go to the next case.", READ),
    Action("read.line_up", "scroll(-1)", ("k", "up"), "", "Go to the case before.", READ),
    Action("read.page_down", "page(1)", ("space", "pagedown"), "page", "Go one page down.", READ),
    Action("read.page_up", "page(-1)", ("w", "pageup"), "", "Go one page up.", READ),
    Action("read.start", "ends(-1)", ("g", "home"), "", "Go to the first case.", READ),
    Action("read.end", "ends(1)", ("G", "end"), "", "Go to the last case.", READ),
    Action("theme", "app.next_theme", ("comma",), "", "Take the next theme.", REST),
    Action("help", "help", ("question_mark", "f1"), "help", "Show this help.", REST),
    Action("quit", "app.quit", ("ctrl+q",), "quit", "Leave.", REST),
)

_OUTCOMES = (
    Action(
        "vote.a", "rule('left')", ("1", "a"), "A is better", "A is the better answer.", RULE, "A"
    ),
    Action(
        "vote.b", "rule('right')", ("2", "b"), "B is better", "B is the better answer.", RULE, "B"
    ),
    Action("vote.tie", "rule('tie')", ("3", "t"), "tie", "A and B are equally good.", RULE),
    Action(
        "vote.both_bad",
        "rule('both_bad')",
        ("4", "x"),
        "both bad",
        "Neither is acceptable.",
        RULE,
        "bad",
    ),
    Action(
        "rule.not_decidable",
        "rule('not_decidable')",
        ("5",),
        "not decidable",
        "Nobody can tell: the case is closed without a label.",
        RULE,
        "none",
    ),
    Action(
        "rule.more_votes",
        "rule('more_votes')",
        ("6",),
        "more votes",
        "Send it back for more votes.",
        RULE,
        "more",
    ),
)

_ON_A_CASE = (
    Action(
        "pair.note",
        "reason",
        ("n",),
        "reason",
        "Write the reason; it is kept as you type, and saved with the ruling.",
        CASE,
    ),
    Action(
        "pair.flag",
        "second_opinion",
        ("f",),
        "2nd opinion",
        "Ask another lead to rule on this case too, or say why you should not.",
        CASE,
        "2nd",
    ),
    Action(
        "pair.undo",
        "undo",
        ("u",),
        "undo",
        "Take back the ruling you gave last; both stay in the log.",
        CASE,
    ),
)

_FINAL = Action(
    "rule.final",
    "final",
    ("9",),
    "final",
    "Have your next ruling on this case settle what leads disagree about, or no longer.",
    CASE,
)

_FROM_A_CASE = (
    Action("history", "close", ("h",), "list", "Go back to the list of cases.", CASE),
    Action(
        "help", "help", ("question_mark", "f1"), "help", "Show this help and the guidelines.", REST
    ),
    Action("quit", "app.quit", ("ctrl+q",), "quit", "Leave; the reason waits for you.", REST),
)

RULING: Sequence[Action] = (
    *_OUTCOMES,
    *_reading(),
    *_ON_A_CASE,
    Action(
        "pair.skip", "skip", ("s",), "skip", "Leave the case for later, or to another lead.", CASE
    ),
    Action(
        "rule.unmask",
        "unmask",
        ("7",),
        "unmask last",
        "Show who wrote and who said what on the case you ruled on last; you may revise then.",
        CASE,
        "unmask",
    ),
    *_FROM_A_CASE,
)

UNMASKED: Sequence[Action] = (
    # What more votes bring is to be ruled on blind, so nobody sends for them from here.
    *(action for action in _OUTCOMES if action.id != "rule.more_votes"),
    *_reading(),
    *_ON_A_CASE,
    Action(
        "pair.skip", "skip", ("s",), "leave it", "Let the ruling stand, and go on.", CASE, "next"
    ),
    Action(
        "rule.teach",
        "teach",
        ("8",),
        "teach",
        "Give the ruling to the practice round, or make it a check that lets people in.",
        CASE,
    ),
    _FINAL,
    *_FROM_A_CASE,
)

TEACH: Sequence[Action] = (
    Action(
        "teach.practice",
        "choose('practice')",
        ("p", "1"),
        "practice",
        "A lesson of the practice round, with your reason.",
        REST,
    ),
    Action(
        "teach.check",
        "choose('qualification')",
        ("c", "2"),
        "gold check",
        "A check of the qualification: who gets too few of them right is not let in.",
        REST,
    ),
    Action("back", "close", ("escape", "q"), "back", "Teach nothing.", REST),
)

TABLES: Mapping[str, Sequence[Action]] = {
    "annotate": ANNOTATE,
    "lead": LEAD,
    "number": NUMBER,
    "filters": FILTERS,
    "pick": PICK,
    "reader": MODAL,
    "history": HISTORY,
    "floor": FLOOR,
    "judges": JUDGES,
    "verdicts": VERDICTS,
    "confirm": CONFIRM,
    "adjudicate": QUEUE,
    "ruling": RULING,
    "unmasked": UNMASKED,
    "teach": TEACH,
}
"""Every table, by the screen that has its keys."""

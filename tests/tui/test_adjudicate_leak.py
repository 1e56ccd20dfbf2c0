"""Nothing painted before a lead unmasks holds a model's, a judge's or an annotator's name.

Canaries stand in every name, and in notes, flags, tags and explanations besides. Answers are shown
as annotators see them, verbatim: what a model says of itself there stays.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.records import Annotator, Choice, Pair, Record, Vote
from core.stats import Tally, compute
from core.stats.behind import behind
from core.stats.view import View
from db.feed import Feed
from db.store import Store
from tests.adjudicating import Lead, disputed_study, disputes, lead
from tests.docs import said
from tests.studies import rows
from tui.live import options_of
from tui.ruling_screen import RulingScreen
from tui.widgets.note import NoteModal

MODELS = ("Kingfisher-70b-chat", "org/Nightjar-8b")
PEOPLE = ("quetzal.expert", "Wryneck Jones")
JUDGES = ("judge-bittern", "corncrake v2")
SIMULATED = "sim-dunnock"
CANARIES = ("kingfisher", "nightjar", "quetzal", "wryneck", "bittern", "corncrake", "dunnock")
TOLD = (
    "Kingfisher-70b-chat beats org/Nightjar-8b, says quetzal.expert; KINGFISHER is longer, "
    "Wryneck Jones and judge-bittern agree, corncrake v2 does not, nor sim-dunnock. Night"
    "jar 8B rambles."
)
SIZES = [(80, 24), (200, 50)]  # the opinions below the answers, and beside them


def canaries() -> Iterator[Record]:
    """Disputes whose every name is a canary, and whose every remark says them all."""
    yield Annotator(SIMULATED, simulated=True)
    for record in disputes(
        4, models=MODELS, people=PEOPLE, judges=JUDGES, note=TOLD, why=TOLD, tags=["short"]
    ):
        if isinstance(record, Vote):
            yield replace(record, flag=TOLD, tags=(TOLD[:20],))
        else:
            yield record
    for number in range(4):
        pair, _ = Pair.of(f"q{number}", *MODELS)
        yield Vote(f"s{number}", pair, 1, SIMULATED, Choice.TIE, note=TOLD)
    pair, _ = Pair.of("q0", *MODELS)
    yield Vote("lea0", pair, 1, "lea", Choice.MODEL_2)
    yield Vote("c0", pair, 1, "leo", None, cannot_judge=TOLD)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return disputed_study(tmp_path / "study.db", canaries())


KEYS = tuple(Pair.of(f"q{number}", *MODELS)[0].key for number in range(4))
"""What whoever has a list of likely names can work out."""


def leaks(text: str) -> set[str]:
    """Which canaries a text holds, whatever stands between their letters; and keys made of them."""
    bare = re.sub(r"[\W_]+", "", text.casefold())
    return {name for name in CANARIES if name in bare} | {key for key in KEYS if key[:8] in bare}


class Eye:
    """Looks at all that is painted, exported and said."""

    def __init__(self, one: Lead) -> None:
        self.one = one
        self.seen: dict[str, set[str]] = {}
        self.texts: list[str] = []

    async def press(self, *keys: str) -> None:
        """Press keys and look after each."""
        for key in keys:
            await self.one.press(key)
            self.look(key)

    def look(self, at: str) -> None:
        """Look at the screen, its picture and every widget's content, in sight or not."""
        app = self.one.app
        svg = html.unescape(re.sub(r"<[^>]+>", "", app.export_screenshot(title="tiebreak")))
        contents = " ".join(
            str(getattr(widget, "content", "")) + str(getattr(widget, "text", ""))
            for screen in app.screen_stack
            for widget in screen.query("*")
        )
        titles = f"{app.title} {app.sub_title} {app.screen.title} {app.screen.sub_title}"
        toasts = " ".join(note.message for note in app._notifications)
        for where, text in {
            "painted": self.one.painted(),
            "picture": svg,
            "contents": contents,
            "titles": titles + toasts,
        }.items():
            self.texts.append(text)
            if found := leaks(text):
                self.seen[f"{where} after {at!r}"] = found


@pytest.mark.parametrize("size", SIZES)
async def test_no_screen_before_unmasking_holds_a_name(study: Path, size: tuple[int, int]) -> None:
    async with lead(study, size) as one:
        eye = Eye(one)
        eye.look("start")
        await eye.press("o", "o", "o", "v", "r", "r", "r", "r", "c", "c", "c", "tab", "G", "g")
        await eye.press("question_mark", "G", "escape", "tab", "p")
        for _ in range(4):
            await eye.press("r")
        await one.until("4 listed")
        while one.cases.chosen is None or one.cases.chosen.question != "q0":
            await eye.press("j")
        await eye.press("enter")
        assert isinstance(one.app.screen, RulingScreen)
        assert "[name hidden]" in eye.texts[-2], "the remarks are there"
        assert "yours, earlier" in eye.texts[-2]
        reading = ("z", "z", "z", "y", "y", "y", "r", "r", "d", "d", "v", "e", "l", "l")
        await eye.press(*reading)
        await eye.press("tab", "tab", "tab", "tab", "tab", "tab", "z", "space", "space", "G", "w")
        await eye.press("g", "z", "tab", "slash", *"kingf", "enter", "escape", "7")
        await eye.press("question_mark", "space", "space", "escape", "n", *"so", "escape")
        await eye.press("f", "escape")
        for key in ("1", "2", "5", "6", "3"):
            await eye.press(key)
            if isinstance(one.app.screen, NoteModal):  # another ruling than the one taken back
                await eye.press("ctrl+t", "escape")
            eye.look(key)
            await eye.press("u") if key != "3" else None
        await eye.press("s", "h", "tab", "G", "enter")
        eye.look("again")
        assert eye.seen == {}
    assert rows(study, "SELECT count(*) FROM unmasking") == [(0,)]


async def test_the_test_would_see_a_name(study: Path) -> None:
    async with lead(study) as one:
        eye = Eye(one)
        await eye.press("enter")
        await one.rule("3")
        await eye.press("7")
        await eye.press("tab", "tab", "tab", "tab", "z", "G")
        assert set().union(*eye.seen.values()) == set(CANARIES)


def printed(study: Path, *words: str) -> str:
    code, text = said(["--db", str(study), "rulings", *words, "--as", "lea"])
    assert code == 0, text
    return text


def test_nothing_printed_before_unmasking_holds_a_name_or_what_is_made_of_one(study: Path) -> None:
    case = json.loads(printed(study, "next", "--json"))["case"]
    for words in (["queue"], ["next"], ["take", case], ["release", case], ["list"]):
        for form in ([], ["--json"]) if words[0] != "release" else ([],):
            assert leaks(printed(study, *words, *form)) == set(), words
    printed(study, "rule", case, "--choice", "tie", "--reason", "so")
    for words in (["list"], ["list", "--json"], ["undo"]):
        assert leaks(printed(study, *words)) == set(), words
    printed(study, "rule", case, "--choice", "tie", "--reason", "so")
    told = json.loads(printed(study, "unmask", case, "--json"))
    assert told["pair"] in KEYS, "the key is told to who has seen the names"


def test_every_number_that_names_somebody_is_known_to(study: Path) -> None:
    with Store(study) as store:
        feed = Feed(store, Tally())
        feed.catch_up()
        options = options_of(store)
    view = View(feed.tally, options)
    named = set()
    for result in compute(feed.tally, options):
        for each in result.estimates:
            found = behind(view, each.labels, most=1).names
            if people := {str(value) for value in each.labels.values()} & _WHO:
                assert people == found, (result.id, each.labels)
                named |= people
    assert {*MODELS, *JUDGES} <= named


_WHO = {*MODELS, *PEOPLE, *JUDGES, SIMULATED, "lea", "leo"}

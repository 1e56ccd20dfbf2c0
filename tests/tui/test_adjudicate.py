"""The leads' list of cases and the blind ruling, key by key."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.adjudication.case import Reason, RulingSeen, State
from core.blinding import case_name, pair_called
from core.gold import GoldRule, decide
from core.records import Annotator, Choice, LessonUse, Role, RulingChoice, RulingStage
from db.ruling_queue import RulingQueue
from db.store import Store
from tests.adjudicating import Lead, disputed_study, disputes, lead
from tests.studies import located, rows
from tests.terminal import ROOT
from tests.waiting import comes
from tui.adjudicate_screen import AdjudicateScreen
from tui.app import TiebreakApp, Who
from tui.ruling_lines import elo
from tui.ruling_screen import RulingScreen
from tui.screens.lead import LeadScreen
from tui.teaching import Teaching
from tui.widgets.note import NoteModal
from tui.widgets.reader import Reader

SIZES = [(80, 24), (120, 40), (200, 50)]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return disputed_study(tmp_path / "study.db")


def log(study: Path) -> list[tuple[str | None, str, str]]:
    """Choice, stage and reason of every row of the ruling log."""
    return rows(study, "SELECT choice, stage, reason FROM ruling ORDER BY seq")


def leases(study: Path) -> int:
    return int(rows(study, "SELECT count(*) FROM ruling_lease")[0][0])


@pytest.mark.parametrize("size", SIZES)
async def test_from_the_list_to_a_ruling_and_the_next_case(
    study: Path, size: tuple[int, int]
) -> None:
    async with lead(study, size) as one:
        assert "0 ruled, 6 left" in one.status
        assert one.cases.count == 6
        await one.press("enter")
        assert isinstance(one.app.screen, RulingScreen)
        first = one.list.desk.case
        assert first is not None
        assert first.left[0] in one.painted().replace("│", "")
        assert "4 opinions" in one.painted()
        await one.press("3")
        assert isinstance(one.app.screen, NoteModal)
        await one.type("even")
        assert one.said.startswith("✓ Ruled: tie.")
        following = one.list.desk.case
        assert following is not None
        assert following.key != first.key
        await one.until("1 ruled, 5 left")
        assert log(study) == [("tie", "blind", "even")]
        assert leases(study) == 1
        await one.press("h")
        assert isinstance(one.app.screen, AdjudicateScreen)
        assert leases(study) == 0
        await one.until("5 listed")


@pytest.mark.parametrize(
    ("key", "choice"),
    [("3", "tie"), ("4", "both_bad"), ("5", "not_decidable"), ("6", "more_votes")],
)
async def test_each_key_rules(study: Path, key: str, choice: str) -> None:
    async with lead(study) as one:
        await one.press("enter")
        await one.rule(key)
        assert "✓ Ruled" in one.said
        assert log(study) == [(choice, "blind", "so")]
        if choice == "more_votes":
            assert "2 votes wanted" in one.said


async def test_a_side_is_stored_as_the_model_that_stood_there(study: Path) -> None:
    async with lead(study) as one:
        await one.press("enter")
        for key, side in (("1", "left"), ("2", "right")):
            case = one.list.desk.case
            assert case is not None
            shown = getattr(case, side)[0]
            model = "zebra-9b" if "of 8 letters" in shown else "aardvark-70b"
            await one.rule(key)
            (found,) = rows(
                study,
                "SELECT iif(v.choice = 'model_1', p.model_1, p.model_2) FROM ruling v "
                "JOIN pair p ON p.id = v.pair_id WHERE p.key = ? AND v.turn = ?",
                pair_called("a fixed seed", case.key.partition("/")[0]),
                case.turn,
            )
            assert found == (model,)


async def test_without_a_reason_nothing_is_ruled_and_one_written_before_is_used(
    study: Path,
) -> None:
    async with lead(study) as one:
        await one.press("enter", "1", "escape")
        assert "Not ruled" in one.said
        assert log(study) == []
        await one.press("n")
        await one.type("because")
        assert "✎ reason" in one.status
        await one.press("4")
        assert log(study) == [("both_bad", "blind", "because")]


async def test_unmasking_comes_after_the_ruling_shows_names_and_lets_one_revise(
    study: Path,
) -> None:
    async with lead(study) as one:
        await one.press("enter", "7")
        assert "Not unmasked" in one.said
        await one.rule("3")
        waits = one.list.desk.case
        assert waits is not None
        await one.press("7")
        assert "NAMES SHOWN" in one.status
        await one.press("tab", "tab", "tab", "tab", "z")
        for name in ("zebra-9b", "aardvark-70b", "ann", "bob", "strict", "lenient"):
            assert name in one.painted()
        await one.press("4", "escape")
        assert "no reason was given" in one.said, "the reason before the names is not taken over"
        await one.press("4")
        assert "Your reason before" in one.painted()
        await one.press("ctrl+t", "escape")
        assert one.said.startswith("✓ Revised: both bad")
        assert log(study) == [("tie", "blind", "so"), ("both_bad", "unmasked", "so")]
        assert one.list.desk.case is not None
        assert one.list.desk.case.key == waits.key, "the case that waited is back"
        await one.press("u")
        assert "What you ruled blind stands again" in one.said
        assert "NAMES SHOWN" in one.status
        await one.press("s")
        assert "Back to the case that waits" in one.said
        assert one.list.desk.case is not None
        assert one.list.desk.case.key == waits.key
    with Store(study) as store:
        (ruling,) = [one for item in store.reading.items() for one in item.rulings]
        assert (ruling.choice, ruling.stage) == (RulingChoice.TIE, RulingStage.BLIND)
        assert store.verify() == []


async def test_undo_brings_the_case_back_with_its_reason(study: Path) -> None:
    async with lead(study) as one:
        await one.press("enter")
        first = one.list.desk.case
        assert first is not None
        await one.rule("3", "hm")
        await one.press("u")
        assert "Taken back" in one.said
        assert one.list.desk.case is not None
        assert one.list.desk.case.key == first.key
        await one.press("3")
        assert [row[::2] for row in log(study)] == [("tie", "hm"), (None, ""), ("tie", "hm")]
        await one.press("u", "4")
        assert "hm" in one.painted(), "another ruling wants another reason, or the same on a key"
        await one.press("escape")
        assert "no reason was given" in one.said
        await one.rule("4", "oh")
        assert log(study)[-1] == ("both_bad", "blind", "oh")
        await one.press("u", "u")
        assert "nothing to take back" in one.said


async def test_one_in_five_of_what_the_screen_brings_is_of_the_sample(tmp_path: Path) -> None:
    study = disputed_study(tmp_path / "drawn.db", disputes(40, ruling_sample_conflicts=0.3))
    async with lead(study) as one:
        await one.press("j", "j", "enter")  # from the third row on
        for key in "12341234123412341234":
            await one.rule(key)
    served = "SELECT queue_probability IS NOT NULL FROM ruling ORDER BY seq"
    assert [row[0] for row in rows(study, served)] == [0, 0, 0, 0, 1] * 4


async def test_a_skipped_case_is_free_and_its_reason_waits(study: Path) -> None:
    async with lead(study) as one:
        await one.press("enter")
        first = one.list.desk.case
        assert first is not None
        await one.press("n")
        await one.type("half a thought")
        await one.press("s")
        assert one.list.desk.case is not None
        assert one.list.desk.case.key != first.key
        with Store(study) as store:
            RulingQueue(store, "leo").take(first.key)
            RulingQueue(store, "leo").release(first.key)
        await one.press("h")
        while one.cases.chosen is None or one.cases.chosen.key != first.key:
            await one.press("j")
        await one.press("enter")
        assert one.list.desk.reason == "half a thought"
        assert "The reason that you began is here" in one.said


async def test_when_all_is_ruled_the_screen_says_so_and_undo_still_works(tmp_path: Path) -> None:
    study = disputed_study(tmp_path / "study.db", disputes(2))
    async with lead(study) as one:
        await one.press("enter")
        await one.rule("1")
        await one.rule("2")
        await one.until("Every case of this list is ruled on")
        await one.press("7")
        assert "NAMES SHOWN" in one.status
        await one.press("s")
        await one.until("Every case of this list is ruled on")
        await one.press("u")
        assert one.list.desk.case is not None
        await one.press("h")
        await one.until("1 ruled, 1 left")


async def test_order_filter_and_what_is_ruled_on(tmp_path: Path) -> None:
    study = disputed_study(tmp_path / "study.db", disputes(6, ruling_sample_conflicts=0.0))
    async with lead(study) as one:
        await one.press("enter")
        await one.rule("3")
        await one.press("h")
        await one.until("5 listed by effect on the ranking")
        await one.press("o")
        await one.until("listed by effect on the judges' agreement")
        before = [row.key for row in one.cases._rows]
        await one.press("v")
        await one.until(", turned")
        assert [row.key for row in one.cases._rows] == before[::-1]
        await one.press("c")
        await one.until("│  maths")
        assert {row.category for row in one.cases._rows} == {"maths"}
        await one.press("c", "c", "tab")
        await one.until("6 listed")
        assert {row.state for row in one.cases._rows} == {State.WAITING, State.RULED}
        await one.press("tab", "r")
        await one.until("people gave different outcomes")
        assert one.cases.count == 5


async def test_in_a_small_window_the_order_and_the_filters_are_said(study: Path) -> None:
    async with lead(study, (80, 24)) as one:
        await one.press("o", "r", "tab")
        await one.until("also ruled")
        assert "by ± agr." in one.status
        assert "± agr.▾" in one.painted()
        assert "…" not in one.status


async def test_what_was_drawn_says_no_more_than_that_until_it_is_ruled_on(tmp_path: Path) -> None:
    study = disputed_study(tmp_path / "study.db", disputes(2, ruling_sample_conflicts=1.0))
    async with lead(study) as one:
        await one.until("whether anybody disputes it is not said before you rule")
        assert "drawn at random" in one.painted()
        assert "opinions:" not in one.painted()
        assert "people" not in one.painted()
        assert {row.is_blank for row in one.cases._rows} == {True}
        await one.press("enter")
        await one.rule("3")
        await one.press("h", "tab")
        await one.until("also ruled")
        ruled = [row for row in one.cases._rows if row.state is State.RULED]
        assert [(row.is_blank, row.probability) for row in ruled] == [(False, 1.0)]
        assert Reason.HUMAN_SPLIT in ruled[0].reasons


async def test_a_ruled_case_opens_blind_until_its_names_are_asked_for(study: Path) -> None:
    async with lead(study) as one:
        await one.press("enter")
        first = one.list.desk.case
        assert first is not None
        await one.rule("3")
        await one.press("h", "tab")
        await one.until("6 listed")
        while one.cases.chosen is None or one.cases.chosen.state is not State.RULED:
            await one.press("j")
        await one.press("enter")
        assert "You have ruled on this" in one.said
        assert "zebra" not in one.painted()
        await one.rule("4")
        assert [choice for choice, *_ in log(study)] == ["tie", "both_bad"]
        await one.press("7")
        assert one.list.desk.case is not None
        assert one.list.desk.case.key == first.key


async def test_another_lead_and_ones_own_family_are_refused_in_words(tmp_path: Path) -> None:
    records = [
        Annotator("eve", Role.LEAD, attributes={"families": "zebra"}),
        *disputes(3),
    ]
    study = disputed_study(tmp_path / "study.db", iter(records))
    async with lead(study, name="eve") as one:
        assert "0 left" in one.status
        assert {row.state for row in one.cases._rows} == {State.REFUSED}
        await one.press("enter")
        assert "model family that you have an interest in" in one.said
        assert isinstance(one.app.screen, AdjudicateScreen)
    async with lead(study) as one:
        row = one.cases.chosen
        assert row is not None
        with Store(study) as store:
            RulingQueue(store, "leo").take(row.key)
        await one.press("enter")
        assert "another lead has this case open" in one.said
        await one.until("taken")


async def test_a_second_opinion_is_asked_for_and_given_blind(study: Path) -> None:
    async with lead(study) as one:
        await one.press("enter")
        await one.press("f")
        await one.type("is B cut off?")
        assert "Another lead is asked" in one.said
        await one.rule("3")
    async with lead(study, name="leo") as other:
        await other.until("2nd opinion")
        while not (other.cases.chosen and other.cases.chosen.rulings):
            await other.press("j")
        await other.press("enter")
        await other.until("Second opinion asked for")
        await other.rule("4")
        assert "✓ Ruled" in other.said
    assert [choice for choice, *_ in log(study)] == ["tie", "both_bad"]
    with Store(study) as store:
        assert store.verify() == []


async def test_a_final_ruling_settles_what_leads_disagree_about(study: Path) -> None:
    async with lead(study) as one:
        await one.press("enter", "f")
        await one.type("is B cut off?")
        await one.rule("3")
        ((pair, turn),) = rows(
            study, "SELECT p.key, turn FROM ruling JOIN pair p ON p.id = pair_id"
        )
        ruled = f"{case_name('a fixed seed', pair)}/{turn}"
        with Store(study) as store:
            queue = RulingQueue(store, "leo")
            queue.take(ruled)
            queue.rule(ruled, RulingSeen.BOTH_BAD, "both ramble", id="x1")
        await one.press("h", "tab")
        await one.until("6 listed")
        assert "  differ  " not in one.painted(), "who rules blind is not told what others ruled"
        await one.press("tab")
        await one.until("5 listed")  # nothing to show of it, so that nothing is shown
        await one.press("enter", "7")
        assert "Leads disagree: a final ruling would settle it" in opinions(one)
        assert "Lead leo ruled: both bad" in opinions(one)
        await one.press("s", "h", "tab", "tab")
        await one.until("leads disagree")
        await one.until("1 listed")
        assert "  differ  " in one.painted()
        await one.press("enter", "9")
        assert "FINAL" in one.status
        await one.press("9")
        assert "FINAL" not in one.status
        await one.press("9", "3", "ctrl+t", "escape")
        assert one.said.startswith("✓ Revised, final: tie")
        await one.press("h")
        await one.until("0 listed")
    assert rows(study, "SELECT choice, final FROM ruling ORDER BY seq")[-1] == ("tie", 1)
    with Store(study) as store:
        items = [item for item in store.reading.items() if item.rulings]
        (gold,) = [decide([], item.rulings, rule=GoldRule()) for item in items]
        assert gold.label is Choice.TIE


def opinions(one: Lead) -> str:
    return one.case.opinions.view.text


async def test_every_case_is_listed_however_many_there_are(tmp_path: Path) -> None:
    study = disputed_study(tmp_path / "study.db", disputes(60))
    async with lead(study, (80, 24)) as one:
        assert "60 listed" in one.status
        await one.press("o", "o", "o")
        await one.until("by question")
        assert len(one.cases._rows) < 60, "what is out of sight is not read"
        seen = []
        for _ in range(60):
            chosen = one.cases.chosen
            assert chosen is not None
            assert one.cases.question(chosen) == f"Question number {chosen.question[1:]}?"
            seen.append(chosen.question)
            await one.press("j")
        assert seen == sorted(f"q{n}" for n in range(60))
        await one.press("g", "G")
        await one.until("60 of 60")
        assert one.cases.chosen is not None
        assert one.cases.chosen.question == seen[-1]
        await one.press("enter")
        case = one.list.desk.case
        assert case is not None
        await one.press("s")
        assert one.list.desk.case is not None
        assert one.list.desk.case.question == ("Question number 0?",), "after the last, the first"


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (0.0, "·"),
        (0.003, "0.52"),
        (0.0003, "0.052"),
        (0.0757, "13"),
        (1e-9, "<0.0001"),
        (7.0, "1,216"),
    ],
)
def test_an_effect_is_told_in_elo_points_to_two_digits(effect: float, said: str) -> None:
    assert elo(effect) == said


async def test_nobody_to_ask_for_a_second_opinion_is_said(tmp_path: Path) -> None:
    study = disputed_study(tmp_path / "study.db")
    with Store(study) as store:
        store.people.retire("leo")
    async with lead(study) as one:
        await one.press("enter", "f")
        await one.type("look")
        assert "Not asked: no other lead is here" in one.said
        await one.press("f", "escape")
        assert "nothing was written" in one.said


async def test_a_ruling_teaches_from_the_case_and_from_the_list(study: Path) -> None:
    async with lead(study) as one:
        await one.press("enter")
        first = one.list.desk.case
        assert first is not None
        await one.rule("3", "Equally good.")
        await one.press("7", "8")
        assert isinstance(one.app.screen, Teaching)
        await one.press("escape")
        assert "Nothing was taught" in one.said
        await one.press("8", "p")
        assert "practice lesson now" in one.said
        await one.press("s")
        await one.rule("5", "unclear")
        await one.press("h", "tab")
        await one.until("6 listed")
        one.cases.ends(-1)
        while one.cases.chosen is None or one.cases.chosen.state is not State.RULED:
            await one.press("j")
        case = one.cases.chosen
        await one.press("p", "c")
        refused = "names no outcome" if case.key != first.key else "practice lesson already"
        assert refused in one.said.replace("_", " ")
    with Store(study) as store:
        (kept,) = store.lessons.all()
        assert (kept.lesson.use, kept.lesson.why) == (LessonUse.PRACTICE, "Equally good.")


async def test_a_key_of_no_use_on_a_case_says_why_and_which_is(study: Path) -> None:
    async with lead(study) as one:
        await one.press("enter", "8")
        assert one.said == "8 teaches once you have ruled, and 7 has shown the names."
        for key in ("f3", "f4", "f5"):
            await one.press(key)
            assert one.said.startswith(f"{key.upper()} works from the list: h goes there")
        await one.press("f6")
        assert one.said.startswith("h goes back to the list")
        await one.rule("3")
        ruled = one.list.desk.last
        await one.press("9")
        assert one.said.startswith("9 marks as final once names are shown")
        await one.press("7", "7")
        assert one.said == "The names are shown already."
        await one.press("6")
        assert one.said.startswith("No more votes from here")
        await one.rule("4", "after all")
        assert one.said.startswith("✓ Revised")
        await one.press("8")
        assert one.said.endswith("7 shows those of your last case, then 8.")
        await one.press("7", "8", "p")
        assert "practice lesson now" in one.said
        assert one.list.desk.case is not None
        assert one.list.desk.case.key == ruled
        await one.press("s", "h")
        await one.pilot.press("f3")
        await comes(one.pilot, lambda: isinstance(one.app.screen, LeadScreen))


async def test_a_key_at_once_after_the_screen_changed_asks_again(tmp_path: Path) -> None:
    study = disputed_study(tmp_path / "study.db", disputes(3, dwell_ms=10_000))
    async with lead(study) as one:
        await one.pilot.press("enter")
        await one.until("Blind: no names")
        await one.pilot.press("1")
        await comes(one.pilot, lambda: "Not saved" in one.said)
        assert log(study) == []


async def test_reading_keys_help_and_the_opinions_large(study: Path) -> None:
    async with lead(study, (80, 24)) as one:
        await one.press("enter", "z")
        assert one.said == "Shown: A."
        await one.press("z", "z", "tab", "tab", "tab", "tab")
        assert "Scrolling: the opinions" in one.said
        await one.press("z")
        for number in "1234":
            assert f"│ {number}  " in one.painted()
        await one.press("G", "g", "j", "k", "space", "w", "tab")
        assert "Scrolling: A and B" in one.said
        await one.press("slash", *"answer", "enter")
        assert "of 2" in one.said
        await one.press("escape", "question_mark")
        assert isinstance(one.app.screen, Reader)
        await one.press("escape")
        assert isinstance(one.app.screen, RulingScreen)


async def test_no_lead_is_told_so(tmp_path: Path) -> None:
    study = disputed_study(tmp_path / "study.db")
    with Store(study) as store:
        store.ingest.take(located([Annotator("max")]))
    app = TiebreakApp(study, Who("max", "local:max", is_lead=True), first="adjudicate")
    async with app.run_test(size=(120, 40)) as pilot:
        await Lead(app, pilot).until("is no lead of this study")
        await pilot.press("enter", "p")
    app.store.close()


async def test_hostile_names_and_remarks_are_shown_inert(tmp_path: Path) -> None:
    hostile = "\x1b]52;c;aGk=\x07[red]\u202e[/INST][@click=app.quit]"
    records = disputes(
        2,
        models=("mm[red]\u202e", "nn[@click=app.quit]"),
        people=("pp[red]\u202e", "qq"),
        judges=("jj[red]\u202e", "kk"),
        note=hostile,
        why=hostile,
    )
    study = disputed_study(tmp_path / "study.db", records)
    async with lead(study) as one:
        await one.press("enter", "tab", "tab", "tab", "tab", "z")
        assert one.painted().count("␛]52;c;aGk=␇[red]⟨202E⟩[/INST][@click=app.quit]") == 4
        await one.rule("3", "[red]")
        await one.press("7", "tab", "tab", "tab", "tab", "z")
        for shown in (
            "mm[red]⟨202E⟩",
            "nn[@click=app.quit]",
            "person pp[red]⟨202E⟩",
            "judge jj[red]⟨202E⟩",
        ):
            assert shown in one.painted()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", one.painted())


async def test_the_voting_process_loads_nothing_of_it() -> None:
    code = (
        "import sys, tui.app, tui.screens; tui.screens.screens(); "
        "print([m for m in sys.modules if m.startswith("
        "('tui.ruling', 'tui.opinion', 'tui.adjudicate', 'tui.teaching', "
        "'core.adjudication', 'db.ruling'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


async def test_the_list_moves_by_itself_and_keeps_what_is_chosen(study: Path) -> None:
    async with lead(study) as one:
        await one.press("j", "j", "j")
        chosen, first = one.cases.chosen, one.cases._rows[0]
        assert chosen is not None
        with Store(study) as store:
            queue = RulingQueue(store, "leo")
            queue.take(first.key)
            queue.rule(first.key, RulingSeen.TIE, "so", id="x1")
        await one.until("1 ruled, 5 left")
        assert one.cases.chosen is not None
        assert one.cases.chosen.key == chosen.key

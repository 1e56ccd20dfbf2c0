"""The judges on the lead's screen and from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from core.adjudication.case import RulingSeen
from core.records import Judge, Pair, Role, RulingStage, Verdict, VerdictStatus
from core.times import stamp
from db.judge_control import JudgeControl
from db.judge_lists import last_verdicts
from db.ruling_queue import RulingQueue
from db.store import Store, local_identity
from judges.models import new_judge
from tests.adjudicating import disputed_study, disputes
from tests.judges.serving import serving
from tests.judges.stub_server import FINE, Request, Scripted, failure
from tests.studies import make_study, rows
from tests.terminal import ROOT
from tests.tui.test_cli import Done
from tests.waiting import PATIENCE, comes
from tests.watching import MOMENT, watched_study
from tui.app import TiebreakApp, Who
from tui.cli import run
from tui.judge_screen import DetailList, JudgeList, JudgesScreen
from tui.verdicts_screen import VerdictList, VerdictsScreen
from tui.widgets.answer_view import AnswerView
from tui.widgets.confirm import Confirm
from tui.widgets.reader import Reader

SIZES = [(80, 24), (120, 40), (200, 50)]
HOSTILE = "\x1b]52;c;aGk=\x07[red]\u202e[/INST]"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return watched_study(tmp_path / "study.db")


@pytest.fixture
def tiebreak(capsys: pytest.CaptureFixture[str], study: Path) -> Any:
    def call(*arguments: object) -> Done:
        code = run(["--db", str(study), *map(str, arguments)])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


def judges_app(study: Path) -> TiebreakApp:
    app = TiebreakApp(study, Who("lea", "local:lea", is_lead=True), first="judges")
    app.store.clock = lambda: MOMENT
    return app


def painted(pilot: Pilot[None]) -> str:
    """All that is on the screen, as text."""
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


def said(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one("#said", Static).content)


async def until(pilot: Pilot[None], wanted: str) -> None:
    await pilot.pause(0.02)
    await comes(
        pilot,
        lambda: wanted in painted(pilot),
        lambda: f"{wanted!r} was never painted:\n{painted(pilot)}",
    )


async def choose(pilot: Pilot[None], wanted: str) -> None:
    """Go down the list that has the keys to a name, of which there is one."""
    screen = pilot.app.screen
    assert isinstance(screen, JudgesScreen)
    await pilot.press(*"kkkkkkkk")
    for _ in range(10):
        if screen.aimed.chosen == wanted:
            return
        await pilot.press("j")
    raise AssertionError(f"{wanted!r} is not in the list")


def unmasked(path: Path) -> list[tuple[str, str, int]]:
    """Who is taken to know the names of which pairs: lead, question, turn."""
    with Store(path) as store:
        found = store.connection.execute(
            "SELECT a.name, q.key, u.turn FROM unmasking u JOIN annotator a ON a.id = u.lead_id "
            "JOIN pair p ON p.id = u.pair_id JOIN question q ON q.id = p.question_id"
        ).fetchall()
    return [(name, question, turn) for name, question, turn in found]


def outcomes(path: Path, hidden_from: str | None) -> list[str | None]:
    """What the verdicts of one judge came to, as far as they are told."""
    with Store(path) as store:
        found = last_verdicts(store, "strict", "ok", 9, hidden_from=hidden_from)
    return [one.said for one in found]


async def test_a_judges_reply_that_was_read_is_no_unnamed_opinion_any_more(
    tmp_path: Path,
) -> None:
    path = disputed_study(tmp_path / "study.db", disputes(3, judges=("strict", "lenient")))
    app = judges_app(path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "strict")
        await pilot.press("enter", "enter")
        assert isinstance(app.screen, VerdictsScreen)
        assert "counts its pair as unmasked" in painted(pilot)
        assert outcomes(path, "lea") == [None] * 3
        assert unmasked(path) == []
        await pilot.press("enter")
        assert isinstance(app.screen, Reader)
        ((who, question, _),) = unmasked(path)
        assert who == "lea"
        assert outcomes(path, None).count(None) == 0
        assert outcomes(path, "lea").count(None) == 2
        await pilot.press("escape")
        assert isinstance(app.screen, VerdictsScreen)
        lines = [line.rstrip() for line in painted(pilot).splitlines() if "order" in line]
        assert [line.endswith("·") for line in lines].count(True) == 2
    app.store.close()
    with Store(path) as store:
        queue = RulingQueue(store, "lea")
        stages = {}
        for row in queue.cases():
            queue.rule(row.key, RulingSeen.TIE, "so", id=row.question)
        for one in store.reading.items():
            stages |= {ruling.pair.question: ruling.stage for ruling in one.rulings}
    others = {"q0", "q1", "q2"} - {question}
    assert stages == {question: RulingStage.UNMASKED} | dict.fromkeys(others, RulingStage.BLIND)


@pytest.mark.parametrize("size", SIZES)
async def test_the_judges_their_details_and_the_raw_reply_of_a_failure(
    study: Path, size: tuple[int, int]
) -> None:
    app = judges_app(study)
    async with app.run_test(size=size) as pilot:
        await until(pilot, "at work")
        assert "1 of 3 at work" in painted(pilot)
        await choose(pilot, "local")
        await until(pilot, "5 now, 7 queued, 8 to queue")
        for wanted in ("of 5.00 left", "agree (", "half-flip (", "host-1, process 4711"):
            assert wanted in painted(pilot)
        assert "last 5 calls failed" in painted(pilot)
        await pilot.press("enter")  # from the judge to its details
        details = app.screen.query_one(DetailList)
        assert details.aimed
        kind = (details.chosen or "").removeprefix("class:")
        assert kind in painted(pilot)
        await pilot.press("enter")  # from a class to its verdicts
        assert isinstance(app.screen, VerdictsScreen)
        verdicts = app.screen.query_one(VerdictList)
        await until(pilot, kind)
        with Store(study) as store:
            verdict = store.reading.verdict(str(verdicts.chosen))
        assert verdict.failure == kind
        await pilot.press("enter")  # from a verdict to its raw reply
        assert isinstance(app.screen, Reader)
        text = app.screen.query_one("#reader-text", AnswerView).text
        for wanted in (verdict.id, verdict.error, verdict.prompt, verdict.raw or "no reply"):
            assert wanted in text
        assert "ant" not in text.split()
        await pilot.press("escape", "escape")
        assert isinstance(app.screen, JudgesScreen)
        await pilot.press("tab")
        assert app.screen.query_one(JudgeList).aimed
    app.store.close()


async def test_a_ranking_that_failed_is_a_line_that_says_why(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=2, models=("ant", "bee", "cow"))
    why = "incomplete ranking: the ranking does not name each answer once: 'A > B'"
    pairs = [(one, two) for one, two in (("ant", "bee"), ("ant", "cow"), ("bee", "cow"))]
    with Store(path) as store:
        store.judging.add(Judge("ranker", "openai", "m", "http://a/v1", "ranking"))
        failed = [
            Verdict(
                f"{question} {one} {two}", Pair(question, one, two), 1, "ranker",
                VerdictStatus.UNPARSED, left=1, error=why, failure="incomplete ranking",
                label="A ? B of 3", raw="[[A > B]]", at=stamp(MOMENT),
            )
            for question in ("q1", "q2")
            for one, two in pairs
        ]  # fmt: skip
        store.judging.record(failed)
    app = judges_app(path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "6  incomplete ranking")
        assert "· incomplete ranking · the ranking does not name" in painted(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, "6 verdicts of 2 calls, the newest first")
        assert "q2  turn 1  order 1  3 pairs  the ranking does not name" in painted(pilot)
        app.store.annotator("lea", role=Role.LEAD)
        assert "counts as unmasked for you" in said(pilot)
        assert unmasked(path) == []
        await pilot.press("enter")
        assert isinstance(app.screen, Reader)
        # One reply is of all pairs of its question.
        assert unmasked(path) == [("lea", "q2", 1)] * 3


async def test_it_moves_by_itself_and_keeps_the_chosen_judge(study: Path) -> None:
    app = judges_app(study)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "at work")
        await choose(pilot, "strict")
        with Store(study) as store:
            store.judging.record(
                [
                    Verdict(
                        "new", Pair("q9", "ant", "bee"), 1, "local", VerdictStatus.FAILED,
                        left=2, repeat=1, failure="brand new", at="2026-03-02T09:30:00.000Z",
                    )
                ]
            )  # fmt: skip
        await choose(pilot, "local")
        await until(pilot, "brand new")
        assert app.screen.query_one(JudgeList).chosen == "local"
    app.store.close()


async def test_nothing_is_done_before_it_is_confirmed(study: Path) -> None:
    def control() -> Any:
        with Store(study) as store:
            return JudgeControl(store).read("local")

    def jobs() -> int:
        return int(rows(study, "SELECT count(*) FROM job")[0][0])

    before = control()
    app = judges_app(study)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "at work")
        await choose(pilot, "local")
        for key in "prtxb":
            await pilot.press(key)
            assert isinstance(app.screen, Confirm), key
            await pilot.press("n")
            assert said(pilot) == "Nothing was done."
        assert (control(), jobs()) == (before, 12)
        await pilot.press("p", "y")
        assert said(pilot) == "local: paused."
        assert control().paused
        await pilot.press("r", "y")
        assert not control().paused
        await pilot.press("t", "y")
        failed = jobs() - 12
        assert said(pilot).startswith(f"local: {failed} failure")
        assert failed > 0
        await pilot.press("x", "y")
        assert said(pilot) == f"local: cancelled, {failed + 7} jobs taken out of the queue."
        assert control().cancels == before.cancels + 1
        await choose(pilot, "longer")
        await pilot.press("t")
        assert said(pilot) == "Nothing of it has failed."
    app.store.close()


async def test_a_hostile_reply_error_and_name_are_shown_inert(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db")
    pair = Pair("q1", "ant", "bee")
    with Store(study) as store:
        store.judging.add(Judge("h[red]\u202e", "openai", "m", f"http://{HOSTILE}"))
        store.judging.record(
            [
                Verdict(
                    "v1", pair, 1, "h[red]\u202e", VerdictStatus.UNPARSED, left=1, raw=HOSTILE,
                    reasoning=HOSTILE, error=HOSTILE, failure=HOSTILE, served_model=HOSTILE,
                    prompt=HOSTILE, label=HOSTILE, at=HOSTILE,
                )
            ]
        )  # fmt: skip
    app = judges_app(study)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "h[red]⟨202E⟩")
        await pilot.press("p")
        assert "h[red]⟨202E⟩" in str(app.screen.query_one("#confirm-question", Static).content)
        await pilot.press("n", "enter")
        await until(pilot, "␛]52;c;aGk=␇[red]⟨202E⟩[/INST]")
        await pilot.press("enter", "enter")
        await until(pilot, "── Raw reply")
        assert painted(pilot).count("␛]52;c;aGk=␇[red]⟨202E⟩[/INST]") >= 5
        assert not {"\x1b", "\x07", "\u202e"} & set(painted(pilot))
    app.store.close()


async def test_a_study_without_judges_says_how_to_add_one(tmp_path: Path) -> None:
    app = judges_app(make_study(tmp_path / "study.db"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "tiebreak judge add")
        await pilot.press("enter", "tab", "p", "j", "space", "w", "k")
        assert isinstance(app.screen, JudgesScreen)
        await pilot.press("question_mark")
        assert isinstance(app.screen, Reader)
    app.store.close()


async def test_only_what_changed_is_painted(study: Path) -> None:
    """A look that finds one judge further paints that judge's line and its facts, no more."""
    app = judges_app(study)
    async with app.run_test(size=(200, 50)) as pilot:
        await until(pilot, "at work")
        screen = app.screen
        assert isinstance(screen, JudgesScreen)
        await choose(pilot, "local")
        await until(pilot, "5 now, 7 queued, 8 to queue")
        painted_lines: list[int] = []
        for one in (screen.query_one(JudgeList), screen.query_one(DetailList)):
            refresh = one.refresh

            def counted(*regions: Any, refresh: Any = refresh, **named: Any) -> Any:
                painted_lines.append(sum(region.height for region in regions) or 1000)
                return refresh(*regions, **named)

            one.refresh = counted  # type: ignore[method-assign]
        with Store(study) as store:
            JudgeControl(store).resume("strict")
        await until(pilot, "idle")
        assert painted_lines == [1]
    app.store.close()


async def test_judges_begin_in_the_background_and_end_with_the_app(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", questions=20)
    with Store(study) as store:
        store.judging.add(Judge("longer", "baseline", "longer-answer"))
    app = TiebreakApp(study, Who("lea", "local:lea", is_lead=True), first="judges")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "longer")
        await pilot.press("b", "y")
        screen = app.screen
        assert isinstance(screen, JudgesScreen)
        work = screen._background
        assert work is not None
        await until(pilot, "40 with a choice")
        await pilot.press("b", "y")
        await comes(pilot, lambda: "have ended" in said(pilot))
        assert said(pilot) == "The judges in the background have ended."
        await pilot.press("b", "y")
        work = screen._background
        assert work is not None
    work.join(PATIENCE)
    assert not work.is_alive()
    app.store.close()
    with Store(study) as store:
        assert store.reading.counts()["verdicts"] == 40
        assert store.verify() == []


async def test_what_judges_in_the_background_meet_is_said(tmp_path: Path) -> None:
    """Their process has no terminal, and what holds them up stands in no table."""
    study = make_study(tmp_path / "study.db", questions=20)

    def answer(request: Request) -> Scripted:
        return FINE if "/v1/" in request.path else failure(401, {"error": "Unauthorized"})

    with serving(answer) as stub:
        strict = stub.url.removesuffix("v1") + "strict"
        with Store(study) as store:
            store.judging.add(new_judge("two", "openai", "m", endpoint=stub.url))
            store.endpoints.add("two", strict)
        app = TiebreakApp(study, Who("lea", "local:lea", is_lead=True), first="judges")
        async with app.run_test(size=(240, 40)) as pilot:
            await until(pilot, "two")
            await pilot.press("b", "y")
            for _ in range(1000):
                await pilot.pause(0.02)
                if strict in said(pilot):
                    break
            words = f"two: {strict} gets no more calls: {strict} refuses the key"
            assert said(pilot).startswith(words)
            work = app.screen._background  # type: ignore[attr-defined]
            assert work.is_alive()
        work.join(10)
        app.store.close()


# ── who gets there ──────────────────────────────────────────────────────────


async def test_no_annotator_gets_there(study: Path) -> None:
    app = TiebreakApp(study, Who("ann", "local:ann"))
    async with app.run_test() as pilot:
        await pilot.press("f5")
        assert not isinstance(app.screen, JudgesScreen)
    app.store.close()


def test_the_voting_process_loads_nothing_of_it(study: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from tui.app import TiebreakApp, Who\n"
        "async def vote():\n"
        f"    app = TiebreakApp(Path({str(study)!r}), Who('ann', 'local:ann'))\n"
        "    async with app.run_test() as pilot:\n"
        "        await pilot.press('f5', '1')\n"
        "        await pilot.pause(0.5)\n"
        "asyncio.run(vote())\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "tui.screens.judges" in loaded
    assert not {
        name
        for name in loaded
        if name.startswith(
            ("tui.judg", "tui.verdicts", "tui.background_judges", "db.judg", "judges")
        )
    }


# ── from the command line ───────────────────────────────────────────────────


@pytest.mark.parametrize("columns", ["80", "120", "200"])
def test_watching_fits_its_terminal(
    tiebreak: Any, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for arguments in (["watch", "--once"], ["watch", "local", "--once"], ["failures"]):
        done = tiebreak("judge", *arguments)
        assert done.code == 0
        assert all(len(line) <= int(columns) for line in done.out.splitlines())
        assert "local" in done.out or "q" in done.out


def test_watching_as_json(tiebreak: Any) -> None:
    watch = tiebreak("judge", "watch", "--once", "--json").json
    judges = {judge["name"]: judge for judge in watch["judges"]}
    local = judges["local"]
    assert (local["leased"], local["waiting"], local["to_queue"]) == (5, 7, 8)
    assert local["ok"] + sum(local["failures"].values()) == 60
    assert local["last_failure"]["class"] in local["failures"]
    assert sum(local["orders"].values()) <= 30
    assert judges["strict"]["state"] == "paused"
    only = tiebreak("judge", "watch", "strict", "--once", "--json").json
    assert [judge["name"] for judge in only["judges"]] == ["strict"]
    nobody = tiebreak("judge", "watch", "zoe", "--once")
    assert (nobody.code, "no judge is called 'zoe'" in nobody.err) == (1, True)


def test_watching_goes_on_until_it_is_interrupted(study: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tui", "--db", str(study), "judge", "watch", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        with Store(study) as store:
            JudgeControl(store).resume("strict")
        states = {}
        while states.get("strict") != "idle":
            later = json.loads(watching.stdout.readline())
            states = {judge["name"]: judge["state"] for judge in later["judges"]}
        assert later["at"] > first["at"]
        watching.send_signal(2)
        try:
            # Read on meanwhile: whoever writes into a full pipe cannot end.
            watching.communicate(timeout=PATIENCE)
        finally:
            watching.kill()
        assert watching.returncode == 130


def test_failures_and_one_of_them(tiebreak: Any) -> None:
    found = tiebreak("judge", "failures", "local", "--json").json
    kind, count = next(iter(found["classes"].items()))
    only = tiebreak("judge", "failures", "local", "--class", kind, "--last", 1, "--json").json
    assert only["classes"] == {kind: count}
    assert [one["class"] for one in only["last"]] == [kind]
    key = only["last"][0]["id"]
    listed = tiebreak("judge", "failures", "local", "--class", kind).out
    assert key[:12] in listed
    assert "local" not in listed
    of_all = tiebreak("judge", "failures", "--last", 100).out.splitlines()
    (line,) = [one for one in of_all if one.startswith(key[:12])]
    assert line.split()[1] == only["last"][0]["judge"] == "local"
    assert tiebreak("judge", "failures", "longer").out == "Nothing failed.\n"
    assert tiebreak("judge", "failures", "zoe").code == 1
    shown = tiebreak("judge", "show", key[:12]).out
    whole = tiebreak("judge", "show", key, "--json").json
    assert kind in shown
    assert whole["raw"] is None or whole["raw"] in shown
    assert whole["pair"]["model_1"] == "ant"
    assert "ant" not in shown.split()
    assert tiebreak("judge", "show", "nothing").code == 1


def test_a_verdict_that_a_lead_reads_by_command_counts_as_unmasked(
    tiebreak: Any, study: Path
) -> None:
    with Store(study) as store:
        key = last_verdicts(store, "local", None, 1)[0].id
        name, _ = local_identity()
    shown = tiebreak("judge", "show", key)
    assert "unmasked" not in shown.err
    assert unmasked(study) == []
    with Store(study) as store:
        store.annotator(name, role=Role.LEAD)
    shown = tiebreak("judge", "show", key)
    assert f"counts as unmasked for {name}" in shown.err
    ((who, _, turn),) = unmasked(study)
    assert (who, turn) == (name, 1)


def test_a_raw_reply_is_inert_on_a_terminal_and_verbatim_as_json(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db")
    with Store(study) as store:
        store.judging.add(Judge("j", "openai", "m"))
        store.judging.record(
            [
                Verdict(
                    "v1", Pair("q1", "ant", "bee"), 1, "j", VerdictStatus.UNPARSED, left=1,
                    raw=f"{HOSTILE}\r\nand so on", at="2026",
                )
            ]
        )  # fmt: skip

    def printed(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "tui", "--db", str(study), "judge", "show", "v1", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    shown = printed()
    assert "␛]52;c;aGk=␇[red]⟨202E⟩[/INST]\nand so on" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    as_json = printed("--json")
    assert not {"\x1b", "\x07", "\u202e"} & set(as_json)
    assert json.loads(as_json)["raw"] == f"{HOSTILE}\r\nand so on"

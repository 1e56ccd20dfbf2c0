"""The examples in CONTRIBUTING.md do what they are there to show: one new file, found by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from judges.prompt_files import load_prompts
from tests.docs import ROOT, fenced, said

GUIDE = ROOT / "CONTRIBUTING.md"


def example(folder: Path, holds: str) -> Path:
    """The one Python example that holds some text, as a module in a folder of its own."""
    (source,) = [block for block in fenced(GUIDE, "python") if holds in block]
    room = folder / "added"
    room.mkdir()
    (room / "added_example.py").write_text(source, "utf-8")
    return room


def with_example(package: str, room: Path, code: str) -> str:
    """What code prints in a process of its own, where a package has one more file."""
    added = f"import {package}\n{package}.__path__.append({str(room)!r})\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", added + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_prompt_example_is_a_prompt(tmp_path: Path) -> None:
    (source,) = fenced(GUIDE, "toml")
    (tmp_path / "terse.toml").write_text(source, "utf-8")
    prompt = load_prompts(tmp_path).owner(tomllib.loads(source)["id"])
    reply = prompt.read("Both do.\n\n[[B]]")
    assert reply.seen == "right"


def test_the_statistic_example_is_found_and_counts(tmp_path: Path) -> None:
    study = str(tmp_path / "study.db")
    lines = [
        {
            "question": f"q{n}",
            "model_1": "m1",
            "model_2": "m2",
            "annotator": "ann",
            "choice": choice,
        }
        for n, choice in enumerate(["both_bad", "model_1", "tie", "both_bad"])
    ]
    votes = tmp_path / "votes.jsonl"
    votes.write_text("\n".join(json.dumps({"type": "vote", **line}) for line in lines), "utf-8")
    assert said(["--db", study, "import", str(votes)])[0] == 0
    out = with_example(
        "core.stats",
        example(tmp_path, "@statistic"),
        f"from tui.cli import main\nmain(['--db', {study!r}, 'stats', 'both_bad', '--json'])",
    )
    (result,) = json.loads(out)["statistics"]
    (estimate,) = result["estimates"]
    assert (estimate["labels"], estimate["k"], estimate["n"]) == ({"turn": 1}, 2, 4)
    assert estimate["value"] == 0.5


def test_the_format_example_is_sniffed_read_and_refuses(tmp_path: Path) -> None:
    room = example(tmp_path, "FORMAT =")
    study, file = tmp_path / "study.db", tmp_path / "some.questions.txt"
    words = ["--db", str(study), "import", "--json", str(file)]
    code = f"from tui.cli import run\nprint('exit', run({words}))"
    file.write_text("One?\nTwo?\n", "utf-8")
    taken = with_example("core.formats", room, code)
    assert '"questions": 2' in taken
    assert taken.endswith("exit 0\n")
    file.write_text("One?\n\n", "utf-8")
    assert with_example("core.formats", room, code) == "exit 1\n"


def test_the_screen_example_is_on_its_key_for_leads_alone(tmp_path: Path) -> None:
    study = str(tmp_path / "study.db")
    assert said(["--db", study, "import", str(ROOT / "sample_data")])[0] == 0
    code = f"""
import asyncio
from pathlib import Path
from tests.waiting import comes
from tui.app import TiebreakApp, Who

async def shown(is_lead):
    app = TiebreakApp(Path({study!r}), Who("ann", "local", is_lead=is_lead))
    async with app.run_test(size=(80, 24)) as pilot:
        await comes(pilot, lambda: app.is_open)
        await pilot.press("f8")
        await comes(pilot, lambda: app.screen.query("#counts") or not is_lead)
        found = app.screen.query("#counts")
        print(str(found.first().content).splitlines()[0] if found else "nothing")
    app.store.close()

asyncio.run(shown(True))
asyncio.run(shown(False))
"""
    out = with_example("tui.screens", example(tmp_path, "SCREEN ="), code)
    assert out.splitlines() == ["questions: 14", "nothing"]


@pytest.mark.slow
def test_the_examples_pass_the_checks(tmp_path: Path) -> None:
    for number, source in enumerate(fenced(GUIDE, "python")):
        (tmp_path / f"example_{number}.py").write_text(source, "utf-8")
    tools = Path(sys.executable).parent
    for arguments in (
        ["ruff", "check", "--config", "pyproject.toml", str(tmp_path)],
        ["ruff", "format", "--check", "--config", "pyproject.toml", str(tmp_path)],
        ["mypy", "--strict", *map(str, sorted(tmp_path.glob("*.py")))],
    ):
        done = subprocess.run(
            [str(tools / arguments[0]), *arguments[1:]],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

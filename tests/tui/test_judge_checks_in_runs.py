"""What a check finds of a server while a judge is at work there: gone by from then on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import tui.judge_servers
from db.store import Store
from judges.models import new_judge
from tests.judges.stub_server import Request, Scripted, StubServer, completion
from tests.studies import make_study, rows
from tui.judge_desk import Order
from tui.judging import work

FOUND = {"structured": {"choice": "", "json": "", "form": "structured_outputs"}}
BOTH = "SELECT count(*), sum(status = 'ok') FROM verdict"


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tui.judge_servers, "LOOK_EVERY", 0.05)


class Slow:
    """Answers each request after a moment, and remembers which were held to a form.

    A machine that is too busy to look often has longer for it: late answers take their time until
    one is held.
    """

    def __init__(self, content: str) -> None:
        self.content = content
        self.held: list[bool] = []

    def __call__(self, request: Request) -> Scripted:
        self.held.append("structured_outputs" in request.body)
        fine = completion(self.content)
        is_late = len(self.held) > 30 and not any(self.held)
        return Scripted(body=fine.body, delay=5.0 if is_late else 0.05)


async def judged(path: Path, slow: Slow) -> list[str]:
    """Let a judge judge 72 tasks, its server checked after some of them; what was noted."""
    notes: list[str] = []
    async with StubServer(slow) as stub:
        make_study(path, questions=12, models=("ant", "bee", "cow"))
        with Store(path) as store:
            record = new_judge("j", "openai", "m", endpoint=stub.url, prompt="pairwise")
            store.judging.add(record)
        running = asyncio.create_task(
            work(path, record, Order(concurrency=2), on_note=notes.append)
        )
        while len(slow.held) < 6:
            await asyncio.sleep(0.01)
        with Store(path) as store:
            store.endpoints.keep_found("j", stub.url, FOUND)
        await running
    return notes


async def test_a_run_goes_by_a_check_that_was_made_meanwhile(tmp_path: Path) -> None:
    slow = Slow("B errs.\n\n[[A]]")
    notes = await judged(tmp_path / "s.db", slow)
    ((count, ok),) = rows(tmp_path / "s.db", BOTH)
    assert count == ok == len(slow.held) == 72
    first = slow.held.index(True)
    assert first >= 6
    assert all(slow.held[first + 2 :]), "from then on all are held to it, those under way apart"
    assert [note for note in notes if "checked anew" in note] == notes
    assert len(notes) == 1


async def test_a_check_that_promised_too_much_is_mended_once(tmp_path: Path) -> None:
    """The server ignores what it is told: the finding is taken back, and not taken in again."""
    slow = Slow("Answer A is better. [[A]], I would say.\n\n[[A]]\n\nRegards")
    notes = await judged(tmp_path / "s.db", slow)
    assert 1 <= sum(slow.held) <= 4
    assert not any(slow.held[-20:])
    assert [("checked anew" in note, "does not keep" in note) for note in notes] == [
        (True, False),
        (False, True),
    ]
    with Store(tmp_path / "s.db") as store:
        (endpoint,) = store.endpoints.of("j")
    assert set(endpoint.found["structured"].values()) == {""}

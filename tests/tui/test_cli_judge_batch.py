"""Judging by batch files: what goes out comes back as verdicts, each once, and none invented."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.records import VerdictStatus
from db.judge_control import JudgeControl
from db.judge_left import Scope
from db.judge_queue import JudgeQueue
from db.judge_work import GONE, Begin, End, Work
from db.processes import process_name
from db.store import Store
from judges.batch import Files, call_of
from judges.structured import Support
from judges.tasks import verdict_names
from tests.judges.stub_server import completion
from tests.studies import make_study
from tui.cli import run
from tui.judge_batch import export_batch

Line = dict[str, Any]


class Done:
    """What a command left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study.db", questions=5, turns=1)


@pytest.fixture
def tiebreak(capsys: pytest.CaptureFixture[str], study: Path) -> Callable[..., Done]:
    def call(*arguments: object) -> Done:
        capsys.readouterr()
        code = run(["--db", str(study), *map(str, arguments)])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


def add(tiebreak: Any, prompt: str = "pairwise", name: str = "far") -> None:
    address = "http://127.0.0.1:9/v1"
    words = ["--model", "m", "--endpoint", address, "--prompt", prompt, "--no-check"]
    done = tiebreak("judge", "add", name, *words)
    assert done.code == 0, done.err


def requests(tiebreak: Any, path: Path, *options: str, name: str = "far") -> list[Line]:
    done = tiebreak("judge", "batch", "export", name, path, *options)
    assert (done.code, done.out) == (0, "")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def good(line: Line, content: str = "Fine.\n\n[[A]]", **more: Any) -> Line:
    body = json.loads(completion(content, model="m-batch", **more).body)
    response = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": line["custom_id"], "response": response, "error": None}


def expired(line: Line) -> Line:
    error = {"code": "batch_expired", "message": "This request could not be executed in time."}
    return {"id": "b", "custom_id": line["custom_id"], "response": None, "error": error}


def miscounted(line: Line) -> Line:
    told = good(line)
    told["response"]["body"]["usage"] = {"prompt_tokens": -500_000, "completion_tokens": 7}
    return told


def refused(line: Line) -> Line:
    """A 400 as the API writes it."""
    error = {"message": "maximum context length is 4096", "code": "context_length_exceeded"}
    response = {"status_code": 400, "request_id": "r", "body": {"error": error}}
    return {"id": "b", "custom_id": line["custom_id"], "response": response, "error": None}


def refused_by_vllm(line: Line) -> Line:
    """The same as run-batch writes it."""
    error = {"message": "maximum context length is 4096", "type": "BadRequestError", "code": 400}
    response = {"status_code": 400, "request_id": "r", "body": None}
    custom_id = line["custom_id"]
    return {"id": "b", "custom_id": custom_id, "response": response, "error": {"error": error}}


def results(path: Path, lines: list[Line]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def verdicts(study: Path) -> list[tuple[Any, ...]]:
    with Store(study) as store:
        return store.connection.execute(
            "SELECT id, status, choice, failure, latency, sent_hash, served_model, tokens_in, raw "
            "FROM verdict v LEFT JOIN (SELECT hash, body AS raw FROM text) t "
            "ON t.hash = v.raw_hash ORDER BY id"
        ).fetchall()


def test_all_that_is_left_goes_out_in_both_orders(tiebreak: Any, tmp_path: Path) -> None:
    add(tiebreak)
    lines = requests(tiebreak, tmp_path / "out.jsonl")
    assert len(lines) == len({line["custom_id"] for line in lines}) == 5 * 2
    for line in lines:
        assert line.keys() == {"custom_id", "method", "url", "body"}
        assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
        assert line["body"]["model"] == "m"
        assert len(line["custom_id"]) <= 64
    assert len({json.dumps(line["body"]) for line in lines}) == 10
    assert len(requests(tiebreak, tmp_path / "few.jsonl", "--limit", "3")) == 3


def test_what_comes_back_is_recorded_once_in_any_order(
    tiebreak: Any, tmp_path: Path, study: Path
) -> None:
    add(tiebreak)
    lines = requests(tiebreak, tmp_path / "out.jsonl")
    back = [good(line) for line in lines]
    random.Random(1).shuffle(back)
    first = results(tmp_path / "back-1.jsonl", back[:4])
    second = results(tmp_path / "back-2.jsonl", back[4:] + back[4:6])
    done = tiebreak("judge", "batch", "import", "far", first, "--json")
    assert (done.code, done.json["verdicts"]) == (0, {"ok": 4})
    done = tiebreak("judge", "batch", "import", "far", first, second, "--json")
    told = {"judge": "far", "verdicts": {"ok": 6}, "again": {}, "changed": 0, "broken": 0}
    assert done.json == {**told, "doubled": 2, "passed_over": 4, "uncounted": 0}
    kept = verdicts(study)
    assert len(kept) == 10
    assert {row[1] for row in kept} == {"ok"}
    assert {(row[4], row[6], row[7]) for row in kept} == {(None, "m-batch", 11)}
    again = tiebreak("judge", "batch", "import", "far", second, first, "--json")
    assert (again.json["verdicts"], again.json["passed_over"]) == ({}, 10)
    assert verdicts(study) == kept
    nothing = tiebreak("judge", "batch", "export", "far", tmp_path / "none.jsonl")
    assert "nothing is left" in nothing.err
    assert not (tmp_path / "none.jsonl").exists()
    assert tiebreak("verify").code == 0


def test_what_a_batch_used_counts_and_its_jobs_leave_the_queue(
    tiebreak: Any, tmp_path: Path, study: Path
) -> None:
    add(tiebreak)
    assert tiebreak("judge", "price", "far", "--price-in", "2", "--price-out", "8").code == 0
    lines = requests(tiebreak, tmp_path / "out.jsonl")
    with Store(study) as store:
        queue = JudgeQueue(store, "far", "test")
        frontier = queue.frontier(Scope(), verdict_names(store.judging.judge("far")))
        for portion in frontier.portions():
            queue.fill(portion)
        assert queue.counts() == (10, 0)
    back = results(tmp_path / "b.jsonl", [good(line) for line in lines[:4]])
    for _ in range(2):
        assert tiebreak("judge", "batch", "import", "far", back).code == 0
    with Store(study) as store:
        assert JudgeQueue(store, "far", "test").counts() == (6, 0)
        control = JudgeControl(store).read("far")
        costs = store.connection.execute("SELECT DISTINCT cost FROM verdict").fetchall()
    assert control.spent_tokens == 4 * (11 + 7)
    assert control.spent_cost == pytest.approx(4 * (11 * 2 + 7 * 8) / 1e6)
    assert costs == [(pytest.approx((11 * 2 + 7 * 8) / 1e6),)]


def test_a_batch_beside_a_run_that_is_on_is_refused_until_it_is_paused(
    tiebreak: Any, tmp_path: Path, study: Path
) -> None:
    add(tiebreak)
    out = tmp_path / "out.jsonl"
    with Store(study) as store:
        queue = JudgeQueue(store, "far", process_name())
        queue.enter()
        done = tiebreak("judge", "batch", "export", "far", out)
        assert done.code == 1
        assert "at work" in done.err
        assert "tiebreak judge pause far" in done.err
        assert not out.exists()
        assert tiebreak("judge", "pause", "far").code == 0
        assert tiebreak("judge", "batch", "export", "far", out).code == 0
        assert tiebreak("judge", "resume", "far").code == 0
        queue.leave()
    assert tiebreak("judge", "batch", "export", "far", tmp_path / "more.jsonl").code == 0


def test_results_that_come_while_a_run_asks_the_same_are_recorded_once(
    tiebreak: Any, tmp_path: Path, study: Path
) -> None:
    add(tiebreak)
    lines = requests(tiebreak, tmp_path / "out.jsonl")
    with Store(study) as store:
        queue = JudgeQueue(store, "far", process_name())
        queue.enter()
        key = verdict_names(store.judging.judge("far"))
        for portion in queue.frontier(Scope(), key).portions():
            queue.fill(portion)
        sent, held = queue.turn(Work(want=2)).leased
        (attempt,) = queue.turn(Work(begins=[Begin(sent.call, (sent.id,))])).begun
        back = results(tmp_path / "b.jsonl", [good(line) for line in lines])
        assert tiebreak("judge", "batch", "import", "far", back).code == 0
        first = store.reading.verdict(sent.key)
        late = replace(first, raw="a late reply", choice=None, status=VerdictStatus.FAILED)
        turned = queue.turn(Work(verdicts=[late], ends=[End(attempt, "ok")]))
        assert turned.recorded == 0
        assert queue.turn(Work(begins=[Begin(held.call, (held.id,))])).begun == [GONE]
        assert store.reading.verdict(sent.key) == first
        assert queue.counts() == (0, 0)
    assert tiebreak("verify").code == 0


def test_failures_that_may_pass_are_left_and_others_recorded(
    tiebreak: Any, tmp_path: Path, study: Path
) -> None:
    add(tiebreak)
    lines = requests(tiebreak, tmp_path / "out.jsonl")
    limited = refused(lines[4])
    limited["response"] |= {"status_code": 429, "body": {"error": {"message": "too many"}}}
    garbled = good(lines[5])
    garbled["response"]["body"] = {"choices": []}
    back = [
        expired(lines[0]),
        refused(lines[1]),
        refused_by_vllm(lines[2]),
        good(lines[3], "[[A]] or", finish="length"),
        limited,
        garbled,
        good(lines[6], "I would rather not say."),
        good({"custom_id": "somebody-else-1"}),
    ]
    path = results(tmp_path / "back.jsonl", back)
    with path.open("a") as file:
        file.write('{"custom_id": "cut sho\n[]\n\n')
    done = tiebreak("judge", "batch", "import", "far", path, "--json")
    assert done.code == 0, done.err
    assert done.json["verdicts"] == {"failed": 2, "truncated": 1, "unparsed": 1}
    assert done.json["again"] == {"server error": 1, "rate limited": 1, "garbled": 1}
    assert (done.json["passed_over"], done.json["broken"]) == (1, 2)
    assert Counter(row[3] for row in verdicts(study))["too long"] == 2
    left = requests(tiebreak, tmp_path / "left.jsonl")
    ids = {line["custom_id"] for line in left}
    assert ids == {lines[number]["custom_id"] for number in (0, 4, 5, 7, 8, 9)}


def test_the_file_of_requests_is_no_file_of_results(
    tiebreak: Any, tmp_path: Path, study: Path
) -> None:
    add(tiebreak)
    requests(tiebreak, tmp_path / "out.jsonl")
    done = tiebreak("judge", "batch", "import", "far", tmp_path / "out.jsonl")
    assert done.code == 1
    assert "holds no results of a batch" in done.err


def test_of_a_doubled_id_the_completion_counts(tiebreak: Any, tmp_path: Path, study: Path) -> None:
    add(tiebreak)
    one, two, *_ = requests(tiebreak, tmp_path / "out.jsonl")
    back = [expired(one), good(one), good(two), expired(two)]
    done = tiebreak(
        "judge", "batch", "import", "far", results(tmp_path / "b.jsonl", back), "--json"
    )
    assert (done.json["verdicts"], done.json["doubled"]) == ({"ok": 2}, 2)


def test_a_failure_is_tried_again_when_asked(tiebreak: Any, tmp_path: Path, study: Path) -> None:
    add(tiebreak)
    lines = requests(tiebreak, tmp_path / "out.jsonl")
    back = [refused(lines[0]), *(good(line) for line in lines[1:])]
    tiebreak("judge", "batch", "import", "far", results(tmp_path / "b.jsonl", back))
    (again,) = requests(tiebreak, tmp_path / "again.jsonl", "--retry-failed")
    assert again["custom_id"] != lines[0]["custom_id"]
    assert again["body"] == lines[0]["body"]
    tiebreak("judge", "batch", "import", "far", results(tmp_path / "c.jsonl", [good(again)]))
    assert Counter(row[1] for row in verdicts(study)) == {"ok": 10, "failed": 1}
    with Store(study) as store:
        (superseding,) = store.connection.execute(
            "SELECT count(*) FROM verdict WHERE supersedes IS NOT NULL AND status = 'ok'"
        ).fetchone()
    assert superseding == 1


def test_answers_that_are_graded_one_by_one_need_both_results(
    tiebreak: Any, tmp_path: Path, study: Path
) -> None:
    add(tiebreak, "single-answer")
    lines = requests(tiebreak, tmp_path / "out.jsonl")
    calls = Counter(call_of(line["custom_id"]) for line in lines)
    assert set(calls.values()) == {2}
    grades = [good(line, f"[[{5 + number % 2}]]") for number, line in enumerate(lines)]
    done = tiebreak(
        "judge", "batch", "import", "far", results(tmp_path / "b.jsonl", grades[:-1]), "--json"
    )
    assert (done.json["verdicts"], done.json["changed"]) == ({"ok": 9}, 1)
    assert len(requests(tiebreak, tmp_path / "left.jsonl")) == 2


def test_a_request_that_would_be_another_one_today_is_not_taken(
    tiebreak: Any, tmp_path: Path, study: Path
) -> None:
    add(tiebreak, "pairwise-choice")
    lines = requests(tiebreak, tmp_path / "out.jsonl")
    assert not any("structured_outputs" in line["body"] for line in lines)
    with Store(study) as store:
        found = {"structured": {"choice": "structured_outputs", "json": ""}}
        store.endpoints.keep_found("far", "http://127.0.0.1:9/v1", found)
        assert Support.of(store.endpoints.of("far")[0].found).choice
    back = results(tmp_path / "b.jsonl", [good(line, "A") for line in lines])
    done = tiebreak("judge", "batch", "import", "far", back, "--json")
    assert (done.json["verdicts"], done.json["changed"]) == ({}, 10)
    now = requests(tiebreak, tmp_path / "now.jsonl")
    assert all(line["body"]["structured_outputs"]["choice"] for line in now)
    back = results(tmp_path / "c.jsonl", [good(line, "A") for line in now])
    assert tiebreak("judge", "batch", "import", "far", back, "--json").json["verdicts"] == {
        "ok": 10
    }


def test_what_cannot_be_is_refused_in_a_line(tiebreak: Any, tmp_path: Path) -> None:
    add(tiebreak)
    tiebreak("judge", "add", "coin", "--baseline", "coin")
    done = tiebreak("judge", "batch", "export", "coin", tmp_path / "x.jsonl")
    assert (done.code, "takes no batches" in done.err) == (1, True)
    requests(tiebreak, tmp_path / "out.jsonl")
    done = tiebreak("judge", "batch", "export", "far", tmp_path / "out.jsonl")
    assert (done.code, "is there already" in done.err) == (1, True)
    empty = results(tmp_path / "empty.jsonl", [])
    done = tiebreak("judge", "batch", "import", "far", empty)
    assert (done.code, "holds no results" in done.err) == (1, True)
    assert tiebreak("judge", "batch", "import", "far", tmp_path / "nothing.jsonl").code == 2


def test_more_than_a_file_holds_goes_into_several(
    tiebreak: Any, tmp_path: Path, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tiebreak, "single-answer")
    monkeypatch.setattr("tui.judge_batch.Files", lambda: Files(most_lines=7))
    files = export_batch(study, "far", tmp_path / "out.jsonl")
    assert [(path.name, count) for path, count in files] == [
        ("out.jsonl", 6),
        ("out-2.jsonl", 6),
        ("out-3.jsonl", 6),
        ("out-4.jsonl", 2),
    ]


def test_files_are_filled_to_their_limits_and_no_call_is_torn() -> None:
    deal = Files(most_lines=100, most_bytes=50)
    placed = [number for size in (20, 20, 20, 50, 60) for number, _ in deal.place([b"x" * size])]
    assert placed == [0, 0, 1, 2, 3]
    torn = Files(most_lines=3)
    assert [number for number, _ in torn.place([b"a", b"b"])] == [0, 0]
    assert [number for number, _ in torn.place([b"c", b"d"])] == [1, 1]


def test_a_judge_of_another_study_is_not_mistaken(tiebreak: Any, tmp_path: Path) -> None:
    add(tiebreak)
    add(tiebreak, name="other")
    lines = requests(tiebreak, tmp_path / "out.jsonl")
    back = results(tmp_path / "b.jsonl", [good(line) for line in lines])
    done = tiebreak("judge", "batch", "import", "other", back, "--json")
    assert (done.json["verdicts"], done.json["passed_over"]) == ({}, 10)


def test_results_that_miscount_count_with_the_most_that_they_may_have_taken(
    tiebreak: Any, study: Path, tmp_path: Path
) -> None:
    add(tiebreak)
    assert tiebreak("judge", "price", "far", "--price-in", 1e6, "--price-out", 1e6).code == 0
    lines = requests(tiebreak, tmp_path / "out.jsonl")
    (told,) = tiebreak("judge", "run", "far", "--dry-run", "--json").json
    most = told["tokens_in_most"] + told["tokens_out_most"]
    results = tmp_path / "results.jsonl"
    results.write_text("\n".join(json.dumps(miscounted(line)) for line in lines), "utf-8")
    done = tiebreak("judge", "batch", "import", "far", results, "--json")
    assert done.json["verdicts"] == {"ok": len(lines)}
    assert done.json["uncounted"] == len(lines)
    assert f"{len(lines)} calls without a count of tokens that can be" in done.err
    again = tiebreak("judge", "batch", "import", "far", results, "--json").json
    assert again["uncounted"] == 0
    (status,) = tiebreak("judge", "status", "far", "--json").json
    assert status["uncounted"] == len(lines)
    assert status["control"]["spent_tokens"] == most
    assert status["control"]["spent_cost"] == pytest.approx(most)
    assert f"{len(lines)} verdicts took tokens that" in tiebreak("judge", "status", "far").out

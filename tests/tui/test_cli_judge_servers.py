"""The commands about judges' servers, against servers as the stub plays them."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from db.store import Store
from tests.judges.serving import serving
from tests.judges.stub_server import Request, Scripted, StubServer, completion, failure
from tests.studies import make_study
from tui.cli import run


class Done:
    """What a command left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study.db", questions=2, turns=1)


@pytest.fixture
def tiebreak(capsys: pytest.CaptureFixture[str], study: Path) -> Callable[..., Done]:
    def call(*arguments: str) -> Done:
        capsys.readouterr()
        code = run(["--db", str(study), *arguments])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return call


def able(request: Request) -> Scripted:
    """Lists its model, knows structured_outputs, and reads a verdict into everything."""
    if request.path.endswith("/models"):
        entry = {"id": "m", "owned_by": "vllm", "max_model_len": 8192}
        return Scripted(body=json.dumps({"data": [entry]}).encode())
    if not request.path.endswith("/chat/completions"):
        return failure(404, {"detail": "Not Found"})
    told = request.body.get("structured_outputs", {})
    if "choice" in told:
        return completion(told["choice"][0], model="m")
    return completion("Both are fine.\n\n[[A]]", model="m")


@pytest.fixture
def server() -> Iterator[StubServer]:
    with serving(able) as stub:
        yield stub


@pytest.fixture
def nobody() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def add(tiebreak: Any, url: str, *more: str) -> Done:
    done: Done = tiebreak("judge", "add", "local", "--model", "m", "--endpoint", url, *more)
    return done


def servers(tiebreak: Any) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(
        tiebreak("judge", "endpoint", "list", "local", "--json").out
    )
    return told


def test_adding_a_judge_asks_its_server_and_says_what_it_can(
    tiebreak: Any, server: StubServer
) -> None:
    done = add(tiebreak, server.url)
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines()[:3] == [
        "judge 'local' added",
        "  vllm, context 8,192 tokens",
        "  verdicts can be enforced: labels by structured_outputs",
    ]
    assert "next: tiebreak judge run local" in done.err
    (one,) = servers(tiebreak)
    assert one["address"] == server.url
    assert one["found"]["structured"] == {"choice": "structured_outputs", "json": "", "form": ""}
    assert one["checked_at"]
    asked = len(server.requests)
    again = add(tiebreak, server.url)
    assert (again.code, "is there already" in again.err) == (0, True)
    assert len(server.requests) == asked, "what is there is not asked again"


def test_an_unreachable_server_adds_nothing_but_unchecked(tiebreak: Any, nobody: str) -> None:
    done = add(tiebreak, nobody)
    assert (done.code, done.out) == (1, "")
    message, hint = done.err.splitlines()
    assert message.startswith(f"tiebreak: cannot reach {nobody}: ")
    assert "--no-check" in hint
    assert json.loads(tiebreak("judge", "list", "--json").out) == []
    assert add(tiebreak, nobody, "--no-check").code == 0
    (one,) = servers(tiebreak)
    assert (one["address"], one["found"], one["checked_at"]) == (nobody, None, None)
    listed = tiebreak("judge", "endpoint", "list", "local").out.splitlines()
    assert listed == [nobody, "  not checked: judge check local"]


def test_check_asks_each_server_again_and_says_which_fail(
    tiebreak: Any, server: StubServer, nobody: str
) -> None:
    add(tiebreak, nobody, "--no-check")
    assert tiebreak("judge", "endpoint", "add", "local", server.url).code == 0
    done = tiebreak("judge", "check", "local")
    assert done.code == 1
    assert f"cannot reach {nobody}" in done.err
    assert "vllm, context 8,192 tokens" in done.err
    assert "1 of 2 servers of the judge 'local' cannot be used" in done.err
    told = json.loads(tiebreak("judge", "check", "local", "--json").out)
    assert {one["address"]: one["error"] is None for one in told} == {
        nobody: False,
        server.url: True,
    }
    assert tiebreak("judge", "endpoint", "remove", "local", nobody).code == 0
    assert tiebreak("judge", "check", "local").code == 0


def test_endpoints_come_and_go_and_the_last_one_stays(
    tiebreak: Any, server: StubServer, nobody: str
) -> None:
    add(tiebreak, server.url)
    refused = tiebreak("judge", "endpoint", "add", "local", nobody)
    assert (refused.code, "cannot reach" in refused.err) == (1, True)
    assert [one["address"] for one in servers(tiebreak)] == [server.url]
    added = tiebreak("judge", "endpoint", "add", "local", nobody, "--no-check")
    assert (added.code, "2 servers" in added.err) == (0, True)
    again = tiebreak("judge", "endpoint", "add", "local", nobody, "--no-check")
    assert (again.code, "already" in again.err) == (0, True)
    assert tiebreak("judge", "endpoint", "remove", "local", server.url).code == 0
    last = tiebreak("judge", "endpoint", "remove", "local", nobody)
    assert (last.code, "only address" in last.err) == (1, True)
    assert tiebreak("judge", "endpoint", "add", "local", "ftp://x").code == 1
    assert tiebreak("judge", "endpoint", "list", "nobody").code == 1


def test_a_baseline_has_nobody_to_check(tiebreak: Any) -> None:
    assert tiebreak("judge", "add", "coin", "--baseline", "coin").code == 0
    done = tiebreak("judge", "check", "coin")
    assert (done.code, "no server to check" in done.err) == (1, True)


def test_two_servers_share_a_judges_work(tiebreak: Any, server: StubServer, study: Path) -> None:
    with serving(able) as second:
        add(tiebreak, server.url)
        tiebreak("judge", "endpoint", "add", "local", second.url)
        assert tiebreak("judge", "run", "local").code == 0
        with Store(study) as store:
            rows = store.connection.execute(
                "SELECT endpoint, count(*) FROM verdict WHERE status = 'ok' GROUP BY endpoint"
            ).fetchall()
        assert {address for address, _ in rows} == {server.url, second.url}


def test_a_server_that_turns_out_not_to_enforce_is_said_and_kept(
    tiebreak: Any, study: Path
) -> None:
    turned = False

    def fickle(request: Request) -> Scripted:
        if turned and "/chat/" in request.path:
            return completion("Both are fine.\n\n[[A]]", model="m")
        return able(request)

    with serving(fickle) as stub:
        assert add(tiebreak, stub.url, "--prompt", "pairwise-choice").code == 0
        turned = True
        done = tiebreak("judge", "run", "local", "--concurrency", "1")
    assert done.code == 1, "no reply was a verdict"
    assert done.err.count("does not keep to the answers") == 1
    (one,) = servers(tiebreak)
    assert one["found"]["structured"]["choice"] == ""
    assert "does not keep to the answers" in one["found"]["notes"][-1]


def decider(request: Request) -> Scripted:
    if request.path.endswith("/models"):
        return Scripted(body=b'{"data": [{"id": "m", "owned_by": "vllm"}]}')
    if not request.path.endswith("/systemone"):
        return failure(404, {"detail": "Not Found"})
    ((name, question),) = request.body["questions"].items()
    options = list(question["criteria"])
    shares = {option: 0.7 if option == "A" else 0.3 / (len(options) - 1) for option in options}
    answer = {"type": "choice", "choice": "A", "probabilities": shares}
    return Scripted(body=json.dumps({"model": "m", "answers": {name: answer}}).encode())


def test_a_judge_that_decides(tiebreak: Any, study: Path) -> None:
    with serving(decider) as stub:
        done = add(tiebreak, stub.url, "--decisions", "systemone")
        assert done.code == 0, done.err
        assert "decision endpoint: systemone" in done.err
        assert tiebreak("judge", "run", "local").code == 0
    with Store(study) as store:
        rows = store.connection.execute(
            "SELECT status, label, preference, probabilities, endpoint FROM verdict"
        ).fetchall()
    assert rows
    for status, label, preference, probabilities, endpoint in rows:
        assert (status, label, endpoint) == ("ok", "A", stub.url)
        assert preference == pytest.approx(0.8)
        assert json.loads(probabilities)["left"] == pytest.approx(0.7)


def test_adding_a_judge_promises_what_its_prompt_can_take(tmp_path: Path, capsys: Any) -> None:
    """Two turns of three questions, of which a template for single turns takes the first."""
    study = make_study(tmp_path / "both.db", questions=3, turns=2)
    prompt = tmp_path / "short.txt"
    prompt.write_text("{question}\n{answer_a}\n{answer_b}\nSay [[A]] or [[B]].")
    words = ["--model", "m", "--endpoint", "http://127.0.0.1:9/v1", "--no-check"]
    own = ["--prompts", str(prompt), "--prompt", "short"]
    for name, more, left in (("all", [], 12), ("some", own, 6)):
        capsys.readouterr()
        assert run(["--db", str(study), "judge", "add", name, *words, *more]) == 0
        said = capsys.readouterr().err
        assert f"  {left} verdicts to give" in said
        assert ("6 more will fail as 'no prompt'" in said) is bool(more)
    assert "conversations of several turns" in said


def test_an_answer_that_is_none_is_kept_shown_and_never_read(tiebreak: Any, study: Path) -> None:
    page = b"<html>\xff\x1b[31m gateway: [[A]]</html>"

    seen: dict[str, int] = {}

    def garbled(request: Request) -> Scripted:
        return Scripted(body=page if seen.setdefault(request.digest, len(seen)) % 2 else b" ")

    with serving(garbled) as stub:
        add(tiebreak, stub.url, "--no-check")
        assert tiebreak("judge", "run", "local").code == 1
    last = json.loads(tiebreak("judge", "failures", "local", "--json").out)["last"]
    shown = {tiebreak("judge", "show", one["id"]).out for one in last}
    told = [text.partition("── Raw reply")[2].partition("\n\n")[2].strip() for text in shown]
    assert set(told) == {"<html>\ufffd␛[31m gateway: [[A]]</html>", "(nothing: 1 character)"}
    assert tiebreak("judge", "reparse", "local").code == 0
    with Store(study) as store:
        raws = store.connection.execute(
            "SELECT DISTINCT v.status, t.body FROM verdict v JOIN text t ON t.hash = v.raw_hash"
        ).fetchall()
    assert set(raws) == {("failed", " "), ("failed", page.decode("utf-8", "replace"))}


@pytest.mark.parametrize(
    ("words", "wrong", "mend"),
    [
        (["--set", "timeout=-1"], "timeout is -1", "--set timeout=120"),
        (["--set", "max_tokens=0"], "max_tokens is 0", "--set max_tokens=512"),
        (["--examples", "{folder}/none.toml"], "none.toml: cannot be read", "a file that"),
        (["--examples", "{folder}/page.md"], "page.md: not TOML", "docs/judges.md"),
        (["--examples", "{folder}/bytes.toml"], "bytes.toml: not UTF-8", "save it as UTF-8"),
        (["--prompts", "{folder}/bytes.txt"], "bytes.txt: not UTF-8", "save it as UTF-8"),
        (["--prompts", "{folder}/odd.jsonl"], "odd.jsonl:1, field 'type'", "as .toml"),
    ],
)
def test_what_is_refused_is_said_in_two_lines_with_how_to_mend_it(
    tiebreak: Any, tmp_path: Path, words: list[str], wrong: str, mend: str
) -> None:
    (tmp_path / "page.md").write_text("A page\n")
    for name in ("bytes.toml", "bytes.txt"):
        (tmp_path / name).write_bytes(b"\xff\xfe")
    odd = {"name": "x", "type": "triple", "prompt_template": "{answer}", "output_format": "[[1]]"}
    (tmp_path / "odd.jsonl").write_text(json.dumps(odd))
    given = [word.format(folder=tmp_path) for word in words]
    done = add(tiebreak, "http://127.0.0.1:9/v1", "--no-check", *given)
    assert done.code == 1
    message, hint = done.err.splitlines()
    assert message.startswith("tiebreak: ")
    assert wrong in message
    assert hint.startswith("  ")
    assert mend in hint

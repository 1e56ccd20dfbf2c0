"""An export is written again to the byte, whatever came later, and a changed one is found out."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.errors import BadInput, StudyBroken, TiebreakError
from core.file_diff import differences
from core.formats import fingerprint
from core.gold import GoldModel, GoldRule
from core.layouts import layouts
from core.layouts.rows import Options
from core.records import (
    Annotator,
    Answer,
    Choice,
    Pair,
    Question,
    Record,
    Ruling,
    RulingChoice,
    RulingStage,
    Setting,
    Verdict,
    VerdictStatus,
    Vote,
)
from db.store import Store
from tests.studies import FILES, full_study, located, studies
from tests.tui.test_layouts import CHOSEN, records
from tui.export_files import manifest_of
from tui.exporting import write_files
from tui.manifests import Order, read_manifest
from tui.replaying import replay, verify_file

FORMATS = [one.id for one in layouts() if not one.needs]


def exported(
    store: Store, output: Path, format_name: str, what: str = "gold", **chosen: Any
) -> Path:
    options = Options(**{**CHOSEN.get(format_name, {}), **chosen})
    write_files(store, Order(what, format_name, options), output)
    return manifest_of(output)


def content(path: Path) -> dict[str, bytes]:
    """Every file of an export."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {
        str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()
    }


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "study.db", create=True) as opened:
        opened.ingest.take(located(records()), FILES)
        yield opened


# ── the same bytes, whatever comes later ────────────────────────────────────


def later_events(draw: st.DrawFn, known: list[Record]) -> list[Record]:
    """Votes, withdrawals, rulings and verdicts on what is known, people and texts that are new."""
    votes = [one for one in known if isinstance(one, Vote)]
    superseded = {one.supersedes for one in votes}
    open_votes = [one for one in votes if one.id not in superseded and not one.cannot_judge]
    pairs = sorted({one.pair for one in votes})
    found: list[Record] = []
    for number in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["vote", "withdrawal", "ruling", "verdict", "question"]))
        pair = draw(st.sampled_from(pairs)) if pairs else Pair("late", "a", "b")
        turn = draw(st.integers(0, 2))
        key = f"late{number}"
        if kind == "vote":
            found.append(Vote(key, pair, turn, f"newcomer{number}", draw(st.sampled_from(Choice))))
        elif kind == "withdrawal" and open_votes:
            vote = open_votes.pop(draw(st.integers(0, len(open_votes) - 1)))
            found.append(Vote(key, vote.pair, vote.turn, vote.annotator, None, supersedes=vote.id))
        elif kind == "ruling":
            choice = draw(st.sampled_from(RulingChoice))
            found.append(
                Ruling(key, pair, turn, "newcomer lead", RulingStage.BLIND, choice, "so it is")
            )
        elif kind == "verdict":
            found.append(Verdict(key, pair, turn, "judge", VerdictStatus.OK, Choice.TIE, 1))
        else:
            found.append(Question(key, ("late?",), "late"))
            found += [Answer(key, model, ("late",)) for model in ("a", "b")]
    return found


def others(store: Store, draw: st.DrawFn) -> None:
    """What changes beside the logs: marks, groups, settings, names and what was not known yet."""
    with store.write() as connection:
        connection.execute("UPDATE annotator SET simulated = 1 - simulated WHERE id % 2")
        connection.execute("""UPDATE annotator SET "group" = "group" || ' moved'""")
        connection.execute("UPDATE annotator SET retired_at = '2030' WHERE id % 3 = 0")
        connection.execute("UPDATE question SET category = 'late' WHERE category IS NULL")
    groups = sorted(set(store.reading.groups().values()) - {""})
    store.set({"exclude_groups": groups[: draw(st.integers(0, 2))], "name": "Another name"})


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.generate],  # an example takes too long to be made smaller
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), known=studies())
def test_replay_gives_the_same_bytes_whatever_came_later(
    data: st.DataObject, known: list[Record], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("replay")
    rule = GoldRule(model=data.draw(st.sampled_from(GoldModel)), threshold=0.6)
    who = data.draw(st.booleans())
    chosen = {"rule": rule, "names": who, "notes": who}
    formats = data.draw(st.lists(st.sampled_from(FORMATS), min_size=2, max_size=4, unique=True))
    with Store(folder / "study.db", create=True) as store:
        store.ingest.take(located(known), FILES)
        outputs = [folder / f"out.{name}" for name in formats] + [folder / "votes"]
        for name, output in zip(formats, outputs, strict=False):
            exported(store, output, name, **chosen)
        exported(store, outputs[-1], "jsonl", "votes", names=who, notes=who)
        before = {output: content(output) for output in outputs}
        store.ingest.take(located(data.draw(st.composite(later_events)(known))), FILES)
        others(store, data.draw(st.composite(lambda draw: draw)()))
        for output in outputs:
            again = folder / f"again-{output.name}"
            replay(store, manifest_of(output), again)
            assert content(again) == before[output]
            assert manifest_of(again).read_bytes() == manifest_of(output).read_bytes()
            assert verify_file(store, again) == []


def test_categories_texts_and_references_that_came_later_do_not_enter(tmp_path: Path) -> None:
    known = [one for one in records() if not isinstance(one, Answer) or one.question != "q1"]
    with Store(tmp_path / "study.db", create=True) as store:
        store.ingest.take(located(known), FILES)
        outputs = [tmp_path / name for name in ("dpo", "judge", "mt_bench", "jsonl")]
        before = {}
        for output in outputs:
            exported(store, output, output.name)
            before[output] = content(output)
        assert json.loads(manifest_of(outputs[0]).read_text())["unknown"] == {
            "question": ["textless"],
            "category": ["textless"],
            "reference": "all",
            "answer": [f"{key}\x1f{m}" for key in ("q1", "textless") for m in ("ant", "bee")],
        }
        late = [
            Question("textless", ("now?",), "late"),
            *(Answer("textless", model, ("now",)) for model in ("ant", "bee")),
            *(Answer("q1", model, ("now", "then")) for model in ("ant", "bee")),
            Question("q0", (), None, ("a reference", None)),
        ]
        store.ingest.take(located(late), FILES)
        for output in outputs:
            again = tmp_path / f"again-{output.name}"
            replay(store, manifest_of(output), again)
            assert content(again) == before[output]


def test_a_whole_study_is_replayed_while_nothing_but_the_logs_grew(tmp_path: Path) -> None:
    with Store(full_study(tmp_path / "study.db")) as store:
        output = tmp_path / "study.jsonl"
        manifest = exported(store, output, "jsonl", "study")
        vote = Vote("new", Pair("q1", "ant", "bee"), 1, "ann", Choice.TIE)
        store.ingest.take(located([vote]), FILES)
        replay(store, manifest, tmp_path / "again")
        assert content(tmp_path / "again") == content(output)
        store.ingest.take(located([Question("q77", ("New?",))]), FILES)
        with pytest.raises(TiebreakError, match="settings, people, texts and queue as they"):
            replay(store, manifest, tmp_path / "third")
        assert not (tmp_path / "third").exists()


def test_replay_puts_back_what_is_gone_and_overwrites_nothing_else(
    store: Store, tmp_path: Path
) -> None:
    output = tmp_path / "gold.jsonl"
    manifest = exported(store, output, "jsonl")
    before, note = content(output), manifest.read_bytes()
    assert replay(store, manifest, None) == (output, 7)
    output.unlink()
    assert replay(store, manifest, None) == (output, 7)
    assert (content(output), manifest.read_bytes()) == (before, note)
    output.write_text("something else")
    with pytest.raises(TiebreakError, match="is not what the manifest describes"):
        replay(store, manifest, None)
    assert output.read_text() == "something else"


def test_replay_refuses_another_study_and_a_log_that_was_rewritten(
    store: Store, tmp_path: Path
) -> None:
    manifest = exported(store, tmp_path / "gold.jsonl", "jsonl")
    with Store(tmp_path / "other.db", create=True) as other:
        other.ingest.take(located(records()), FILES)
        with pytest.raises(StudyBroken, match="not the study that the manifest is of"):
            replay(other, manifest, tmp_path / "x")
    data = json.loads(manifest.read_text())
    data["heads"]["vote"]["hash"] = "0" * 64
    manifest.write_text(json.dumps(data))
    with pytest.raises(StudyBroken, match="the vote log is not the one that was exported"):
        replay(store, manifest, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_replay_says_so_when_a_prompt_is_worded_otherwise(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judges.prompting import Prompt

    manifest = exported(store, tmp_path / "set", "judge")
    asked = Prompt.render
    monkeypatch.setattr(Prompt, "hash", "another")
    monkeypatch.setattr(
        Prompt, "render", lambda self, *given: [*asked(self, *given), ("user", "more")][:1]
    )
    with pytest.raises(TiebreakError, match="is no longer worded as it was"):
        replay(store, manifest, tmp_path / "again")


def test_another_version_of_what_writes_parquet_is_named(store: Store, tmp_path: Path) -> None:
    manifest = exported(store, tmp_path / "gold.csv", "csv")
    data = json.loads(manifest.read_text())
    data["files"][0]["sha256"], data["needs"] = "0" * 64, {"pyarrow": "1.0"}
    manifest.write_text(json.dumps(data))
    with pytest.raises(TiebreakError, match=r"was written with pyarrow 1\.0"):
        replay(store, manifest, tmp_path / "again")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("", "it is not JSON"),
        ("[1]", "this is no manifest"),
        ('{"a": 1}', "this is no manifest"),
        ('{"manifest": 99, "tiebreak": "9.9"}', "of version 99"),
        ('{"manifest": 1}', "is damaged"),
        ('{"manifest": 1, "options": {"rule": {"model": "magic"}}}', "is damaged"),
    ],
)
def test_what_is_no_manifest_is_refused_in_words(
    store: Store, tmp_path: Path, said: str, problem: str
) -> None:
    path = tmp_path / "x.manifest.json"
    path.write_text(said)
    with pytest.raises(TiebreakError, match=problem):
        replay(store, path, None)


def test_a_manifest_leads_nowhere_else(store: Store, tmp_path: Path) -> None:
    manifest = exported(store, tmp_path / "gold.jsonl", "jsonl")
    for key, value in (("output", "../x"), ("output", ""), ("files", [{"name": "/etc/x"}])):
        data = json.loads(manifest.read_text()) | {key: value}
        path = tmp_path / "bad.manifest.json"
        path.write_text(json.dumps(data))
        with pytest.raises(BadInput, match="is damaged"):
            read_manifest(path)


def test_the_command_in_the_manifest_is_one_that_is_understood(
    store: Store, tmp_path: Path
) -> None:
    import shlex

    from tests.docs import known

    rule = GoldRule(0.6, 2, GoldModel.DAWID_SKENE, 0.9)
    manifest = exported(
        store,
        tmp_path / "set",
        "judge",
        rule=rule,
        orders="one",
        seed=4,
        category="a b",
        since="2026-01-01",
    )
    words = shlex.split(json.loads(manifest.read_text())["command"])
    assert words[:2] == ["tiebreak", "export"]
    assert {"--by", "--majority", "--threshold", "--min-votes", "--orders"} <= set(words)
    code, output = known(words[1:])
    assert code == 0, output


# ── what was changed is found ───────────────────────────────────────────────


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_changed_byte_is_found_and_its_row_is_named(
    store: Store, tmp_path: Path, format_name: str
) -> None:
    output = tmp_path / "out"
    exported(store, output, format_name)
    assert verify_file(store, output) == verify_file(store, manifest_of(output)) == []
    for path in [output] if output.is_file() else [p for p in output.rglob("*") if p.is_file()]:
        raw = path.read_bytes()
        if not raw:
            continue
        place = len(raw) // 2
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        first, *rows = verify_file(store, output)
        assert first == f"{path}: is not the file that was written"
        line = raw[:place].count(b"\n") + 1
        assert any(f"line {line}" in row or "is a row" in row for row in rows), rows
        path.write_bytes(raw)
    assert verify_file(store, output) == []


def test_rows_that_are_missing_changed_added_or_moved_are_named(
    store: Store, tmp_path: Path
) -> None:
    output = tmp_path / "gold.jsonl"
    exported(store, output, "jsonl")
    rows = output.read_text("utf-8").splitlines(keepends=True)

    def found(*lines: str) -> list[str]:
        output.write_text("".join(lines), "utf-8")
        first, *others = verify_file(store, output)
        assert "is not the file that was written" in first
        return [one.removeprefix(f"{output}, ") for one in others]

    assert found(*rows[:2], *rows[3:]) == [
        "before line 3: a row is missing (question 'q2', model_1 'ant', model_2 'bee', turn 1)"
    ]
    assert found(*rows[:-1]) == [
        "at its end: a row is missing (question 'textless', model_1 'ant', model_2 'bee', turn 1)"
    ]
    changed = rows[1].replace('"label": "model_2"', '"label": "model_1"')
    assert found(rows[0], changed, *rows[2:]) == [
        "line 2: was changed (question 'q1', model_1 'ant', model_2 'bee', turn 2): label"
    ]
    assert found(rows[0], rows[0], *rows[1:]) == [
        "line 2: is a row too many (question 'q0', model_1 'ant', model_2 'bee', turn 1)"
    ]
    assert len(found(rows[1], rows[0], *rows[2:])) == 2
    assert found() == [f"{output}: is empty; 7 lines should be in it"]
    turned = [row.replace('"turn": ', '"turn":  ') for row in rows]
    assert len(found(*turned)) == 6
    assert found(*turned)[5] == f"{output}: and 2 more rows"
    ended = [row.replace("\n", "\r\n") for row in rows]
    same_but_ends = [f"{output}: its lines are the same, but not how they end"]
    assert found(*ended) == found(*rows[:-1], rows[-1][:-1]) == same_but_ends
    output.write_bytes(gzip.compress("".join(rows).encode())[:200])
    said = f"{output}: is gzip, and was written as text; 7 lines should be in it"
    assert verify_file(store, output)[1:] == [said]
    output.unlink()
    assert verify_file(store, output) == [f"{output}: is missing"]
    output.mkdir()
    assert verify_file(store, output) == [f"{output}: is a folder"]


def test_a_folder_is_checked_from_within_and_none_is_written_over(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "set"
    manifest = exported(store, output, "judge")
    monkeypatch.chdir(output)
    assert verify_file(store, Path()) == []
    with pytest.raises(BadInput, match="is no export"):
        verify_file(store, Path("/"))
    for place in (Path(), Path("/")):
        with pytest.raises(TiebreakError, match="is a folder"):
            exported(store, place, "jsonl")
        with pytest.raises(TiebreakError, match="is a folder"):
            replay(store, manifest, place)
    assert verify_file(store, output) == []


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("command", "tiebreak export gold --ties drop", "its command"),
        ("left_out", {"unresolved": 7}, "left out"),
        ("files", {"rows": 1}, "number of rows"),
        ("files", {"bytes": 1}, "number of bytes"),
    ],
)
def test_a_manifest_that_says_what_is_not_so_is_found(
    store: Store, tmp_path: Path, field: str, value: Any, said: str
) -> None:
    output = tmp_path / "gold.jsonl"
    exported(store, output, "jsonl")
    assert verify_file(store, output) == []
    beside = manifest_of(output)
    data = json.loads(beside.read_bytes())
    data[field] = [data[field][0] | value] if field == "files" else value
    beside.write_text(json.dumps(data), "utf-8")
    (finding,) = verify_file(store, output)
    assert said in finding


def test_a_study_that_was_changed_is_found_through_the_file(store: Store, tmp_path: Path) -> None:
    output = tmp_path / "gold.jsonl"
    exported(store, output, "jsonl")
    with store.write() as connection:
        connection.execute("DROP TRIGGER vote_no_update")
        connection.execute("UPDATE vote SET choice = 'tie' WHERE id = 'v00'")
    findings = verify_file(store, output)
    assert any("vote 1: does not fit the chain" in one for one in findings)
    assert any("the same bytes cannot be had again" in one for one in findings)
    assert any("line 1: was changed (question 'q0'" in one for one in findings)


def test_a_file_too_many_in_a_folder_is_found(store: Store, tmp_path: Path) -> None:
    output = tmp_path / "set"
    exported(store, output, "judge")
    (output / "extra.jsonl").write_text("{}")
    assert verify_file(store, output) == [f"{output / 'extra.jsonl'}: is no file of this export"]


def test_a_file_without_a_manifest_cannot_be_checked(store: Store, tmp_path: Path) -> None:
    lone = tmp_path / "lone.jsonl"
    with pytest.raises(BadInput, match="there is no such file"):
        verify_file(store, lone)
    exported(store, lone, "jsonl")
    manifest = manifest_of(lone).rename(tmp_path / "of-lone.json")
    with pytest.raises(BadInput, match=r"beside it: lone\.jsonl\.manifest\.json") as no:
        verify_file(store, lone)
    assert "put it back as lone.jsonl.manifest.json, or name it here instead" in str(no.value.hint)
    assert verify_file(store, manifest) == []


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda raw: b"",
    "cut off": lambda raw: raw[: len(raw) * 2 // 3],
    "something else": lambda raw: b"\x00\xff not this at all\n" * 50,
    "of another layout": lambda raw: b"PAR1" + raw,
    "its middle": lambda raw: raw[: len(raw) // 2] + b"\xff\xff" + raw[len(raw) // 2 + 2 :],
}


@pytest.mark.parametrize("format_name", FORMATS)
def test_damage_is_said_in_a_few_lines_whatever_it_is(
    store: Store, tmp_path: Path, format_name: str
) -> None:
    output = tmp_path / "out"
    exported(store, output, format_name)
    for path in [output] if output.is_file() else [p for p in output.rglob("*") if p.is_file()]:
        raw = path.read_bytes()
        for kind, damage in DAMAGE.items():
            if damage(raw) == raw:
                continue
            path.write_bytes(damage(raw))
            first, *others = verify_file(store, output)
            assert first == f"{path}: is not the file that was written"
            assert 1 <= len(others) <= 6, (kind, others)
            assert all(one.startswith(str(path)) and "\n" not in one for one in others), kind
            if format_name == "parquet" and kind != "its middle":
                (said,) = others
                assert said.endswith("; 7 rows should be in it"), said
        path.write_bytes(raw)


def test_a_byte_of_parquet_that_is_another_is_one_line_unless_a_value_is(
    store: Store, tmp_path: Path
) -> None:
    """Wherever it is: rows are named only where all of them can still be read."""
    pytest.importorskip("pyarrow")
    output, damaged = tmp_path / "gold.parquet", tmp_path / "damaged.parquet"
    exported(store, output, "parquet")
    raw, seen = output.read_bytes(), set()
    for place in range(4, len(raw), 29):
        for wrong in (0x01, 0xFF):
            damaged.write_bytes(raw[:place] + bytes([raw[place] ^ wrong]) + raw[place + 1 :])
            said = differences(damaged, output, most=5)
            is_rows = all(f"{damaged}, line " in one or " row" in one for one in said)
            assert len(said) == 1 or is_rows, (place, said)
            seen.add(said[0].partition(": ")[2].split("(")[0])
    assert "can no longer be read as Parquet " in seen
    assert "its rows are the same, but not its bytes" in seen
    output.write_bytes(raw.replace(b"majority", b"maj\xffrity"))
    assert "Invalid UTF8" in verify_file(store, output)[1]


# ── all of it or nothing ────────────────────────────────────────────────────


def test_an_old_manifest_never_stands_beside_a_new_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "gold.jsonl"
    manifest = exported(store, output, "jsonl")
    renames: list[Path] = []
    rename = Path.replace

    def failing(self: Path, target: Path) -> Path:
        renames.append(target)
        if len(renames) == stop:
            raise OSError(5, "the disk is gone")
        return rename(self, target)

    for stop in (1, 2):
        exported(store, output, "jsonl")
        before = fingerprint(output)
        store.ingest.take(
            located([Vote(f"n{stop}", Pair("q0", "ant", "bee"), 1, "x", Choice.TIE)]), FILES
        )
        renames.clear()
        monkeypatch.setattr(Path, "replace", failing)
        with pytest.raises(TiebreakError, match="the disk is gone"):
            exported(store, output, "jsonl")
        monkeypatch.undo()
        assert not manifest.exists()
        assert (fingerprint(output) == before) == (stop == 1)
        assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


@pytest.mark.parametrize("format_name", ["jsonl", "judge", "mt_bench"])
def test_a_disk_that_fills_up_leaves_nothing_half(
    store: Store, tmp_path: Path, format_name: str
) -> None:
    more = [one for one in records(400) if isinstance(one, Question | Answer | Vote | Verdict)]
    store.ingest.take(located(more), FILES)
    output = tmp_path / "out"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**14, limit[1]))
        with pytest.raises(TiebreakError, match=r"out: File too large") as refused:
            exported(store, output, format_name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert "nothing was written" in refused.value.hint
    assert not [one for one in tmp_path.iterdir() if "out" in one.name]
    exported(store, output, format_name)
    assert verify_file(store, output) == []


def killed(study: Path, output: Path, seconds: float) -> None:
    """Export in a process of its own, and kill -9 it after a while."""
    words = ["--db", str(study), "export", "gold", "--format", "judge", "--ties", "keep"]
    words += ["--both-bad", "keep", "-o", str(output)]
    with subprocess.Popen(
        [sys.executable, "-m", "tui", *words],
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    ) as process:
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)


def test_kill_9_while_exporting_leaves_all_of_it_or_nothing(store: Store, tmp_path: Path) -> None:
    more = [one for one in records(1500) if isinstance(one, Question | Answer | Vote)]
    store.ingest.take(located(more), FILES)
    for number in range(6):
        output = tmp_path / f"set{number}"
        killed(store.path, output, 0.25 + 0.13 * number)
        if manifest_of(output).exists():
            assert verify_file(store, output) == []
        elif output.exists():
            assert {one.name for one in output.iterdir()} == {"train.jsonl", "validation.jsonl"}
        left = [one for one in tmp_path.glob(f"*set{number}*") if not one.name.startswith(".")]
        assert set(left) <= {output, manifest_of(output)}
    assert store.verify() == []
    exported(store, tmp_path / "last", "judge")
    assert verify_file(store, tmp_path / "last") == []


@pytest.mark.parametrize("format_name", FORMATS)
def test_hostile_names_stay_in_their_folder_and_come_back(tmp_path: Path, format_name: str) -> None:
    evil = ["../../up", "a/b", "=cmd|' /C'!A0", "\u202eevil", "x" * 300, "--- \\", ".", "CON"]
    known: list[Record] = [Setting("name", "\u202e</script>")]
    for number, name in enumerate(evil):
        pair = Pair.of(name, name, f"{name}!")[0]
        known.append(Question(name, ("\x1b[31m\ufffe\u2028",), name))
        known += [Answer(name, m, ("{}\x00".replace("\x00", "") + m,)) for m in (name, f"{name}!")]
        known.append(Annotator(f"@{name}", group="author" if number % 2 else ""))
        known.append(Vote(f"v{number}", pair, 1, f"@{name}", Choice.MODEL_1, note="=1\r\n", left=2))
    with Store(tmp_path / "study.db", create=True) as store:
        store.ingest.take(located(known), FILES)
        output = tmp_path / "deep" / "out"
        output.parent.mkdir()
        exported(store, output, format_name, names=True, notes=True)
        assert verify_file(store, output) == []
        assert {one.name for one in tmp_path.iterdir()} <= {
            "deep", "study.db", "study.db-wal", "study.db-shm",
        }  # fmt: skip
        if output.is_dir():
            for path in output.rglob("*"):
                assert path.resolve().is_relative_to(output.resolve())
                assert path.name.isprintable()

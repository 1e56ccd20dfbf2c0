"""Judges' prompts on the command line: chosen, shown, checked, kept, and replies read again."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from core.errors import TiebreakError
from db.merging import merge
from db.store import Store
from judges.families import Family
from judges.prompt_files import FOLDER
from tests.judges.stub_process import StubProcess
from tests.studies import make_study
from tui.cli import root

AT = ("--model", "m", "--endpoint", "http://127.0.0.1:9/v1")


def tiebreak(*words: str) -> tuple[int, str, str]:
    """Exit code, output and messages."""
    done = CliRunner().invoke(root, [*words], standalone_mode=False)
    if isinstance(done.exception, TiebreakError):
        return 1, done.stdout, f"{done.exception.message} {done.exception.hint}"
    if isinstance(done.exception, click.ClickException):
        return 2, done.stdout, done.exception.format_message()
    assert done.exception is None, done.exception
    return 0, done.stdout, done.stderr


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.db"
    make_study(path, questions=2, models=["ash", "beech", "cedar"])
    return path


def added(study: Path, name: str, *options: str) -> tuple[int, str, str]:
    return tiebreak("--db", str(study), "judge", "add", name, "--no-check", *AT, *options)


def test_a_judge_keeps_its_prompt(study: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    text = "{question}\n{answer_a}\n{answer_b}\nSay [[A]] or [[B]] at the end of your reply."
    (mine / "terse.txt").write_text(text)
    code, _, messages = added(study, "own", "--prompt", "terse", "--prompts", str(mine))
    assert code == 0, messages
    assert added(study, "own", "--prompt", "terse", "--prompts", str(mine))[0] == 0
    (mine / "terse.txt").write_text(text.replace("at the end", "at the very end"))
    code, _, messages = added(study, "own", "--prompt", "terse", "--prompts", str(mine))
    assert (code, "in another configuration" in messages) == (1, True)
    (mine / "terse.txt").unlink()
    with Store(study) as store:
        record = store.judging.judge("own")
        family = Family.load(store.judging.wording("own"))
    assert family.hash == record.prompt_hash
    assert family.variants[0].user == text


def test_a_style_becomes_part_of_the_judge(study: Path, tmp_path: Path) -> None:
    examples = tmp_path / "mine.toml"
    examples.write_text(
        '[[example]]\nquestion = "One?"\nreference = "1"\nanswers = ["1", "2"]\n'
        'choice = "left"\nwhy = "{a} is right."\n'
    )
    options = ("--explain", "after", "--names", "Kim, Robin", "--examples", str(examples))
    assert added(study, "styled", *options)[0] == 0
    with Store(study) as store:
        record = store.judging.judge("styled")
        assert record.prompt == "pairwise explain=after examples=mine names=Kim,Robin"
        prompt = Family.load(store.judging.wording("styled")).variants[0]
    assert prompt.examples[1].content == "[[Kim]]\n\nKim is right."


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--prompt", "nope"), "there is no prompt 'nope'"),
        (("--names", "Kim"), "at least two"),
        (("--names", "C,Robin"), "two things by one label"),
        (("--prompt", "pairwise-choice", "--explain", "first"), "no wording for explain=first"),
    ],
)
def test_prompts_that_cannot_be_add_no_judge(
    study: Path, options: tuple[str, ...], words: str
) -> None:
    code, _, messages = added(study, "odd", *options)
    assert code == 1
    assert words in messages
    with Store(study) as store:
        assert store.judging.judges() == []


def test_a_kept_prompt_is_merged_with_its_judge(study: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    make_study(other, questions=2, models=["ash", "beech", "cedar"])
    added(other, "there", "--explain", "none")
    with Store(study) as store:
        merge(store, other)
        assert Family.load(store.judging.wording("there")).name == "pairwise explain=none"
        assert not merge(store, other).conflicts


# ── shown and checked ────────────────────────────────────────────────────────


def test_prompts_are_listed_and_shown() -> None:
    _, output, _ = tiebreak("judge", "prompts", "list")
    assert {line.split()[0] for line in output.splitlines()} >= {"pairwise", "ranking"}
    _, output, _ = tiebreak("judge", "prompts", "list", "--json")
    (facts,) = [one for one in json.loads(output) if one["name"] == "pairwise-json"]
    assert (facts["grammar"], facts["variants"][0]["structured"]) == ("json", "json")
    _, output, _ = tiebreak("judge", "prompts", "show", "ranking", "--multi", "--reference")
    assert "<candidate_c>" in output
    assert "ranking-multi-reference" in output
    style = ("--names", "Kim,Robin", "--examples", "own")
    _, output, _ = tiebreak("judge", "prompts", "show", "pairwise", *style, "--json")
    example = json.loads(output)["messages"][2]
    assert (example["role"], example["content"][-9:]) == ("assistant", "[[Robin]]")
    assert tiebreak("judge", "prompts", "show", "nope")[0] == 1


def test_what_a_users_file_says_is_shown_inert(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(
        "\x1b[2J{question}{answer_a}{answer_b} End with [[A]] or [[B]] at the end of it."
    )
    _, output, _ = tiebreak("judge", "prompts", "show", "mine", "--prompts", str(tmp_path))
    assert "\x1b" not in output


def test_a_file_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = (FOLDER / "pairwise.toml").read_text("utf-8").replace('id = "pairwise"', 'id = "mine"')
    file.write_text(text)
    code, _, messages = tiebreak("judge", "prompts", "check", str(file))
    assert (code, messages.count("mine")) == (0, 4)
    file.write_text(text.replace("{opening}", "{opning}"))
    code, _, messages = tiebreak("judge", "prompts", "check", str(file))
    assert code == 1
    assert "mine.toml" in messages
    assert "no part 'opning'" in messages
    examples = FOLDER / "examples" / "own.toml"
    assert "right, left, tie, both_bad" in tiebreak("judge", "prompts", "check", str(examples))[2]
    plain = tmp_path / "plain.txt"
    plain.write_text("{question}{answer_a}{answer_b}\nNot [[B]].\n\n[[A]]")
    code, _, messages = tiebreak("judge", "prompts", "check", str(plain))
    assert (code, "reads as a verdict" in messages) == (1, True)


# ── read again ───────────────────────────────────────────────────────────────


def judged(study: Path, *options: str, content: str) -> None:
    """Let a judge that always says the same judge the whole study."""
    with StubProcess(content=content) as stub:
        words = ("--db", str(study), "judge")
        options = ("--endpoint", stub.url, *options)
        code, _, messages = tiebreak(*words, "add", "local", "--model", "m", *options)
        assert code == 0, messages
        code, _, messages = tiebreak(*words, "run", "local")
        assert code == 0, messages


def rows(study: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(study)) as connection:
        return connection.execute(query).fetchall()


def test_a_ranking_judges_every_pair_in_both_orders_with_two_calls(study: Path) -> None:
    judged(study, "--prompt", "ranking", content="So.\n\n[[A > B | C]]")
    found = rows(study, "SELECT left, choice, label, raw_hash, sent_hash FROM verdict")
    assert len(found) == 2 * 3 * 2, "two questions, three pairs, two orders"
    assert len({row[4] for row in found}) == 4, "two calls for each question"
    assert {row[3] for row in found} == {found[0][3]}
    # Whatever stands first wins, so the two orders contradict each other but for the last one.
    assert {row[2] for row in found} == {"A > B of 3", "A > C of 3", "B > C of 3"}
    first = [row[1] for row in found if row[0] == 1]
    assert set(first) == {"model_1"}


def test_stored_replies_are_read_again_without_a_call(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judges import parsing
    from judges.readings import Failure, Parsed

    def blind(text: str, grammar: Any) -> Parsed:
        return Parsed(failure=Failure.NO_VERDICT)

    with monkeypatch.context() as patch:
        patch.setattr(parsing, "PARSERS", {**parsing.PARSERS, "bracket": blind})
        judged(study, content="The first is right.\n\n[[A]]")
    words = ("--db", str(study), "judge", "reparse")
    before = rows(study, "SELECT count(*), sum(tokens_in) FROM verdict")
    assert before[0][0] == 12
    _, output, _ = tiebreak(*words, "--dry-run")
    assert "12 would change" in output
    assert rows(study, "SELECT count(*), sum(tokens_in) FROM verdict") == before
    _, output, _ = tiebreak(*words, "local", "--json")
    (told,) = json.loads(output)
    assert (told["read"], told["changed"], told["not_read"]) == (12, 12, 0)
    assert {(one["from"], one["to"]) for one in told["changes"]} == {
        ("no verdict", "model_1"),
        ("no verdict", "model_2"),
    }
    ((count, tokens),) = rows(study, "SELECT count(*), sum(tokens_in) FROM verdict")
    assert (count, tokens) == (24, before[0][1]), "nothing was spent"
    standing = "SELECT count(*) FROM verdict v WHERE choice IS NOT NULL AND supersedes IS NOT NULL"
    assert rows(study, standing) == [(12,)]
    _, output, _ = tiebreak(*words)
    assert "12 replies read again, 0 changed" in output
    assert tiebreak("--db", str(study), "verify")[0] == 0


def test_baselines_and_unknown_judges_have_nothing_to_read(study: Path) -> None:
    tiebreak("--db", str(study), "judge", "add", "longer", "--baseline", "longer-answer")
    assert tiebreak("--db", str(study), "judge", "run", "longer")[0] == 0
    _, output, messages = tiebreak("--db", str(study), "judge", "reparse")
    assert "no judge whose replies" in messages + output
    _, output, _ = tiebreak("--db", str(study), "judge", "reparse", "longer")
    assert "0 changed; 12 hold nothing to read" in output
    assert tiebreak("--db", str(study), "judge", "reparse", "nobody")[0] == 1

"""The layouts in which gold leaves: what is in each, what is asked first, who is never named."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import TiebreakError, UsageError
from core.gold import GoldModel, GoldRule
from core.layouts import layout, layouts
from core.layouts.rows import Options, is_held_out
from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Pair,
    Question,
    Role,
    Ruling,
    RulingChoice,
    RulingStage,
    Seen,
    Setting,
    Verdict,
    VerdictStatus,
    Vote,
)
from core.stats import Tally
from core.stats.gold_kept import posteriors
from db.feed import Feed
from db.store import Store
from judges.families import Family
from judges.prompt_files import load_prompts
from judges.tasks import Shown
from tests.studies import FakeClock, located
from tui.exporting import gold_rows, write_files
from tui.manifests import Order

PAIR = Pair("q1", "ant", "bee")
CHOSEN: dict[str, dict[str, Any]] = {
    "mt_bench": {"both_bad": "as-tie"},
    "dpo": {"ties": "drop", "both_bad": "drop"},
    "dpo-chat": {"ties": "both-orders", "both_bad": "drop"},
    "hugging-face": {"ties": "drop", "both_bad": "both-orders"},
    "judge": {"ties": "keep", "both_bad": "keep"},
}
"""What has to be chosen in each layout that cannot hold every label."""

TEXTUAL = [one.id for one in layouts() if not one.needs]


def records(questions: int = 6) -> Iterator[Any]:
    """Questions of two turns, each with another outcome; one without texts."""
    yield Setting("name", "A study")
    yield from (Annotator(name, group="expert") for name in ("dora@example.org", "Emil", "fay"))
    yield Annotator("bot", simulated=True)
    yield Annotator("leonie", Role.LEAD)
    yield Judge("j", "openai", "j-model", revision="r7", prompt="pairwise", prompt_hash="abc")
    outcomes = [*Choice, None, Choice.MODEL_2]
    for number in range(questions):
        key = f"q{number}"
        yield Question(key, (f"{key} one?", f"{key} two?"), "maths" if number % 2 else "art")
        for model in ("ant", "bee"):
            yield Answer(key, model, (f"{model} on {key}, one", f"{model} on {key}, two"))
        pair = Pair(key, "ant", "bee")
        wanted = outcomes[number % len(outcomes)]
        for who, name in enumerate(("dora@example.org", "Emil")):
            choice = wanted or (Choice.MODEL_1, Choice.MODEL_2)[who]
            yield Vote(
                f"v{number}{who}", pair, 1 + number % 2, name, choice, "ssh:SHA256:secretkey",
                left=1 + who, note="a private note", flag="rude to fay", at=f"2026-01-0{who + 1}",
            )  # fmt: skip
        for left in (1, 2):
            yield Verdict(
                f"w{number}{left}", pair, 1 + number % 2, "j", VerdictStatus.OK, Choice.MODEL_1,
                left, prompt="pairwise", prompt_hash="abc", raw="[[A]]", served_model="j-model-7",
            )  # fmt: skip
    yield Vote("lone", Pair("textless", "ant", "bee"), 1, "Emil", Choice.MODEL_1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "study.db", create=True, clock=FakeClock()) as opened:
        opened.fix_seed("a fixed seed")
        opened.ingest.take(located(records()))
        yield opened


def written(store: Store, format_name: str, what: str = "gold", **options: Any) -> dict[str, str]:
    """What is in each file of an export, the manifest as ``manifest``."""
    output = store.path.with_name(f"out-{len(list(store.path.parent.iterdir()))}")
    order = Order(what, format_name, Options(**{**CHOSEN.get(format_name, {}), **options}))
    write_files(store, order, output)
    files = [output] if output.is_file() else [p for p in output.rglob("*") if p.is_file()]
    found = {str(p.relative_to(output)) if p != output else "": p.read_text("utf-8") for p in files}
    return found | {"manifest": output.with_name(output.name + ".manifest.json").read_text("utf-8")}


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# ── who is named ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("format_name", TEXTUAL)
def test_no_layout_and_no_manifest_names_anybody(store: Store, format_name: str) -> None:
    store.ingest.take(
        located(
            [
                Ruling("r1", Pair("q4", "ant", "bee"), 1, "leonie", RulingStage.BLIND,
                       RulingChoice.MODEL_1, "as emil and Dora@example.org say, not x@y.org",
                       identity="local:leonie"),
                Vote("c1", PAIR, 2, "fay", None, cannot_judge="ask Emil"),
            ]
        )
    )  # fmt: skip
    found = written(store, format_name, annotator=None)
    for name, text in found.items():
        for private in (
            "dora@",
            "emil",
            "fay",
            "leonie",
            "secretkey",
            "private note",
            "rude",
            "x@y",
        ):
            assert private not in text.casefold(), (name, private)
        assert "a fixed seed" not in text
        assert '"expert"' not in text
    named = written(store, format_name, names=True)
    assert named.keys() == found.keys()
    if format_name in ("jsonl", "mt_bench"):
        said = "".join(text for name, text in named.items() if name != "manifest")
        assert ("Emil" in said) == (format_name == "jsonl")
    assert "Emil" not in named["manifest"]


def test_a_filter_by_name_is_kept_by_pseudonym(store: Store) -> None:
    found = written(store, "jsonl", annotator="Emil")
    assert "Emil" not in found["manifest"]
    (who,) = {v["annotator"] for row in lines(found[""]) for v in row["votes"]}
    assert json.loads(found["manifest"])["options"]["annotator"] == who
    assert lines(written(store, "jsonl", annotator=who)[""]) == lines(found[""])


# ── what is asked first ─────────────────────────────────────────────────────


@pytest.mark.parametrize("format_name", ["dpo", "dpo-chat", "hugging-face", "judge"])
def test_ties_and_both_bad_are_chosen_for_and_never_settled_silently(
    store: Store, format_name: str
) -> None:
    with pytest.raises(UsageError, match=r"of 7 rows, 1 is a tie and 1 is both bad") as refused:
        written(store, format_name, ties="", both_bad="")
    assert "--ties drop|" in refused.value.hint
    assert "--both-bad drop|" in refused.value.hint
    assert not list(store.path.parent.glob("*out*"))
    with pytest.raises(UsageError, match="1 is both bad"):
        written(store, format_name, ties="drop", both_bad="")
    nothing_to_ask = {"ties": "", "both_bad": "", "category": "art", "turn": 1}
    labels = {row["label"] for row in gold_rows(store, Options(category="art", turn=1))}
    assert "both_bad" not in labels
    assert written(store, format_name, **{**nothing_to_ask, "ties": "drop"})


def test_a_choice_that_a_layout_does_not_have_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="jsonl has no --ties drop"):
        written(store, "jsonl", ties="drop")
    with pytest.raises(UsageError, match="dpo has no --ties keep"):
        written(store, "dpo", ties="keep")
    with pytest.raises(UsageError, match="votes are not written as dpo"):
        written(store, "dpo", what="votes")


# ── preferences ─────────────────────────────────────────────────────────────


def test_preferences_hold_the_chosen_answer_and_what_both_share(store: Store) -> None:
    rows = {row["question"]: row for row in lines(written(store, "dpo")[""])}
    assert rows.keys() == {"q0", "q1", "q5"}  # the others: tie, both bad, unresolved, textless
    first, second = rows["q0"], rows["q1"]
    assert (first["turn"], first["gold"], first["chosen_model"]) == (1, "model_1", "model_1")
    assert (first["prompt"], first["chosen"], first["rejected"]) == (
        "q0 one?", "ant on q0, one", "bee on q0, one",
    )  # fmt: skip
    assert second["prompt"] == "q1 one?"
    assert second["chosen"] == "bee on q1, one\n\nUser: q1 two?\n\nAssistant: bee on q1, two"
    assert second["rejected"].startswith("ant on q1, one")


def test_preferences_as_messages_alternate_and_end_with_the_answer(store: Store) -> None:
    rows = lines(written(store, "dpo-chat")[""])
    for row in rows:
        for side in ("chosen", "rejected"):
            told = row["prompt"] + row[side]
            assert [one["role"] for one in told] == ["user", "assistant"] * row["turn"]
        model = "ant" if row["chosen_model"] == "model_1" else "bee"
        last = "one" if row["turn"] == 1 else "two"
        assert row["chosen"][-1]["content"] == f"{model} on {row['question']}, {last}"
    tied = [row["chosen_model"] for row in rows if row["gold"] == "tie"]
    assert tied == ["model_1", "model_2"]


def test_what_is_left_out_is_counted(store: Store) -> None:
    manifest = json.loads(written(store, "dpo")["manifest"])
    assert manifest["left_out"] == {
        "both bad": 1, "ties": 1, "unresolved": 1, "without text": 1,
    }  # fmt: skip
    assert [one["rows"] for one in manifest["files"]] == [3]


@pytest.mark.parametrize("format_name", ["hugging-face", "judge"])
@pytest.mark.parametrize("held_out", [0.0, 0.3, 1.0])
def test_no_question_is_in_both_splits_and_none_moves_when_the_study_grows(
    store: Store, format_name: str, held_out: float
) -> None:
    names = ("data/train.jsonl", "data/test.jsonl")
    if format_name == "judge":
        names = ("train.jsonl", "validation.jsonl")

    def split() -> list[set[str]]:
        found = written(store, format_name, held_out=held_out, seed=3)
        return [{row["question"] for row in lines(found[name])} for name in names]

    before = split()
    assert not before[0] & before[1]
    assert len(before[0] | before[1]) >= 3
    for number, questions in enumerate(before):
        for question in questions:
            assert is_held_out(question, Options(held_out=held_out, seed=3)) == bool(number)
    more = [one for one in records(40) if not isinstance(one, Annotator | Judge | Setting)]
    store.ingest.take(located(more))
    after = split()
    assert all(old <= new for old, new in zip(before, after, strict=True))
    if held_out == 0.3:
        assert 0.1 < len(after[1]) / len(after[0] | after[1]) < 0.5


def test_a_data_set_s_card_quotes_a_name_harmlessly(store: Store) -> None:
    store.set({"name": "A [study](http://x) <b> --- \n# yes"})
    card = written(store, "hugging-face")["README.md"]
    assert r"\[study\]\(http\:" in card
    assert card.count("\n# ") == 1
    front = card.split("---\n")[1]
    assert "path: data/train.jsonl" in front
    assert "- `train`: " in card


@pytest.mark.parametrize("held_out", [0.0, 0.5, 1.0])
def test_a_data_set_s_card_types_every_column_and_names_the_splits_that_have_rows(
    store: Store, held_out: float
) -> None:
    """A split without rows, or a column whose first rows are null, and ``datasets`` gives up."""
    found = written(store, "hugging-face", held_out=held_out)
    front = found["README.md"].split("---\n")[1]
    rows = {split: lines(found[f"data/{split}.jsonl"]) for split in ("train", "test")}
    assert re.findall(r"path: data/(\w+)", front) == [split for split in rows if rows[split]]
    assert re.findall(r"^  - name: (\w+)$", front, re.MULTILINE) == [
        *next(row for some in rows.values() for row in some)
    ]
    typed = dict(re.findall(r"^  - name: (\w+)\n    (?:dtype: )?(\w+)", front, re.MULTILINE))
    kinds = {"string": str, "int64": int, "list": list}
    for row in (row for some in rows.values() for row in some):
        for name, value in row.items():
            assert isinstance(value, kinds[typed[name]]), name
            if typed[name] == "list":
                assert [{*message} for message in value] == [{"role", "content"}] * len(value)


@pytest.mark.parametrize("format_name", ["dpo", "dpo-chat", "hugging-face", "judge"])
def test_nothing_to_train_on_is_called_label(store: Store, format_name: str) -> None:
    """TRL doubles every column of preferences for KTO, and its own ``label`` is then ours."""
    for name, text in written(store, format_name, held_out=0.0).items():
        for row in lines(text) if name in ("", "train.jsonl", "data/train.jsonl") else []:
            assert "gold" in row
            assert not {"label", "labels"} & row.keys()


@pytest.mark.parametrize(
    ("number", "questions"), [(1, "1 row on 1 question"), (2, "2 rows on 2 questions")]
)
def test_a_data_set_s_card_counts_none_one_and_many(
    tmp_path: Path, number: int, questions: str
) -> None:
    with Store(tmp_path / "s.db", create=True) as store:
        store.ingest.take(located(records(number)))
        card = written(store, "hugging-face", held_out=0.0, ties="", both_bad="")["README.md"]
    assert f"- `train`: {questions}\n- `test`: 0 rows on 0 questions\n" in card
    assert "\n\nNo label is a tie.\nNo label is both bad.\n" in card


def test_a_data_set_s_card_says_what_became_of_ties_and_both_bad(store: Store) -> None:
    card = written(store, "hugging-face", ties="drop", both_bad="both-orders")["README.md"]
    assert "A row whose label is a tie is left out." in card
    assert "A row whose label is both bad is here twice, with each answer chosen once." in card
    assert "- left out, ties: 1\n" in card


# ── sets for judges ─────────────────────────────────────────────────────────


def family() -> Family:
    return load_prompts().family("pairwise explain=none")


def test_a_judge_is_trained_on_what_it_would_be_sent_in_both_orders(store: Store) -> None:
    found = written(store, "judge", held_out=0.0)
    rows = lines(found["train.jsonl"])
    assert found["validation.jsonl"] == ""
    assert len(rows) == 2 * 5
    for row in rows:
        question = Question(row["question"], (f"{row['question']} one?", f"{row['question']} two?"))
        models = ("ant", "bee") if row["left"] == "model_1" else ("bee", "ant")
        answers = tuple(
            tuple(f"{model} on {row['question']}, {turn}" for turn in ("one", "two"))
            for model in models
        )
        shown = Shown(question, row["turn"], answers)
        prompt = family().pick(shown)
        sent = [{"role": role, "content": content} for role, content in prompt.render(shown)]
        assert row["prompt"] == sent
        (reply,) = row["completion"]
        assert reply["role"] == "assistant"
        seen = prompt.read(reply["content"]).seen
        assert seen == row["seen"]
        meant = {"left": row["left"], "right": "model_2" if row["left"] == "model_1" else "model_1"}
        assert meant.get(row["seen"], row["seen"]) == row["gold"]
        assert (row["judge_prompt"], row["prompt_hash"]) == (prompt.id, prompt.hash)
    assert {row["seen"] for row in rows} == set(Seen)


def test_one_order_is_drawn_by_the_seed_and_both_bad_may_be_a_tie(store: Store) -> None:
    rows = lines(
        written(store, "judge", held_out=0.0, orders="one", both_bad="as-tie")["train.jsonl"]
    )
    assert len(rows) == len({row["question"] for row in rows}) == 5
    assert {row["gold"]: row["seen"] for row in rows}["both_bad"] == "tie"
    sides = set()
    for seed in range(4):
        found = written(store, "judge", orders="one", seed=seed, held_out=0.0)
        sides.add(tuple(row["left"] for row in lines(found["train.jsonl"])))
    assert len(sides) > 1


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ("pairwise", "asks for reasons"),
        ("score-pair", "asks for more than which"),
        ("single-answer", "asks for more than which"),
        ("ranking", "asks for more than which"),
        ("no-such", "there is no prompt"),
    ],
)
def test_a_prompt_that_a_label_does_not_answer_is_refused(
    store: Store, prompt: str, problem: str
) -> None:
    with pytest.raises(TiebreakError, match=problem):
        written(store, "judge", prompt=prompt)


# ── gold itself ─────────────────────────────────────────────────────────────


def test_the_trail_says_which_judge_it_was_and_keeps_both_rulings(store: Store) -> None:
    store.ingest.take(
        located(
            [
                Ruling("r1", PAIR, 2, "leonie", RulingStage.BLIND, RulingChoice.TIE, "both fine",
                       queue_reason="human_judge", queue_probability=0.25),
                Ruling("r2", PAIR, 2, "leonie", RulingStage.UNMASKED, RulingChoice.MODEL_1, "ah",
                       supersedes="r1"),
            ]
        )
    )  # fmt: skip
    (row,) = [r for r in lines(written(store, "jsonl")[""]) if r["question"] == "q1"]
    assert (row["label"], row["decided_by"], row["why"]) == ("model_1", "ruling", "ruled unmasked")
    told = [(r["stage"], r["choice"], r["stands"], r["reason"]) for r in row["rulings"]]
    assert told == [
        ("blind", "tie", False, "both fine"), ("unmasked", "model_1", True, "ah"),
    ]  # fmt: skip
    assert row["rulings"][0]["queue_probability"] == 0.25
    for verdict in row["verdicts"]:
        said = [verdict[name] for name in ("model", "revision", "served_model", "prompt_hash")]
        assert said == ["j-model", "r7", "j-model-7", "abc"]


def test_dawid_skene_in_the_export_is_that_of_the_statistics(store: Store) -> None:
    store.ingest.take(
        located([Ruling("r", PAIR, 2, "leonie", RulingStage.BLIND, RulingChoice.TIE, "so")])
    )
    feed = Feed(store, Tally())
    feed.catch_up()
    expected = {(pair.key, turn): found for (pair, turn), found in posteriors(feed.tally).items()}
    rule = GoldRule(model=GoldModel.DAWID_SKENE, threshold=0.6)
    labels = 0
    for row in gold_rows(store, Options(rule=rule)):
        key = Pair(row["question"], row["model_1"], row["model_2"]).key, row["turn"]
        top = max(expected[key].values())
        if row["decided_by"] == "dawid_skene":
            labels += 1
            assert expected[key][Choice(row["label"])] == top >= 0.6
            assert row["why"].startswith(f"probability {top:.3f} ")
        elif row["decided_by"] == "unresolved":
            assert top < 0.6 or "two outcomes" in row["why"]
    assert labels >= 3


@pytest.mark.parametrize(
    ("chosen", "questions"),
    [
        ({"category": "maths"}, {"q1", "q3", "q5"}),
        ({"turn": 2}, {"q1", "q3", "q5"}),
        ({"model": "ant"}, {"q0", "q1", "q2", "q3", "q4", "q5", "textless"}),
        ({"model": "ant", "against": "cat"}, set()),
        ({"group": "nobody"}, set()),
        ({"since": "2026-01-02"}, {"q0", "q1", "q2", "q3", "q4", "q5"}),
        ({"until": "2026-01-01"}, set()),
    ],
)
def test_filters(store: Store, chosen: dict[str, Any], questions: set[str]) -> None:
    rows = list(gold_rows(store, Options(**chosen)))
    assert {row["question"] for row in rows} == questions
    if "since" in chosen:
        assert {len(row["votes"]) for row in rows} == {1}


def test_a_judge_s_verdicts_alone_may_stand_in_the_trail(store: Store) -> None:
    assert all(not row["verdicts"] for row in gold_rows(store, Options(judge="nobody")))
    assert all(
        len(r["verdicts"]) == 2 for r in gold_rows(store, Options(judge="j", category="art"))
    )


def test_parquet_holds_what_csv_holds_with_the_same_bytes_each_time(store: Store) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    paths = [store.path.with_name(f"{n}.parquet") for n in range(2)]
    for path in paths:
        write_files(store, Order("gold", "parquet"), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    table = list(csv.DictReader(io.StringIO(written(store, "csv")[""], newline="")))
    rows = parquet.read_table(paths[0]).to_pylist()
    assert [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in rows
    ] == table


def test_a_layout_whose_module_is_missing_says_so_in_one_line(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.exporting.find_spec", lambda name: None)
    with pytest.raises(TiebreakError, match="needs pyarrow, which is not installed") as refused:
        write_files(store, Order("gold", "parquet"), store.path.with_name("x.parquet"))
    assert refused.value.hint == "pip install 'tiebreak[parquet]'"


@pytest.mark.parametrize("format_name", TEXTUAL)
def test_an_empty_study_gives_empty_files(tmp_path: Path, format_name: str) -> None:
    with Store(tmp_path / "study.db", create=True) as store:
        found = written(store, format_name, ties="", both_bad="")
        manifest = json.loads(found.pop("manifest"))
        assert sum(one["rows"] for one in manifest["files"]) == 0
        for name, text in found.items():
            if name.endswith(".json") or format_name == "arena":
                assert json.loads(text) == []
            elif name.endswith(".jsonl") or format_name in ("jsonl", "dpo", "dpo-chat"):
                assert text == ""


def test_layouts_are_found_by_themselves() -> None:
    assert {one.id for one in layouts()} >= {"jsonl", "csv", "parquet", "dpo", "judge", "arena"}
    with pytest.raises(UsageError, match="no layout is called 'x'"):
        layout("x")

"""MT-bench as FastChat lays it out: small files by hand here, the published ones beside them."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from core.formats import named, sniffed
from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Pair,
    Question,
    Record,
    Setting,
    Verdict,
    VerdictStatus,
    Vote,
    combine,
)
from db.reading import Item
from db.store import Store
from tests.studies import SHARED, write_lines
from tui.importing import import_path

FORMAT = named("mt_bench")
FOLDER = SHARED / "mt_bench"
published = pytest.mark.skipif(not FOLDER.is_dir(), reason="the published MT-bench data is absent")

VOTE = {
    "question_id": 81, "model_a": "a", "model_b": "b", "winner": "model_a", "judge": "expert_1",
    "turn": 1, "tstamp": 1687222656.7,
}  # fmt: skip
GAMES = {
    "question_id": 81, "model_1": "a", "model_2": "b", "g1_winner": "model_1",
    "g2_winner": "tie", "judge": ["m", "pair-v2"], "turn": 1, "g1_judgment": "[[A]]",
}  # fmt: skip
ANSWER = {"question_id": 1, "model_id": "m", "choices": [{"turns": ["x"]}]}


def records(path: Path) -> list[Record]:
    return [record for _, record in FORMAT.read(path)]


def refused(path: Path) -> BadInput:
    with pytest.raises(BadInput) as refusal:
        records(path)
    return refusal.value


# ── line by line ────────────────────────────────────────────────────────────


def test_questions_answers_and_references(tmp_path: Path) -> None:
    question = write_lines(
        tmp_path / "question.jsonl",
        {"question_id": 81, "category": "maths", "turns": ["1?", "2?"], "reference": ["x", "y"]},
    )
    assert records(question) == [Question("81", ("1?", "2?"), "maths", ("x", "y"))]
    for folder in ("model_answer", "reference_answer"):
        (tmp_path / folder).mkdir()
    line = {"question_id": 81, "model_id": "m", "choices": [{"index": 0, "turns": ["a", "b"]}]}
    answer = write_lines(tmp_path / "model_answer" / "m.jsonl", line)
    assert records(answer) == [Answer("81", "m", ("a", "b"))]
    reference = write_lines(tmp_path / "reference_answer" / "m.jsonl", line)
    assert records(reference) == [Question("81", (), None, ("a", "b"))]
    # The folder's own references go before the question's own field.
    assert records(question) == [Question("81", ("1?", "2?"), "maths")]


@pytest.mark.parametrize(
    ("winner", "choice"),
    [
        ("model_a", "model_1"),
        ("model_b", "model_2"),
        ("tie", "tie"),
        ("tie (inconsistent)", "tie"),
        ("tie (bothbad)", "both_bad"),
    ],
)
def test_labels_of_people(tmp_path: Path, winner: str, choice: str) -> None:
    path = write_lines(tmp_path / "votes.jsonl", {**VOTE, "winner": winner})
    person, vote = records(path)
    assert person == Annotator("expert_1", group="expert")
    assert isinstance(vote, Vote)
    assert (vote.pair, vote.choice, vote.left) == (Pair("81", "a", "b"), choice, None)
    assert vote.at == "2023-06-20T00:57:36.700Z"


def test_a_winner_is_turned_with_its_models(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "votes.jsonl", {**VOTE, "model_a": "z", "winner": "model_a"})
    vote = records(path)[-1]
    assert isinstance(vote, Vote)
    assert (vote.pair, vote.choice) == (Pair("81", "b", "z"), Choice.MODEL_2)


def test_authors_are_people_who_do_not_count(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "votes.jsonl", {**VOTE, "judge": "author_2"})
    assert records(path)[:2] == [
        Setting("exclude_groups", ["author"]),
        Annotator("author_2", group="author"),
    ]


@pytest.mark.parametrize("judge", [["gpt-4", "pair-v2"], "gpt-4"])
def test_a_judge_without_orders_is_reported(tmp_path: Path, judge: object) -> None:
    path = write_lines(tmp_path / "gpt4.jsonl", {**VOTE, "judge": judge})
    who, verdict = records(path)
    assert who == Judge("gpt-4", "imported", model="gpt-4")
    assert isinstance(verdict, Verdict)
    assert (verdict.left, verdict.choice, verdict.label) == (None, Choice.MODEL_1, "model_a")


@pytest.mark.parametrize("swapped", [False, True])
def test_games_show_each_model_on_the_left_once(tmp_path: Path, swapped: bool) -> None:
    line = {**GAMES, "model_1": "b", "model_2": "a"} if swapped else GAMES
    path = write_lines(tmp_path / "judge_pair.jsonl", line)
    who, first, second = records(path)
    assert who == Judge("judge", "imported", model="m")
    assert isinstance(first, Verdict)
    assert isinstance(second, Verdict)
    # Game 1 shows the file's model_1 first; it wins, whichever place it has in our order.
    assert first.pair == second.pair == Pair("81", "a", "b")
    assert (first.left, first.choice) == ((2, "model_2") if swapped else (1, "model_1"))
    assert (second.left, second.choice) == ((1, "tie") if swapped else (2, "tie"))
    assert (first.raw, second.raw) == ("[[A]]", None)


def test_a_game_that_failed_is_a_failure_and_no_tie(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "judge_pair.jsonl", {**GAMES, "g2_winner": "error"})
    failure = records(path)[-1]
    assert isinstance(failure, Verdict)
    assert (failure.status, failure.choice) == (VerdictStatus.UNPARSED, None)


WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (VOTE, {"winner": "A"}, "winner"),
    (VOTE, {"winner": None}, "winner"),
    (VOTE, {"model_b": "a"}, "model_b"),
    (VOTE, {"model_a": ""}, "model_a"),
    (VOTE, {"turn": 0}, "turn"),
    (VOTE, {"turn": True}, "turn"),
    (VOTE, {"turn": None}, "turn"),
    (VOTE, {"turn": 2**80}, "turn"),
    (VOTE, {"tstamp": "soon"}, "tstamp"),
    (VOTE, {"tstamp": 1e300}, "tstamp"),
    (VOTE, {"tstamp": -5}, "tstamp"),
    (VOTE, {"judge": "somebody"}, "judge"),
    (VOTE, {"judge": []}, "judge"),
    (VOTE, {"judge": [""]}, "judge"),
    (VOTE, {"judge": [["gpt-4"]]}, "judge"),
    (VOTE, {"judge": {"name": "gpt-4"}}, "judge"),
    (VOTE, {"question_id": [81]}, "question_id"),
    (GAMES, {"g2_winner": "both"}, "g2_winner"),
    (GAMES, {"g1_winner": 1}, "g1_winner"),
    (GAMES, {"g1_judgment": ["A"]}, "g1_judgment"),
    ({"question_id": 1, "turns": ["x"]}, {"turns": []}, "turns"),
    ({"question_id": 1, "turns": ["x"]}, {"turns": [None]}, "turns"),
    ({"question_id": 1, "turns": ["x"]}, {"category": 7.5, "question_id": True}, "question_id"),
    (ANSWER, {"choices": []}, "choices"),
    (ANSWER, {"choices": [1]}, "choices"),
    (ANSWER, {"choices": [{"turns": ["x"]}, {"turns": ["y"]}]}, "choices"),
    (ANSWER, {"choices": [{}]}, "turns"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "change", "field"), WRONG)
def test_a_wrong_value_names_its_line_and_field(
    tmp_path: Path, good: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    refusal = refused(write_lines(tmp_path / "file.jsonl", good, {**good, **change}))
    assert (refusal.where.line, refusal.field) == (2, field)


def test_a_file_of_another_kind_is_refused_in_words(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "file.jsonl", {"question_id": 1, "score": 7})
    assert "no line of an MT-bench file" in refused(path).message
    assert not FORMAT.sniff(path)


def test_prompts_beside_the_data_hold_nothing_to_take(tmp_path: Path) -> None:
    assert records(write_lines(tmp_path / "p.jsonl", {"prompt_template": "[[A]]"})) == []


def test_a_folder_is_known_by_its_questions(tmp_path: Path) -> None:
    assert not FORMAT.sniff(tmp_path)
    question = write_lines(tmp_path / "question.jsonl", {"question_id": 1, "turns": ["x"]})
    late = write_lines(tmp_path / "a.jsonl", VOTE)
    assert sniffed(tmp_path) is FORMAT
    assert list(FORMAT.files(tmp_path)) == [question, late]


# ── the published data ──────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    study = tmp_path_factory.mktemp("mt") / "mt.db"
    import_path(study, FOLDER)
    with Store(study) as store:
        assert store.verify() == []
        return list(store.reading.items())


@pytest.fixture(scope="module")
def study(items: list[Item], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return next(tmp_path_factory.getbasetemp().glob("mt*/mt.db"))


@published
def test_everything_is_there(study: Path) -> None:
    with Store(study) as store:
        counts = store.reading.counts()
        groups = Counter(store.reading.groups().values())
        assert store.settings()["exclude_groups"] == ["author"]
    expected = {
        "questions": 80, "models": 6, "answers": 480, "pairs": 1200, "annotators": 65,
        "votes": 3355, "judges": 2, "verdicts": 2400 + 4800, "rulings": 0,
    }  # fmt: skip
    assert {key: counts[key] for key in expected} == expected
    assert groups == {"expert": 58, "author": 7}


def share(pairs: list[tuple[Choice, Choice]], *, without_ties: bool) -> tuple[int, int]:
    """How many agree, of how many; both outcomes already without "both bad"."""
    if without_ties:
        pairs = [pair for pair in pairs if Choice.TIE not in pair]
    return sum(a is b for a, b in pairs), len(pairs)


def expert_choices(item: Item) -> list[Choice]:
    return [
        vote.choice for vote, _ in item.votes if vote.choice and vote.annotator.startswith("expert")
    ]


def word(item: Item, judge: str) -> Choice | None:
    """A judge's word on an item: as reported, or both orders combined."""
    said = [verdict for verdict in item.verdicts if verdict.judge == judge]
    if len(said) == 1:
        return said[0].choice
    first, second = sorted(said, key=lambda verdict: verdict.left or 0)
    return combine(first.choice, second.choice)[1]


@published
@pytest.mark.parametrize(
    ("judge", "turn", "s1", "s2"),
    [
        ("gpt4_pair", 1, (886, 1343), (727, 859)),
        ("gpt4_pair", 2, (871, 1325), (731, 864)),
        (None, 1, (454, 721), (388, 479)),
        (None, 2, (471, 707), (388, 474)),
    ],
)
def test_agreement_is_as_published(
    items: list[Item],
    judge: str | None,
    turn: int,
    s1: tuple[int, int],
    s2: tuple[int, int],
) -> None:
    pairs: list[tuple[Choice, Choice]] = []
    for item in (one for one in items if one.turn == turn):
        people = expert_choices(item)
        if judge is None:
            pairs += combinations(people, 2)
        else:
            said = word(item, judge)
            pairs += [(said, person) for person in people] if said else []
    assert share(pairs, without_ties=False) == s1
    assert share(pairs, without_ties=True) == s2


@published
@pytest.mark.parametrize(
    ("turn", "s1", "s2"),
    [(1, (57.5, 1295), (85.2, 674)), (2, (56.6, 963), (85.4, 507))],
)
def test_agreement_of_both_orders_is_as_published(
    items: list[Item], turn: int, s1: tuple[float, int], s2: tuple[float, int]
) -> None:
    (judge,) = {v.judge for item in items for v in item.verdicts} - {"gpt4_pair"}
    pairs = [
        (said, person)
        for item in items
        if item.turn == turn and (said := word(item, judge)) is not None
        for person in expert_choices(item)
    ]
    for (percent, count), without_ties in ((s1, False), (s2, True)):
        agreeing, compared = share(pairs, without_ties=without_ties)
        assert (round(100 * agreeing / compared, 1), compared) == (percent, count)


@published
def test_sides_are_right_where_the_file_names_the_later_model_first(items: list[Item]) -> None:
    """Against the raw file: game 1 shows its model_1 first, and winners are models already."""
    (path,) = FOLDER.glob("*llama*.jsonl")
    kept = {
        (item.pair, item.turn, verdict.left): verdict.choice
        for item in items
        for verdict in item.verdicts
        if verdict.left is not None
    }
    swapped = 0
    for line in path.read_text("utf-8").splitlines():
        raw = json.loads(line)
        models = sorted([raw["model_1"], raw["model_2"]])
        swapped += models[0] != raw["model_1"]
        pair = Pair(str(raw["question_id"]), *models)
        for game, shown_first in (("g1_winner", "model_1"), ("g2_winner", "model_2")):
            left = 1 + models.index(raw[shown_first])
            winner = raw[game]
            meant = f"model_{1 + models.index(raw[winner])}" if winner in raw else winner
            assert kept.pop((pair, raw["turn"], left)) == (None if meant == "error" else meant)
    assert not kept
    assert swapped > 500


@published
def test_reported_verdicts_are_turned_where_the_file_names_the_later_model_first(
    items: list[Item],
) -> None:
    kept = {(item.pair, item.turn): word(item, "gpt4_pair") for item in items}
    swapped = 0
    for line in (FOLDER / "gpt4_pair.jsonl").read_text("utf-8").splitlines():
        raw = json.loads(line)
        models = sorted([raw["model_a"], raw["model_b"]])
        swapped += models[0] != raw["model_a"]
        winner = raw["winner"]
        meant = f"model_{1 + models.index(raw[winner])}" if winner in raw else "tie"
        assert kept[Pair(str(raw["question_id"]), *models), raw["turn"]] == meant
    assert swapped == 1440

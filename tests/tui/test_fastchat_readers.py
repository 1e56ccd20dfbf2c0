"""What FastChat's scripts read of a study's export, field by field as they read it.

FastChat is no dependency, so its readers' accesses are written down here: ``common.py``'s loaders,
``show_result.py``, ``qa_browser.py``, ``compute_agreement.py`` and ``elo_analysis.py`` of 0.2.36.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core.layouts.rows import Options
from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Pair,
    Question,
    Record,
    Role,
    Ruling,
    RulingChoice,
    RulingStage,
    Verdict,
    VerdictStatus,
    Vote,
    combine,
)
from core.stats import Tally
from core.times import stamp
from db.feed import Feed
from db.store import Store
from tests.core.stats_oracle import find, result_of
from tests.studies import FILES, located
from tests.tui.test_fastchat_export import agreement, by_item, rows_of
from tui.exporting import write_files
from tui.importing import import_path
from tui.manifests import Order

MODELS = ("ant", "bee", "cat")
JUDGES = {"strict": "gpt-4-0613", "mild": "some-llama"}
WORDS = {Choice.MODEL_1: ("win", "loss"), Choice.MODEL_2: ("loss", "win")}
START = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)


def told() -> Iterator[Record]:
    """Votes and verdicts of every kind on two turns, votes in another order than questions."""
    random = Random(7)
    yield from (Judge(name, "openai", model) for name, model in JUDGES.items())
    yield Annotator("lea", Role.LEAD)
    places = []
    for number in range(8):
        key = f"q{number}"
        asked, references = (f"{key} one?", f"{key} two?"), (f"{key} right", f"{key} right too")
        yield Question(key, asked, "maths" if number % 2 else None, references)
        yield from (
            Answer(key, model, (f"• {model} on {key}", f"{model} goes on")) for model in MODELS
        )
        places += [
            (Pair(key, one, two), turn)
            for one, two in (("ant", "bee"), ("ant", "cat"), ("bee", "cat"))
            for turn in (1, 2)
        ]
    random.shuffle(places)
    for number, (pair, turn) in enumerate(places):
        for who, voter in enumerate(random.sample(["ann", "bob", "cy"], random.randint(1, 3))):
            at = stamp(START + timedelta(seconds=7 * number + who))
            yield Vote(
                f"v{number}{who}", pair, turn, voter, random.choice([*Choice]), left=who % 2 + 1,
                at=at,
            )  # fmt: skip
        for name in JUDGES:
            for left in (1, 2):
                failed = random.random() < 0.1
                yield Verdict(
                    f"{name}{number}{left}", pair, turn, name,
                    VerdictStatus.FAILED if failed else VerdictStatus.OK,
                    None if failed else random.choice([*Choice, Choice.MODEL_1]), left,
                    prompt="plain", raw=None if failed else f"{name} on {pair.key}/{turn}: {left}",
                    error="no reply" if failed else "", at=stamp(START),
                )  # fmt: skip
    pair, turn = places[0]
    blind, at = RulingStage.BLIND, stamp(START + timedelta(days=1))
    yield Ruling("r", pair, turn, "lea", blind, RulingChoice.TIE, "so it is", at=at)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study and its exports."""
    folder = tmp_path_factory.mktemp("readers")
    with Store(folder / "study.db", create=True) as store:
        store.ingest.take(located(told()), FILES)
        as_tie = Options(both_bad="as-tie")
        write_files(store, Order("votes", "mt_bench", as_tie), folder / "mt")
        write_files(store, Order("votes", "arena"), folder / "battles.json")
        write_files(store, Order("gold", "arena"), folder / "gold.json")
    return folder


def statistic(place: Path, id: str, **options: Any) -> Any:
    with Store(place / "study.db") as store:
        feed = Feed(store, Tally())
        feed.catch_up()
        return result_of(feed.tally, id, replicates=100, merge_both_bad=True, **options).estimates


def test_questions_and_answers_are_what_the_browser_shows(place: Path) -> None:
    questions = rows_of(place / "mt" / "question.jsonl")
    answers = {
        path.name.removesuffix(".jsonl"): {row["question_id"]: row for row in rows_of(path)}
        for path in (place / "mt" / "model_answer").glob("*.jsonl")
    }
    assert set(answers) == set(MODELS)
    assert len(questions) == 8
    references = rows_of(place / "mt" / "reference_answer" / "reference.jsonl")
    right = {row["question_id"]: row["choices"][0]["turns"] for row in references}
    for question in questions:
        key = question["question_id"]
        assert question["turns"] == [f"{key} one?", f"{key} two?"]
        assert question["category"] in ("maths", None)
        assert right[key] == [f"{key} right", f"{key} right too"]
        for model in MODELS:
            turns = answers[model][key]["choices"][0]["turns"]
            assert turns == [f"• {model} on {key}", f"{model} goes on"]


@pytest.mark.parametrize("name", JUDGES)
def test_a_judge_s_games_are_told_apart_and_explained(place: Path, name: str) -> None:
    """``load_pairwise_model_judgments`` keeps a line for each judge, prompt, question and pair."""
    lines = rows_of(place / "mt" / "model_judgment" / f"{name}_pair.jsonl")
    found: dict[tuple[str, ...], dict[Any, Any]] = defaultdict(dict)
    for line in lines:
        key = (line["question_id"], line["model_1"], line["model_2"])
        of_judge = found[tuple(line["judge"])]
        assert key not in of_judge
        of_judge[key] = line["g1_judgment"], line["g2_judgment"]
        for left, game in ((1, "g1"), (2, "g2")):
            said = f"{name} on {Pair(*key).key}/{line['turn']}: {left}"
            assert line[f"{game}_judgment"] == ("" if line[f"{game}_winner"] == "error" else said)
    model = "gpt-4" if name == "strict" else JUDGES[name]
    assert set(found) == {(model, "pair-plain"), (model, "pair-plain-multi-turn")}
    assert sum(map(len, found.values())) == len(lines) == 48


@pytest.mark.parametrize("name", JUDGES)
def test_wins_and_ties_are_those_of_the_verdicts(place: Path, name: str) -> None:
    """``show_result.py --mode pairwise-all``, beside a count of what is stored."""
    shown: Counter[tuple[str, str]] = Counter()
    for line in rows_of(place / "mt" / "model_judgment" / f"{name}_pair.jsonl"):
        games = line["g1_winner"], line["g2_winner"]
        models = line["model_1"], line["model_2"]
        if "error" in games:
            continue
        is_tie = games[0] == "tie" or games[0] != games[1]
        first_won = games[0] == "model_1"
        shown[models[0], "tie" if is_tie else "win" if first_won else "loss"] += 1
        shown[models[1], "tie" if is_tie else "loss" if first_won else "win"] += 1
    stored: Counter[tuple[str, str]] = Counter()
    with Store(place / "study.db") as store:
        for item in store.reading.items():
            pair, (_, said) = (
                item.pair,
                combine(*(verdict.choice for verdict in item.verdicts if verdict.judge == name)),
            )
            if said is not None:  # neither order failed
                one, two = WORDS.get(said, ("tie", "tie"))
                stored[pair.model_1, one] += 1
                stored[pair.model_2, two] += 1
    assert shown == stored
    assert {word for _, word in shown} == {"win", "loss", "tie"}


def test_agreement_with_a_judge_of_two_orders_is_that_of_the_statistics(place: Path) -> None:
    items = by_item(
        place / "mt" / "human_judgments.json", place / "mt" / "combined" / "strict_judgments.json"
    )
    for turn in (1, 2):
        assert all(len(item.get("gpt-4", [""])) == 1 for item in items[turn].values())
        table = statistic(place, "agreement", turn=turn)
        for rater, name in (("strict", "gpt-4"), ("human", "human")):
            for setup, ties in (("S1", True), ("S2", False)):
                of = find(table, rater_1=rater, rater_2="human", turn=turn, setup=setup)
                assert agreement(items[turn], name, "human", ties=ties) == (of.k, of.n)
                assert of.n > 10 * ties


def online_elo(battles: list[dict[str, Any]]) -> dict[str, float]:
    """``compute_elo``, over anonymous battles in the order of their times."""
    rating: dict[str, float] = defaultdict(lambda: 1000.0)
    for battle in sorted(battles, key=lambda battle: battle["tstamp"]):
        assert battle["anony"] is True
        one, two = battle["model_a"], battle["model_b"]
        expected = 1 / (1 + 10 ** ((rating[two] - rating[one]) / 400))
        points = {"model_a": 1, "model_b": 0, "tie": 0.5, "tie (bothbad)": 0.5}[battle["winner"]]
        rating[one] += 4 * (points - expected)
        rating[two] -= 4 * (points - expected)
    return dict(rating)


def test_elo_of_the_battles_is_that_of_the_statistics(place: Path) -> None:
    battles = rows_of(place / "battles.json")
    assert len({battle["tstamp"] for battle in battles}) == len(battles)
    assert {battle["model_a"] > battle["model_b"] for battle in battles} == {True, False}
    ratings = online_elo(battles)
    for row in statistic(place, "elo"):
        assert ratings[dict(row.labels)["model"]] == pytest.approx(row.value)
    assert len(ratings) == len(MODELS)


def test_a_label_stands_since_the_last_that_it_rests_on(place: Path) -> None:
    with Store(place / "study.db") as store:
        items = {(item.pair, item.turn): item for item in store.reading.items()}
    battles = rows_of(place / "gold.json")
    assert len(battles) > 20
    ruled = 0
    for battle in battles:
        pair, _ = Pair.of(battle["question_id"], battle["model_a"], battle["model_b"])
        item = items[pair, battle["turn"]]
        last = item.rulings or [vote for vote, _ in item.votes]
        assert battle["tstamp"] == datetime.fromisoformat(last[-1].at).timestamp()
        ruled += bool(item.rulings)
    assert ruled == 1


def test_battles_of_unknown_times_have_a_number_and_come_back_without(tmp_path: Path) -> None:
    """``elo_analysis.py`` takes the latest time of all, and stops where there is none."""
    pair = Pair("q", "ant", "bee")
    votes = [
        Vote("known", pair, 1, "ann", Choice.TIE, at=stamp(START)),
        Vote("none", pair, 1, "bob", Choice.TIE),
        Vote("vague", pair, 1, "cy", Choice.TIE, at="in spring"),
    ]
    file, target = tmp_path / "battles.json", tmp_path / "again.db"
    with Store(tmp_path / "study.db", create=True) as store:
        store.ingest.take(located(votes), FILES)
        write_files(store, Order("votes", "arena"), file)
    moments = [(battle["tstamp"], battle.get("time_known")) for battle in rows_of(file)]
    assert sorted(moments) == [(0.0, False), (0.0, False), (START.timestamp(), None)]
    import_path(target, file)
    with Store(target) as again:
        assert sorted(vote.at for vote, _ in again.reading.votes()) == ["", "", stamp(START)]

"""What is exported for FastChat's scripts gives the tables that the statistics give."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from core.layouts.rows import Options
from core.records import Annotator, Choice, Pair, Verdict, VerdictStatus, Vote
from core.stats import Tally
from db.feed import Feed
from db.store import Store
from tests.adjudicating import MODELS, disputed_study, disputes
from tests.core.stats_oracle import find, result_of
from tests.studies import FILES, SHARED, FakeClock, located
from tests.tui.test_layouts import records
from tui.exporting import write_files
from tui.importing import import_path
from tui.manifests import Order
from tui.replaying import verify_file

FOLDER = SHARED / "mt_bench"
published = pytest.mark.skipif(not FOLDER.exists(), reason="the published votes are not here")


def rows_of(path: Path) -> list[dict[str, Any]]:
    """As FastChat reads: an array whole, or an object a line."""
    text = path.read_text("utf-8")
    return json.loads(text) if path.suffix == ".json" else list(map(json.loads, text.splitlines()))


def kind_of(judge: Any) -> str | None:
    """Who FastChat's convention takes a voter for; it knows no others."""
    if isinstance(judge, list):
        is_gpt4 = judge[0] == "gpt-4" and judge[1].startswith("pair")
        return "gpt-4" if is_gpt4 else f"judge {judge[0]}"
    return "human" if judge.startswith("expert") else None


def by_item(*files: Path) -> dict[int, dict[Any, dict[str, list[str]]]]:
    """Votes by turn, item and kind of voter, each pair's models in order by name."""
    found: dict[int, dict[Any, dict[str, list[str]]]] = {1: {}, 2: {}}
    for row in (row for file in files for row in rows_of(file)):
        one, two, winner = row["model_a"], row["model_b"], row["winner"]
        if one > two:
            one, two = two, one
            winner = {"model_a": "model_b", "model_b": "model_a"}.get(winner, winner)
        item = found[row["turn"]].setdefault((row["question_id"], one, two), defaultdict(list))
        if (kind := kind_of(row["judge"])) is not None:
            item[kind].append("tie" if "tie" in winner else winner)
    return found


def agreement(
    items: dict[Any, dict[str, list[str]]], one: str, two: str, *, ties: bool
) -> tuple[int, int]:
    """How many comparisons agree, of how many."""
    compared = []
    for said in items.values():
        if one == two:
            compared += list(combinations(said.get(one, []), 2))
        else:
            compared += [(a, b) for a in said.get(one, []) for b in said.get(two, [])]
    kept = [pair for pair in compared if ties or "tie" not in pair]
    return sum(a == b for a, b in kept), len(kept)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published votes, in and out again; the study lies beside."""
    place = tmp_path_factory.mktemp("fastchat")
    import_path(place / "mt.db", FOLDER)
    with Store(place / "mt.db") as store:
        write_files(store, Order("votes", "mt_bench"), place / "out")
        assert verify_file(store, place / "out") == []
    return place


@published
def test_agreement_recomputed_from_the_export_is_that_of_the_statistics(folder: Path) -> None:
    out = folder / "out"
    items = by_item(
        out / "human_judgments.json",
        out / "gpt4_pair_judgments.json",
        out / "combined" / "llama2_70b_judgments.json",
    )
    with Store(folder / "mt.db") as store:
        feed = Feed(store, Tally())
        feed.catch_up()
    llama = "judge text-generation-webui-api"
    for turn in (1, 2):
        rows = result_of(
            feed.tally, "agreement", turn=turn, replicates=100, exclude_groups=("author",)
        ).estimates
        for setup, ties in (("S1", True), ("S2", False)):
            for kind, rater, name in (
                ("judge-human", "gpt4_pair", "gpt-4"),
                ("judge-human", "llama2_70b", llama),
                ("human-human", "human", "human"),
            ):
                of = find(rows, kind=kind, rater_1=rater, rater_2="human", turn=turn, setup=setup)
                found = agreement(items[turn], name, "human", ties=ties)
                assert found == (of.k, of.n), (turn, setup, rater)
    assert agreement(items[1], "gpt-4", "human", ties=True) == (886, 1343)
    assert agreement(items[2], "human", "human", ties=False) == (388, 474)


@published
def test_a_judge_s_games_are_those_that_were_published(folder: Path) -> None:
    def outcomes(path: Path) -> dict[Any, tuple[str, str]]:
        found = {}
        for row in rows_of(path):
            one, two = row["model_1"], row["model_2"]
            games = [row["g1_winner"], row["g2_winner"]]
            if one > two:  # then the second game is the one that shows the first name first
                one, two = two, one
                turned = {"model_1": "model_2", "model_2": "model_1"}
                games = [turned.get(game, game) for game in reversed(games)]
            found[row["question_id"], one, two, row["turn"]] = tuple(games)
        return found

    ours = outcomes(folder / "out" / "model_judgment" / "llama2_70b_pair.jsonl")
    assert ours == outcomes(FOLDER / "llama2_70b_pair_slim.jsonl")
    assert len(ours) == 2400


@published
def test_the_export_is_read_back_as_the_same_study(folder: Path) -> None:
    import_path(folder / "again.db", folder / "out")

    def said(store: Store) -> list[Any]:
        return sorted(
            (item.pair, item.turn, item.category, sorted(v.choice for v, _ in item.votes
             if v.annotator.startswith("expert")),
             sorted((v.left or 0, v.status, v.choice or "", v.at) for v in item.verdicts))
            for item in store.reading.items()
        )  # fmt: skip

    with Store(folder / "mt.db") as first, Store(folder / "again.db") as second:
        assert said(second) == said(first)
        assert second.verify() == []
        texts = [
            [one for one in store.reading.records(logs=False) if type(one).__name__ == "Answer"]
            for store in (first, second)
        ]
        turns = [sorted((a.question, a.model, a.turns) for a in found) for found in texts]
        assert turns[0] == turns[1]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "study.db", create=True) as opened:
        opened.ingest.take(located(records()), FILES)
        yield opened


def test_both_bad_is_no_tie_unless_the_lead_says_so(store: Store, tmp_path: Path) -> None:
    pair, ok = Pair("q5", "ant", "bee"), VerdictStatus.OK
    late = [Verdict(f"b{left}", pair, 1, "j", ok, Choice.BOTH_BAD, left) for left in (1, 2)]
    store.ingest.take(located(late), FILES)
    with pytest.raises(UsageError, match="1 verdict pair of judges hold both bad"):
        write_files(store, Order("votes", "mt_bench"), tmp_path / "out")
    games = {}
    for word in ("drop", "as-tie"):
        order = Order("votes", "mt_bench", Options(both_bad=word))
        write_files(store, order, tmp_path / word)
        rows = rows_of(tmp_path / word / "model_judgment" / "j_pair.jsonl")
        games[word] = [
            (row["g1_winner"], row["g2_winner"])
            for row in rows
            if (row["question_id"], row["turn"]) == ("q5", 1)
        ]
        winners = {row["winner"] for row in rows_of(tmp_path / word / "human_judgments.json")}
        assert "tie (bothbad)" in winners
    assert games == {"drop": [], "as-tie": [("tie", "tie")]}


def test_sides_simulated_people_and_whole_conversations(store: Store, tmp_path: Path) -> None:
    late = [
        Annotator("bot", simulated=True),
        Vote("s", Pair("q0", "ant", "bee"), 1, "bot", Choice.MODEL_1, left=2),
        Vote("whole", Pair("q0", "ant", "bee"), 0, "Emil", Choice.MODEL_1),
    ]
    store.ingest.take(located(late), FILES)
    order = Order("votes", "mt_bench", Options(both_bad="as-tie"))
    told = write_files(store, order, tmp_path / "out")
    assert told.left_out == {"no turn of MT-bench": 1}
    rows = rows_of(tmp_path / "out" / "human_judgments.json")
    (bot,) = [row for row in rows if row["judge"].startswith("simulated_")]
    assert (bot["model_a"], bot["model_b"], bot["winner"]) == ("bee", "ant", "model_b")
    assert {row["turn"] for row in rows} == {1, 2}
    import_path(tmp_path / "again.db", tmp_path / "out")
    with Store(tmp_path / "again.db") as again:
        assert len(again.reading.simulated()) == 1
        assert again.verify() == []


def test_the_arena_s_battles_have_its_labels_and_its_fields(store: Store, tmp_path: Path) -> None:
    write_files(store, Order("votes", "arena"), tmp_path / "battles.json")
    rows = rows_of(tmp_path / "battles.json")
    assert len(rows) == 13
    for row in rows:
        fields = ["question_id", "model_a", "model_b", "winner", "judge", "turn", "anony"]
        assert [*row][:9] == [*fields, "language", "tstamp"]
        assert [*row][9:] in (["time_known"], ["side_known", "time_known"])
        assert row["anony"] is True
        assert row["judge"].startswith("arena_user_")
    assert {row["winner"] for row in rows} == {"model_a", "model_b", "tie", "tie (bothbad)"}
    first = [row for row in rows if row["question_id"] == "q0"]
    assert [(row["model_a"], row["winner"]) for row in first] == [
        ("ant", "model_a"), ("bee", "model_b"),
    ]  # fmt: skip
    write_files(store, Order("gold", "arena"), tmp_path / "gold.json")
    assert {row["judge"] for row in rows_of(tmp_path / "gold.json")} == {"arena_user_gold"}


def battles_of(store: Store) -> list[Any]:
    """What every vote says, and which votes are one person's."""
    names: dict[str, int] = {}
    return [
        (
            vote.pair, vote.turn, vote.choice, vote.left,
            vote.at if "T" in vote.at else "", names.setdefault(vote.annotator, len(names)),
        )
        for item in store.reading.items()
        for vote, _ in item.votes
    ]  # fmt: skip


@pytest.mark.parametrize("names", [True, False])
def test_battles_come_back_as_the_same_votes(store: Store, tmp_path: Path, names: bool) -> None:
    pair = Pair("q1", "ant", "bee")
    late = [
        Annotator("w", group="author"),
        Vote("x1", pair, 0, "bot", Choice.BOTH_BAD, left=2, at="2026-01-02T03:04:05.678Z"),
        Vote("x2", pair, 2, "w", Choice.MODEL_2, at="2026-01-02T03:04:06.000Z"),
        Vote("x3", pair, 2, "w", Choice.MODEL_2, at="2026-01-02T03:04:06.000Z"),
    ]
    store.ingest.take(located(late), FILES)
    path = tmp_path / "battles.json"
    write_files(store, Order("votes", "arena", Options(names=names)), path)
    for _ in range(2):
        done = import_path(tmp_path / "again.db", path)
    assert done.format == "arena"
    assert not any(done.summary.new.values())
    with Store(tmp_path / "again.db") as again:
        assert battles_of(again) == battles_of(store)
        assert len(again.reading.simulated()) == 1
        assert again.reading.groups().get("author_w", "author") == "author"
        assert again.verify() == []


@published
def test_published_votes_come_back_from_battles(folder: Path) -> None:
    path = folder / "battles.json"

    def said(store: Store) -> Counter[tuple[Any, ...]]:
        return Counter(
            (vote.pair, vote.turn, vote.choice, vote.left, vote.at)
            for vote, _ in store.reading.votes()
            if not vote.annotator.startswith("author")  # a group that the study leaves out
        )

    with Store(folder / "mt.db") as store:
        write_files(store, Order("votes", "arena"), path)
        import_path(folder / "battles.db", path)
        with Store(folder / "battles.db") as again:
            assert said(again) == said(store)
            assert said(again).total() == len(rows_of(path))


@pytest.mark.parametrize(("layout", "file"), [("mt_bench", "human_judgments.json"), ("arena", "")])
def test_votes_of_excluded_groups_are_said_to_be_left_out(
    tmp_path: Path, layout: str, file: str
) -> None:
    with Store(disputed_study(tmp_path / "study.db", disputes(3)), clock=FakeClock()) as store:
        outsider = [Annotator("out", group="author")]
        outside = [
            Vote(f"o{n}", Pair.of(f"q{n}", *MODELS)[0], 1, "out", Choice.TIE) for n in range(2)
        ]
        store.ingest.take(located([*outsider, *outside]))
        told = {}
        for groups in ("", "author"):
            store.set({"exclude_groups": groups})
            order = Order(
                "votes", layout, Options(both_bad="as-tie" if layout == "mt_bench" else "")
            )
            output = tmp_path / f"out-{groups}.json"
            told[groups] = write_files(store, order, output)
            assert verify_file(store, output) == []
            assert len(rows_of(output / file if file else output)) == 8 - 2 * bool(groups)
            manifest = json.loads(output.with_name(f"{output.name}.manifest.json").read_text())
            assert manifest["left_out"] == told[groups].left_out
        assert told[""].left_out.get("of excluded groups") is None
        assert told["author"].left_out["of excluded groups"] == 2

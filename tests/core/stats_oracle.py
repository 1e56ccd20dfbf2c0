"""Studies for the statistics' tests: raw published files, and generated ones, as plain rows.

Nothing here uses the code under test except to feed it: the loaders read the raw files on
their own, and the slow readings go through the rows one by one.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from core.stats import Estimate, Options, Result, Tally, compute, registered

DATA = Path(__file__).parents[2] / "../shared/data"

WINNER = {"model_1": 1, "model_2": 2, "tie": 3, "tie (inconsistent)": 3, "error": 0}


@dataclass
class Rows:
    """A study as rows, in the shapes that a tally takes."""

    pairs: dict[tuple[str, str, str], int] = field(default_factory=dict)
    categories: dict[str, str | None] = field(default_factory=dict)
    annotators: dict[str, tuple[int, str]] = field(default_factory=dict)
    judges: dict[str, int] = field(default_factory=dict)
    votes: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)
    verdicts: list[tuple[int, int, int, int, int, int, int, int]] = field(default_factory=list)

    def pair(self, question: str, model_a: str, model_b: str) -> int:
        one, two = sorted((model_a, model_b))
        return self.pairs.setdefault((question, one, two), len(self.pairs) + 1)

    def vote(
        self,
        pair: int,
        annotator: str,
        choice: int,
        turn: int = 1,
        left: int = 0,
        supersedes: int = 0,
        group: str = "",
    ) -> int:
        number, _ = self.annotators.setdefault(annotator, (len(self.annotators) + 1, group))
        seq = len(self.votes) + 1
        self.votes.append((seq, pair, turn, number, choice, left, supersedes))
        return seq

    def verdict(
        self,
        pair: int,
        judge: str,
        choice: int,
        turn: int = 1,
        left: int = 0,
        repeat: int = 0,
        supersedes: int = 0,
    ) -> int:
        number = self.judges.setdefault(judge, len(self.judges) + 1)
        seq = len(self.verdicts) + 1
        self.verdicts.append((seq, pair, turn, number, choice, left, repeat, supersedes))
        return seq

    def tally(self) -> Tally:
        tally = Tally()
        tally.add_pairs(
            (number, question, self.categories.get(question), one, two)
            for (question, one, two), number in self.pairs.items()
        )
        tally.add_annotators(
            (number, name, group) for name, (number, group) in self.annotators.items()
        )
        tally.add_judges((number, name, "llm") for name, number in self.judges.items())
        tally.add_votes(self.votes)
        tally.add_verdicts(self.verdicts)
        return tally


def result_of(tally: Tally, id: str, **options: Any) -> Result:
    (result,) = compute(tally, Options(**options), {id})
    return result


def find(rows: Iterable[Estimate], **labels: str | int) -> Estimate:
    """The one estimate with these labels."""
    found = [row for row in rows if labels.items() <= dict(row.labels).items()]
    assert len(found) == 1, f"{labels}: {len(found)} estimates"
    return found[0]


def _json_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        pytest.skip(f"published data not there: {path.name}")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _canonical(winner: str, model_a: str, model_b: str) -> int:
    if winner.startswith("tie"):
        return 3
    won = {"model_a": model_a, "model_b": model_b}[winner]
    return 1 if won == min(model_a, model_b) else 2


def mt_bench() -> Rows:
    """Human votes (groups expert, author), GPT-4 as reported, Llama-2-70B in both orders."""
    folder, rows = DATA / "mt_bench", Rows()
    for line in _json_lines(folder / "question.jsonl"):
        rows.categories[str(line["question_id"])] = line["category"]
    for line in _json_lines(folder / "human.jsonl"):
        models = line["model_a"], line["model_b"]
        rows.vote(
            rows.pair(str(line["question_id"]), *models),
            line["judge"],
            _canonical(line["winner"], *models),
            line["turn"],
            group=line["judge"].split("_")[0],
        )
    for line in _json_lines(folder / "gpt4_pair.jsonl"):
        models = line["model_a"], line["model_b"]
        pair = rows.pair(str(line["question_id"]), *models)
        rows.verdict(pair, "gpt-4", _canonical(line["winner"], *models), line["turn"])
    for line in _json_lines(folder / "llama2_70b_pair_slim.jsonl"):
        models = line["model_1"], line["model_2"]
        pair = rows.pair(str(line["question_id"]), *models)
        swapped = models[0] > models[1]
        for order, winner in ((1, line["g1_winner"]), (2, line["g2_winner"])):
            choice = WINNER[winner]
            if swapped and choice in (1, 2):
                choice = 3 - choice
            left = 3 - order if swapped else order
            rows.verdict(pair, "llama-2-70b", choice, line["turn"], left)
    return rows


def llmfao(canonical: bool = True) -> Rows:
    """Crowd votes and GPT-4's verdicts in the one order it was asked in; items by pair id.

    Args:
        canonical: call the model that comes first by name model_1, as a study does; otherwise
            the one that stood left, as the published α does.
    """
    rows = Rows()
    for name in ("crowd-comparisons.csv", "gpt4-crowd-comparisons.csv"):
        path = DATA / "llmfao" / name
        if not path.exists():
            pytest.skip(f"published data not there: {name}")
        with path.open(encoding="utf-8", newline="") as lines:
            for line in csv.DictReader(lines):
                models = line["left"], line["right"]
                left = 1 if not canonical or models[0] < models[1] else 2
                ordered = sorted(models) if canonical else models
                key = (f"{line['prompt']}/{line['id']}", ordered[0], ordered[1])
                pair = rows.pairs.setdefault(key, len(rows.pairs) + 1)
                choice = {"left": left, "right": 3 - left, "tie": 3}[line["winner"]]
                if "worker" in line:
                    rows.vote(pair, line["worker"], choice)
                else:
                    rows.verdict(pair, "gpt-4", choice, left=left)
    return rows


def pandalm() -> Rows:
    """Three annotators on 999 items; their label 0 is a tie."""
    path = DATA / "pandalm" / "testset-v1.json"
    if not path.exists():
        pytest.skip("published data not there: pandalm")
    rows = Rows()
    for line in json.loads(path.read_text("utf-8")):
        pair = rows.pair(str(line["idx"]), "model_1", "model_2")
        for annotator in ("annotator1", "annotator2", "annotator3"):
            rows.vote(pair, annotator, line[annotator] or 3)
    return rows


# --- a slow reading of the rows, straight from the definitions --------------------------


class VoteRow(NamedTuple):
    seq: int
    pair: int
    turn: int
    annotator: int
    choice: int
    left: int
    supersedes: int


def live_votes(rows: Rows) -> list[VoteRow]:
    """Votes that count: neither withdrawn nor superseded."""
    votes = [VoteRow(*row) for row in rows.votes]
    gone = {vote.supersedes for vote in votes}
    return [vote for vote in votes if vote.seq not in gone and 1 <= vote.choice <= 4]


def word_of(rows: Rows, judge: int, pair: int, turn: int, left: int) -> int | None:
    """The last verdict of a judge in one order that counts: a choice, 0 failed, None absent."""
    gone = {row[7] for row in rows.verdicts}
    said = None
    for seq, its_pair, its_turn, its_judge, choice, its_left, repeat, _ in rows.verdicts:
        same = (its_pair, its_turn, its_judge, its_left) == (pair, turn, judge, left)
        if same and repeat == 0 and seq not in gone:
            said = choice
    return said


def outcome_of(rows: Rows, judge: int, pair: int, turn: int) -> int | None:
    """What a judge says about an item, its orders combined; None if nothing can be used."""
    reported, first, second = (word_of(rows, judge, pair, turn, left) for left in (0, 1, 2))
    if first is not None and second is not None:
        if not first or not second:
            return None
        return first if first == second else 3
    if reported is not None:
        single_failed = 0 in (first, second)
        return None if single_failed else reported or None
    single = second if first is None else first
    return (single or None) if gave_one_order(rows, judge) else None


def gave_one_order(rows: Rows, judge: int) -> bool:
    items = {(row[1], row[2]) for row in rows.verdicts}
    return not any(
        word_of(rows, judge, *item, 1) is not None and word_of(rows, judge, *item, 2) is not None
        for item in items
    )


def naive_agreement(comparisons: Iterable[tuple[int, int]], setup: str) -> tuple[int, int]:
    """Agreeing and compared, one comparison at a time."""
    kept = [
        (one, two) for one, two in comparisons if setup == "S1" or (one in (1, 2) and two in (1, 2))
    ]
    return sum(one == two for one, two in kept), len(kept)


# --- generated studies ------------------------------------------------------------------


@st.composite
def studies(draw: st.DrawFn) -> Rows:
    """Small studies with both bad, withdrawals, revisions, failures, repeats and flips."""
    rows = Rows()
    models = ("a", "b", "c")
    for question in range(draw(st.integers(1, 3))):
        rows.categories[f"q{question}"] = draw(st.sampled_from((None, "maths", "writing")))
        for one, two in combinations(models, 2):
            rows.pair(f"q{question}", one, two)
    pairs, turns = st.integers(1, len(rows.pairs)), st.integers(1, 2)
    left = st.integers(0, 2)
    annotators = st.sampled_from((("ann", "expert"), ("bob", "expert"), ("cat", "")))
    for _ in range(draw(st.integers(0, 25))):
        name, group = draw(annotators)
        pair, turn = draw(pairs), draw(turns)
        number = rows.annotators.get(name, (0, ""))[0]
        mine = [
            v.seq for v in live_votes(rows) if (v.pair, v.turn, v.annotator) == (pair, turn, number)
        ]
        target = draw(st.sampled_from((0, *mine)))
        choice = draw(st.integers(0 if target else 1, 5))  # 5: cannot judge
        rows.vote(pair, name, choice, turn, draw(left), target, group)
    for _ in range(draw(st.integers(0, 25))):
        judge, pair, turn = draw(st.sampled_from(("gpt", "llama"))), draw(pairs), draw(turns)
        number = rows.judges.get(judge, 0)
        mine = [row[0] for row in rows.verdicts if row[1:4] == (pair, turn, number)]
        rows.verdict(
            pair,
            judge,
            draw(st.integers(0, 4)),
            turn,
            draw(left),
            draw(st.sampled_from((0, 0, 0, 1))),
            draw(st.sampled_from((0, *mine))),
        )
    return rows


FITTED = frozenset(each.id for each in registered() if each.work is not None)
"""Statistics that rest on a fit by EM, which ends where a step moves no probability by 1e-11."""


def alike(one: Any, other: Any, close: float = 1e-12) -> bool:
    """Whether two results in JSON are the same, but for the order in which floats were added up."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=close, abs_tol=close)
    if isinstance(one, dict) and isinstance(other, dict):
        close = 1e-8 if one.get("id") in FITTED else close
        return one.keys() == other.keys() and all(alike(one[key], other[key], close) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            alike(*both, close) for both in zip(one, other, strict=True)
        )
    return bool(one == other)

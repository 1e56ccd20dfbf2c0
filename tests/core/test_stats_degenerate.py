"""Every statistic on studies that allow few numbers or none: refused or explained, never NaN."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from itertools import combinations

import pytest

from core.panels import Panel, PanelRule
from core.records import Judge, Score
from core.stats import Options, Tally, compute, registered
from core.text import many
from tests.core.stats_oracle import Rows
from tui.tables import result_lines

Said = Callable[[int], int]
"""A choice from the running number of what is said."""

MIXED: Said = lambda n: 1 + n % 4  # noqa: E731


def everybody(
    votes: Said | None,
    verdicts: Said | None,
    models: str = "abcd",
    people: Iterable[str] = ("ann", "bob", "cy"),
    rows: Rows | None = None,
) -> Rows:
    """All pairs of some models on twelve questions, voted on and judged by all."""
    rows, n = rows or Rows(), 0
    for question in range(12):
        rows.categories[f"q{question}"] = ("maths", "prose")[question % 2]
        for one, two in combinations(models, 2):
            pair = rows.pair(f"q{question}", one, two)
            for name in people if votes else ():
                n += 1
                rows.vote(pair, name, votes(n + question), left=1 + n % 2)  # type: ignore[misc]
            for judge in ("j1", "j2") if verdicts else ():
                for left in (1, 2):
                    n += 1
                    rows.verdict(pair, judge, verdicts(n + question), left=left)
    return rows


def no_overlap() -> Rows:
    rows = Rows()
    for n in range(30):
        rows.vote(rows.pair(f"v{n}", "a", "b"), ("ann", "bob", "cy")[n % 3], 1 + n % 2, left=1)
        pair = rows.pair(f"j{n}", "a", "b")
        for left in (1, 2):
            rows.verdict(pair, "j1", 1 + n % 2, left=left)
    return rows


def never_loses() -> Rows:
    rows = everybody(MIXED, MIXED, "bcd")
    for question in range(12):
        for other in "bcd":
            pair = rows.pair(f"q{question}", "a", other)
            for name in ("ann", "bob"):
                rows.vote(pair, name, 1)
            for left in (1, 2):
                rows.verdict(pair, "j1", 1, left=left)
    return rows


def one_vote(withdrawn: bool = False) -> Rows:
    rows = Rows()
    vote = rows.vote(rows.pair("q", "a", "b"), "ann", 1, left=1)
    if withdrawn:
        rows.vote(1, "ann", 0, supersedes=vote)
    return rows


def one_verdict() -> Rows:
    rows = Rows()
    rows.verdict(rows.pair("q", "a", "b"), "j1", 1, left=1)
    return rows


def one_pair() -> Rows:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    for name, choice in zip(("ann", "bob", "cy"), (1, 2, 3), strict=True):
        rows.vote(pair, name, choice, left=1)
    for judge in ("j1", "j2"):
        for left in (1, 2):
            rows.verdict(pair, judge, left, left=left)
    return rows


def repeats_only_of_one() -> Rows:
    rows = Rows()
    for n in range(20):
        pair = rows.pair(f"q{n}", "a", "b")
        rows.vote(pair, "ann", 1 + n % 2, left=1)
        rows.votes.append((len(rows.votes) + 1, pair, 1, 1, 11 + n % 2, 2, 0))
    return rows


STUDIES: dict[str, Callable[[], Rows]] = {
    "empty": Rows,
    "no overlap": no_overlap,
    "one annotator": lambda: everybody(MIXED, MIXED, people=("ann",)),
    "constant labels": lambda: everybody(lambda n: 1, lambda n: 1),
    "a model that never loses": never_loses,
    "disconnected graph": lambda: everybody(MIXED, MIXED, "cd", rows=everybody(MIXED, MIXED, "ab")),
    "one vote": one_vote,
    "one vote, withdrawn": lambda: one_vote(withdrawn=True),
    "one verdict": one_verdict,
    "one pair": one_pair,
    "only ties": lambda: everybody(lambda n: 3, lambda n: 3),
    "only both bad": lambda: everybody(lambda n: 4, lambda n: 4),
    "only failures": lambda: everybody(None, lambda n: 0),
    "votes, and only failures": lambda: everybody(MIXED, lambda n: 0),
    "only judges": lambda: everybody(None, MIXED),
    "nobody could judge": lambda: everybody(lambda n: 5, None),
    "one pair of models": lambda: everybody(MIXED, MIXED, "ab"),
    "repeats of one annotator": repeats_only_of_one,
}


def with_all(rows: Rows) -> Tally:
    """The study with what else a study may hold: texts, judges' setups, panels, scores."""
    tally = rows.tally()
    judges = list(rows.judges)
    tally.background.judges = {name: Judge(name, "openai", "a-1") for name in judges}
    tally.background.set_answers(
        (question, model, 1, *((100,) * 5))
        for question, one, two in rows.pairs
        for model in (one, two)
    )
    tally.panels = (
        Panel("fitted", PanelRule.WEIGHTED, {"j1": None, "j2": None}),
        Panel("strangers", PanelRule.MAJORITY, {"nobody": 1.0}),
    )
    tally.scores = tuple(Score("exam", model, 1.0, 0.0, 2.0) for model in "abcd")
    return tally


@pytest.mark.parametrize("statistic", [each.id for each in registered()])
def test_every_statistic_refuses_or_explains(statistic: str) -> None:
    for name, rows in STUDIES.items():
        for tally in (rows().tally(), with_all(rows())):
            for options in (
                Options(replicates=100),
                Options(replicates=100, merge_both_bad=True, acceptable_by="models"),
            ):
                (result,) = compute(tally, options, {statistic})
                where = f"{statistic} on {name}"
                assert result.estimates or result.notes, f"{where} says nothing at all"
                json.dumps(result.to_json(), allow_nan=False)
                for row in result.estimates:
                    at = f"{where}: {dict(row.labels)}"
                    if row.value is None:
                        # A sentence, and not a token that only a programmer reads.
                        assert len(row.reason.split()) >= 3, at
                        assert not re.search(r"\b(nan|None|inf|Error|array)\b", row.reason), at
                    else:
                        assert math.isfinite(row.value), at
                        assert row.low is not None or row.method, f"{at}: no interval, no why"
                for width in (80, 120):
                    shown = "\n".join(result_lines(result, width))
                    assert not re.search(r"(?i)(?<!\w)[-+]?(nan|inf)(?!\w)", shown), where


def test_the_studies_are_what_they_are_called() -> None:
    tallies = {name: rows().tally() for name, rows in STUDIES.items()}
    for name, choice in (("constant labels", 1), ("only ties", 3), ("only both bad", 4)):
        _, _, choices = tallies[name].votes
        assert set(choices.tolist()) == {choice}, many(len(choices), "vote")
    assert not tallies["only failures"].votes[0].size
    assert set(tallies["only failures"].verdicts["choice"].tolist()) == {0}
    assert tallies["one vote"].votes[0].size == 1
    assert not tallies["one vote, withdrawn"].votes[0].size
    assert tallies["nobody could judge"].cannot_judge.item.size == 12 * 6 * 3

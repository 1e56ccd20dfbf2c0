"""From a file to a gold label on generated votes, beside a recount that knows nothing of ours."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tui.cli import run

MODELS = ("m-east", "m-north", "m-south", "m-west")
CHOICES = ("model_1", "model_2", "tie", "both_bad")
OTHER = {"model_1": "model_2", "model_2": "model_1"}
WINS = {"model_1", "model_2"}


def generate(seed: int, questions: int = 40, annotators: int = 5) -> list[dict[str, Any]]:
    """Native lines: texts, votes of five annotators, one judge in both orders with failures."""
    random = Random(seed)
    lines: list[dict[str, Any]] = [{"type": "judge", "name": "j", "kind": "imported"}]
    for number in range(questions):
        question = f"q{number}"
        lines.append({"type": "question", "id": question, "turns": ["?"], "category": "c"})
        lines += [
            {"type": "answer", "question": question, "model": m, "turns": [f"{m} says {number}"]}
            for m in MODELS
        ]
        for pair in combinations(MODELS, 2):
            truth = random.choice(CHOICES)
            for annotator in random.sample(range(annotators), random.randint(0, 4)):
                choice = truth if random.random() < 0.7 else random.choice(CHOICES)
                lines.append(
                    _said("vote", question, pair, choice, random, annotator=f"a{annotator}")
                )
            for left in (1, 2):
                choice = truth if random.random() < 0.6 else random.choice(CHOICES)
                line = _said("verdict", question, pair, choice, random, judge="j")
                first = pair[left - 1]
                line["left"] = "model_1" if line["model_1"] == first else "model_2"
                if random.random() < 0.1:
                    line |= {"status": "unparsed", "raw": "no idea"}
                    del line["choice"]
                lines.append(line)
    return lines


def _said(
    kind: str, question: str, pair: tuple[str, str], choice: str, random: Random, **who: str
) -> dict[str, Any]:
    """A line that names the pair in either order, its choice turned with it."""
    first, second = pair
    if random.random() < 0.5:
        first, second, choice = second, first, OTHER.get(choice, choice)
    return {
        "type": kind,
        "question": question,
        "model_1": first,
        "model_2": second,
        "turn": 1,
        "choice": choice,
        **who,
    }


def recount(lines: list[dict[str, Any]]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """S1 and S2 by the plain definition: (rater, rater, setup) → (agreeing, compared)."""
    votes: dict[Any, list[str]] = defaultdict(list)
    verdicts: dict[Any, dict[str, str | None]] = defaultdict(dict)
    for line in lines:
        if line["type"] not in ("vote", "verdict"):
            continue
        first, second = line["model_1"], line["model_2"]
        item = (line["question"], frozenset((first, second)))
        winner = {"model_1": first, "model_2": second}
        said = winner.get(line.get("choice", ""), line.get("choice"))
        if line["type"] == "vote":
            votes[item].append(str(said))
        else:
            verdicts[item][winner[line["left"]]] = said
    combined = {}
    for item, orders in verdicts.items():
        one, other = orders.values()
        if one is not None and other is not None:
            combined[item] = one if one == other else "tie"
    counts: Counter[tuple[str, str, str, bool]] = Counter()
    for item, cast in votes.items():
        compared = [("human", a, b) for a, b in combinations(cast, 2)]
        if item in combined:
            compared += [("j", combined[item], vote) for vote in cast]
        for rater, a, b in compared:
            counts[rater, "human", "S1", a == b] += 1
            if not {a, b} & {"tie", "both_bad"}:
                counts[rater, "human", "S2", a == b] += 1
    return {
        (rater, "human", setup): (
            counts[rater, "human", setup, True],
            counts[rater, "human", setup, True] + counts[rater, "human", setup, False],
        )
        for rater in ("j", "human")
        for setup in ("S1", "S2")
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_generated_votes_with_both_bad_come_out_as_counted_by_hand(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = generate(seed)
    source, study = tmp_path / "votes.jsonl", tmp_path / "study.db"
    source.write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert run(["--db", str(study), "import", str(source)]) == 0
    capsys.readouterr()
    assert run(["--db", str(study), "stats", "agreement", "--json"]) == 0
    (agreement,) = json.loads(capsys.readouterr().out)["statistics"]
    found = {
        (e["labels"]["rater_1"], e["labels"]["rater_2"], e["labels"]["setup"]): (e["k"], e["n"])
        for e in agreement["estimates"]
        if not e["labels"]["rater_1"].startswith("(")  # baselines, counted from the texts
    }
    assert found == recount(lines)
    assert all(e["chance"] == 0.25 for e in agreement["estimates"] if e["labels"]["setup"] == "S1")

    assert run(["--db", str(study), "export", "gold", "--majority", "0.6"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    cast: dict[Any, Counter[str]] = defaultdict(Counter)
    for line in lines:
        if line["type"] == "vote":
            winner = {"model_1": line["model_1"], "model_2": line["model_2"]}
            item = (line["question"], frozenset(winner.values()))
            cast[item][winner.get(line["choice"], line["choice"])] += 1
    assert len(rows) == len(cast)
    for row in rows:
        counted = cast[row["question"], frozenset((row["model_1"], row["model_2"]))]
        label, count = counted.most_common(1)[0]
        gold = row[row["label"]] if row["label"] in WINS else row["label"]
        assert gold == (label if count / counted.total() > 0.6 else None)
        assert row["decided_by"] == ("majority" if gold else "unresolved")
        assert sum(row["counts"].values()) == counted.total() == len(row["votes"])
    assert {row["label"] for row in rows} == {*CHOICES, None}

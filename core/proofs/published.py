"""Numbers that others published, and the data they come from.

The data are not part of Tiebreak: whoever has them says where they lie. Conventions that reproduce
the numbers are in docs/statistics.md.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from core.stats.results import Label
from core.stats.tally import Tally

MT_BENCH, PANDALM, LLMFAO = "mt_bench", "pandalm", "llmfao"
_HALF_A_DIGIT: Final = 0.0005 + 1e-9
"""Percentages are published to one digit, coefficients to three."""

_EXACT: Final = 1e-12


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Published:
    """One published number.

    Attributes:
        statistic: whose table has it.
        data: a folder of the published data: :data:`MT_BENCH` and so on.
        labels: of the row.
        value: as published.
        within: half of its last digit, or nothing where the counts are known.
        n: comparisons, where they are known.
        options: of the statistics, beside the defaults.
    """

    statistic: str
    data: str
    labels: Mapping[str, Label]
    value: float
    within: float = _HALF_A_DIGIT
    n: int | None = None
    options: Mapping[str, Any] = field(default_factory=_nothing)


SOURCES: Mapping[str, str] = MappingProxyType(
    {
        MT_BENCH: "MT-bench (Zheng et al. 2023)",
        PANDALM: "PandaLM (Wang et al. 2023)",
        LLMFAO: "LLMFAO (Ustalov 2023)",
    }
)

_GPT_4, _LLAMA, _PEOPLE = "gpt4_pair", "llama2_70b", "human"
_AGREEMENT: Mapping[tuple[str, int, str], tuple[int, int]] = MappingProxyType(
    {
        (_GPT_4, 1, "S1"): (886, 1343),
        (_GPT_4, 1, "S2"): (727, 859),
        (_GPT_4, 2, "S1"): (871, 1325),
        (_GPT_4, 2, "S2"): (731, 864),
        (_PEOPLE, 1, "S1"): (454, 721),
        (_PEOPLE, 1, "S2"): (388, 479),
        (_PEOPLE, 2, "S1"): (471, 707),
        (_PEOPLE, 2, "S2"): (388, 474),
        (_LLAMA, 1, "S1"): (745, 1295),
        (_LLAMA, 1, "S2"): (574, 674),
        (_LLAMA, 2, "S1"): (545, 963),
        (_LLAMA, 2, "S2"): (433, 507),
    }
)
_WINS = {
    "writing": 61.2,
    "roleplay": 67.9,
    "reasoning": 49.3,
    "math": 66.1,
    "coding": 56.3,
    "extraction": 66.2,
    "stem": 76.6,
    "humanities": 72.2,
}
_OUTCOMES = ("consistent", "first", "second", "error")
_POSITION: Mapping[Label, tuple[int, tuple[float, ...]]] = {
    1: (1200, (69.1, 18.2, 9.3, 3.3)),
    "all": (2400, (59.0, 14.5, 10.9, 15.5)),
}


def published() -> list[Published]:
    """Every published number that a statistic of ours has."""
    found = []
    for (rater, turn, setup), (agreeing, n) in _AGREEMENT.items():
        kind = "human-human" if rater == _PEOPLE else "judge-human"
        labels: dict[str, Label] = {"kind": kind, "rater_1": rater, "turn": turn, "setup": setup}
        found.append(Published("agreement", MT_BENCH, labels, agreeing / n, _EXACT, n))
    for category, percent in _WINS.items():
        labels = {"raters": _PEOPLE, "category": category, "model": "gpt-4"}
        found.append(Published("win_rate", MT_BENCH, labels, percent / 100))
    for asked, (n, percents) in _POSITION.items():
        for outcome, percent in zip(_OUTCOMES, percents, strict=True):
            labels = {"rater": _LLAMA, "turn": asked, "outcome": outcome}
            found.append(Published("position", MT_BENCH, labels, percent / 100, n=n))
    for rater, n, percent in ((_PEOPLE, 2306, 71.1), (_GPT_4, 1579, 77.6)):
        labels = {"rater": rater, "effect": "longer wins"}
        # The authors' votes are among these.
        everybody = {"exclude_groups": ()}
        found.append(Published("style", MT_BENCH, labels, percent / 100, n=n, options=everybody))
    for one, two, kappa in ((1, 2, 0.852), (1, 3, 0.879), (2, 3, 0.862)):
        labels = {"annotator_1": f"annotator{one}", "annotator_2": f"annotator{two}"}
        found.append(Published("annotator_kappa", PANDALM, labels, kappa, n=999))
    labels = {"measure": "Krippendorff α"}
    found.append(Published("reliability", LLMFAO, labels, 0.291))
    for kind, setup, percent in (
        ("human-human", "S1", 53.2),
        ("human-human", "S2", 70.1),
        ("judge-human", "S1", 41.5),
        ("judge-human", "S2", 66.2),
    ):
        found.append(Published("agreement", LLMFAO, {"kind": kind, "setup": setup}, percent / 100))
    return found


class _Filling:
    """A tally that is filled vote by vote."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[str, str, str], int] = {}
        self.people: dict[str, int] = {}
        self.votes: list[tuple[int, int, int, int, int, int, int]] = []
        self.verdicts: list[tuple[int, int, int, int, int, int, int, int]] = []

    def pair(self, question: str, one: str, two: str) -> int:
        return self.pairs.setdefault((question, one, two), len(self.pairs) + 1)

    def vote(self, pair: int, name: str, choice: int) -> None:
        number = self.people.setdefault(name, len(self.people) + 1)
        self.votes.append((len(self.votes) + 1, pair, 1, number, choice, 0, 0))

    def tally(self, judge: str = "") -> Tally:
        tally = Tally()
        tally.add_pairs((number, q, None, one, two) for (q, one, two), number in self.pairs.items())
        tally.add_annotators((number, name, "") for name, number in self.people.items())
        tally.add_judges([(1, judge, "llm")] if judge else [])
        tally.add_votes(self.votes)
        tally.add_verdicts(self.verdicts)
        return tally


def _llmfao(folder: Path) -> Tally:
    """Crowd votes, and GPT-4's verdicts in the one order it was asked in.

    The published α is over the labels left and right, so what stood left is called model_1.
    """
    filling = _Filling()
    for name in ("crowd-comparisons.csv", "gpt4-crowd-comparisons.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as lines:
            for line in csv.DictReader(lines):
                pair = filling.pair(f"{line['prompt']}/{line['id']}", line["left"], line["right"])
                choice = {"left": 1, "right": 2, "tie": 3}[line["winner"]]
                if "worker" in line:
                    filling.vote(pair, line["worker"], choice)
                else:
                    seq = len(filling.verdicts) + 1
                    filling.verdicts.append((seq, pair, 1, 1, choice, 1, 0, 0))
    return filling.tally("gpt-4")


def _pandalm(folder: Path) -> Tally:
    """Three annotators on 999 items; their label 0 is a tie."""
    filling = _Filling()
    for line in json.loads((folder / "testset-v1.json").read_text("utf-8")):
        pair = filling.pair(str(line["idx"]), "model_1", "model_2")
        for name in ("annotator1", "annotator2", "annotator3"):
            filling.vote(pair, name, line[name] or 3)
    return filling.tally()


LOADERS: Mapping[str, Callable[[Path], Tally]] = MappingProxyType(
    {LLMFAO: _llmfao, PANDALM: _pandalm}
)
"""How to read what comes in no format that a study imports; MT-bench is imported."""

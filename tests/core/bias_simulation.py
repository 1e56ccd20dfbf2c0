"""Studies with planted leanings: how far side, length, headers and a family move each rater."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from core.records import Judge
from core.stats import Tally
from core.stats.background import COUNTED

MODELS = ("ant-1", "ant-2", "bee-1", "cat-1")
STRENGTH = np.array([0.6, -0.3, 0.2, -0.5])
TOKENS, HEADERS = COUNTED.index("tokens"), COUNTED.index("headers")


@dataclass(frozen=True)
class Leaning:
    """How a rater chooses, in log-odds.

    Attributes:
        left: for the answer on the left.
        length: for each unit of a longer answer, a unit being the root mean square difference.
        family: for each family's models.
        tie: chance of a tie.
        bad: chance of both bad.
    """

    left: float = 0.0
    length: float = 0.0
    headers: float = 0.0
    family: Mapping[str, float] = field(default_factory=dict)
    tie: float = 0.0
    bad: float = 0.0


class World:
    """Questions with answers of all models, and what was counted in the answers.

    Args:
        noise: how far pairs differ beyond their models, in log-odds (standard deviation).
    """

    def __init__(self, questions: int, seed: int, noise: float = 0.0) -> None:
        self.rng = np.random.default_rng(seed)
        games = np.array(list(combinations(range(len(MODELS)), 2)))
        self.questions = questions
        self.one = np.tile(games[:, 0], questions)
        self.two = np.tile(games[:, 1], questions)
        self.question = np.repeat(np.arange(questions), len(games))
        size = (questions, len(MODELS))
        # Better models write more, so that length and strength have to be told apart.
        tokens = np.maximum(20, 300 + 80 * STRENGTH + 100 * self.rng.standard_normal(size))
        self.counts = np.zeros((*size, len(COUNTED)), np.int64)
        self.counts[..., TOKENS] = tokens
        self.counts[..., COUNTED.index("characters")] = 4 * self.counts[..., TOKENS]
        self.counts[..., HEADERS] = self.rng.integers(0, 4, size)
        self.counts[..., COUNTED.index("list_items")] = self.rng.integers(0, 9, size)
        gap = self.counts[self.question, self.one] - self.counts[self.question, self.two]
        self.gap = gap
        self.unit = np.sqrt((gap.astype(float) ** 2).mean(axis=0))
        self.base = STRENGTH[self.one] - STRENGTH[self.two]
        self.base = self.base + noise * self.rng.standard_normal(len(self.one))
        self.tally = Tally()
        self.tally.add_pairs(
            (n + 1, f"q{q}", None, MODELS[i], MODELS[j])
            for n, (q, i, j) in enumerate(zip(self.question, self.one, self.two, strict=True))
        )
        self.tally.background.set_answers(
            (f"q{q}", MODELS[m], 1, *self.counts[q, m].tolist())
            for q in range(questions)
            for m in range(len(MODELS))
        )
        self._people: list[str] = []
        self._judges: dict[str, Judge] = {}

    def chances(self, leaning: Leaning, left: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """P(model_1 | decisive) on some pairs, with model ``left`` on the left."""
        eta = self.base[rows] + leaning.left * np.where(left == 1, 1.0, -1.0)
        eta = eta + leaning.length * self.gap[rows, TOKENS] / self.unit[TOKENS]
        eta = eta + leaning.headers * self.gap[rows, HEADERS] / self.unit[HEADERS]
        for family, worth in leaning.family.items():
            mine = np.array([model.startswith(family) for model in MODELS], float)
            eta = eta + worth * (mine[self.one] - mine[self.two])[rows]
        return 1 / (1 + np.exp(-eta))

    def _draw(self, leaning: Leaning, left: np.ndarray, rows: np.ndarray) -> np.ndarray:
        choice = np.where(self.rng.random(len(rows)) < self.chances(leaning, left, rows), 1, 2)
        other = self.rng.random(len(rows))
        choice = np.where(other < leaning.tie, 3, choice)
        return np.where(other > 1 - leaning.bad, 4, choice)

    def vote(self, name: str, leaning: Leaning, rows: Sequence[int] | np.ndarray) -> None:
        """Let an annotator vote on some pairs, sides tossed."""
        if name not in self._people:
            self._people.append(name)
            self.tally.add_annotators([(len(self._people), name, "")])
        number = self._people.index(name) + 1
        rows = np.asarray(rows)
        left = self.rng.integers(1, 3, len(rows))
        choices = self._draw(leaning, left, rows)
        start = self.tally.last_vote_seq + 1
        self.tally.add_votes(
            (start + n, int(row) + 1, 1, number, int(c), int(side), 0)
            for n, (row, c, side) in enumerate(zip(rows, choices, left, strict=True))
        )

    def judge(
        self, judge: Judge, leaning: Leaning, rows: Sequence[int] | np.ndarray, fail: float = 0.0
    ) -> None:
        """Let a judge give its verdicts in both orders."""
        if judge.name not in self._judges:
            self._judges[judge.name] = judge
            self.tally.add_judges([(len(self._judges), judge.name, judge.kind)])
            self.tally.background.judges = dict(self._judges)
        number = list(self._judges).index(judge.name) + 1
        rows = np.repeat(np.asarray(rows), 2)
        left = np.tile([1, 2], len(rows) // 2)
        choices = self._draw(leaning, left, rows)
        choices = np.where(self.rng.random(len(rows)) < fail, 0, choices)
        start = self.tally.last_verdict_seq + 1
        self.tally.add_verdicts(
            (start + n, int(row) + 1, 1, number, int(c), int(side), 0, 0)
            for n, (row, c, side) in enumerate(zip(rows, choices, left, strict=True))
        )

    @property
    def pairs(self) -> np.ndarray:
        """All pairs."""
        return np.arange(len(self.one))

    def splits(self, parts: int) -> Iterator[np.ndarray]:
        """All pairs in some random parts."""
        yield from np.array_split(self.rng.permutation(self.pairs), parts)

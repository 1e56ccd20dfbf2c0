"""Studies with planted biases of known size, to try the numbers on.

What is planted is said in the units of the statistics that are to find it. Where these are shares,
their true value is that of a very large study, worked out from probabilities and not drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Pair,
    Question,
    Record,
    Verdict,
    VerdictStatus,
    Vote,
)

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

QUESTIONS = 40
MODELS = ("ant-1", "ant-2", "bee-1", "cat-1")
CARELESS, SPAMMER = "careless", "spammer"
PLANTED_GROUP = "planted"
"""Group of those two: what is asked of people at large leaves them out."""

BIASED = Judge("biased", "openai", "ant-9")
FLAKY = Judge("flaky", "openai", "dog-1")

_STRENGTH = np.array([0.5, -0.3, 0.2, -0.4])
_HONEST = 4
_VOTES = 3
_FAMILY = np.array([model.startswith("ant") for model in MODELS], np.float64)
_LARGE = 20_000
SURE = 0.0005
"""Chance at most that a kept promise looks broken."""

_FAILS = 0.4
"""Chance that the flaky judge fails where it would let the first model lose."""

_CHOICES = (Choice.MODEL_1, Choice.MODEL_2, Choice.TIE, Choice.BOTH_BAD)


@dataclass(frozen=True, slots=True)
class Leaning:
    """How somebody chooses: log-odds for the left side, length and own family; chances."""

    left: float
    length: float
    family: float = 0.0
    tie: float = 0.1
    bad: float = 0.05


PEOPLE = Leaning(left=-0.2, length=0.2)
JUDGE = Leaning(left=0.4, length=0.6, family=0.8)
CARELESS_LEFT = 0.35
"""Share of decisive votes that the careless annotator gives to the left without reading."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """All pairs of some questions.

    Attributes:
        question: number of each pair's question.
        one, two: numbers of its models.
        tokens: length of each answer, shape (questions, models).
    """

    question: Longs
    one: Longs
    two: Longs
    tokens: Longs

    @property
    def length(self) -> Floats:
        """How much longer the first answer is, in root mean squares over the pairs."""
        gap = self.tokens[self.question, self.one] - self.tokens[self.question, self.two]
        return np.asarray(gap / np.sqrt((gap.astype(np.float64) ** 2).mean()))

    def chance(self, leaning: Leaning, left: Longs | int) -> Floats:
        """P(the first model is preferred | one is), with this model on the left."""
        eta = _STRENGTH[self.one] - _STRENGTH[self.two] + leaning.length * self.length
        eta = eta + leaning.family * (_FAMILY[self.one] - _FAMILY[self.two])
        eta = eta + leaning.left * np.where(np.equal(left, 1), 1.0, -1.0)
        return np.asarray(1 / (1 + np.exp(-eta)))


@dataclass(frozen=True, slots=True)
class Effect:
    """One planted effect and where it is to be found.

    Attributes:
        statistic: which table has it.
        labels: the row's labels there.
        planted: its true value; None where it differs from study to study.
        honest_only: whether those in :data:`PLANTED_GROUP` are left out.
        worst: whether what failures allow is to hold it, rather than the interval.
    """

    name: str
    statistic: str
    labels: Mapping[str, str]
    planted: float | None
    honest_only: bool = True
    worst: bool = False


@dataclass(slots=True)
class Drawn:
    """A study: its records, and the true value of what differs from study to study."""

    records: list[Record] = field(default_factory=list)
    win_rate: float = 0.0


def _pairs(questions: int, rng: np.random.Generator) -> Pairs:
    games = np.array(list(combinations(range(len(MODELS)), 2)))
    one, two = np.tile(games, (questions, 1)).T
    tokens = rng.normal(300, 100, (questions, len(MODELS)))
    question = np.repeat(np.arange(questions), len(games))
    return Pairs(question, one, two, np.maximum(tokens, 20).astype(np.int64))


def effects(people: str) -> list[Effect]:
    """What is planted in every study.

    Args:
        people: what reports call those who voted.
    """
    large = _pairs(_LARGE, np.random.default_rng(0))
    by_left = [large.chance(PEOPLE, left) for left in (1, 2)]
    for_left = float((by_left[0] + 1 - by_left[1]).mean()) / 2
    careless = CARELESS_LEFT + (1 - CARELESS_LEFT) * for_left - 1 / 2
    judge = BIASED.name

    def lean(name: str, rater: str, measure: str, planted: float) -> Effect:
        return Effect(name, "position_lean", {"rater": rater, "measure": measure}, planted)

    def length(name: str, rater: str, planted: float) -> Effect:
        return Effect(name, "style", {"rater": rater, "effect": "length"}, planted)

    def single(name: str, rater: str, measure: str, planted: float) -> Effect:
        labels = {"rater": rater, "measure": measure}
        return Effect(name, "rater_bias", labels, planted, honest_only=False)

    own = {"judge": judge, "is": "own"}
    flaky = {"raters": FLAKY.name, "category": "all", "model": MODELS[0]}
    return [
        lean("people: left", people, "log-odds", PEOPLE.left),
        lean("judge: left", judge, "log-odds", JUDGE.left),
        lean("judge: both orders", judge, "both orders", JUDGE.left),
        length("people: length", people, PEOPLE.length),
        length("judge: length", judge, JUDGE.length),
        length("judge − people: length", f"{judge} − {people}", JUDGE.length - PEOPLE.length),
        Effect("judge: own family", "self_enhancement", own, _own_family(large)),
        single("careless: left", CARELESS, "left", careless),
        single("spammer: both bad", SPAMMER, "both bad", 1 / 4 - PEOPLE.bad),
        Effect("failures: win rate", "win_rate", flaky, None, worst=True),
    ]


def is_possible(held: int, runs: int, level: float) -> bool:
    """Whether so many of the runs may well hold the truth, if each does with this chance.

    Exact binomial, :data:`SURE` on either side.
    """
    from scipy.special import bdtr, bdtrc

    too_few, too_many = bdtr(held, runs, level), bdtrc(held - 1, runs, level)
    return bool(min(too_few, too_many) > SURE)


def _own_family(large: Pairs) -> float:
    """What the judge gives its family more than people do, in points of a win."""
    used = _FAMILY[large.one] != _FAMILY[large.two]
    points = []
    for leaning, combines in ((PEOPLE, False), (JUDGE, True)):
        first, second = (large.chance(leaning, left)[used] for left in (1, 2))
        decisive = 1 - leaning.tie - leaning.bad
        # Of a judge both orders must agree; of people either side is as likely.
        weight = decisive**2 if combines else decisive
        points.append(weight * (first + second - 1) / 2)
    sign = np.where(_FAMILY[large.one][used] > 0, 1.0, -1.0)
    return float((sign * (points[1] - points[0])).mean())


def draw(seed: int, number: int) -> Drawn:
    """Draw a study: three honest votes on each pair, two others' on half, two judges' verdicts.

    Args:
        seed: of all studies.
        number: which of them.
    """
    rng = np.random.default_rng([seed, number])
    pairs = _pairs(QUESTIONS, rng)
    drawn = Drawn(list(_material(pairs)))
    named = [
        Pair(f"q{q}", MODELS[i], MODELS[j])
        for q, i, j in zip(pairs.question, pairs.one, pairs.two, strict=True)
    ]
    for number in range(_HONEST):
        name = f"honest-{number + 1}"
        drawn.records.append(Annotator(name, simulated=True))
        turn = (np.arange(len(named)) + number) % _HONEST < _VOTES
        left, choice = _choices(pairs, PEOPLE, rng)
        drawn.records += _votes(named, name, left, choice, turn)
    for name in (CARELESS, SPAMMER):
        drawn.records.append(Annotator(name, group=PLANTED_GROUP, simulated=True))
        left, choice = _choices(pairs, PEOPLE, rng)
        if name == CARELESS:
            hasty = (choice < 2) & (rng.random(len(named)) < CARELESS_LEFT)
            choice = np.where(hasty, left - 1, choice)
        else:
            choice = rng.integers(0, len(_CHOICES), len(named))
        drawn.records += _votes(named, name, left, choice, rng.random(len(named)) < 1 / 2)
    _judge(drawn, pairs, named, rng)
    return drawn


def _material(pairs: Pairs) -> Iterator[Record]:
    """Questions, answers of the lengths drawn, and pairs."""
    for question, tokens in enumerate(pairs.tokens.tolist()):
        yield Question(f"q{question}", (f"Question {question}?",))
        for model, length in zip(MODELS, tokens, strict=True):
            yield Answer(f"q{question}", model, ("word" * length,))


def _choices(pairs: Pairs, leaning: Leaning, rng: np.random.Generator) -> tuple[Longs, Longs]:
    """A side, tossed, and a choice (0–3) for every pair."""
    left = rng.integers(1, 3, len(pairs.one))
    return left, _choose(pairs, leaning, left, rng)


def _choose(pairs: Pairs, leaning: Leaning, left: Longs, rng: np.random.Generator) -> Longs:
    size = len(pairs.one)
    choice = np.where(rng.random(size) < pairs.chance(leaning, left), 0, 1)
    other = rng.random(size)
    choice = np.where(other < leaning.tie, 2, choice)
    return np.asarray(np.where(other > 1 - leaning.bad, 3, choice))


def _votes(
    named: list[Pair], name: str, left: Longs, choice: Longs, cast: Bools
) -> Iterator[Record]:
    for number in np.flatnonzero(cast).tolist():
        pair, said = named[number], _CHOICES[int(choice[number])]
        yield Vote(f"{name}/{number}", pair, 1, name, said, left=int(left[number]))


def _judge(drawn: Drawn, pairs: Pairs, named: list[Pair], rng: np.random.Generator) -> None:
    """Both judges, both orders; the flaky one fails where the first model would lose."""
    everywhere = [np.full(len(named), left) for left in (1, 2)]
    for judge, leaning in ((BIASED, JUDGE), (FLAKY, Leaning(left=0.0, length=0.2))):
        drawn.records.append(judge)
        said = [_choose(pairs, leaning, left, rng) for left in everywhere]
        for left, choice in enumerate(said, 1):
            fails = np.zeros(len(named), np.bool_)
            if judge is FLAKY:
                loses = np.where(pairs.one == 0, choice == 1, (pairs.two == 0) & (choice == 0))
                fails = loses & (rng.random(len(named)) < _FAILS)
            drawn.records += _verdicts(named, judge.name, left, choice, fails)
        if judge is FLAKY:
            drawn.win_rate = _win_rate(pairs, said)


def _verdicts(
    named: list[Pair], judge: str, left: int, choice: Longs, fails: Bools
) -> Iterator[Record]:
    for number, pair in enumerate(named):
        key = f"{judge}/{number}/{left}"
        if fails[number]:
            failed = VerdictStatus.FAILED
            yield Verdict(key, pair, 1, judge, failed, left=left, error="planted")
        else:
            said = _CHOICES[int(choice[number])]
            yield Verdict(key, pair, 1, judge, VerdictStatus.OK, said, left)


def _win_rate(pairs: Pairs, said: list[Longs]) -> float:
    """The first model's win rate had no call failed: the mean over opponents of wins in both."""
    mine = pairs.one == 0
    won = (said[0] == 0) & (said[1] == 0)
    return float(np.mean([won[mine & (pairs.two == other)].mean() for other in (1, 2, 3)]))

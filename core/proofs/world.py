"""Made-up studies of any size from one process, as plain rows, for proofs to run on.

Every pair of answers has a leaning of its own, from which people and judges choose, so that what
is said of one pair depends on each other. Everything else is alike from study to study, so that
the same number of a very large study is what a small one estimates.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.panels import Panel, PanelRule
from core.records import Judge, Score
from core.stats.background import COUNTED
from core.stats.options import Options
from core.stats.tally import REPEAT, Tally

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

MODELS = ("ant-1", "ant-2", "bee-1", "cat-1", "dog-1")
_STRENGTH = np.array([0.7, 0.35, 0.0, -0.3, -0.75])
_CATEGORIES = ("maths", "prose")
ANNOTATORS = (("ann", "expert"), ("bob", "expert"), ("cy", "crowd"), ("dee", "crowd"))
_LEFT = (0.0, 0.3, -0.2, 0.1)
"""Each annotator's log-odds for the left side."""

_PROMPT = "pair"
JUDGES = (
    Judge("plain", "openai", "ant-9", prompt=_PROMPT),
    Judge("named", "openai", "ant-9", prompt=f"{_PROMPT} names=assistants"),
    Judge("other", "openai", "elk-1", prompt=_PROMPT),
)
_JUDGE_LEFT = (0.4, 0.7, -0.2)
_JUDGE_OWN = (0.6, 0.6, 0.0)
PANEL = Panel("three", PanelRule.MAJORITY, {judge.name: 1.0 for judge in JUDGES})
SCORES = tuple(
    Score("exam", model, score, score - 4, score + 4)
    for model, score in zip(MODELS, (71.0, 74.0, 60.0, 41.0, 44.0), strict=True)
)
_SPREAD = 0.8
"""How far pairs differ beyond their models, in log-odds."""

QUALITY = 1.0
"""How far a model's answers differ from question to question, in log-odds. An answer is as much
better or worse in all pairs that it is in, so that the pairs of a question are no strangers."""

_QUALITY_STREAM = 11
_UNEVEN = 0.6
"""How far questions differ in how much judges mistake answers, as the logarithm of its size."""

_LENGTH = 0.2
_CLOSE, _QUEUED_CLOSE, _QUEUED_CLEAR = 0.8, 0.9, 0.3
"""Log-odds up to which a pair is close, and how often those and others are drawn, where any are."""

LEADS = (("lea", "expert"), ("lou", "expert"))
"""Numbered after the annotators; they cast no votes, and so count in nothing but rulings."""

DISPUTED, UNDISPUTED, BY_HAND = "human_split", "agreement_sample", "by_hand"
"""Why a pair came before a lead: drawn as one or the other, or picked and not drawn."""

_DRAWN = {DISPUTED: 0.5, UNDISPUTED: 0.25}
_PICKED = 0.1
_NOT_DECIDABLE, _MORE_VOTES = 5, 6
_RULED_SO = 0.04
"""How often a lead gives no outcome, by either of these."""

_KNOWS = 0.6
"""How often a lead rules as the pair leans; otherwise as anybody would choose."""

_SECOND, _UNMASKED, _REVISED, _FINAL = 0.6, 0.6, 0.25, 0.3
_BLIND_STAGE, _UNMASKED_STAGE = 0, 1
_RULING_STREAM = 7

_UNVOTED, _AGAIN, _ASKED_AGAIN, _FAILS = 0.25, 0.2, 0.3, 0.04

Ruled = tuple[int, int, int, int, int, int, int, float | None, str, str, int, int]

OPTIONS = Options(replicates=400, families={"ant": "ant", "bee": "bee", "elk": "elk"})


@dataclass(slots=True)
class Study:
    """A study as rows, in the shapes that a tally takes.

    Attributes:
        pairs: (id, question, category, model_1, model_2).
        votes: (seq, pair, turn, annotator, choice code, left, superseded seq).
        verdicts: (seq, pair, turn, judge, choice, left, repeat, superseded seq); 0 failed.
        characters: of each answer, by question and model.
        probability: with which each pair in the queue came into it; empty if all are in it.
        rulings: (seq, pair, turn, lead, stage, choice, left, probability or None, reason, at,
            superseded seq, final).
        unmasked: (pair, turn, lead) of the cases whose names a lead has seen.
    """

    pairs: list[tuple[int, str, str, str, str]] = field(default_factory=list)
    votes: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)
    verdicts: list[tuple[int, int, int, int, int, int, int, int]] = field(default_factory=list)
    characters: dict[tuple[str, str], int] = field(default_factory=dict)
    headers: dict[tuple[str, str], int] = field(default_factory=dict)
    probability: dict[int, float] = field(default_factory=dict)
    rulings: list[Ruled] = field(default_factory=list)
    unmasked: list[tuple[int, int, int]] = field(default_factory=list)

    def tally(self) -> Tally:
        """The rows, counted."""
        tally = Tally()
        tally.add_pairs(self.pairs)
        tally.set_probabilities(self.probability.items())
        tally.add_annotators(
            (number, name, group) for number, (name, group) in enumerate(ANNOTATORS + LEADS, 1)
        )
        tally.add_judges((number, each.name, each.kind) for number, each in enumerate(JUDGES, 1))
        tally.add_votes(self.votes)
        tally.add_verdicts(self.verdicts)
        tally.add_rulings(self.rulings)
        tally.tell_unmasked(self.unmasked)
        tally.failures.add((row[0], "timed out") for row in self.verdicts if not row[4])
        tally.panels, tally.scores = (PANEL,), SCORES
        tally.background.judges = {each.name: each for each in JUDGES}
        place = {name: COUNTED.index(name) for name in ("characters", "tokens", "headers")}
        rows = []
        for (question, model), characters in self.characters.items():
            counted = [0] * len(COUNTED)
            counted[place["characters"]] = characters
            counted[place["tokens"]] = characters // 4
            counted[place["headers"]] = self.headers[question, model]
            rows.append((question, model, 1, *counted))
        tally.background.set_answers(rows)
        self._tell_baselines(tally)
        return tally

    def _tell_baselines(self, tally: Tally) -> None:
        words = np.zeros((len(tally.item_pair), 2), np.int8)
        for item, number in enumerate(tally.item_pair.tolist()):
            _, question, _, one, two = self.pairs[number]
            for column, counted in enumerate((self.characters, self.headers)):
                gap = counted[question, one] - counted[question, two]
                words[item, column] = 1 if gap > 0 else 2 if gap < 0 else 3
        tally.baselines.tell(np.arange(len(words)), words)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What is drawn of all pairs of a study before anybody says anything.

    Attributes:
        one, two: numbers of the models.
        leaning: to model ``one``, in log-odds.
        tie, bad: how likely these outcomes are.
        mistaken: what each judge adds to the leaning, shape (judges, pairs).
    """

    one: Longs
    two: Longs
    leaning: Floats
    tie: Floats
    bad: Floats
    rng: np.random.Generator
    mistaken: Floats

    def by_judge(self, judge: int) -> _Drawn:
        """The same as one of the judges takes the answers to be."""
        return replace(self, leaning=self.leaning + self.mistaken[judge])

    def choose(self, rows: Longs, left: Longs, lean: float, own: float) -> Longs:
        """A choice (1–4) for each of some pairs, with model ``left`` on the left."""
        family = np.array([model.startswith("ant") for model in MODELS], np.float64)
        eta = self.leaning[rows] + lean * np.where(left == 1, 1.0, -1.0)
        eta = eta + own * (family[self.one[rows]] - family[self.two[rows]])
        choice = np.where(self.rng.random(len(rows)) < 1 / (1 + np.exp(-eta)), 1, 2)
        choice = np.where(self.rng.random(len(rows)) < self.tie[rows], 3, choice)
        return np.where(self.rng.random(len(rows)) < self.bad[rows], 4, choice)


def draw(questions: int, seed: int, quality: float = QUALITY, *, sampled: bool = False) -> Study:
    """A study of all pairs of five models on so many questions.

    Args:
        quality: how far one model's answers differ, in log-odds; see :data:`QUALITY`.
        sampled: whether people are asked about some pairs only, those that are close far more often
            than others; otherwise all pairs have the same chance.
    """
    rng = np.random.default_rng(seed)
    shared = np.random.default_rng([seed, _QUALITY_STREAM])
    games = np.array(list(combinations(range(len(MODELS)), 2)))
    one, two = np.tile(games, (questions, 1)).T
    question = np.repeat(np.arange(questions), len(games))
    tokens = np.maximum(20, rng.normal(300, 100, (questions, len(MODELS)))).astype(np.int64)
    headers = rng.integers(0, 4, (questions, len(MODELS)))
    category = rng.integers(0, len(_CATEGORIES), questions)
    study = Study(
        [
            (n + 1, f"q{q}", _CATEGORIES[category[q]], MODELS[i], MODELS[j])
            for n, (q, i, j) in enumerate(zip(question.tolist(), one, two, strict=True))
        ],
        characters={
            (f"q{q}", model): 4 * int(tokens[q, m])
            for q in range(questions)
            for m, model in enumerate(MODELS)
        },
        headers={
            (f"q{q}", model): int(headers[q, m])
            for q in range(questions)
            for m, model in enumerate(MODELS)
        },
    )
    longer = (tokens[question, one] - tokens[question, two]) / (100 * np.sqrt(2))
    size = len(one)
    good = _STRENGTH + shared.normal(0, quality, (questions, len(MODELS)))
    first, second = good[question, one], good[question, two]
    leaning = first - second + _LENGTH * longer + rng.normal(0, _SPREAD, size)
    bad = 1 / (1 + np.exp((first + second) / 3 + 2.0 - rng.normal(0, 0.5, size)))
    uneven = quality * np.exp(shared.normal(0, _UNEVEN, (questions, 1)))
    seen = uneven * shared.normal(0, 1, (len(JUDGES), questions, len(MODELS)))
    mistaken = seen[:, question, one] - seen[:, question, two]
    drawn = _Drawn(one, two, leaning, rng.beta(2, 12, size), bad, rng, mistaken)
    if sampled:
        chance = np.where(np.abs(leaning) < _CLOSE, _QUEUED_CLOSE, _QUEUED_CLEAR)
        queued = np.flatnonzero(shared.random(size) < chance)
        study.probability = {int(pair) + 1: float(chance[pair]) for pair in queued}
    _vote(study, drawn)
    _judge(study, drawn)
    _rule(study, replace(drawn, rng=np.random.default_rng([seed, _RULING_STREAM])))
    return study


def _vote(study: Study, drawn: _Drawn) -> None:
    """Each pair is voted on by some of the people; some of it again, with sides exchanged."""
    rng, size = drawn.rng, len(drawn.one)
    voted = rng.random(size) >= _UNVOTED
    if study.probability:
        voted &= np.isin(np.arange(size) + 1, list(study.probability))
    columns = []
    for number, lean in enumerate(_LEFT, 1):
        rows = np.flatnonzero(voted & (rng.random(size) < 0.7))
        left = rng.integers(1, 3, len(rows))
        choice = drawn.choose(rows, left, lean, 0.0)
        columns.append(np.stack([rows + 1, np.full(len(rows), number), choice, left], axis=1))
        again = rng.random(len(rows)) < _AGAIN
        rows, left = rows[again], 3 - left[again]
        choice = drawn.choose(rows, left, lean, 0.0) + REPEAT
        columns.append(np.stack([rows + 1, np.full(len(rows), number), choice, left], axis=1))
    firsts, repeats = np.concatenate(columns[::2]), np.concatenate(columns[1::2])
    rng.shuffle(firsts)
    for seq, (pair, number, choice, left) in enumerate([*firsts.tolist(), *repeats.tolist()], 1):
        study.votes.append((seq, pair, 1, number, choice, left, 0))


def _judge(study: Study, drawn: _Drawn) -> None:
    """Every judge in both orders, the first judge some items once more; some calls fail."""
    rng, size = drawn.rng, len(drawn.one)
    asked_again = rng.random(size) < _ASKED_AGAIN
    for number, (lean, own) in enumerate(zip(_JUDGE_LEFT, _JUDGE_OWN, strict=True), 1):
        for repeat in range(2 if number == 1 else 1):
            rows = np.flatnonzero(asked_again) if repeat else np.arange(size)
            for left in (1, 2):
                side = np.full(len(rows), left)
                choice = drawn.by_judge(number - 1).choose(rows, side, lean, own)
                choice = np.where(rng.random(len(rows)) < _FAILS, 0, choice)
                start = len(study.verdicts) + 1
                study.verdicts += [
                    (start + n, pair + 1, 1, number, said, left, repeat, 0)
                    for n, (pair, said) in enumerate(
                        zip(rows.tolist(), choice.tolist(), strict=True)
                    )
                ]


@dataclass(frozen=True, slots=True)
class _Case:
    """A pair before the leads, and why."""

    pair: int
    reason: str
    probability: float | None


def _rule(study: Study, drawn: _Drawn) -> None:
    """Leads rule on a random sample and on what they pick; some is ruled on by both.

    What nobody disputes is drawn less often. All of it is drawn from a stream of its own, so that
    votes and verdicts are what they would be without leads.
    """
    rng = drawn.rng
    said: dict[int, list[int]] = defaultdict(list)
    for _, pair, _, _, code, _, _ in study.votes:
        if code < REPEAT:
            said[pair].append(code)
    lean = np.where(drawn.leaning > 0, 1, 2)
    for pair, votes in sorted(said.items()):
        reason = DISPUTED if len(set(votes)) > 1 else UNDISPUTED
        luck = rng.random()
        case = _Case(pair, reason, _DRAWN[reason])
        if luck >= _DRAWN[reason]:
            if luck >= _DRAWN[reason] + _PICKED:
                continue
            case = _Case(pair, BY_HAND, None)
        ((most, _),) = Counter(votes).most_common(1)
        leads = [1, 2] if rng.random() < _SECOND else [int(rng.integers(1, 3))]
        for lead in leads:
            _rule_on(study, drawn, case, lead, (int(lean[pair - 1]), most))


def _rule_on(study: Study, drawn: _Drawn, case: _Case, lead: int, likely: tuple[int, int]) -> None:
    """One lead rules blind, perhaps sees the names, and perhaps revises.

    Args:
        likely: what the pair leans to, and what most votes say: revisions go there more often.
    """
    rng, number = drawn.rng, len(ANNOTATORS) + lead
    left = int(rng.integers(1, 3))

    def choose() -> int:
        row = np.array([case.pair - 1])
        luck = rng.random()
        if luck < 2 * _RULED_SO:
            return _NOT_DECIDABLE if luck < _RULED_SO else _MORE_VOTES
        anybody = int(drawn.choose(row, np.array([left]), 0.0, 0.0)[0])
        return likely[0] if rng.random() < _KNOWS else anybody

    def add(stage: int, choice: int, superseded: int, final: int) -> int:
        seq = len(study.rulings) + 1
        why = case.probability, case.reason, ""
        study.rulings.append(
            (seq, case.pair, 1, number, stage, choice, left, *why, superseded, final)
        )
        return seq

    first = add(_BLIND_STAGE, choose(), 0, int(rng.random() < _FINAL))
    if rng.random() < _UNMASKED:
        study.unmasked.append((case.pair, 1, number))
        if rng.random() < _REVISED:
            changed = likely[1] if rng.random() < 0.5 else choose()
            add(_UNMASKED_STAGE, changed, first, int(rng.random() < _FINAL))

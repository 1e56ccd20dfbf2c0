"""Studies whose right outcomes are known, to be ruled on in one order or another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.adjudication.case import Filter, Order
from core.adjudication.effect import standing
from core.adjudication.listing import Listing
from core.adjudication.table import Cases, Marks
from core.stats.options import Options
from core.stats.tally import CHOICES, Tally
from core.stats.view import View

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Known:
    """A study and what is right in it.

    Attributes:
        truth: the right outcome of each item, 1–4.
    """

    tally: Tally
    truth: NDArray[np.int8]
    seed: int

    def cases(self, ruled: dict[int, int]) -> Cases:
        """The queue after some rulings."""
        marks = Marks(settled=list(ruled.items()))
        view = View(self.tally, Options())
        return Cases(view, marks, agreements=0.05, conflicts=0.1, seed=self.seed)

    def error(self, cases: Cases) -> float:
        """Root mean square of how far the ratings are from those by the truth, in log-odds.

        Ratings rest on what opinions and rulings make likely, as the queue's own do.
        """
        right = np.eye(CHOICES)[self.truth - 1]
        off = self._ratings(cases.beliefs.shares) - self._ratings(right)
        return float(np.sqrt(np.mean(off**2)))

    def _ratings(self, shares: Floats) -> Floats:
        view = View(self.tally, Options())
        return standing(shares, view.model_1, view.model_2, len(self.tally.models)).ratings


def planted(
    seed: int, *, questions: int = 60, models: int = 6, votes: int = 2, judges: int = 1
) -> Known:
    """A study of every pair of models on each question.

    Items differ in how hard they are, people in how often they are right; a judge leans to
    model_1 on some items. What is right follows from ratings with a close field in the middle.
    """
    rng = np.random.default_rng(seed)
    rating = np.sort(rng.normal(0, 0.8, models))
    tally, pairs, truth = Tally(), [], []
    for question in range(questions):
        for one in range(models):
            for two in range(one + 1, models):
                pairs.append((len(pairs) + 1, f"q{question}", None, f"m{one}", f"m{two}"))
                win = 1 / (1 + np.exp(rating[two] - rating[one]))
                share = np.array([0.72 * win, 0.72 * (1 - win), 0.18, 0.10])
                truth.append(1 + rng.choice(4, p=share))
    right = np.array(truth, np.int8)
    tally.add_pairs(pairs)
    people = 8
    tally.add_annotators((n + 1, f"a{n}", "") for n in range(people))
    hard = rng.beta(6, 3, len(pairs))
    skill = rng.normal(0, 0.5, people)
    rows = []
    for item in range(len(pairs)):
        for who in rng.permutation(people)[:votes]:
            chance = 1 / (1 + np.exp(-(np.log(hard[item] / (1 - hard[item])) + skill[who])))
            said = right[item] if rng.random() < chance else 1 + rng.integers(4)
            rows.append((len(rows) + 1, item + 1, 1, int(who) + 1, int(said), 0, 0))
    tally.add_votes(rows)
    tally.add_judges((n + 1, f"j{n}", "scripted") for n in range(judges))
    verdicts = []
    for judge in range(judges):
        leans = rng.random(len(pairs)) < 0.1
        for item in range(len(pairs)):
            said = right[item] if rng.random() < 0.75 else 1 + rng.integers(4)
            said = 1 if leans[item] else said
            row = (len(verdicts) + 1, item + 1, 1, judge + 1, int(said), 0, 0, 0)
            verdicts.append(row)
    tally.add_verdicts(verdicts)
    return Known(tally, right, seed)


def in_order(known: Known, order: Order, rulings: int, step: int = 10) -> Floats:
    """The ratings' error after 0, step, 2·step … rulings, made in an order of the queue.

    The queue is put in order anew after each step, as it is for a lead.
    """
    return _ruling(known, rulings, step, lambda cases: _listed(cases, order))


def at_random(known: Known, rulings: int, step: int = 10) -> Floats:
    """As :func:`in_order`, the same queue shuffled."""
    rng = np.random.default_rng([known.seed, 1])
    place = rng.permutation(len(known.truth))
    return _ruling(
        known,
        rulings,
        step,
        lambda cases: sorted(_listed(cases, Order.TURN), key=place.__getitem__),
    )


def _listed(cases: Cases, order: Order) -> list[int]:
    return Listing(cases, {}, {}, ()).items(Filter(), order)


def _ruling(known: Known, rulings: int, step: int, listed: Callable[[Cases], list[int]]) -> Floats:
    ruled: dict[int, int] = {}
    cases = known.cases(ruled)
    errors = [known.error(cases)]
    for _ in range(rulings // step):
        waiting = [item for item in listed(cases) if item not in ruled]
        ruled |= {item: int(known.truth[item]) for item in waiting[:step]}
        cases = known.cases(ruled)
        errors.append(known.error(cases))
    return np.array(errors)


def needed(errors: Floats, target: float, step: int = 10) -> float:
    """Rulings after which the error is at most ``target`` and stays so; all of them if never."""
    above = np.flatnonzero(errors > target)
    if not len(above):
        return 0.0
    last = int(above[-1])
    return float(step * min(last + 1, len(errors)))

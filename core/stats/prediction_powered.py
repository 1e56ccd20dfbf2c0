"""Win rates from few votes and many verdicts: prediction-powered inference with tuned power.

The verdicts on all pairs give the shape, the votes on some of them say how far the verdicts can
be trusted. Source: Angelopoulos, Duchi & Zrnic 2023 (PPI++, arXiv:2311.01453); weights for pairs
sampled with unequal probability as in Hájek 1971.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats.intervals import student_quantile
from core.stats.options import AUTO
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.view import Codes, View
from core.stats.weighted import weights_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Longs = NDArray[np.int64]

FEWEST = 10
"""Pairs with votes and verdict below which no spread is told from them."""

_NO_SPREAD = 1e-12
_BENT = ("disagreement-first", "category-quota")
"""Policies under which the pairs that were voted on first are no random part of the queue."""


@dataclass(frozen=True, slots=True)
class Powered:
    """A mean with and without the help of predictions.

    Attributes:
        alone: mean of the outcomes that are known, by their weights.
        alone_error: its standard error.
        value: the same, helped by the predictions.
        error: its standard error.
        tuning: λ, how far the predictions are trusted, 0–1.
        n: outcomes that are known.
        clusters: groups of outcomes that the errors take for independent.
    """

    alone: float
    alone_error: float
    value: float
    error: float
    tuning: float
    n: int
    clusters: int

    @property
    def freedom(self) -> int:
        """Degrees of freedom of Student's t."""
        return max(min(self.n - 2, self.clusters - 1), 1)

    @property
    def worth(self) -> float:
        """How many outcomes without predictions would give the same standard error."""
        return self.n * (self.alone_error / self.error) ** 2


def powered_mean(
    outcomes: Floats,
    predicted: Floats,
    rest: Floats,
    weights: Floats | None = None,
    cluster: Longs | None = None,
) -> Powered:
    """The mean outcome over all units, of which some have an outcome and all a prediction.

    Without weights this is the estimator of PPI++: mean(λ rest) + mean(outcomes − λ predicted),
    λ = Cov(outcomes, predicted) / ((1 + n/N) Var(predictions)), cut to 0–1. With weights the
    same estimator, written as (weighted mean of outcomes) + β (mean of all predictions −
    weighted mean of predicted), β = λ (1 + n/N), has the error of its linearisation.
    Variances are those of the linearised estimator, summed by cluster, times G / (G − 1) for G
    clusters with an outcome and (n − 1) / (n − 2) for λ; where each is one unit, residual variances
    are thus divided by n − 2, which goes with Student's quantile of n − 2.

    Args:
        outcomes: shape (n,), n above 2.
        predicted: predictions for the same units.
        rest: predictions for the units without an outcome, shape (N,).
        weights: 1 / probability of being among the first; None if it was the same for all.
        cluster: of the units with an outcome, then of those without, whole numbers from 0; each
            unit is one of its own if left out.
    """
    n, more = len(outcomes), len(rest)
    groups = np.arange(n + more) if cluster is None else cluster
    known, others = groups[:n], groups[n:]
    clusters = int(np.count_nonzero(np.bincount(known)))
    share = np.full(n, 1 / n) if weights is None else weights / weights.sum()
    alone, expected = float(share @ outcomes), float(share @ predicted)
    # A weighted mean's residuals enter squared by their share, in place of 1/n².
    stretch = clusters / max(clusters - 1, 1) * (n - 1) / (n - 2)

    def error(moved: Floats, drift: Floats) -> float:
        """Of what each unit moves the mean by, those with an outcome and those without."""
        size = int(groups.max()) + 1
        summed = np.bincount(known, weights=moved, minlength=size) * math.sqrt(stretch)
        summed += np.bincount(others, weights=drift, minlength=size)
        return math.sqrt(float(summed @ summed))

    alone_error = error(share * (outcomes - alone), np.zeros(more))
    everything = np.concatenate([predicted, rest])
    spread = float(everything.var(ddof=1))
    if not more or spread < _NO_SPREAD:
        return Powered(alone, alone_error, alone, alone_error, 0.0, n, clusters)
    together = float(share @ ((outcomes - alone) * (predicted - expected)))
    tuning = min(max(together / ((1 + n / more) * spread), 0.0), 1.0)
    slope = tuning * (1 + n / more)
    value = alone + slope * (float(everything.mean()) - expected)
    if weights is None:
        residual = outcomes - tuning * predicted
        moved = (residual - residual.mean()) / n
        drift = tuning * (rest - rest.mean()) / more
    else:
        residual = (outcomes - alone) - slope * (predicted - expected)
        drift = slope * (everything - everything.mean()) / len(everything)
        # What all predictions add is no estimate, and is not stretched.
        moved, drift = share * residual + drift[:n] / math.sqrt(stretch), drift[n:]
    return Powered(alone, alone_error, value, error(moved, drift), tuning, n, clusters)


@dataclass(frozen=True, slots=True)
class _Model:
    """What is known of one model's pairs: who won by votes (voted pairs) and by one judge."""

    voted: Bools
    outcomes: Floats
    predicted: Floats
    probability: Floats
    question: Longs


def _by_model(view: View, choice: Codes) -> dict[int, _Model]:
    """Each model's pairs that a judge judged, as shares that the model won.

    Args:
        choice: the judge's word by item, 0 where it has none.
    """
    judged = (choice > 0).astype(np.int64)
    counts = view.counts() * judged[:, None]
    verdicts, votes = view.pair_sums(judged), view.pair_sums(counts.sum(axis=1))
    seen = verdicts > 0
    shares = []
    for column in (0, 1):
        won = view.pair_sums(choice == column + 1)[seen] / verdicts[seen]
        chosen = view.pair_sums(counts[:, column])[seen] / np.maximum(votes[seen], 1)
        shares.append((won, chosen))
    model = view.tally.pair_table[seen, :2].T.astype(np.int64).ravel()
    won, chosen = (np.concatenate(each) for each in zip(*shares, strict=True))
    voted = np.tile(votes[seen] > 0, 2)
    probability = np.tile(view.tally.pair_probability[seen], 2)
    question = np.tile(view.tally.pair_table[seen, 3].astype(np.int64), 2)
    order = np.argsort(model, kind="stable")
    cuts = np.flatnonzero(np.diff(model[order])) + 1
    return {
        int(model[rows[0]]): _Model(
            voted[rows], chosen[rows], won[rows], probability[rows], question[rows]
        )
        for rows in np.split(order, cuts)
        if rows.size
    }


def _clusters(model: _Model) -> Longs | None:
    """The question of each pair, voted ones first; None where all voted ones are on one."""
    known = model.question[model.voted]
    if np.all(known == known[:1]):
        return None
    return np.concatenate([known, model.question[~model.voted]])


def _rows(view: View, judge: str, name: str, model: _Model) -> list[Estimate]:
    def labels(measure: str) -> dict[str, Label]:
        return {"judge": judge, "model": name, "measure": measure}

    n, more = int(model.voted.sum()), int((~model.voted).sum())
    outcomes = model.outcomes[model.voted]
    wanted = view.options.weights == AUTO
    weights, reason = weights_of(model.probability[model.voted]) if wanted else (None, "")
    if n < FEWEST:
        reason = f"{n} of its pairs have votes and a verdict; {FEWEST} are needed"
    elif not reason and float(outcomes.var()) < _NO_SPREAD:
        reason = "the votes say the same on every pair, which shows no spread"
    if reason:
        return [Estimate(labels("votes"), None, n=n, reason=reason)]
    predictions = model.predicted[model.voted], model.predicted[~model.voted]
    found = powered_mean(outcomes, *predictions, weights, _clusters(model))
    level = view.options.level
    half = student_quantile(level, found.freedom)
    weighed = "" if weights is None else "; weighted by 1 / probability"
    if found.clusters < n:
        weighed += f"; clustered by {found.clusters} questions"

    def share(measure: str, value: float, error: float, n: int, method: str) -> Estimate:
        low, high = max(0.0, value - half * error), min(1.0, value + half * error)
        value = min(max(value, 0.0), 1.0)
        return Estimate(labels(measure), value, low, high, level, n=n, method=method + weighed)

    rows = [share("votes", found.alone, found.alone_error, n, f"mean over {n} voted pairs")]
    if not more or found.error < _NO_SPREAD:
        reason = "every pair with a verdict has votes, so that the verdicts add nothing"
        if more:
            reason = "votes and verdicts leave no spread, so that no interval can be told"
        return [*rows, Estimate(labels("with verdicts"), None, n=n, reason=reason)]
    method = f"PPI++ over {n} voted and {more} other pairs, λ = {found.tuning:.2f}"
    rows.append(share("with verdicts", found.value, found.error, n + more, method))
    method = (
        "voted pairs × (error of the votes / error with verdicts)²; no interval: it compares the "
        "intervals above"
    )
    worth = Estimate(labels("worth in pairs"), found.worth, n=n, unit="count", method=method)
    return [*rows, worth]


@statistic(
    "ppi",
    "Win rates by votes and verdicts together (PPI++)",
    order=52,
    limits=(
        "Not valid where the pairs that people voted on were picked by hand; the verdicts then "
        "stand for pairs that the votes do not."
    ),
)
def ppi(view: View) -> Result:
    """Each model's win rate from the votes, and from votes and each judge's verdicts."""
    models = view.tally.models
    estimates: list[Estimate] = []
    for judge, outcomes in view.judges().items():
        found = _by_model(view, outcomes.choice)
        for number in sorted(found, key=models.__getitem__):
            estimates += _rows(view, judge, models[number], found[number])
    notes = view.judge_notes()
    if not estimates:
        notes = ("there is no verdict yet that votes could be helped with", *notes)
    elif view.options.policy in _BENT:
        notes = (
            f"pairs are served by {view.options.policy!r}: until every pair of the queue has its "
            "votes, those that have some are no random part of it, and no weights mend that",
            *notes,
        )
    return Result(
        "ppi",
        "Win rates by votes and verdicts together (PPI++)",
        "Share of a model's pairs that it wins by people's word, on all pairs with a verdict.",
        ("judge", "model", "measure"),
        tuple(estimates),
        notes,
        view.assumptions(
            "voted pairs are a random sample of the pairs with a verdict, or one of known "
            "probability: 1 / probability of coming into the queue weighs them where it differs",
            "errors are clustered by question: the pairs that an answer is in are not independent",
            "pairs weigh alike: a pair's value is the share of its votes that the model wins",
            "ties and both bad are comparisons that nobody wins; turns are pooled",
            "worth in pairs: how many voted pairs alone would be as precise",
            "a judge may be wrong or biased: λ and the interval allow for it; its failures are "
            "left out, as if they came by chance",
        ),
    )

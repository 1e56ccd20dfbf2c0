"""Proofs of what is fitted: a general optimiser, or another package, on the same rows.

Other packages are loaded by name, where they happen to be installed: Tiebreak needs none of them.
"""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.proofs import reading
from core.proofs.counts import LONGER
from core.proofs.reading import BAD, FIRST, SECOND
from core.proofs.registry import Compared, Oracle, Proof, Rows, register
from core.proofs.world import ANNOTATORS, JUDGES, MODELS, Study

Floats = NDArray[np.float64]
_HUMAN = "human"


def _games(study: Study) -> list[tuple[int, int, int]]:
    """Every vote but both bad: numbers of the two models, and the choice."""
    models = reading.models_of(study)
    place = {model: number for number, model in enumerate(MODELS)}
    return [
        (place[models[v.pair][0]], place[models[v.pair][1]], v.choice)
        for v in reading.votes(study)
        if v.choice != BAD
    ]


def _smallest(loss: object, size: int) -> Floats:
    """Where a convex function is smallest, by quasi-Newton steps with numeric slopes."""
    from scipy.optimize import minimize

    found = minimize(loss, np.zeros(size), method="BFGS", options={"gtol": 1e-9, "maxiter": 2000})
    return np.asarray(found.x)


def _ranking(study: Study, rows: Rows) -> Compared:
    games = Counter(_games(study))
    one, two, choice = np.array(list(games)).T
    weight = np.array(list(games.values()), np.float64)
    points = np.where(choice == FIRST, 1.0, np.where(choice == SECOND, 0.0, 0.5))

    def loss(theta: Floats) -> float:
        gap = theta[one] - theta[two]
        return float((weight * (np.logaddexp(0, -gap) * points
                                + np.logaddexp(0, gap) * (1 - points))).sum())  # fmt: skip

    theta = _smallest(loss, len(MODELS))
    yield from _rated(rows, theta, raters=_HUMAN)


def _rated(rows: Rows, theta: Floats, **labels: str) -> Compared:
    theta = theta - theta.mean()
    found = {row.labels["model"]: row.value for row in rows.every(**labels)}
    if found.keys() == set(MODELS):
        for number, model in enumerate(MODELS):
            value = found[model]
            assert value is not None
            yield value, float(theta[number])


def _ranking_ties(study: Study, rows: Rows) -> Compared:
    games = Counter(_games(study))
    one, two, choice = np.array(list(games)).T
    weight = np.array(list(games.values()), np.float64)

    def loss(told: Floats) -> float:
        half = (told[one] - told[two]) / 2
        log_nu = np.full_like(half, told[-1])
        every = np.stack([half, -half, log_nu])
        total = np.logaddexp(np.logaddexp(every[0], every[1]), every[2])
        chosen = np.where(choice == FIRST, half, np.where(choice == SECOND, -half, log_nu))
        return float((weight * (total - chosen)).sum())

    told = _smallest(loss, len(MODELS) + 1)
    yield from _rated(rows, told[:-1], raters=_HUMAN, measure="rating")
    nu = float(np.exp(told[-1]))
    yield rows.value(raters=_HUMAN, measure="ties"), nu / (2 + nu)


def _hybrid(study: Study, rows: Rows) -> Compared:
    """Scipy's rank correlations of the ranks that the table itself shows."""
    from scipy.stats import kendalltau, spearmanr

    ranks: dict[str, dict[str, float]] = {}
    for row in rows.every(measure="rank"):
        if row.value is None:
            continue
        ranks.setdefault(str(row.labels["ranking"]), {})[str(row.labels["model"])] = row.value
    people = ranks.pop(_HUMAN, {})
    for name, theirs in ranks.items():
        shared = sorted(people.keys() & theirs.keys())
        if len(shared) < 4:
            continue
        told = [people[model] for model in shared], [theirs[model] for model in shared]
        yield rows.value(ranking=name, measure="Spearman ρ"), float(spearmanr(*told).statistic)
        yield rows.value(ranking=name, measure="Kendall τ-b"), float(kendalltau(*told).statistic)


def _alpha(study: Study, rows: Rows) -> Compared:
    """α from the table of coincidences, couple by couple."""
    weights: dict[tuple[int, int], float] = {}
    for said in reading.by_pair(study).values():
        for a, b in combinations([vote.choice for vote in said], 2):
            for couple in ((a, b), (b, a)):
                weights[couple] = weights.get(couple, 0.0) + 1 / (len(said) - 1)
    total = sum(weights.values())
    of = [sum(w for (a, _), w in weights.items() if a == c) for c in range(5)]
    seen = sum(w for (a, b), w in weights.items() if a != b) / total
    expected = (total * total - sum(n * n for n in of)) / (total * (total - 1))
    yield _alpha_row(rows), 1 - seen / expected


def _alpha_row(rows: Rows) -> float:
    return rows.value(raters=_HUMAN, measure="Krippendorff α", classes=4)


def _krippendorff(study: Study, rows: Rows) -> Compared:
    krippendorff = import_module("krippendorff")
    pairs = sorted(reading.by_pair(study))
    table = np.full((len(ANNOTATORS), len(pairs)), np.nan)
    names = [name for name, _ in ANNOTATORS]
    for vote in reading.votes(study):
        table[names.index(vote.annotator), pairs.index(vote.pair)] = vote.choice
    yield (
        _alpha_row(rows),
        float(krippendorff.alpha(table, level_of_measurement="nominal")),
    )


def _fleiss_row(rows: Rows) -> float:
    return rows.value(raters=_HUMAN, measure="Fleiss κ", classes=4)


def _fleiss(study: Study, rows: Rows) -> Compared:
    """Fleiss' κ class by class, each a κ of one class against the rest, then their mean."""
    items = [[vote.choice for vote in said] for said in reading.by_pair(study).values()]
    items = [said for said in items if len(said) > 1]
    votes = sum(map(len, items))
    found = weight = 0.0
    for choice in sorted({each for said in items for each in said}):
        share = sum(said.count(choice) for said in items) / votes
        apart = sum(said.count(choice) * (1 - said.count(choice) / len(said)) for said in items)
        spread = share * (1 - share)
        kappa = 1 - apart / (len(items) * (votes / len(items) - 1) * spread) if spread else 0.0
        found, weight = found + spread * kappa, weight + spread
    yield _fleiss_row(rows), found / weight


def _shared(study: Study) -> dict[tuple[str, str], tuple[list[int], list[int]]]:
    """What every two annotators said of the pairs that both voted on."""
    found: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
    for said in reading.by_pair(study).values():
        for a, b in combinations(sorted(said, key=lambda vote: vote.annotator), 2):
            first, second = found.setdefault((a.annotator, b.annotator), ([], []))
            first.append(a.choice)
            second.append(b.choice)
    return found


def _kappa(study: Study, rows: Rows) -> Compared:
    for (one, two), (first, second) in _shared(study).items():
        n = len(first)
        seen = sum(a == b for a, b in zip(first, second, strict=True)) / n
        chance = sum(first.count(c) * second.count(c) for c in (1, 2, 3, 4)) / n**2
        for row in rows.every(annotator_1=one, annotator_2=two):
            assert row.value is not None
            yield row.value, (seen - chance) / (1 - chance)


def _sklearn(study: Study, rows: Rows) -> Compared:
    cohen_kappa_score = import_module("sklearn.metrics").cohen_kappa_score
    for (one, two), both in _shared(study).items():
        for row in rows.every(annotator_1=one, annotator_2=two):
            assert row.value is not None
            yield row.value, float(cohen_kappa_score(*both))


def _wins(study: Study, judge: str, model: str) -> tuple[Floats, Floats, Floats]:
    """Votes' and verdicts' shares of wins on pairs with both, and verdicts' on the rest."""
    models, voted = reading.models_of(study), reading.by_pair(study)
    y, f, rest = [], [], []
    for pair, choice in sorted(reading.words(study, judge).items()):
        if model not in models[pair]:
            continue
        win = models[pair].index(model) + 1
        if pair in voted:
            y.append(sum(v.choice == win for v in voted[pair]) / len(voted[pair]))
            f.append(float(choice == win))
        else:
            rest.append(float(choice == win))
    return np.array(y), np.array(f), np.array(rest)


def _ppi(study: Study, rows: Rows) -> Compared:
    for judge in JUDGES:
        for model in MODELS:
            y, f, rest = _wins(study, judge.name, model)
            spread = np.concatenate([f, rest]).var(ddof=1)
            if not spread:
                continue
            # λ as ppi-python has it: a covariance over n, a variance over n − 1.
            slope = np.cov(y, f, ddof=0)[0, 1] / ((1 + len(y) / len(rest)) * spread)
            slope = min(max(slope, 0.0), 1.0)
            for row in rows.every(judge=judge.name, model=model, measure="with verdicts"):
                assert row.value is not None
                yield row.value, float(slope * rest.mean() + (y - slope * f).mean())


def _ppi_python(study: Study, rows: Rows) -> Compared:
    ppi_py = import_module("ppi_py")
    for judge in JUDGES:
        for model in MODELS:
            y, f, rest = _wins(study, judge.name, model)
            if np.concatenate([f, rest]).var():
                theirs = ppi_py.ppi_mean_pointestimate(y, f, rest, lam=None)
                for row in rows.every(judge=judge.name, model=model, measure="with verdicts"):
                    assert row.value is not None
                    yield row.value, float(np.ravel(theirs)[0])


def _style(study: Study, rows: Rows) -> Compared:
    """People's coefficients by a general optimiser: models, side, tokens and headers."""
    keys = {pair: (question, one, two) for pair, question, _, one, two in study.pairs}
    gaps = {
        pair: np.array([
            study.characters[q, one] // 4 - study.characters[q, two] // 4,
            study.headers[q, one] - study.headers[q, two],
        ], np.float64)
        for pair, (q, one, two) in keys.items()
    }  # fmt: skip
    present = {v.pair for v in reading.votes(study)} | {c.pair for c in reading.calls(study)}
    unit = np.sqrt(np.mean([gaps[pair] ** 2 for pair in sorted(present)], axis=0))
    said = [v for v in reading.votes(study) if v.choice <= SECOND]
    table = np.zeros((len(said), len(MODELS) + 3))
    for row, vote in enumerate(said):
        _, one, two = keys[vote.pair]
        table[row, MODELS.index(one)] += 1
        table[row, MODELS.index(two)] -= 1
        table[row, len(MODELS)] = 1 if vote.left == FIRST else -1
        table[row, len(MODELS) + 1 :] = gaps[vote.pair] / unit
    sign = np.array([1.0 if vote.choice == FIRST else -1.0 for vote in said])
    found = _smallest(
        lambda told: float(np.logaddexp(0, -sign * (table @ told)).sum()), table.shape[1]
    )
    for effect, value in (("length", found[-2]), ("headers", found[-1])):
        yield rows.value(rater=_HUMAN, effect=effect), float(value)


_OPTIMISER = "scipy's BFGS on the likelihood"
_NEAR = 1e-5
"""What a quasi-Newton method with numeric slopes can be trusted to, on a flat likelihood."""

register(
    Proof("ranking", (Oracle(_OPTIMISER, _ranking, _NEAR),), weighs={"raters": _HUMAN}),
    Proof("ranking_ties", (Oracle(_OPTIMISER, _ranking_ties, _NEAR),)),
    Proof(
        "hybrid",
        (Oracle("scipy.stats", _hybrid),),
        at_least="ranks and rank correlations jump, so that their intervals are cautious",
    ),
    Proof(
        "reliability",
        (
            Oracle("table of coincidences", _alpha),
            Oracle("krippendorff", _krippendorff, needs="krippendorff"),
            Oracle("Fleiss' κ class by class", _fleiss),
        ),
    ),
    Proof(
        "annotator_kappa",
        (Oracle("from the definition", _kappa), Oracle("scikit-learn", _sklearn, needs="sklearn")),
    ),
    Proof(
        "ppi",
        (
            Oracle("numpy, from the formula", _ppi),
            Oracle("ppi-python", _ppi_python, needs="ppi_py"),
        ),
        weighs={},
    ),
    Proof("style", (LONGER, Oracle(_OPTIMISER, _style, _NEAR))),
)

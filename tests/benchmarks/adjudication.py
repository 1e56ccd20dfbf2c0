"""The lead's queue: rulings needed in its order beside a random one, and how fast it opens."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from core.adjudication.case import Filter, Order
from core.adjudication.listing import Listing
from core.adjudication.table import Cases, Marks
from core.stats.options import Options
from core.stats.tally import Tally
from core.stats.view import View
from tests.benchmarks.measure import Row
from tests.core.ruling_simulation import at_random, in_order, needed, planted

_STUDIES = 30


def rows() -> Iterator[Row]:
    """Rulings until the ratings' error has halved, and seconds for the queue at two sizes."""
    ours, random = _curves(Order.RANKING)
    target = ours[:, 0] / 2
    counts = [
        (needed(a, error), needed(b, error))
        for a, b, error in zip(ours, random, target, strict=True)
    ]
    one, two = np.array(counts).T
    logs = np.log(one) - np.log(two)
    half = 2.05 * logs.std(ddof=1) / len(logs) ** 0.5
    low, high = np.exp(logs.mean() - half), np.exp(logs.mean() + half)
    ratio = f"geometric ratio {np.exp(logs.mean()):.2f} [{low:.2f}, {high:.2f}]"
    what = "rulings until the ratings' error has halved"
    yield Row(what, float(one.mean()), float(two.mean()), "rulings", f"random order; {ratio}")
    for place in (5, 10, 20, 30):
        yield Row(
            f"error of the ratings after {place * 10} rulings",
            1000 * float(ours[:, place].mean()), 1000 * float(random[:, place].mean()),
            "mlogit", f"random order; {1000 * ours[:, 0].mean():.0f} before any",
        )  # fmt: skip
    small, large = (_seconds(votes) for votes in (10_000, 1_000_000))
    for what in small:
        yield Row(f"{what}, 1,000,000 votes", large[what], small[what], "ms", "10,000 votes")


def _curves(order: Order) -> tuple[np.ndarray, np.ndarray]:
    studies = [planted(seed) for seed in range(_STUDIES)]
    ours = np.array([in_order(known, order, 500) for known in studies])
    return ours, np.array([at_random(known, 500) for known in studies])


def _seconds(votes: int) -> dict[str, float]:
    """Milliseconds for the list of a study of this size, counted already in a tally."""
    tally = _tally(votes)
    began = time.perf_counter()
    cases = Cases(View(tally, Options()), Marks(), agreements=0.05, conflicts=0.1, seed=1)
    listing = Listing(cases, {}, {}, ())
    first = listing.items(Filter(), Order.RANKING, limit=50)
    opened = time.perf_counter()
    ruled = Marks(settled=[(first[0], 1)])
    Listing(cases.ruled_on(ruled), {}, {}, ()).items(Filter(), Order.RANKING, limit=50)
    return {
        "queue: opened": 1000 * (opened - began),
        "queue: after a ruling": 1000 * (time.perf_counter() - opened),
    }


def _tally(votes: int, overlap: int = 3, models: int = 20) -> Tally:
    rng = np.random.default_rng(1)
    items = votes // overlap
    one = rng.integers(0, models - 1, items)
    two = rng.integers(one + 1, models)
    tally = Tally()
    tally.add_pairs(
        (n + 1, f"q{n}", None, f"m{a:02}", f"m{b:02}")
        for n, (a, b) in enumerate(zip(one.tolist(), two.tolist(), strict=True))
    )
    tally.add_annotators((n + 1, f"a{n}", "") for n in range(50))
    said = rng.choice(4, p=[0.4, 0.3, 0.2, 0.1], size=items * overlap) + 1
    who = rng.integers(1, 51, items * overlap)
    columns = said.tolist(), who.tolist()
    tally.add_votes(
        (n + 1, n // overlap + 1, 1, rater, choice, 0, 0)
        for n, (choice, rater) in enumerate(zip(*columns, strict=True))
    )
    return tally

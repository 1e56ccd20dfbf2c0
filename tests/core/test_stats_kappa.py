"""κ of annotators from sums that a vote moves, beside κ worked out comparison by comparison."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from core.stats.kappa_sums import KappaPairs, KappaSums, in_any_order

CLUSTERS, ITEMS, PEOPLE = 40, 2, 5

Said = dict[tuple[int, int], dict[int, int]]
"""By cluster and item, the class that each annotator said."""


def put(sums: KappaSums, said: Said, clusters: list[int]) -> None:
    rows = [
        (place, one, two, here[one], here[two])
        for place, cluster in enumerate(clusters)
        for item in range(ITEMS)
        for here in [said.get((cluster, item), {})]
        for one, two in combinations(sorted(here), 2)
    ]
    owner, one, two, first, second = np.array(rows, np.int64).reshape(-1, 5).T
    sums.put(np.array(clusters, np.int64), owner, (one, two), first * 4 + second)


def drawn(rng: np.random.Generator) -> dict[int, int]:
    """What two to four annotators, of whom one is rarely there, say of an item."""
    people = rng.choice(PEOPLE, rng.integers(2, 5), replace=False, p=(0.3, 0.3, 0.2, 0.18, 0.02))
    truth = int(rng.integers(0, 4))
    return {int(each): truth if rng.random() < 0.6 else int(rng.integers(0, 4)) for each in people}


def plainly(said: Said, used: set[tuple[int, int]] | None) -> dict[Any, Any]:
    """κ, comparisons and clustered error by pair, and those of the mean over the used pairs."""
    cells: dict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(list)
    for (cluster, _), here in sorted(said.items()):
        for one, two in combinations(sorted(here), 2):
            cells[one, two].append((cluster, here[one], here[two]))
    found: dict[Any, Any] = {}
    moved: dict[Any, dict[int, float]] = {}
    for couple, rows in cells.items():
        n = len(rows)
        table = np.zeros((4, 4))
        for _, a, b in rows:
            table[a, b] += 1 / n
        p, e = np.trace(table), float(table.sum(axis=1) @ table.sum(axis=0))
        by_cluster: dict[int, float] = defaultdict(float)
        if np.isclose(e, 1):  # one same label throughout
            found[couple], moved[couple] = (
                (np.nan, n, 0.0),
                dict.fromkeys([r[0] for r in rows], 0.0),
            )
            continue
        for cluster, a, b in rows:
            pull = table[:, a].sum() + table[b].sum() - 2 * e
            by_cluster[cluster] += (((a == b) - p) * (1 - e) - (1 - p) * pull) / (1 - e) ** 2 / n
        size = len(by_cluster)
        error = np.sqrt(sum(each**2 for each in by_cluster.values()) * size / max(size - 1, 1))
        found[couple], moved[couple] = ((p - e) / (1 - e), n, error), by_cluster
    used = set(cells) if used is None else used
    together: dict[int, float] = defaultdict(float)
    for couple in used:
        for cluster, each in moved[couple].items():
            together[cluster] += each / len(used)
    size = len(together)
    spread = sum(each**2 for each in together.values())
    found["mean"] = np.sqrt(spread * size / max(size - 1, 1)), size
    return found


def told(pairs: KappaPairs, least: int) -> dict[Any, Any]:
    names = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    tables = pairs.tables
    rows = zip(tables.kappa.tolist(), tables.shared.tolist(), pairs.errors().tolist(), strict=True)
    found: dict[Any, Any] = dict(zip(names, rows, strict=True))
    found["mean"] = pairs.error_of_mean(tables.shared >= least)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_kept_sums_give_the_kappa_and_the_errors_of_every_comparison(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kept, said = KappaSums(), Said()
    for number in range(30):
        clusters = sorted(rng.choice(CLUSTERS, 1 if number else 30, replace=False).tolist())
        for place in ((cluster, item) for cluster in clusters for item in range(ITEMS)):
            said.pop(place, None)
            if rng.random() < 0.8:
                said[place] = drawn(rng)
        put(kept, said, clusters)
        least = (1, 6)[number % 2]
        mine = told(kept.told(), least)
        rare = {name for name, row in mine.items() if name != "mean" and row[1] >= least}
        expected = plainly(said, rare)
        assert mine.keys() == expected.keys()
        for name, row in expected.items():
            assert mine[name] == pytest.approx(row, abs=1e-12, nan_ok=True), name
    fresh = KappaSums()
    put(fresh, said, list(range(CLUSTERS)))
    for least in (1, 6):
        assert repr(told(kept.told(), least)) == repr(told(fresh.told(), least))


def test_what_cancels_out_in_every_cluster_leaves_no_error() -> None:
    sums, said = KappaSums(), Said()
    for cluster in range(6):
        said[cluster, 0], said[cluster, 1] = {0: 0, 1: 0}, {0: 1, 1: 0}
    put(sums, said, list(range(6)))
    assert sums.told().error_of_mean(np.ones(1, np.bool_)) == (0.0, 6)
    assert sums.told().errors().tolist() == [0.0]


def test_a_sum_in_any_order_is_the_sum() -> None:
    rng = np.random.default_rng(4)
    values = np.append(rng.normal(0, 1, 2000) * 10.0 ** rng.integers(-12, 3, 2000), np.zeros(7))
    found = in_any_order(values)
    assert found == pytest.approx(float(values.sum()), rel=1e-12)
    for _ in range(5):
        assert in_any_order(rng.permutation(values)) == found
    assert in_any_order(np.zeros(3)) == 0

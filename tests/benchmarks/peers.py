"""Times one peer on generated votes, in its own environment: ``python peers.py PEER VOTES.npz``.

Prints one line of JSON: seconds by what was timed, or why the peer is absent. Data lie in memory
before anything is timed. ``load`` makes the peer's own input of them; ``refresh`` is what it takes
from there after one more vote.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

RESAMPLES = 1000
TRIED = 5
"""Resamples that are timed where a thousand take minutes."""

LONG = 0.05
"""Seconds for one fit above which a thousand are worked out from a few."""


def timed(run: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    best, result = float("inf"), None
    for _ in range(times):
        began = time.perf_counter()
        result = run()
        seconds = time.perf_counter() - began
        best = min(best, seconds)
        if seconds > 5:
            break
    return best, result


def evalica(data: Any) -> dict[str, Any]:
    import evalica as peer

    names = np.array([f"model-{number:02}" for number in range(int(data["two"].max()) + 1)])
    kept = data["choice"] < 4
    item, choice = data["item"][kept], data["choice"][kept]
    winners = (peer.Winner.X, peer.Winner.Y, peer.Winner.Draw)

    def load() -> tuple[Any, Any, Any, Any]:
        xs, ys = names[data["one"][item]].tolist(), names[data["two"][item]].tolist()
        won = [winners[each - 1] for each in choice.tolist()]
        return xs, ys, won, peer.indexing(xs, ys)[2]

    loaded, (xs, ys, won, index) = timed(load, 1)
    point, _ = timed(lambda: peer.bradley_terry(xs, ys, won, index=index))
    many = RESAMPLES if point < LONG else TRIED
    both, _ = timed(
        lambda: peer.bootstrap(
            peer.bradley_terry,
            xs,
            ys,
            won,
            n_resamples=many,
            bootstrap_method="percentile",
            random_state=1,
        ),
        1,
    )
    both = point + (both - point) * RESAMPLES / many
    note = "1,000 resamples" if many == RESAMPLES else f"{many} of 1,000 resamples timed"
    return {"load": loaded, "point": point, "both": both, "refresh": both, "note": note}


def arena_rank(data: Any) -> dict[str, Any]:
    import pandas as pd
    from arena_rank.models.bradley_terry import BradleyTerry
    from arena_rank.utils.data_utils import PairDataset

    names = np.array([f"model-{number:02}" for number in range(int(data["two"].max()) + 1)])
    words = np.array(["", "model_a", "model_b", "tie"])
    kept = data["choice"] < 4
    item, choice = data["item"][kept], data["choice"][kept]

    def frame() -> Any:
        columns = names[data["one"][item]], names[data["two"][item]], words[choice]
        return pd.DataFrame(dict(zip(("model_a", "model_b", "winner"), columns, strict=True)))

    def rate(dataset: Any) -> Any:
        model = BradleyTerry(len(dataset.competitors))
        found = model.compute_ratings_and_cis(dataset, ci_method="sandwich")
        return np.asarray(found["rating_upper"])

    framed, table = timed(frame, 1)
    rate(PairDataset.from_pandas(table))  # compiled once, not timed
    counted, dataset = timed(lambda: PairDataset.from_pandas(table))
    both, _ = timed(lambda: rate(dataset))
    refresh, _ = timed(lambda: rate(PairDataset.from_pandas(table)))
    return {
        "load": framed + counted,
        "both": both,
        "refresh": refresh,
        "note": "sandwich, not clustered",
    }


def crowd_kit(data: Any) -> dict[str, Any]:
    import pandas as pd
    from crowdkit.aggregation import BradleyTerry

    decisive = data["choice"] < 3
    item, choice = data["item"][decisive], data["choice"][decisive]

    def load() -> Any:
        left, right = data["one"][item], data["two"][item]
        won = np.where(choice == 1, left, right)
        return pd.DataFrame({"left": left, "right": right, "label": won})

    loaded, table = timed(load, 1)
    point, _ = timed(lambda: BradleyTerry(n_iter=100).fit_predict(table), 1)
    return {"load": loaded, "point": point, "refresh": point, "note": "without ties and interval"}


def krippendorff(data: Any) -> dict[str, Any]:
    import krippendorff as peer

    def load() -> Any:
        items = int(data["item"].max()) + 1
        cells = data["item"] * 4 + data["choice"] - 1
        return np.bincount(cells, minlength=items * 4).reshape(items, 4)

    loaded, counts = timed(load, 1)
    point, _ = timed(
        lambda: peer.alpha(value_counts=counts, level_of_measurement="nominal", dtype=np.float64)
    )
    return {"load": loaded, "point": point, "refresh": point, "note": "without interval"}


PEERS = {
    "evalica": evalica,
    "arena-rank": arena_rank,
    "crowd-kit": crowd_kit,
    "krippendorff": krippendorff,
}


def main() -> None:
    name, path = sys.argv[1:]
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        print(json.dumps({"absent": "not installed"}))
        return
    with np.load(path) as stored:
        data = {key: stored[key] for key in stored.files}
    print(json.dumps({"version": version, **PEERS[name](data)}))


if __name__ == "__main__":
    main()

"""Online Elo: ratings that move with each vote, in the order in which votes were cast.

Elo 1978, as Chatbot Arena first used it: the winner takes K × what it was not expected to take.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from core.stats.options import Elo
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD, MODEL_1, TIE
from core.stats.view import View


def online(games: Iterable[tuple[int, int, int]], models: int, elo: Elo) -> list[float]:
    """Ratings after the last game.

    Args:
        games: model_1, model_2 and choice (1, 2 or a tie, 3) of each, in order.
    """
    ratings = [elo.start] * models
    k, scale, tie = elo.k, elo.scale, elo.tie
    for one, two, choice in games:
        expected = 1 / (1 + 10 ** min(max((ratings[two] - ratings[one]) / scale, -300.0), 300.0))
        points = tie if choice == TIE else float(choice == MODEL_1)
        moved = k * (points - expected)
        ratings[one] += moved
        ratings[two] -= moved
    return ratings


def _population_rows(view: View, population: str) -> list[Estimate]:
    item, annotator, choice, _ = view.votes
    selected = np.zeros(len(view.tally.item_turn), np.bool_)
    selected[view.items] = True
    both_bad = TIE if view.options.merge_both_bad else BOTH_BAD
    choice = np.where(choice == BOTH_BAD, both_bad, choice)
    keep = selected[item] & view.members(population)[annotator] & (choice != BOTH_BAD)
    pairs = view.tally.pair_table[view.tally.item_pair[item[keep]], :2]
    one, two = pairs[:, 0].tolist(), pairs[:, 1].tolist()
    models = view.tally.models
    games = zip(one, two, choice[keep].tolist(), strict=True)
    ratings = online(games, len(models), view.options.elo)
    met = np.bincount(pairs.ravel(), minlength=len(models))
    best_first = sorted(np.flatnonzero(met).tolist(), key=lambda model: -ratings[model])
    rows = []
    for model in best_first:
        labels: dict[str, Label] = {"raters": population, "model": models[model]}
        method = "online Elo in the order of votes; no interval, it depends on that order"
        n = int(met[model])
        rows.append(Estimate(labels, ratings[model], n=n, unit="points", method=method))
    return rows


@statistic("elo", "Online Elo", order=44)
def elo(view: View) -> Result:
    """Elo ratings of people's votes as they came."""
    estimates = [row for each in view.populations for row in _population_rows(view, each)]
    chosen = view.options.elo
    return Result(
        "elo",
        "Online Elo",
        "Ratings that each vote moves as it comes; for a ranking with intervals see ranking.",
        ("raters", "model"),
        tuple(estimates),
        () if estimates else ("there are no votes yet",),
        view.assumptions(
            f"K = {chosen.k:g}, start {chosen.start:g}, scale {chosen.scale:g}, a tie gives "
            f"{chosen.tie:g} to model_1 and the rest to model_2 (settings elo_…)",
            "votes count in the order they were cast, a changed vote where it was changed; both "
            "bad moves nobody",
            "no interval: the same votes in another order give other ratings",
        ),
    )

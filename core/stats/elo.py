"""Online Elo: ratings that move with each vote, in the order in which they were cast.

Elo 1978, as Chatbot Arena first used it: the winner takes K × what it was not expected to take.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.stats.cast_order import ORDER
from core.stats.filters import selected_votes
from core.stats.options import Elo
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD, MODEL_1, TIE, Votes
from core.stats.view import View

Longs = NDArray[np.int64]

_STRETCH: Final = 1 << 14
"""Votes between two moments that are kept at first: a vote that is taken back costs so many."""

_MOMENTS: Final = 1 << 12
"""Moments from which on some are dropped."""

_LATEST: Final = 64
"""Of those, the last that are kept all: most votes are taken back soon."""


def online(
    games: Iterable[tuple[int, int, int]], models: int, elo: Elo, start: list[float] | None = None
) -> list[float]:
    """Ratings after the last game.

    Args:
        games: model_1, model_2 and choice (1, 2 or a tie, 3) of each, in order.
        start: the ratings before the first game; all at the start if left out.
    """
    ratings = [elo.start] * models if start is None else [*start]
    ratings += [elo.start] * (models - len(ratings))
    k, scale, tie = elo.k, elo.scale, elo.tie
    for one, two, choice in games:
        expected = 1 / (1 + 10 ** min(max((ratings[two] - ratings[one]) / scale, -300.0), 300.0))
        points = tie if choice == TIE else float(choice == MODEL_1)
        moved = k * (points - expected)
        ratings[one] += moved
        ratings[two] -= moved
    return ratings


@dataclass(frozen=True, slots=True)
class _Moment:
    """Ratings after the votes before a place of the order, and games of each model until then."""

    place: int
    ratings: list[float]
    met: Longs


@dataclass(slots=True)
class _Course:
    """Moments on the way, in order, that hold as of so many revocations and moves."""

    moments: list[_Moment]
    revocations: int
    moves: int
    epoch: int


def _games(
    view: View, population: str, votes: Votes, part: slice
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The games among a part of some votes: the models and the choice of each."""
    item, annotator, choice = votes.item[part], votes.annotator[part], votes.choice[part]
    both_bad = TIE if view.options.merge_both_bad else BOTH_BAD
    choice = np.where(choice == BOTH_BAD, both_bad, choice)
    keep = view.members(population)[annotator] & (choice != BOTH_BAD)
    if not view.selects_all:
        keep &= view.selects(item)
    if view.vote_filter is not None:
        keep &= selected_votes(view.tally, view.options, annotator, votes.seq[part])
    pairs = view.tally.pair_table[view.tally.item_pair[item[keep]], :2]
    return pairs, choice[keep]


def _played(view: View, before: _Moment | None, place: int, games: tuple[Any, Any]) -> _Moment:
    pairs, choice = games
    models = len(view.tally.models)
    one, two = pairs[:, 0].tolist(), pairs[:, 1].tolist()
    start = before.ratings if before else None
    every = zip(one, two, choice.tolist(), strict=True)
    met = np.bincount(pairs.ravel(), minlength=models)
    if before:
        met[: len(before.met)] += before.met
    return _Moment(place, online(every, models, view.options.elo, start), met)


def _thinned(moments: list[_Moment]) -> list[_Moment]:
    """The latest moments, and of those before them some that lie a stretch apart."""
    older: list[_Moment] = []
    for each in moments[:-_LATEST]:
        if not older or each.place - older[-1].place >= _STRETCH:
            older.append(each)
    return older + moments[-_LATEST:]


def _now(view: View, population: str) -> _Moment:
    """The last moment. Only what came since the last one that still holds is played."""
    tally, options = view.tally, view.options
    choices = options.merge_both_bad, options.elo
    key = ("elo", view.vote_key(population), view.selection, choices)
    course: _Course | None = tally.memo.get(key)
    if course is None or course.epoch != tally.epoch:
        course = _Course([], tally.revocations, tally.cast.moves, tally.epoch)
        tally.memo.keep(key, course)
    changed = tally.first_recast(course.revocations, course.moves)
    if changed is not None:
        course.moments = [each for each in course.moments if each.place <= changed]
    course.revocations, course.moves = tally.revocations, tally.cast.moves
    last = course.moments[-1] if course.moments else None
    votes, places = tally.votes_cast(last.place if last else 0)
    for start in range(0, len(places), _STRETCH):
        part = slice(start, start + _STRETCH)
        games = _games(view, population, votes, part)
        last = _played(view, last, int(places[part][-1]) + 1, games)
        course.moments.append(last)
    if len(course.moments) > _MOMENTS:
        course.moments = _thinned(course.moments)
    return last or _played(view, None, 0, _games(view, population, votes, slice(0)))


def _population_rows(view: View, population: str) -> list[Estimate]:
    models, now = view.tally.models, _now(view, population)
    best_first = sorted(np.flatnonzero(now.met).tolist(), key=lambda model: -now.ratings[model])
    rows = []
    for model in best_first:
        labels: dict[str, Label] = {"raters": population, "model": models[model]}
        method = "online Elo in the order votes were cast; no interval, it depends on that order"
        n, rating = int(now.met[model]), now.ratings[model]
        rows.append(Estimate(labels, rating, n=n, unit="points", method=method))
    return rows


@statistic(
    "elo",
    "Online Elo",
    order=44,
    limits="Not an estimate of strength: the same votes in another order give other numbers.",
    follows=True,
    by_time=True,
)
def elo(view: View) -> Result:
    """Elo ratings of people's votes as they were cast."""
    estimates = [row for each in view.populations for row in _population_rows(view, each)]
    chosen = view.options.elo
    return Result(
        "elo",
        "Online Elo",
        "Ratings that each vote moves as it is cast; for a ranking with intervals see ranking.",
        ("raters", "model"),
        tuple(estimates),
        () if estimates else (view.none_of("votes"),),
        view.assumptions(
            f"K = {chosen.k:g}, start {chosen.start:g}, scale {chosen.scale:g}, a tie gives "
            f"{chosen.tie:g} to model_1 and the rest to model_2 (settings elo_…)",
            f"votes count {ORDER}; a changed vote counts where it was changed",
            "both bad moves nobody",
            "no interval: the same votes in another order give other ratings",
        ),
    )

"""The models of style where answers' texts are known, which votes are stepped into.

Hardly two pairs of answers are alike in their texts, so that a full fit looks at every item. At its
maximum some sums are kept: the slope of the likelihood, its curvature, the squares of the scores
by question, and what raters have in common of these. A vote changes what one question adds to
them, at the ratings and coefficients of the full fit. One step of Newton's from there gives the
maximum of what there is now, but for an error that is the square of the step (the curvature is
that of the full fit); the sandwich is that of the full fit's scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.stats.by_question import near_questions
from core.stats.collapsed import Columns
from core.stats.gold_line import FURTHEST, STEPPED, Making
from core.stats.growing import Growing
from core.stats.nearby import gaps_on
from core.stats.observed import NO_TEXTS, Observed
from core.stats.style_fit import Anchor, Trials, fitting, gauge_of, groups, separable, unvaried
from core.stats.view import View

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

WIDTH: Final = 6
"""Numbers of an item by rater: choices of model_1 with the side not known, model_1 left and
model_2 left; the same of model_2."""

SIDES: Final = (0.0, 1.0, -1.0)
"""What the covariate of the side is where it is not known, model_1 stood left, model_2 did."""

NOBODY: Final = "no choice prefers a model yet"

_SIDES: Final = len(SIDES)
_BLOCK: Final = 1 << 14
"""Items, or as many more as a question has, that are added up between two pauses."""

_FAR: Final = 0.05
"""Log-odds by which a step may move a choice before a full fit is due: relative to the step its
error is half of that at most, as the curvature of a logistic likelihood changes by no more than
the factor e^(that)."""


@dataclass(frozen=True, slots=True)
class SteppedFit:
    """What is told of one rater; see :class:`core.stats.style_fit.StyleFit`."""

    columns: tuple[int, ...]
    beta: Floats
    errors: Floats
    carriers: Floats
    n: int
    freedom: int
    count: int
    endless: tuple[int, ...]
    always: tuple[int, ...]
    given: int
    unvaried: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """One rater's choices on some items, alike ones added up.

    Attributes:
        cluster: of each row, the place of its question; rising.
        unit: of each row, its pair of answers.
        one, two: models.
        won, total: choices of the first model, and all.
        x: covariates, shape (rows, covariates).
    """

    cluster: Longs
    unit: Longs
    one: Longs
    two: Longs
    won: Floats
    total: Floats
    x: Floats

    def design(self, models: int) -> Floats:
        """By which parameters each row moves, shape (rows, models + covariates)."""
        found = np.zeros((len(self.one), models))
        each = np.arange(len(self.one))
        found[each, self.one] = 1
        found[each, self.two] -= 1
        return np.concatenate([found, self.x], axis=1)


class Rater:
    """The sums of one rater at its maximum.

    Args:
        found: the maximum.
        models: how many there are.
        dropped: keys of rows that tell nothing, as they are predicted with certainty.
    """

    def __init__(self, found: Anchor, models: int, dropped: Longs) -> None:
        self.found, self.models = found, models
        self.dropped = dropped
        self.columns = [*range(models), *(models + each for each in found.columns)]
        size = len(self.columns)
        self.slope = np.zeros(size)
        self.information = np.zeros((size, size))
        self.meat = np.zeros((size, size))
        self.carried = np.zeros(len(found.columns))
        self.clusters = self.units = self.n = 0
        self.table = np.zeros((models, models))
        self.whole: Floats = np.zeros((0, 0))
        self.furthest = np.zeros(len(found.columns))

    def add(self, rows: Rows, clusters: int, keys: Longs, sign: int) -> Floats:
        """Add some rows to the sums, or take them out.

        Args:
            keys: of each row, item and side.

        Returns:
            The scores, shape (clusters, parameters).
        """
        lost = rows.total - rows.won
        np.add.at(self.table, (rows.one, rows.two), sign * rows.won)
        np.add.at(self.table, (rows.two, rows.one), sign * lost)
        group, found = self.found.group, self.found
        used = group[rows.one] == group[rows.two]
        if len(self.dropped):
            used &= ~np.isin(keys, self.dropped)
        every = rows.design(self.models)[used]
        total, cluster = rows.total[used], rows.cluster[used]
        if not len(self.whole):
            self.whole = np.zeros((every.shape[1], every.shape[1]))
        self.whole += sign * (every.T @ (total[:, None] / 4 * every))
        design = every[:, self.columns]
        chance = 1 / (1 + np.exp(-np.clip(design @ found.parameters, -700, 700)))
        weight = total * chance * (1 - chance)
        residual = rows.won[used] - total * chance
        self.slope += sign * (design.T @ residual)
        self.information += sign * (design.T @ (weight[:, None] * design))
        starts = np.flatnonzero(np.diff(cluster, prepend=-1))
        scores = np.zeros((clusters, len(self.columns)))
        if len(starts):
            at = cluster[starts]
            scores[at] = np.add.reduceat(residual[:, None] * design, starts)
            self.meat += sign * (scores[at].T @ scores[at])
            pull = design @ found.inverse[self.models :].T
            carried = np.add.reduceat(weight[:, None] * pull**2, starts)
            self.carried += sign * (carried**2).sum(axis=0)
            self.furthest = np.maximum(
                self.furthest, np.abs(design[:, self.models :]).max(axis=0, initial=0)
            )
        self.clusters += sign * len(starts)
        self.units += sign * len(np.unique(rows.unit[used]))
        self.n += sign * int(total.sum())
        return scores

    @property
    def met(self) -> Bools:
        """Which models have a row that tells anything."""
        group = self.found.group
        same = group[:, None] == group[None, :]
        return np.asarray(((self.table + self.table.T) * same).any(axis=1))

    def has_same_shape(self) -> bool:
        """Whether the same models and covariates are to be fitted as in the full fit."""
        if not np.array_equal(groups(np.maximum(self.table, 0)), self.found.group):
            return False
        gauge, _ = gauge_of(self.met, self.found.group)
        whole = self.whole.copy()
        whole[: self.models, : self.models] += gauge
        return separable(whole, self.models) == self.found.columns

    def stepped(self) -> tuple[Floats, Floats, float]:
        """The step from the full fit, the inverse information, and what scales errors."""
        gauge, ratings = gauge_of(self.met, self.found.group)
        information = self.information.copy()
        information[: self.models, : self.models] += gauge
        inverse = np.asarray(np.linalg.inv(information))
        freedom = self.units - ratings - len(self.found.columns)
        # G / (G − 1) for questions, and (N − 1) / (N − parameters) for the pairs in them.
        scale = self.clusters / max(self.clusters - 1, 1) * max(self.units - 1, 1) / max(freedom, 1)
        return inverse @ self.slope, inverse, np.sqrt(scale)

    def moved(self) -> float:
        """Log-odds by which the step moves any choice at most."""
        step, _, _ = self.stepped()
        ratings, rest = step[: self.models], step[self.models :]
        return float(np.ptp(ratings) + np.abs(rest) @ self.furthest)

    def told(self, scale: Floats) -> SteppedFit:
        """What is told.

        Args:
            scale: by covariate, what its coefficient is multiplied with.
        """
        step, inverse, factor = self.stepped()
        size, columns = self.models, self.found.columns
        _, ratings = gauge_of(self.met, self.found.group)
        mine = inverse[size:]
        variance = np.einsum("cp,pq,cq->c", mine, self.meat, mine)
        unit = scale[list(columns)]
        errors = np.sqrt(np.maximum(variance, 0)) * factor
        return SteppedFit(
            columns,
            (self.found.parameters + step)[size:] * unit,
            errors * unit,
            np.diag(self.found.inverse)[size:] ** 2 / np.maximum(self.carried, 1e-300),
            self.n,
            min(self.units - ratings - len(columns), self.clusters - 1),
            self.clusters,
            self.found.lost,
            self.found.always,
            round(float(self.table.sum())),
            unvaried(errors, self.found.inverse, size),
        )


def shared_error(one: Rater, other: Rater, crossed: Floats, column: int) -> float:
    """Covariance of two raters' coefficients of a covariate, whose clusters may be shared.

    Args:
        crossed: Σ over clusters of the products of their scores.
    """
    (_, first, scale), (_, second, other_scale) = one.stepped(), other.stepped()
    row, line = (each.models + each.found.columns.index(column) for each in (one, other))
    return float(first[row] @ crossed @ second[line]) * scale * other_scale


class Styles:
    """The model of every rater, up to date.

    Args:
        raters_of: tells by rater its choices of each item, see :data:`WIDTH`.
        unit: by covariate (the side first), what one unit of it stands for.
        difference: columns of :func:`core.stats.nearby.gaps_on`, by covariate but the side.
    """

    def __init__(
        self,
        view: View,
        raters_of: Callable[[View], Mapping[str, Columns]],
        people: str | None,
        unit: Floats,
        difference: list[int],
    ) -> None:
        self.vote = view.tally.last_vote_seq
        self.stepped = self._items = 0
        self._mark = view.tally.mark
        self._raters_of, said = raters_of, raters_of(view)
        self._keys = {name: columns.key for name, columns in said.items()}
        self._unit, self._difference = unit, difference
        self._version = view.tally.background.version
        self._models = len(view.tally.models)
        self._counts = Growing(np.int32, WIDTH * max(len(said), 1))
        self._raters: dict[str, Rater | str] = {}
        self._people = people
        self._crossed: dict[str, Floats] = {}

    def read(self, view: View, observed: Mapping[str, Observed]) -> None:
        """Take all choices; they are by place among the view's items."""
        self._counts.grow_to(len(view.tally.item_turn))
        for place, said in enumerate(observed.values()):
            mine = said.only(said.decisive)
            cells = mine.item * WIDTH + _SIDES * (mine.choice - 1) + mine.left
            counts = np.bincount(cells, minlength=len(view.items) * WIDTH).reshape(-1, WIDTH)
            self._counts.rows[view.items, place * WIDTH : (place + 1) * WIDTH] = counts

    def making(self, view: View) -> Making[Styles]:
        """Fit everything that was read, with a pause after each part."""
        counts, items = self._counts.rows.copy(), view.items
        self._items = int(counts.any(axis=1).sum())
        question = view.tally.pair_table[view.tally.item_pair[items], 3].astype(np.int64)
        yield
        for place, name in enumerate(self._keys):
            rows, keys = self._rows(view, items, question, counts[items], place)
            yield
            if not len(rows.total):
                has_any = counts[:, place * WIDTH : (place + 1) * WIDTH].any()
                self._raters[name] = NO_TEXTS if has_any else NOBODY
                continue
            columns = rows.one, rows.two, rows.cluster, rows.won, rows.total, rows.x
            found = yield from fitting(Trials(*columns, self._models))
            if isinstance(found, str):
                self._raters[name] = found
                continue
            anchor, _ = found
            inside = np.flatnonzero(anchor.group[rows.one] == anchor.group[rows.two])
            dropped = keys[:0]
            if len(inside) > len(anchor.used):
                dropped = np.setdiff1d(keys[inside], keys[anchor.used])
            self._raters[name] = Rater(replace(anchor, used=keys[:0]), self._models, dropped)
            yield
        order = np.argsort(question, kind="stable")
        question, items = question[order], items[order]
        starts = np.flatnonzero(np.diff(question, prepend=-1))
        cuts = starts[np.flatnonzero(np.diff(starts // _BLOCK, prepend=-1))].tolist()
        for first, last in pairwise([*cuts, len(question)]):
            block = slice(first, last)
            _, cluster = np.unique(question[block], return_inverse=True)
            self._add(view, items[block], cluster, counts[items[block]], 1)
            yield
        return self

    def follow(self, view: View) -> bool:
        """Step in what changed; see :class:`core.stats.gold_line.Following`."""
        tally = view.tally
        changed = tally.changed_since(self._mark)
        if changed is None or len(changed) > FURTHEST or self._version != tally.background.version:
            return False
        said = self._raters_of(view)
        if {name: each.key for name, each in said.items()} != self._keys:
            return False
        if len(tally.models) != self._models:
            return False
        changed = changed[view.selects(changed)]
        if changed.size and not self._step(view, changed, said):
            return False
        self._mark = tally.mark
        if not self.stepped:
            self.vote = tally.last_vote_seq
        return True

    def is_worn(self, view: View) -> bool:
        """Whether a full fit is due."""
        if not self.stepped:
            return False
        far = any(each.moved() > _FAR for each in self._raters.values() if isinstance(each, Rater))
        return far or self.stepped >= max(1, self._items // STEPPED)

    def told(self, unit: Floats) -> dict[str, SteppedFit | str]:
        """By rater what was fitted, or why it could not be.

        Args:
            unit: by covariate, what one unit of its coefficient is to stand for.
        """
        scale = np.where(self._unit > 0, unit / np.where(self._unit > 0, self._unit, 1), 1)
        return {
            name: each if isinstance(each, str) else each.told(scale)
            for name, each in self._raters.items()
        }

    def shared(self, judge: str, column: int, unit: Floats) -> float:
        """What the errors of a judge's coefficient and of people's have in common."""
        one, other = self._raters[judge], self._raters[str(self._people)]
        assert isinstance(one, Rater)
        assert isinstance(other, Rater)
        scale = unit[column] / self._unit[column] if self._unit[column] else 1.0
        return shared_error(one, other, self._crossed[judge], column) * float(scale) ** 2

    def said(self) -> str:
        """Of which moment it is, in words."""
        since = "item has" if self.stepped == 1 else "items have"
        stepped = f"; {self.stepped:,} {since} been stepped in since" if self.stepped else ""
        return f"full fit at vote {self.vote:,}{stepped}"

    def _step(self, view: View, changed: Longs, said: Mapping[str, Columns]) -> bool:
        if not said:
            return True  # nobody whose choices could have changed
        table = view.tally.pair_table
        questions = np.unique(table[view.tally.item_pair[changed], 3]).astype(np.int64)
        here = near_questions(view, questions)
        order = np.argsort(here.pair, kind="stable")
        items, cluster = here.items[order], here.pair[order]
        self._counts.grow_to(len(view.tally.item_turn))
        before = self._counts.rows[items]
        after = np.concatenate([each.rows(items) for each in said.values()], axis=1)
        differs = (before != after).any(axis=0).reshape(-1, WIDTH).any(axis=1)
        if not differs.any():
            return True
        for moved, each in zip(differs.tolist(), self._raters.values(), strict=True):
            if moved and (isinstance(each, str) or each.found.lost or len(each.dropped)):
                return False
        self._add(view, items, cluster, before, -1)
        self._add(view, items, cluster, after, 1)
        self._counts.rows[items] = after
        self.stepped += int((before != after).any(axis=1).sum())
        return all(
            each.has_same_shape()
            for moved, each in zip(differs.tolist(), self._raters.values(), strict=True)
            if moved and isinstance(each, Rater)
        )

    def _rows(
        self, view: View, items: Longs, cluster: Longs, counts: NDArray[np.int32], place: int
    ) -> tuple[Rows, Longs]:
        """One rater's rows on some items, in order of these; and of each its item and side."""
        tally = view.tally
        mine = counts[:, place * WIDTH : (place + 1) * WIDTH].astype(np.float64)
        won, lost = mine[:, :_SIDES], mine[:, _SIDES:]
        total = won + lost
        at, side = np.nonzero(total)
        gaps, known = gaps_on(view, items)
        kept = known[at]
        at, side = at[kept], side[kept]
        pair = tally.item_pair[items[at]].astype(np.int64)
        models = tally.pair_table[pair][:, :2].astype(np.int64)
        unit = self._unit[1:]
        more = gaps[at][:, self._difference] / np.where(unit, unit, 1)
        x = np.column_stack([np.array(SIDES)[side], more])
        of = cluster[at].astype(np.int64)
        said = won[at, side], total[at, side]
        rows = Rows(of, pair, models[:, 0], models[:, 1], *said, x)
        return rows, items[at] * _SIDES + side

    def _add(
        self, view: View, items: Longs, cluster: Longs, counts: NDArray[np.int32], sign: int
    ) -> None:
        clusters = int(cluster.max(initial=-1)) + 1
        scores: dict[str, Floats] = {}
        for place, (name, each) in enumerate(self._raters.items()):
            if isinstance(each, Rater):
                rows, keys = self._rows(view, items, cluster, counts, place)
                scores[name] = each.add(rows, clusters, keys, sign)
        people = scores.get(str(self._people))
        if people is None:
            return
        for name, mine in scores.items():
            crossed = sign * (mine.T @ people)
            self._crossed[name] = self._crossed.get(name, 0) + crossed

"""What length and format are worth to people and to judges: one model for both.

Style control: Bradley–Terry with what the answers differ in beside the models, so that a better
model that writes more does not count as a liking for length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.stats.background import COUNTED
from core.stats.intervals import clustered_wilson, student_quantile
from core.stats.observed import (
    LONGER_BY,
    NO_TEXTS,
    Floats,
    Longs,
    Observed,
    gaps,
    longer_model,
    no_lengths,
    present_judges,
    verdicts_of,
    votes_of,
)
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.style_fit import FEWEST_CARRIERS, StyleFit, Trials, fit, joint_error
from core.stats.view import View

POSITION = "left"
EFFECTS = {"length": "tokens", "headers": "headers", "lists": "list_items", "bold": "bold"}
"""Effects of the model, and what of :data:`COUNTED` each looks at."""

NAMES = (POSITION, *EFFECTS)
LONGER = "longer wins"

_UNIT = "log-odds"
_SIDE = (0.0, 1.0, -1.0)
"""What the covariate of the side is where it is not known, model_1 stood left, model_2 did."""


@dataclass(frozen=True, slots=True)
class Fits:
    """One model per rater.

    Attributes:
        fits: by rater, what was fitted or why it could not be.
        people: which of the raters are people.
        scales: of each of :data:`EFFECTS`, what one unit of its coefficient stands for.
    """

    fits: dict[str, StyleFit | str]
    people: tuple[str, ...]
    scales: Floats


def observed(view: View) -> dict[str, Observed]:
    """What each population and each judge chose, one by one."""
    found = {name: votes_of(view, name) for name in view.populations}
    judges = {name: verdicts_of(view, judge) for name, judge in present_judges(view).items()}
    return {name: said for name, said in (found | judges).items() if len(said.item)}


def scales(view: View) -> Floats:
    """Root mean square of each effect's differences over the items with both texts.

    Not centred: exchanging the sides must change nothing but the sign.
    """
    difference, known = gaps(view)
    columns = [COUNTED.index(name) for name in EFFECTS.values()]
    used = difference[known][:, columns].astype(np.float64)
    return np.asarray(np.sqrt((used**2).sum(axis=0) / max(len(used), 1)))


def trials_of(view: View, said: Observed, unit: Floats) -> Trials:
    """Decisive choices between two known texts, alike ones added up; the side comes first.

    Where no text is known at all, the side alone is looked at.
    """
    difference, known = gaps(view)
    known = known if known.any() else ~known
    used = said.only(said.decisive & known[said.item])
    keys, place = np.unique(used.item * 3 + used.left, return_inverse=True)
    item, left = np.divmod(keys, 3)
    columns = [COUNTED.index(name) for name in EFFECTS.values()]
    x = np.column_stack(
        [np.array(_SIDE)[left], difference[item][:, columns] / np.where(unit, unit, 1)]
    )
    return Trials(
        view.model_1[item].astype(np.int64),
        view.model_2[item].astype(np.int64),
        view.pair[item].astype(np.int64),
        np.bincount(place, weights=used.choice == 1, minlength=len(keys)).astype(np.float64),
        np.bincount(place, minlength=len(keys)).astype(np.float64),
        x,
        len(view.tally.models),
    )


def fits(view: View) -> Fits:
    """The model of every rater, made once for all who ask."""

    def make() -> Fits:
        unit = scales(view)
        found: dict[str, StyleFit | str] = {}
        for name, said in observed(view).items():
            trials = trials_of(view, said, unit)
            if not said.decisive.any():
                found[name] = "no choice prefers a model yet"
            elif not len(trials.total):
                found[name] = NO_TEXTS
            else:
                found[name] = fit(trials)
        return Fits(found, tuple(name for name in view.populations if name in found), unit)

    return view.once(("style",), make)


def effect(view: View, labels: dict[str, Label], column: int, fitted: StyleFit | str) -> Estimate:
    """One coefficient with its interval, or why there is none."""
    has_texts = bool(gaps(view)[1].any())
    reason = unfitted(fitted, column) if has_texts or not column else NO_TEXTS
    if reason or isinstance(fitted, str):
        return Estimate(labels, None, unit=_UNIT, reason=reason)
    place = fitted.columns.index(column)
    value, error = float(fitted.beta[place]), float(fitted.errors[place])
    if why := too_few(fitted, place):
        return Estimate(labels, value, n=fitted.n, unit=_UNIT, method=why)
    return _with_interval(view, labels, value, error, fitted.freedom, fitted.n)


def unfitted(fitted: StyleFit | str, column: int) -> str:
    """Why a fit has no coefficient for a covariate; empty if it has one."""
    if isinstance(fitted, str):
        return fitted
    if column in fitted.columns:
        return ""
    if column in fitted.endless:
        return f"more of it ({NAMES[column]}) always won or always lost: no finite number fits"
    if column == 0:
        return "nobody recorded which answer stood left, or it was always the same model's"
    return f"the answers' {NAMES[column]} never differ, or only as their models or lengths do"


def too_few(fitted: StyleFit, place: int) -> str:
    """Why a coefficient has no interval; empty if it has one."""
    carriers = float(fitted.carriers[place])
    if fitted.freedom < 1 or carriers < FEWEST_CARRIERS:
        return (
            f"no interval: {min(carriers, len(fitted.clusters)):.1f} pairs of answers carry it in "
            "effect, too few to show how far it varies"
        )
    return ""


def _with_interval(
    view: View, labels: dict[str, Label], value: float, error: float, freedom: int, n: int
) -> Estimate:
    level = view.options.level
    half = student_quantile(level, freedom) * error
    method = "Newton; sandwich clustered by pair of answers"
    return Estimate(
        labels, value, value - half, value + half, level, n=n, unit=_UNIT, method=method
    )


def difference(
    view: View, labels: dict[str, Label], column: int, judge: StyleFit | str, people: StyleFit | str
) -> Estimate | None:
    """A judge's coefficient less people's; None where either is missing."""
    if isinstance(judge, str) or isinstance(people, str):
        return None
    if column not in judge.columns or column not in people.columns:
        return None
    places = judge.columns.index(column), people.columns.index(column)
    if too_few(judge, places[0]) or too_few(people, places[1]):
        return None
    value = float(judge.beta[places[0]] - people.beta[places[1]])
    error = joint_error(judge, people, column)
    freedom = min(judge.freedom, people.freedom)
    return _with_interval(view, labels, value, error, freedom, judge.n + people.n)


def beside(name: str, people: str) -> str:
    """What the row of a judge's difference from people is called."""
    return f"{name} − {people}"


def longer_wins(view: View, name: str, said: Observed) -> Estimate:
    """How often the longer answer was chosen, of choices between unequal ones."""
    labels: dict[str, Label] = {"rater": name, "effect": LONGER}
    if reason := no_lengths(view):
        return Estimate(labels, None, reason=reason)
    longer = longer_model(view)[said.item]
    used = said.decisive & (longer > 0)
    cluster = view.pair[said.item[used]].astype(np.int64)
    whole, part = _sums(cluster, (said.choice == longer)[used])
    level = view.options.level
    found = clustered_wilson(part, whole, level, "choices", "pairs")
    if found is None:
        return Estimate(labels, None, reason="no choice prefers a model where lengths differ")
    n, k = int(whole.sum()), int(part.sum())
    low, high = found.low, found.high
    return Estimate(labels, found.value, low, high, level, n=n, k=k, method=found.method)


def _sums(cluster: Longs, found: Longs) -> tuple[Longs, Longs]:
    _, place = np.unique(cluster, return_inverse=True)
    return np.bincount(place), np.bincount(place, weights=found).astype(np.int64)


@statistic(
    "style",
    "Length and format",
    order=64,
    limits=(
        "Not what length causes: longer answers may also be better. It is what goes with being "
        "chosen once models are held equal."
    ),
)
def style(view: View) -> Result:
    """What length, headers, lists and bold are worth, to people, to judges, and the difference."""
    said, fitted = observed(view), fits(view)
    estimates: list[Estimate] = []
    for name, found in fitted.fits.items():
        estimates.append(longer_wins(view, name, said[name]))
        for column in _told(view, fitted.scales):
            labels: dict[str, Label] = {"rater": name, "effect": NAMES[column]}
            estimates.append(effect(view, labels, column, found))
    if fitted.people:
        people = fitted.people[0]
        for name, found in fitted.fits.items():
            if name in fitted.people:
                continue
            for column in _told(view, fitted.scales):
                labels = {"rater": beside(name, people), "effect": NAMES[column]}
                row = difference(view, labels, column, found, fitted.fits[people])
                estimates += [row] if row else []
    return Result(
        "style",
        "Length and format",
        "Log-odds that more of something adds to being chosen, at equal models; 0: nothing.",
        ("rater", "effect"),
        tuple(estimates),
        _notes(view, fitted),
        view.assumptions(
            "one logit for each kind of rater: models as in Bradley–Terry, the side, and the "
            "differences in length, headers, lists and bold, all at once",
            "a judge's difference from people is the interaction with the kind of rater; models "
            "have their own ratings in both",
            "only choices that prefer a model; a judge's two orders are two choices",
            "differences are scaled by their root mean square over the items, and not centred",
            f"{LONGER}: of choices between answers that differ by more than {LONGER_BY} "
            "characters, without a model of anything",
            "intervals are clustered by pair of answers, both turns and both orders together",
        ),
    )


def _told(view: View, scale: Floats) -> list[int]:
    """Columns of the effects that get rows: all, but those that no two answers differ in."""
    has_texts = bool(gaps(view)[1].any())
    return [number for number, unit in enumerate(scale, 1) if unit or not has_texts]


def _notes(view: View, fitted: Fits) -> tuple[str, ...]:
    if not fitted.fits:
        return ("there are no votes and no verdicts yet",)
    known = gaps(view)[1]
    notes = []
    if known.any():
        every = list(zip(EFFECTS.items(), fitted.scales, strict=True))
        units = [
            f"{name} {scale:.3g} {unit.replace('_', ' ')}" for (name, unit), scale in every if scale
        ]
        equal = [name for (name, _), scale in every if not scale]
        notes += [f"one unit of each effect: {', '.join(units)}"] if units else []
        notes += [f"the answers do not differ in {', '.join(equal)}"] if equal else []
    if unknown := int((~known).sum()):
        notes.append(f"{unknown} items left out: an answer's text is not in the study")
    return (*notes, *view.judge_notes())

"""What length and format are worth to people and to judges: one model for both.

Style control: Bradley–Terry with what the answers differ in beside the models, so that a better
model that writes more does not count as a liking for length.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from core.stats.background import COUNTED
from core.stats.collapsed import MODELS, Columns, cells, collapsed, collapsed_pairs, votes
from core.stats.gold_line import Line, LineWork, Making, line_of
from core.stats.intervals import clustered_wilson, student_quantile
from core.stats.nearby import (
    Near,
    Parts,
    gaps_on,
    has_texts,
    kept_by_pair,
    longer_on,
    near,
    verdicts_near,
    votes_near,
    without_lengths,
    without_texts,
)
from core.stats.observed import (
    LONGER_BY,
    NO_TEXTS,
    Floats,
    Longs,
    Observed,
    present_judges,
    verdicts_of,
    votes_of,
)
from core.stats.outcomes import has_choice
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.style_fit import FEWEST_CARRIERS, StyleFit, Trials, fit, is_told
from core.stats.style_kept import NOBODY, SIDES, WIDTH, SteppedFit, Styles
from core.stats.view import View
from core.text import many

POSITION = "left"
EFFECTS = {"length": "tokens", "headers": "headers", "lists": "list_items", "bold": "bold"}
"""Effects of the model, and what of :data:`COUNTED` each looks at."""

_DIFFERENCES = [COUNTED.index(name) for name in EFFECTS.values()]

NAMES = (POSITION, *EFFECTS)
LONGER = "longer wins"

_FEW_ITEMS = 1 << 12
"""Items of which a full fit takes some hundredths of a second."""

_MATCH = 20
"""Bits for the second model of a match-up."""

_UNIT = "log-odds"


Fitted = StyleFit | SteppedFit | str


@dataclass(frozen=True, slots=True)
class Fits:
    """One model per rater.

    Attributes:
        fits: by rater, what was fitted or why it could not be.
        people: which of the raters are people.
        scales: of each of :data:`EFFECTS`, what one unit of its coefficient stands for.
        kept: what votes are stepped into, where texts are known.
    """

    fits: Mapping[str, Fitted]
    people: tuple[str, ...]
    scales: Floats
    kept: Styles | None = None


def raters(view: View) -> dict[str, Columns]:
    """What each population and each judge chose: by item, choices that prefer a model.

    Six numbers: for model_1 with the side not known, model_1 left, model_2 left; the same for
    model_2. Who has no word at all is left out.
    """
    found = {}
    for name in view.populations:
        if collapsed(view, votes(view, name))[0][0].any():
            found[name] = _decisive(
                view, ("votes", view.vote_key(name)), partial(_voted, view, name)
            )
    for name, judge in present_judges(view).items():
        said = cells(view, judge)
        if has_choice(collapsed(view, said)[0][0]).any():
            found[name] = _decisive(view, said.key, partial(_judged, view, judge), said.follows)
    return found


def _voted(view: View, population: str, items: Longs) -> Observed:
    return votes_near(view, Near(items, items), population)[0]


def _judged(view: View, judge: int, items: Longs) -> Observed:
    return verdicts_near(view, Near(items, items), judge)


def _decisive(
    view: View, key: Hashable, of: Callable[[Longs], Observed], follows: bool = True
) -> Columns:
    def rows(items: Longs) -> Longs:
        said = of(items)
        said = said.only(said.decisive)
        cells = said.item * WIDTH + 3 * (said.choice - 1) + said.left
        return np.bincount(cells, minlength=len(items) * WIDTH).reshape(-1, WIDTH).astype(np.int64)

    return Columns(("decisive", key), WIDTH, rows, follows)


def observed(view: View, name: str) -> Observed:
    """What a population or a judge chose, one by one."""
    judges = present_judges(view)
    return verdicts_of(view, judges[name]) if name in judges else votes_of(view, name)


def scales(view: View) -> Floats:
    """Root mean square of each effect's differences over the items with both texts.

    Not centred: exchanging the sides must change nothing but the sign.
    """

    def parts(pairs: Longs) -> Parts:
        here = near(view, pairs)
        difference, known = gaps_on(view, here.items)
        squares = difference[known][:, _DIFFERENCES].astype(np.float64) ** 2
        one = np.ones(len(squares))
        return here.pair[known], np.zeros(len(one), np.int64), np.column_stack([one, squares])

    def terms(values: Floats) -> Longs:
        return values.astype(np.int64)

    _, sums = kept_by_pair(view, "scales", 1 + len(EFFECTS), terms, parts).sums()
    items, *squares = sums.sum(axis=0).tolist()
    return np.asarray(np.sqrt(np.array(squares) / max(items, 1)))


def _kinds(view: View, about: Longs, counts: Longs, times: Longs) -> Trials:
    """Decisive choices by the side alone, where no text is known: pairs that are alike together.

    Args:
        about: models, shape (patterns, 2).
        counts: choices as :func:`raters` tells them, shape (patterns, 6).
        times: how many pairs each pattern stands for.
    """
    won, lost = counts[:, :3], counts[:, 3:]
    cluster, left = np.nonzero(won + lost)
    one, two = about[cluster].T
    models = len(view.tally.models)
    x = np.zeros((len(cluster), len(NAMES)))
    x[:, 0] = np.array(SIDES)[left]
    total = (won + lost)[cluster, left].astype(np.float64)
    kind = (one * models + two) * 3 + left
    of_rows = won[cluster, left].astype(np.float64), total, x, models
    return Trials(one, two, cluster, *of_rows, times[cluster].astype(np.float64), kind)


def fits(view: View) -> Fits:
    """The model of every rater, made once for all who ask."""

    def make() -> Fits:
        unit, said = scales(view), raters(view)
        people = tuple(name for name in view.populations if name in said)
        if has_texts(view):
            kept = _line(view).current(view)
            return Fits(kept.told(_units(unit)), people, unit, kept)
        found: dict[str, Fitted] = {}
        for name, columns in said.items():
            (about, counts), times = collapsed_pairs(view, MODELS, columns)
            found[name] = NOBODY
            if counts.any():
                found[name] = fit(_kinds(view, about, counts, times))
        return Fits(found, people, unit)

    return view.once(("style",), make)


def _units(scales: Floats) -> Floats:
    """The same with that of the side."""
    return np.append(1.0, scales)


def _made(view: View) -> Making[Styles]:
    said = raters(view)
    people = next((name for name in view.populations if name in said), None)
    kept = Styles(view, raters, people, _units(scales(view)), _DIFFERENCES)
    kept.read(view, {name: observed(view, name) for name in said})
    return kept.making(view)


def _line(view: View) -> Line[Styles]:
    said = raters(view)
    name = ("style", *(each.key for each in said.values()))
    if not all(each.follows for each in said.values()):
        return view.once(("line", name), lambda: Line(_made))
    people = next(iter(view.populations))
    about = view.selection, view.vote_key(people), view.options.merge_both_bad
    return line_of(view, about, name, _made)


def style_work(view: View) -> LineWork[Styles] | None:
    """The full fit that is to be made, if one is: only where texts are known.

    Of a few items it is made when somebody asks, so that no number waits for it.
    """
    if not has_texts(view):
        return None
    line = _line(view)
    is_due = line.is_due(view)
    if is_due is None or (is_due and len(view.tally.item_turn) <= _FEW_ITEMS):
        return None
    return LineWork(line, view, is_due)


def full_fit(view: View) -> tuple[str, ...]:
    """Of which moment the models are, in words; nothing where each vote is fitted at once."""
    kept = fits(view).kept
    return () if kept is None else (f"models with a text's length and format: {kept.said()}",)


def _joint_error(view: View, judge: str, people: str, column: int) -> float:
    """Standard error of a judge's coefficient less people's.

    Both fits are one likelihood with interactions of the kind of rater: its information falls
    into two blocks, its scores are summed over the same clusters.
    """
    found = fits(view)
    one, two = (found.fits[name] for name in (judge, people))
    assert not isinstance(one, str)
    assert not isinstance(two, str)
    errors = [float(each.errors[each.columns.index(column)]) for each in (one, two)]
    if found.kept is not None:
        shared = found.kept.shared(judge, column, _units(found.scales))
    else:
        shared = _shared_by_side(view, (judge, people), column)
    return float(np.sqrt(max(errors[0] ** 2 + errors[1] ** 2 - 2 * shared, 0.0)))


def _shared_by_side(view: View, names: tuple[str, str], column: int) -> float:
    """What the errors of two raters' coefficients have in common, where no text is known."""
    judge, people = names
    one, two = (fits(view).fits[name] for name in names)
    assert isinstance(one, StyleFit)
    assert isinstance(two, StyleFit)
    # Both are sums over a pair's choices by side, so that products of their counts say what the
    # influences have in common.
    about, products = _products(view, raters(view)[judge], raters(view)[people])
    each = np.ones((len(about), WIDTH // 2), np.int64)
    rows = _kinds(view, about, np.concatenate([each, each], axis=1), np.ones(len(about), np.int64))
    first, second = (
        np.stack(fitted.moves(rows, column)).reshape(2, -1, 3).swapaxes(0, 1).reshape(-1, WIDTH)
        for fitted in (one, two)
    )
    return float(np.einsum("ca,cab,cb->", first, products, second))


def _products(view: View, one: Columns, two: Columns) -> tuple[Longs, Longs]:
    """Σ over pairs of answers of the products of two raters' choices, by their models.

    Returns:
        Models, shape (match-ups, 2), and the products, shape (match-ups, 6, 6).
    """

    def terms(values: Floats) -> Longs:
        counts = values.astype(np.int64)
        return (counts[:, :WIDTH, None] * counts[:, None, WIDTH:]).reshape(-1, WIDTH**2)

    def parts(pairs: Longs) -> Parts:
        here = near(view, pairs)
        said = np.concatenate([one.rows(here.items), two.rows(here.items)], axis=1)
        sums = [np.bincount(here.pair, each, len(pairs)) for each in said.T]
        match = view.tally.pair_table[pairs].astype(np.int64)
        values = np.stack(sums, axis=1)
        both = np.flatnonzero(values[:, :WIDTH].any(axis=1) & values[:, WIDTH:].any(axis=1))
        cells = match[both, 0] << _MATCH | match[both, 1]
        return both.astype(np.int64), cells.astype(np.int64), values[both].astype(np.float64)

    name, follows = ("products", one.key, two.key), one.follows and two.follows
    cells, sums = kept_by_pair(view, name, 2 * WIDTH, terms, parts, follows).sums()
    models = np.stack([cells >> _MATCH, cells & ((1 << _MATCH) - 1)], axis=1)
    return models, sums.reshape(-1, WIDTH, WIDTH)


def effect(view: View, labels: dict[str, Label], column: int, fitted: Fitted) -> Estimate:
    """One coefficient with its interval, or why there is none."""
    reason = unfitted(fitted, column) if has_texts(view) or not column else NO_TEXTS
    if reason or isinstance(fitted, str):
        return Estimate(labels, None, unit=_UNIT, reason=reason)
    place = fitted.columns.index(column)
    value, error = float(fitted.beta[place]), float(fitted.errors[place])
    if why := too_few(fitted, place):
        return Estimate(labels, value, n=fitted.n, unit=_UNIT, method=why)
    clusters = _clusters(fitted)
    return _with_interval(view, labels, value, error, fitted.freedom, fitted.n, clusters)


def _clusters(fitted: StyleFit | SteppedFit) -> str:
    """What the scores are summed over: the side alone is tossed for every pair anew."""
    return "pair" if isinstance(fitted, StyleFit) else "question"


def unfitted(fitted: Fitted, column: int) -> str:
    """Why a fit has no coefficient for a covariate; empty if it has one."""
    if isinstance(fitted, str):
        return fitted
    if column in fitted.columns:
        return _untold(fitted, fitted.columns.index(column))
    if column in fitted.always:
        return f"more of it ({NAMES[column]}) always won or always lost: no finite number fits"
    if column in fitted.endless:
        return (
            f"no finite number fits: where {NAMES[column]} could be told apart from models and "
            "what else the answers differ in, they together tell every choice with certainty"
        )
    if column == 0:
        return "nobody recorded which answer stood left, or it was always the same model's"
    return f"the answers' {NAMES[column]} never differ, or only as their models or lengths do"


def _untold(fitted: StyleFit | SteppedFit, place: int) -> str:
    """Why a coefficient that was fitted is none to tell; empty if it is one."""
    if not is_told(fitted.n, fitted.given):
        return (
            f"models, sides and style tell all but {fitted.n:,} of {fitted.given:,} choices with "
            "certainty: too few are left to tell it by"
        )
    if fitted.unvaried[place]:
        return f"no {_clusters(fitted)} moves it either way: nothing shows how far it varies"
    return ""


def too_few(fitted: StyleFit | SteppedFit, place: int) -> str:
    """Why a coefficient has no interval; empty if it has one."""
    carriers = float(fitted.carriers[place])
    if fitted.freedom < 1 or carriers < FEWEST_CARRIERS:
        return (
            f"no interval: {min(carriers, fitted.count):.1f} {_clusters(fitted)}s carry it in "
            "effect, too few to show how far it varies"
        )
    return ""


def _with_interval(
    view: View,
    labels: dict[str, Label],
    value: float,
    error: float,
    freedom: int,
    n: int,
    clusters: str,
) -> Estimate:
    level = view.options.level
    half = student_quantile(level, freedom) * error
    method = f"Newton; sandwich clustered by {clusters}"
    return Estimate(
        labels, value, value - half, value + half, level, n=n, unit=_UNIT, method=method
    )


def difference(
    view: View, labels: dict[str, Label], column: int, name: str, named: str
) -> Estimate | None:
    """A judge's coefficient less people's; None where either is missing.

    Args:
        name: the judge.
        named: the population.
    """
    found = fits(view).fits
    judge, people = found.get(name, ""), found[named]
    if isinstance(judge, str) or isinstance(people, str):
        return None
    if unfitted(judge, column) or unfitted(people, column):
        return None
    places = judge.columns.index(column), people.columns.index(column)
    if too_few(judge, places[0]) or too_few(people, places[1]):
        return None
    value = float(judge.beta[places[0]] - people.beta[places[1]])
    error = _joint_error(view, name, named, column)
    freedom = min(judge.freedom, people.freedom)
    n = judge.n + people.n
    return _with_interval(view, labels, value, error, freedom, n, _clusters(judge))


def beside(name: str, people: str) -> str:
    """What the row of a judge's difference from people is called."""
    return f"{name} − {people}"


def longer_wins(view: View, name: str, said: Columns) -> Estimate:
    """How often the longer answer was chosen, of choices between unequal ones."""
    labels: dict[str, Label] = {"rater": name, "effect": LONGER}
    if reason := without_lengths(view):
        return Estimate(labels, None, reason=reason)

    def rows(items: Longs) -> Longs:
        longer, counts = longer_on(view, items), said.rows(items)
        for_model = np.stack([counts[:, :3].sum(axis=1), counts[:, 3:].sum(axis=1)], axis=1)
        part = for_model[np.arange(len(items)), np.maximum(longer, 1) - 1]
        return np.stack([part, for_model.sum(axis=1)], axis=1) * (longer > 0)[:, None]

    key = ("longer", view.tally.background.version, said.key)
    (_, sums), times = collapsed_pairs(view, (), Columns(key, 2, rows, said.follows))
    part, whole = sums.T
    level = view.options.level
    found = clustered_wilson(part, whole, level, "choices", "pairs", times)
    if found is None:
        return Estimate(labels, None, reason="no choice prefers a model where lengths differ")
    n, k = int(times @ whole), int(times @ part)
    low, high = found.low, found.high
    return Estimate(labels, found.value, low, high, level, n=n, k=k, method=found.method)


@statistic(
    "style",
    "Length and format",
    order=64,
    limits=(
        "Not what length causes: longer answers may also be better. It is what goes with being "
        "chosen once models are held equal."
    ),
    follows=True,
    work=style_work,
)
def style(view: View) -> Result:
    """What length, headers, lists and bold are worth, to people, to judges, and the difference."""
    said, fitted = raters(view), fits(view)
    estimates: list[Estimate] = []
    for name, found in fitted.fits.items():
        estimates.append(longer_wins(view, name, said[name]))
        for column in _told(view, fitted.scales):
            labels: dict[str, Label] = {"rater": name, "effect": NAMES[column]}
            estimates.append(effect(view, labels, column, found))
    if fitted.people:
        people = fitted.people[0]
        for name in fitted.fits:
            if name in fitted.people:
                continue
            for column in _told(view, fitted.scales):
                labels = {"rater": beside(name, people), "effect": NAMES[column]}
                row = difference(view, labels, column, name, people)
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
            "coefficients are clustered by question where answers' texts are in the study: a long "
            f"answer is long in all of its pairs; {LONGER}, and a fit of the side alone, by pair",
            *full_fit(view),
        ),
    )


def _told(view: View, scale: Floats) -> list[int]:
    """Columns of the effects that get rows: all, but those that no two answers differ in."""
    told = has_texts(view)
    return [number for number, unit in enumerate(scale, 1) if unit or not told]


def _notes(view: View, fitted: Fits) -> tuple[str, ...]:
    if not fitted.fits:
        return (view.none_of("votes and no verdicts"),)
    notes = []
    if has_texts(view):
        every = list(zip(EFFECTS.items(), fitted.scales, strict=True))
        units = [
            f"{name} {scale:.3g} {unit.replace('_', ' ')}" for (name, unit), scale in every if scale
        ]
        equal = [name for (name, _), scale in every if not scale]
        notes += [f"one unit of each effect: {', '.join(units)}"] if units else []
        notes += [f"the answers do not differ in {', '.join(equal)}"] if equal else []
    if unknown := without_texts(view):
        notes.append(f"{many(unknown, 'item')} left out: an answer's text is not in the study")
    return (*notes, *view.judge_notes())

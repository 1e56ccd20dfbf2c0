"""What a judge's names for the answers, and a reference, change: two judges that differ in that.

Each pair of judges is compared on what both were asked: the same item in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from core.records import Judge
from core.stats.clustered import Clusters, clusters_of, mean_difference
from core.stats.intervals import clustered_wilson
from core.stats.observed import Bools, Floats, Longs, item_counts, present_judges, votes_of
from core.stats.outcomes import has_choice
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD, MODEL_2, TIE
from core.stats.view import View
from core.text import many

NAMES, REFERENCE = "names", "reference"
CHANGED, LEFT, AGREES = "changed", "left", "with people"
_NO = ("no", "none", "false")
_HIDDEN, _WHERE_THERE_IS_ONE, _SHOWN = range(3)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a judge is, apart from what an audit changes.

    Attributes:
        rest: everything that changes verdicts but names and reference.
        names: what the answers are called; empty for the default.
        reference: whether a reference is shown: :data:`_SHOWN`, :data:`_HIDDEN`, or
            :data:`_WHERE_THERE_IS_ONE`, which is between them.
    """

    rest: str
    names: str
    reference: int


def setup_of(judge: Judge) -> Setup:
    """Take a judge's prompt apart: a family, then ``names=…`` and ``reference=…`` among others.

    A family that ends in ``-reference`` always shows one, in ``-no-reference`` never. What is said
    as a parameter counts alike. An endpoint changes no verdict, and the prompt's hash follows from
    the prompt.
    """
    family, *words = judge.prompt.split() or [""]
    options: dict[str, Any] = dict(word.partition("=")[::2] for word in words)
    parameters: Mapping[str, Any] = judge.parameters
    changed = {
        key: str(parameters.get(key, options.pop(key, ""))).casefold() for key in (NAMES, REFERENCE)
    }
    reference = changed[REFERENCE]
    shown = _WHERE_THERE_IS_ONE
    if reference:
        shown = _HIDDEN if reference in _NO else _SHOWN
    for suffix, said in ((f"-no-{REFERENCE}", _HIDDEN), (f"-{REFERENCE}", _SHOWN)):
        if family.endswith(suffix):
            family, shown = family.removesuffix(suffix), said
    kept = {key: value for key, value in parameters.items() if key not in changed}
    rest = [judge.kind, judge.model, judge.revision, family, options, kept]
    return Setup(json.dumps(rest, sort_keys=True), changed[NAMES], shown)


def audits(judges: Mapping[str, Judge]) -> Iterator[tuple[str, str, str]]:
    """What is audited, the plain judge and the changed one, for each two that differ in it alone.

    The plain judge is the one without names, or without a reference.
    """
    setups = {name: setup_of(judge) for name, judge in judges.items()}
    for one, two in combinations(sorted(setups), 2):
        first, second = setups[one], setups[two]
        if first.rest != second.rest:
            continue
        renamed, shows = first.names != second.names, first.reference != second.reference
        if renamed == shows:
            continue
        is_first_plain = (first.names, first.reference) < (second.names, second.reference)
        plain, changed = (one, two) if is_first_plain else (two, one)
        yield (NAMES if renamed else REFERENCE), plain, changed


@dataclass(frozen=True, slots=True)
class _Both:
    """Words of two judges on the same item in the same order, choices 1–4.

    Attributes:
        item: place among the view's items.
        left: which model stood left; 0 where it is not known.
        plain, changed: their choices.
    """

    item: Longs
    left: Longs
    plain: Longs
    changed: Longs


def _both(view: View, plain: int, changed: int, kind: str) -> _Both:
    one, two = (view.cells(judge)[view.items].astype(np.int64) for judge in (plain, changed))
    used = has_choice(one) & has_choice(two)
    if kind == REFERENCE:
        used &= _referenced(view)[:, None]
    item, left = np.nonzero(used)
    words = [each[item, left] - 1 for each in (one, two)]
    if view.options.merge_both_bad:
        words = [np.where(each == BOTH_BAD, TIE, each) for each in words]
    return _Both(item, left, *words)


def _referenced(view: View) -> Bools:
    """Items whose question has a reference answer; all of them where none is in the study."""
    known = view.tally.background.referenced
    if not known:
        return np.ones(len(view.items), np.bool_)
    has = np.array([key in known for key in view.tally.questions], np.bool_)
    return np.asarray(has[view.tally.pair_table[view.pair, 3]])


def _rows(view: View, labels: dict[str, Label], both: _Both, people: Longs) -> Iterator[Estimate]:
    pair = view.pair.astype(np.int64)[both.item]
    yield _share_changed(view, {**labels, "measure": CHANGED}, both, pair)
    sided = (both.left > 0) & (both.plain <= MODEL_2) & (both.changed <= MODEL_2)
    for_left = (both.plain == both.left)[sided], (both.changed == both.left)[sided]
    reason = "no item on which both prefer a model, with the side on record"
    yield _paired(view, {**labels, "measure": LEFT}, *for_left, pair[sided], reason)
    counts = people[both.item]
    most = counts.max(axis=1, initial=0)
    clear = (most > 0) & ((counts == most[:, None]).sum(axis=1) == 1)
    word = counts.argmax(axis=1) + 1
    right = (both.plain == word)[clear], (both.changed == word)[clear]
    reason = "no item on which most people say the same"
    yield _paired(view, {**labels, "measure": AGREES}, *right, pair[clear], reason)


def _share_changed(view: View, labels: dict[str, Label], both: _Both, pair: Longs) -> Estimate:
    data = clusters_of((both.plain != both.changed).astype(np.float64), pair)
    part, whole = data.total.astype(np.int64), data.size.astype(np.int64)
    found = clustered_wilson(part, whole, view.options.level, "verdicts", "pairs")
    if found is None:
        reason = "no item was judged by both in the same order"
        if view.tally.background.referenced and labels["audit"] == REFERENCE:
            reason += ", of those with a reference"
        return Estimate(labels, None, reason=reason)
    n, k = data.n, int(data.total.sum())
    level = view.options.level
    return Estimate(
        labels, found.value, found.low, found.high, level, n=n, k=k, method=found.method
    )


def _paired(
    view: View, labels: dict[str, Label], plain: Bools, changed: Bools, pair: Longs, reason: str
) -> Estimate:
    """Changed less plain, of the same verdicts, with McNemar's exact test."""
    if not len(pair):
        return Estimate(labels, None, unit="difference", reason=reason)
    differences: Floats = changed.astype(np.float64) - plain
    data = clusters_of(differences, pair)
    gained, lost = int((differences > 0).sum()), int((differences < 0).sum())
    p = mcnemar(_sign_counts(data))
    told = mean_difference(data, view.options.level)
    method = (
        f"{many(gained, 'verdict')} came, {lost} went; McNemar exact by pair of answers, "
        f"p = {p:.2g}; "
        f"t over {many(len(data.size), 'pair')}"
    )
    level = view.options.level
    return Estimate(
        labels, told.value, told.low, told.high, level, n=data.n, unit="difference", method=method
    )


def _sign_counts(data: Clusters) -> tuple[int, int]:
    return int((data.total > 0).sum()), int((data.total < 0).sum())


def mcnemar(moved: tuple[int, int]) -> float:
    """Two-sided exact p that as many move one way as the other (McNemar 1947, as binomial)."""
    from scipy.special import bdtr

    total = sum(moved)
    return min(1.0, 2 * float(bdtr(min(moved), total, 0.5))) if total else 1.0


@statistic(
    "audits",
    "What names and a reference change",
    order=66,
    limits=(
        "A change of verdicts is not a change for the worse; only a comparison with rulings or "
        "votes says which is right."
    ),
)
def audits_of_judges(view: View) -> Result:
    """Share of verdicts that change, and which way, between judges that differ in one thing."""
    numbers = present_judges(view)
    known = view.tally.background.judges
    estimates: list[Estimate] = []
    for kind, plain, changed in audits({name: known[name] for name in numbers if name in known}):
        labels: dict[str, Label] = {"audit": kind, "judge": plain, "changed to": changed}
        both = _both(view, numbers[plain], numbers[changed], kind)
        people = item_counts(view, votes_of(view, next(iter(view.populations))))
        estimates += _rows(view, labels, both, people)
    notes = () if estimates else (_NO_AUDIT,)
    return Result(
        "audits",
        "What names and a reference change",
        "The same items in the same order, by two judges that differ in one thing.",
        ("audit", "judge", "changed to", "measure"),
        tuple(estimates),
        notes,
        view.assumptions(
            f"{NAMES}: two judges of one model, prompt and parameters, but for what the prompt "
            f"calls the answers; {REFERENCE}: but for whether it shows a reference, on questions "
            "that have one",
            f"{CHANGED}: of verdicts on the same item and order, those that differ; a judge that "
            "is asked twice the same changes some, too (see self_consistency)",
            f"{LEFT}: how much more often the changed judge prefers the left, where both prefer a "
            f"model; {AGREES}: how much more often it says what most people say",
            "clustered by pair of answers; a pair counts in McNemar's test for where most of its "
            "verdicts moved",
        ),
    )


_NO_AUDIT = (
    "no two judges differ only in the names they give the answers, or only in whether they see a "
    "reference: add the same judge again with another prompt"
)

"""How often people, judges and ways to make gold say what leads ruled, blind, on the same items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from core.gold import GoldRule
from core.stats.dawid_skene import Bools, Floats, Longs, Rules, fit
from core.stats.gold_fit import agreed_on, ballots_of, classes_of
from core.stats.gold_labels import OPEN, likeliest, majority
from core.stats.observed import votes_of
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD, CHOICES
from core.stats.view import View, one_each
from core.stats.voting import folds_of
from core.stats.weighted import weighted_share
from core.text import many

RULED, DRAWN = "all ruled", "drawn"
MAJORITY, MODEL = "(majority)", "(dawid-skene)"
ANNOTATOR, PEOPLE, JUDGE, GOLD = "annotator", "people", "judge", "gold"

_PARTS = 5
"""Parts that ruled items are dealt into; each is predicted by a fit that its rulings are not in."""

_CLOSE = 1e-6
"""What one more step moves nothing by where these fits are done: labels want less precision than
probabilities."""

_SHOWN = 100
"""Annotators listed; those with most ruled items come first."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What leads ruled without having seen a name; aligned, one entry per ruled item.

    Attributes:
        item: place among the items of the view, rising.
        label: class that was ruled.
        probability: with what probability the item was drawn for ruling; NaN where it was not.
    """

    item: Longs
    label: Longs
    probability: Floats

    @property
    def drawn(self) -> Bools:
        """Which were drawn at random."""
        return ~np.isnan(self.probability)


def reference(view: View) -> Reference:
    """Blind rulings, also where the lead revised them later; of disagreeing leads none."""
    rulings = view.tally.rulings
    nobody = np.zeros(len(rulings), np.bool_)
    ruled, labels = agreed_on(view, rulings.first_choice, nobody)
    label = np.full(len(view.tally.item_turn), OPEN)
    label[ruled] = labels
    label = label[view.items]
    probability = np.full(len(view.tally.item_turn), np.nan)
    drawn = ~np.isnan(rulings.probability)
    probability[rulings.item[drawn]] = rulings.probability[drawn]
    item = np.flatnonzero(label != OPEN)
    return Reference(item, label[item], probability[view.items[item]])


def _without_own_rulings(view: View, gold: Reference) -> Longs:
    """What Dawid–Skene makes of each ruled item where its ruling is not known to it."""
    found = ballots_of(view)
    part = folds_of(view.tally.pair_table[view.pair[gold.item], 3]) % _PARTS
    said = np.full(len(gold.item), OPEN)
    for number in np.unique(part).tolist():
        mine = gold.item[part == number]
        truth = found.ballots.truth.copy()
        truth[mine] = OPEN
        # From the votes anew: the fit with all rulings would bring these rulings along.
        posterior = fit(replace(found.ballots, truth=truth), Rules(close=_CLOSE)).posterior
        said[part == number] = likeliest(posterior[mine], GoldRule().threshold)
    said[~found.voted[gold.item]] = OPEN
    return said


def _one_each(label: Longs) -> Longs:
    """A table of one word per item, shape (items, 4); zeros where there is none."""
    return one_each((label + 1).astype(np.int8)).astype(np.int64)


def _raters(view: View, gold: Reference) -> Iterator[tuple[str, str, Longs]]:
    """Name, sort and words per ruled item of everybody, shape (ruled items, 4)."""
    voted = votes_of(view, next(iter(view.populations)))
    is_ruled = np.zeros(len(view.items), np.bool_)
    is_ruled[gold.item] = True
    kept = voted.only(is_ruled[voted.item])
    kept = kept.only(~_leads_own(view, kept.item, kept.rater))
    kept = replace(kept, item=np.searchsorted(gold.item, kept.item).astype(np.int64))
    items = len(gold.item)
    for name in view.populations:
        mine = kept.only(view.members(name)[kept.rater])
        cells = mine.item * CHOICES + mine.choice - 1
        counts = np.bincount(cells, minlength=items * CHOICES).reshape(items, CHOICES)
        yield name, PEOPLE, counts
        if name == next(iter(view.populations)):
            yield MAJORITY, GOLD, _one_each(majority(counts))
    yield MODEL, GOLD, _one_each(_without_own_rulings(view, gold))
    for name, outcomes in view.words().items():
        yield name, JUDGE, _one_each(outcomes.choice[gold.item].astype(np.int64) - 1)
    met = np.bincount(kept.rater, minlength=len(view.tally.annotators))
    order = sorted(np.flatnonzero(met).tolist(), key=lambda each: (-met[each], each))
    for number in order[:_SHOWN]:
        mine = kept.only(kept.rater == number)
        label = np.full(items, OPEN)
        label[mine.item] = mine.choice - 1
        yield view.tally.annotators[number], ANNOTATOR, _one_each(label)


def _says_both_bad(gold: Reference, said: list[tuple[str, str, Longs]]) -> bool:
    """Whether a ruling, or anybody on an item that was ruled on, says both bad."""
    bad = BOTH_BAD - 1
    return bool((gold.label == bad).any() or any(words[:, bad].any() for _, _, words in said))


def _leads_own(view: View, item: Longs, annotator: Longs) -> Bools:
    """Which votes are those of a lead on an item that they ruled on themselves."""
    rulings, people = view.tally.rulings, max(len(view.tally.annotators), 1)
    ruled = rulings.item * people + rulings.lead
    return np.isin(view.items[item] * people + annotator, ruled)


def _estimate(
    view: View, labels: dict[str, Label], words: Longs, gold: Reference, classes: int
) -> Estimate:
    used, weights = np.ones(len(words), np.bool_), np.ones(len(words))
    if labels["over"] == DRAWN:
        used = gold.drawn
        weights = 1 / np.where(used, gold.probability, 1)
        queued = view.design.on(view.pair[gold.item])
        weights = weights if queued is None else weights * queued
    whole = words.sum(axis=1) * used
    part = words[np.arange(len(words)), gold.label] * used
    n, k = int(whole.sum()), int(part.sum())
    # Weights belong to items, clusters are pairs: both are summed up before the share is taken.
    pairs, pair = np.unique(view.pair[gold.item], return_inverse=True)
    looked, found = (np.bincount(pair, weights * each, len(pairs)) for each in (whole, part))
    share = weighted_share(found, looked, np.ones(len(pairs)), view.options.level, "pairs", n)
    if share is None:
        return Estimate(labels, None, reason="nothing was said on an item that was ruled on")
    return Estimate(
        labels,
        share.value,
        share.low,
        share.high,
        view.options.level,
        n=n,
        k=k,
        method=share.method,
        chance=1 / classes,
    )


def _notes(view: View, gold: Reference) -> list[str]:
    ruled, drawn = len(gold.item), int(gold.drawn.sum())
    if not ruled:
        return ["no lead has ruled blind on a selected item, with an outcome that others share"]
    notes = [f"ruled on blind: {many(ruled, 'item')}, {drawn} of them drawn at random"]
    if not drawn:
        notes.append(
            "none was drawn at random: these numbers are about the items that were ruled on, "
            "which are mostly the disputed ones, and about no others"
        )
    return notes


@statistic(
    "gold_agreement",
    "Agreement with leads' rulings",
    order=37,
    limits=(
        "Not about all items unless they were drawn: what leads rule on otherwise is mostly "
        "disputed. A lead can be wrong, too; the ruling is what the others are held to."
    ),
)
def gold_agreement(view: View) -> Result:
    """Each annotator, group, judge, panel, majority and Dawid–Skene against blind rulings."""
    gold = reference(view)
    estimates: list[Estimate] = []
    if gold.item.size:
        said = list(_raters(view, gold))
        classes = classes_of(view)
        if not view.options.merge_both_bad and not _says_both_bad(gold, said):
            classes -= 1
        for name, sort, words in said:
            for over in (DRAWN, RULED) if gold.drawn.any() else (RULED,):
                labels: dict[str, Label] = {"rater": name, "is": sort, "over": over}
                estimates.append(_estimate(view, labels, words, gold, classes))
    return Result(
        "gold_agreement",
        "Agreement with leads' rulings",
        "How often each says what a lead ruled blind on the same item; the rest is disagreement.",
        ("rater", "is", "over"),
        tuple(estimates),
        (*_notes(view, gold), *view.judge_notes()),
        view.assumptions(
            "rulings as they were made blind, also where they were revised after unmasking; leads "
            "who disagree on an item, and rulings without an outcome, are left out",
            "drawn: only items that came into the queue by a draw, weighed by 1 / probability: "
            "they stand for all items that could have been drawn (times the pair's own weight "
            "where the queue was unequal); all ruled: as they are",
            "chance is 1/3, 1/4 where a ruling, or anybody on an item ruled on, says both bad",
            "a lead's own votes on items that they ruled on are left out",
            "(majority): more than half of the votes; (dawid-skene): from "
            f"{GoldRule().threshold:g} on, by fits that know the rulings on other questions only "
            f"({_PARTS} parts); where either is undecided the item is left out",
            "turns are pooled; intervals are clustered by pair; that of (dawid-skene) is about the "
            "labels of this study's fits: with more votes they would be others",
        ),
    )

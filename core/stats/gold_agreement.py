"""How often people, judges and ways to make gold say what leads ruled, blind, on the same items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.gold import GoldRule
from core.stats.collapsed import word
from core.stats.dawid_skene import Bools, Longs
from core.stats.gold_blind import (
    PARTS,
    Reference,
    blind_work,
    labels_without_own_rulings,
    reference,
)
from core.stats.gold_fit import classes_of
from core.stats.gold_labels import OPEN, majority
from core.stats.nearby import Near, votes_near
from core.stats.registry import statistic
from core.stats.results import Estimate, Label, Result
from core.stats.tally import BOTH_BAD, CHOICES
from core.stats.view import View, one_each
from core.stats.weighted import weighted_share
from core.text import many

RULED, DRAWN = "all ruled", "drawn"
MAJORITY, MODEL = "(majority)", "(dawid-skene)"
ANNOTATOR, PEOPLE, JUDGE, GOLD = "annotator", "people", "judge", "gold"

_SHOWN = 100
"""Annotators listed; those with most ruled items come first."""


def _one_each(label: Longs) -> Longs:
    """A table of one word per item, shape (items, 4); zeros where there is none."""
    return one_each((label + 1).astype(np.int8)).astype(np.int64)


def _raters(view: View, gold: Reference) -> Iterator[tuple[str, str, Longs]]:
    """Name, sort and words per ruled item of everybody, shape (ruled items, 4)."""
    here = Near(gold.item, gold.item)
    kept, _ = votes_near(view, here, next(iter(view.populations)))
    kept = kept.only(~_leads_own(view, gold.item[kept.item], kept.rater))
    items = len(gold.item)
    for name in view.populations:
        mine = kept.only(view.members(name)[kept.rater])
        cells = mine.item * CHOICES + mine.choice - 1
        counts = np.bincount(cells, minlength=items * CHOICES).reshape(items, CHOICES)
        yield name, PEOPLE, counts
        if name == next(iter(view.populations)):
            yield MAJORITY, GOLD, _one_each(majority(counts))
    yield MODEL, GOLD, _one_each(labels_without_own_rulings(view)[0])
    for name in (*view.present, *view.panels()):
        yield name, JUDGE, _one_each(word(view, name).rows(gold.item)[:, 0].astype(np.int64) - 1)
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
    return np.isin(item * people + annotator, ruled)


def _estimate(
    view: View, labels: dict[str, Label], words: Longs, gold: Reference, classes: int
) -> Estimate:
    used, weights = np.ones(len(words), np.bool_), np.ones(len(words))
    if labels["over"] == DRAWN:
        used = gold.drawn
        weights = 1 / np.where(used, gold.probability, 1)
        queued = view.design.on(view.tally.item_pair[gold.item])
        weights = weights if queued is None else weights * queued
    whole = words.sum(axis=1) * used
    part = words[np.arange(len(words)), gold.label] * used
    n, k = int(whole.sum()), int(part.sum())
    # Weights belong to items, clusters are pairs: both are summed up before the share is taken.
    pairs, pair = np.unique(view.tally.item_pair[gold.item], return_inverse=True)
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
    follows=True,
    work=blind_work,
)
def gold_agreement(view: View) -> Result:
    """Each annotator, group, judge, panel, majority and Dawid–Skene against blind rulings."""
    gold = reference(view)
    estimates: list[Estimate] = []
    fitted = []
    if gold.item.size:
        fitted.append(f"(dawid-skene): {labels_without_own_rulings(view)[1]}")
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
            f"({PARTS} parts); where either is undecided the item is left out",
            "turns are pooled; intervals are clustered by pair; that of (dawid-skene) is about the "
            "labels of this study's fits: with more votes they would be others",
            *fitted,
        ),
    )

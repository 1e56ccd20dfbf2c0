"""What a lead chose to look at: which items, which votes, which judges, and how reports say so."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.stats.options import Options
from core.stats.standing_votes import without_times
from core.stats.tally import Tally
from core.text import many

Bools = NDArray[np.bool_]
Longs = NDArray[np.int64]


def _check_known(what: str, wanted: str | None, known: Collection[str | None]) -> None:
    if wanted is not None and wanted not in known:
        names = ", ".join(sorted({each for each in known if each})) or "none"
        raise UsageError(f"no {what} is called {wanted!r}", f"There are: {names}.")


def check_names(tally: Tally, options: Options) -> None:
    """Refuse names that the study does not know; judges are checked by the view.

    Raises:
        UsageError: if the options name a group, category, model or annotator that there is not.
    """
    _check_known("annotator group", options.group, tally.annotator_groups)
    _check_known("category", options.category, tally.categories)
    _check_known("annotator", options.annotator, tally.annotators)
    for model in (options.model, *(options.models or ())):
        _check_known("model", model, tally.models)


def check_judge(options: Options, known: Collection[str]) -> None:
    """Refuse a judge that is neither one nor a panel.

    Raises:
        UsageError: if the options name such a judge.
    """
    _check_known("judge", options.judge, known)


def selected_items(tally: Tally, options: Options, items: Longs) -> Bools:
    """Which of these item numbers of the tally are looked at."""
    keep = np.ones(len(items), np.bool_)
    if options.turn is not None:
        keep &= tally.item_turn[items] == options.turn
    pairs = tally.pair_table[tally.item_pair[items]]
    if options.category is not None:
        wanted = [each == options.category for each in tally.categories]
        keep &= np.array(wanted, np.bool_)[pairs[:, 2]]
    for model in (options.model, *(options.models or ())):
        if model is not None:
            keep &= (pairs[:, :2] == tally.models.index(model)).any(axis=1)
    return keep


def vote_filter(tally: Tally, options: Options) -> tuple[object, ...] | None:
    """By whom and when the votes looked at were cast; None where they are not chosen by that."""
    if options.annotator is None and not options.is_timed:
        return None
    annotator = options.annotator
    number = None if annotator is None else tally.annotators.index(annotator)
    return number, options.window if options.is_timed else None


def selected_votes(tally: Tally, options: Options, annotator: Longs, seq: Longs) -> Bools:
    """Which of some vote rows are looked at.

    Args:
        annotator: of each row, the annotator's number.
        seq: of each row.

    Raises:
        ValueError: if times matter and were not told to the tally.
    """
    keep = np.ones(len(annotator), np.bool_)
    if options.annotator is not None:
        keep &= annotator == tally.annotators.index(options.annotator)
    if options.is_timed:
        start, end = options.window
        at = tally.times.of(seq)
        keep &= (at >= start) & (at < end)
    return keep


def _voters(options: Options, tally: Tally) -> list[str]:
    if options.annotator is not None:
        return [f"{options.people} votes: only those of {options.annotator!r}"]
    if options.group is not None:
        return [f"{options.people} votes: only annotators of the group {options.group!r}"]
    if left_out := set(options.exclude_groups) & set(tally.annotator_groups):
        names = ", ".join(repr(name) for name in sorted(left_out))
        return [f"{options.people} votes: annotators of the group {names} are left out"]
    return []


def _times(options: Options, tally: Tally) -> list[str]:
    if not options.is_timed:
        return []
    words = [] if options.since is None else [f"from {options.since} on"]
    words += [] if options.until is None else [f"before {options.until}"]
    said = [f"only votes cast {' and '.join(words)}; verdicts are not chosen by time"]
    unknown = without_times(tally)
    return said + ([f"{many(unknown, 'vote')} left out, with no time on record"] if unknown else [])


def none_of(what: str, options: Options, tally: Tally) -> str:
    """That there is nothing to reckon with, in words: none at all yet, or none of those chosen.

    Args:
        what: such as "votes and no verdicts".
    """
    has_any = tally.last_vote_seq or tally.last_verdict_seq
    where = "under this filter" if has_any and in_words(options, tally) else "yet"
    return f"there are no {what} {where}"


def in_words(options: Options, tally: Tally) -> list[str]:
    """Every choice of what to look at that is not the default."""
    said = _voters(options, tally)
    if options.category is not None:
        said.append(f"only questions of the category {options.category!r}")
    if options.turn is not None:
        said.append(f"only turn {options.turn}")
    if options.model is not None:
        said.append(f"only pairs with an answer of {options.model!r}")
    if options.models is not None:
        one, two = options.models
        said.append(f"only pairs of {one!r} and {two!r}")
    if options.judge is not None:
        said.append(f"judges: only {options.judge!r}")
    return said + _times(options, tally)

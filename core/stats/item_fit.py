"""Dawid–Skene over the rows of an export: the votes that count in it, its rulings clamped."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from core.gold import DecidedBy, GoldRule, decide
from core.items import Item
from core.records import Choice
from core.stats.dawid_skene import Ballots, fit

_CLASSES = {choice: place for place, choice in enumerate(Choice)}
_DIGITS = 9
"""Decimals that are kept: what comes after them depends on the host's arithmetic."""


def fitted(
    items: Iterable[tuple[Item, Any]], numbers: Mapping[str, int]
) -> dict[tuple[str, int], dict[Choice, float]]:
    """How likely each outcome is, by pair's key and turn.

    Of several votes by one annotator on an item the last counts, as in the statistics.

    Args:
        numbers: annotator → row number, which orders them.
    """
    keys: list[tuple[str, int]] = []
    truth = array("q")
    votes = tuple(array("q") for _ in range(4))
    for item, _ in items:
        ruled = decide([], item.rulings, GoldRule())
        is_ruled = ruled.decided_by is DecidedBy.RULING and ruled.label is not None
        truth.append(_CLASSES[ruled.label] if is_ruled and ruled.label is not None else -1)
        for vote in {vote.annotator: vote for vote, _ in item.votes}.values():
            assert vote.choice is not None
            row = (len(keys), numbers[vote.annotator], _CLASSES[vote.choice], vote.left or 0)
            for column, value in zip(votes, row, strict=True):
                column.append(value)
        keys.append((item.pair.key, item.turn))
    place, who, said, left = (np.array(column, np.int64) for column in votes)
    raters, rater = np.unique(who, return_inverse=True)
    found = fit(
        Ballots(
            place,
            rater.astype(np.int64),
            said,
            left,
            len(keys),
            len(raters),
            len(_CLASSES),
            np.array(truth, np.int64),
        )
    )
    rows = np.round(found.posterior, _DIGITS).tolist()
    return {key: dict(zip(_CLASSES, row, strict=True)) for key, row in zip(keys, rows, strict=True)}

"""Whole numbers sorted and summed up by key, sooner than by comparing them.

Keys of votes are made of a few small numbers (rater, pair, item). A stable sort by 16 bits at a
time, which numpy does by counting, takes two passes for them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

_BITS: Final = 16
_FEW: Final = 1 << 12
"""Below this a comparison sort is as fast."""

_DENSE: Final = 4
"""Up to so many numbers for each key, a table of all of them is sooner made than a sort."""


def order_of(keys: NDArray[Any]) -> Longs:
    """The stable order of whole numbers, none below 0."""
    if len(keys) < _FEW:
        return np.asarray(np.argsort(keys, kind="stable"), np.int64)
    left = int(keys.max()) >> _BITS
    order: Longs = np.argsort(keys.astype(np.uint16), kind="stable")
    shift = _BITS
    while left:
        digit = (keys[order] >> shift).astype(np.uint16)
        order = order[np.argsort(digit, kind="stable")]
        shift += _BITS
        left >>= _BITS
    return order


def last_of_each(keys: NDArray[Any]) -> Longs:
    """Where each distinct whole number, none below 0, occurs last; in rising order of number."""
    order = order_of(keys)
    ranked = keys[order]
    return order[np.append(ranked[1:] != ranked[:-1], True)] if len(order) else order


def grouped(keys: Longs) -> tuple[Longs, Longs, Longs]:
    """The distinct whole numbers, none below 0, in rising order.

    Returns:
        Them, where each occurs first, and which of them each key is.
    """
    order = order_of(keys)
    ranked = keys[order]
    is_new = np.append(True, ranked[1:] != ranked[:-1])[: len(keys)]
    place = np.empty(len(keys), np.int64)
    place[order] = np.cumsum(is_new) - 1
    first = order[is_new]
    return keys[first], first, place


def every_two(group: Longs) -> tuple[Longs, Longs]:
    """Places of every two entries of the same group; the groups are sorted."""
    left, right = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    start, gap = np.arange(len(group)), 1
    while start.size:
        start = start[start + gap < len(group)]
        start = start[group[start + gap] == group[start]]
        left.append(start)
        right.append(start + gap)
        gap += 1
    return np.concatenate(left), np.concatenate(right)


def summed_by(keys: Longs, values: Floats) -> tuple[Longs, Floats, Floats]:
    """Values added up by key, in the order in which they stand.

    Args:
        keys: whole numbers, none below 0.

    Returns:
        The distinct keys, rising; their sums; and how many values each has.
    """
    if not len(keys):
        return keys, np.zeros(0), np.zeros(0)
    top = int(keys.max()) + 1
    if top <= _DENSE * len(keys):
        size = np.bincount(keys, minlength=top)
        total = np.bincount(keys, weights=values, minlength=top)
        found = np.flatnonzero(size)
        return found, total[found].astype(np.float64), size[found].astype(np.float64)
    if np.all(keys[1:] >= keys[:-1]):
        is_new = np.append(True, keys[1:] != keys[:-1])
        found, place = keys[is_new], np.cumsum(is_new) - 1
    else:
        found, place = np.unique(keys, return_inverse=True)
    total = np.bincount(place, weights=values)
    return found, total.astype(np.float64), np.bincount(place).astype(np.float64)

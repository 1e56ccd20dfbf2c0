"""What a majority, or probabilities, make of an item: one class, or none."""

from __future__ import annotations

import numpy as np

from core.stats.dawid_skene import Floats, Longs

OPEN = -1
"""Stands for an item that nothing decides."""


def majority(counts: Longs) -> Longs:
    """The class with more than half of the votes by item; :data:`OPEN` where none has."""
    total = counts.sum(axis=1)
    top = counts.max(axis=1, initial=0)
    return np.where(2 * top > total, counts.argmax(axis=1), OPEN)


def likeliest(posterior: Floats, threshold: float) -> Longs:
    """The one most likely class by item; :data:`OPEN` where none reaches the threshold."""
    top = posterior.max(axis=1, initial=0)
    alone = (posterior == top[:, None]).sum(axis=1) == 1
    return np.where(alone & (top >= threshold), posterior.argmax(axis=1), OPEN)


def entropy(posterior: Floats) -> Floats:
    """What is left open by item, 0 (certain) to 1 (all classes alike)."""
    logs = np.log(np.maximum(posterior, 1e-300))
    return np.asarray(-(posterior * logs).sum(axis=1) / np.log(posterior.shape[1]))

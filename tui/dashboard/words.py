"""Numbers in a word or two, so that a matrix can be read without its colours."""

from __future__ import annotations

from core.stats.results import Estimate

_KAPPA = (
    (0.8, "near perfect"),
    (0.6, "substantial"),
    (0.4, "moderate"),
    (0.2, "fair"),
    (0.0, "slight"),
)
"""Landis & Koch 1977 (Biometrics 33): names for ranges of κ, which they called arbitrary."""


def kappa_word(each: Estimate) -> str:
    """What Landis & Koch call a κ of this size."""
    assert each.value is not None
    return next((word for least, word in _KAPPA if each.value >= least), "poor")


def agreement_word(each: Estimate, ceiling: Estimate | None) -> str:
    """Where an agreement lies between chance and what people reach among themselves.

    Args:
        ceiling: people among themselves, on the same turn and in the same setup. Where the two
            intervals overlap they are called equal: nobody can tell them apart.
    """
    assert each.value is not None
    low = each.value if each.low is None else each.low
    high = each.value if each.high is None else each.high
    if each.chance is not None and high < each.chance:
        return "< chance"
    if each.chance is not None and low <= each.chance:
        return "= chance"
    if ceiling is None or ceiling is each or ceiling.low is None or ceiling.high is None:
        return "> chance"
    if low > ceiling.high:
        return "> people"
    return "< people" if high < ceiling.low else "= people"

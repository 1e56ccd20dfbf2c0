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


def agreement_word(each: Estimate, over_people: Estimate | None) -> str:
    """Where an agreement lies between chance and what people reach among themselves.

    Args:
        over_people: what it is less that of people among themselves, on the same items; None
            where nobody worked that out. Intervals of the two may overlap although their
            difference is clear, so that nothing is said about people without it.
    """
    assert each.value is not None
    low = each.value if each.low is None else each.low
    high = each.value if each.high is None else each.high
    if each.chance is not None and high < each.chance:
        return "< chance"
    if each.chance is not None and low <= each.chance:
        return "= chance"
    if over_people is None or over_people.low is None or over_people.high is None:
        return "> chance"
    if over_people.low > 0:
        return "> people"
    return "< people" if over_people.high < 0 else "= people"

"""How numbers are written, wherever a person reads them."""

from __future__ import annotations


def number(value: float, unit: str) -> str:
    """A number of a result as text.

    Args:
        unit: see :class:`core.stats.results.Estimate`.
    """
    if unit == "points":
        return f"{value:,.1f}"
    if unit == "share":
        return f"{value:.1%}"
    if unit == "difference":
        return f"{100 * value:+.1f}"
    if unit == "count":
        return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
    return f"{value:.3f}"


def value_text(value: float, unit: str) -> str:
    """The same with what it counts, where the number alone does not say so."""
    return number(value, unit) + (" pts" if unit == "difference" else "")


def span(low: float, high: float, unit: str) -> str:
    """Two ends as text."""
    return f"{number(low, unit)} – {number(high, unit)}"

"""What a statistic hands back: numbers that carry their interval, their n and their limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Label = str | int


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number, or the reason why there is none.

    Attributes:
        labels: what the number is about (turn, setup, model …), keyed by the columns of its
            result.
        value: the point estimate in ``unit``; None if and only if ``reason`` says why.
        low: lower end of the interval; None where there is no interval, ``method`` says why.
        high: upper end.
        level: the interval's nominal coverage; None without an interval.
        n: what was compared or counted, after everything that was left out.
        k: how many of ``n`` agreed, won or were found; None where that means nothing.
        unit: ``share``, ``difference`` (of two shares), ``coefficient``, ``log-odds``, ``count`` or
            ``points``.
        lowest: the value if every failed verdict had gone against it (Manski 1989): no failure
            can take it lower. None where nothing failed, or it was not worked out.
        highest: the value if every failed verdict had gone for it.
        failed: items that a failed verdict keeps out, or whose word it could have turned.
        pending: items that are left out because a verdict is not in yet.
        chance: the value that raters who choose blindly would reach, where there is one.
        method: how value and interval came about, in words.
        reason: why there is no value, in words; empty if there is one.

    Raises:
        ValueError: if a number is not finite, or value and reason are both there or both
            missing, or an interval has one end.
    """

    labels: Mapping[str, Label]
    value: float | None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    n: int = 0
    k: int | None = None
    unit: str = "share"
    method: str = ""
    reason: str = ""
    chance: float | None = None
    lowest: float | None = None
    highest: float | None = None
    failed: int = 0
    pending: int = 0

    def __post_init__(self) -> None:
        ends_of_all = (self.lowest, self.highest)
        numbers = (self.value, self.low, self.high, self.level, self.chance, *ends_of_all)
        if any(number is not None and not math.isfinite(number) for number in numbers):
            raise ValueError(f"not a finite number: {numbers}")
        if (self.value is None) == (not self.reason):
            raise ValueError("an estimate has a value or a reason, never both")
        ends = {self.low is None, self.high is None, self.level is None}
        if len(ends) > 1 or (self.value is None and self.low is not None):
            raise ValueError("an interval has two ends, a level and a value")
        if (self.lowest is None) != (self.highest is None):
            raise ValueError("worst cases have two ends")

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; every key is always there, an absent number is None."""
        return {
            "labels": dict(self.labels),
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "n": self.n,
            "k": self.k,
            "unit": self.unit,
            "chance": self.chance,
            "lowest": self.lowest,
            "highest": self.highest,
            "failed": self.failed,
            "pending": self.pending,
            "method": self.method,
            "reason": self.reason,
        }


def count(labels: Mapping[str, Label], number: float, n: int | None = None) -> Estimate:
    """A plain count: no interval, because nothing was estimated."""
    total = int(number) if n is None else n
    return Estimate(labels, number, n=total, unit="count", method="count")


@dataclass(frozen=True, slots=True)
class Result:
    """One statistic's table.

    Attributes:
        id: stable name, as in ``stats --json``.
        title: for a heading.
        description: one sentence: what the numbers are.
        columns: the label names, in display order; every estimate's labels use these.
        estimates: the rows.
        notes: what was left out and what to watch for in these data.
        assumptions: choices that the numbers rest on (filters, ties, both bad).
    """

    id: str
    title: str
    description: str
    columns: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    notes: tuple[str, ...] = field(default=())
    assumptions: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for estimate in self.estimates:
            if not set(estimate.labels) <= set(self.columns):
                raise ValueError(f"{self.id}: labels {dict(estimate.labels)} not in columns")

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; the keys are stable."""
        return {
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "columns": list(self.columns),
            "estimates": [estimate.to_json() for estimate in self.estimates],
            "notes": list(self.notes),
            "assumptions": list(self.assumptions),
        }

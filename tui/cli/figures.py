"""Numbers on the command line: finite ones, and of a size that a study can keep."""

from __future__ import annotations

import math
from typing import Any

import click

_LARGEST = 2**53 - 1
"""Beyond it JSON's readers, and most of ours, no longer tell whole numbers apart."""


class Number(click.FloatRange):
    """A float that is one: ``nan`` passes every comparison that a range is made of."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number.

        Raises:
            click.BadParameter: if it is none, not finite, or out of the range.
        """
        number = click.FLOAT.convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return super().convert(value, param, ctx)


class Whole(click.IntRange):
    """A whole number from ``min`` to ``max``."""

    def __init__(self, min: int | None = None, max: int = _LARGEST) -> None:
        super().__init__(min, max)

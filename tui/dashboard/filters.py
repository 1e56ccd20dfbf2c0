"""What a lead chooses to look at, and how the screen says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import TiebreakError, UsageError
from core.text import one_line


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something that can be chosen.

    Attributes:
        id: the field of :class:`core.stats.options.Options`.
        choices: where its values come from; "" where a time is typed.
    """

    id: str
    title: str
    choices: str = ""


DIMENSIONS: tuple[Dimension, ...] = (
    Dimension("category", "category", "category"),
    Dimension("turn", "turn", "turn"),
    Dimension("model", "model", "model"),
    Dimension("other", "against model", "model"),
    Dimension("annotator", "annotator", "annotator"),
    Dimension("group", "group", "group"),
    Dimension("judge", "judge", "judge"),
    Dimension("since", "votes since"),
    Dimension("until", "votes until"),
)
"""Everything that can be chosen, in the order of the form."""


def in_words(chosen: Mapping[str, Any]) -> str:
    """The filters in a line."""
    if not chosen:
        return "All votes and verdicts"
    values = as_chosen(chosen)
    told = (
        f"{each.title} {one_line(values[each.id], 40)}" for each in DIMENSIONS if each.id in values
    )
    return "Only: " + "  ·  ".join(told)


def as_chosen(options: Mapping[str, Any]) -> dict[str, str]:
    """Values by dimension, from fields of ``core.stats.options.Options``."""
    values = {name: str(value) for name, value in options.items() if name != "models"}
    if options.get("models"):
        values["model"], values["other"] = options["models"]
    return values


def as_options(values: Mapping[str, str]) -> dict[str, Any]:
    """Fields of ``core.stats.options.Options``, from values by dimension.

    Raises:
        TiebreakError: if they do not go together, or a time is none.
    """
    from core.stats.options import Options

    options: dict[str, Any] = {name: value for name, value in values.items() if value}
    if "turn" in options:
        options["turn"] = int(options["turn"])
    other = options.pop("other", None)
    if other is not None:
        if options.get("model") in (None, other):
            raise UsageError("two models are wanted", "choose another model first")
        options["models"] = (options.pop("model"), other)
    try:
        Options(**options)
    except TiebreakError:
        raise
    except ValueError as error:
        raise UsageError(str(error), "type it as 2026-11-22 or 2026-11-22T15:00") from error
    return options

"""What a lead may choose about the numbers, alike wherever numbers are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from core.times import epoch
from tui.cli.figures import Whole

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _as_time(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            epoch(value)
        except ValueError:
            problem = f"{value!r} is no time; write it as 2026-11-22 or 2026-11-22T15:00:00Z"
            raise click.BadParameter(problem, context, parameter) from None
    return value


_FILTERS = (
    click.option("--turn", type=Whole(0), help="Only this turn; 0: whole conversations."),
    click.option("--category", help="Only questions of this category."),
    click.option("--group", help="Only annotators of this group."),
    click.option(
        "--model",
        "models",
        multiple=True,
        help="Only pairs with this model's answers; given twice: of these two models.",
    ),
    click.option("--annotator", metavar="NAME", help="Only this annotator's votes."),
    click.option("--judge", metavar="NAME", help="Only this judge, or this panel."),
    click.option(
        "--since",
        metavar="TIME",
        callback=_as_time,
        help="Only votes cast then or later, as 2026-11-22 (UTC).",
    ),
    click.option(
        "--until",
        metavar="TIME",
        callback=_as_time,
        help="Only votes cast before, as 2026-11-22T15:00Z.",
    ),
)
"""What votes and verdicts are looked at."""

_OPTIONS = (
    *_FILTERS,
    click.option(
        "--merge-both-bad", is_flag=True, help="Count both bad as a tie; the output says so."
    ),
    click.option(
        "--family",
        "families",
        multiple=True,
        metavar="START=FAMILY",
        help="Whose models begin so, for self_enhancement; may be given several times.",
    ),
    click.option(
        "--repeats",
        type=click.Choice(["first", "majority"]),
        help="A judge's word where it was asked repeatedly.  [default: the setting judge_repeats]",
    ),
    click.option(
        "--weights",
        type=click.Choice(["auto", "none"]),
        default="auto",
        show_default=True,
        help="Votes on pairs that were drawn with unequal probability.",
    ),
    click.option("--seed", type=Whole(0), default=0, show_default=True, help="Resampling."),
)


def filtering(command: _Command) -> _Command:
    """Give a command the options that choose votes and verdicts."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def choosing(command: _Command) -> _Command:
    """Give a command the options that choose what the numbers are about."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(said: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of :class:`core.stats.options.Options` from what those options were given.

    Raises:
        UsageError: if what was given does not go together.
    """
    from core.families import told_families

    fields = {name: value for name, value in said.items() if value is not None}
    one, other = two_models(fields.pop("models"))
    if one is not None:
        fields |= {"model": one} if other is None else {"models": (one, other)}
    return fields | {"families": told_families(fields["families"])}


def two_models(said: Sequence[str]) -> tuple[str | None, str | None]:
    """What ``--model`` was given: nothing, one model, or two against each other.

    Raises:
        UsageError: if a model is named twice, or three are.
    """
    if len(said) > 2 or len(set(said)) < len(said):
        raise click.UsageError("--model is given once, or twice for two different models.")
    one, other = (*said, None, None)[:2]
    return one, other

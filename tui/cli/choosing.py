"""What a lead may choose about the numbers, alike wherever numbers are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--turn", type=click.IntRange(0), help="Only this turn; 0: whole conversations."),
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
        "--since", metavar="TIME", help="Only votes cast then or later, as 2026-11-22 (UTC)."
    ),
    click.option("--until", metavar="TIME", help="Only votes cast before, as 2026-11-22T15:00Z."),
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
    click.option(
        "--seed", type=click.IntRange(0), default=0, show_default=True, help="Resampling."
    ),
)


def choosing(command: _Command) -> _Command:
    """Give a command the options that choose what the numbers are about."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen(said: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of :class:`core.stats.options.Options` from what those options were given.

    Raises:
        UsageError: if a model is named twice, or three are.
    """
    from core.families import told_families

    fields = {name: value for name, value in said.items() if value is not None}
    models = fields.pop("models")
    if len(models) > 2 or len(set(models)) < len(models):
        raise click.UsageError("--model is given once, or twice for two different models.")
    if models:
        fields |= {"model": models[0]} if len(models) == 1 else {"models": tuple(models)}
    return fields | {"families": told_families(fields["families"])}

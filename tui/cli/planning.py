"""The plan commands: how large a study must be, asked before there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from core.text import many
from tui.cli import example
from tui.cli.data import as_json, show_json
from tui.cli.figures import Number, Whole

if TYPE_CHECKING:
    from core.stats.planning import Crowd, Plan

Command = TypeVar("Command", bound=Callable[..., Any])


def _crowd_options(command: Command) -> Command:
    """The options that every plan shares."""
    for option in (
        click.option(
            "--overlap",
            type=Whole(1, 99),
            default=2,
            show_default=True,
            help="Votes on each pair.",
        ),
        click.option(
            "--ties",
            type=Number(0, 0.99),
            default=0.25,
            show_default=True,
            help="Share of votes that prefer neither, between equals.",
        ),
        click.option(
            "--agreement",
            type=Number(0.5, 1),
            default=0.8,
            show_default=True,
            help="How often two people agree who both prefer a model.",
        ),
        click.option(
            "--level",
            type=Number(0.5, 0.999),
            default=0.95,
            show_default=True,
            help="Coverage of the interval.",
        ),
    ):
        command = option(command)
    return command


_power = click.option(
    "--power",
    type=Number(0.5, 0.999),
    default=0.8,
    show_default=True,
    help="Chance to find it if it is there.",
)
_pairs = click.option(
    "--pairs",
    type=Whole(2, 10_000_000),
    metavar="N",
    help="Say what N pairs give, instead of how many are needed.",
)


@click.group("plan", epilog=example("tiebreak plan win-rate 0.6 --overlap 3"))
def plan_command() -> None:
    """How many pairs and votes a study needs, before it begins."""


@plan_command.command(
    "win-rate",
    epilog=example("tiebreak plan win-rate 0.6", "tiebreak plan win-rate 0.55 --pairs 300 --json"),
)
@click.argument("share", type=Number())
@_pairs
@_power
@_crowd_options
@as_json
def plan_win_rate_command(
    share: float, pairs: int | None, power: float, as_json: bool, level: float, **crowd: Any
) -> None:
    """Pairs to tell that one of two models takes SHARE of the points, and not half.

    A tie is half a point, so that 0.5 is no difference.
    """
    from core.stats.planning import plan_win_rate

    _show(plan_win_rate(share, _crowd(crowd), power, level, pairs), as_json)


@plan_command.command(
    "agreement",
    epilog=example(
        "tiebreak plan agreement --agreement 0.8 --width 0.1",
        "tiebreak plan agreement --kappa 0.4 --width 0.15",
    ),
)
@click.option("--kappa", type=Number(), metavar="K", help="Plan for Cohen's κ, expected at K.")
@click.option("--width", type=Number(), metavar="W", help="Of the interval, from end to end.")
@_pairs
@_crowd_options
@as_json
def plan_agreement_command(
    kappa: float | None,
    width: float | None,
    pairs: int | None,
    as_json: bool,
    level: float,
    **crowd: Any,
) -> None:
    """Pairs until agreement between people is known within a width: S2, or κ with --kappa."""
    from core.stats.planning import plan_agreement, plan_kappa

    votes = _crowd(crowd)
    if kappa is None:
        _show(plan_agreement(votes, width, level, pairs), as_json)
    else:
        _show(plan_kappa(kappa, votes, width, level, pairs), as_json)


@plan_command.command(
    "ranking",
    epilog=example(
        "tiebreak plan ranking --models 6 0.6", "tiebreak plan ranking 0.6 --questions 80"
    ),
)
@click.argument("share", type=Number())
@click.option(
    "--models",
    type=Whole(2, 200),
    default=4,
    show_default=True,
    help="How many models there are.",
)
@click.option(
    "--questions",
    type=Whole(2, 1_000_000),
    metavar="N",
    help="Say what N questions give, instead of how many are needed.",
)
@_power
@_crowd_options
@as_json
def plan_ranking_command(
    share: float,
    models: int,
    questions: int | None,
    power: float,
    as_json: bool,
    level: float,
    **crowd: Any,
) -> None:
    """Questions until models of which each takes SHARE of the next one's points part in tiers."""
    from core.stats.planning import plan_ranking

    _show(plan_ranking(models, share, _crowd(crowd), power, level, questions), as_json)


def _crowd(chosen: dict[str, Any]) -> Crowd:
    from core.stats.planning import Crowd

    return Crowd(**chosen)


def _show(plan: Plan, as_json: bool) -> None:
    if as_json:
        show_json({"format": 1, "plan": plan.to_json()})
        return
    click.echo(f"To {plan.goal}:" if plan.power is not None else f"For {plan.goal}:")
    asked = "" if plan.questions is None else f"{many(plan.questions, 'question')}, "
    click.echo(f"  {asked}{many(plan.pairs, 'pair')}, {many(plan.votes, 'vote')}")
    if plan.power is not None:
        click.echo(f"  power {plan.power:.0%}")
    click.echo("")
    for each in plan.assumptions:
        click.echo(f"· {each}")

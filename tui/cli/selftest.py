"""The selftest command."""

from __future__ import annotations

import click

from core.errors import TiebreakError
from tui.cli import example
from tui.cli.data import as_json, show_json
from tui.cli.figures import Whole


@click.command(
    "selftest", epilog=example("tiebreak selftest", "tiebreak selftest --runs 200 --json")
)
@click.option("--runs", type=Whole(1, 10_000), default=20, show_default=True, help="Studies.")
@click.option("--seed", type=Whole(0), default=0, show_default=True, help="Of the draws.")
@as_json
def selftest_command(runs: int, seed: int, as_json: bool) -> None:
    """Plant biases of known size in made-up studies, and see whether the numbers find them."""
    from tui.selftest import lines, run

    report = run(runs, seed)
    if as_json:
        effects = [each.to_json() for each in report.recovered]
        show_json({"format": 1, "runs": runs, "seed": seed, "effects": effects})
    else:
        click.echo("\n".join(lines(report)))
    if not report.is_kept:
        raise TiebreakError(
            "an interval does not hold what it promises", "please report this with the table above"
        )

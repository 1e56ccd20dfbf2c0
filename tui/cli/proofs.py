"""The proofs command."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from core.errors import TiebreakError
from core.text import many
from tui.cli import example
from tui.cli.data import as_json, show_json
from tui.cli.figures import Whole

_FULL_STUDIES, _FULL_PLANTS, _FULL_ORACLES = 600, 200, 10


@click.command(
    "proofs",
    epilog=example(
        "tiebreak proofs", "tiebreak proofs ranking --studies 100", "tiebreak proofs --full --json"
    ),
)
@click.argument("only", nargs=-1, metavar="[STATISTIC]...")
@click.option(
    "--studies",
    type=Whole(2, 100_000),
    help="Made-up studies for coverage.  [default: 60; with --full 600]",
)
@click.option("--full", is_flag=True, help="As many studies as it takes; some ten minutes.")
@click.option("--seed", type=Whole(0), default=0, show_default=True, help="Of the draws.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with mt_bench, pandalm and llmfao, for the published numbers.",
)
@as_json
def proofs_command(
    only: tuple[str, ...],
    studies: int | None,
    full: bool,
    seed: int,
    data: Path | None,
    as_json: bool,
) -> None:
    """Say of every statistic why it can be believed, and try it: one table.

    Oracles work the numbers out another way; published numbers must come out; planted effects
    must be found; nominal 95% intervals must hold the truth in 93–97% of made-up studies. It needs
    no study.
    """
    from tui.proofs import BROKEN, Asked, lines_of, table

    small = Asked(only, seed=seed, data=data)
    asked = Asked(
        only,
        studies or (_FULL_STUDIES if full else small.studies),
        _FULL_PLANTS if full else small.plants,
        _FULL_ORACLES if full else small.oracles,
        seed,
        data,
    )
    found = table(asked, _tell)
    _tell("")
    broken = [line for line in found if line.outcome == BROKEN]
    if as_json:
        show_json(
            {
                "format": 1,
                "studies": asked.studies,
                "seed": seed,
                "kept": not broken,
                "proofs": [line.to_json() for line in found],
            }
        )
    else:
        click.echo("\n".join(lines_of(found, shutil.get_terminal_size((120, 24)).columns)))
    if broken:
        names = ", ".join(dict.fromkeys(line.statistic for line in broken))
        raise TiebreakError(
            f"{many(len(broken), 'proof')} broken: {names}", "please report this with the table"
        )


def _tell(said: str) -> None:
    """Say on one line of a terminal what is being done; an empty word clears it."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{said}", nl=False, err=True)

"""The stats command."""

from __future__ import annotations

import shutil
from typing import Any

import click

from tui.cli import Settings, example
from tui.cli.choosing import choosing, chosen
from tui.cli.data import as_json, show_json


@click.command(
    "stats",
    epilog=example("tiebreak --db study.db stats", "tiebreak --db study.db stats agreement --json"),
)
@click.argument("only", nargs=-1, metavar="[STATISTIC]...")
@choosing
@as_json
@click.pass_obj
def stats_command(
    settings: Settings,
    /,
    only: tuple[str, ...],
    as_json: bool,
    **said: Any,
) -> None:
    """Agreement, reliability, win rates, position bias and ranking, each with its interval."""
    from core.stats import compute
    from core.stats.tally import Tally
    from db.feed import Feed
    from db.store import Store
    from tui.live import options_of
    from tui.tables import result_lines

    with Store(settings.study(), reading=True) as store:
        options = options_of(store, **chosen(said))
        feed = Feed(store, Tally())
        feed.catch_up(times=options.is_timed)
        results = compute(feed.tally, options, only or None)
    if as_json:
        show_json({"format": 1, "statistics": [result.to_json() for result in results]})
        return
    width = shutil.get_terminal_size((100, 24)).columns
    for result in results:
        click.echo("\n".join(result_lines(result, width)) + "\n")

"""The stats command."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from core.text import inert_json
from tui.cli import Settings, example
from tui.cli.choosing import choosing, chosen
from tui.cli.data import as_json, show_json

if TYPE_CHECKING:
    from core.stats.results import Result
    from tui.live import Numbers, Refresher


@click.command(
    "stats",
    epilog=example("tiebreak --db study.db stats", "tiebreak --db study.db stats agreement --json"),
)
@click.argument("only", nargs=-1, metavar="[STATISTIC]...")
@choosing
@click.option("--follow", is_flag=True, help="Print again what changes, until interrupted.")
@as_json
@click.pass_obj
def stats_command(
    settings: Settings,
    /,
    only: tuple[str, ...],
    follow: bool,
    as_json: bool,
    **said: Any,
) -> None:
    """Agreement, reliability, win rates, position bias and ranking, each with its interval."""
    from core.stats import compute
    from core.stats.registry import needs_times
    from core.stats.tally import Tally
    from db.feed import Feed
    from db.store import Store
    from tui.live import Refresher, options_of

    wanted = chosen(said)
    with Store(settings.study(), reading=True) as store:
        feed = Feed(store, Tally())
        if follow:
            _follow(Refresher(feed, lambda: options_of(store, **wanted), only), as_json)
            return
        options = options_of(store, **wanted)
        feed.catch_up(times=needs_times(options, only))
        results = compute(feed.tally, options, only or None)
    if as_json:
        show_json({"format": 1, "statistics": [result.to_json() for result in results]})
        return
    if only:
        _show(results)
        return
    from tui.tables import report_lines

    click.echo("\n".join(report_lines(results, options.people, _columns())))


def _show(results: Iterable[Result]) -> None:
    from tui.tables import result_lines

    for result in results:
        click.echo("\n".join(result_lines(result, _columns())) + "\n")


def _columns() -> int:
    """Cells of the terminal; 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def _follow(refresher: Refresher, as_json: bool) -> None:
    """Print what changes as it changes: tables under the vote they are as of, or a line of JSON."""
    from tui.live import follow

    def tell(numbers: Numbers) -> None:
        fresh = [result for result in numbers.results if result.id in numbers.changed]
        if not fresh:
            return
        if as_json:
            moment = {"vote": numbers.now.vote, "verdict": numbers.now.verdict}
            statistics = [result.to_json() for result in fresh]
            line = {"format": 1, "as_of": moment, "statistics": statistics}
            click.echo(inert_json(json.dumps(line, ensure_ascii=False, allow_nan=False)))
        else:
            click.echo(f"── as of vote {numbers.now.vote:,} ──\n")
            _show(fresh)
        sys.stdout.flush()

    def wait(seconds: float) -> bool:
        time.sleep(seconds)
        return False

    with suppress(KeyboardInterrupt):  # how it ends
        follow(refresher, tell, wait)

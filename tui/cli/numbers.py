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
from tui.cli.data import as_json, show_json

if TYPE_CHECKING:
    from core.stats.results import Result
    from tui.live import Numbers, Refresher


def _pairs(model: str | None, against: str | None) -> dict[str, Any]:
    """The options for a model, or for two against each other."""
    if against is None:
        return {"model": model}
    if model is None or model == against:
        raise click.UsageError("--against names the other model; --model names the first.")
    return {"models": (model, against)}


@click.command(
    "stats",
    epilog=example("tiebreak --db study.db stats", "tiebreak --db study.db stats agreement --json"),
)
@click.argument("only", nargs=-1, metavar="[STATISTIC]...")
@click.option("--turn", type=click.IntRange(0), help="Only this turn; 0: whole conversations.")
@click.option("--category", help="Only questions of this category.")
@click.option("--group", help="Only annotators of this group.")
@click.option("--model", help="Only pairs with this model's answers.")
@click.option("--against", metavar="MODEL", help="With --model: only pairs of these two models.")
@click.option("--annotator", metavar="NAME", help="Only this annotator's votes.")
@click.option("--judge", metavar="NAME", help="Only this judge, or this panel.")
@click.option("--since", metavar="TIME", help="Only votes cast then or later, as 2026-11-22 (UTC).")
@click.option("--until", metavar="TIME", help="Only votes cast before, as 2026-11-22T15:00Z.")
@click.option("--merge-both-bad", is_flag=True, help="Count both bad as a tie; the output says so.")
@click.option(
    "--family",
    "families",
    multiple=True,
    metavar="START=FAMILY",
    help="Whose models begin so, for self_enhancement; may be given several times.",
)
@click.option(
    "--repeats",
    type=click.Choice(["first", "majority"]),
    help="A judge's word where it was asked repeatedly.  [default: the setting judge_repeats]",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Resampling.")
@click.option("--follow", is_flag=True, help="Print again what changes, until interrupted.")
@as_json
@click.pass_obj
def stats_command(
    settings: Settings,
    only: tuple[str, ...],
    turn: int | None,
    category: str | None,
    group: str | None,
    model: str | None,
    against: str | None,
    annotator: str | None,
    judge: str | None,
    since: str | None,
    until: str | None,
    merge_both_bad: bool,
    families: tuple[str, ...],
    repeats: str | None,
    seed: int,
    follow: bool,
    as_json: bool,
) -> None:
    """Agreement, reliability, win rates, position bias and ranking, each with its interval."""
    from core.families import told_families
    from core.stats import compute
    from core.stats.tally import Tally
    from db.feed import Feed
    from db.store import Store
    from tui.live import Refresher, options_of

    chosen = {
        "turn": turn,
        "category": category,
        "group": group,
        **_pairs(model, against),
        "annotator": annotator,
        "judge": judge,
        "since": since,
        "until": until,
        "merge_both_bad": merge_both_bad,
        "families": told_families(families),
        "seed": seed,
        **({"repeats": repeats} if repeats else {}),
    }
    with Store(settings.study(), reading=True) as store:
        feed = Feed(store, Tally())
        if follow:
            _follow(Refresher(feed, lambda: options_of(store, **chosen), only), as_json)
            return
        options = options_of(store, **chosen)
        feed.catch_up(times=options.is_timed)
        results = compute(feed.tally, options, only or None)
    if as_json:
        show_json({"format": 1, "statistics": [result.to_json() for result in results]})
        return
    _show(results)


def _show(results: Iterable[Result]) -> None:
    from tui.tables import result_lines

    width = shutil.get_terminal_size((100, 24)).columns
    for result in results:
        click.echo("\n".join(result_lines(result, width)) + "\n")


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
            follows = "" if numbers.follows else "; this choice of votes is counted anew each time"
            click.echo(f"── as of vote {numbers.now.vote:,}{follows} ──\n")
            _show(fresh)
        sys.stdout.flush()

    def wait(seconds: float) -> bool:
        time.sleep(seconds)
        return False

    with suppress(KeyboardInterrupt):  # how it ends
        follow(refresher, tell, wait)

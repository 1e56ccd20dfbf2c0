"""The stats command."""

from __future__ import annotations

import shutil

import click

from tui.cli import Settings, example
from tui.cli.data import as_json, show_json


@click.command(
    "stats",
    epilog=example("tiebreak --db study.db stats", "tiebreak --db study.db stats agreement --json"),
)
@click.argument("only", nargs=-1, metavar="[STATISTIC]...")
@click.option("--turn", type=click.IntRange(0), help="Only this turn; 0: whole conversations.")
@click.option("--category", help="Only questions of this category.")
@click.option("--group", help="Only annotators of this group.")
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
@as_json
@click.pass_obj
def stats_command(
    settings: Settings,
    only: tuple[str, ...],
    turn: int | None,
    category: str | None,
    group: str | None,
    merge_both_bad: bool,
    families: tuple[str, ...],
    repeats: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Agreement, reliability, win rates, position bias and ranking, each with its interval."""
    from core.families import told_families
    from core.stats import compute
    from core.stats.tally import Tally
    from db.feed import Feed
    from db.store import Store
    from tui.live import options_of
    from tui.tables import result_lines

    with Store(settings.study(), reading=True) as store:
        options = options_of(
            store,
            turn=turn,
            category=category,
            group=group,
            merge_both_bad=merge_both_bad,
            families=told_families(families),
            seed=seed,
            **({"repeats": repeats} if repeats else {}),
        )
        feed = Feed(store, Tally())
        feed.catch_up()
        results = compute(feed.tally, options, only or None)
    if as_json:
        show_json({"format": 1, "statistics": [result.to_json() for result in results]})
        return
    width = shutil.get_terminal_size((100, 24)).columns
    for result in results:
        click.echo("\n".join(result_lines(result, width)) + "\n")

"""The stats command."""

from __future__ import annotations

import shutil
from typing import Any

import click

from tui.cli import Settings, example
from tui.cli.data import as_json, show_json


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
            **_pairs(model, against),
            annotator=annotator,
            judge=judge,
            since=since,
            until=until,
            merge_both_bad=merge_both_bad,
            families=told_families(families),
            seed=seed,
            **({"repeats": repeats} if repeats else {}),
        )
        feed = Feed(store, Tally())
        feed.catch_up(times=options.is_timed)
        results = compute(feed.tally, options, only or None)
    if as_json:
        show_json({"format": 1, "statistics": [result.to_json() for result in results]})
        return
    width = shutil.get_terminal_size((100, 24)).columns
    for result in results:
        click.echo("\n".join(result_lines(result, width)) + "\n")

"""The scores commands: what automatic benchmarks say of the models."""

from __future__ import annotations

import click

from core.text import many, one_line
from tui.cli import Settings, example, say
from tui.cli.data import as_json, show_json


@click.group("scores", epilog=example("tiebreak --db study.db scores show"))
def scores_command() -> None:
    """See and remove automatic benchmark scores; import brings them in."""


@scores_command.command("show", epilog=example("tiebreak --db study.db scores show --json"))
@as_json
@click.pass_obj
def scores_show(settings: Settings, as_json: bool) -> None:
    """The scores that were imported, by benchmark, best first."""
    from db.scores import Scores
    from db.store import Store

    with Store(settings.study(), reading=True) as store:
        every = sorted(Scores(store).every(), key=lambda one: (one.benchmark, -one.score))
    if as_json:
        show_json(
            [
                {
                    "benchmark": one.benchmark,
                    "model": one.model,
                    "score": one.score,
                    "low": one.low,
                    "high": one.high,
                    "source": one.source,
                }
                for one in every
            ]
        )
        return
    if not every:
        say("no scores yet: tiebreak import FILE takes a table of model, benchmark, score")
    for one in every:
        interval = "" if one.low is None else f"  {one.low:g} – {one.high:g}"
        names = f"{one_line(one.benchmark, 28):28}  {one_line(one.model, 28):28}"
        click.echo(f"{names}  {one.score:>10g}{interval}")


@scores_command.command("remove", epilog=example("tiebreak --db study.db scores remove MMLU"))
@click.argument("benchmark")
@click.pass_obj
def scores_remove(settings: Settings, benchmark: str) -> None:
    """Remove a benchmark's scores, for instance to import them corrected."""
    from db.scores import Scores
    from db.store import Store

    with Store(settings.study()) as store:
        gone = Scores(store).remove(benchmark)
    say(f"removed {many(gone, 'score')} on {one_line(benchmark, 200)}")

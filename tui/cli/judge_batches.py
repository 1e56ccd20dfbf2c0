"""The commands that let judges judge by files."""

from __future__ import annotations

from pathlib import Path

import click

from core.text import many, one_line
from tui.cli import Settings, example, say
from tui.cli.data import as_json, show_json
from tui.cli.figures import Whole


@click.group("batch", epilog=example("tiebreak --db study.db judge batch export remote out.jsonl"))
def judge_batch() -> None:
    """Judge by files of the OpenAI Batch format, in place of calls one by one.

    Pause the judge meanwhile, so that nothing is asked twice: judge pause NAME.
    """


@judge_batch.command(
    "export", epilog=example("tiebreak --db study.db judge batch export remote out.jsonl")
)
@click.argument("name")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--limit", type=Whole(1), help="At most this many calls.")
@click.option("--retry-failed", is_flag=True, help="What failed before, too.")
@as_json
@click.pass_obj
def batch_export(
    settings: Settings, name: str, out: Path, limit: int | None, retry_failed: bool, as_json: bool
) -> None:
    """Write what a judge has left to judge, as requests.

    A file holds 50,000 requests or 200 MB at most; what is more goes into OUT-2, OUT-3 and so
    on. Nothing in the study changes: what no result comes back for is still left.
    """
    from tui.judge_batch import export_batch

    files = export_batch(settings.study(), name, out, limit=limit, retry_failed=retry_failed)
    for path, count in files:
        say(f"{path}: {many(count, 'request')}")
    if not files:
        say(f"nothing is left for the judge {name!r}")
    if as_json:
        show_json([{"file": str(path), "requests": count} for path, count in files])


@judge_batch.command(
    "import", epilog=example("tiebreak --db study.db judge batch import remote results.jsonl")
)
@click.argument("name")
@click.argument(
    "results",
    nargs=-1,
    required=True,
    metavar="RESULTS...",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
)
@as_json
@click.pass_obj
def batch_import(settings: Settings, name: str, results: tuple[Path, ...], as_json: bool) -> None:
    """Record the verdicts of a batch's results, output and error files alike.

    Each verdict is recorded once, in whatever order and however often the files are given.
    Requests without a result, and those whose failure may pass, are left to judge.
    """
    from tui.judge_batch import import_batch

    done = import_batch(settings.study(), name, results)
    if as_json:
        show_json(
            {
                "judge": name,
                "verdicts": dict(done.recorded),
                "again": dict(done.again),
                "changed": done.changed,
                "doubled": done.doubled,
                "passed_over": done.passed_over,
                "broken": done.broken,
                "uncounted": done.uncounted,
            }
        )
    listed = ", ".join(f"{count:,} {status}" for status, count in done.recorded.items())
    say(f"{name}: {many(done.recorded.total(), 'verdict')}{f': {listed}' if listed else ''}")
    for failure, count in done.again.items():
        say(one_line(f"  {many(count, 'call')} left to judge: {failure}", 200))
    if done.changed:
        say(f"  {many(done.changed, 'call')} would be asked otherwise today: left to judge")
    if done.passed_over:
        say(f"  {many(done.passed_over, 'result')} passed over: recorded before, or not asked for")
    if done.doubled:
        verb = "counts" if done.doubled == 1 else "count"
        say(f"  {many(done.doubled, 'result')} came again and {verb} once")
    if done.uncounted:
        say(
            f"  {many(done.uncounted, 'call')} without a count of tokens that can be: counted with "
            "the most that they may have taken"
        )
    if done.broken:
        verb = "holds" if done.broken == 1 else "hold"
        say(f"  {many(done.broken, 'line')} {verb} no result: left to judge")

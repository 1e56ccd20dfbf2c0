"""The demo command."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from core.errors import TiebreakError
from tui.cli import example, say
from tui.cli.people import need_terminal, run_app, takes_preferences


@click.command("demo", epilog=example("tiebreak demo"))
@click.option(
    "--study",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(".demo/sample.db"),
    show_default=True,
    help="Where the sample study lives; it is made if it is not there.",
)
@click.option("--headless", is_flag=True, help="Without a screen, even in a terminal.")
@takes_preferences
def demo_command(study: Path, headless: bool, file: Path | None, theme: str | None) -> None:
    """Vote on the sample study, with judges in the background.

    Without a terminal the same job runs headless: simulated annotators press the keys of the
    real screen, and the report is printed. No model and no server are needed.
    """
    try:
        need_terminal("the demo", "")
    except TiebreakError as error:
        if not headless:
            say(f"{error.message}: running the same job headless, with simulated annotators.")
        headless = True
    if headless:
        _headless()
    else:
        _interactive(study, file, theme)


def _headless() -> None:
    from tui.demo import run_headless

    with tempfile.TemporaryDirectory(prefix="tiebreak-demo-") as folder:
        click.echo("\n".join(run_headless(Path(folder) / "sample.db")))


def _interactive(study: Path, file: Path | None, theme: str | None) -> None:
    from tui.app import TiebreakApp, Who
    from tui.background_judges import BackgroundJudges
    from tui.demo import BANNER, BackgroundAnnotators, check_is_sample, prepare
    from tui.preferences import load

    if not study.exists():
        study.parent.mkdir(parents=True, exist_ok=True)
        prepare(study)
    check_is_sample(study)
    working = (
        BackgroundJudges(study, concurrency=1, pace=0.15),
        BackgroundAnnotators(study, pace=0.8),
    )
    for one in working:
        one.start()
    try:
        who = Who("you", "local", is_lead=True)
        preferences = load(file, theme=theme)
        run_app(TiebreakApp(study, who, banner=BANNER, preferences=preferences))
    finally:
        for one in working:
            one.end()
        for one in working:
            one.join(timeout=5)
    for one in working:
        if one.refusal is not None:
            raise one.refusal
    say(f"Your votes are in {study}. Look at them: {sys.argv[0]} --db {study} stats")

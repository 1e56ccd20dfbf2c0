"""The report command."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.errors import UsageError
from core.text import many, one_line
from tui.cli import Settings, example, say
from tui.cli.choosing import choosing, chosen

if TYPE_CHECKING:
    from tui.reporting import Against

_KINDS = {".html": "html", ".htm": "html", ".md": "markdown", ".markdown": "markdown"}


@click.command(
    "report",
    epilog=example(
        "tiebreak --db study.db report out.html",
        "tiebreak --db study.db report out.md --against last-month.db",
        "tiebreak --db study.db report out.html --against 2026-11-01",
    ),
)
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["html", "markdown"]),
    help="What to write.  [default: by the file's name; markdown to standard output]",
)
@click.option(
    "--against",
    metavar="STUDY|TIME",
    help="Set the numbers beside another study's, or beside this one's at a date or time.",
)
@click.option("--names", is_flag=True, help="Annotators' names instead of pseudonyms.")
@click.option("--only", multiple=True, metavar="STATISTIC", help="Only this; several times.")
@choosing
@click.pass_obj
def report_command(
    settings: Settings,
    /,
    output: Path,
    kind: str | None,
    against: str | None,
    names: bool,
    only: tuple[str, ...],
    **said: Any,
) -> None:
    """Write every number with its interval, method and limits as one page.

    The page needs no network and no other file. `-` writes to standard output.
    """
    from core.reporting.html import html
    from core.reporting.markdown import markdown
    from db.store import Store
    from tui.cli.exporting import STDOUT, shown
    from tui.export_files import writing
    from tui.reporting import report_of

    is_shown = output == STDOUT
    kind = kind or ("markdown" if is_shown else _KINDS.get(output.suffix.lower()))
    if kind is None:
        raise UsageError(
            f"{one_line(str(output), 200)}: no report is known to end so",
            "name it .html or .md, or say --format html or --format markdown",
        )
    with Store(settings.study(), reading=True) as store:
        report = report_of(store, chosen(said), names=names, against=_against(against), only=only)
    text = html(report) if kind == "html" else markdown(report)
    if is_shown:
        shown(sys.stdout, is_json=False).write(text)
    else:
        with writing(output, is_folder=False) as files:
            files.text().write(text)
            files.close()
            files.keep(None)
    where = "stdout" if is_shown else one_line(str(output), 600)
    say(f"{many(len(report.sections), 'section')} written to {where}")


def _against(said: str | None) -> Against | None:
    """What ``--against`` names: a file that is there, or a moment.

    Raises:
        UsageError: if it is neither.
    """
    from tui.reporting import Against

    if said is None:
        return None
    if Path(said).exists():
        return Against(study=Path(said))
    try:
        moment = datetime.fromisoformat(said)
        if len(said) == len("2026-11-01"):
            moment += timedelta(days=1) - timedelta(seconds=1)  # until that day's end
        until = moment.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError) as error:  # or one before or after all years
        raise UsageError(
            f"{one_line(said, 200)}: there is no such study, and it is no date or time",
            "name a study's file, or a date such as 2026-11-01 or 2026-11-01T18:00",
        ) from error
    return Against(until=until)

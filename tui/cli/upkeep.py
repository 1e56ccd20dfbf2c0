"""Commands that keep a study safe: backup, restore, doctor."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import click

from core.errors import TiebreakError, UsageError
from core.text import many, one_line
from tui.cli import Settings, example, say
from tui.cli.data import as_json, show_heads, show_json
from tui.cli.figures import Whole

if TYPE_CHECKING:
    from db.findings import Check


@click.command(
    "backup",
    epilog=example(
        "tiebreak --db study.db backup copy.db",
        "tiebreak --db study.db backup /var/backups/tiebreak --keep 14",
    ),
)
@click.argument("to", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace a file of that name.")
@click.option(
    "--keep",
    type=Whole(1),
    metavar="N",
    help="TO is a folder: name the backup by the time, and let all but the last N go.",
)
@as_json
@click.pass_obj
def backup_command(
    settings: Settings, to: Path, overwrite: bool, keep: int | None, as_json: bool
) -> None:
    """Copy the study to TO while people vote, verified; TO is there whole or not at all.

    Prints the last hash of each log, as `verify` does: write them down elsewhere.
    """
    from db.backups import let_go, timestamped
    from db.copying import back_up, mebibytes
    from db.store import Store, utc_now

    removed: list[Path] = []
    with Store(settings.study(), reading=True) as store:
        target = to
        if keep is not None:
            if to.exists() and not to.is_dir():
                raise UsageError(f"--keep takes a folder, and {to} is a file", "name a folder")
            to.mkdir(mode=0o700, parents=True, exist_ok=True)
            target = timestamped(store.path, to, utc_now())
        elif to.is_dir():
            raise UsageError(
                f"{to} is a folder", "give a file's name, or --keep N for one named by the time"
            )
        copied = back_up(store, target, overwrite=overwrite)
        if keep is not None:
            removed = let_go(store, to, keep, target)
    if as_json:
        show_json(
            {
                "file": str(target),
                "bytes": copied.size,
                "heads": {log: {"rows": n, "hash": h} for log, (n, h) in copied.heads.items()},
                "removed": [str(path) for path in removed],
            }
        )
        return
    show_heads(copied.heads)
    say(f"{target}: {mebibytes(copied.size)}, verified")
    if removed:
        say(f"  {many(len(removed), 'older backup')} let go")


@click.command(
    "restore",
    epilog=example(
        "tiebreak --db again.db restore copy.db", "tiebreak --db study.db restore copy.db --replace"
    ),
)
@click.argument(
    "backup", metavar="FROM", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--replace",
    is_flag=True,
    help="Put it also where a study is, which is kept under another name.",
)
@as_json
@click.pass_obj
def restore_command(settings: Settings, backup: Path, replace: bool, as_json: bool) -> None:
    """Put the backup FROM where --db says, once it has been verified from end to end.

    Where a study is there already, says what that one has and the backup has not.
    """
    from db.copying import mebibytes
    from db.restoring import restore, said_of
    from db.store import utc_now

    done = restore(backup, settings.study(), replace=replace, now=utc_now())
    if as_json:
        show_json(
            {
                "file": str(done.path),
                "bytes": done.size,
                "heads": {log: {"rows": n, "hash": h} for log, (n, h) in done.heads.items()},
                "aside": None if done.aside is None else str(done.aside),
                "only_in_aside": done.only_there,
            }
        )
        return
    show_heads(done.heads)
    say(f"{done.path}: {mebibytes(done.size)}, restored from {backup}, verified")
    if done.aside is not None:
        say(f"  what was there before is {done.aside}")
        say(f"  {said_of(done.only_there)}")


@click.command("doctor", epilog=example("tiebreak --db study.db doctor --deep"))
@click.option("--deep", is_flag=True, help="Walk the whole file and every log.")
@click.option(
    "--mend", is_flag=True, help="Mend what can be mended without changing what was said."
)
@as_json
@click.pass_obj
def doctor_command(settings: Settings, deep: bool, mend: bool, as_json: bool) -> None:
    """Look over the study, its file and where it lies; exit code 1 where something is wrong."""
    from db.checkup import examine
    from db.findings import State

    checks = examine(settings.study(), deep=deep, mend=mend)
    problems = [check for check in checks if check.state is State.PROBLEM]
    if as_json:
        show_json(
            {
                "healthy": not problems,
                "checks": [
                    {"name": c.name, "state": c.state, "said": c.said, "mend": c.mend}
                    for c in checks
                ],
            }
        )
    else:
        _show(checks)
    if problems:
        raise TiebreakError(
            f"{many(len(problems), 'problem')}: {', '.join(check.name for check in problems)}",
            "mend them before people go on voting, and make a backup first",
        )


def _show(checks: list[Check]) -> None:
    from db.findings import State

    name = max(len(check.name) for check in checks)
    width = max(shutil.get_terminal_size((100, 24)).columns, 60)
    for check in checks:
        first, rest = f"{check.state:8} {check.name:{name}}  ", " " * (name + 11)
        click.echo(
            fill(
                one_line(check.said, 400),
                width,
                initial_indent=first,
                subsequent_indent=rest,
                break_on_hyphens=False,
            )
        )
        if check.mend and check.state is not State.OK:
            click.echo(
                fill(
                    one_line(check.mend, 400),
                    width,
                    initial_indent=f"{rest}→ ",
                    subsequent_indent=f"{rest}  ",
                    break_on_hyphens=False,
                )
            )

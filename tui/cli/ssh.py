"""Voting over SSH: the lines that let sshd know people's keys, and what it runs for one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from core.errors import TiebreakError, UsageError
from core.records import Role
from core.ssh_keys import authorized_line, checked_fingerprint
from tui.cli import Settings, example, say
from tui.cli.people import need_owner, need_terminal, run_app

if TYPE_CHECKING:
    from db.store import Store

IDENTITY = "ssh:"
"""What stands before the key's fingerprint in the identity that each vote carries."""

_INSTEAD = (
    "log in without a command: ssh -t ACCOUNT@HOST; commands, scp, sftp and forwarding do not "
    "work here"
)
_OTHER_TERM = (
    "log in from a terminal window, not from within an editor; if it is one, say so: "
    "TERM=xterm ssh ACCOUNT@HOST"
)


@click.group("ssh", epilog=example("tiebreak --db study.db ssh authorized-keys"))
def ssh_command() -> None:
    """Let people log in over SSH with their own keys."""


@ssh_command.command(
    "authorized-keys",
    epilog=example(
        "tiebreak --db study.db ssh authorized-keys > tiebreak_keys",
        "tiebreak --db study.db ssh authorized-keys --fingerprint SHA256:…",
    ),
)
@click.option("--fingerprint", metavar="SHA256:…", help="Only this key: for AuthorizedKeysCommand.")
@click.option(
    "--python",
    "interpreter",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="The interpreter that sessions run on; the one that runs this otherwise.",
)
@click.pass_obj
def ssh_authorized_keys(
    settings: Settings, fingerprint: str | None, interpreter: Path | None
) -> None:
    """Print authorized_keys lines: each key opens its person's own screen, and nothing else.

    One line for every key of everybody who is not retired.
    """
    from db.store import Store

    if fingerprint is not None:
        fingerprint = checked_fingerprint(fingerprint)
    python = str(interpreter or sys.executable)
    if not Path(python).is_absolute():
        raise UsageError(f"{python!r} is not a whole path", "begin it with /")
    study = settings.study().absolute()
    with Store(study) as store:
        keys = store.people.authorized(fingerprint)
    if fingerprint is None:
        _try(python)
    for key, name in keys:
        command = [python, "-I", "-m", "tui", "--db", str(study), "session"]
        click.echo(authorized_line(key, [*command, "--key", key.fingerprint], name))
    if not keys and fingerprint is None:
        say("nobody has a key yet; next: tiebreak annotator add NAME --key FILE")


def _try(python: str) -> None:
    """Look whether sessions could start: isolated, an interpreter finds only what is installed."""
    try:
        tried = subprocess.run(
            [python, "-I", "-c", "import tui.cli.ssh"], capture_output=True, check=False, cwd="/"
        )
        is_found = tried.returncode == 0
    except OSError:
        is_found = False
    if not is_found:
        raise TiebreakError(
            f"{python} -I does not find Tiebreak, so no session would start",
            "install Tiebreak, or name the interpreter of its environment with --python",
        )


@click.command(
    "session", epilog=example("tiebreak --db /srv/tiebreak/study.db session --key SHA256:…")
)
@click.option(
    "--key", "fingerprint", metavar="SHA256:…", required=True, help="The key that sshd has checked."
)
@click.pass_context
def session_command(context: click.Context, fingerprint: str) -> None:
    """What sshd runs for a key: its person's own screen. `ssh authorized-keys` writes the call.

    Nothing that the client can set is looked at but the kind of its terminal and its language.
    """
    from tui.environment import clean, close_in

    wanted_command = clean()
    close_in()
    if context.find_root().get_parameter_source("db") is not ParameterSource.COMMANDLINE:
        raise UsageError(
            "session takes its study from the command line alone",
            "`tiebreak ssh authorized-keys` prints the whole command",
        )
    fingerprint = checked_fingerprint(fingerprint)
    need_terminal("this login", _INSTEAD, _OTHER_TERM)
    if wanted_command:
        say(f"The command that you gave to ssh is not run; {_INSTEAD}.")
    settings: Settings = context.obj
    study = settings.study()
    need_owner(study, "session is run for the account that owns the study")
    try:
        _open_seat(study, fingerprint)
    except TiebreakError as error:
        raise _for_somebody_remote(error, study) from error
    say("Every vote is saved. Log in again to go on.")


def _for_somebody_remote(error: TiebreakError, study: Path) -> TiebreakError:
    """A refusal without what only somebody on this host could use."""
    from tui.plainly import plainly

    message, hint = plainly(error, study)
    if message == error.message:
        return error
    return TiebreakError(f"the study could not be opened: {message}", hint)


def _wait_to_write(store: Store) -> None:
    """Wait until the study can be written to, however long another process takes; say so once.

    Any screen before that would only come and go.
    """
    told = False

    def go_on() -> bool:
        nonlocal told
        if not told:
            say("Another process is writing to the study. This waits for it; Ctrl+C leaves.")
        told = True
        return True

    store.on_busy = go_on
    with store.write():
        pass


def _open_seat(study: Path, fingerprint: str) -> None:
    from tui import collector

    collector.hold()
    from db.preferring import preferred
    from db.store import Store
    from tui.app import TiebreakApp, Who
    from tui.preferences import load

    with Store(study) as store:
        name, role = store.people.holder(fingerprint)
        chosen = preferred(store, name)
        _wait_to_write(store)
    is_lead = role is Role.LEAD
    app = TiebreakApp(
        study,
        Who(name, IDENTITY + fingerprint, is_lead=is_lead, key=fingerprint),
        first="lead" if is_lead else "annotate",
        preferences=load(stored=chosen, environ={}),
        onboards=True,
    )
    run_app(app, log=study.with_name(f"{study.name}-crash.log"))

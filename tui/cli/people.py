"""Commands with a screen: annotate and lead."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.errors import NotForAnnotators, TiebreakError
from tui import collector
from tui.cli import Settings, as_name, example, say
from tui.preferences import THEMES

if TYPE_CHECKING:
    from tui.app import TiebreakApp


def need_terminal(command: str, instead: str, other: str = "") -> None:
    """Refuse politely where no screen can be shown.

    Args:
        instead: what works without a terminal.
        other: what works where there is one that cannot place text; ``instead`` if not given.

    Raises:
        TiebreakError: if this is not a terminal that can show a screen.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise TiebreakError(f"{command} needs a terminal, and this is none", instead)
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        term = os.environ.get("TERM") or "not set to a kind of terminal"
        raise TiebreakError(
            f"{command} needs a terminal that can place text; TERM is {term}", other or instead
        )


def need_owner(study: Path, problem: str) -> None:
    """Refuse whoever neither owns the study's file nor is root.

    Args:
        problem: what only they may do, as the refusal says it.

    Raises:
        TiebreakError: for anybody else.
    """
    try:
        owner = study.stat().st_uid
    except OSError:
        return  # there is nothing to own; opening it says what is wrong
    if os.geteuid() not in (0, owner):
        raise TiebreakError(
            f"{problem}, and that is not you", "vote under your own login: tiebreak annotate"
        )


def run_app(app: TiebreakApp, log: Path | None = None) -> None:
    """Run the app to its end; a crash leaves one line here and the rest in a log.

    Args:
        log: the crash log; ``crash.log`` in the user's state folder if not given.

    Raises:
        TiebreakError: if the app refused or crashed.
    """
    app.store.on_refusal = lambda refusal: _log_refusal(refusal, log)
    app.run()
    app.store.close()
    if app.unsaved_note:
        say(f"Your last note could not be saved. It was:\n{app.unsaved_note}")
    if app.refusal is not None:
        raise app.refusal
    if app.crash is not None:
        raise TiebreakError(
            f"the app stopped on an error of its own ({type(app.crash).__name__}); "
            "every vote that it showed as saved is safe",
            f"start it again; {_log_crash(app.crash, log)}",
        )


def _log_crash(crash: BaseException, log: Path | None) -> str:
    """Write down where it happened, without the values: answers stay out of logs.

    Returns:
        Where the details are, in words.
    """
    return _log(type(crash).__name__, traceback.format_tb(crash.__traceback__), log)


def _log_refusal(refusal: NotForAnnotators, log: Path | None) -> None:
    """Write down which column a screen was refused, and where it asked."""
    _log(f"{type(refusal).__name__}: {refusal.message}", traceback.format_stack(), log)


def _log(what: str, frames: list[str], log: Path | None) -> str:
    if log is not None:
        place = f"{log.name}, for your lead"  # whoever is remote need not know where that lies
    else:
        from platformdirs import user_state_path

        log = user_state_path("tiebreak") / "crash.log"
        place = str(log)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"--- {when} UTC {what}\n{''.join(frames)}")
    except OSError as error:
        return f"the details could not be written to {place}: {error.strerror}"
    return f"the details are in {place}"


def takes_preferences(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a command whose screen follows a person's preferences."""
    command = click.option(
        "--theme",
        type=click.Choice(THEMES),
        help="Colours for this time; ansi keeps to 16. [env: TIEBREAK_THEME]",
    )(command)
    return settings_option(command)


settings_option = click.option(
    "--settings",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Your settings file; `tiebreak keys --example` prints one. [env: TIEBREAK_SETTINGS]",
)


@click.command("annotate", epilog=example("tiebreak --db study.db annotate"))
@click.option(
    "--as",
    "name",
    metavar="NAME",
    callback=as_name,
    help="Vote under this name; your login otherwise. Only for the owner of the study's file.",
)
@click.option("--practice", "practises", is_flag=True, help="Practise first, also once more.")
@takes_preferences
@click.pass_obj
def annotate_command(
    settings: Settings, name: str | None, practises: bool, file: Path | None, theme: str | None
) -> None:
    """Vote on blind pairs. Quit whenever you like: you return to the same pair.

    Newcomers read the guidelines first, practise, and qualify, as far as the study asks for it.
    """
    need_terminal("annotate", "votes from files: tiebreak import; scripted votes: tiebreak demo")
    collector.hold()
    from db.store import local_identity
    from tui.app import TiebreakApp, Who
    from tui.preferences import load

    login, identity = local_identity()
    study = settings.study()
    if name not in (None, login):
        need_owner(study, "only the owner of the study's file may say --as")
    who = Who(name or login, identity)
    preferences = load(file, theme=theme)
    run_app(TiebreakApp(study, who, preferences=preferences, onboards=True, practises=practises))
    say("Every vote shown as saved is saved. Run the same command to go on.")


@click.command("lead", epilog=example("tiebreak --db study.db lead"))
@click.option(
    "--as",
    "name",
    metavar="NAME",
    callback=as_name,
    help="Rule under this name; your login otherwise. Only for the owner of the study's file.",
)
@takes_preferences
@click.pass_obj
def lead_command(
    settings: Settings, name: str | None, file: Path | None, theme: str | None
) -> None:
    """Watch agreement, ranking and bias move as votes and verdicts come in, and rule."""
    need_terminal("lead", "the same numbers without a screen: tiebreak stats")
    collector.hold()
    from db.store import local_identity
    from tui.app import TiebreakApp, Who
    from tui.preferences import load

    login, identity = local_identity()
    study = settings.study()
    if name not in (None, login):
        need_owner(study, "only the owner of the study's file may say --as")
    who = Who(name or login, identity, is_lead=True)
    preferences = load(file, theme=theme)
    run_app(TiebreakApp(study, who, first="lead", preferences=preferences))

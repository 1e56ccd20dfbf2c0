"""The ``tiebreak`` command.

Data goes to standard output, messages to standard error. Exit codes: 0 done, 1 refused with the
reason, 2 called in a way that is not understood, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import click

from core.errors import TiebreakError, UsageError
from core.text import displayable, name_problem, one_line
from tui import lean

COMMANDS = {
    "demo": ("tui.cli.demo", "Vote on the sample study, with judges in the background."),
    "import": ("tui.cli.data", "Import questions, answers, votes and verdicts."),
    "pairs": ("tui.cli.data", "Make pairs and queue them for voting."),
    "annotate": ("tui.cli.people", "Vote."),
    "practice": ("tui.cli.practice", "Lessons for newcomers, and how they do."),
    "lead": ("tui.cli.people", "Watch the numbers move."),
    "rulings": ("tui.cli.rulings", "Rule blind on what people and judges disagree about."),
    "floor": ("tui.cli.floor", "Who is on, how far they are, and what to look at."),
    "annotator": ("tui.cli.annotators", "Add people with their SSH keys; pause and retire them."),
    "ssh": ("tui.cli.ssh", "Let people log in over SSH with their own keys."),
    "session": ("tui.cli.ssh", "What sshd runs for a key; not for you to call."),
    "keys": ("tui.cli.keys", "Which key does what, and where that comes from."),
    "judge": ("tui.cli.judging", "Add judges and let them judge."),
    "stats": ("tui.cli.numbers", "Agreement, ranking and bias, with intervals."),
    "report": ("tui.cli.report", "All numbers as one page, HTML or Markdown; two studies beside."),
    "scores": ("tui.cli.scores", "Automatic benchmark scores beside the rankings."),
    "plan": ("tui.cli.planning", "How large a study must be, before it begins."),
    "selftest": ("tui.cli.selftest", "Plant biases in made-up studies and see them found."),
    "proofs": ("tui.cli.proofs", "One table of why each number can be believed."),
    "merge": ("tui.cli.merging", "Merge another host's study into this one."),
    "export": ("tui.cli.exporting", "Write gold labels, votes or the whole study."),
    "replay": ("tui.cli.exporting", "Write an export again, byte for byte."),
    "status": ("tui.cli.data", "What the study holds and how far it is."),
    "study": ("tui.cli.data", "Show and change the study's settings."),
    "verify": ("tui.cli.data", "Look for rows changed outside Tiebreak, in the study or a file."),
    "backup": ("tui.cli.upkeep", "Copy the study while people vote."),
    "restore": ("tui.cli.upkeep", "Put a backup where the study is, or was."),
    "doctor": ("tui.cli.upkeep", "Look over the study, its file and its disk."),
}
"""Each command's module and short help, so that ``--help`` loads none of them."""

_VOTING = ("annotate", "session")
"""Commands of which a host runs fifty at a time. What they import would load OpenSSL."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What was said before the command's name.

    Attributes:
        is_alone: whether the process is there for this command, so that it may change itself.
    """

    db: Path | None
    is_alone: bool = False

    def study(self) -> Path:
        """The study file.

        Raises:
            UsageError: if none was named.
        """
        if self.db is None:
            raise UsageError(
                "no study is named", "say which: tiebreak --db FILE …, or set TIEBREAK_DB"
            )
        return self.db


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called.

    Args:
        lazily: each command's module and short help; others may be added as to any group.
        called: what the command is called in its module, ``{}`` standing for its name.
    """

    def __init__(
        self, *arguments: Any, lazily: Mapping[str, tuple[str, str]], called: str, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._lazily = lazily
        self._called = called

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands, *self._lazily]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazily:
            return super().get_command(ctx, cmd_name)
        if cmd_name in _VOTING:
            lean.leave_out_tls()
        module = importlib.import_module(self._lazily[cmd_name][0])
        command = getattr(module, self._called.format(cmd_name.replace("-", "_")))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        listed = [(name, one.get_short_help_str(80)) for name, one in self.commands.items()]
        listed += [(name, line) for name, (_, line) in self._lazily.items()]
        with formatter.section("Commands"):
            formatter.write_dl(listed)


def example(*commands: str) -> str:
    """The examples under a command's help, each on a line of its own."""
    listed = "\n".join(f"  {command}" for command in commands)
    return f"\b\nExample{'s' if len(commands) > 1 else ''}:\n{listed}"


@click.group(
    cls=LazyGroup,
    lazily=COMMANDS,
    called="{}_command",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example(
        "tiebreak --db study.db import folder/",
        "tiebreak --db study.db pairs make",
        "tiebreak --db study.db annotate",
    ),
)
@click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="TIEBREAK_DB",
    help="The study: one database file. [env: TIEBREAK_DB]",
)
@click.version_option(package_name="tiebreak", prog_name="tiebreak")
@click.pass_context
def root(context: click.Context, db: Path | None) -> None:
    """Experts vote on blind pairs of answers; judges give verdicts on the same pairs."""
    context.obj = Settings(db, is_alone=bool(context.obj))


def say(message: str) -> None:
    """A message for the person, on standard error; what it quotes is made inert."""
    click.echo(displayable(message), err=True)


def as_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Check an argument that names somebody, as a click callback.

    Raises:
        click.BadParameter: if it cannot be a name.
    """
    if value is not None and (problem := name_problem(value)):
        raise click.BadParameter(f"{value!r} {problem}", context, parameter)
    return value


for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    # Small matrices on many threads are slow, and a server has other people on it.
    os.environ.setdefault(_variable, "1")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    sys.excepthook = _tell_crash
    _end(run(sys.argv[1:] if arguments is None else arguments, is_alone=True))


def _end(code: int) -> NoReturn:
    """End the process with this code.

    A statistic may be under way in a thread that nobody waits for. Python would take itself down
    beneath it, and numpy then aborts the process ("terminate called without an active exception"):
    with such a thread the process ends at once, as if it were killed, which every study survives.
    """
    others = [one for one in threading.enumerate() if one is not threading.current_thread()]
    if not any(one.daemon for one in others):
        sys.exit(code)
    for one in others:
        if not one.daemon:
            one.join()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it has gone
            stream.flush()
    os._exit(code)


def _tell_crash(
    kind: type[BaseException], crash: BaseException, trace: TracebackType | None
) -> None:
    """Print what nobody expected: an error's words may quote a file, and stay inert too."""
    say("".join(traceback.format_exception(kind, crash, trace)).removesuffix("\n"))


def run(arguments: Sequence[str], *, is_alone: bool = False) -> int:
    """Run the command; its exit code.

    Args:
        is_alone: whether the process ends with it.
    """
    try:
        code = root.main(
            list(arguments),
            prog_name="tiebreak",
            obj=is_alone,
            # A variable asks click to write shell completions; a session takes no such word.
            complete_var="" if "session" in arguments else None,
            standalone_mode=False,
        )
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except TiebreakError as error:
        return _refuse(error)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(file=said)  # which quotes arguments as they came
        say(said.getvalue().removesuffix("\n"))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("tiebreak: interrupted")
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; keep Python from saying so at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(
            TiebreakError(f"{where}{error.strerror or error}", "look at the path and its rights")
        )


def _refuse(error: TiebreakError) -> int:
    # A message may quote a file; what it quotes must not reach the terminal as it is.
    say(f"tiebreak: {one_line(error.message, 600)}")
    if error.hint:
        say(f"  {one_line(error.hint, 600)}")
    return error.exit_code

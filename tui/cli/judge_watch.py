"""The judge commands that look: watch, failures, show."""

from __future__ import annotations

import shutil
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import click

from core.text import displayable, one_line
from tui.cli import Settings, as_name, example
from tui.cli.data import as_json, show_json
from tui.cli.figures import Whole

if TYPE_CHECKING:
    from db.judge_watch import Watch

_EVERY = 1.0
"""Seconds between two looks."""

_LAST = 20
"""Failures that are listed, unless it is said how many."""


_IN_A_PIPE = 200
"""Cells of a line that is read in no terminal: reasons are worth them."""


def _width(without_terminal: int = 100) -> int:
    return max(60, shutil.get_terminal_size((without_terminal, 24)).columns)


@click.command(
    "watch",
    epilog=example("tiebreak --db study.db judge watch", "tiebreak judge watch local --once"),
)
@click.argument("name", required=False, callback=as_name)
@click.option("--once", is_flag=True, help="Look once, and do not wait for what comes.")
@as_json
@click.pass_obj
def judge_watch(settings: Settings, name: str | None, once: bool, as_json: bool) -> None:
    """Follow the judges at work: what is done and left, how fast, at what cost, what failed.

    With a NAME, all there is to say of one judge. It looks again every second until you interrupt
    it; --json prints one object a line then.
    """
    import json

    from core.text import inert_json
    from db.judge_watch import JudgeFeed
    from db.store import Store
    from tui.judge_json import watch_json

    with Store(settings.study(), reading=True) as store:
        feed = JudgeFeed(store)
        lines = 0
        while True:
            watch = feed.look()
            chosen = _only(watch, name)
            if as_json and once:
                show_json(watch_json(chosen))
            elif as_json:
                click.echo(inert_json(json.dumps(watch_json(chosen), ensure_ascii=False)))
            else:
                if lines and sys.stdout.isatty():
                    click.echo(f"\x1b[{lines}A\x1b[J", nl=False)  # over what was said before
                lines = _print(chosen, is_one=name is not None)
            sys.stdout.flush()
            if once:
                return
            time.sleep(_EVERY)


def _only(watch: Watch, name: str | None) -> Watch:
    """The judges that are asked for.

    Raises:
        TiebreakError: if there is none of that name.
    """
    from core.errors import TiebreakError
    from db.judge_watch import Watch

    if name is None:
        return watch
    found = tuple(judge for judge in watch.judges if judge.name == name)
    if not found:
        names = ", ".join(judge.name for judge in watch.judges) or "none yet"
        raise TiebreakError(f"no judge is called {name!r}", f"judges of this study: {names}")
    return Watch(found, watch.at)


def _print(watch: Watch, *, is_one: bool) -> int:
    """Print the judges; how many lines that takes."""
    from tui.judge_lines import details, facts, header, judge_line, status_parts

    width = _width()
    lines = ["  │  ".join(status_parts(watch)[1:]), header(width)]
    for judge in watch.judges:
        lines.append(judge_line(judge, width))
        if is_one:
            lines += ["", *facts(judge, watch.at)]
            lines += [line for _, line in details(judge, watch.at)]
    shown = [one_line(line.rstrip(), width) for line in [*lines, ""]]
    click.echo("\n".join(shown))
    return len(shown)


@click.command(
    "failures",
    epilog=example(
        "tiebreak --db study.db judge failures",
        'tiebreak --db study.db judge failures local --class "timed out"',
    ),
)
@click.argument("name", required=False, callback=as_name)
@click.option("--class", "kind", metavar="CLASS", help="Of this class only.")
@click.option(
    "--last",
    type=Whole(1, 100_000),
    default=_LAST,
    show_default=True,
    help="List so many, the newest first.",
)
@as_json
@click.pass_obj
def judge_failures(
    settings: Settings, name: str | None, kind: str | None, last: int, as_json: bool
) -> None:
    """What failed and still stands so: how many of each class, and the last ones with their ids.

    `tiebreak judge show ID` shows one whole; `tiebreak judge run NAME --retry-failed` tries all of
    them once more.
    """
    from db.judge_lists import failures_by_class, last_verdicts
    from db.store import Store
    from tui.cli.sights import lead_here
    from tui.judge_json import listed_json
    from tui.judge_lines import failure_lines

    with Store(settings.study(), reading=True) as store:
        if name is not None:
            store.judging.judge(name)
        counts = failures_by_class(store, name)
        if kind is not None:
            counts = {kind: counts[kind]} if kind in counts else {}
        found = last_verdicts(store, name, kind, last, hidden_from=lead_here(store))
        now = store.clock()
    if as_json:
        show_json({"classes": counts, "last": [listed_json(one) for one in found]})
        return
    width = _width(_IN_A_PIPE)
    click.echo("\n".join(failure_lines(counts, found, now, width, with_judge=name is None)))


@click.command("show", epilog=example("tiebreak --db study.db judge show 3f2a9c"))
@click.argument("verdict", metavar="ID")
@as_json
@click.pass_obj
def judge_show(settings: Settings, verdict: str, as_json: bool) -> None:
    """One verdict whole: what it came to, what the parser said, its calls, its raw reply.

    ID may be the beginning of one. --json gives reply and reasoning letter by letter, and names the
    pair's models; without it nothing is shown that a terminal would obey. For a lead the pair
    counts as unmasked.
    """
    from db.judge_lists import calls_of, successor
    from db.sights import know_reply
    from db.store import Store
    from tui.cli.sights import counts_as_seen
    from tui.judge_json import verdict_json
    from tui.judge_lines import verdict_text

    with Store(settings.study(), reading=True) as store:
        found = store.reading.verdict(verdict)
        counts_as_seen(settings.study(), store, partial(know_reply, verdict=found.id))
        calls, replaced_by = calls_of(store, found.id), successor(store, found.id)
    if as_json:
        show_json(verdict_json(found, calls, replaced_by))
        return
    click.echo(displayable(verdict_text(found, calls, replaced_by, _width())))

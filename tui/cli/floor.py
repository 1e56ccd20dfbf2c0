"""The floor command."""

from __future__ import annotations

import shutil
from textwrap import wrap

import click

from core.errors import Conflict
from tui.cli import Settings, as_name, example
from tui.cli.data import as_json, show_json

_LAST_VOTES = 40


@click.command(
    "floor",
    epilog=example("tiebreak --db study.db floor", "tiebreak --db study.db floor ann --json"),
)
@click.argument("name", required=False, callback=as_name)
@as_json
@click.pass_obj
def floor_command(settings: Settings, name: str | None, as_json: bool) -> None:
    """Who is on, how far everybody is, when it will be finished, and what to look at.

    With a NAME, what is behind one person's numbers: warnings in words, and the last votes.
    """
    from db.floor import FloorFeed, last_votes
    from db.store import Store
    from tui.cli.sights import lead_here
    from tui.floor_lines import (
        floor_json,
        header,
        person_json,
        person_line,
        person_text,
        summary_lines,
        vote_json,
        warning_words,
    )

    with Store(settings.study(), reading=True) as store:
        feed = FloorFeed(store)
        floor = feed.look()
        feed.close()
        votes = []
        if name:
            votes = last_votes(store, name, _LAST_VOTES, hidden_from=lead_here(store))
    width = max(40, shutil.get_terminal_size((100, 24)).columns)
    if name is not None:
        person = next((one for one in floor.people if one.name == name), None)
        if person is None:
            raise Conflict(f"{name!r} was added at this very moment", "ask again")
        if as_json:
            last = [vote_json(vote) for vote in votes]
            show_json({**person_json(floor, person), "last_votes": last})
        else:
            click.echo(person_text(floor, person, votes, width))
        return
    if as_json:
        show_json(floor_json(floor))
        return
    click.echo("\n".join([*summary_lines(floor, width), "", header(floor, width)]))
    for one in floor.people:
        click.echo(person_line(floor, one, width))
        for warned in one.warnings:
            for line in wrap(f"⚠ {warning_words(warned)}", width - 4, subsequent_indent="  "):
                click.echo(f"    {line}")

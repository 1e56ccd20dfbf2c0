"""The keys command: what a person's settings come to."""

from __future__ import annotations

from pathlib import Path

import click

from core.text import one_line
from tui.cli import example, say
from tui.cli.data import show_json
from tui.cli.people import settings_option


@click.command("keys", epilog=example("tiebreak keys", "tiebreak keys --example > settings.toml"))
@settings_option
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.option("--example", "as_example", is_flag=True, help="Print a settings file to begin with.")
def keys_command(file: Path | None, as_json: bool, as_example: bool) -> None:
    """Show which key does what, and where that comes from.

    Settings that were not taken are told on standard error.
    """
    from tui.actions import key_name
    from tui.keymap import known_actions
    from tui.preferences import default_file, load
    from tui.preferences import example as settings_example

    if as_example:
        say(f"Tiebreak looks for it at {default_file()}")
        click.echo(settings_example())
        return
    preferences = load(file)
    for notice in preferences.notices:
        say(f"tiebreak: {one_line(str(notice), 600)}")
    bound = preferences.keymap.bound
    if as_json:
        chosen = {"theme": preferences.theme, "layout": preferences.layout}
        found = {
            **{
                name: {"is": value, "from": preferences.sources[name]}
                for name, value in chosen.items()
            },
            "keys": [
                {"action": id, "keys": bound[id].keys, "from": bound[id].source, "does": one.help}
                for id, one in known_actions().items()
            ],
            "not_taken": [str(notice) for notice in preferences.notices],
        }
        show_json(found)
        return
    rows = [
        (id, " ".join(map(key_name, bound[id].keys)), bound[id].source, action.help)
        for id, action in known_actions().items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*(one_line(cell, 200) for cell in cells), row[3]]))
    for name, value in (("theme", preferences.theme), ("layout", preferences.layout)):
        click.echo(f"{name}: {value} ({one_line(preferences.sources[name], 200)})")

"""The command for teams on several hosts: merge."""

from __future__ import annotations

from pathlib import Path

import click

from core.errors import Conflict
from core.text import many
from tui.cli import Settings, example, say
from tui.cli.data import as_json, show_json


@click.command(
    "merge",
    epilog=example(
        "tiebreak --db study.db merge other-host.db --dry-run",
        "tiebreak --db study.db merge other-host.db",
    ),
)
@click.argument("other", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Only say what would be merged.")
@click.option(
    "--leave-out-conflicts", is_flag=True, help="Merge the rest, without what contradicts."
)
@as_json
@click.pass_obj
def merge_command(
    settings: Settings, other: Path, dry_run: bool, leave_out_conflicts: bool, as_json: bool
) -> None:
    """Merge another host's study into this one: each vote, verdict and ruling once.

    The other file is not changed, and may be in use. Merging it again changes nothing.
    """
    from db.merging import merge
    from db.store import Store

    with Store(settings.study()) as store:
        merged = merge(store, other, leave_out_conflicts=leave_out_conflicts, dry_run=dry_run)
    if as_json:
        show_json(
            {
                "merged": merged.is_done,
                "new": dict(merged.new),
                "unchanged": dict(merged.unchanged),
                "conflicts": merged.conflicts,
                "left_out": dict(merged.left_out),
                "notes": merged.notes,
            }
        )
    else:
        _report(other, merged.new, merged.unchanged, is_done=merged.is_done)
        for line in [*merged.notes, *(f"conflict: {one}" for one in merged.conflicts)]:
            say(f"  {line}")
        left_out = {log: count for log, count in merged.left_out.items() if count}
        if left_out:
            say(f"  left out   {_listed(left_out)}")
    if merged.conflicts and not (merged.is_done or dry_run):
        raise Conflict(
            f"nothing was merged: {many(len(merged.conflicts), 'conflict')}",
            "make the files agree, or leave those out with --leave-out-conflicts",
        )


def _report(other: Path, new: dict[str, int], old: dict[str, int], *, is_done: bool) -> None:
    say(f"{other}: {'merged' if is_done else 'looked at, nothing merged'}")
    say(f"  new        {_listed(new) or 'nothing'}")
    if any(old.values()):
        say(f"  unchanged  {_listed(old)}")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(many(count, kind.removesuffix("s")) for kind, count in counts.items() if count)

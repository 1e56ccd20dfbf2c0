"""The command that reads stored replies again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from core.text import many, one_line
from tui.cli import Settings, example, say
from tui.cli.data import as_json, show_json

_BATCH = 500


@click.command(
    "reparse",
    epilog=example(
        "tiebreak --db study.db judge reparse --dry-run",
        "tiebreak --db study.db judge reparse local",
    ),
)
@click.argument("name", required=False)
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@as_json
@click.pass_obj
def judge_reparse(settings: Settings, name: str | None, dry_run: bool, as_json: bool) -> None:
    """Read stored raw replies again with today's parser, without a call to anyone.

    Where the reading differs from the verdict that stands, a new verdict supersedes it; both
    stay in the log. All judges if none is named.
    """
    from db.store import Store

    with Store(settings.study()) as store:
        records = [store.judging.judge(name)] if name else store.judging.judges()
        done = [
            _reparse(store, record, dry_run)
            for record in records
            if name or (record.kind == "openai" and record.prompt)
        ]
    if as_json:
        show_json(done)
        return
    for one in done:
        _tell(one, dry_run)
    if not done:
        say("this study has no judge whose replies could be read again")


def _reparse(store: Any, record: Any, dry_run: bool) -> dict[str, Any]:
    from judges.families import family_of
    from judges.rereading import differs, read_again, said, superseding
    from tui.judge_prompts import prompts_of

    prompts = prompts_of(store, record)
    family = None if prompts is None else family_of(record, prompts)
    changed, turns, read_count, others = [], Counter[tuple[str, str]](), 0, 0
    for verdict in store.reading.verdicts_of(record.name):
        read = None if family is None else read_again(family, verdict)
        if read is None:
            others += 1
            continue
        read_count += 1
        if differs(verdict, read):
            fresh = superseding(verdict, read, store.now())
            changed.append(fresh)
            turns[said(verdict)[0], said(fresh)[0]] += 1
    if not dry_run:
        for start in range(0, len(changed), _BATCH):
            store.judging.record(changed[start : start + _BATCH])
    return {
        "judge": record.name,
        "read": read_count,
        "not_read": others,
        "changed": len(changed),
        "changes": [
            {"from": before, "to": after, "verdicts": count}
            for (before, after), count in turns.most_common()
        ],
    }


def _tell(done: dict[str, Any], dry_run: bool) -> None:
    would = "would change" if dry_run else "changed"
    replies = many(done["read"], "reply")
    line = f"{done['judge']}: {replies} read again, {done['changed']:,} {would}"
    if done["not_read"]:
        line += f"; {done['not_read']:,} hold nothing to read"
    click.echo(one_line(line, 300))
    for change in done["changes"]:
        text = f"  {change['verdicts']:>7,}  {change['from']} → {change['to']}"
        click.echo(one_line(text, 300))

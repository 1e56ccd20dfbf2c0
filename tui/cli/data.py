"""Commands about what a study holds: import, pairs, status, study, verify."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from core.errors import TiebreakError
from core.text import inert_json, many, one_line
from tui.cli import Settings, example, say
from tui.cli.figures import Whole

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def show_json(value: Any) -> None:
    """Print a value as JSON, stable enough to compare; what a terminal obeys is escaped."""
    click.echo(inert_json(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)))


def show_heads(heads: Mapping[str, tuple[int, str]]) -> None:
    """Print each log's length and last hash."""
    for log, (rows, digest) in heads.items():
        counted = f"{rows:>10,} row{' ' if rows == 1 else 's'}"
        click.echo(f"{log:8}{counted}   {one_line(digest, 80) or 'empty'}")


# ── import ──────────────────────────────────────────────────────────────────


@click.command(
    "import", epilog=example("tiebreak --db study.db import answers.jsonl --format native")
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--format", "format_name", metavar="NAME", help="The format; sniffed otherwise.")
@as_json
@click.pass_obj
def import_command(settings: Settings, path: Path, format_name: str | None, as_json: bool) -> None:
    """Import a file or a folder into the study, which is made if there is none.

    All of it is imported or none. Importing the same file again changes nothing.
    """
    from tui.importing import import_path

    done = import_path(settings.study(), path, format_name)
    if as_json:
        show_json(
            {
                "format": done.format,
                "files": len(done.files),
                "new": dict(done.summary.new),
                "unchanged": dict(done.summary.unchanged),
                "pairs_without_text": done.summary.textless,
            }
        )
        return
    new = {kind: n for kind, n in done.summary.new.items() if n}
    old = {kind: n for kind, n in done.summary.unchanged.items() if n}
    say(f"{one_line(str(path), 600)}: read as {done.format}, {many(len(done.files), 'file')}")
    say(f"  new        {_listed(new) or 'nothing'}")
    if old:
        say(f"  unchanged  {_listed(old)}")
    if done.summary.textless:
        say(
            f"  without text yet: {many(done.summary.textless, 'pair')}, counted in the statistics "
            "and served to nobody until all answers are imported"
        )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(many(count, kind.removesuffix("s")) for kind, count in counts.items())


# ── pairs ───────────────────────────────────────────────────────────────────


@click.group("pairs", epilog=example("tiebreak --db study.db pairs make --overlap 3"))
def pairs_command() -> None:
    """Make pairs and queue them for voting."""


@pairs_command.command(
    "make",
    epilog=example(
        "tiebreak --db study.db pairs make --overlap 3",
        "tiebreak --db study.db pairs make --against MODEL --sample 200",
    ),
)
@click.option("--against", metavar="MODEL", help="Only pairs with this baseline model.")
@click.option("--sample", type=Whole(1), metavar="N", help="Only N of them, at random.")
@click.option("--overlap", type=Whole(1, 99), help="Votes wanted per pair.")
@as_json
@click.pass_obj
def pairs_make(
    settings: Settings,
    against: str | None,
    sample: int | None,
    overlap: int | None,
    as_json: bool,
) -> None:
    """Pair the answers of each question and queue the pairs for voting.

    The probability of each pair to be in the queue, over all draws up to now, is kept, so that a
    sample can be weighted back.
    """
    from db.pairs import make
    from db.store import Store

    with Store(settings.study()) as store:
        made = make(store, against=against, sample=sample, overlap=overlap)
    if as_json:
        show_json(
            {
                "population": made.population,
                "queued": made.queued,
                "already_queued": made.already,
                "overlap": made.overlap,
                "probability": made.probability,
                "unknown": made.unknown,
            }
        )
        return
    already = f", {made.already:,} were in it before" if made.already else ""
    say(f"{many(made.queued, 'pair')} of {made.population:,} put in the queue{already}")
    if made.unknown:
        say(
            f"  how likely {many(made.unknown, 'queued pair')} came into the queue by all draws "
            "cannot be worked out: statistics will not weigh votes, and say so"
        )
    say(f"  {many(made.overlap, 'vote')} wanted per pair; next: tiebreak annotate")


# ── status, study, verify ───────────────────────────────────────────────────


@click.command("status", epilog=example("tiebreak --db study.db status --json"))
@as_json
@click.pass_obj
def status_command(settings: Settings, as_json: bool) -> None:
    """What the study holds and how far the voting is."""
    from db.store import Store

    with Store(settings.study(), reading=True) as store:
        counts = store.reading.counts()
        name = store.settings()["name"]
        size = store.size()
    if as_json:
        show_json({"name": name, "file": str(settings.study()), "bytes": size, **counts})
        return
    click.echo(one_line(f"{name or settings.study().name}: {settings.study()}", 200))
    for key, count in counts.items():
        click.echo(f"  {key.replace('_', ' '):22}{count:>12,}")
    click.echo(f"  {'size on disk':22}{size / 2**20:>8,.1f} MiB")


@click.group("study", epilog=example("tiebreak --db study.db study show"))
def study_command() -> None:
    """Show and change the study's settings."""


@study_command.command("show", epilog=example("tiebreak --db study.db study show"))
@as_json
@click.pass_obj
def study_show(settings: Settings, as_json: bool) -> None:
    """Every setting, its value and what it means."""
    from core.settings import KNOWN
    from db.store import Store

    with Store(settings.study(), reading=True) as store:
        values = store.settings()
    if as_json:
        show_json(values)
        return
    for key, value in values.items():
        click.echo(f"{key} = {one_line(json.dumps(value, ensure_ascii=False), 60)}")
        click.echo(f"    {KNOWN[key].meaning}")


@study_command.command("set", epilog=example("tiebreak --db study.db study set overlap 3"))
@click.argument("key")
@click.argument("value")
@click.pass_obj
def study_set(settings: Settings, key: str, value: str) -> None:
    """Change one setting. A value of @FILE is read from that file."""
    from db.store import Store

    if value.startswith("@"):
        value = Path(value[1:]).read_text("utf-8")
    with Store(settings.study()) as store:
        store.set({key: value})
        stored = store.settings()[key]
    say(f"{key} = {one_line(json.dumps(stored, ensure_ascii=False), 200)}")
    if key == "overlap":
        say("  for pairs queued from now on; more votes for queued ones: pairs make --overlap N")


@click.command(
    "verify",
    epilog=example(
        "tiebreak --db study.db verify --head vote=9f2c…  (from an earlier run)",
        "tiebreak --db study.db verify gold.jsonl",
    ),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--head", "heads", multiple=True, metavar="LOG=HASH", help="A log must contain this hash."
)
@as_json
@click.pass_obj
def verify_command(
    settings: Settings, file: Path | None, heads: tuple[str, ...], as_json: bool
) -> None:
    """Look for votes, verdicts, rulings and texts that were changed outside Tiebreak.

    Prints each log's last hash. Write them down elsewhere: whoever can rewrite a whole log can
    rewrite its chain too, but not what you wrote down.

    With a FILE that was exported, checks it against its manifest and the study, and says which
    rows are not as they were.
    """
    if file is not None:
        if heads:
            raise click.UsageError("--head is about the study, not about a FILE")
        _verify_file(settings, file, as_json)
        return
    from db.chain import LOGS
    from db.store import Store

    expected = dict(head.partition("=")[::2] for head in heads)
    for log, digest in expected.items():
        if log not in LOGS or not digest:
            raise click.UsageError(f"--head takes LOG=HASH, with one of: {', '.join(LOGS)}")
    with Store(settings.study(), reading=True) as store:
        findings = store.verify(expected)
        is_whole = not any(finding.log == "schema" for finding in findings)
        ends = store.heads() if is_whole else {}
    if as_json:
        show_json(
            {
                "intact": not findings,
                "findings": [{"log": f.log, "row": f.seq, "problem": f.problem} for f in findings],
                "heads": {log: {"rows": n, "hash": digest} for log, (n, digest) in ends.items()},
            }
        )
    else:
        show_heads(ends)
        for finding in findings:
            click.echo(one_line(str(finding), 300))
    if findings:
        raise TiebreakError(
            f"{many(len(findings), 'finding')}: the study is not as Tiebreak wrote it",
            "compare with the last backup; a row after a changed one cannot be trusted either",
        )
    say("intact")


def _verify_file(settings: Settings, file: Path, as_json: bool) -> None:
    from db.store import Store
    from tui.replaying import verify_file

    with Store(settings.study(), reading=True) as store:
        findings = verify_file(store, file)
    if as_json:
        show_json({"intact": not findings, "findings": findings})
    else:
        for finding in findings:
            click.echo(one_line(finding, 600))
    if findings:
        raise TiebreakError(
            f"{many(len(findings), 'finding')}: the file is not what the study says",
            "`tiebreak replay MANIFEST --to FILE` writes it again as it was",
        )
    say("intact")

"""The judge commands."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

import click

from core.errors import TiebreakError
from core.text import many, one_line
from tui.cli import Settings, as_name, example, say
from tui.cli.data import as_json, show_json
from tui.cli.judge_panels import panel_command


@click.group("judge", epilog=example("tiebreak --db study.db judge list"))
def judge_command() -> None:
    """Add judges and let them judge."""


judge_command.add_command(panel_command)


@judge_command.command(
    "add",
    epilog=example(
        "tiebreak --db study.db judge add longer --baseline longer-answer",
        "tiebreak --db study.db judge add local --model NAME --endpoint http://127.0.0.1:8000/v1",
    ),
)
@click.argument("name", callback=as_name)
@click.option("--baseline", metavar="KIND", help="longer-answer, most-headings or coin: no model.")
@click.option("--model", help="The model, as its server calls it.")
@click.option("--endpoint", metavar="URL", help="The server's API root, ending in /v1.")
@click.option("--prompt", default="pairwise", show_default=True, help="A family of prompts.")
@click.option("--api-key-env", metavar="VARIABLE", help="The variable that holds the key.")
@click.option(
    "--set", "parameters", multiple=True, metavar="NAME=VALUE", help="Sent with each request."
)
@click.option("--revision", default="", help="The model's exact version, where you know it.")
@click.pass_obj
def judge_add(
    settings: Settings,
    name: str,
    baseline: str | None,
    model: str | None,
    endpoint: str | None,
    prompt: str,
    api_key_env: str | None,
    parameters: tuple[str, ...],
    revision: str,
) -> None:
    """Add a judge in one exact configuration; another configuration is another judge.

    The key is read from the variable when the judge works; it is never stored.
    """
    from db.store import Store
    from judges.runner import new_judge

    if (baseline is None) == (model is None):
        raise click.UsageError("give either --baseline, or --model with --endpoint")
    if model is not None and endpoint is None:
        raise click.UsageError("--model needs --endpoint")
    given = dict(map(_parameter, parameters))
    if api_key_env:
        given["api_key_env"] = api_key_env
    kind = "baseline" if baseline else "openai"
    record = new_judge(
        name,
        kind,
        baseline or model or "",
        endpoint=endpoint or "",
        prompt=prompt,
        parameters=given,
        revision=revision,
    )
    with Store(settings.study()) as store:
        is_new = store.judging.add(record)
        waiting = len(store.judging.left_to_judge(name, limit=1_000_000))
        pairs = store.reading.counts()["pairs"]
    say(f"judge {name!r} {'added' if is_new else 'is there already, as it is'}")
    if pairs:
        say(f"  {many(waiting, 'verdict')} to give; next: tiebreak judge run {name}")
    else:
        say("  there are no pairs to judge yet; next: tiebreak pairs make")


def _parameter(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.UsageError(f"--set takes NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value, parse_constant=_no_number)
    except json.JSONDecodeError:
        return name, value


def _no_number(constant: str) -> None:
    raise click.UsageError(f"--set takes no {constant}: a server could not be sent it")


@judge_command.command("list", epilog=example("tiebreak --db study.db judge list"))
@as_json
@click.pass_obj
def judge_list(settings: Settings, as_json: bool) -> None:
    """The study's judges."""
    from db.store import Store

    with Store(settings.study()) as store:
        judges = store.judging.judges()
    if as_json:
        show_json(
            [
                {
                    "name": judge.name,
                    "kind": judge.kind,
                    "model": judge.model,
                    "endpoint": judge.endpoint,
                    "prompt": judge.prompt,
                    "prompt_hash": judge.prompt_hash,
                    "parameters": dict(judge.parameters),
                    "revision": judge.revision,
                }
                for judge in judges
            ]
        )
        return
    for judge in judges:
        where = f" at {judge.endpoint}, prompt {judge.prompt}" if judge.endpoint else ""
        click.echo(one_line(f"{judge.name:24}{judge.kind:10}{judge.model}{where}", 300))


@judge_command.command("run", epilog=example("tiebreak --db study.db judge run longer"))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 4096),
    default=8,
    show_default=True,
    help="Calls at once.",
)
@click.option("--limit", type=click.IntRange(1), help="At most this many verdicts per judge.")
@click.option("--retry-failed", is_flag=True, help="First try once more what failed before.")
@as_json
@click.pass_obj
def judge_run(
    settings: Settings,
    names: tuple[str, ...],
    concurrency: int,
    limit: int | None,
    retry_failed: bool,
    as_json: bool,
) -> None:
    """Let judges judge what they have not judged yet; all of them if none is named.

    Both orders are judged at every turn. Interrupt it whenever you like: verdicts are kept as
    they come, and the next run goes on.
    """
    from db.store import Store

    with Store(settings.study()) as store:
        records = [store.judging.judge(name) for name in names] or [
            judge for judge in store.judging.judges() if judge.kind != "imported"
        ]
        if not records:
            raise TiebreakError(
                "this study has no judge to run",
                "add one: tiebreak judge add longer --baseline longer-answer",
            )
        done = [
            asyncio.run(_run(store, record, concurrency, limit, retry_failed)) for record in records
        ]
    if as_json:
        show_json(done)


async def _run(
    store: Any, record: Any, concurrency: int, limit: int | None, retry_failed: bool
) -> dict[str, Any]:
    from tui.judging import work

    statuses: Counter[str] = Counter()
    began = last = time.monotonic()

    def told(verdict: Any) -> None:
        nonlocal last
        statuses[verdict.status.value] += 1
        if time.monotonic() - last > 5:
            last = time.monotonic()
            say(f"  {record.name}: {statuses.total():,} so far")

    def paused(seconds: float, why: str) -> None:
        say(f"  {record.name}: waits {seconds:.1f} s: {one_line(why, 200)}")

    try:
        await work(
            store,
            record,
            concurrency=concurrency,
            limit=limit,
            retry_failed=retry_failed,
            on_verdict=told,
            on_pause=paused,
        )
    except TiebreakError as error:
        hint = f"{error.hint}; what failed stays so until: judge run {record.name} --retry-failed"
        raise TiebreakError(f"judge {record.name!r}: {error.message}", hint) from error
    seconds = time.monotonic() - began
    listed = ", ".join(f"{count:,} {status}" for status, count in statuses.items()) or "none left"
    say(f"{record.name}: {listed} in {seconds:.1f} s")
    if failed := statuses.total() - statuses["ok"]:
        say(f"  {many(failed, 'verdict')} could not be had: judge run {record.name} --retry-failed")
    return {"judge": record.name, "verdicts": dict(statuses), "seconds": round(seconds, 3)}

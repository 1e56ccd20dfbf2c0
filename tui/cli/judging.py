"""The judge commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from core.text import many, one_line
from tui.cli import LazyGroup, Settings, as_name, example, say
from tui.cli.data import as_json, show_json
from tui.cli.prompt_options import Chosen, prompt_options

if TYPE_CHECKING:
    from db.store import Store
    from judges.families import Family

COMMANDS = {
    "check": ("tui.cli.judge_servers", "Ask a judge's servers what they can do."),
    "endpoint": ("tui.cli.judge_servers", "Add and remove a judge's servers."),
    "batch": ("tui.cli.judge_batches", "Judge by files of the OpenAI Batch format."),
    "panel": ("tui.cli.judge_panels", "Let several judges vote."),
    "run": ("tui.cli.judge_runs", "Let judges judge what they have not judged yet."),
    "pause": ("tui.cli.judge_controls", "Let judges begin no call until they are resumed."),
    "resume": ("tui.cli.judge_controls", "Let paused judges go on."),
    "cancel": ("tui.cli.judge_controls", "End the work of judges in all processes."),
    "budget": ("tui.cli.judge_controls", "Limit what a judge may use in all."),
    "price": ("tui.cli.judge_controls", "Say what a judge's tokens cost."),
    "status": ("tui.cli.judge_controls", "How the judges' work stands, in numbers."),
    "watch": ("tui.cli.judge_watch", "Follow the judges at work."),
    "failures": ("tui.cli.judge_watch", "What failed, by class, and the last of it."),
    "prompts": ("tui.cli.judge_prompts", "The prompts that judges can be asked with."),
    "reparse": ("tui.cli.judge_reparse", "Read stored replies again with today's parser."),
    "show": ("tui.cli.judge_watch", "One verdict whole, with its raw reply."),
}
"""Commands that stand elsewhere: module and short help, so that the group loads none of them."""


@click.group(
    "judge",
    cls=LazyGroup,
    lazily=COMMANDS,
    called="judge_{}",
    epilog=example("tiebreak --db study.db judge list"),
)
def judge_command() -> None:
    """Add judges and let them judge."""


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
@click.option(
    "--decisions",
    type=click.Choice(["systemone", "decisions"]),
    help="Let the model decide at this endpoint of its server, in place of writing.",
)
@click.option("--no-check", is_flag=True, help="Add it without asking its server.")
@prompt_options
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
    decisions: str | None,
    no_check: bool,
    chosen: Chosen,
    api_key_env: str | None,
    parameters: tuple[str, ...],
    revision: str,
) -> None:
    """Add a judge in one exact configuration; another configuration is another judge.

    Its server is asked what it can do, with a few calls of some tokens. The key is read from
    the variable when the judge works; it is never stored.
    """
    from db.judge_left import Scope, count_left
    from db.store import Store
    from judges.models import new_judge
    from tui.cli.judge_servers import found_at, show_found

    if (baseline is None) == (model is None):
        raise click.UsageError("give either --baseline, or --model with --endpoint")
    if model is not None and endpoint is None:
        raise click.UsageError("--model needs --endpoint")
    given = dict(map(_parameter, parameters))
    if api_key_env:
        given["api_key_env"] = api_key_env
    kind = "baseline" if baseline else "decision" if decisions else "openai"
    if decisions:
        given["api"] = decisions
    prompts = chosen.prompts() if kind == "openai" else None
    record = new_judge(
        name,
        kind,
        baseline or model or "",
        endpoint=endpoint or "",
        prompt=chosen.named,
        parameters=given,
        revision=revision,
        prompts=prompts,
    )
    with Store(settings.study()) as store:
        wording = prompts.family(record.prompt).dump() if prompts else ""
        is_known = any(judge.name == name for judge in store.judging.judges())
        found = None if is_known or no_check else found_at(record)
        is_new = store.judging.add(record, wording)
        if found is not None:
            store.endpoints.keep_found(name, record.endpoint, found)
        waiting = count_left(store, name, Scope())
        lacking, why = (0, "") if prompts is None else _beyond(store, prompts.family(record.prompt))
        pairs = store.reading.counts()["pairs"]
    say(f"judge {name!r} {'added' if is_new else 'is there already, as it is'}")
    show_found(found)
    if pairs:
        left = max(0, waiting - 2 * lacking)
        say(f"  {many(left, 'verdict')} to give; next: tiebreak judge run {name}")
        if lacking:
            say(f"  {2 * lacking:,} more will fail as 'no prompt': {one_line(why, 200)}")
    else:
        say("  there are no pairs to judge yet; next: tiebreak pairs make")


def _beyond(store: Store, family: Family) -> tuple[int, str]:
    from tui.judge_reach import beyond_reach

    return beyond_reach(store, family)


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

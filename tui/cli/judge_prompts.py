"""The commands that show prompts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.errors import TiebreakError
from core.text import displayable, one_line
from tui.cli import example, say
from tui.cli.data import as_json, show_json
from tui.cli.prompt_options import Chosen, prompts_option, style_options

if TYPE_CHECKING:
    from judges.families import Family
    from judges.prompting import Prompt
    from judges.tasks import Shown


@click.group("prompts", epilog=example("tiebreak judge prompts list"))
def judge_prompts() -> None:
    """The prompts that judges can be asked with."""


@judge_prompts.command(
    "list",
    epilog=example("tiebreak judge prompts list", "tiebreak judge prompts list --prompts mine/"),
)
@prompts_option
@as_json
def prompts_list(paths: tuple[Path, ...], as_json: bool) -> None:
    """The families of prompts: what each asks, and the grammar of the reply."""
    from judges.prompt_files import load_prompts

    prompts = load_prompts(*paths)
    families = [prompts.family(name) for name in prompts.families]
    if as_json:
        show_json([_facts(family) for family in families])
        return
    for family in families:
        first = family.variants[0]
        line = f"{family.name:18}{first.form:7}{first.parser:15}{first.title}{_lacks(family)}"
        click.echo(one_line(line, 200))


def _facts(family: Family) -> dict[str, Any]:
    first = family.variants[0]
    return {
        "name": family.name,
        "title": first.title,
        "form": family.form,
        "grammar": first.parser,
        "labels": {label: seen.value for label, seen in first.grammar.labels.items()},
        "hash": family.hash,
        "variants": [
            {
                "id": prompt.id,
                "turns": "multi" if prompt.multi else "single",
                "reference": prompt.reference,
                "explain": prompt.explain,
                "max_tokens": prompt.max_tokens,
                "structured": prompt.structured,
                "hash": prompt.hash,
            }
            for prompt in family.variants
        ],
    }


def _lacks(family: Family) -> str:
    """What a family has no variant for."""
    turns = {prompt.multi for prompt in family.variants}
    missing = [
        word
        for multi, word in ((False, "single turns"), (True, "conversations"))
        if multi not in turns
    ]
    return f" (no {', '.join(missing)})" if missing else ""


@judge_prompts.command(
    "show",
    epilog=example(
        "tiebreak judge prompts show pairwise",
        "tiebreak judge prompts show pairwise --explain none --names Kim,Robin --multi",
    ),
)
@click.argument("prompt")
@style_options
@click.option("--multi", is_flag=True, help="A conversation rather than a single turn.")
@click.option("--reference", is_flag=True, help="With a reference answer.")
@as_json
def prompts_show(chosen: Chosen, multi: bool, reference: bool, as_json: bool) -> None:
    """All that a judge would be sent, filled in with an example."""
    family = chosen.prompts().family(chosen.named)
    shown = _sample(family, multi, reference)
    prompt = family.pick(shown)
    messages = prompt.render(shown)
    if as_json:
        listed = [{"role": message.role, "content": message.content} for message in messages]
        show_json({**_facts(family), "shown": prompt.id, "messages": listed})
        return
    for message in messages:
        click.echo(f"── {message.role} " + "─" * (70 - len(message.role)))
        click.echo(displayable(message.content))
    click.echo("─" * 74)
    click.echo(one_line(_summary(prompt), 300))


def _sample(family: Family, multi: bool, reference: bool) -> Shown:
    """An example to fill a prompt with."""
    from dataclasses import replace

    from judges.examples import load_examples
    from judges.tasks import Shown

    examples = load_examples()
    turns = [example for example in examples if (len(example.question.turns) > 1) == multi]
    question, answers = turns[0].question, turns[0].answers
    if family.form == "list":
        answers = (*answers, tuple("I do not know." for _ in question.turns))
    if not reference:
        question = replace(question, references=())
    return Shown(question, len(question.turns), answers)


def _summary(prompt: Prompt) -> str:
    labels = ", ".join(f"{label} = {seen}" for label, seen in prompt.grammar.labels.items())
    grammar = f"grammar {prompt.parser}" + (f" ({labels})" if labels else "")
    return f"{prompt.id}: {grammar}, at most {prompt.max_tokens} tokens, hash {prompt.hash[:16]}"


@judge_prompts.command("check", epilog=example("tiebreak judge prompts check mine.toml"))
@click.argument("path", metavar="FILE", type=click.Path(exists=True, path_type=Path))
@as_json
def prompts_check(path: Path, as_json: bool) -> None:
    """Read prompts, or a file of examples, and say what was understood of them."""
    from judges.examples import load_examples
    from judges.prompt_files import is_examples, load_prompts

    if is_examples(path):
        examples = load_examples(path)
        outcomes = ", ".join(example.choice.value for example in examples)
        if as_json:
            show_json({"examples": [example.choice.value for example in examples]})
        say(f"{path}: {len(examples)} examples: {outcomes}")
        return
    ours = set(load_prompts().families)
    prompts = load_prompts(path)
    found = [prompts.family(name) for name in prompts.families if name not in ours]
    if not found:
        raise TiebreakError(f"{path} holds no prompt of its own", "see docs/judges.md")
    for family in found:
        for prompt in family.variants:
            _check_wording(prompt)
    if as_json:
        show_json([_facts(family) for family in found])
    for family in found:
        for prompt in family.variants:
            say(_summary(prompt))


def _check_wording(prompt: Prompt) -> None:
    """Refuse a prompt whose own words would be read as a verdict."""
    from judges.parsing import parse

    for message in (prompt.system, prompt.user):
        parsed = parse(prompt.parser, message, prompt.grammar)
        if parsed.failure is None:
            raise TiebreakError(
                f"the prompt {prompt.id!r} ends in what its own parser reads as a verdict",
                "a model that only repeats it would have judged; reword its last line",
            )

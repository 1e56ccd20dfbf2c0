"""The export and replay commands: gold, votes and whole studies on their way out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click

from core.errors import UsageError
from core.gold import GoldModel, GoldRule
from core.layouts import layouts
from core.layouts.rows import AS_TIE, BOTH, DROP, KEEP, ORDERS, Options
from core.text import displayable, inert_json, many, one_line
from tui.cli import Settings, example, say
from tui.cli.choosing import filtering, two_models
from tui.cli.figures import Number, Whole

if TYPE_CHECKING:
    from tui.exporting import Told


STDOUT = Path("-")
"""What stands for standard output where a file is asked for."""

_DEFAULT = Options()
_CHOSEN = (
    click.option("--names", is_flag=True, help="Annotators' names instead of pseudonyms."),
    click.option("--notes", is_flag=True, help="Annotators' notes too."),
    click.option(
        "--by",
        type=click.Choice([model.value for model in GoldModel]),
        default=_DEFAULT.rule.model.value,
        show_default=True,
        help="Gold: how votes decide where no lead has ruled.",
    ),
    click.option(
        "--majority",
        type=Number(0, 1, max_open=True),
        default=_DEFAULT.rule.share,
        show_default=True,
        help="Gold by majority: the label needs more than this share of the votes.",
    ),
    click.option(
        "--threshold",
        type=Number(0, 1, min_open=True),
        default=_DEFAULT.rule.threshold,
        show_default=True,
        help="Gold by dawid-skene: the probability that a label needs.",
    ),
    click.option(
        "--min-votes",
        type=Whole(1),
        default=_DEFAULT.rule.min_votes,
        show_default=True,
        help="Gold: votes needed.",
    ),
    click.option(
        "--ties",
        type=click.Choice([DROP, BOTH, KEEP]),
        help="What becomes of ties in a layout that has no place for them.",
    ),
    click.option(
        "--both-bad",
        type=click.Choice([DROP, BOTH, AS_TIE, KEEP]),
        help="What becomes of both bad.",
    ),
    click.option(
        "--orders",
        type=click.Choice(ORDERS),
        default=_DEFAULT.orders,
        show_default=True,
        help="judge: each pair in both orders, or in one that the seed draws.",
    ),
    click.option(
        "--held-out",
        type=Number(0, 1),
        default=_DEFAULT.held_out,
        show_default=True,
        help="Of two splits: the chance of a question to be in the second.",
    ),
    click.option(
        "--seed",
        type=Whole(0),
        default=_DEFAULT.seed,
        show_default=True,
        help="Of splits and orders.",
    ),
    click.option(
        "--prompt",
        metavar="PROMPT",
        default=_DEFAULT.prompt,
        show_default=True,
        help="judge: the prompt that the set is rendered with.",
    ),
)
"""What a lead chooses of an export."""


def _chosen(command: Callable[..., Any]) -> Callable[..., Any]:
    return reduce(lambda decorated, option: option(decorated), reversed(_CHOSEN), command)


@click.command(
    "export",
    epilog=example(
        "tiebreak --db study.db export gold > gold.jsonl",
        "tiebreak --db study.db export gold --by dawid-skene --threshold 0.9 -o gold.jsonl",
        "tiebreak --db study.db export gold --format dpo --ties drop --both-bad drop -o dpo.jsonl",
        "tiebreak --db study.db export votes --format csv -o votes.csv",
    ),
)
@click.argument("what", type=click.Choice(["gold", "votes", "study"]))
@click.option(
    "--format",
    "format_name",
    type=click.Choice([one.id for one in layouts()]),
    default="jsonl",
    show_default=True,
    help="The layout.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A file or folder; - or none: stdout.",
)
@_chosen
@filtering
@click.pass_obj
def export_command(
    settings: Settings, /, what: str, format_name: str, output: Path | None, **chosen: Any
) -> None:
    """Write gold labels, votes, or the whole study.

    Gold holds one row for each pair and turn: the label that counts, what decided it, and the
    trail it rests on. Annotators are pseudonyms and their notes stay, unless asked for. A whole
    study is written as it is, names and notes included: it is what `import` reads back. Beside a
    file stands its manifest, from which `replay` writes the same bytes again.
    """
    from db.store import Store
    from tui import exporting
    from tui.export_choice import check_choice
    from tui.manifests import Order

    options = _options(chosen)
    if output == STDOUT:
        output = None
    if what == "study" and options != _DEFAULT:
        raise click.UsageError("a whole study is written as it is: leave the options out")
    with Store(settings.study(), reading=True) as store:
        check_choice(store, options)
        if output is None:
            stream = shown(sys.stdout, is_json=format_name != "csv")
            told = exporting.write(store, what, format_name, options, stream)
        else:
            told = exporting.write_files(store, Order(what, format_name, options), output)
    where = one_line(str(output or "stdout"), 600)
    say(f"{many(told.count, 'record' if what == 'study' else 'row')} written to {where}")
    _say_more(told)


def _say_more(told: Told) -> None:
    if len(told.rows) > 1:
        for name, count in told.rows.items():
            say(f"  {one_line(name, 200)}: {count:,}")
    if told.left_out:
        listed = ", ".join(f"{reason} {count:,}" for reason, count in told.left_out.items())
        say(f"  left out: {listed}")


def _options(chosen: Mapping[str, Any]) -> Options:
    given = {name: value for name, value in chosen.items() if value is not None}
    model, against = two_models(given.pop("models"))
    rule = GoldRule(
        given.pop("majority"),
        given.pop("min_votes"),
        GoldModel(given.pop("by")),
        given.pop("threshold"),
    )
    return Options(rule=rule, model=model, against=against, **given)


class _Shown:
    """A terminal that exported lines are shown on: nothing in them reaches it as a command.

    Args:
        is_json: JSON stays the same data, with escapes; other text shows its stand-ins.
    """

    def __init__(self, terminal: IO[str], is_json: bool) -> None:
        self._terminal = terminal
        self._inert = inert_json if is_json else displayable

    def write(self, text: str) -> int:
        """Show some text."""
        self._terminal.write(self._inert(text))
        return len(text)


def shown(stdout: IO[str], *, is_json: bool) -> IO[str]:
    """Standard output, on which nothing that a terminal obeys is shown."""
    return cast(IO[str], _Shown(stdout, is_json)) if stdout.isatty() else stdout


@click.command(
    "replay",
    epilog=example(
        "tiebreak --db study.db replay gold.jsonl.manifest.json --to again.jsonl",
    ),
)
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "--to", type=click.Path(path_type=Path), metavar="FILE", help="Write here instead of there."
)
@click.pass_obj
def replay_command(settings: Settings, manifest: Path, to: Path | None) -> None:
    """Write an export again from its manifest: the same bytes, whatever was voted since.

    Without --to it is written where it first stood, unless something else is there. Where the
    same bytes cannot be had, it says why and writes nothing.
    """
    from db.store import Store
    from tui.replaying import replay

    if to == STDOUT:
        raise UsageError("an export is not replayed to standard output", "name a file: --to FILE")
    with Store(settings.study(), reading=True) as store:
        output, count = replay(store, manifest, to)
    say(f"{many(count, 'row')}, byte for byte, in {one_line(str(output), 600)}")

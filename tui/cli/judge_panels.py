"""The commands for panels of judges."""

from __future__ import annotations

from collections.abc import Collection

import click

from core.text import many, one_line
from tui.cli import Settings, as_name, example, say
from tui.cli.data import as_json, show_json


@click.group("panel", epilog=example("tiebreak --db study.db judge panel list"))
def judge_panel() -> None:
    """Let several judges vote; the panel stands beside them in every statistic."""


@judge_panel.command(
    "add",
    epilog=example(
        "tiebreak --db study.db judge panel add three --member a --member b --member c",
        "tiebreak --db study.db judge panel add two --rule weighted --member a=2 --member b=1.5",
        "tiebreak --db study.db judge panel add best --fit --member a --member b --member c",
    ),
)
@click.argument("name", callback=as_name)
@click.option(
    "--member", "members", multiple=True, required=True, metavar="JUDGE[=WEIGHT]", help="A judge."
)
@click.option(
    "--rule",
    type=click.Choice(["majority", "weighted"]),
    help="Members count alike, or by their weights.  [default: majority, weighted with --fit]",
)
@click.option("--fit", is_flag=True, help="Fit the weights to how often members agree with people.")
@click.pass_obj
def panel_add(
    settings: Settings, name: str, members: tuple[str, ...], rule: str | None, fit: bool
) -> None:
    """Add a panel of judges. It has a word wherever its members have, now and later.

    The outcome with most votes wins. Where two have as many the panel is undecided, which is no
    tie.
    """
    from core.panels import Panel, PanelRule
    from db.store import Store

    chosen = PanelRule(rule or ("weighted" if fit else "majority"))
    if fit and chosen is PanelRule.MAJORITY:
        raise click.UsageError("--fit is for --rule weighted: under majority all count alike")
    with Store(settings.study()) as store:
        judges = {judge.name for judge in store.judging.judges()}
        given: dict[str, float | None] = {}
        for member in members:
            judge, weight = _member(member, judges)
            if judge in given:
                raise click.UsageError(f"{judge!r} is a member twice")
            if fit and weight is not None:
                raise click.UsageError(f"{judge!r} has a weight; with --fit weights are fitted")
            if chosen is PanelRule.WEIGHTED and not fit and weight is None:
                raise click.UsageError(f"{judge!r} has no weight: {judge}=WEIGHT, or --fit")
            given[judge] = None if fit else 1.0 if weight is None else weight
        is_new = store.panels.add(Panel(name, chosen, given))
    say(
        f"panel {name!r} of {many(len(given), 'judge')} {'added' if is_new else 'is there already'}"
    )
    say("  reports call it 'panel: NAME'; next: tiebreak stats panels agreement")


def _member(text: str, judges: Collection[str]) -> tuple[str, float | None]:
    """A judge's name and its weight; a name that holds an equals sign goes before a weight."""
    name, sign, weight = text.rpartition("=")
    if text in judges or not sign or not name:
        return text, None
    try:
        return name, float(weight)
    except ValueError:
        raise click.UsageError(f"--member takes JUDGE or JUDGE=WEIGHT, not {text!r}") from None


@judge_panel.command("list", epilog=example("tiebreak --db study.db judge panel list"))
@as_json
@click.pass_obj
def panel_list(settings: Settings, as_json: bool) -> None:
    """The study's panels."""
    from db.store import Store

    with Store(settings.study(), reading=True) as store:
        panels = store.panels.every()
    if as_json:
        show_json(
            [
                {
                    "name": panel.name,
                    "rule": panel.rule.value,
                    "fitted": panel.is_fitted,
                    "members": dict(panel.members),
                }
                for panel in panels
            ]
        )
        return
    for panel in panels:
        weighs = panel.rule.value == "weighted" and not panel.is_fitted
        members = ", ".join(
            f"{name}={weight:g}" if weighs and weight is not None else name
            for name, weight in panel.members.items()
        )
        how = "fitted" if panel.is_fitted else panel.rule.value
        click.echo(one_line(f"{panel.name:24}{how:10}{members}", 300))


@judge_panel.command("remove", epilog=example("tiebreak --db study.db judge panel remove three"))
@click.argument("name")
@click.pass_obj
def panel_remove(settings: Settings, name: str) -> None:
    """Take a panel away; its members and their verdicts stay."""
    from db.store import Store

    with Store(settings.study()) as store:
        store.panels.remove(name)
    say(f"panel {name!r} removed; its members stay")

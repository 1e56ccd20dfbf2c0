"""The commands that say how judges are to go on, and how their work stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from core.errors import TiebreakError, UsageError
from core.text import many, one_line
from tui.cli import Settings, example, say
from tui.cli.data import as_json as json_option
from tui.cli.data import show_json
from tui.cli.figures import Number, Whole

if TYPE_CHECKING:
    from core.records import Judge
    from db.judge_control import JudgeControl, Status
    from db.store import Store

judge_names = click.argument("names", nargs=-1, metavar="[NAME]...")
PRICE = Number(min=0)
"""Of a million tokens, or of all."""


@click.command("pause", epilog=example("tiebreak --db study.db judge pause local"))
@judge_names
@click.pass_obj
def judge_pause(settings: Settings, names: tuple[str, ...]) -> None:
    """Let judges begin no call until they are resumed, in all processes, within a second."""
    for control, record in _controlled(settings, names):
        control.pause(record.name)
        say(f"{record.name}: paused; calls under way are recorded; tiebreak judge resume")


@click.command("resume", epilog=example("tiebreak --db study.db judge resume local"))
@judge_names
@click.pass_obj
def judge_resume(settings: Settings, names: tuple[str, ...]) -> None:
    """Let paused judges go on."""
    for control, record in _controlled(settings, names):
        control.resume(record.name)
        say(f"{record.name}: goes on where it runs; else: tiebreak judge run {record.name}")


@click.command("cancel", epilog=example("tiebreak --db study.db judge cancel local"))
@judge_names
@click.pass_obj
def judge_cancel(settings: Settings, names: tuple[str, ...]) -> None:
    """End the work of judges in all processes. Calls under way are recorded."""
    for control, record in _controlled(settings, names):
        control.cancel(record.name)
        say(f"{record.name}: cancelled; verdicts stay, and a run may begin anew at any time")


@click.command(
    "budget",
    epilog=example(
        "tiebreak --db study.db judge budget local --cost 20",
        "tiebreak --db study.db judge budget local --unlimited",
    ),
)
@click.argument("name")
@click.option("--cost", type=PRICE, help="In all, in the unit of the judge's prices.")
@click.option("--tokens", type=Whole(0), help="In all, sent and received together.")
@click.option("--unlimited", is_flag=True, help="No limit any more.")
@json_option
@click.pass_obj
def judge_budget(
    settings: Settings,
    name: str,
    cost: float | None,
    tokens: int | None,
    unlimited: bool,
    as_json: bool,
) -> None:
    """Limit what a judge may use in all, past use included; or say what it may and has used.

    The limit that is not named stays as it is.

    A call that might exceed the budget is not sent. Calls that may have been charged without a
    reply count in full.
    """
    from db.judge_control import JudgeControl
    from db.store import Store

    if unlimited and (cost is not None or tokens is not None):
        raise UsageError("--unlimited goes with neither --cost nor --tokens", "say one of them")
    with Store(settings.study()) as store:
        judges = JudgeControl(store)
        control = judges.read(name)
        if cost is not None and control.price_in is None:
            raise UsageError(
                f"the judge {name!r} has no prices, so its cost cannot be limited",
                f"say them first: tiebreak judge price {name} --price-in … --price-out …",
            )
        if unlimited or cost is not None or tokens is not None:
            if not unlimited:  # the limit that is not named stays
                cost = control.budget_cost if cost is None else cost
                tokens = control.budget_tokens if tokens is None else tokens
            judges.set_budget(name, cost=cost, tokens=tokens)
        control = judges.read(name)
    told = {
        "judge": name,
        "budget_cost": control.budget_cost,
        "budget_tokens": control.budget_tokens,
        "spent_cost": control.spent_cost,
        "spent_tokens": control.spent_tokens,
        "held_cost": control.held_cost,
        "held_tokens": control.held_tokens,
    }
    if as_json:
        show_json(told)
        return
    of_cost = "" if control.budget_cost is None else f" of {control.budget_cost:,.4g}"
    of_tokens = "" if control.budget_tokens is None else f" of {control.budget_tokens:,}"
    click.echo(
        f"{name}: {control.spent_tokens:,}{of_tokens} tokens, "
        f"{control.spent_cost:,.4f}{of_cost} spent"
    )


@click.command(
    "price", epilog=example("tiebreak --db study.db judge price local --price-in 2 --price-out 8")
)
@click.argument("name")
@click.option("--price-in", type=PRICE, required=True, help="Of a million tokens sent.")
@click.option("--price-out", type=PRICE, required=True, help="Of a million tokens received.")
@click.pass_obj
def judge_price(settings: Settings, name: str, price_in: float, price_out: float) -> None:
    """Say what a judge's tokens cost, in any unit; verdicts from now on carry their cost."""
    from db.judge_control import JudgeControl
    from db.store import Store

    with Store(settings.study()) as store:
        JudgeControl(store).set_prices(name, price_in, price_out)
    say(f"{name}: {price_in:g} for a million tokens sent, {price_out:g} for a million received")


@click.command("status", epilog=example("tiebreak --db study.db judge status"))
@judge_names
@json_option
@click.pass_obj
def judge_status(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    """How the judges' work stands, in numbers."""
    from db.judge_control import JudgeControl
    from db.store import Store

    with Store(settings.study(), reading=True) as store:
        found = [JudgeControl(store).status(one.name) for one in chosen_judges(store, names)]
    if as_json:
        show_json([asdict(one) for one in found])
        return
    for one in found:
        _say_status(one)


def _say_status(one: Status) -> None:
    control = one.control
    given = ", ".join(f"{count:,} {status}" for status, count in one.verdicts.items()) or "none"
    state = "paused" if control.paused else f"{many(len(one.workers), 'worker')}"
    lines = [
        f"{one.judge}: verdicts {given}; {state}",
        f"  queue: {one.waiting:,} waiting, {one.leased:,} taken up, "
        f"{one.attempts_open:,} under way",
    ]
    if one.failures:
        listed = ", ".join(f"{count:,} {name}" for name, count in sorted(one.failures.items()))
        lines.append(f"  calls without a verdict: {listed}; {one.may_be_charged:,} may be charged")
    if control.spent_tokens or control.has_budget:
        lines.append(f"  used: {control.spent_tokens:,} tokens, {control.spent_cost:,.4f} money")
    if one.uncounted:
        lines.append(
            f"  {many(one.uncounted, 'verdict')} took tokens that the server did not count: "
            "each counts with the most that it may have taken"
        )
    if control.note:
        lines.append(f"  stopped: {control.note}")
    for line in lines:
        click.echo(one_line(line, 300))


def chosen_judges(store: Store, names: Sequence[str]) -> list[Judge]:
    """The judges of these names; all that can work if none is named.

    Raises:
        TiebreakError: if there is no such judge, or none at all.
    """
    records = [store.judging.judge(name) for name in names] or [
        judge for judge in store.judging.judges() if judge.kind != "imported"
    ]
    if not records:
        raise TiebreakError(
            "this study has no judge to run",
            "add one: tiebreak judge add longer --baseline longer-answer",
        )
    return records


def _controlled(settings: Settings, names: Sequence[str]) -> Iterator[tuple[JudgeControl, Judge]]:
    from db.judge_control import JudgeControl
    from db.store import Store

    with Store(settings.study()) as store:
        for record in chosen_judges(store, names):
            yield JudgeControl(store), record

"""The commands that let judges work, and say how they are to go on."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import click

from core.errors import TiebreakError, UsageError
from core.text import many, one_line
from tui.cli import Settings, example, say
from tui.cli.data import as_json as json_option
from tui.cli.data import show_json

if TYPE_CHECKING:
    from core.records import Judge
    from db.judge_control import JudgeControl, Status
    from db.store import Store
    from tui.judge_desk import Order
    from tui.judge_pricing import Estimate
    from tui.judge_progress import Progress

_names = click.argument("names", nargs=-1, metavar="[NAME]...")
_price = click.FloatRange(min=0)


@click.command("run", epilog=example("tiebreak --db study.db judge run longer"))
@_names
@click.option(
    "--concurrency",
    type=click.IntRange(1, 4096),
    default=8,
    show_default=True,
    help="Calls at once; fewer where a server asks for it.",
)
@click.option("--limit", type=click.IntRange(1), help="At most this many verdicts per judge.")
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Verdicts on each pair, turn and order.",
)
@click.option(
    "--orders",
    type=click.Choice(["both", "as-shown"]),
    default="both",
    show_default=True,
    help="Both orders of each pair, or those that people were shown.",
)
@click.option("--retry-failed", is_flag=True, help="First try once more what failed before.")
@click.option(
    "--tries",
    type=click.IntRange(1, 20),
    default=1,
    show_default=True,
    help="Calls for a verdict whose replies hold none.",
)
@click.option("--follow", is_flag=True, help="Then wait for new pairs, until interrupted.")
@click.option("--dry-run", is_flag=True, help="Only say what it would take; nobody is called.")
@click.option("--price-in", type=_price, help="With --dry-run: of a million tokens sent.")
@click.option("--price-out", type=_price, help="With --dry-run: of a million tokens received.")
@json_option
@click.pass_obj
def judge_run(
    settings: Settings,
    names: tuple[str, ...],
    concurrency: int,
    limit: int | None,
    repeats: int,
    orders: Literal["both", "as-shown"],
    retry_failed: bool,
    tries: int,
    follow: bool,
    dry_run: bool,
    price_in: float | None,
    price_out: float | None,
    as_json: bool,
) -> None:
    """Let judges judge what they have not judged yet; all of them if none is named.

    Any number of these share the work. Interrupt it whenever you like: calls under way are
    still recorded (interrupt again to drop them), and the next run goes on.
    """
    from db.store import Store
    from tui.judge_desk import Order

    order = Order(concurrency, limit, repeats, orders, retry_failed, tries)
    if (price_in is None) != (price_out is None) or (price_in is not None and not dry_run):
        raise UsageError(
            "--price-in and --price-out go together, with --dry-run",
            "to keep prices in the study: tiebreak judge price NAME",
        )
    if follow and (dry_run or limit is not None):
        raise UsageError(
            "--follow has no end, so it goes with neither --limit nor --dry-run",
            "to limit what a judge may use: tiebreak judge budget NAME",
        )
    with Store(settings.study()) as store:
        records = _records(store, names)
        if follow:
            given = asyncio.run(_follow(store, names, order))
            if as_json:
                show_json(given)
            return
        if dry_run:
            prices = None if price_in is None or price_out is None else (price_in, price_out)
            _say_estimates(store, records, order, prices, as_json)
            return
        done = []
        for record in records:
            told, is_interrupted = asyncio.run(_run(store, record, order))
            done.append(told)
            if is_interrupted:
                break
    if as_json:
        show_json(done)
    if is_interrupted:
        raise click.exceptions.Exit(130)


@click.command("pause", epilog=example("tiebreak --db study.db judge pause local"))
@_names
@click.pass_obj
def judge_pause(settings: Settings, names: tuple[str, ...]) -> None:
    """Let judges begin no call until they are resumed, in all processes, within a second."""
    for control, record in _controlled(settings, names):
        control.pause(record.name)
        say(f"{record.name}: paused; calls under way are recorded; tiebreak judge resume")


@click.command("resume", epilog=example("tiebreak --db study.db judge resume local"))
@_names
@click.pass_obj
def judge_resume(settings: Settings, names: tuple[str, ...]) -> None:
    """Let paused judges go on."""
    for control, record in _controlled(settings, names):
        control.resume(record.name)
        say(f"{record.name}: goes on where it runs; else: tiebreak judge run {record.name}")


@click.command("cancel", epilog=example("tiebreak --db study.db judge cancel local"))
@_names
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
@click.option("--cost", type=_price, help="In all, in the unit of the judge's prices.")
@click.option("--tokens", type=click.IntRange(0), help="In all, sent and received together.")
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

    A call that might exceed the budget is not sent. Calls that may have been charged without a
    reply count in full.
    """
    from db.judge_control import JudgeControl
    from db.store import Store

    with Store(settings.study()) as store:
        judges = JudgeControl(store)
        control = judges.read(name)
        if cost is not None and control.price_in is None:
            raise UsageError(
                f"the judge {name!r} has no prices, so its cost cannot be limited",
                f"say them first: tiebreak judge price {name} --price-in … --price-out …",
            )
        if unlimited or cost is not None or tokens is not None:
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
@click.option("--price-in", type=_price, required=True, help="Of a million tokens sent.")
@click.option("--price-out", type=_price, required=True, help="Of a million tokens received.")
@click.pass_obj
def judge_price(settings: Settings, name: str, price_in: float, price_out: float) -> None:
    """Say what a judge's tokens cost, in any unit; verdicts from now on carry their cost."""
    from db.judge_control import JudgeControl
    from db.store import Store

    with Store(settings.study()) as store:
        JudgeControl(store).set_prices(name, price_in, price_out)
    say(f"{name}: {price_in:g} for a million tokens sent, {price_out:g} for a million received")


@click.command("status", epilog=example("tiebreak --db study.db judge status"))
@_names
@json_option
@click.pass_obj
def judge_status(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:
    """How the judges' work stands, in numbers."""
    from db.judge_control import JudgeControl
    from db.store import Store

    with Store(settings.study(), reading=True) as store:
        found = [JudgeControl(store).status(one.name) for one in _records(store, names)]
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
    if control.note:
        lines.append(f"  stopped: {control.note}")
    for line in lines:
        click.echo(one_line(line, 300))


def _records(store: Store, names: Sequence[str]) -> list[Judge]:
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
        for record in _records(store, names):
            yield JudgeControl(store), record


def _say_estimates(
    store: Store,
    records: Sequence[Judge],
    order: Order,
    prices: tuple[float, float] | None,
    as_json: bool,
) -> None:
    from tui.judge_pricing import estimate

    told = [estimate(store, record, order, prices) for record in records]
    if as_json:
        show_json([asdict(one) for one in told])
        return
    for one in told:
        click.echo(one_line(_priced(one), 400))


def _priced(one: Estimate) -> str:
    if not one.requests:
        return f"{one.judge}: {many(one.verdicts, 'verdict')}, asking nobody"
    cost = "no prices known"
    if one.cost is not None:
        cost = f"costs about {one.cost:,.4g}, at most {one.cost_most:,.4g}"
    return (
        f"{one.judge}: {many(one.verdicts, 'verdict')} in {many(one.requests, 'request')}; "
        f"about {one.tokens_in:,} tokens sent and {one.tokens_out:,} received "
        f"(at most {one.tokens_in_most:,} and {one.tokens_out_most:,}); {cost}"
    )


async def _run(store: Store, record: Judge, order: Order) -> tuple[dict[str, Any], bool]:
    """Run one judge; what came of it, and whether somebody interrupted it."""
    from db.judge_control import JudgeControl
    from tui.judge_progress import Progress
    from tui.judging import work

    progress = Progress(record.name)
    stop = asyncio.Event()
    if JudgeControl(store).read(record.name).paused:
        say(f"{record.name}: is paused, and waits: tiebreak judge resume {record.name}")

    def paused(seconds: float, why: str) -> None:
        say(f"  {record.name}: waits {seconds:.1f} s: {one_line(why, 200)}")

    def noted(words: str) -> None:
        say(f"  {record.name}: {one_line(words, 300)}")

    counting = asyncio.create_task(_count_left(store, record, order, progress))
    working = asyncio.create_task(
        work(
            store.path,
            record,
            order,
            stop=stop,
            on_ended=progress.take,
            on_pause=paused,
            on_note=noted,
        )
    )
    try:
        with _interrupts(stop, working):
            await working
    except asyncio.CancelledError:
        pass  # interrupted twice: calls under way were given back
    except TiebreakError as error:
        hints = [error.hint] if error.hint else []
        if progress.failed:
            hints.append(f"what failed stays so until: judge run {record.name} --retry-failed")
        message = f"judge {record.name!r}: {error.message}"
        raise TiebreakError(message, "; ".join(hints)) from error
    finally:
        counting.cancel()
        progress.close()
    seconds = time.monotonic() - progress.began
    statuses = progress.statuses
    listed = ", ".join(f"{count:,} {status}" for status, count in statuses.items()) or "none left"
    if stop.is_set() and not statuses:
        listed = "none"
    interrupted = "; interrupted" if stop.is_set() else ""
    say(f"{record.name}: {listed} in {seconds:.1f} s{interrupted}")
    if failed := progress.failed:
        say(f"  {many(failed, 'verdict')} could not be had: judge run {record.name} --retry-failed")
    return (
        {"judge": record.name, "verdicts": dict(statuses), "seconds": round(seconds, 3)},
        stop.is_set(),
    )


async def _follow(store: Store, names: Sequence[str], order: Order) -> list[dict[str, Any]]:
    """Let judges go on until somebody interrupts them; what each gave."""
    from tui.cli.judge_follow import Follower

    follower, stop = Follower(), asyncio.Event()
    working = asyncio.create_task(follower.run(store, names, order, stop))
    with _interrupts(stop, working), suppress(asyncio.CancelledError):
        await working
    judges = dict.fromkeys(judge for judge, _ in follower.given)
    return [
        {
            "judge": name,
            "verdicts": {one: n for (judge, one), n in follower.given.items() if judge == name},
        }
        for name in judges
    ]


async def _count_left(store: Store, record: Judge, order: Order, progress: Progress) -> None:
    """Learn how much is left, beside the work: in a large study it takes seconds."""
    from db.judge_left import Scope, count_left
    from db.store import Store as Opened

    def count() -> int:
        with Opened(store.path, reading=True) as own:
            return count_left(own, record.name, Scope(order.repeats, order.orders))

    left = await asyncio.to_thread(count)
    progress.left = left if order.limit is None else min(left, order.limit)


@contextmanager
def _interrupts(stop: asyncio.Event, working: asyncio.Task[Any]) -> Iterator[None]:
    """Let a first signal begin no call any more, and a second drop those under way."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if stop.is_set():
            working.cancel()
        else:
            say("  finishes the calls under way; interrupt again to drop them")
            stop.set()

    signals = (signal.SIGINT, signal.SIGTERM)
    for one in signals:
        loop.add_signal_handler(one, interrupted)
    try:
        yield
    finally:
        for one in signals:
            loop.remove_signal_handler(one)

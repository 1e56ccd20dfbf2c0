"""The command that lets judges work."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import click

from core.errors import StudyUnavailable, TiebreakError, UsageError
from core.text import many, one_line
from tui.cli import Settings, example, say
from tui.cli.data import as_json as json_option
from tui.cli.data import show_json
from tui.cli.figures import Whole
from tui.cli.judge_controls import PRICE, chosen_judges, judge_names

if TYPE_CHECKING:
    from core.records import Judge
    from db.store import Store
    from tui.judge_desk import Order
    from tui.judge_pricing import Estimate
    from tui.judge_progress import Progress

_LOWER = 5
"""Steps of ``nice`` by which judges that somebody waits for give way to people's sessions."""


@click.command("run", epilog=example("tiebreak --db study.db judge run longer"))
@judge_names
@click.option(
    "--concurrency",
    type=Whole(1, 4096),
    default=8,
    show_default=True,
    help="Calls at once; fewer where a server asks for it.",
)
@click.option("--limit", type=Whole(1), help="At most this many verdicts per judge.")
@click.option(
    "--repeats",
    type=Whole(1, 100),
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
    type=Whole(1, 20),
    default=1,
    show_default=True,
    help="Calls for a verdict whose replies hold none.",
)
@click.option("--follow", is_flag=True, help="Then wait for new pairs, until interrupted.")
@click.option("--dry-run", is_flag=True, help="Only say what it would take; nobody is called.")
@click.option("--price-in", type=PRICE, help="With --dry-run: of a million tokens sent.")
@click.option("--price-out", type=PRICE, help="With --dry-run: of a million tokens received.")
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
    from judges.loops import run
    from tui.giving_way import give_way
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
    if settings.is_alone and not dry_run:
        give_way(_LOWER)
    with Store(settings.study()) as store:
        records = chosen_judges(store, names)
        if follow:
            given = run(_follow(store, names, order))
            if as_json:
                show_json(given)
            return
        if dry_run:
            prices = None if price_in is None or price_out is None else (price_in, price_out)
            _say_estimates(store, records, order, prices, as_json)
            return
        _run_each(store, records, order, as_json)


def _run_each(store: Store, records: Sequence[Judge], order: Order, as_json: bool) -> None:
    """Run judges one after another; where one cannot go on, the next may: it has another server.

    Raises:
        TiebreakError: why the last of those could not.
    """
    from judges.loops import run

    done: list[dict[str, Any]] = []
    refusal: TiebreakError | None = None
    is_interrupted = False
    for record in records:
        try:
            told, is_interrupted = run(_run(store, record, order))
        except StudyUnavailable:
            raise
        except TiebreakError as error:
            refusal = error
            if record is not records[-1]:
                say(f"{one_line(error.message, 300)}; {one_line(error.hint, 300)}")
            continue
        done.append(told)
        if is_interrupted:
            break
    if as_json:
        show_json(done)
    if is_interrupted:
        raise click.exceptions.Exit(130)
    if refusal is not None:
        raise refusal
    if any(told["verdicts"] and not told["verdicts"].get("ok") for told in done):
        raise click.exceptions.Exit(1)  # all that was asked failed, as was said


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
    before = JudgeControl(store).read(record.name)
    if before.paused:
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
            hints.append(
                f"what failed stays so until: tiebreak judge run {record.name} --retry-failed"
            )
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
    ending = "; interrupted" if stop.is_set() else ""
    if JudgeControl(store).read(record.name).cancels != before.cancels:
        ending = "; cancelled"
    say(f"{record.name}: {listed} in {seconds:.1f} s{ending}")
    if failed := progress.failed:
        say(
            f"  {many(failed, 'verdict')} could not be had; why: tiebreak judge failures "
            f"{record.name}; again: tiebreak judge run {record.name} --retry-failed"
        )
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

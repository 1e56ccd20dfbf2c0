"""The judges as lines of text, for the lead's screen and the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import TYPE_CHECKING

from core.records import Combined
from core.text import cell_width, many, one_line
from core.times import ago

if TYPE_CHECKING:
    from core.records import Verdict
    from db.judge_control import Worker
    from db.judge_lists import Call, Listed
    from db.judge_watch import Endpoint, Watch, Watched

WIDE = 100
"""Cells from which there is room for latencies and cost."""

ROOMY = 150
"""Cells from which there is room for tokens and workers as well."""

OK = "ok"
"""What the class of a verdict with a choice is called."""

_GAP = "  "
_WORDS = {Combined.CONSISTENT: "agree", Combined.FLIP: "flip", Combined.HALF_FLIP: "half-flip"}
_SIDES = {"left": "the left answer", "right": "the right answer", "both_bad": "both bad"}


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    width: int
    cell: Callable[[Watched], str]
    is_number: bool = True
    wants: int = 0


_COLUMNS: Sequence[_Column] = (
    _Column("judge", 0, lambda one: one.name, is_number=False),
    _Column("state", 8, lambda one: one.state, is_number=False),
    _Column("done", 7, lambda one: f"{one.told.ok:,}"),
    _Column("left", 7, lambda one: some(one.left)),
    _Column("now", 5, lambda one: some(one.leased), wants=WIDE),
    _Column("failed", 6, lambda one: some(one.told.failed)),
    _Column("replaced", 8, lambda one: some(one.told.superseded), wants=ROOMY),
    _Column("pace", 8, lambda one: pace(one.told.per_second)),
    _Column("p50", 7, lambda one: seconds(one.told.median), wants=WIDE),
    _Column("p95", 7, lambda one: seconds(one.told.p95), wants=WIDE),
    _Column("agree", 5, lambda one: _share_that_agrees(one.told.orders)),
    _Column("tokens", 13, lambda one: some(one.told.tokens_in + one.told.tokens_out), wants=ROOMY),
    _Column("cost", 8, lambda one: money(one.told.cost), wants=ROOMY),
    _Column("workers", 7, lambda one: some(len(one.workers)), wants=ROOMY),
    _Column("time left", 9, lambda one: duration(one.seconds_left)),
)


def header(width: int) -> str:
    """The line above the judges."""
    cells = [_cell(each.title, each.width, each.is_number) for each in _columns(width)]
    return _GAP.join(cells).rstrip()


def judge_line(judge: Watched, width: int) -> str:
    """One judge in a line."""
    cells = [_cell(each.cell(judge), each.width, each.is_number) for each in _columns(width)]
    return _GAP.join(cells).rstrip()


def _columns(width: int) -> list[_Column]:
    shown = [each for each in _COLUMNS if width >= each.wants]
    free = width - sum(each.width for each in shown) - len(_GAP) * (len(shown) - 1)
    name = max(6, min(40, free))
    return [_Column(each.title, each.width or name, each.cell, each.is_number) for each in shown]


def _cell(text: str, width: int, is_number: bool) -> str:
    text = one_line(text, width)
    space = " " * (width - sum(map(cell_width, text)))
    return space + text if is_number else text + space


def some(count: int) -> str:
    """A count; a dot for none, which is easier to overlook than a zero."""
    return f"{count:,}" if count else "·"


def seconds(value: float | None) -> str:
    """How long a call takes."""
    if value is None:
        return "·"
    if value < 0.1:
        return f"{value * 1000:.0f} ms" if value >= 0.001 else "< 1 ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def pace(per_second: float | None) -> str:
    """How fast verdicts come; by the minute or hour where that is slow."""
    if per_second is None:
        return "·"
    if per_second >= 10:
        return f"{per_second:,.0f}/s"
    if per_second >= 1:
        return f"{per_second:.1f}/s"
    return f"{per_second * 60:.0f}/min" if per_second * 60 >= 1 else f"{per_second * 3600:.0f}/h"


def duration(value: float | None) -> str:
    """How long something will take yet."""
    if value is None:
        return "·"
    if value < 100:
        return f"{value:.0f} s"
    if value < 5400:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h" if value < 172_800 else f"{value / 86_400:,.0f} days"


def money(value: float) -> str:
    """An amount in the unit of the prices, whichever that is."""
    if not value:
        return "·"
    return f"{value:,.2f}" if value >= 0.01 else f"{value:.2g}"


def _share_that_agrees(orders: Mapping[Combined, int]) -> str:
    both = sum(orders.values())
    return f"{orders[Combined.CONSISTENT] / both:.0%}" if both else "·"


def status_parts(watch: Watch) -> list[str]:
    """What the line above everything says."""
    at_work = sum(bool(judge.workers) for judge in watch.judges)
    parts = ["Judges", f"{at_work:,} of {len(watch.judges):,} at work"]
    rates = [judge.told.per_second for judge in watch.judges if judge.told.per_second]
    if rates:
        parts.append(pace(sum(rates)))
    if left := sum(judge.left for judge in watch.judges):
        parts.append(f"{left:,} left")
    return parts


# ── one judge ───────────────────────────────────────────────────────────────


def facts(judge: Watched, now: datetime) -> list[str]:
    """What there is to say of one judge: :data:`FACTS` lines."""
    told = judge.told
    return [
        _line("verdicts", _verdicts(judge)),
        _line("pace", _pace(judge, now)),
        _line("latency", _latency(judge)),
        _line("used", _used(judge)),
        _line("orders", _orders(told.orders)),
        _line("last failure", _last_failure(judge, now)),
    ]


FACTS = 6
_LABEL = 14


def _line(label: str, parts: Iterator[str]) -> str:
    return f"{label:{_LABEL}}{' · '.join(parts) or '·'}"


def _verdicts(judge: Watched) -> Iterator[str]:
    told = judge.told
    yield f"{told.ok:,} with a choice"
    yield f"{told.failed:,} failed"
    if told.superseded:
        yield f"{told.superseded:,} replaced by a later one"
    if judge.left:
        yield f"{judge.leased:,} now, {judge.waiting:,} queued, {judge.todo:,} to queue"


def _pace(judge: Watched, now: datetime) -> Iterator[str]:
    told = judge.told
    if judge.control.note and judge.left:
        who = "a process " if judge.workers else ""
        yield f"{who}stopped: {one_line(judge.control.note, 300)}"
    if told.per_second is not None:
        yield f"{pace(told.per_second)} in the last minute"
    if judge.seconds_left is not None and judge.left:
        yield f"{duration(judge.seconds_left)} left"
    if told.overall is not None and judge.workers:
        begun = ago(judge.workers[0].started_at, now)
        yield f"{pace(told.overall)} since the start, {begun}"
    if judge.control.paused:
        yield "paused"


def _latency(judge: Watched) -> Iterator[str]:
    if judge.told.median is not None:
        yield f"median {seconds(judge.told.median)}"
        yield f"95% within {seconds(judge.told.p95)}"


def _used(judge: Watched) -> Iterator[str]:
    told = judge.told
    if told.tokens_in or told.tokens_out:
        yield f"{told.tokens_in:,} tokens in, {told.tokens_out:,} out"
    if told.cost:
        yield f"cost {money(told.cost)}"
    if judge.cost_left is not None:
        yield f"{judge.cost_left:,.2f} of {judge.control.budget_cost:,.2f} left"
    if judge.tokens_left is not None:
        yield f"{judge.tokens_left:,} of {judge.control.budget_tokens:,} tokens left"


def _orders(orders: Mapping[Combined, int]) -> Iterator[str]:
    both = sum(orders.values())
    for kind, count in orders.items() if both else ():
        of = f" of {both:,}" if kind is Combined.CONSISTENT else ""
        yield f"{count:,}{of} {_WORDS[kind]} ({count / both:.0%})"


def _last_failure(judge: Watched, now: datetime) -> Iterator[str]:
    last = judge.told.last_failure
    if last is not None:
        yield ago(last.at, now)
        yield one_line(last.kind, 40)
        if why := _without_kind(last.error, last.kind):
            yield one_line(why, 300)


def _without_kind(error: str, kind: str) -> str:
    """A failure in words without its class, which a parser's own begin with."""
    return error.removeprefix(f"{kind}: ")


def details(judge: Watched, now: datetime) -> list[tuple[str, str]]:
    """What one judge's numbers are made of, a line each, after what it is about.

    Verdicts by class come first: ``class:`` and its name, :data:`OK` for those with a choice.
    """
    found: list[tuple[str, str]] = []

    def add(label: str, name: str, text: str) -> None:
        is_first = not any(key.startswith(f"{label}:") for key, _ in found)
        found.append(
            (f"{label}:{name}", f"{_TITLES[label] if is_first else '':{_LABEL - 1}}{text}")
        )

    kinds = {**judge.told.failures, **({OK: judge.told.ok} if judge.told.ok else {})}
    for kind, count in kinds.items():
        name = "with a choice" if kind == OK else kind
        add("class", kind, f"{count:>9,}  {one_line(name, 60)}")
    for endpoint in judge.endpoints:
        add("endpoint", endpoint.address, endpoint_line(endpoint, now))
    for worker in judge.workers:
        add("worker", worker.owner, worker_line(worker, now))
    return found


_TITLES = {"class": "verdicts", "endpoint": "endpoints", "worker": "workers"}


def endpoint_line(endpoint: Endpoint, now: datetime) -> str:
    """An address and how it is doing."""
    parts = [one_line(endpoint.address, 60), endpoint_state(endpoint)]
    if endpoint.under_way:
        parts.append(f"{many(endpoint.under_way, 'call')} under way")
    parts += [f"{count:,} {one_line(outcome, 30)}" for outcome, count in endpoint.outcomes.items()]
    if endpoint.checked_at:
        parts.append(f"checked {ago(endpoint.checked_at, now)}")
    return " · ".join(parts)


def endpoint_state(endpoint: Endpoint) -> str:
    """Whether an address answers, as far as the last calls tell."""
    if endpoint.failing:
        return f"⚠ last {many(endpoint.failing, 'call')} failed"
    if endpoint.under_way:
        return "in use"
    return "answers" if endpoint.outcomes else "not called lately"


def worker_line(worker: Worker, now: datetime) -> str:
    """A process at work."""
    parts = [
        f"{one_line(worker.host, 30)}, process {worker.pid}",
        f"{worker.under_way:,} of {many(worker.window, 'call')} at once",
        f"{many(worker.verdicts, 'verdict')}, begun {ago(worker.started_at, now)}",
    ]
    if worker.note:
        parts.append(one_line(worker.note, 100))
    return " · ".join(parts)


# ── verdicts ────────────────────────────────────────────────────────────────


def listed_lines(found: Sequence[Listed], now: datetime, *, with_kind: bool) -> list[str]:
    """Verdicts in a line each; their models stay unnamed, since a lead may vote too."""
    widest = max((sum(map(cell_width, one_line(one.question, 16))) for one in found), default=0)
    return [_listed_line(one, now, widest, with_kind) for one in found]


def _listed_line(listed: Listed, now: datetime, widest: int, with_kind: bool) -> str:
    cells = [
        _cell(ago(listed.at, now), 11, is_number=False),
        _cell(listed.question, widest, is_number=False),
        f"turn {listed.turn}" if listed.turn else "all turns",
        f"order {listed.left}" if listed.left else "no order",
    ]
    if listed.repeat:
        cells.append(f"repeat {listed.repeat}")
    if listed.pairs > 1:
        cells.append(many(listed.pairs, "pair"))
    if listed.said is None:
        return _GAP.join([*cells, "·"])
    why = _without_kind(listed.said, listed.kind)
    if with_kind and why == listed.said:
        cells.append(_cell(listed.kind, 16, is_number=False))
    cells.append(one_line(listed.said if with_kind else why, 200))
    return _GAP.join(cells)


def verdict_text(
    verdict: Verdict, calls: Sequence[Call], replaced_by: str | None, width: int
) -> str:
    """A verdict with all that is known of how it came about, its raw reply last and whole."""
    lines = [f"{label:{_LABEL}}{text}" for label, text in _known(verdict, replaced_by) if text]
    shown: list[str] = []
    for line in lines:
        shown += wrap(line, width, subsequent_indent=" " * _LABEL) or [""]
    if calls:
        shown += ["", f"{many(len(calls), 'call')}", ""]
        shown += [one_line(_call_line(call), max(width, 40)) for call in calls]
    for title, text in (("Reasoning", verdict.reasoning), ("Raw reply", verdict.raw)):
        if text is not None:
            words = text if text.strip() else f"(nothing: {many(len(text), 'character')})"
            shown += ["", f"── {title} ".ljust(min(width, 60), "─"), "", words]
    if verdict.raw is None:
        shown += ["", "There is no reply to show."]
    return "\n".join(shown)


def _known(verdict: Verdict, replaced_by: str | None) -> Iterator[tuple[str, str]]:
    order = f"order {verdict.left}" if verdict.left else "order not recorded"
    turn = f"turn {verdict.turn}" if verdict.turn else "the whole conversation"
    repeat = f", repeat {verdict.repeat}" if verdict.repeat else ""
    yield "verdict", verdict.id
    yield "judge", one_line(verdict.judge, 200)
    yield "on", f"{one_line(verdict.pair.question, 200)}, {turn}, {order}{repeat}"
    yield "came to", _came_to(verdict)
    yield "parser said", one_line(verdict.error, 2000)
    yield "label", one_line(verdict.label, 200)
    if verdict.scores is not None:
        yield "scores", f"{verdict.scores[0]:g} left, {verdict.scores[1]:g} right"
    if verdict.probabilities:
        shares = (f"{one_line(name, 40)} {p:.3g}" for name, p in verdict.probabilities.items())
        yield "shares", ", ".join(shares)
    yield "prompt", " ".join((one_line(verdict.prompt, 200), verdict.prompt_hash[:12])).strip()
    yield "sent", verdict.sent_hash[:12]
    yield "endpoint", one_line(verdict.endpoint, 200)
    yield "served by", one_line(verdict.served_model, 200)
    yield "attempts", f"{verdict.attempts:,}"
    yield "took", " · ".join(_took(verdict))
    yield "at", one_line(verdict.at, 40)
    yield "in place of", verdict.supersedes or ""
    yield "replaced by", replaced_by or ""


def _came_to(verdict: Verdict) -> str:
    from core.blinding import as_seen

    if verdict.choice is None:
        return " · ".join(dict.fromkeys((verdict.status.value, verdict.failure or "no choice")))
    if verdict.left is None:
        return "a choice, its order not recorded"
    seen = as_seen(verdict.choice, verdict.left).value
    return _SIDES.get(seen, seen)


def _took(verdict: Verdict) -> Iterator[str]:
    if verdict.latency is not None:
        yield seconds(verdict.latency)
    if verdict.tokens_in is not None:
        yield f"{verdict.tokens_in:,} tokens in"
    if verdict.tokens_out is not None:
        yield f"{verdict.tokens_out:,} out"
    if verdict.cost:
        yield f"cost {money(verdict.cost)}"


def _call_line(call: Call) -> str:
    parts = [call.begun_at[:19].replace("T", " "), call.outcome or "no outcome yet"]
    if call.latency is not None:
        parts.append(seconds(call.latency))
    return _GAP.join(filter(None, [*parts, call.endpoint, call.detail]))


def failure_lines(
    counts: Mapping[str, int],
    found: Sequence[Listed],
    now: datetime,
    width: int,
    *,
    with_judge: bool,
) -> list[str]:
    """Failures by class, then some of them with their ids.

    Args:
        with_judge: whether they may be of several judges.
    """
    if not counts:
        return ["Nothing failed."]
    lines = [f"{count:>9,}  {one_line(kind, 60)}" for kind, count in counts.items()]
    lines.append("")
    names = max((sum(map(cell_width, one_line(one.judge, 16))) for one in found), default=0)
    for one, text in zip(found, listed_lines(found, now, with_kind=True), strict=True):
        judge = f"{_cell(one.judge, names, is_number=False)}{_GAP}" if with_judge else ""
        lines.append(one_line(f"{one.id[:12]:14}{judge}{text}", width))
    return lines

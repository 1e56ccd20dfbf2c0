"""What a run would take, told from the texts without calling anybody."""

from __future__ import annotations

from dataclasses import dataclass

from core.records import Judge
from db.judge_control import JudgeControl
from db.judge_left import Frontier, Scope, Wanted
from db.judging import asked_of
from db.store import Store
from judges.models import make_judge
from judges.tasks import JudgeLike, Size, verdict_names
from tui.judge_desk import Order, scope_of, task_of
from tui.judge_prompts import prompts_of


@dataclass(slots=True)
class Estimate:
    """What a run would take.

    Attributes:
        verdicts: how many would be recorded.
        tokens_in: tokens sent, about; one for four bytes.
        tokens_in_most: tokens sent at most; one for two bytes.
        tokens_out: tokens received, about: as many a verdict as the judge's so far, or at most.
        tokens_out_most: tokens received at most.
        cost: what that costs, None without prices.
    """

    judge: str
    verdicts: int = 0
    calls: int = 0
    requests: int = 0
    tokens_in: int = 0
    tokens_in_most: int = 0
    tokens_out: int = 0
    tokens_out_most: int = 0
    cost: float | None = None
    cost_most: float | None = None


def estimate(
    store: Store,
    record: Judge,
    order: Order,
    prices: tuple[float, float] | None = None,
) -> Estimate:
    """What a run of a judge would take if it began now; nothing is written and nobody asked.

    Args:
        prices: of a million tokens, sent and received; by default those of the study.
    """
    judge = make_judge(record, prompts=prompts_of(store, record))
    told = Estimate(record.name)
    control = JudgeControl(store).read(record.name)
    with store.read() as connection:
        judge_id, usual = connection.execute(
            "SELECT j.id, (SELECT avg(tokens_out) FROM (SELECT tokens_out FROM verdict v "
            "WHERE v.judge_id = j.id AND tokens_out IS NOT NULL ORDER BY seq DESC LIMIT 1000)) "
            "FROM judge j WHERE j.name = ?",
            (record.name,),
        ).fetchone()
    seen: set[str] = set()
    scope = scope_of(judge, order)
    for portion in Frontier(store, judge_id, scope, verdict_names(record)).portions():
        wanted = [one for one in portion if one.key not in seen]
        if order.limit is not None:
            wanted = wanted[: order.limit - told.verdicts]
        seen.update(one.key for one in wanted)
        _add(told, _sizes(store, judge, scope, wanted), len(wanted))
    told.tokens_out = told.tokens_out_most
    if usual is not None:
        told.tokens_out = min(told.tokens_out_most, round(usual * told.verdicts))
    if prices is None and control.price_in is not None and control.price_out is not None:
        prices = (control.price_in, control.price_out)
    if prices is not None:
        told.cost = _cost(told.tokens_in, told.tokens_out, prices)
        told.cost_most = _cost(told.tokens_in_most, told.tokens_out_most, prices)
    return told


def _sizes(store: Store, judge: JudgeLike, scope: Scope, wanted: list[Wanted]) -> list[Size]:
    with store.read() as connection:
        asked = asked_of(connection, [(one.pair_id, one.turn, one.left) for one in wanted])
    calls: dict[str, list[int]] = {}
    for place, one in enumerate(wanted):
        calls.setdefault(one.call, []).append(place)
    return [
        judge.size([task_of(asked[place], wanted[place].repeat) for place in places])
        for places in calls.values()
    ]


def _add(told: Estimate, sizes: list[Size], verdicts: int) -> None:
    told.verdicts += verdicts
    told.calls += len(sizes)
    for size in sizes:
        told.requests += size.requests
        told.tokens_in += size.about
        told.tokens_in_most += size.at_most
        told.tokens_out_most += size.max_tokens


def _cost(tokens_in: int, tokens_out: int, prices: tuple[float, float]) -> float:
    return (tokens_in * prices[0] + tokens_out * prices[1]) / 1_000_000

"""The rulings commands: what the lead's adjudication screen does, without a screen."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import update_wrapper
from typing import TYPE_CHECKING, Any

import click

from core.adjudication.case import REASON_WORDS, Filter, Order, Reason, RulingSeen, State
from core.blinding import pair_called
from core.records import LessonUse
from core.text import displayable, many, one_line
from tui.cli import Settings, as_name, example, say
from tui.cli.data import as_json, show_json
from tui.cli.figures import Whole

if TYPE_CHECKING:
    from core.adjudication.case import Case, Opinion, Row, Unmasked
    from db.ruling_queue import RulingQueue
    from db.ruling_reports import Made


@click.group("rulings", epilog=example("tiebreak --db study.db rulings queue --as lea"))
def rulings_command() -> None:
    """Rule on what people and judges disagree about, blind, and see what came of it."""


_lead = click.option(
    "--as", "lead", metavar="NAME", callback=as_name, help="Which lead you are; your login if not."
)
_key = click.argument("key", metavar="CASE")


@contextmanager
def _queue(settings: Settings, lead: str | None) -> Iterator[RulingQueue]:
    from db.ruling_queue import RulingQueue
    from db.store import Store, local_identity
    from tui.cli.people import need_owner

    login, identity = local_identity()
    if lead not in (None, login):
        need_owner(settings.study(), "only the owner of the study's file may say --as")
    with Store(settings.study()) as store:
        yield RulingQueue(store, lead or login, identity)


def _check(queue: RulingQueue, category: str | None, turn: int | None) -> None:
    from tui.export_choice import check_cases

    check_cases(queue.store, category, turn)


def _new_id() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class _Ruling:
    """What a lead decides on a case, as a command line says it.

    Attributes:
        said: case, choice and reason, as :class:`db.ruling_queue.RulingQueue` takes them.
        id: of this ruling.
    """

    said: tuple[str, RulingSeen, str]
    final: bool
    id: str


def _decides(decide: Callable[[RulingQueue, _Ruling], None]) -> Callable[..., None]:
    """A command that rules: takes case, choice and reason, and has them recorded."""

    @click.pass_obj
    def command(
        settings: Settings, key: str, lead: str | None, choice: str, reason: str, final: bool
    ) -> None:
        with _queue(settings, lead) as queue:
            decide(queue, _Ruling((key, RulingSeen(choice), reason), final, _new_id()))

    made: Callable[..., None] = update_wrapper(command, decide)
    for option in (
        click.option("--final", is_flag=True, help="It settles what leads disagree about."),
        click.option("--reason", required=True, help="Why, in a few words."),
        click.option(
            "--choice",
            required=True,
            type=click.Choice([each.value for each in RulingSeen]),
            help="What is right, as the answers stand in `rulings take`.",
        ),
        _lead,
        _key,
    ):
        made = option(made)
    return made


def _takes_filter(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which cases, and in which order."""
    reasons = [each.value for each in Reason if each is not Reason.BY_HAND]
    for decorate in (
        click.option(
            "--by",
            "order",
            type=click.Choice([each.value for each in Order]),
            default=Order.RANKING.value,
            show_default=True,
            help="Effect on the ranking or on agreement, or a column.",
        ),
        click.option("--turn", type=Whole(0), help="Only this turn."),
        click.option("--category", help="Only questions of this category."),
        click.option(
            "--reason",
            "reasons",
            type=click.Choice(reasons),
            multiple=True,
            help="Only what is there for this reason; may be given several times.",
        ),
    ):
        command = decorate(command)
    return command


@rulings_command.command(
    "queue", epilog=example("tiebreak --db study.db rulings queue --as lea --reason human_split")
)
@_lead
@_takes_filter
@click.option(
    "--state",
    "states",
    type=click.Choice([each.value for each in State]),
    multiple=True,
    help="Only in this state; waiting and mine otherwise.",
)
@click.option("--limit", type=Whole(1), default=20, show_default=True, help="So many.")
@click.option("--backwards", is_flag=True, help="The order's last first.")
@as_json
@click.pass_obj
def rulings_queue(
    settings: Settings,
    lead: str | None,
    reasons: tuple[str, ...],
    category: str | None,
    turn: int | None,
    order: str,
    states: tuple[str, ...],
    limit: int,
    backwards: bool,
    as_json: bool,
) -> None:
    """What waits to be ruled on, what would change most first. It names nobody."""
    wanted = Filter(frozenset(map(Reason, reasons)), category=category, turn=turn)
    if states:
        wanted = replace(wanted, states=frozenset(map(State, states)))
    with _queue(settings, lead) as queue:
        _check(queue, category, turn)
        rows = queue.cases(wanted, Order(order), limit=limit, backwards=backwards)
        counts = queue.counts()
    if as_json:
        waiting = {reason.value: count for reason, count in counts.items()}
        show_json({"waiting": waiting, "cases": [_row_json(row) for row in rows]})
        return
    for reason, count in counts.items():
        if count:
            say(f"{count:>8,}  {reason.value:18}{REASON_WORDS[reason]}")
    if not rows:
        say("nothing waits to be ruled on")
    from tui.ruling_lines import elo

    for row in rows:
        reasons_said = ", ".join(row.reasons)
        spread = "·" if row.is_blank else "–".join(map(str, row.spread)) or "none"
        place = one_line(f"{row.question}, turn {row.turn}", 28)
        effect = f"± {elo(row.effect)} Elo"
        click.echo(f"{row.key}  {place:28}  {spread:8}{effect:>13}  {row.state:10}  {reasons_said}")


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "case": row.key,
        "question": row.question,
        "category": row.category,
        "turn": row.turn,
        "reasons": list(row.reasons),
        "state": row.state,
        "spread": None if row.is_blank else list(row.spread),
        "effect": None if row.is_blank else row.effect,
        "agreement_effect": None if row.is_blank else row.agreement_effect,
        "probability": row.probability,
        "rulings": row.rulings,
    }


@rulings_command.command("next", epilog=example("tiebreak --db study.db rulings next --as lea"))
@_lead
@_takes_filter
@as_json
@click.pass_obj
def rulings_next(
    settings: Settings,
    lead: str | None,
    reasons: tuple[str, ...],
    category: str | None,
    turn: int | None,
    order: str,
    as_json: bool,
) -> None:
    """Open the next case and show it blind; no other lead gets it for a while."""
    wanted = Filter(frozenset(map(Reason, reasons)), category=category, turn=turn)
    with _queue(settings, lead) as queue:
        _check(queue, category, turn)
        case = queue.next(wanted, Order(order))
    if case is None:
        say("nothing waits to be ruled on")
        if as_json:
            show_json(None)
        return
    _show_case(case, as_json)


@rulings_command.command(
    "take", epilog=example("tiebreak --db study.db rulings take 0f3c…/1 --as lea")
)
@_key
@_lead
@as_json
@click.pass_obj
def rulings_take(settings: Settings, key: str, lead: str | None, as_json: bool) -> None:
    """Open one case, in the queue or not, and show it blind."""
    with _queue(settings, lead) as queue:
        case = queue.take(key)
    _show_case(case, as_json)


def _show_case(case: Case, as_json: bool) -> None:
    if as_json:
        show_json(_case_json(case))
        return
    click.echo(f"case {case.key}, turn {case.turn}, open until {case.lease_until}")
    if case.asked:
        click.echo(displayable(f"a second opinion was asked for: {case.asked}"))
    # What came after the turn that is ruled on has no part in it.
    for turn, question in enumerate(case.question[: case.turn or None]):
        click.echo(f"\n── question, turn {turn + 1}\n{displayable(question)}")
        for side, answer in (("left", case.left), ("right", case.right)):
            if turn < len(answer):
                click.echo(f"\n── {side}\n{displayable(answer[turn])}")
    for opinion in case.opinions:
        click.echo(f"\n── {_opinion_line(opinion)}")
        if opinion.text:
            click.echo(displayable(opinion.text))
    if case.is_unmasked:
        say("you may know its names: what you rule is kept as ruled after unmasking")
    if any(case.draft):
        say(f"kept from before: {displayable(' '.join(case.draft))}")


def _opinion_line(opinion: Opinion) -> str:
    parts = [
        opinion.label,
        opinion.kind,
        opinion.seen or f"cannot judge: {opinion.cannot_judge}",
        f"confidence {opinion.confidence}" if opinion.confidence is not None else "",
        ", ".join(opinion.tags),
        "; ".join(f"{name}: {seen}" for name, seen in opinion.criteria.items()),
        f"flag: {opinion.flag}" if opinion.flag else "",
        "your own earlier vote" if opinion.is_own else "",
        "written with the sides exchanged" if opinion.is_turned else "",
        "written with the answers on unknown sides" if opinion.is_unsided else "",
    ]
    return displayable(" · ".join(part for part in parts if part))


def _case_json(case: Case) -> dict[str, Any]:
    return {
        "case": case.key,
        "turn": case.turn,
        "category": case.category,
        "question": list(case.question),
        "references": list(case.references),
        "left": list(case.left),
        "right": list(case.right),
        "opinions": [_opinion_json(opinion) for opinion in case.opinions],
        "reasons": list(case.reasons),
        "draft": {"choice": case.draft[0], "reason": case.draft[1]},
        "asked": case.asked,
        "is_unmasked": case.is_unmasked,
        "lease_until": case.lease_until,
    }


def _opinion_json(opinion: Opinion) -> dict[str, Any]:
    return {
        "number": opinion.number,
        "seen": opinion.seen,
        "cannot_judge": opinion.cannot_judge,
        "tags": list(opinion.tags),
        "criteria": dict(opinion.criteria),
        "confidence": opinion.confidence,
        "text": opinion.text,
        "flag": opinion.flag,
        "names_hidden": opinion.hidden,
        "sides_exchanged": opinion.is_turned,
        "sides_unknown": opinion.is_unsided,
        "own": opinion.is_own,
        "kind": opinion.kind,
    }


@rulings_command.command(
    "release", epilog=example("tiebreak --db study.db rulings release 0f3c…/1 --as lea")
)
@_key
@_lead
@click.pass_obj
def rulings_release(settings: Settings, key: str, lead: str | None) -> None:
    """Give an open case back without a ruling."""
    with _queue(settings, lead) as queue:
        queue.release(key)
    say("given back")


@rulings_command.command(
    "rule",
    epilog=example(
        "tiebreak --db study.db rulings rule 0f3c…/1 --as lea --choice left --reason 'It adds up.'"
    ),
)
@_decides
def rulings_rule(queue: RulingQueue, ruling: _Ruling) -> None:
    """Rule on a case, blind. More votes serves the pair to further annotators."""
    asked = queue.rule(*ruling.said, id=ruling.id, final=ruling.final)
    say("ruled")
    if asked is not None:
        say(f"  {many(asked.wanted, 'more vote')} wanted; {asked.people:,} who could give one")
        if asked.may_end_weights:
            from tui.ruling_lines import NOT_WEIGHED

            say(f"  {NOT_WEIGHED}")


@rulings_command.command(
    "unmask", epilog=example("tiebreak --db study.db rulings unmask 0f3c…/1 --as lea")
)
@_key
@_lead
@as_json
@click.pass_obj
def rulings_unmask(settings: Settings, key: str, lead: str | None, as_json: bool) -> None:
    """Show who wrote and who said what in a case you ruled on; nothing is blind after that."""
    with _queue(settings, lead) as queue:
        told = queue.unmask(key)
        pair = _pair(queue, told.key)
    if as_json:
        show_json(_unmasked_json(told, pair))
        return
    click.echo(f"left: {one_line(told.left, 80)}\nright: {one_line(told.right, 80)}")
    for named in told.opinions:
        name = one_line(" ".join((named.kind, named.name, named.detail)), 100)
        click.echo(f"{name}: {_opinion_line(named.opinion)}")
    click.echo(f"ruled blind: {told.blind}; stands: {told.stands}")
    for one in told.others:
        final = ", final" if one.is_final else ""
        why = one_line(one.reason, 300)
        click.echo(f"lead {one_line(one.name, 60)} ruled{final}: {one.seen}; {why}")


def _pair(queue: RulingQueue, case: str) -> str:
    """The key of a case's pair, which follows from its names: for who has seen these."""
    return pair_called(queue.store.seed, case.partition("/")[0])


def _unmasked_json(told: Unmasked, pair: str) -> dict[str, Any]:
    return {
        "case": told.key,
        "pair": pair,
        "left": told.left,
        "right": told.right,
        "opinions": [
            {
                "name": named.name,
                "detail": named.detail,
                **_opinion_json(named.opinion),
            }
            for named in told.opinions
        ],
        "blind": told.blind,
        "stands": told.stands,
        "reason": told.reason,
        "reasons": list(told.reasons),
        "others": [
            {"lead": one.name, "choice": one.seen, "reason": one.reason, "final": one.is_final}
            for one in told.others
        ],
    }


@rulings_command.command(
    "revise",
    epilog=example(
        "tiebreak --db study.db rulings revise 0f3c…/1 --as lea --choice tie --reason 'Both add.'"
    ),
)
@_decides
def rulings_revise(queue: RulingQueue, ruling: _Ruling) -> None:
    """Rule anew on a case you have unmasked; both decisions are kept."""
    queue.revise(*ruling.said, id=ruling.id, final=ruling.final)
    say("revised; what you ruled blind is kept")


@rulings_command.command("undo", epilog=example("tiebreak --db study.db rulings undo --as lea"))
@_lead
@click.pass_obj
def rulings_undo(settings: Settings, lead: str | None) -> None:
    """Take back what you ruled or revised last."""
    with _queue(settings, lead) as queue:
        key = queue.undo(id=_new_id())
    say(f"taken back: {key}" if key else "nothing to take back")


@rulings_command.command(
    "second",
    epilog=example(
        "tiebreak --db study.db rulings second 0f3c…/1 --as lea --why 'A matter of law.'"
    ),
)
@_key
@_lead
@click.option("--why", required=True, help="What the other lead should know; no names.")
@click.pass_obj
def rulings_second(settings: Settings, key: str, lead: str | None, why: str) -> None:
    """Ask another lead for a second opinion, which is ruled blind too."""
    with _queue(settings, lead) as queue:
        queue.ask_second(key, why, id=_new_id())
    say("asked; it waits in the other leads' queues")


@rulings_command.command(
    "teach",
    epilog=example("tiebreak --db study.db rulings teach 0f3c…/1 --as lea --use qualification"),
)
@_key
@_lead
@click.option(
    "--use",
    type=click.Choice([use.value for use in LessonUse]),
    default=LessonUse.PRACTICE.value,
    show_default=True,
    help="To learn from, or a gold check to be let in by.",
)
@click.option("--why", default="", help="What annotators read; the ruling's reason otherwise.")
@click.pass_obj
def rulings_teach(settings: Settings, key: str, lead: str | None, use: str, why: str) -> None:
    """Make a lesson of your ruling on a case, with its reason."""
    with _queue(settings, lead) as queue:
        is_new = queue.teach(key, LessonUse(use), why)
    say("a lesson now" if is_new else "was a lesson already")


@rulings_command.command(
    "list", epilog=example("tiebreak --db study.db rulings list --as lea --json")
)
@_lead
@as_json
@click.pass_obj
def rulings_list(settings: Settings, lead: str | None, as_json: bool) -> None:
    """Your rulings that stand. Models are named where you have unmasked them."""
    from db.ruling_reports import made_by

    with _queue(settings, lead) as queue, queue.store.read() as connection:
        made = made_by(connection, queue.lead)
    if as_json:
        show_json([_made_json(one) for one in made])
        return
    if not made:
        say("no rulings yet: tiebreak rulings next")
    for one in made:
        names = one_line(" | ".join(one.models), 60) if one.models else "blind"
        extra = ("  final" if one.is_final else "") + ("  leads disagree" if one.disagree else "")
        place = one_line(f"{one.question}, turn {one.turn}", 28)
        click.echo(f"{one.key}  {place:28}  {one.choice:14}{one.stage:9}  {names}{extra}")


def _made_json(one: Made) -> dict[str, Any]:
    return {
        "case": one.key,
        "id": one.id,
        "question": one.question,
        "turn": one.turn,
        "stage": one.stage,
        "choice": one.choice,
        "reason": one.reason,
        "final": one.is_final,
        "at": one.at,
        "queue_reason": one.queue_reason,
        "left": one.models[0] if one.models else None,
        "right": one.models[1] if one.models else None,
        "rulings": one.rulings,
        "disagree": one.disagree,
    }


@rulings_command.command("themes", epilog=example("tiebreak --db study.db rulings themes --as lea"))
@_lead
@as_json
@click.pass_obj
def rulings_themes(settings: Settings, lead: str | None, as_json: bool) -> None:
    """What people disagree about, by tag; and what rulings overturned, by reason."""
    from db.ruling_reports import all_tagged, themes

    with _queue(settings, lead) as queue, queue.store.read() as connection:
        found, every = themes(connection), all_tagged(connection)
    if as_json:
        listed = [
            {"kind": one.kind, "name": one.name, "count": one.votes, "disputed": one.disputed}
            for one in found
        ]
        show_json({"tagged": dict(every), "themes": listed})
        return
    if not found:
        say("no vote carries a tag, and nothing was ruled on yet")
    for one in found:
        told = (
            "votes with it, others said otherwise on"
            if one.kind == "tag"
            else ("rulings, every vote overturned in")
        )
        click.echo(f"{one_line(one.name, 30):30}{one.votes:>8,} {told} {one.disputed:,}")

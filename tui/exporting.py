"""Gold labels, votes and whole studies on their way out."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import IO, Any

from core.blinding import pseudonym
from core.errors import UsageError
from core.formats import named
from core.formats.lines import csv_writer, safe_cell
from core.gold import Gold, GoldRule, decide
from core.records import Annotator, Choice, Record, Verdict, Vote
from db.reading import Item, Served
from db.store import Store


@dataclass(frozen=True, slots=True)
class Options:
    """What may leave, and when votes decide.

    Attributes:
        names: annotators' names instead of pseudonyms.
        notes: annotators' notes and flags' texts; otherwise a flag says no more than that it is.
    """

    names: bool = False
    notes: bool = False
    rule: GoldRule = field(default_factory=GoldRule)


def write(store: Store, what: str, format_name: str, options: Options, stream: IO[str]) -> int:
    """Write ``gold``, ``votes`` or the whole ``study``.

    Returns:
        How many rows or records were written.

    Raises:
        UsageError: for a whole study as a flat table.
    """
    if what == "study":
        if format_name != "jsonl":
            raise UsageError("a whole study is no flat table", "leave --format csv out")
        with closing(store.reading.records()) as records:
            return _counted(named("native").write, records, stream)
    if what == "votes":
        chosen = named("native" if format_name == "jsonl" else "csv")
        assert chosen.write is not None
        with closing(_votes(store, options, is_table=format_name == "csv")) as votes:
            return _counted(chosen.write, votes, stream)
    rows = gold_rows(store, options)
    return _write_flat(rows, stream) if format_name == "csv" else _write_lines(rows, stream)


def _counted(
    write: Callable[[Iterable[Record], IO[str]], None] | None,
    records: Iterable[Record],
    stream: IO[str],
) -> int:
    assert write is not None
    count = 0

    def counting() -> Iterator[Record]:
        nonlocal count
        for record in records:
            count += 1
            yield record

    write(counting(), stream)
    return count


def _named(store: Store, options: Options) -> Callable[[str], str]:
    return (lambda name: name) if options.names else lambda name: pseudonym(store.seed, name)


def _votes(store: Store, options: Options, *, is_table: bool) -> Generator[Record, None, None]:
    name = _named(store, options)
    simulated, retired = store.reading.simulated(), store.reading.retired()
    for one in sorted(simulated | retired):
        yield Annotator(name(one), simulated=one in simulated, retired=one in retired)
    # A table of comparisons has no place for who made none.
    for vote, _ in store.reading.votes() if is_table else store.reading.said():
        yield replace(
            vote,
            annotator=name(vote.annotator),
            identity=vote.identity if options.names else "",
            note=vote.note if options.notes else "",
            flag=vote.flag if options.notes else "flagged" if vote.flag else "",
            supersedes=None,
        )


@dataclass(frozen=True, slots=True)
class _Marks:
    """What is said of an annotator beside each of their votes."""

    simulated: frozenset[str]
    retired: frozenset[str]


def gold_rows(store: Store, options: Options) -> Iterator[dict[str, Any]]:
    """One row for each pair and turn, in a stable order: label, what decided it, its trail."""
    excluded = frozenset(store.settings()["exclude_groups"])
    groups = store.reading.groups()
    marks = _Marks(store.reading.simulated(), store.reading.retired())
    name = _named(store, options)
    for item in store.reading.items():
        votes = [(v, s) for v, s in item.votes if groups[v.annotator] not in excluded]
        if not votes and not item.rulings:
            continue  # neither judges nor those who cannot judge make gold
        gold = decide([vote for vote, _ in votes], item.rulings, options.rule)
        declined = [v for v in item.cannot_judge if groups[v.annotator] not in excluded]
        yield _gold_row(item, votes, declined, gold, marks, name, options)


def _gold_row(
    item: Item,
    votes: Sequence[tuple[Vote, Served]],
    declined: Sequence[Vote],
    gold: Gold,
    marks: _Marks,
    name: Callable[[str], str],
    options: Options,
) -> dict[str, Any]:
    return {
        "question": item.pair.question,
        "category": item.category,
        "model_1": item.pair.model_1,
        "model_2": item.pair.model_2,
        "turn": item.turn,
        "label": gold.label,
        "decided_by": gold.decided_by,
        "why": gold.why,
        "counts": {choice.value: gold.counts[choice] for choice in Choice},
        "simulated_votes": sum(vote.annotator in marks.simulated for vote, _ in votes),
        "votes": [_vote_trail(vote, served, marks, name, options) for vote, served in votes],
        "cannot_judge": [
            {"id": vote.id, "annotator": name(vote.annotator)}
            | {"simulated": vote.annotator in marks.simulated, "reason": vote.cannot_judge}
            | _about(vote, options)
            for vote in declined
        ],
        "verdicts": [_verdict_trail(verdict) for verdict in item.verdicts],
        "rulings": [
            {
                "id": ruling.id,
                "lead": name(ruling.lead),
                "stage": ruling.stage,
                "choice": ruling.choice,
                "reason": ruling.reason,
                "at": ruling.at,
            }
            for ruling in item.rulings
        ],
    }


def _vote_trail(
    vote: Vote,
    served: Served,
    marks: _Marks,
    name: Callable[[str], str],
    options: Options,
) -> dict[str, Any]:
    trail: dict[str, Any] = {
        "id": vote.id,
        "annotator": name(vote.annotator),
        "simulated": vote.annotator in marks.simulated,
        "retired": vote.annotator in marks.retired,
        "choice": vote.choice,
        "left": None if vote.left is None else f"model_{vote.left}",
        "policy": served.policy or None,
        "probability": served.probability,
        "confidence": vote.confidence,
        "tags": list(vote.tags),
        "criteria": dict(vote.criteria),
    }
    return trail | _about(vote, options)


def _about(vote: Vote, options: Options) -> dict[str, Any]:
    """What a trail says of any row of the vote log."""
    about: dict[str, Any] = {
        "flagged": bool(vote.flag),
        "active_seconds": vote.active_seconds,
        "at": vote.at or None,
    }
    if options.notes:
        about |= {"note": vote.note, "flag": vote.flag}
    return about


def _verdict_trail(verdict: Verdict) -> dict[str, Any]:
    return {
        "id": verdict.id,
        "judge": verdict.judge,
        "prompt": verdict.prompt,
        "prompt_hash": verdict.prompt_hash,
        "left": None if verdict.left is None else f"model_{verdict.left}",
        "repeat": verdict.repeat,
        "status": verdict.status,
        "choice": verdict.choice,
        "label": verdict.label,
        "scores": verdict.scores,
        "error": verdict.error or None,
        "at": verdict.at or None,
    }


_FLAT = (
    "question",
    "category",
    "model_1",
    "model_2",
    "turn",
    "label",
    "decided_by",
    "why",
    "simulated_votes",
)


def _write_flat(rows: Iterable[dict[str, Any]], stream: IO[str]) -> int:
    table = csv_writer(stream)
    table.writerow((*_FLAT, *(f"votes_{choice}" for choice in Choice)))
    count = 0
    for row in rows:
        flat = ["" if row[name] is None else safe_cell(str(row[name])) for name in _FLAT]
        table.writerow((*flat, *(row["counts"][choice] for choice in Choice)))
        count += 1
    return count


def _write_lines(rows: Iterable[dict[str, Any]], stream: IO[str]) -> int:
    count = 0
    for row in rows:
        stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += 1
    return count

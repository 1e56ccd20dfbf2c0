"""Gold with its trail, as JSON Lines: every vote, verdict and ruling that a label rests on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from core.items import Served
from core.layouts.rows import Files, Layout, Row, Telling
from core.records import Choice, Ruling, Verdict, Vote


def trail(row: Row, telling: Telling) -> dict[str, Any]:
    """One row: the label, what decided it, and all that was said."""
    item, gold = row.item, row.gold
    stands = {ruling.id for ruling in item.rulings}
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
        "simulated_votes": sum(vote.annotator in telling.simulated for vote, _ in item.votes),
        "votes": [_vote(vote, served, telling) for vote, served in item.votes],
        "cannot_judge": [
            {"id": vote.id, "annotator": telling.name(vote.annotator)}
            | {"simulated": vote.annotator in telling.simulated}
            | {"reason": telling.scrubbed(vote.cannot_judge)}
            | _about(vote, telling)
            for vote in item.cannot_judge
        ],
        "verdicts": [_verdict(verdict, telling) for verdict in item.verdicts],
        "rulings": [
            _ruling(ruling, telling) | {"stands": ruling.id in stands}
            for ruling in item.ruled or item.rulings
        ],
    }


def _vote(vote: Vote, served: Served, telling: Telling) -> dict[str, Any]:
    return {
        "id": vote.id,
        "annotator": telling.name(vote.annotator),
        "simulated": vote.annotator in telling.simulated,
        "retired": vote.annotator in telling.retired,
        "choice": vote.choice,
        "left": None if vote.left is None else f"model_{vote.left}",
        "policy": served.policy or None,
        "probability": served.probability,
        "confidence": vote.confidence,
        "tags": list(vote.tags),
        "criteria": dict(vote.criteria),
    } | _about(vote, telling)


def _about(vote: Vote, telling: Telling) -> dict[str, Any]:
    """What a trail says of any row of the vote log."""
    about: dict[str, Any] = {
        "flagged": bool(vote.flag),
        "active_seconds": vote.active_seconds,
        "at": vote.at or None,
    }
    if telling.options.notes:
        about |= {name: telling.scrubbed(getattr(vote, name)) for name in ("note", "flag")}
    return about


def _verdict(verdict: Verdict, telling: Telling) -> dict[str, Any]:
    judge = telling.judges[verdict.judge]
    return {
        "id": verdict.id,
        "judge": verdict.judge,
        "model": judge.model or None,
        "revision": judge.revision or None,
        "served_model": verdict.served_model or None,
        "prompt": verdict.prompt,
        "prompt_hash": verdict.prompt_hash,
        "sent_hash": verdict.sent_hash or None,
        "left": None if verdict.left is None else f"model_{verdict.left}",
        "repeat": verdict.repeat,
        "status": verdict.status,
        "choice": verdict.choice,
        "label": verdict.label,
        "scores": verdict.scores,
        "error": verdict.error or None,
        "at": verdict.at or None,
    }


def _ruling(ruling: Ruling, telling: Telling) -> dict[str, Any]:
    return {
        "id": ruling.id,
        "lead": telling.name(ruling.lead),
        "stage": ruling.stage,
        "choice": ruling.choice,
        "reason": telling.scrubbed(ruling.reason),
        "final": ruling.final,
        "left": None if ruling.left is None else f"model_{ruling.left}",
        "queue_reason": ruling.queue_reason or None,
        "queue_probability": ruling.queue_probability,
        "supersedes": ruling.supersedes,
        "at": ruling.at or None,
    }


def _write(rows: Iterable[Row], telling: Telling, files: Files) -> None:
    stream = files.text()
    for row in rows:
        stream.write(json.dumps(trail(row, telling), ensure_ascii=False) + "\n")
        telling.written[""] += 1


LAYOUT = Layout("jsonl", "JSON Lines with the whole trail of each label", _write)

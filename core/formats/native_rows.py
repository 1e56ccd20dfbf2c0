"""What each type of line of the native format says: a row's fields as records.

A line may name its two models in either order: choices and sides are turned with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from reprlib import repr as shortened
from typing import Any

from core.beside_logs import Queued, SecondOpinion, Unmasking
from core.errors import TiebreakError
from core.formats.lines import Row, content_id
from core.formats.scores import score_of
from core.panels import Panel, PanelRule
from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Lesson,
    LessonUse,
    Pair,
    Question,
    Record,
    Role,
    Ruling,
    RulingChoice,
    RulingStage,
    Seen,
    Setting,
    Verdict,
    VerdictStatus,
    Vote,
    Wording,
)
from core.secrets import secret_in

_MAX_TURN = 64
_CHOICES = {choice.value: choice for choice in Choice}
_SIDES = {"model_1": 1, "model_2": 2}


def _study(row: Row) -> Iterator[Record]:
    for key, value in row.fields.items():
        if key != "type":
            yield Setting(key, value)


def _question(row: Row) -> Iterator[Record]:
    turns = row.texts("turns") if row.has("turns") else ()
    references = row.texts_or_none("references")
    if not turns and all(reference is None for reference in references):
        raise row.bad("turns", "is missing or empty", "give one text per turn")
    if turns and len(references) > len(turns):
        raise row.bad(
            "references",
            f"has {len(references)} entries for {len(turns)} turns",
            "one reference, or null, for each turn",
        )
    yield Question(
        row.name("id"), turns, row.optional("category"), references, row.optional("source")
    )


def _answer(row: Row) -> Iterator[Record]:
    yield Answer(
        row.name("question"),
        row.name("model"),
        row.texts("turns"),
        row.optional("system_prompt"),
        row.mapping("settings"),
        row.optional("source"),
    )


def _pair_of(row: Row) -> tuple[Pair, bool]:
    first, second = row.name("model_1"), row.name("model_2")
    if first == second:
        raise row.bad("model_2", f"is {second!r}, as is 'model_1'", "a pair has two models")
    return Pair.of(row.name("question"), first, second)


def _pair(row: Row) -> Iterator[Record]:
    yield _pair_of(row)[0]


def _annotator(row: Row) -> Iterator[Record]:
    role = row.one_of("role", {r.value: r for r in Role}) if row.has("role") else Role.ANNOTATOR
    yield Annotator(
        row.name("name"),
        role,
        row.optional("group") or "",
        row.yes_or_no("simulated"),
        row.mapping("attributes"),
        row.yes_or_no("retired"),
    )


def _judge(row: Row) -> Iterator[Record]:
    if held := secret_in(row.mapping("parameters")):
        raise row.bad(
            "parameters",
            f"names {held!r}, which would store a secret in the study",
            "put the key into an environment variable and name it: api_key_env",
        )
    yield Judge(
        row.name("name"),
        row.optional("kind") or "imported",
        row.optional("model") or "",
        row.optional("endpoint") or "",
        row.optional("prompt") or "",
        row.optional("prompt_hash") or "",
        row.mapping("parameters"),
        row.optional("revision") or "",
    )


def _prompt(row: Row) -> Iterator[Record]:
    wording = row.mapping("wording")
    if not isinstance(wording.get("variants"), list) or not wording["variants"]:
        raise row.bad("wording", "holds no variants", "it is what an export wrote of a judge")
    yield Wording(row.name("judge"), json.dumps(wording, ensure_ascii=False))


def _panel(row: Row) -> Iterator[Record]:
    members: dict[str, float | None] = {}
    for judge, weight in row.mapping("members").items():
        if weight is not None and (isinstance(weight, bool) or not isinstance(weight, int | float)):
            raise row.bad("members", f"gives {shortened(judge)} the weight {shortened(weight)}")
        members[judge] = None if weight is None else float(weight)
    rule = row.one_of("rule", {r.value: r for r in PanelRule})
    try:
        yield Panel(row.name("name"), rule, members)
    except TiebreakError as error:
        raise row.bad("members", error.message, error.hint) from None


def _turned(value: str, swapped: bool) -> str:
    return {"model_1": "model_2", "model_2": "model_1"}.get(value, value) if swapped else value


def _choice(row: Row, field: str, allowed: Mapping[str, Any], swapped: bool) -> Any:
    row.one_of(field, allowed)
    return allowed[_turned(row.text(field), swapped)]


def _left(row: Row, swapped: bool) -> int | None:
    return _choice(row, "left", _SIDES, swapped) if row.has("left") else None


def _event(row: Row, kind: str) -> tuple[str, Pair, bool, int]:
    """What votes, verdicts and rulings have in common; an id is made where none is given."""
    pair, swapped = _pair_of(row)
    turn = row.whole("turn", 0, _MAX_TURN, default=1)
    if row.has("id"):
        key = row.name("id")
    else:
        content = json.dumps(row.fields, sort_keys=True, ensure_ascii=True)
        key = content_id("native", kind, content)
    if row.optional("supersedes") == key:
        raise row.bad("supersedes", f"is {key!r}, this line itself", "name an earlier one")
    return key, pair, swapped, turn


def _lesson(row: Row) -> Iterator[Record]:
    pair, swapped = _pair_of(row)
    yield Lesson(
        pair,
        row.whole("turn", 0, _MAX_TURN, default=1),
        _choice(row, "choice", _CHOICES, swapped),
        row.optional("why") or "",
        row.one_of("use", {u.value: u for u in LessonUse})
        if row.has("use")
        else LessonUse.PRACTICE,
    )


def _tags(row: Row) -> tuple[str, ...]:
    tags = row.texts("tags") if row.has("tags") else ()
    if not all(tags):
        raise row.bad("tags", "holds an empty text", "leave it out")
    return tuple(dict.fromkeys(tags))


def _criteria(row: Row, swapped: bool) -> Mapping[str, Choice]:
    given = row.mapping("criteria")
    for criterion, choice in given.items():
        if not isinstance(choice, str) or choice not in _CHOICES:
            raise row.bad(
                "criteria",
                f"says {shortened(choice)} of {shortened(criterion)}",
                f"each takes one of: {', '.join(_CHOICES)}",
            )
    return {name: _CHOICES[_turned(choice, swapped)] for name, choice in given.items()}


def _vote(row: Row) -> Iterator[Record]:
    key, pair, swapped, turn = _event(row, "vote")
    cannot_judge = row.optional("cannot_judge") or ""
    if cannot_judge and row.has("choice"):
        raise row.bad("choice", "is given beside 'cannot_judge'", "a vote is one or the other")
    is_withdrawal = row.fields.get("choice", "") is None and row.has("supersedes")
    confidence = row.number("confidence", 0, 100)
    yield Vote(
        key,
        pair,
        turn,
        row.name("annotator"),
        None if cannot_judge or is_withdrawal else _choice(row, "choice", _CHOICES, swapped),
        row.optional("identity") or "",
        _left(row, swapped),
        row.optional("supersedes"),
        None if confidence is None else int(confidence),
        row.optional("note") or "",
        row.optional("flag") or "",
        row.number("active_seconds", 0, 1e9, whole=False),
        row.optional("at") or "",
        repeat=row.whole("repeat", 0, 10**6, default=0),
        cannot_judge=cannot_judge,
        tags=_tags(row),
        criteria=_criteria(row, swapped),
    )


def _verdict(row: Row) -> Iterator[Record]:
    key, pair, swapped, turn = _event(row, "verdict")
    status = (
        row.one_of("status", {s.value: s for s in VerdictStatus})
        if row.has("status")
        else (VerdictStatus.OK)
    )
    is_ok = status is VerdictStatus.OK
    if not is_ok and row.has("choice"):
        raise row.bad("choice", f"is given, but the status is {status}", "a failure has no choice")
    tokens_in, tokens_out = row.number("tokens_in", 0, 1e12), row.number("tokens_out", 0, 1e12)
    yield Verdict(
        key,
        pair,
        turn,
        row.name("judge"),
        status,
        _choice(row, "choice", _CHOICES, swapped) if is_ok else None,
        _left(row, swapped),
        row.whole("repeat", 0, 10**6, default=0),
        _scores(row),
        row.number("preference", 0, 1, whole=False),
        row.optional("prompt") or "",
        row.optional("prompt_hash") or "",
        row.optional("label") or "",
        row.optional("raw"),
        row.optional("reasoning"),
        row.optional("error") or "",
        None if tokens_in is None else int(tokens_in),
        None if tokens_out is None else int(tokens_out),
        row.number("latency", 0, 1e9, whole=False),
        row.number("cost", 0, 1e12, whole=False),
        row.whole("attempts", 0, 10**6, default=1),
        row.optional("supersedes"),
        row.optional("at") or "",
        failure=row.optional("failure") or "",
        sent_hash=row.optional("sent_hash") or "",
        probabilities=_probabilities(row),
        endpoint=row.optional("endpoint") or "",
        served_model=row.optional("served_model") or "",
    )


def _probabilities(row: Row) -> dict[str, float]:
    shares = row.mapping("probabilities")
    for outcome, share in shares.items():
        number = isinstance(share, int | float) and not isinstance(share, bool)
        if outcome not in list(Seen) or not number or not 0 <= share <= 1:
            said = f"holds {shortened(outcome)}: {shortened(share)}"
            raise row.bad("probabilities", said, f"it takes {', '.join(Seen)}, each from 0 to 1")
    return {outcome: float(share) for outcome, share in shares.items()}


def _scores(row: Row) -> tuple[float, float] | None:
    if not row.has("scores"):
        return None
    values = row.fields["scores"]
    numbers = isinstance(values, list) and len(values) == 2
    if not numbers or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        raise row.bad("scores", f"is {shortened(values)}", "it takes two numbers: [left, right]")
    try:
        return float(values[0]), float(values[1])
    except OverflowError as error:
        raise row.bad("scores", "holds too large a number", "scores are below 1e308") from error


def _ruling(row: Row) -> Iterator[Record]:
    key, pair, swapped, turn = _event(row, "ruling")
    probability = row.number("queue_probability", 0, 1, whole=False)
    if probability == 0:
        raise row.bad("queue_probability", "is 0", "what was in the queue had a chance to be")
    is_withdrawal = row.fields.get("choice", "") is None and row.has("supersedes")
    outcomes = {c.value: c for c in RulingChoice}
    yield Ruling(
        key,
        pair,
        turn,
        row.name("lead"),
        row.one_of("stage", {s.value: s for s in RulingStage}),
        None if is_withdrawal else _choice(row, "choice", outcomes, swapped),
        (row.optional("reason") or "") if is_withdrawal else row.filled("reason"),
        _left(row, swapped),
        row.mapping("shown"),
        row.optional("queue_reason") or "",
        probability,
        row.optional("supersedes"),
        row.optional("identity") or "",
        row.optional("at") or "",
        final=row.yes_or_no("final"),
    )


def _queued(row: Row) -> Iterator[Record]:
    probability = row.number("probability", 0, 1, whole=False)
    is_unknown = row.fields.get("probability", "") is None
    if not probability and not is_unknown:
        problem = "is missing" if probability is None else "is 0"
        raise row.bad(
            "probability",
            problem,
            "what was queued had a chance to be: 1 if all were, null if nobody knows",
        )
    overlap = row.whole("overlap", 1, 10**6)
    extra = row.whole("extra", 0, overlap, default=0)
    yield Queued(_pair_of(row)[0], probability, overlap, extra)


def _unmasking(row: Row) -> Iterator[Record]:
    pair, _ = _pair_of(row)
    turn = row.whole("turn", 0, _MAX_TURN, default=1)
    yield Unmasking(pair, turn, row.name("lead"), row.optional("at") or "")


def _second_opinion(row: Row) -> Iterator[Record]:
    key, pair, _, turn = _event(row, "second_opinion")
    yield SecondOpinion(
        key,
        pair,
        turn,
        row.name("lead"),
        row.filled("why"),
        row.optional("at") or "",
        row.optional("answered_by"),
    )


READERS: Mapping[str, Callable[[Row], Iterator[Record]]] = {
    "study": _study,
    "question": _question,
    "answer": _answer,
    "pair": _pair,
    "lesson": _lesson,
    "annotator": _annotator,
    "judge": _judge,
    "prompt": _prompt,
    "panel": _panel,
    "vote": _vote,
    "verdict": _verdict,
    "ruling": _ruling,
    "score": score_of,
    "queued": _queued,
    "unmasking": _unmasking,
    "second_opinion": _second_opinion,
}
"""What reads a line of each type."""

"""MT-bench as FastChat lays it out: questions, answers, references, votes and verdicts.

A folder is read whole: ``question.jsonl``, ``reference_answer/``, ``model_answer/``, then every
other ``.jsonl`` at the top and in ``model_judgment/``, and ``*_judgments.json``, which are arrays.
Each file may be imported alone as well.

Human votes and reported verdicts share one layout (``judge, model_a, model_b, winner``): a judge
called ``expert_…`` or ``author_…`` is a person, ``simulated_…`` a simulated one, one called
``gpt…`` or given as ``[model, prompt]`` is a judge. A judge's raw file (``g1_winner, g2_winner``)
holds both orders: game 1 shows model_1 first, game 2 shows model_2 first, and both winners are in
model space already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import BadInput, Where
from core.formats import Format, Located
from core.formats.arrays import json_array
from core.formats.lines import Row, content_id, is_json_array, is_json_lines, json_lines
from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Pair,
    Question,
    Setting,
    Verdict,
    VerdictStatus,
    Vote,
)
from core.times import stamp

_WINNER = {
    "model_a": Choice.MODEL_1,
    "model_b": Choice.MODEL_2,
    "tie": Choice.TIE,
    "tie (inconsistent)": Choice.TIE,
    "tie (bothbad)": Choice.BOTH_BAD,
    "both_bad": Choice.BOTH_BAD,
}
_GAME_WINNER: dict[str, Choice | None] = {
    "model_1": Choice.MODEL_1,
    "model_2": Choice.MODEL_2,
    "tie": Choice.TIE,
    "error": None,
}
_SIMULATED = "simulated"
_PEOPLE = ("expert", "author", _SIMULATED)
_MAX_TURN = 64


def _questions(path: Path) -> Iterator[Located]:
    # FastChat's judges read reference_answer/; the question's own field says less, and differs.
    has_references = (path.parent / "reference_answer").is_dir()
    for row in json_lines(path):
        turns = row.texts("turns")
        yield (
            row.where,
            Question(
                row.name("question_id"),
                turns,
                row.optional("category"),
                () if has_references else row.texts_or_none("reference"),
            ),
        )


def _answers(path: Path) -> Iterator[Located]:
    is_reference = path.parent.name == "reference_answer"
    for row in json_lines(path):
        choices = row.fields.get("choices")
        if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
            raise row.bad("choices", "does not hold exactly one answer", "one choice per line")
        turns = Row(row.where, choices[0]).texts("turns")
        question = row.name("question_id")
        if is_reference:
            yield row.where, Question(question, (), None, turns)
        else:
            yield row.where, Answer(question, row.name("model_id"), turns)


def _rows(path: Path) -> Iterator[Row]:
    """The objects of a file: one a line, or in an array, as FastChat's votes are."""
    return json_array(path) if is_json_array(path) else json_lines(path)


def _pair(row: Row, first: str, second: str) -> tuple[Pair, bool]:
    model_a, model_b = row.name(first), row.name(second)
    if model_a == model_b:
        raise row.bad(second, f"is {model_b!r}, as is {first!r}", "a pair has two models")
    return Pair.of(row.name("question_id"), model_a, model_b)


def _flip(choice: Choice, swapped: bool) -> Choice:
    return choice.exchanged() if swapped else choice


def _votes(path: Path) -> Iterator[Located]:
    """Human votes, and verdicts that were reported without their orders."""
    told: set[str] = set()
    times: Counter[tuple[object, ...]] = Counter()
    for row in _rows(path):
        name, prompt, is_judge = _who(row)
        pair, swapped = _pair(row, "model_a", "model_b")
        label = row.text("winner")
        choice = _flip(row.one_of("winner", _WINNER), swapped)
        turn = row.whole("turn", 1, _MAX_TURN)
        # The same person may vote twice on one item: each is a vote, told apart by its place.
        content = (name, pair.key, turn, label, swapped)
        times[content] += 1
        key = content_id("mt_bench", *content, times[content])
        if name not in told:
            told.add(name)
            if is_judge:
                yield row.where, Judge(name, "imported", model=name)
            else:
                group = name.split("_")[0]
                if group == "author" and group not in told:
                    # "Human" means the experts alone in the paper's tables.
                    told.add(group)
                    yield row.where, Setting("exclude_groups", [group])
                is_simulated = group == _SIMULATED
                group = "" if is_simulated else group
                yield row.where, Annotator(name, group=group, simulated=is_simulated)
        at = _at(row)
        if is_judge:
            yield (
                row.where,
                Verdict(
                    key,
                    pair,
                    turn,
                    name,
                    VerdictStatus.OK,
                    choice,
                    prompt=prompt,
                    label=label,
                    at=at,
                ),
            )
        else:
            yield row.where, Vote(key, pair, turn, name, choice, at=at)


def _who(row: Row) -> tuple[str, str, bool]:
    """Who gave this line's winner: (name, judge prompt, whether it is a judge)."""
    judge = row.fields.get("judge")
    if isinstance(judge, list):
        names = row.texts("judge")
        if not names[0].strip():
            raise row.bad("judge", "names no model", 'such as ["gpt-4", "pair-v2"]')
        return names[0], names[1] if len(names) > 1 else "", True
    name = row.name("judge")
    if name.split("_")[0] in _PEOPLE:
        return name, "", False
    if name.lower().startswith("gpt"):
        return name, "", True
    raise row.bad(
        "judge",
        f"is {name!r}, which may be a person or a judge",
        'call a person expert_… or author_…, and give a judge as ["model", "prompt"]',
    )


def _games(path: Path) -> Iterator[Located]:
    """A judge's raw verdicts, both orders in each line."""
    name = path.stem.split("_pair")[0]
    is_told = False
    for row in json_lines(path):
        model, prompt, _ = _who(row)
        if not is_told:
            is_told = True
            yield row.where, Judge(name, "imported", model=model)
        pair, swapped = _pair(row, "model_1", "model_2")
        turn = row.whole("turn", 1, _MAX_TURN)
        for game, first in (("g1", 1), ("g2", 2)):
            label = row.text(f"{game}_winner")
            winner = row.one_of(f"{game}_winner", _GAME_WINNER)
            left = 3 - first if swapped else first
            yield (
                row.where,
                Verdict(
                    content_id("mt_bench", name, prompt, pair.key, turn, left),
                    pair,
                    turn,
                    name,
                    VerdictStatus.UNPARSED if winner is None else VerdictStatus.OK,
                    None if winner is None else _flip(winner, swapped),
                    left,
                    prompt=prompt,
                    label=label,
                    raw=row.optional(f"{game}_judgment"),
                    error="the file says error" if winner is None else "",
                    at=_at(row),
                ),
            )


def _at(row: Row) -> str:
    seconds = row.number("tstamp", 0, 1e11, whole=False)
    if seconds is None:
        return ""
    return stamp(datetime.fromtimestamp(seconds, UTC))


def _prompts(path: Path) -> Iterator[Located]:
    """Judge prompts are no part of a study's data: there is nothing to take from them."""
    return iter(())


_READERS = (
    ({"question_id", "turns"}, _questions),
    ({"question_id", "model_id", "choices"}, _answers),
    ({"question_id", "g1_winner", "g2_winner"}, _games),
    ({"question_id", "model_a", "model_b", "winner"}, _votes),
    ({"prompt_template"}, _prompts),
)


_OTHERS = {"anony", "conversation_a"}
"""Fields of the Arena's battles, which are a format of their own."""


def read(path: Path) -> Iterator[Located]:
    """The records of one file of an MT-bench folder.

    Raises:
        BadInput: if its first line is of no known kind, or a line cannot be taken.
    """
    first = _first(path)
    if not first:
        return
    for fields, reader in _READERS:
        if fields <= set(first):
            yield from reader(path)
            return
    raise BadInput(
        Where(str(path), 1),
        "",
        "is no line of an MT-bench file",
        "docs/formats.md lists the files of an MT-bench folder and their fields",
    )


def _first(path: Path) -> Mapping[str, Any]:
    """The first object of a file; empty where it has none."""
    return next((row.fields for row in _rows(path)), {})


def files(path: Path) -> Sequence[Path]:
    """What to read of a file or folder, questions first."""
    if path.is_file():
        return [path]
    ordered = [path / "question.jsonl"]
    ordered += sorted(path.glob("reference_answer/*.jsonl"))
    ordered += sorted(path.glob("model_answer/*.jsonl"))
    ordered += sorted(path.glob("*.jsonl"))
    ordered += sorted(path.glob("*_judgments.json"))
    ordered += sorted(path.glob("model_judgment/*.jsonl"))
    return list(dict.fromkeys(file for file in ordered if file.is_file()))


def sniff(path: Path) -> bool:
    """A folder with a question file, or a file whose first line is of a known kind."""
    if path.is_dir():
        return (path / "question.jsonl").is_file()
    if not is_json_lines(path) and not is_json_array(path):
        return False
    first = set(_first(path))
    is_other = "type" in first or bool(first & _OTHERS)
    return not is_other and any(fields <= first for fields, _ in _READERS)


FORMAT = Format("mt_bench", "MT-bench folder or file, as FastChat lays it out", sniff, files, read)

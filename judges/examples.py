"""Worked examples that can stand before a request: written once, told in any prompt's grammar."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadInput, TiebreakError, Where
from core.records import Question, Seen
from judges.prompt_checks import toml_of
from judges.prompting import NAMES, Prompt
from judges.tasks import Shown
from judges.templates import Message, Template

OWN = Path(__file__).parent / "prompts" / "examples" / "own.toml"
"""The examples that come with Tiebreak."""

_NEEDED = {"question": (str, list), "answers": list, "choice": str, "why": str}
_KEYS = {**_NEEDED, "reference": (str, list), "degree": str, "scores": list, "whys": list}
_DEGREES = ("much", "slightly")


@dataclass(frozen=True, slots=True)
class Example:
    """One judged pair.

    Attributes:
        answers: the left one and the right one, turn by turn.
        degree: ``much`` or ``slightly`` better; of no account for a tie.
        scores: left and right.
        why: the reasons for the choice; ``{a}`` and ``{b}`` are what the answers are called.
        whys: what is to be said of each answer alone.
    """

    question: Question
    answers: tuple[tuple[str, ...], ...]
    choice: Seen
    degree: str
    scores: tuple[float, float]
    why: str
    whys: tuple[str, str]


def load_examples(path: Path = OWN) -> tuple[Example, ...]:
    """Read a file of examples.

    Raises:
        BadInput: naming the file, the example and how to mend it.
    """
    where = Where(str(path))
    data = toml_of(path)
    found = data.get("example")
    if not isinstance(found, list) or not found or set(data) != {"example"}:
        raise BadInput(where, "", "holds no [[example]], or other things too", _HINT)
    return tuple(_Checked(where, number, one).example() for number, one in enumerate(found, 1))


def shots(prompt: Prompt, examples: Sequence[Example], names: tuple[str, ...]) -> list[Message]:
    """Examples as requests and replies of a prompt, those left out that it has no room for.

    A prompt for single turns takes examples of one turn; one that shows a reference takes
    examples that have one; one without a label for an outcome leaves that outcome out.

    Raises:
        TiebreakError: none is left, or the prompt's own parser does not read a reply back.
    """
    told: list[Message] = []
    for number, example in enumerate(examples, 1):
        shown = Shown(example.question, len(example.question.turns), example.answers)
        if not _fits(prompt, shown):
            continue
        for side, reply in zip(prompt.sides, _replies(prompt, example, names), strict=False):
            told += [prompt.asked(shown, side), Message("assistant", reply)]
        _check(prompt, example, names, number)
    if not told:
        raise TiebreakError(
            f"none of the {len(examples)} examples fits the prompt {prompt.id!r}",
            "it takes examples of one turn unless it shows conversations, "
            "and with a reference if it shows one",
        )
    return told


_HINT = "see docs/judges.md, Examples"


def _fits(prompt: Prompt, shown: Shown) -> bool:
    turns = len(shown.question.turns)
    if prompt.reference and not shown.has_reference:
        return False
    return turns == prompt.turns if prompt.turns else prompt.multi or turns == 1


def _check(prompt: Prompt, example: Example, names: tuple[str, ...], number: int) -> None:
    replies = _replies(prompt, example, names)
    if not replies:
        return
    if prompt.form == "list":
        seen = prompt.read_list(replies[0], 2, names[0], names[1]).seen
    else:
        seen = prompt.read(prompt.pack(replies)).seen
    wanted = example.choice
    if prompt.parser in ("score_pair", "score_brackets", "single_grade"):
        left, right = example.scores
        wanted = Seen.TIE if left == right else Seen.LEFT if left > right else Seen.RIGHT
    if seen is not wanted:
        raise TiebreakError(
            f"example {number} says {example.choice.value}, which the prompt {prompt.id!r} "
            "does not read back",
            "its scores must lie in the prompt's scale, and its labels must say what they mean",
        )


def _replies(prompt: Prompt, example: Example, names: tuple[str, ...]) -> list[str]:
    """What a judge should have replied; nothing if the prompt has no word for it."""
    called = {"a": names[0], "b": names[1]}
    if prompt.form == "single":
        return [
            _told(prompt, f"[[{score:g}]]", Template(why).fill(called))
            for score, why in zip(example.scores, example.whys, strict=True)
        ]
    why = Template(example.why).fill(called)
    verdict = _verdict(prompt, example, names)
    return [] if verdict is None else [_told(prompt, verdict, why)]


def _verdict(prompt: Prompt, example: Example, names: tuple[str, ...]) -> str | None:
    """The verdict in the prompt's grammar; None if it has no label for it."""
    if prompt.parser in ("score_pair", "score_brackets"):
        left, right = example.scores
        is_alone = prompt.parser == "score_pair"
        return f"{left:g} {right:g}" if is_alone else f"[[{left:g}, {right:g}]]"
    if prompt.parser == "ranking":
        first, second = names[:2]
        ranked = {
            Seen.LEFT: f"{first} > {second}",
            Seen.RIGHT: f"{second} > {first}",
            Seen.TIE: f"{first} = {second}",
            Seen.BOTH_BAD: f"| {first} = {second}",
        }
        return f"[[{ranked[example.choice]}]]"
    fitting = [label for label, seen in prompt.grammar.labels.items() if seen is example.choice]
    if not fitting:
        return None
    slightly = prompt.parser == "five_level" and example.degree == "slightly" and len(fitting) > 1
    label = fitting[1 if slightly and example.choice in (Seen.LEFT, Seen.RIGHT) else 0]
    return label if prompt.parser in ("json", "choice") else f"[[{label}]]"


def verdict_alone(prompt: Prompt, choice: Seen) -> str | None:
    """The reply that says an outcome of two answers and nothing else; None if there is none."""
    example = Example(Question("", ()), (), choice, "much", (0.0, 0.0), "", ("", ""))
    verdict = _verdict(prompt, example, NAMES)
    return None if verdict is None else _told(prompt, verdict, "")


def _told(prompt: Prompt, verdict: str, why: str) -> str:
    """A verdict with its reasons where the prompt wants them."""
    if prompt.parser == "json":
        keys = {"why": why, "verdict": verdict}
        if prompt.explain == "none":
            del keys["why"]
        elif prompt.explain == "after":
            keys = dict(reversed(keys.items()))
        return json.dumps(keys, ensure_ascii=False)
    if prompt.explain == "none":
        return verdict
    between = "\n" if prompt.parser == "score_pair" else "\n\n"
    return between.join((why, verdict) if prompt.explain == "first" else (verdict, why))


class _Checked:
    """One example's keys, checked one after another."""

    def __init__(self, where: Where, number: int, data: Any) -> None:
        self.where = where
        self.number = number
        self.data: dict[str, Any] = data if isinstance(data, dict) else {}

    def refuse(self, key: str, problem: str) -> BadInput:
        return BadInput(self.where, key, f"example {self.number}: {problem}", _HINT)

    def example(self) -> Example:
        data = self.data
        for key, value in data.items():
            if key not in _KEYS:
                raise self.refuse(key, "no such key")
            if not isinstance(value, _KEYS[key]):  # type: ignore[arg-type]
                raise self.refuse(key, "is of the wrong type")
        for key in _NEEDED:
            if not data.get(key):
                raise self.refuse(key, "missing or empty")
        turns = self._texts("question", data["question"])
        answers = tuple(self._texts("answers", answer) for answer in data["answers"])
        if len(answers) != 2 or {len(answer) for answer in answers} != {len(turns)}:
            raise self.refuse("answers", f"needs two answers of {len(turns)} turns each")
        references = self._texts("reference", data["reference"]) if "reference" in data else ()
        if references and len(references) != len(turns):
            raise self.refuse("reference", f"needs one for each of the {len(turns)} turns")
        if data["choice"] not in list(Seen):
            raise self.refuse("choice", f"{data['choice']!r}: use {', '.join(Seen)}")
        if data.get("degree", "much") not in _DEGREES:
            raise self.refuse("degree", f"use {' or '.join(_DEGREES)}")
        whys = self._texts("whys", data.get("whys", [data["why"]] * 2))
        if len(whys) != 2:
            raise self.refuse("whys", "needs a text for each of the two answers")
        for key, text in (("why", data["why"]), ("whys", whys[0]), ("whys", whys[1])):
            self._check_fields(key, text)
        return Example(
            Question(f"example {self.number}", turns, references=references),
            answers,
            Seen(data["choice"]),
            data.get("degree", "much"),
            self._scores(),
            data["why"].strip(),
            (whys[0].strip(), whys[1].strip()),
        )

    def _texts(self, key: str, value: Any) -> tuple[str, ...]:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(t, str) and t for t in texts):
            raise self.refuse(key, "takes texts that are not empty")
        return tuple(text.strip() for text in texts)

    def _check_fields(self, key: str, text: str) -> None:
        try:
            odd = set(Template(text).fields) - {"a", "b"}
        except ValueError as error:
            raise self.refuse(key, str(error)) from None
        if odd:
            raise self.refuse(key, f"takes the fields a and b only, not {{{min(odd)}}}")

    def _scores(self) -> tuple[float, float]:
        default = {"left": [9, 4], "right": [4, 9], "tie": [8, 8], "both_bad": [2, 2]}
        scores = self.data.get("scores", default[self.data["choice"]])
        numbers = [n for n in scores if isinstance(n, int | float) and not isinstance(n, bool)]
        if len(scores) != 2 or len(numbers) != 2:
            raise self.refuse("scores", "takes two numbers, left and right")
        return float(numbers[0]), float(numbers[1])

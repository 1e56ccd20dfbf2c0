"""What a lead can set for a study, with its defaults and what each accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Any

from core.assignment_settings import limited_to, shares
from core.errors import UsageError
from core.policies import DEFAULT_POLICY, POLICIES
from core.text import name_problem

PER_TURN = "turn"
PER_CONVERSATION = "conversation"

REPEATS = ("first", "majority")
"""A judge's word is its first verdict, or what most of its repeats say."""

ACCEPTABLE = BY_VOTES, BY_MODELS = "votes", "models"
"""An answer is acceptable by what votes on its other pairs say, or by its model's points."""

MOST_OPTIONS = 9
"""Options of one question: each has a digit of its own."""

LONGEST_OPTION = 40
"""Characters of an option's name."""


@dataclass(frozen=True, slots=True)
class Known:
    """One setting: its default, what it means, and how a value is checked.

    ``check`` returns the value to store, and raises ValueError with what it accepts.
    """

    default: Any
    meaning: str
    check: Callable[[Any], Any]


def _one_of(*allowed: str) -> Callable[[Any], Any]:
    def check(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"takes one of: {', '.join(allowed)}")
        return str(value)

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("takes text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("takes text that UTF-8 can hold") from error
    return value


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError("takes names with commas between them")
    return [_text(name) for name in value]


def _options(least: int = 1) -> Callable[[Any], Any]:
    """Names to choose from, in the order in which they are offered; none switches them off."""

    def check(value: Any) -> list[str]:
        if isinstance(value, str):
            value = value.split(",") if value.strip() else []
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise ValueError("takes names with commas between them")
        names = [name.strip() for name in value]
        for number, name in enumerate(names, 1):
            if problem := name_problem(name):
                raise ValueError(f"takes names of one line each; number {number} {problem}")
            if len(name) > LONGEST_OPTION:
                raise ValueError(f"takes names of at most {LONGEST_OPTION} characters")
            if name in names[: number - 1]:
                raise ValueError(f"takes each name once; {name!r} is there twice")
        if names and not least <= len(names) <= MOST_OPTIONS:
            raise ValueError(f"takes {least} to {MOST_OPTIONS} names, or none")
        return names

    return check


def _whole(low: int, high: int) -> Callable[[Any], Any]:
    def check(value: Any) -> int:
        try:
            number = int(str(value))
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ValueError(f"takes a whole number from {low} to {high}")
        return number

    return check


def _share(least: float, such_as: float) -> Callable[[Any], Any]:
    def check(value: Any) -> float:
        try:
            share = float(str(value))
        except ValueError:
            share = -1.0
        if not least <= share <= 1:
            raise ValueError(f"takes a share from {least:g} to 1, such as {such_as}")
        return share

    return check


def _number(low: float, high: float) -> Callable[[Any], Any]:
    def check(value: Any) -> float:
        try:
            number = float(str(value))
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ValueError(f"takes a number from {low:g} to {high:g}")
        return number

    return check


def _yes_or_no(value: Any) -> bool:
    words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise ValueError("takes yes or no")
    return words[str(value).lower()]


KNOWN: Mapping[str, Known] = {
    "name": Known("", "the study's name, as annotators see it", _text),
    "guidelines": Known("", "what annotators are asked to judge by, as Markdown", _text),
    "vote_per": Known(
        PER_TURN,
        "one vote for each turn, or one for the whole conversation",
        _one_of(PER_TURN, PER_CONVERSATION),
    ),
    "overlap": Known(1, "votes wanted per pair, unless `pairs make --overlap` says", _whole(1, 99)),
    "exclude_groups": Known(
        [], "groups of annotators whose votes no statistic and no gold label counts", _names
    ),
    "judge_repeats": Known(
        REPEATS[0],
        "what a judge's word is where it was asked the same several times in one order",
        _one_of(*REPEATS),
    ),
    "lease_minutes": Known(
        60, "how long a served pair waits for its vote before another may get it", _whole(1, 10080)
    ),
    "show_reference": Known(True, "whether annotators can open the reference answer", _yes_or_no),
    "dwell_ms": Known(
        500, "a vote sooner than this after a pair appears asks again (0: never)", _whole(0, 10000)
    ),
    "criteria": Known(
        [], "what is voted on one by one after the overall outcome; none asks nothing", _options()
    ),
    "confidence": Known(
        [], "levels of how sure a vote is, lowest first; none asks nothing", _options(least=2)
    ),
    "tags": Known(
        [], "reasons of which any number may be given with a vote; none asks nothing", _options()
    ),
    "cannot_judge_reasons": Known(
        [
            "not my field",
            "question unclear",
            "answer broken or cut off",
            "rather not say",
        ],
        "why an annotator may give no outcome at all; none does not offer it",
        _options(),
    ),
    "repeat_percent": Known(
        0, "how many of a hundred pairs are one's own again, sides exchanged, unsaid", _whole(0, 50)
    ),
    "repeat_gap": Known(
        10,
        "other pairs that an annotator has voted on between a pair and its repeat, at least",
        _whole(1, 1000),
    ),
    "practice": Known(
        True,
        "whether newcomers go through the practice lessons first, if there are any",
        _yes_or_no,
    ),
    "qualification_pass": Known(
        0.0,
        "share of the qualification lessons to get right before voting (0: none)",
        _share(0, 0.8),
    ),
    "qualification_tries": Known(
        2, "how often somebody may try to qualify before a lead has to let them in", _whole(1, 99)
    ),
    "fastest_reading": Known(
        600,
        "words a minute above which leads are told that nobody reads so fast",
        _whole(100, 9999),
    ),
    "policy": Known(
        DEFAULT_POLICY, "which of the pairs left an annotator gets next", _one_of(*POLICIES)
    ),
    "category_quota": Known(
        {}, "parts of each category in what an annotator gets, for policy category-quota", shares
    ),
    "uniform_floor": Known(
        0.2,
        "share of draws that policy disagreement-first makes among all pairs alike",
        _share(0.01, 0.2),
    ),
    "overlap_by_category": Known(
        {}, "votes wanted per pair of a category, where not `overlap`; for `pairs make`", shares
    ),
    "overlap_by_group": Known(
        {}, "votes wanted per pair from each group of annotators; none: from anybody", shares
    ),
    "annotator_kind": Known(
        "expert",
        "what annotators are, which sets how much worse a judge may be in the alt-test",
        _one_of("expert", "skilled", "crowd"),
    ),
    "elo_k": Known(4.0, "how far one vote moves an online Elo rating, at most", _number(0.01, 400)),
    "elo_start": Known(1000.0, "the online Elo rating before the first vote", _number(0, 1e6)),
    "elo_scale": Known(
        400.0, "the lead in online Elo that takes ten points to one", _number(1, 1e6)
    ),
    "elo_tie": Known(0.5, "what a tie gives model_1 in online Elo, of one win", _number(0, 1)),
    "acceptable_by": Known(
        BY_VOTES,
        "what makes an answer acceptable in quadrants: votes on its other pairs, or its model",
        _one_of(*ACCEPTABLE),
    ),
    "only_for": Known(
        {}, "categories that only annotators with certain attributes get", limited_to
    ),
}


def checked(key: str, value: Any) -> Any:
    """The value to store for a setting.

    Raises:
        UsageError: if there is no such setting, or it does not take this value.
    """
    known = KNOWN.get(key)
    if known is None:
        raise UsageError(f"no setting is called {key!r}", f"there are: {', '.join(KNOWN)}")
    try:
        return known.check(value)
    except ValueError as problem:
        message = f"setting {key!r} {problem}, not {shortened(value)}"
        raise UsageError(message, f"it is {known.meaning}") from problem

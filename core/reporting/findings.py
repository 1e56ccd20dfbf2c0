"""What the numbers say, a sentence each: made from the tables, so that no sentence says more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from core.numbers import span, value_text
from core.stats.results import Estimate, Result
from core.text import many

_MOST = 8
"""Raters that get a sentence of one kind; the tables have them all."""

NOTHING_TO_SAY = ("There is nothing to say yet: the study has no votes and no verdicts.",)
"""What is said of an empty study."""


def findings(results: Sequence[Result], people: str) -> tuple[str, ...]:
    """Sentences about ranking, agreement, what judges add, position and failures.

    Args:
        people: what the rows of votes are called, see :class:`core.stats.options.Options`.
    """
    known = {result.id: result for result in results}
    said: list[str] = []
    for id, tell in (
        ("ranking", lambda result: _ranking(result, people)),
        ("agreement", lambda result: _agreement(result, people)),
        ("added", _added),
        ("position_lean", _lean),
        ("rater_bias", _stands_out),
        ("failures", _failures),
    ):
        if id in known:
            said += tell(known[id])
    return tuple(said) or NOTHING_TO_SAY


def _with_interval(each: Estimate) -> str:
    assert each.value is not None
    text = value_text(each.value, each.unit)
    if each.low is None or each.high is None:
        return text
    return f"{text} ({span(each.low, each.high, each.unit)})"


def _ranking(result: Result, people: str) -> Iterator[str]:
    rows = [each for each in result.estimates if each.labels.get("raters") == people]
    tiers: dict[str, list[str]] = {}
    for each in rows:
        if each.value is not None:
            name = f"{each.labels['model']} {_with_interval(each)}"
            tiers.setdefault(str(each.labels.get("tier", "")), []).append(name)
    if tiers:
        listed = "; ".join(f"tier {tier}: {', '.join(names)}" for tier, names in tiers.items())
        yield (
            f"Ranked by {people} votes (log-odds; models whose intervals overlap share a tier): "
            f"{listed}."
        )
        yield from _apart_in_a_tier([each for each in rows if each.value is not None])
    elif rows:
        # A reason says "it" of the model that its row is about.
        yield f"No ranking by {people} votes. Of {rows[0].labels['model']}: {rows[0].reason}."


def _apart_in_a_tier(rows: Sequence[Estimate]) -> Iterator[str]:
    """A chain of overlaps links models that differ clearly: a tier alone would hide that."""
    tiers: dict[str, list[Estimate]] = {}
    for each in rows:
        tiers.setdefault(str(each.labels.get("tier", "")), []).append(each)
    for tier, members in tiers.items():
        first = max(members, key=lambda each: each.value or 0.0)
        below = [
            str(each.labels["model"])
            for each in members
            if first.low is not None and each.high is not None and each.high < first.low
        ]
        if below:
            yield (
                f"Tier {tier} is a chain of overlaps: within it the whole interval of "
                f"{' and of '.join(below)} lies below that of {first.labels['model']}."
            )


def _agreement(result: Result, people: str) -> Iterator[str]:
    rows = [each for each in result.estimates if each.labels.get("setup") == "S2"]
    ceiling: dict[object, Estimate] = {}
    for each in rows:
        if each.labels.get("rater_1") == people == each.labels.get("rater_2"):
            ceiling[each.labels.get("turn")] = each
    told = 0
    for each in rows:
        labels = each.labels
        if each.value is None or not str(labels.get("kind", "")).startswith("judge-"):
            continue
        if labels.get("rater_2") != people or told == _MOST:
            continue
        told += 1
        sentence = (
            f"{labels['rater_1']} agrees with {people} votes in {_with_interval(each)} of "
            f"{many(each.n, 'comparison')} in which both prefer a model{_on(labels)}"
        )
        beside = ceiling.get(labels.get("turn"))
        if beside is not None and beside.value is not None:
            sentence += f"; {people} among themselves in {_with_interval(beside)}"
        yield sentence + "."


def _on(labels: Mapping[str, object]) -> str:
    turn = str(labels.get("turn", ""))
    return f", turn {turn}" if turn.isdigit() and turn != "0" else ""


def _added(result: Result) -> Iterator[str]:
    told = 0
    for each in result.estimates:
        labels = each.labels
        if (labels.get("against"), labels.get("setup")) != ("best baseline", "S2"):
            continue
        if each.value is None or each.unit != "difference" or told == _MOST:
            continue
        told += 1
        yield (
            f"{labels['rater']} adds {_with_interval(each)} over the best judge that needs no "
            f"model{_on(labels)}."
        )


def _lean(result: Result) -> Iterator[str]:
    leaning: dict[str, list[str]] = {}
    for each in result.estimates:
        if each.labels.get("measure") == "left" and each.value is not None:
            side = str(each.labels.get("leans", ""))
            name = f"{each.labels['rater']} {_with_interval(each)}"
            if side in ("first", "second"):
                leaning.setdefault(side, []).append(name)
    for side, names in leaning.items():
        yield f"Lean to the {side} answer (share of choices for the first): {', '.join(names)}."


def _stands_out(result: Result) -> Iterator[str]:
    yield from (f"{result.title}: {note}." for note in result.notes[:1] if "stand out" in note)


def _failures(result: Result) -> Iterator[str]:
    failed = [
        f"{each.labels['rater']} {each.k:,} of {each.n:,}"
        for each in result.estimates
        if each.k and each.labels.get("failure") == "any"
    ]
    if failed:
        listed = ", ".join(failed)
        yield f"Verdicts that could not be had, and are in no estimate: {listed}."

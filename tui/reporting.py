"""A study's report: the numbers as of now or as of a day, ready to be written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.blinding import pseudonym
from core.reporting.comparing import compared_sections
from core.reporting.document import Report, section_of, without_shared
from core.reporting.findings import findings
from core.stats import compute
from core.stats.registry import needs_times, registered
from core.stats.tally import Tally
from core.text import many
from db.feed import Feed
from db.store import Store
from tui.live import options_of

if TYPE_CHECKING:
    from core.stats.options import Options
    from core.stats.results import Result

_PEOPLE = frozenset({"annotator", "annotator_1", "annotator_2", "rater", "rater_1", "rater_2"})
"""Label columns in which people are named."""

_PEOPLE_TOO = frozenset({"raters", "lead", "lead_1", "lead_2", "against", "member"})


@dataclass(frozen=True, slots=True)
class Against:
    """What a report is set beside.

    Attributes:
        study: another study; the same one if None.
        until: as of this moment (ISO 8601); as it is now if None.
    """

    study: Path | None = None
    until: str | None = None


def report_of(
    store: Store,
    chosen: Mapping[str, Any],
    *,
    names: bool = False,
    against: Against | None = None,
    only: Sequence[str] = (),
) -> Report:
    """Every statistic of a study as one document.

    Args:
        chosen: fields of :class:`core.stats.options.Options`.
        names: whether annotators are named; otherwise they are pseudonyms.
        only: ids of statistics; all if empty.

    Raises:
        UsageError: if a filter or a statistic is unknown.
        StudyUnavailable: if the other study cannot be read.
    """
    options, results = _numbers(store, chosen, only=only, names=names)
    limits = {each.id: each.limits for each in registered()}
    shared, sections = without_shared([section_of(one, limits[one.id]) for one in results])
    call = _as_it_is if names else partial(pseudonym, store.seed)
    facts = [*_facts(store), *_chosen(chosen, call)]
    undated = store.reading.undated_votes()
    if against is not None and against.until is not None and undated:
        facts.append(("Votes without a time", f"{undated:,}, counted as cast before any date"))
    if against is not None:
        title, there = _other(store, chosen, against, only=only, names=names)
        facts.append(("Set beside", title))
        sections += compared_sections(
            results, there, ("here", title), independent=against.study is not None
        )
    settings = store.settings()
    title = settings["name"] or store.path.stem
    said = findings(results, options.people)
    return Report(f"Report on {title}", tuple(facts), said, sections, shared)


def _numbers(
    store: Store,
    chosen: Mapping[str, Any],
    *,
    only: Sequence[str],
    names: bool,
    until: str | None = None,
) -> tuple[Options, list[Result]]:
    options = options_of(store, **chosen)
    feed = Feed(store, Tally(), until=until)
    feed.catch_up(times=needs_times(options, only))
    results = compute(feed.tally, options, only or None)
    if names:
        return options, results
    called = {name: pseudonym(store.seed, name) for name in store.reading.groups()}
    return options, [unnamed(result, called) for result in results]


def _other(
    store: Store,
    chosen: Mapping[str, Any],
    against: Against,
    *,
    only: Sequence[str],
    names: bool,
) -> tuple[str, list[Result]]:
    """What the other is called, and its numbers."""
    if against.study is None:
        _, there = _numbers(store, chosen, only=only, names=names, until=against.until)
        return str(against.until), there
    with Store(against.study, reading=True) as other:
        _, there = _numbers(other, chosen, only=only, names=names)
        return other.settings()["name"] or against.study.stem, there


def unnamed(result: Result, called: Mapping[str, str]) -> Result:
    """A result that names people by their pseudonyms.

    Args:
        called: name → pseudonym. Judges' names are nobody's, even where one is called alike in
            a column that says it is a judge.
    """
    columns = [name for name in result.columns if name in _PEOPLE | _PEOPLE_TOO]
    if not called:
        return result
    longest = sorted(called, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)")

    def say(text: str) -> str:
        return pattern.sub(lambda match: called[match[0]], text)

    def label(name: str, value: str | int) -> str | int:
        return called.get(value, value) if name in columns and isinstance(value, str) else value

    return replace(
        result,
        estimates=tuple(
            replace(each, labels={name: label(name, value) for name, value in each.labels.items()})
            for each in result.estimates
        ),
        notes=tuple(map(say, result.notes)),
        assumptions=tuple(map(say, result.assumptions)),
    )


def _facts(store: Store) -> list[tuple[str, str]]:
    counts, heads = store.reading.counts(), store.heads()
    people = many(store.reading.voters_count(), "annotator")
    if counts["simulated_annotators"]:
        people += f", {counts['simulated_annotators']:,} simulated"
    logs = ", ".join(
        f"{log} {rows:,} ({digest[:12] or 'empty'})" for log, (rows, digest) in heads.items()
    )
    return [
        ("Made", store.clock().strftime("%Y-%m-%d %H:%M UTC")),
        ("By", f"Tiebreak {version('tiebreak')}"),
        ("Questions", f"{counts['questions']:,}"),
        ("Models", f"{counts['models']:,}"),
        ("Pairs", f"{counts['pairs']:,}"),
        ("Votes", f"{counts['votes']:,} by {people}"),
        ("Verdicts", f"{counts['verdicts']:,} by {many(counts['judges'], 'judge')}"),
        ("Rulings", f"{counts['rulings']:,}"),
        ("Logs (rows, last hash)", logs),
    ]


def _as_it_is(name: str) -> str:
    return name


def _chosen(chosen: Mapping[str, Any], call: Callable[[str], str]) -> list[tuple[str, str]]:
    """The filters in words; an annotator is called as elsewhere in the report."""
    filters = []
    for name, value in chosen.items():
        if not value or name == "seed":
            continue
        text = ", ".join(map(str, value)) if isinstance(value, tuple | dict) else str(value)
        filters.append(f"{name.replace('_', ' ')}: {call(text) if name == 'annotator' else text}")
    return [("Filters", "; ".join(filters) or "none: all votes and verdicts")]

"""The lead's pages: which numbers each shows, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from core.reporting.findings import NOTHING_TO_SAY, findings
from core.stats.added import DIFFERENCE
from core.stats.added import PEOPLE as EACH_OTHER
from core.stats.results import Estimate, Result
from core.text import many
from tui.dashboard.blocks import bars, matrix, table, told
from tui.dashboard.plots import plot
from tui.dashboard.rows import Numbers, Row, blank, head, quiet
from tui.dashboard.words import agreement_word, kappa_word

_MOST_IN_MATRIX = 24
"""Raters of a matrix: those with most in common; the table has all."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A statistic's table at one width."""

    result: Result
    width: int
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Seen:
    """What pages are made from.

    Attributes:
        people: what the rows of votes are called.
        counts: what the study holds, by kind.
        days: votes cast on each day, the first day first, as (ISO date, votes).
        waiting: statistics that are not computed yet; their numbers stand as they were.
        laid: tables as they were laid out last, by statistic: one that did not change is not laid
            out again.
    """

    numbers: Numbers
    people: str = "human"
    counts: Mapping[str, int] = field(default_factory=dict)
    days: Sequence[tuple[str, int]] = ()
    waiting: frozenset[str] = frozenset()
    laid: dict[str, Laid] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        ids: the statistics that it shows.
        rows: the page at a width.
    """

    id: str
    title: str
    ids: tuple[str, ...]
    rows: Callable[[Seen, int], list[Row]]


def _shown(seen: Seen, ids: Sequence[str]) -> list[Result]:
    return [result for id in ids if (result := seen.numbers.get(id)) is not None]


def _overview(seen: Seen, width: int) -> list[Row]:
    rows = [*_people_ranked(seen, width), blank()]
    rows += _agreements(seen, width, setups=("S2",))
    rows += [blank(), head("In short")]
    told_above = {"ranking"}
    others = [one for id, one in seen.numbers.by_id.items() if id not in told_above]
    sentences = findings(others, seen.people)
    if seen.waiting and sentences == NOTHING_TO_SAY:
        sentences = ("Counting …",)
    for sentence in sentences:
        rows += told(sentence, width, "· ")
    return rows


def _people_ranked(seen: Seen, width: int) -> list[Row]:
    result = seen.numbers.get("ranking")
    if result is None:
        return []
    mine = [each for each in result.estimates if each.labels.get("raters") == seen.people]
    return bars(f"Ranking by {seen.people} votes (log-odds)", result, mine, width, _tiered)


def _tiered(each: Estimate) -> str:
    tier = each.labels.get("tier", "")
    name = str(each.labels.get("model", ""))
    return f"{tier}. {name}" if tier != "" else name


def _agreements(seen: Seen, width: int, setups: Sequence[str] = ("S1", "S2")) -> list[Row]:
    result = seen.numbers.get("agreement")
    if result is None:
        return []
    groups: dict[tuple[str, str], list[Estimate]] = {}
    for each in result.estimates:
        key = (str(each.labels.get("turn", "")), str(each.labels.get("setup", "")))
        if key[1] in setups:
            groups.setdefault(key, []).append(each)
    rows: list[Row] = []
    over_people = _over_people(seen)
    for (turn, setup), group in groups.items():
        cells = [(*_pair(each), each) for each in group]
        on = f"turn {turn}" if turn.isdigit() and turn != "0" else "whole conversations"
        what = "all outcomes" if setup == "S1" else "where both prefer a model"

        def word(each: Estimate, turn: str = turn, setup: str = setup) -> str:
            return agreement_word(each, over_people.get((turn, setup, *_pair(each))))

        rows += matrix(f"Agreement, {on}, {setup}: {what}", result, cells, width, word)
        rows.append(blank())
    if rows:
        rows += told(
            "words: beside people among themselves on the same items (added: 'each other'), or "
            "chance; = where the 95% interval of the difference holds 0",
            width,
        )
    return rows or [head(result.title), quiet("nothing to show yet")]


def _over_people(seen: Seen) -> dict[tuple[str, str, str, str], Estimate]:
    """What each judge's agreement is less people's own: by turn, setup and both raters."""
    result = seen.numbers.get("added")
    rows = () if result is None else result.estimates
    return {
        (str(each.labels["turn"]), str(each.labels["setup"]), rater, seen.people): each
        for each in rows
        if each.labels.get("against") == EACH_OTHER and each.labels["measure"] == DIFFERENCE
        for rater in [str(each.labels["rater"])]
    }


def _pair(each: Estimate) -> tuple[str, str]:
    return str(each.labels.get("rater_1", "")), str(each.labels.get("rater_2", ""))


def _agreement(seen: Seen, width: int) -> list[Row]:
    return [
        *_agreements(seen, width),
        blank(),
        *_tables(seen, ("added", "agreement_by", "reliability"), width),
    ]


def _ranking(seen: Seen, width: int) -> list[Row]:
    rows: list[Row] = []
    result = seen.numbers.get("ranking")
    if result is not None:
        raters = dict.fromkeys(str(each.labels.get("raters", "")) for each in result.estimates)
        for rater in raters:
            mine = [each for each in result.estimates if each.labels.get("raters") == rater]
            rows += [*bars(f"{rater}: rating in log-odds", result, mine, width, _tiered), blank()]
        rows += told(
            "the number before a model is its tier: models whose 95% intervals overlap share one",
            width,
        )
    rows += [blank(), *_win_rates(seen, width)]
    more = ("hybrid", "ranking_ties", "ranking_fit", "quadrants", "elo", "ppi", "stopping")
    return rows + _tables(seen, more, width)


def _win_rates(seen: Seen, width: int) -> list[Row]:
    result = seen.numbers.get("win_rate")
    if result is None:
        return []
    cells = [
        (str(each.labels.get("model", "")), str(each.labels.get("category", "")), each)
        for each in result.estimates
        if each.labels.get("raters") == seen.people
    ]
    return [*matrix(f"Win rates by category, {seen.people} votes", result, cells, width), blank()]


def _bias(seen: Seen, width: int) -> list[Row]:
    ids = ("position_lean", "style", "self_enhancement", "audits", "both_bad_use", "position")
    return _tables(seen, ids, width)


def _judges(seen: Seen, width: int) -> list[Row]:
    ids = ("added", "alt_test", "panels", "self_consistency", "failures", "position")
    return _tables(seen, ids, width)


def _annotators(seen: Seen, width: int) -> list[Row]:
    rows: list[Row] = []
    result = seen.numbers.get("annotator_kappa")
    if result is not None and result.estimates:
        raters = dict.fromkeys(
            str(each.labels.get(name, ""))
            for each in result.estimates
            for name in ("annotator_1", "annotator_2")
        )
        kept = set(list(raters)[:_MOST_IN_MATRIX])
        cells = []
        for each in result.estimates:
            one, two = str(each.labels["annotator_1"]), str(each.labels["annotator_2"])
            if one in kept and two in kept:
                cells.append((one, two, each))
        rows += matrix("Cohen's κ between annotators", result, cells, width, kappa_word)
        rows += told("words: Landis & Koch 1977, who called their ranges arbitrary", width)
        rows.append(blank())
    ids = ("rater_bias", "consistency", "confusion", "gold_agreement", "drift", "reliability")
    return rows + _tables(seen, ids, width)


def _progress(seen: Seen, width: int) -> list[Row]:
    counts = seen.counts
    rows = [head("Progress")]
    if counts.get("pairs_queued"):
        done, queued = counts["pairs_complete"], counts["pairs_queued"]
        room = max(10, min(60, width - 40))
        filled = round(room * done / queued)
        drawn = "█" * filled + "░" * (room - filled)
        rows.append(Row(f"{drawn}  {done:,} of {many(queued, 'pair')} have all votes"))
    rows.append(quiet(f"{many(counts.get('votes', 0), 'vote')} in all; F4 shows who is at work"))
    rows.append(blank())
    if len(seen.days) > 1:
        rows += plot("Votes, day by day, added up", seen.days, width)
        rows.append(blank())
    return rows + _tables(seen, ("coverage", "stopping"), width)


def _every(seen: Seen, width: int) -> list[Row]:
    return _tables(seen, tuple(seen.numbers.by_id), width)


def _tables(seen: Seen, ids: Sequence[str], width: int) -> list[Row]:
    rows: list[Row] = []
    for result in _shown(seen, ids):
        if rows:
            rows += [blank(), blank()]
        known = seen.laid.get(result.id)
        if known is None or known.result is not result or known.width != width:
            known = seen.laid[result.id] = Laid(result, width, table(result, width))
        rows += known.rows
    return rows


PAGES: tuple[Page, ...] = (
    Page(
        "overview",
        "Overview",
        ("ranking", "agreement", "added", "position_lean", "failures"),
        _overview,
    ),
    Page("agreement", "Agreement", ("agreement", "added", "reliability"), _agreement),
    Page("ranking", "Ranking", ("ranking", "win_rate"), _ranking),
    Page("bias", "Bias", ("position_lean", "style", "self_enhancement", "audits"), _bias),
    Page("judges", "Judges", ("added", "alt_test", "failures"), _judges),
    Page("annotators", "Annotators", ("annotator_kappa", "rater_bias"), _annotators),
    Page("progress", "Progress", ("coverage", "stopping"), _progress),
    Page("every", "Everything", (), _every),
)
"""All pages, in the order of their keys."""

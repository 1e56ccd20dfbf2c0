"""Two sets of results beside each other: two studies, or one study at two times."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from core.numbers import number, span, value_text
from core.reporting.document import Line, Section, Table, label_texts
from core.stats.results import Estimate, Result

_UNSTABLE = frozenset({"tier", "stands out", "leans", "settled", "predicted"})
"""Labels that say what came out and not what a number is about: they may differ."""

_MOST_CHANGES = 12
"""Changes that are listed first."""


@dataclass(frozen=True, slots=True)
class Change:
    """One number here and there.

    Attributes:
        size: the difference in units of its error; None where there is none to know of.
    """

    statistic: str
    title: str
    labels: tuple[str, ...]
    here: Estimate | None
    there: Estimate | None
    size: float | None

    @property
    def difference(self) -> float | None:
        """Here less there; None unless both have a value in the same unit."""
        if self.here is None or self.there is None or self.here.unit != self.there.unit:
            return None
        if self.here.value is None or self.there.value is None:
            return None
        return self.here.value - self.there.value


def changes(
    here: Sequence[Result], there: Sequence[Result], *, independent: bool
) -> dict[str, list[Change]]:
    """All numbers of two reports, matched by what they are about.

    Args:
        independent: whether the two rest on different votes. Then a difference has an error:
            the root of the sum of both squared errors, each read off its interval as if that
            were normal. Two dates of one study share votes; no error is given.

    Returns:
        statistic id → its rows, in the order of ``here``, then those that are only there.
    """
    others = {result.id: result for result in there}
    found: dict[str, list[Change]] = {}
    for result in here:
        other = others.get(result.id)
        rows = list(_matched(result, other, independent))
        if rows:
            found[result.id] = rows
    return found


def _matched(result: Result, other: Result | None, independent: bool) -> Iterator[Change]:
    columns = tuple(name for name in result.columns if name not in _UNSTABLE)
    mine = {(label_texts(columns, each.labels), each.unit): each for each in result.estimates}
    theirs = {
        (label_texts(columns, each.labels), each.unit): each
        for each in (other.estimates if other is not None else ())
    }
    for key in [*mine, *(key for key in theirs if key not in mine)]:
        one, two = mine.get(key), theirs.get(key)
        size = _size(one, two) if independent else None
        yield Change(result.id, result.title, key[0], one, two, size)


def _error(each: Estimate) -> float | None:
    """The standard error that an interval stands for, read as a normal one."""
    if each.low is None or each.high is None or each.level is None:
        return None
    return (each.high - each.low) / (2 * NormalDist().inv_cdf((1 + each.level) / 2))


def _size(one: Estimate | None, two: Estimate | None) -> float | None:
    if one is None or two is None or one.value is None or two.value is None:
        return None
    errors = _error(one), _error(two)
    if errors[0] is None or errors[1] is None:
        return None
    both = math.hypot(errors[0], errors[1])
    return (one.value - two.value) / both if both > 0 else None


def compared_sections(
    here: Sequence[Result],
    there: Sequence[Result],
    names: tuple[str, str],
    *,
    independent: bool,
) -> tuple[Section, ...]:
    """The differences as sections: the clearest changes first, then a table a statistic.

    Args:
        names: what the two are called, e.g. ``now`` and a date.
    """
    found = changes(here, there, independent=independent)
    every = [change for rows in found.values() for change in rows]
    sections = [_first(every, names, independent)]
    titles = {result.id: result for result in here}
    for id, rows in found.items():
        result = titles[id]
        columns = tuple(name for name in result.columns if name not in _UNSTABLE)
        table = Table(
            f"{result.title}: {names[0]} and {names[1]}",
            columns,
            (names[0], names[1], "difference", *(["in errors"] if independent else [])),
            tuple(_line(change, independent) for change in rows),
        )
        title = f"{result.title}: beside {names[1]}"
        sections.append(Section(f"against-{id}", title, result.description, table))
    return tuple(sections)


def _first(every: Sequence[Change], names: tuple[str, str], independent: bool) -> Section:
    """The changes that stand out, or for one study the largest shares."""
    notes: tuple[str, ...] = ()
    if independent:
        sized = [change for change in every if change.size is not None]
        sized.sort(key=lambda change: -abs(change.size or 0.0))
        what = "Numbers whose two intervals are furthest apart, in units of the difference's error."
        notes = (
            f"{len(sized):,} numbers are compared; about "
            f"{0.05 * len(sized):.0f} lie more than 1.96 errors apart if nothing differs",
        )
    else:
        sized = [
            change
            for change in every
            if change.difference and change.here is not None and change.here.unit == "share"
        ]
        sized.sort(key=lambda change: -abs(change.difference or 0.0))
        what = "Shares that moved most. Both rest on the same early votes, so no error is given."
    lines = tuple(
        _line(change, independent, before=(change.title,))
        for change in sized[:_MOST_CHANGES]
        if change.difference
    )
    flat = tuple(
        Line(
            (line.labels[0], " · ".join(label for label in line.labels[1:] if label)),
            line.cells,
            line.why,
        )
        for line in lines
    )
    numbers = (names[0], names[1], "difference", *(["in errors"] if independent else []))
    table = Table("What changed most", ("statistic", "number"), numbers, flat) if flat else None
    return Section(
        "against",
        f"Beside {names[1]}",
        what,
        table,
        notes=notes,
        limits=(
            "A difference of two studies is one of everything in which they differ: questions, "
            "people and judges, not only what one had in mind."
            if independent
            else "What moved may be new votes, new people or new pairs; an early number rests on "
            "few of them."
        ),
    )


def _line(change: Change, independent: bool, before: tuple[str, ...] = ()) -> Line:
    difference = change.difference
    unit = (change.here or change.there or _NOTHING).unit
    told = ""
    if difference is not None:
        told = number(difference, "difference" if unit == "share" else unit)
        told = told if told.startswith(("-", "+")) else f"+{told}"
        told += " pts" if unit in ("share", "difference") else ""
    cells = [_cell(change.here), _cell(change.there), told]
    if independent:
        cells.append("" if change.size is None else f"{change.size:+.1f}")
    return Line((*before, *change.labels), tuple(cells))


_NOTHING = Estimate({}, 0.0)


def _cell(each: Estimate | None) -> str:
    if each is None:
        return "not there"
    if each.value is None:
        return "—"
    text = value_text(each.value, each.unit)
    if each.low is not None and each.high is not None:
        text += f" ({span(each.low, each.high, each.unit)})"
    return text

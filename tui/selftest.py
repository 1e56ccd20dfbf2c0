"""The self-test: planted studies through store, tally and statistics, and what comes back."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TiebreakError, Where
from db.store import Store

if TYPE_CHECKING:
    from core.selftest import Effect
    from core.stats.results import Estimate

LEVEL = 0.95


@dataclass(slots=True)
class Recovered:
    """One planted effect over all runs.

    Attributes:
        planted: its true value; over several studies the mean.
        estimated: the mean estimate.
        low, high: the mean ends of what is to hold it.
        held: in how many runs they did.
    """

    effect: Effect
    runs: int = 0
    planted: float = 0.0
    estimated: float = 0.0
    low: float = 0.0
    high: float = 0.0
    held: int = 0

    def add(self, planted: float, row: Estimate) -> None:
        """Take one run.

        Raises:
            TiebreakError: if the row has no number or no interval.
        """
        ends = (row.lowest, row.highest) if self.effect.worst else (row.low, row.high)
        low, high = ends
        if row.value is None or low is None or high is None:
            raise TiebreakError(
                f"the self-test found no number for {self.effect.name!r}: "
                f"{row.reason or row.method}",
                "please report this",
            )
        self.runs += 1
        for name, value in (
            ("planted", planted),
            ("estimated", row.value),
            ("low", low),
            ("high", high),
        ):
            before = getattr(self, name)
            setattr(self, name, before + (value - before) / self.runs)
        self.held += low - 1e-12 <= planted <= high + 1e-12

    @property
    def promised(self) -> float:
        """How often the ends are to hold it: worst cases always."""
        return 1.0 if self.effect.worst else LEVEL

    @property
    def is_kept(self) -> bool:
        """Whether the coverage found is none that the promise rules out."""
        if self.effect.worst:
            return self.held == self.runs
        from core.selftest import is_possible

        return is_possible(self.held, self.runs, LEVEL)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the keys are stable."""
        return {
            "effect": self.effect.name,
            "statistic": self.effect.statistic,
            "labels": dict(self.effect.labels),
            "planted": self.planted,
            "estimated": self.estimated,
            "low": self.low,
            "high": self.high,
            "runs": self.runs,
            "held": self.held,
            "coverage": self.held / self.runs,
            "promised": self.promised,
            "kept": self.is_kept,
        }


@dataclass(slots=True)
class Report:
    """All effects."""

    recovered: list[Recovered] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """Whether every promise was kept."""
        return all(each.is_kept for each in self.recovered)


def run(runs: int, seed: int) -> Report:
    """Draw, store, read, compute and compare.

    Raises:
        TiebreakError: if a study cannot be stored or a number cannot be had.
    """
    from core.selftest import draw, effects

    report = Report([Recovered(effect) for effect in effects(_PEOPLE)])
    with tempfile.TemporaryDirectory(prefix="tiebreak-selftest-") as folder:
        for number in range(runs):
            drawn = draw(seed, number)
            rows = _computed(Path(folder) / f"{number}.db", drawn.records, report)
            for each, row in zip(report.recovered, rows, strict=True):
                planted = each.effect.planted
                each.add(drawn.win_rate if planted is None else planted, row)
    return report


_PEOPLE = "simulated"


def _computed(path: Path, records: list[Any], report: Report) -> list[Estimate]:
    """The rows in which the effects are to be found, out of a study that goes through the store."""
    from core.selftest import PLANTED_GROUP
    from core.stats import Tally, compute
    from db.feed import Feed
    from tui.live import options_of

    with Store(path, create=True) as store:
        store.ingest.take((Where("selftest", line), each) for line, each in enumerate(records, 1))
        feed = Feed(store, Tally())
        feed.catch_up()
        tables: dict[tuple[str, bool], list[Estimate]] = {}
        for is_honest in (True, False):
            store.set({"exclude_groups": [PLANTED_GROUP] if is_honest else []})
            wanted = {
                each.effect.statistic
                for each in report.recovered
                if each.effect.honest_only is is_honest
            }
            for result in compute(feed.tally, options_of(store), wanted):
                tables[result.id, is_honest] = list(result.estimates)
    return [
        _row(tables[each.effect.statistic, each.effect.honest_only], each.effect)
        for each in report.recovered
    ]


def _row(rows: list[Estimate], effect: Effect) -> Estimate:
    for row in rows:
        if effect.labels.items() <= dict(row.labels).items():
            return row
    raise TiebreakError(f"the self-test found no row for {effect.name!r}", "please report this")


def lines(report: Report) -> list[str]:
    """The report as lines of text."""
    width = max(len(each.effect.name) for each in report.recovered)
    shown = [f"{'planted effect':{width}}  planted  estimated  interval          coverage"]
    for each in report.recovered:
        interval = f"{each.low:+.3f} – {each.high:+.3f}"
        word = "" if each.is_kept else "  ← not kept"
        shown.append(
            f"{each.effect.name:{width}}  {each.planted:+7.3f}  {each.estimated:+9.3f}  "
            f"{interval:16}  {each.held}/{each.runs} = {each.held / each.runs:.1%} "
            f"of {each.promised:.0%}{word}"
        )
    return shown

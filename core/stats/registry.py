"""The seam for statistics: a module in this folder with a decorated function is found.

A new statistic is one new file::

    @statistic("my_id", "What a lead reads above it")
    def my_statistic(view: View) -> Result: ...
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

from core.errors import UsageError

if TYPE_CHECKING:
    from core.stats.options import Options
    from core.stats.results import Result
    from core.stats.tally import Tally
    from core.stats.view import View

Compute = Callable[["View"], "Result"]


class Work(Protocol):
    """Something long that a statistic rests on, done in parts.

    Attributes:
        is_needed: whether nothing can be told before it is done; otherwise what is told is kept
            up to date, and is made anew because much has been added to it.
    """

    is_needed: bool

    def go_on(self) -> bool:
        """Do the next part; whether that was the last."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """A registered statistic.

    Attributes:
        order: sorts it among the others; then its id does.
        limits: what its numbers do not mean, in a sentence or two.
        follows: whether a vote costs it what the vote changes, and not what there is: it is
            computed at once, the others after.
        by_time: whether it goes by when votes were cast, so that whoever feeds the tally has to
            tell their times.
        work: what is to be done before, if anything.
    """

    id: str
    title: str
    order: int
    run: Compute
    limits: str
    follows: bool = False
    work: Callable[[View], Work | None] | None = None
    by_time: bool = False


_found: dict[str, Statistic] = {}


def statistic(
    id: str,
    title: str,
    order: int = 100,
    *,
    limits: str = "",
    follows: bool = False,
    work: Callable[[View], Work | None] | None = None,
    by_time: bool = False,
) -> Callable[[Compute], Compute]:
    """Register a function from a view to a result.

    Raises:
        ValueError: if another function has the id.
    """

    def register(run: Compute) -> Compute:
        known = _found.get(id)
        if known and known.run.__module__ != run.__module__:
            raise ValueError(f"two statistics are called {id!r}")
        _found[id] = Statistic(id, title, order, run, limits, follows, work, by_time)
        return run

    return register


@cache
def _discover() -> None:
    """Import every module of the folder, so that the decorators run."""
    import core.stats

    for module in pkgutil.iter_modules(core.stats.__path__):
        importlib.import_module(f"core.stats.{module.name}")


def registered() -> tuple[Statistic, ...]:
    """All statistics, sorted by order and id."""
    _discover()
    return tuple(sorted(_found.values(), key=lambda each: (each.order, each.id)))


def compute(
    tally: Tally, options: Options | None = None, only: Collection[str] | None = None
) -> list[Result]:
    """Run the statistics on what the tally holds now.

    Args:
        options: the defaults if left out.
        only: ids of the statistics wanted; None for all.

    Raises:
        UsageError: if ``only`` names a statistic that does not exist.
    """
    from core.stats.options import Options
    from core.stats.view import View

    statistics = chosen(only)
    view = View(tally, options or Options())
    return [finished(each, view).run(view) for each in statistics]


def finished(statistic: Statistic, view: View) -> Statistic:
    """The same with nothing left to be done before."""
    while statistic.work is not None and (work := statistic.work(view)) is not None:
        while not work.go_on():
            pass
    return statistic


def chosen(only: Collection[str] | None = None) -> tuple[Statistic, ...]:
    """The registered statistics that are wanted, in their order.

    Args:
        only: their ids; None, or none, for all.

    Raises:
        UsageError: if one does not exist.
    """
    statistics = registered()
    unknown = sorted(set(only or ()) - {each.id for each in statistics})
    if unknown:
        known = ", ".join(each.id for each in statistics)
        raise UsageError(f"no statistic is called {unknown[0]!r}", f"There are: {known}.")
    return tuple(each for each in statistics if not only or each.id in only)


def needs_times(options: Options, only: Collection[str] | None = None) -> bool:
    """Whether these statistics, as chosen, rest on when votes were cast.

    Args:
        only: ids of the statistics; None, or none, for all.

    Raises:
        UsageError: if one does not exist.
    """
    return options.is_timed or any(each.by_time for each in chosen(only))

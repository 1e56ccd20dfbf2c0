"""Whether what is filtered by is there: a misspelt name would pass for no votes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from core.blinding import pseudonym
from core.errors import UsageError
from core.layouts.rows import Options

if TYPE_CHECKING:
    from db.store import Store

_LISTED = 20
"""Names that are listed at most where one is not known."""


def check_choice(store: Store, options: Options) -> None:
    """Refuse a filter that names nothing in the study.

    Raises:
        UsageError: naming what there is.
    """
    with store.read() as connection:

        def known(query: str) -> list[str]:
            return [name for (name,) in connection.execute(query) if name]

        for wanted, what, query in (
            (options.model, "model", "SELECT name FROM model ORDER BY name"),
            (options.against, "model", "SELECT name FROM model ORDER BY name"),
            (options.judge, "judge", "SELECT name FROM judge ORDER BY name"),
            (options.category, "category", "SELECT DISTINCT category FROM question ORDER BY 1"),
            (options.group, "annotator group", 'SELECT DISTINCT "group" FROM annotator ORDER BY 1'),
        ):
            if wanted is not None:
                _refuse(what, wanted, known(query))
        if options.annotator is not None:
            names = known("SELECT name FROM annotator ORDER BY name")
            if options.annotator not in {pseudonym(store.seed, name) for name in names}:
                _refuse("annotator", options.annotator, names)


def check_cases(store: Store, category: str | None, turn: int | None) -> None:
    """Refuse a filter of cases that names nothing in the study.

    Raises:
        UsageError: naming what there is.
    """
    with store.read() as connection:
        if category is not None:
            found = connection.execute("SELECT DISTINCT category FROM question ORDER BY 1")
            _refuse("category", category, [name for (name,) in found if name])
        if turn is not None:
            said = connection.execute(
                "SELECT turn FROM vote UNION SELECT turn FROM verdict ORDER BY 1"
            )
            turns = [str(one) for (one,) in said]
            if turns and str(turn) not in turns:
                raise UsageError(
                    f"nothing was said of turn {turn}", f"there are: {', '.join(turns)}"
                )


def _refuse(what: str, wanted: str, known: Iterable[str]) -> None:
    names = list(known)
    if wanted in names:
        return
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    listed = f"{', '.join(names[:_LISTED])}{more}" if names else "none yet"
    raise UsageError(f"no {what} is called {wanted!r}", f"there are: {listed}")

"""What a lead reads in a command line of who wrote or said what, kept as on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.text import one_line
from tui.cli import say

if TYPE_CHECKING:
    from db.store import Store


class _Know(Protocol):
    """Records what a lead has read."""

    def __call__(self, store: Store, *, lead: str) -> None: ...


def lead_here(store: Store) -> str | None:
    """The lead that whoever sits here rules as; None where that is nobody."""
    return next(iter(_leads(store)), None)


def _leads(store: Store) -> tuple[str, ...]:
    from db.sights import readers
    from db.store import local_identity

    return readers(store, *local_identity())


def counts_as_seen(study: Path, reading: Store, know: _Know) -> None:
    """Record, before names are shown, that the leads who sit here read them; and say so.

    Raises:
        TiebreakError: if that cannot be written; nothing is shown then.
    """
    from db.store import Store

    leads = _leads(reading)
    if not leads:
        return
    with Store(study) as store:
        for lead in leads:
            know(store, lead=lead)
    names = ", ".join(one_line(lead, 40) for lead in leads)
    say(f"counts as unmasked for {names}: what they rule on it from now on is not blind")

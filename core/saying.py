"""A vote in the words that an annotator knows it by: sides of the screen, never models."""

from __future__ import annotations

from core.records import Seen

SAID = {
    Seen.LEFT: "A is better",
    Seen.RIGHT: "B is better",
    Seen.TIE: "tie",
    Seen.BOTH_BAD: "both bad",
}

CANNOT_JUDGE = "cannot judge"


def said_of(seen: Seen | None) -> str:
    """What somebody voted; None is the word that they cannot judge."""
    return CANNOT_JUDGE if seen is None else SAID[seen]

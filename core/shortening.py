"""Names cut so that those that differ still do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from core.text import cell_width, one_line

_ROUNDS = 9
"""Times that names which look the same are cut anew; each shows what sets them apart later on."""


def told_apart(names: Sequence[str], width: int) -> list[str]:
    """Names in at most ``width`` cells each, cut at the end, or in the middle if that tells more.

    Where several would look the same, each shows its beginning and what comes from the place on in
    which they differ.

    Args:
        names: one line each, displayable.
        width: cells, at least 3: less has no room for both.

    Returns:
        A text for each name. Two that differ may still look the same where there is no room.
    """
    shown = [one_line(name, width) for name in names]
    tries = [shown]
    for _ in range(_ROUNDS):
        alike: dict[str, list[int]] = defaultdict(list)
        for index, text in enumerate(shown):
            alike[text].append(index)
        groups = [group for group in alike.values() if len({names[n] for n in group}) > 1]
        if not groups:
            break
        shown = list(shown)
        for group in groups:
            same = _same([names[n] for n in group])
            for n in group:
                shown[n] = _from(names[n], same, width)
        tries.append(shown)
    return max(tries, key=lambda texts: len(set(texts)))


def _from(name: str, place: int, width: int) -> str:
    """A name's beginning, and the rest from a place on."""
    rest = one_line(name[place:], width * 2 // 3)
    head = one_line(name[:place], width - sum(map(cell_width, rest)))
    return head + rest


def _same(names: Sequence[str]) -> int:
    """Characters with which all begin."""
    first, last = min(names), max(names)
    pairs = zip(first, last, strict=False)
    return next((n for n, (one, other) in enumerate(pairs) if one != other), len(first))

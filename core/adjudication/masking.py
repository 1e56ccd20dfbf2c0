"""Hiding names in what people and judges wrote, until a lead has ruled.

A judge's explanation may say which model it believes to read, and an annotator's note who they
are. The text itself is stored as it is; what is hidden here is what is shown of it while blind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from core.text import displayable

HIDDEN = "[name hidden]"
"""What stands for a name."""

_PARTS = re.compile(r"[^\W_]+")
_SHORTEST_WORD = 3
"""Letters of a family's word below which it is hidden only within a longer name."""

_UNSEEN = r"[\u200b-\u200f\u2060\ufeff\xad]*"
"""What may stand within a name without being seen."""

_ALIKE = str.maketrans({"а": "a", "е": "e", "о": "o", "р": "p", "с": "c", "х": "x", "і": "i"})
"""Cyrillic letters that look like the Latin ones of a name."""


class Mask:
    """Hides names, in whatever case and with whatever between their parts.

    ``gpt-4`` is found in ``GPT 4``, ``gpt_4`` and ``Gpt4``; also its first word alone, as
    ``Vicuna`` for ``vicuna-13b-v1.3``. A name within a longer word is left: ``ant`` in ``want``.

    Args:
        models: names of models, and of those that judges are.
        others: names of judges and annotators: hidden as wholes, never a first word of them.
    """

    def __init__(self, models: Iterable[str], others: Iterable[str] = ()) -> None:
        patterns: set[str] = set()
        for name in models:
            parts = _PARTS.findall(name.rsplit("/", 1)[-1])
            for given in (parts, _PARTS.findall(name)):
                patterns.update(_pattern(given))
            first = re.match(r"[^\W\d_]+", parts[0]) if parts else None
            if first and len(first[0]) >= _SHORTEST_WORD:
                patterns.update(_pattern([first[0]]))
        for name in others:
            patterns.update(_pattern(_PARTS.findall(name)))
        # The longest first, so that a name is hidden whole.
        listed = sorted(patterns, key=lambda each: (-len(each), each))
        self._names = re.compile(
            rf"(?<![^\W_])(?:{'|'.join(listed)})(?![^\W_])" if listed else r"(?!)", re.IGNORECASE
        )

    def hide(self, text: str) -> tuple[str, int]:
        """A text without the names, and how many were hidden."""
        found = [match.span() for match in self._names.finditer(text.translate(_ALIKE))]
        parts, end = [], 0
        for start, stop in found:
            parts += [text[end:start], HIDDEN]
            end = stop
        return "".join([*parts, text[end:]]), len(found)

    def names_any(self, text: str) -> bool:
        """Whether a text says a name."""
        return self._names.search(displayable(text).translate(_ALIKE)) is not None


def _pattern(parts: list[str]) -> list[str]:
    """The parts of a name one after another, whatever stands between them; none for no parts."""
    if not parts:
        return []
    between = rf"(?:[\W_]{{0,3}}|{_UNSEEN})"
    letters = [_UNSEEN.join(map(re.escape, part)) for part in parts]
    return [between.join(letters)]

"""Hiding names in what people and judges wrote, until a lead has ruled.

A judge's explanation may say which model it believes to read, and an annotator's note who they
are. The text itself is stored as it is; what is hidden here is what is shown of it while blind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "[name hidden]"
"""What stands for a name."""

_PARTS = re.compile(r"[^\W_]+")
_SHORTEST_WORD = 3
"""Letters of a family's word below which it is hidden only within a longer name."""

_ORDINARY = frozenset(
    "api base baseline chat code command deep fast gold human instruct judge language large long "
    "mini model open pair small star text turbo web".split()
)
"""Words that names of models begin with and that answers are full of: hidden within names only."""

_DISTINCT = 6
"""Letters and digits of a name that no other word holds by chance."""

_ESCAPE = r"\x1b\[[0-9;]*[A-Za-z]"

_UNSEEN = r"[\u200b-\u200f\u2060\ufeff\xad]*"
"""What may stand within a name without being seen."""

_ALIKE = str.maketrans("аеорсхіАВЕКМНОРСТХІ", "aeopcxiABEKMHOPCTXI")
"""Cyrillic letters that look like the Latin ones of a name."""


class Mask:
    """Hides names, in whatever case and with whatever between their parts.

    ``gpt-4`` is found in ``GPT 4``, ``gpt_4`` and ``Gpt4``; also its first word alone, as
    ``Vicuna`` for ``vicuna-13b-v1.3``. A short name within a longer word is left: ``ant`` in
    ``want``; a longer one is hidden there too.

    Args:
        models: names of models, and of those that judges are.
        others: names of judges and annotators: hidden as wholes, never a first word of them.
    """

    def __init__(self, models: Iterable[str], others: Iterable[str] = ()) -> None:
        said: set[tuple[str, ...]] = set()
        for name in models:
            parts = tuple(_PARTS.findall(name.rsplit("/", 1)[-1]))
            first = re.match(r"[^\W\d_]+", parts[0]) if parts else None
            said |= {parts, tuple(_PARTS.findall(name))}
            is_word = first is not None and first[0].casefold() in _ORDINARY
            if first and len(first[0]) >= _SHORTEST_WORD and not is_word:
                said.add((first[0],))
        said |= {tuple(_PARTS.findall(name)) for name in others}
        # The longest first, so that a name is hidden whole.
        listed = sorted(said - {()}, key=lambda each: (-len("".join(each)), each))
        long = [_pattern(each) for each in listed if len("".join(each)) >= _DISTINCT]
        short = [_pattern(each) for each in listed if len("".join(each)) < _DISTINCT]
        # What colours a terminal ends in a letter, which is no part of the word behind it.
        apart = rf"(?:{_ESCAPE}|(?<![^\W_]))(?:{'|'.join(short)})(?![^\W_])"
        either = [*long, apart] if short else long
        self._names = re.compile("|".join(either) or "(?!)", re.IGNORECASE)

    def hide(self, text: str) -> tuple[str, int]:
        """A text without the names, and how many were hidden."""
        found = [match.span() for match in self._names.finditer(text.translate(_ALIKE))]
        parts, end = [], 0
        for start, stop in found:
            parts += [text[end:start], HIDDEN]
            end = stop
        return "".join([*parts, text[end:]]), len(found)


def _pattern(parts: tuple[str, ...]) -> str:
    """The parts of a name one after another, whatever stands between them."""
    between = rf"(?:[\W_]{{0,3}}|{_UNSEEN})"
    return between.join(_UNSEEN.join(map(re.escape, part)) for part in parts)

"""Which models are of one family: what a judge may favour as its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

_FIRST_WORD = re.compile(r"[^\W\d_]+")


def family_of(model: str, told: Mapping[str, str]) -> str:
    """A model's family; empty where its name says nothing.

    Args:
        model: as it is called in the study, or by a judge's server; what stands before a slash
            is left out, case does not matter.
        told: beginnings of models' names → family; the longest that fits decides. Without one,
            the family is the first word of letters: ``llama`` for ``meta/Llama-2-70b``.
    """
    name = model.rsplit("/", 1)[-1].casefold()
    fitting = [start for start in told if name.startswith(start.casefold())]
    if fitting:
        return told[max(fitting, key=len)]
    word = _FIRST_WORD.search(name)
    return word[0] if word else ""

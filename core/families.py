"""Which models are of one family: what a judge may favour as its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from reprlib import repr as shortened

from core.errors import UsageError
from core.text import name_problem

_FIRST_WORD = re.compile(r"[^\W\d_]+")


def told_families(values: Iterable[str]) -> dict[str, str]:
    """Beginnings of models' names with their families, from ``gpt=openai`` and the like.

    Raises:
        UsageError: if one is written otherwise, or a beginning has two families.
    """
    told: dict[str, str] = {}
    for value in values:
        start, equals, family = (part.strip() for part in value.partition("="))
        if not equals or name_problem(start) or name_problem(family):
            raise UsageError(
                f"{shortened(value)} tells no family", "write it as BEGINNING=FAMILY: gpt=openai"
            )
        if told.setdefault(start, family) != family:
            raise UsageError(
                f"{shortened(start)} is given two families", "give each beginning one family"
            )
    return told


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

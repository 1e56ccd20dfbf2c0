"""What a study may come to know later, so that an export can be written again without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.items import Item, Texts

ALL = "all"


class Unknown:
    """What a study may come to know later: categories, references, texts.

    It is noted while an export is written, and taken back where the export is written again.

    Args:
        then: what a manifest noted; None to note it now.
    """

    def __init__(self, then: Mapping[str, Any] | None) -> None:
        self._then = None if then is None else {k: _Names(v) for k, v in then.items()}
        self._noted: dict[str, dict[str, bool]] = {}

    def category(self, item: Item) -> str | None:
        """The category that an item's question had."""
        question = item.pair.question
        if self._then is not None:
            return None if self._was("category", question) else item.category
        self._note("category", question, item.category is None)
        return item.category

    def texts(self, item: Item, texts: Texts) -> Texts:
        """The texts as far as they were known."""
        pair = item.pair
        models = (pair.model_1, pair.model_2)
        names = [f"{pair.question}\x1f{model}" for model in models]
        if self._then is None:
            self._note("question", pair.question, not texts.question.turns)
            self._note("reference", pair.question, not texts.question.references)
            for name, turns in zip(names, texts.answers, strict=True):
                self._note("answer", name, not turns)
            return texts
        question, first, second = texts.question, *texts.answers
        if self._was("question", pair.question):
            question = replace(question, turns=())
        if self._was("reference", pair.question):
            question = replace(question, references=())
        answers = (
            () if self._was("answer", names[0]) else first,
            () if self._was("answer", names[1]) else second,
        )
        return Texts(question, answers)

    def noted(self) -> dict[str, Any]:
        """For a manifest: what was unknown by kind, ``all`` where everything was."""
        found: dict[str, Any] = {}
        for kind, names in self._noted.items():
            unknown = sorted(name for name, is_unknown in names.items() if is_unknown)
            if unknown:
                found[kind] = ALL if len(unknown) == len(names) else unknown
        return found

    def _note(self, kind: str, name: str, is_unknown: bool) -> None:
        self._noted.setdefault(kind, {})[name] = is_unknown

    def _was(self, kind: str, name: str) -> bool:
        assert self._then is not None
        return kind in self._then and name in self._then[kind]


class _Names:
    """Names, or all of them."""

    def __init__(self, names: Any) -> None:
        self._names = None if names == ALL else frozenset(names)

    def __contains__(self, name: str) -> bool:
        return self._names is None or name in self._names

"""Families whose variants are composed: one file holds the parts, the style says which.

A part is a text, or a table of texts by what is shown (``single``, ``multi``) or by where the
reasons stand (``first``, ``after``, ``none``). Parts stand in ``system``, ``user`` and in each
other as fields; a part with nothing to say drops out with its paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.errors import TiebreakError
from core.records import Seen
from judges.families import Style
from judges.labels import label_key
from judges.parsing import Grammar
from judges.prompting import NAMES, Prompt
from judges.templates import Template

AXES = (("single", "multi"), ("first", "after", "none"))
"""What a part's texts may differ by: one of these sets of keys."""

CONSTANTS = ("a", "b", "c", "tag_a", "tag_b", "kind")
"""What the first three answers are called, as tags too, and whether each is an answer."""

_GAPS = re.compile(r"\n{3,}")
_LISTS_NEED = 3


@dataclass(frozen=True)
class Composed:
    """A family made of parts.

    Attributes:
        parts: each part's text, or its texts by a key of :data:`AXES`; ``when = "reference"``
            keeps a part to variants that show a reference.
        labels: each label and what it means; a label may hold ``{a}`` and ``{b}``.
        explain: where the reasons stand unless a judge says otherwise.
        max_tokens: by where the reasons stand.
    """

    id: str
    title: str
    form: str
    parser: str
    labels: Mapping[str, Seen]
    scale: tuple[float, float]
    max_tokens: Mapping[str, int]
    system: str
    user: str
    turn: str
    focus: Mapping[str, str]
    each: str
    structured: str
    explain: str
    parts: Mapping[str, Mapping[str, str]]

    @property
    def explains(self) -> tuple[str, ...]:
        """Where the reasons may stand: what the part ``ask`` has a text for."""
        return tuple(key for key in AXES[1] if key in self.parts["ask"])

    def variants(self, style: Style) -> list[Prompt]:
        """Single turn and conversation, without and with a reference.

        Raises:
            TiebreakError: the style asks for what there is no text for.
        """
        explain = style.explain or self.explain
        if explain not in self.explains:
            raise TiebreakError(
                f"the prompt {self.id!r} has no wording for explain={explain}",
                f"choose one of: {', '.join(self.explains)}",
            )
        if self.form == "single" and style.names:
            raise TiebreakError(
                f"the prompt {self.id!r} shows one answer at a time, which it calls by no name",
                "leave the names out",
            )
        names = style.names or NAMES
        if self.form == "list" and len(names) < _LISTS_NEED:
            raise TiebreakError(
                f"the prompt {self.id!r} shows all answers of a question and was given two names",
                "name as many as a question has answers, at least three",
            )
        places = [(multi, ref) for multi in (False, True) for ref in (False, True)]
        return [self._variant(multi, ref, explain, names) for multi, ref in places]

    def _variant(
        self, multi: bool, reference: bool, explain: str, names: tuple[str, ...]
    ) -> Prompt:
        called = dict(zip("abc", names, strict=False))
        called |= {f"tag_{letter}": name.lower() for letter, name in called.items()}
        called["kind"] = "assistant" if multi else "answer"
        composing = _Composing(
            self.parts, called, {"multi" if multi else "single", explain}, reference
        )
        renamed = names[:2] != NAMES[:2]
        styled = (explain != self.explain and explain, renamed and "renamed")
        suffixes = (multi and "multi", reference and "reference", *styled)
        labels = self._labels(called)
        return Prompt(
            id="-".join([self.id, *(suffix for suffix in suffixes if suffix)]),
            family=self.id,
            title=self.title
            + (", in a conversation" if multi else "")
            + (", beside a reference" if reference else ""),
            form=self.form,
            multi=multi,
            reference=reference,
            parser=self.parser,
            grammar=Grammar(
                labels,
                self.scale,
                scores_last=self.parser == "score_pair" and explain == "first",
                names=names if self.form == "list" else (),
            ),
            max_tokens=self.max_tokens[explain],
            system=Template(composing.text(self.system)).fill({}),
            user=composing.text(self.user),
            turn=self.turn if multi else "",
            focus=self.focus if multi else MappingProxyType({}),
            each=self.each if self.form == "list" else "",
            structured=self.structured,
            explain=explain,
        )

    def _labels(self, called: Mapping[str, str]) -> Mapping[str, Seen]:
        labels = {Template(label).fill(called): seen for label, seen in self.labels.items()}
        fixed = {label_key(label) for label in self.labels if "{" not in label}
        taken = fixed & {label_key(called[letter]) for letter in "ab"}
        if taken or len({label_key(label) for label in labels}) < len(self.labels):
            raise TiebreakError(
                f"with these names the prompt {self.id!r} says two things by one label",
                f"its labels are {', '.join(labels)}: choose other names",
            )
        return MappingProxyType(labels)


@dataclass(frozen=True)
class _Composing:
    """One variant on its way: which text each part has in it."""

    parts: Mapping[str, Mapping[str, str]]
    called: Mapping[str, str]
    keys: set[str]
    reference: bool

    def text(self, text: str) -> str:
        """A template with its parts and names in place; the fields of a task stay fields."""
        return _GAPS.sub("\n\n", self._filled(text)).strip()

    def _filled(self, text: str) -> str:
        found = []
        for literal, name in Template(text).parts:
            found.append(literal.replace("{", "{{").replace("}", "}}"))
            if name is None:
                continue
            if name in self.called:
                found.append(self.called[name])
            elif name in self.parts:
                found.append(self._filled(self._part(name)).strip())
            else:
                found.append(f"{{{name}}}")
        return "".join(found)

    def _part(self, name: str) -> str:
        part = self.parts[name]
        if part.get("when") == "reference" and not self.reference:
            return ""
        return next((text for key, text in part.items() if key in {*self.keys, "text"}), "")

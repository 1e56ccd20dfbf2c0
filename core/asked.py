"""What a study asks beyond the overall outcome, and what an annotator said to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from core.records import Seen


def _none_said() -> Mapping[str, Seen]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Details:
    """What was said with a vote beyond its outcome, in screen space.

    Attributes:
        criteria: criterion → what was better in it, as seen.
        confidence: the level's number, lowest first, from 1.
        tags: reasons, in the order of the study's list.
    """

    criteria: Mapping[str, Seen] = field(default_factory=_none_said)
    confidence: int | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What one study asks; what is empty is not asked.

    Attributes:
        criteria: each gets an outcome of its own.
        confidence: names of the levels, lowest first.
        tags: reasons of which any number may be given.
        cannot_judge_reasons: why an annotator may give no outcome at all.
    """

    criteria: tuple[str, ...] = ()
    confidence: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    cannot_judge_reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Asked:
        """What a study with these settings asks."""
        return cls(
            tuple(settings["criteria"]),
            tuple(settings["confidence"]),
            tuple(settings["tags"]),
            tuple(settings["cannot_judge_reasons"]),
        )

    def problem(self, details: Details) -> str:
        """What was said that this study does not ask; empty if there is nothing."""
        for what, said, asked in (
            ("criterion", details.criteria, self.criteria),
            ("reason tag", details.tags, self.tags),
        ):
            for name in said:
                if name not in asked:
                    return f"this study has no {what} {name!r}"
        if len(set(details.tags)) != len(details.tags):
            return "a reason tag is given twice"
        level = details.confidence
        if level is not None and not 1 <= level <= len(self.confidence):
            return f"this study has no confidence level {level}"
        return ""

"""Stored replies, read again with today's parser: free of calls."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from core.blinding import meant
from core.errors import TiebreakError
from core.records import Verdict, VerdictStatus
from judges.families import Family
from judges.parsing import Failure, Parsed
from judges.prompting import is_failure_of_parser, list_label, list_of


def read_again(family: Family, verdict: Verdict) -> Parsed | None:
    """What a stored reply says today; None if there is nothing that could be read.

    A reply that the server cut off, filtered or never gave is not read, whatever it holds.
    """
    was_read = verdict.status is VerdictStatus.OK or is_failure_of_parser(verdict.error)
    if verdict.raw is None or verdict.left is None or not was_read:
        return None
    try:
        return family.owner(verdict.prompt).read_again(verdict.raw, verdict.label)
    except (TiebreakError, ValueError):
        return None


def differs(verdict: Verdict, read: Parsed) -> bool:
    """Whether a reading says something else than the verdict that stands."""
    return said(verdict) != said(superseding(verdict, read, ""))


def said(verdict: Verdict) -> tuple[str, tuple[float, float] | None]:
    """What a verdict comes to: its choice or its failure's name, and the scores."""
    if verdict.choice is not None:
        return verdict.choice.value, verdict.scores
    named = [failure for failure in Failure if verdict.error.startswith(f"{failure}: ")]
    return verdict.failure or (named[0].value if named else verdict.status.value), None


def superseding(verdict: Verdict, read: Parsed, at: str) -> Verdict:
    """The verdict that takes the place of one whose reply reads otherwise today.

    It made no call, so it counts no attempt, tokens, cost or time.

    Args:
        at: the time of day, ISO 8601, UTC.
    """
    label = read.label
    if read.seen is None and (about := list_of(verdict.label)):
        label = list_label(*about, None)
    choice = None
    if read.seen is not None and verdict.left is not None:
        choice = meant(read.seen, verdict.left)
    told = "\x1f".join((verdict.id, read.status, choice or "", label, read.reason))
    return replace(
        verdict,
        id=hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32],
        status=read.status,
        choice=choice,
        label=label,
        scores=read.scores,
        error=read.reason,
        failure=str(read.failure or ""),
        supersedes=verdict.id,
        tokens_in=None,
        tokens_out=None,
        latency=None,
        cost=None,
        attempts=0,
        at=at,
        source=None,
    )

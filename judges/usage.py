"""What a server says a call took, as far as that can be: no number of a server's is trusted.

A count that cannot be is none. What the call may take at most then counts as used, see
:mod:`db.judge_control`; else a server could undo a budget by a number below 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIMITS = frozenset({"max_tokens", "max_completion_tokens"})
"""The parameters that limit the tokens of a reply."""

MOST = 10_000_000
"""Tokens: no request and no reply is longer, whatever was asked."""

_ADDED = 4096
"""Tokens that a server may add to what it was sent: its template, tools, words of its own."""

_SLACK = 16
"""Tokens by which servers miss a limit: the one that ends the reply, a template's."""


def limit_of(parameters: Mapping[str, Any]) -> int | None:
    """How many tokens a request allows its reply; None if it sets no limit."""
    limits = [parameters[key] for key in LIMITS & parameters.keys()]
    return max((one for one in limits if isinstance(one, int)), default=None)


def counted(value: object, most: int = MOST, least: int = 0) -> int | None:
    """A count of tokens, None where it is no whole number, or one that cannot be."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= min(most, MOST) else None


def counted_in(value: object, sent: int | None) -> int | None:
    """Tokens sent; a token stands for a byte at least.

    Args:
        sent: how many bytes were sent; None if nobody knows.
    """
    return counted(value, MOST if sent is None else sent + _ADDED, 1)


def counted_out(value: object, limit: int | None, *texts: str) -> int | None:
    """Tokens received: no more than were allowed, or than the reply has bytes.

    Args:
        limit: how many were allowed; None if nobody said.
        texts: what came, thoughts included.
    """
    least = 1 if any(texts) else 0
    count = counted(value, least=least)
    if count is None or limit is None or count <= limit + _SLACK:
        return count
    shown = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return counted(count, shown + _SLACK)

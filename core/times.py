"""How a moment is written wherever Tiebreak stores one."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """A moment as stored: ISO 8601 in UTC to the millisecond, which sorts as text."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def epoch(text: str) -> float:
    """Seconds since the epoch of an ISO 8601 date or time; UTC where it names no offset.

    Raises:
        ValueError: if it is none.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def ago(at: str, now: datetime) -> str:
    """How long ago something was, as people say it: ``5 min ago``; the date where that is long.

    Args:
        at: a moment as :func:`stamp` wrote it; anything else is shown as it is, at most its day.
    """
    try:
        then = datetime.fromisoformat(at)
    except ValueError:
        return at[:10]
    if then.tzinfo is None:
        return at[:10]
    minutes = int((now - then).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 24 * 60:
        return f"{minutes // 60} h ago"
    days = minutes // (24 * 60)
    if days <= _DAYS_SAID:
        return "1 day ago" if days == 1 else f"{days} days ago"
    return at[:10]


_DAYS_SAID = 30
"""Days above which a date says more than a count."""

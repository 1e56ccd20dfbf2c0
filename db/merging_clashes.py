"""What two hosts said of one thing, neither knowing of the other: found before logs are merged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

Item = tuple[str, int, str, int]
"""Pair, turn, who, and which repeat of it."""


@dataclass(frozen=True, slots=True)
class _Word:
    """The last row of what somebody said of an item."""

    id: str
    says: str
    is_final: bool = False


def clashes(ours: sqlite3.Connection, theirs: sqlite3.Connection, log: str) -> dict[Item, str]:
    """What of the other's log contradicts this one's, with what is said of it.

    That is one person's last word on an item where neither host knows the other's, and two
    leads' final rulings that differ. Leads who disagree otherwise do not contradict: both count.
    """
    if log == "verdict":
        return {}
    here, there = _last_words(ours, log), _last_words(theirs, log)
    did = "voted" if log == "vote" else "ruled"
    found = {}
    for item, word in there.items():
        known = here.get(item)
        if known is None or known.id == word.id:
            continue
        if not _one_knows(ours, theirs, log, known, word):
            found[item] = (
                f"{item[2]!r} {did} on one pair on both hosts ({_where(item)}): "
                f"{known.says} here, {word.says} there"
            )
    finals = {item[:2]: (item[2], word) for item, word in here.items() if word.is_final}
    for item, word in there.items():
        lead, known = finals.get(item[:2], (item[2], word))
        if not word.is_final or lead == item[2] or known.says == word.says or item in found:
            continue
        if not _one_knows(ours, theirs, log, known, word):
            found[item] = (
                f"two leads ruled as final on one pair ({_where(item)}): "
                f"{lead!r} {known.says} here, {item[2]!r} {word.says} there"
            )
    return found


def disagreeing(connection: sqlite3.Connection, rulings: set[str]) -> Iterator[str]:
    """A line for each pair and turn that leads now disagree about, because of these rulings.

    Their gold is unresolved until one of them rules as final; a blind ruling of neither is told.
    """
    places: dict[tuple[str, int], dict[str, str]] = {}
    final, fresh = set(), set()
    for (pair, turn, lead, _), word in _last_words(connection, "ruling", imported=True).items():
        places.setdefault((pair, turn), {})[lead] = word.says
        if word.is_final:
            final.add((pair, turn))
        if word.id in rulings:
            fresh.add((pair, turn))
    for place in sorted(fresh - final):
        if len(set(places[place].values())) > 1:
            leads = ", ".join(sorted(places[place]))
            yield (
                f"leads disagree ({_where(place)}): {leads}; it is unresolved until one of them "
                "rules as final"
            )


def _where(item: tuple[str, int] | Item) -> str:
    return f"pair {item[0][:12]}…, turn {item[1]}"


def _one_knows(
    ours: sqlite3.Connection, theirs: sqlite3.Connection, log: str, here: _Word, there: _Word
) -> bool:
    """Whether what one host said last is part of the other's history."""
    query = f"SELECT 1 FROM {log} WHERE id = ?"
    return (
        ours.execute(query, (there.id,)).fetchone() is not None
        or theirs.execute(query, (here.id,)).fetchone() is not None
    )


def _last_words(
    connection: sqlite3.Connection, log: str, *, imported: bool = False
) -> dict[Item, _Word]:
    """By item: the last row of its history, and what it says; a ruling only while it stands.

    Args:
        imported: with imported rulings. A file may hold several votes or rulings of one person.
    """
    if log == "vote":
        rows = connection.execute(
            "SELECT p.key, v.turn, a.name, v.repeat, v.id, "
            "coalesce(v.choice, v.cannot_judge, 'withdrawn'), 0 FROM vote v "
            "JOIN pair p ON p.id = v.pair_id JOIN annotator a ON a.id = v.annotator_id "
            "WHERE v.assignment_id IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id) ORDER BY v.seq"
        )
    else:
        rows = connection.execute(
            "SELECT p.key, v.turn, a.name, 0, v.id, v.choice, v.final FROM ruling v "
            "JOIN pair p ON p.id = v.pair_id JOIN annotator a ON a.id = v.lead_id "
            "WHERE v.choice IS NOT NULL AND (? OR v.source_id IS NULL) "
            "AND NOT EXISTS (SELECT 1 FROM ruling w WHERE w.supersedes = v.id) ORDER BY v.seq",
            (imported,),
        )
    return {
        (key, turn, name, repeat): _Word(id, says, bool(final))
        for key, turn, name, repeat, id, says, final in rows
    }

"""The floor as lines of text, for the lead's screen and the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from core.saying import said_of
from core.text import cell_width, many, one_line
from core.times import ago

if TYPE_CHECKING:
    from core.stats.finish import Finish
    from core.stats.floor_warnings import Warned
    from db.floor import Floor, LastVote, OnFloor

WIDE = 100
"""Cells from which there is room for groups and for what each warning is about."""

_GAP = "  "
_NAME = 12
_BAR = 20
_CHOSEN = ("A", "B", "tie", "both bad")
_SIDES = ("left", "right", "tie", "both_bad")


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    width: int
    cell: Callable[[OnFloor], str]
    is_number: bool = False


def standing(person: OnFloor, *, needs_qualification: bool) -> str:
    """What keeps somebody from voting, or let them in, in a word or two."""
    if person.state != "active":
        return person.state
    if person.standing.let_in is not None:
        return "let in"
    if person.standing.is_in:
        return "qualified"
    if person.standing.attempts:
        return f"{len(person.standing.attempts)}× failed"
    if person.tried and not person.pairs:
        return "practising"
    return "to qualify" if needs_qualification and person.role == "annotator" else ""


def header(floor: Floor, width: int) -> str:
    """The line above the people."""
    columns = _columns(floor, width)
    cells = [_cell(each.title, each.width, is_number=each.is_number) for each in columns]
    return _GAP.join(cells).rstrip()


def person_line(floor: Floor, person: OnFloor, width: int) -> str:
    """One person in a line."""
    columns = _columns(floor, width)
    cells = [_cell(each.cell(person), each.width, is_number=each.is_number) for each in columns]
    return _GAP.join(cells).rstrip()


def _columns(floor: Floor, width: int) -> list[_Column]:
    is_wide = width >= WIDE
    columns = [
        _Column("", 1, lambda person: "●" if person.is_on else " "),
        _Column("who", 0, lambda person: person.name),
        _Column("group", 10, lambda person: person.group),
        _Column("pairs", 5, lambda person: f"{person.pairs:,}", is_number=True),
        _Column("today", 5, lambda person: f"{person.today:,}", is_number=True),
        _Column("pace", 6, lambda person: _seconds(person.counts.pace), is_number=True),
        _Column("skip", 4, lambda person: _some(person.skipped), is_number=True),
        _Column("can't", 5, lambda person: _some(person.cannot_judge), is_number=True),
        _Column("flag", 4, lambda person: _some(person.flags), is_number=True),
        _Column("state", 11, lambda person: _state(floor, person)),
        _Column("seen", 11, lambda person: _seen(floor, person)),
        _Column("look at", 0, _kinds) if is_wide else _Column("⚠", 1, _how_many),
    ]
    if not is_wide:
        columns = [each for each in columns if each.title not in ("group", "flag")]
    free = width - sum(each.width for each in columns) - len(_GAP) * (len(columns) - 1)
    name = max(_NAME, min(24, free // 2)) if is_wide else max(5, free)
    kinds = max(1, free - name)
    widths = {"who": name, "look at": kinds}
    return [
        _Column(each.title, widths.get(each.title, each.width), each.cell, each.is_number)
        for each in columns
    ]


def _state(floor: Floor, person: OnFloor) -> str:
    said = standing(person, needs_qualification=floor.needs_qualification)
    if person.simulated:
        return f"{said} SIM" if said else "SIMULATED"
    return said or ("lead" if person.role == "lead" else "")


def _seen(floor: Floor, person: OnFloor) -> str:
    if person.is_on:
        return "now"
    return ago(person.last_seen, floor.at) if person.last_seen else "never"


def _kinds(person: OnFloor) -> str:
    return "⚠ " + ", ".join(each.kind for each in person.warnings) if person.warnings else ""


def _how_many(person: OnFloor) -> str:
    return str(len(person.warnings)) if person.warnings else ""


def _some(count: int) -> str:
    return f"{count:,}" if count else "·"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "·"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} m"


def _cell(text: str, width: int, *, is_number: bool = False) -> str:
    text = one_line(text, width)
    space = " " * (width - sum(map(cell_width, text)))
    return space + text if is_number else text + space


# ── the study ───────────────────────────────────────────────────────────────


def summary_lines(floor: Floor, width: int) -> list[str]:
    """How far the study is, and when it will be finished: two lines."""
    if not floor.pairs:
        return ["No pair is queued yet: tiebreak pairs make", ""]
    share = floor.complete / floor.pairs
    full = int(share * _BAR)
    parts = [
        f"{'█' * full}{'░' * (_BAR - full)} {share:.0%}",
        f"{floor.complete:,} of {many(floor.pairs, 'pair')} complete",
    ]
    parts += [
        f"{n:,} with {many(done, 'vote')}"
        for done, n in sorted(floor.reached.items(), reverse=True)
    ]
    return [one_line(" · ".join(parts), width), one_line(finish_words(floor), width)]


def finish_words(floor: Floor) -> str:
    """How many votes are wanted yet, and how long that takes, with its range."""
    if not floor.wanted:
        return "Every vote that is wanted is there."
    found = floor.finish
    begins = f"{many(floor.wanted, 'vote')} wanted yet"
    if found.hours is None or found.low is None or found.high is None:
        return f"{begins}. No estimate: {found.reason}."
    when = _when(floor.at + timedelta(hours=found.hours), floor.at)
    return (
        f"{begins}: {_hours(found.hours)} ({_hours(found.low)} to {_hours(found.high)}) at the "
        f"last hour's {found.per_hour:,.0f} an hour, {when}"
    )


def _hours(hours: float) -> str:
    if hours < 1:
        return f"{max(1, round(60 * hours))} min"
    return f"{hours:.1f} h" if hours < 10 else f"{hours:,.0f} h"


def _when(moment: datetime, now: datetime) -> str:
    there, here = moment.astimezone(), now.astimezone()
    is_today = there.date() == here.date()
    return there.strftime("%H:%M" if is_today else "%a %d %b %H:%M")


# ── one person ──────────────────────────────────────────────────────────────


def warning_words(warned: Warned) -> str:
    """A warning with its evidence, in one sentence."""
    interval = ""
    if warned.low is not None and warned.high is not None:
        interval = f"95% interval {warned.low:.0%} to {warned.high:.0%}, "
    return (
        f"{warned.kind}: {warned.says} ({interval}p = {warned.p:.1g}, "
        f"{warned.adjusted:.1g} corrected for all annotators)"
    )


_HIDDEN = (
    "Which question a vote was on is not said where you may still rule blind, "
    "nor what was written with it."
)


_FIRST = (
    "Of each pair one vote, that on its first turn: stretches, repeats, the others and "
    "the warnings go by these."
)
_UNDER = " " * 12


def person_text(floor: Floor, person: OnFloor, votes: Sequence[LastVote], width: int) -> str:
    """What one person's numbers are made of: warnings, counts, last votes."""
    done = f"{many(person.pairs, 'pair')} done on all turns"
    gone = sum(not vote.stands for vote in votes)
    last = f"Last {many(len(votes), 'vote')}, the newest first"
    last += f", {gone:,} of them changed or taken back" if gone else ""
    lines = [
        " · ".join(
            part
            for part in (
                f"{one_line(person.name, 60)}: {person.role}",
                f"group {one_line(person.group, 40)}" if person.group else "",
                "SIMULATED" if person.simulated else "",
                standing(person, needs_qualification=floor.needs_qualification),
                "here now" if person.is_on else f"seen: {_seen(floor, person)}",
            )
            if part
        ),
        *wrap(
            f"{done}, {many(person.votes, 'vote')} ({person.today:,} today), {person.open:,} open, "
            f"{person.skipped:,} put aside, {person.cannot_judge:,} × cannot judge, "
            f"{many(person.flags, 'flag')}",
            width,
        ),
        "",
    ]
    for warned in person.warnings:
        lines += wrap(f"⚠ {warning_words(warned)}", width, subsequent_indent="  ")
    if not person.warnings:
        lines.append("Nothing to look at stands out beyond chance.")
    lines += ["", *_counted(person, width), "", last, ""]
    if any(vote.question is None for vote in votes):
        lines += [*wrap(_HIDDEN, width), ""]
    lines += [_vote_line(vote, width) for vote in votes]
    return "\n".join(lines)


def _counted(person: OnFloor, width: int) -> Iterator[str]:
    counts = person.counts
    unknown = person.votes - sum(counts.every)
    yield f"chosen      {_shares(counts.every)}" + f" · not recorded {unknown:,}" * bool(unknown)
    if counts.every != counts.seen:
        # The votes on one pair depend on each other.
        yield f"first turn  {_shares(counts.seen)}"
        yield from wrap(_FIRST, width, initial_indent=_UNDER, subsequent_indent=_UNDER)
    if counts.longest:
        of = _CHOSEN[counts.longest_of - 1]
        yield f"stretches   {counts.runs:,}, the longest {counts.longest:,} × {of}"
    if counts.speed is not None:
        yield (
            f"reading     half of {many(counts.timed, 'pair')} above {counts.speed:,.0f} words a "
            f"minute, {counts.quick:,} too fast to read"
        )
    if counts.repeats:
        yield f"repeats     {counts.same:,} of {counts.repeats:,} as before"
    if counts.agreed.items:
        share = counts.agreed.share / counts.agreed.items
        yield f"the others  {share:.0%} agreement on {many(counts.agreed.items, 'pair')}"


def _shares(cast: Sequence[int]) -> str:
    return " · ".join(f"{name} {n:,}" for name, n in zip(_CHOSEN, cast, strict=True))


def _vote_line(vote: LastVote, width: int) -> str:
    said = f"cannot judge: {vote.cannot_judge}" if vote.cannot_judge else _cast(vote)
    cells = [
        vote.at[:16].replace("T", " "),
        _cell(said, 12),
        _cell(_seconds(vote.seconds), 6, is_number=True),
        _cell("·" if vote.words is None else f"{vote.words:,} words", 11, is_number=True),
    ]
    marks = [
        f"turn {vote.turn}" if vote.turn > 1 else "",
        "repeat" if vote.repeat else "",
        "" if vote.stands else "changed or taken back",
        f"⚑ {vote.flag}" if vote.flag else "",
    ]
    about = ", ".join(filter(None, [vote.question or "", *marks]))
    before = _GAP.join(one_line(cell, 40) if n == 0 else cell for n, cell in enumerate(cells))
    return before + _GAP + one_line(about, max(10, width - len(before) - len(_GAP)))


def _cast(vote: LastVote) -> str:
    return said_of(vote.seen) if vote.seen is not None else "not recorded"


# ── as JSON ─────────────────────────────────────────────────────────────────


def floor_json(floor: Floor) -> dict[str, Any]:
    """The floor as plain values; every key is always there."""
    return {
        "format": 1,
        "at": floor.at.isoformat(),
        "pairs": floor.pairs,
        "pairs_complete": floor.complete,
        "pairs_with": {str(done): n for done, n in floor.reached.items()},
        "votes_wanted": floor.wanted,
        "finish": _finish_json(floor.finish),
        "people": [person_json(floor, person) for person in floor.people],
    }


def _finish_json(found: Finish) -> dict[str, Any]:
    return {
        "hours": found.hours,
        "low": found.low,
        "high": found.high,
        "pairs_per_hour": found.per_hour,
        "n": found.n,
        "reason": found.reason,
    }


def person_json(floor: Floor, person: OnFloor) -> dict[str, Any]:
    """One person as plain values."""
    counts, agreed = person.counts, person.counts.agreed
    needs = floor.needs_qualification
    return {
        "name": person.name,
        "role": person.role,
        "group": person.group,
        "simulated": person.simulated,
        "on": person.is_on,
        "state": person.state,
        "standing": standing(person, needs_qualification=needs),
        "pairs": person.pairs,
        "open": person.open,
        "skipped": person.skipped,
        "votes": person.votes,
        "votes_today": person.today,
        "cannot_judge": person.cannot_judge,
        "flags": person.flags,
        "last_seen": person.last_seen or None,
        "seconds_per_pair": counts.pace,
        "chosen": dict(zip(_SIDES, counts.seen, strict=True)),
        "chosen_on_all_turns": dict(zip(_SIDES, counts.every, strict=True)),
        "words_per_minute": counts.speed,
        "repeats": {"n": counts.repeats, "same": counts.same},
        "agreement": {"n": agreed.items, "share": agreed.share / max(agreed.items, 1)}
        if agreed.items
        else None,
        "warnings": [_warning_json(warned) for warned in person.warnings],
    }


def _warning_json(warned: Warned) -> dict[str, Any]:
    return {
        "kind": warned.kind,
        "n": warned.n,
        "figure": warned.figure,
        "expected": warned.expected,
        "allowed": warned.allowed,
        "low": warned.low,
        "high": warned.high,
        "p": warned.p,
        "p_corrected": warned.adjusted,
        "says": warned.says,
    }


def vote_json(vote: LastVote) -> dict[str, Any]:
    """One of somebody's last votes as plain values."""
    return {
        "at": vote.at,
        "question": vote.question,
        "turn": vote.turn,
        "repeat": vote.repeat,
        "seen": vote.seen,
        "cannot_judge": vote.cannot_judge,
        "active_seconds": vote.seconds,
        "words": vote.words,
        "flag": vote.flag,
        "stands": vote.stands,
    }

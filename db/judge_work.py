"""What a worker and its queue say to each other: jobs, calls, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.records import Verdict
from db.judge_control import Control


@dataclass(frozen=True, slots=True)
class Job:
    """A verdict that this owner is to bring about.

    Attributes:
        id: its row.
        key: the id of the verdict.
        call: what one reply settles; jobs with the same call go together.
        attempts: how many calls were begun for it so far.
    """

    id: int
    key: str
    call: str
    pair_id: int
    turn: int
    left: int
    repeat: int
    rank: int
    attempts: int
    supersedes: str | None


@dataclass(frozen=True, slots=True)
class Begin:
    """A call that is to be sent.

    Attributes:
        jobs: the rows of the jobs that it is to settle.
        requests: how many requests it may take.
        tokens_in: how many tokens it may send at most.
        tokens_out: how many it may receive at most.
    """

    call: str
    jobs: tuple[int, ...]
    endpoint: str = ""
    requests: int = 1
    tokens_in: int | None = None
    tokens_out: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended.

    Attributes:
        attempt: its row.
        outcome: ``ok``, or a failure's short name.
        may_be_charged: whether it may have been charged though there was no reply; it counts
            against the budget with all that it might have taken.
        latency: seconds.
        is_reply: whether there was a reply: with its tokens unknown, it counts just so.
        at_most: tokens that it may have sent and received at most, where that counts and was
            not said at its begin, as while there was no budget.
    """

    attempt: int
    outcome: str
    detail: str = ""
    endpoint: str = ""
    requests: int = 1
    tokens_in: int | None = None
    tokens_out: int | None = None
    latency: float | None = None
    may_be_charged: bool = False
    is_reply: bool = False
    at_most: tuple[int, int] | None = None

    @property
    def counts_in_full(self) -> bool:
        """Whether it counts with all that it might have taken: it took what nobody knows."""
        if self.tokens_in is not None and self.tokens_out is not None:
            return False
        return self.may_be_charged or self.is_reply or self.outcome == "ok"


@dataclass(slots=True)
class Work:
    """What a worker has to write, and what it wants.

    Attributes:
        verdicts: to be recorded; each takes its job out of the queue.
        ends: calls that ended, with or without a verdict.
        returned: jobs given back, each by its row with the seconds that it is to wait.
        begins: calls that are to be sent.
        want: how many more jobs to lease.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    returned: list[tuple[int, float]] = field(default_factory=list)
    begins: list[Begin] = field(default_factory=list)
    want: int = 0


GONE = -1
NO_ROOM = -2
"""In :attr:`Turned.begun`: a job is no longer this owner's; the budget has no room."""


@dataclass(frozen=True, slots=True)
class Turned:
    """What became of a :class:`Work`.

    Attributes:
        recorded: how many verdicts were new.
        begun: for each begin the attempt's row, or ``GONE``, or ``NO_ROOM``.
        leased: jobs that this owner holds from now on.
    """

    recorded: int
    begun: list[int]
    leased: list[Job]
    control: Control

"""What a runner and the keeper of its queue say to each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.records import Verdict
from judges.tasks import Task


@dataclass(slots=True, eq=False)
class Call:
    """What one reply is to settle, and how often it was tried.

    Attributes:
        name: what the queue knows it by.
        attempts: calls begun for it so far, in other processes too.
        tried: failures of each class in this process.
        failed_at: when it failed first, in this process, for a reason that may lie in the call
            itself; by the loop's clock.
        requests: how many requests a call may take.
        tokens: how many tokens it may send and receive at most, None if nobody counts.
        room: how many times the tokens of its first attempt a reply may have.
        cut: what a reply that reached its limit came to; it stands if no longer one is to be had.
        place: the keeper's own.
    """

    name: str
    tasks: tuple[Task, ...]
    attempts: int = 0
    tried: Counter[type[Exception]] = field(default_factory=Counter)
    failed_at: float | None = None
    requests: int = 1
    tokens: tuple[int, int] | None = None
    room: int = 1
    cut: tuple[Verdict, ...] = ()
    place: Any = None

    @property
    def told_room(self) -> str:
        """What its attempts say of their room; nothing where it is as usual."""
        return f"{self.room} times max_tokens" if self.room > 1 else ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended.

    Attributes:
        outcome: ``ok``, or what went wrong, in a word or two; ``unsent`` where it never began.
        verdicts: what it settles; none where it is to be tried again, or was given back.
        is_back: whether it was given back: another may take it up, after ``wait`` seconds.
        may_be_charged: whether it may have been charged though there was no reply.
        is_reply: whether there was one: if its tokens are unknown, it counts with the most that
            it might have taken.
    """

    call: Call
    outcome: str
    detail: str = ""
    endpoint: str = ""
    requests: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    latency: float | None = None
    may_be_charged: bool = False
    verdicts: tuple[Verdict, ...] = ()
    is_back: bool = False
    wait: float = 0.0
    is_reply: bool = False


def without_reply(
    call: Call,
    error: Exception,
    endpoint: str = "",
    requests: int = 0,
    latency: float | None = None,
    *,
    outcome: str = "",
    is_back: bool = False,
) -> Ended:
    """The end of a call that brought no reply.

    Args:
        outcome: its name, if not the error's own.
        latency: seconds.
    """
    return Ended(
        call,
        outcome or getattr(error, "failure", "error"),
        (str(error) or type(error).__name__)[:500],
        endpoint,
        requests,
        latency=latency,
        may_be_charged=getattr(error, "possibly_charged", False),
        is_back=is_back,
    )


@dataclass(slots=True)
class Given:
    """What a runner hands to its keeper.

    Attributes:
        back: calls that were not begun and are given back.
        begins: calls that are to be written down, so that they can be sent.
        want: how many more verdicts it would take up.
        window: how many calls it would have under way right now.
    """

    ended: list[Ended] = field(default_factory=list)
    back: list[Call] = field(default_factory=list)
    begins: list[Call] = field(default_factory=list)
    want: int = 0
    window: int = 0
    under_way: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write down and nothing wanted."""
        return not (self.ended or self.back or self.begins or self.want)


@dataclass(frozen=True, slots=True)
class Got:
    """What the keeper answers, once all that it was given is on the disk.

    Attributes:
        begun: the calls that may be sent now.
        refused: those that the budget has no room for at this moment.
        taken: calls that are the runner's to begin.
        is_dry: nothing is left to take up, now or later.
        is_spent: the budget has no room and nothing under way anywhere will make any.
        prices: what a million tokens cost, sent and received.
    """

    begun: Sequence[Call] = ()
    refused: Sequence[Call] = ()
    taken: Sequence[Call] = ()
    is_dry: bool = False
    is_paused: bool = False
    is_cancelled: bool = False
    is_spent: bool = False
    prices: tuple[float, float] | None = None


class Keeper(Protocol):
    """Keeps the queue: hands out calls, and writes down what becomes of them."""

    async def exchange(self, given: Given) -> Got:
        """Write down what is given, and hand out more.

        ``begins`` and ``ended`` are on the disk when it returns.
        """

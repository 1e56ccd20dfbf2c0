"""Judges that give way to people: priorities within a process.

The thread that talks to servers and reads replies has the lower priority. The one that writes
has not: a vote waits for whoever holds the study's write lock, so a writer that must wait for
the processor itself makes the vote wait with it.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

_USUAL: list[ThreadPoolExecutor] = []
"""A thread of the usual priority, once this one has the lower: a thread begins with the priority
of the one that starts it, and cannot raise its own."""


def give_way(lower: int) -> None:
    """Lower the priority of this thread, once. For a process that is there for judges alone.

    Where threads have no priority of their own, such as on macOS, it is the process's.

    Args:
        lower: by how many steps of ``nice``.
    """
    if _USUAL:
        return
    usual = ThreadPoolExecutor(1, thread_name_prefix="starts-others")
    usual.submit(_nothing).result()
    _USUAL.append(usual)
    os.setpriority(os.PRIO_PROCESS, 0, min(19, os.getpriority(os.PRIO_PROCESS, 0) + lower))


def start(executor: ThreadPoolExecutor) -> None:
    """Start an executor's thread, with the priority that this process had in the beginning."""
    if _USUAL:
        _USUAL[0].submit(executor.submit, _nothing).result().result()


def _nothing() -> None:
    pass

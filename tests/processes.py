"""What /proc says of running processes: which there are, and what they cost."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def processes() -> Iterator[tuple[int, bytes]]:
    """Every process that can be seen, with the words that started it."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes()


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()]


def family(pid: int) -> Iterator[int]:
    """A process and all that it has started, and that they have."""
    with contextlib.suppress(OSError):
        for child in children(pid):
            yield from family(child)
        yield pid


def busy_seconds() -> float:
    """What all processes together, and the machine's own work, have used of all cores so far."""
    total = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _waiting, *rest = map(int, total)
    return (user + nice + system + sum(rest[:3])) / _TICKS


def cpu_seconds(pid: int) -> float:
    """What a process, all its threads together, has used of the CPU.

    Raises:
        OSError: if it has ended.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def proportional_memory(pid: int) -> float:
    """MiB of memory, what is shared counted by the part of each sharer.

    Raises:
        OSError: if it has ended.
    """
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Pss:"))) / 1024

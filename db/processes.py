"""What a process that works on a study is called, and whether it is still there."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path


def process_name() -> str:
    """A name for this process that no other will have: ``host/pid/start/chance``."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}/{secrets.token_hex(4)}"


def is_here(owner: str) -> bool:
    """Whether the process of that name is, or was, on this host."""
    return owner.rsplit("/", 3)[0] == socket.gethostname()


def is_gone(owner: str) -> bool:
    """Whether the process of that name has ended; False for one of another host."""
    host, pid, started, _ = owner.rsplit("/", 3)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _started(int(pid)) != started


def _started(pid: int) -> str:
    """When a process started, in the host's ticks; empty where the host does not say.

    One that has ended and is only waited for has no start.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    told = text.rpartition(")")[2].split()
    return "dead" if told[0] in "ZX" else told[19]

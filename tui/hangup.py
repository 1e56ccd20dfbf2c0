"""Ending with the terminal, whatever became of the signal that says it is gone.

Without its terminal Textual spins for ever. The hang-up's signal does not always help: whoever
started the process may have it ignored, it is not sent where the terminal is not the process's
own, and where the loop waits for a write that nobody reads, Python's handler for it is never run
if the kernel gave the signal to another thread. So a thread waits on the terminal itself.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
import time
from collections.abc import Callable

EXIT_CODE = 128 + signal.SIGHUP
_PATIENCE = 2.0
"""Seconds in which leaving must begin; after them it ends without."""

LEAVING = 300.0
"""Seconds that leaving may take at most, such as a note that waits for a locked study."""


def end_with_terminal(leave: Callable[[], None], terminal: int | None) -> None:
    """End this process once its terminal is gone, or SIGHUP says so.

    Args:
        leave: called in the loop before the end, if the loop still runs; it is to be over within
            :data:`LEAVING`.
        terminal: the terminal's descriptor, which may be gone already; None where there is none.

    Raises:
        RuntimeError: outside of a running loop, or in another than the main thread.
        ValueError: likewise.
    """
    loop = asyncio.get_running_loop()
    begun = threading.Event()

    def end() -> None:
        begun.set()
        try:
            leave()
        finally:
            os._exit(EXIT_CODE)

    loop.add_signal_handler(signal.SIGHUP, end)
    if terminal is None:
        return

    def wait() -> None:
        gone = select.poll()
        gone.register(terminal, 0)  # asks for nothing: a hang-up is told in any case
        gone.poll()
        loop.call_soon_threadsafe(end)
        if begun.wait(_PATIENCE):
            time.sleep(LEAVING)
        os._exit(EXIT_CODE)

    threading.Thread(target=wait, name="hang-up", daemon=True).start()

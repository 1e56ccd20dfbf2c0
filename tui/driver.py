"""The terminal as the app reads and writes it, whatever the other end claims."""

from __future__ import annotations

import signal
from typing import Any

from textual import events
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

LARGEST = Size(500, 200)
"""Columns and rows that are drawn at most; a claim of more would cost the host, not the client."""


def bounded(size: Size) -> Size:
    """A window's size as it is drawn."""
    return Size(min(size.width, LARGEST.width), min(size.height, LARGEST.height))


class Terminal(LinuxDriver):
    """Textual's driver, with a bound on the window, and nothing that stops the process.

    A window's size comes from the pty, and again from the terminal itself where it reports
    changes in its own output; both are bounded here.
    """

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        if self._size is None:
            # Until the first event of a size the app would ask the pty itself.
            self._size = self._get_terminal_size()
        # Textual would stop the process, and leave whoever is there in what started it.
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)

    def _get_terminal_size(self) -> tuple[int, int]:
        width, height = super()._get_terminal_size()
        size = bounded(Size(width, height))
        return size.width, size.height

    def process_message(self, message: Message) -> None:
        if isinstance(message, events.Resize) and message.size != (size := bounded(message.size)):
            message = events.Resize(size, size)
        super().process_message(message)

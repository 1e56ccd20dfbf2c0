"""The terminal as the app reads and writes it, whatever the other end claims."""

from __future__ import annotations

import errno
import os
import select
import signal
from threading import Event
from typing import Any

from textual import constants, events
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size
from textual.message import Message

from tui.keyboard import Keyboard

LARGEST = Size(500, 200)
"""Columns and rows that are drawn at most; a claim of more would cost the host, not the client."""

_AT_ONCE = 4096
"""Bytes that are read at once, at most."""

_QUIET_WAITS = 2
"""Waits in which nothing came, after which the parser waits for nothing either.

A sequence that breaks off is taken for keys after one; the second is for a clock that is coarse.
"""


def bounded(size: Size) -> Size:
    """A window's size as it is drawn."""
    return Size(min(size.width, LARGEST.width), min(size.height, LARGEST.height))


class _Bell(Event):
    """An event that one can also wait for together with a file."""

    def __init__(self) -> None:
        super().__init__()
        self._heard, self._rung = os.pipe()

    def fileno(self) -> int:
        """What can be read once the event is set."""
        return self._heard

    def set(self) -> None:
        if not self.is_set():
            os.write(self._rung, b"\0")
        super().set()

    def clear(self) -> None:
        if self.is_set():
            os.read(self._heard, 1)
        super().clear()


class Terminal(LinuxDriver):
    """Textual's driver, with a bound on the window, and nothing that stops the process.

    A window's size comes from the pty, and again from the terminal itself where it reports
    changes in its own output; both are bounded here. Its thread for keys sleeps until there is one:
    Textual's looks ten times a second, which is a third of what many calm sessions cost a host.
    """

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self.exit_event: _Bell = _Bell()
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
        if isinstance(message, events.Resize):
            if not message.size:
                return  # there is no such window, and nothing could be shown in it
            if message.size != (size := bounded(message.size)):
                message = events.Resize(size, size)
        super().process_message(message)

    def run_input_thread(self) -> None:
        """Hand over keys until the driver stops or the terminal is gone; see tui/hangup.py."""
        keyboard = Keyboard(debug=self._debug)
        quiet = _QUIET_WAITS
        while True:
            patience = None if quiet >= _QUIET_WAITS else constants.ESCAPE_DELAY
            ready, _, _ = select.select([self.fileno, self.exit_event], [], [], patience)
            if self.exit_event in ready:
                return
            quiet = 0 if ready else quiet + 1
            if ready:
                data = self._read()
                if not data:
                    return
                for message in keyboard.feed(data):
                    self.process_message(message)
            for message in keyboard.tick():
                self.process_message(message)

    def _read(self) -> bytes:
        """What was typed; nothing once the terminal is gone."""
        try:
            return os.read(self.fileno, _AT_ONCE)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return b""

"""Somebody who sits at the program with hostile texts in it, looks at them and clicks on them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.hostile.payloads import squeezed
from tests.hostile.stream import Stream
from tests.terminal import HASTY, Terminal, terminal
from tests.waiting import PATIENCE


class Seat:
    """A terminal whose every byte is checked.

    Args:
        names: what is being looked at now, for findings.
    """

    def __init__(self, terminal: Terminal, stream: Stream) -> None:
        self.terminal = terminal
        self.stream = stream
        self.at = "the start"
        self.problems: list[str] = []
        terminal.stream = stream

    def send(self, keys: str) -> None:
        """Press keys."""
        self.terminal.send(keys)

    def votes(self, key: str, pair: str) -> None:
        """Vote, and wait until the pair that says this is gone; again if that was too soon."""

        def is_gone() -> bool:
            return pair not in self.text()

        for _ in range(9):
            # What is said already is not painted again: then only silence tells.
            is_said = HASTY in self.text()
            self.send(key)
            if is_said:
                self.until(is_gone, 20)
            else:
                self.until(lambda: is_gone() or HASTY in self.text())
            if is_gone():
                return
            self._settles()
        raise AssertionError(f"{self.at}: {key!r} did not vote:\n{self.text()}")

    def paste(self, text: str) -> None:
        """Paste, as terminals do that say where a paste begins and ends."""
        self.terminal.send(f"\x1b[200~{text}\x1b[201~")

    def until(self, true: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Read until something is true; whether it came to be."""
        deadline = time.monotonic() + seconds
        while not true():
            while not self.terminal.read(0.02):
                if time.monotonic() > deadline or self.terminal.ended():
                    return true()
        return True

    def text(self) -> str:
        """The screen, without its blank lines."""
        return "\n".join(row.rstrip() for row in self.stream.rows() if row.strip(" │"))

    def says(self, wanted: str) -> None:
        """Wait until something is on the screen; without it nothing further can be shown."""
        if not self.until(lambda: wanted in self.text()):
            raise AssertionError(f"{self.at}: {wanted!r} never came:\n{self.text()}")

    def finds(self, pattern: str, among: Container[int]) -> int:
        """Wait for one of several numbers in a text on the screen."""

        def found() -> int | None:
            match = re.search(pattern, self.text())
            return int(match[1]) if match and int(match[1]) in among else None

        self.until(lambda: found() is not None)
        number = found()
        assert number is not None, f"{pattern} never came:\n{self.text()}"
        return number

    def says_no_more(self, unwanted: str) -> None:
        """Wait until something has left the screen."""
        if not self.until(lambda: unwanted not in self.text()):
            raise AssertionError(f"{self.at}: {unwanted!r} never left:\n{self.text()}")

    def shows(self, lines: Sequence[str], *, page: str = "", seconds: float = PATIENCE) -> None:
        """Expect each of these on the screen, squeezed; page on where they do not fit on one.

        Args:
            page: the key for the next page, if there are several.
        """
        missing, deadline = list(lines), time.monotonic() + seconds

        def seen() -> bool:
            screens = self._squeezed()
            missing[:] = [line for line in missing if not any(line in one for one in screens)]
            return not missing

        if not page:
            self.until(seen, seconds)
        else:
            self.until(lambda: seen() or len(missing) < len(lines), seconds)
            self._settles()
            while not seen() and time.monotonic() < deadline:
                self._turns(page)
        self.problems += [f"{self.at}: hidden: {line!r}" for line in missing]

    def _turns(self, page: str) -> None:
        """Go on to another page; at the last one, wait for a further one to come."""
        before = self.text()
        self.send(page)
        # A page that is only late is waited for: a second key would turn two at once.
        self.until(lambda: self.text() != before, 5)
        self._settles()

    def _settles(self, seconds: float = 0.2) -> None:
        """Read until nothing comes for so long."""
        while self.terminal.read(seconds):
            pass

    def _squeezed(self) -> list[str]:
        """The screen as one column and as two."""
        lines = [self.stream.cells(number) for number in range(len(self.stream.rows()))]
        half = len(lines[0]) // 2
        sides = (slice(None), slice(half), slice(half, None))
        return [squeezed("".join("".join(line[side]) for line in lines)) for side in sides]

    def click(self, lines: Sequence[str], rows: slice, *, answered: str = "") -> None:
        """Click twice on the first row that shows something of some texts.

        Args:
            answered: begins what the screen says after each such click, each time anew.
            rows: where on the screen.
        """
        begins = {line[:3] for line in lines if len(line) >= 3}
        for number in range(len(self.stream.rows()))[rows]:
            cells = [cell or " " for cell in self.stream.cells(number)]
            row = "".join(cell[0] for cell in cells)
            begin = next((row.find(begin) for begin in begins if begin in row), -1)
            if begin >= 0:
                for column in (begin, begin + 4):
                    self._click(column + 1, number + 1, answered)
                return

    def _click(self, column: int, row: int, answered: str) -> None:
        def said() -> str:
            return next((row for row in self.stream.rows() if answered in row), "")

        self._settles(0.03)
        before = said()
        self.send(f"\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m")
        if not answered:
            self.terminal.read(0.05)
        elif not self.until(lambda: said() not in ("", before)):
            raise AssertionError(f"{self.at}: a click was not answered:\n{self.text()}")

    def leave(self) -> None:
        """Quit, and read to the end."""
        self.send("\x11")
        self.terminal.wait()
        self.terminal.drain()
        self.told()

    def told(self) -> None:
        """Take over what the stream found."""
        self.problems += [f"raw: {finding}" for finding in self.stream.findings]


@contextmanager
def sit(
    arguments: Sequence[str],
    folder: Path,
    *,
    columns: int = 120,
    rows: int = 160,
    python: Sequence[str] | None = None,
    escapes: bool = True,
) -> Iterator[Seat]:
    """Start the program in a terminal where whatever opens a browser leaves a trace.

    A browser that was opened is a problem of the seat's.
    """
    opened = folder / "opened"
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" >> "{opened}"\n')
    browser.chmod(0o755)
    environment = {"BROWSER": str(browser), "XDG_STATE_HOME": str(folder / "state")}
    with terminal(
        arguments, columns=columns, rows=rows, python=python, environment=environment
    ) as one:
        seat = Seat(one, Stream(columns, rows, escapes=escapes))
        yield seat
        if opened.exists():
            seat.problems.append(f"a browser was opened: {opened.read_text()}")

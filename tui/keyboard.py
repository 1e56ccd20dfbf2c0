"""What a terminal sends, read so that nothing in it can end the session."""

from __future__ import annotations

import re
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable

from textual import events
from textual._xterm_parser import XTermParser
from textual.keys import Keys
from textual.message import Message

_KITTY_KEY = re.compile(
    r"\x1b\[(?P<code>\d*)(?::[\d:]*)?(?:;(?P<modifiers>\d*)(?::(?P<event>\d*))?"
    r"(?P<text>;[\d:]*)?)?(?P<end>[u~ABCDEFHPQRS])"
)
"""A key by kitty's protocol: code:alternates;modifiers:event;text."""

_RELEASED = "3"
"""The kitty protocol's number for a key that was let go: no key press."""


_BEGUN = re.compile(r"\x1b\[[0-?]*[ -/]*\Z")
"""A control sequence of which the end has not come."""

_REST = re.compile(r"\[[ -~]")
"""What nobody types at once: a control sequence without the ESC that it begins with."""

_ESC = "escape"

_SLOWEST = 2.0
"""Seconds within which the parts of one sequence come, over a line that stalls."""


def _plain(sequence: str) -> str | None:
    """A key's sequence without what Textual cannot read; None for a key that was let go."""
    key = _KITTY_KEY.fullmatch(sequence)
    if key is None or ":" not in sequence:
        return sequence
    if key["event"] == _RELEASED:
        return None
    modifiers = "" if key["modifiers"] is None else f";{key['modifiers']}"
    return f"\x1b[{key['code']}{modifiers}{key['text'] or ''}{key['end']}"


class _Parser(XTermParser):
    """Textual's parser, for which a sequence that makes no sense is none at all.

    An error within it would end the thread that reads keys, and with it the session.
    """

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        nothing = (events.Key(Keys.Ignore, sequence),)
        if (plain := _plain(sequence)) is None:
            return nothing
        try:
            keys = list(super()._sequence_to_key_events(plain, alt))
        except (ValueError, OverflowError):  # a number that is no character's
            return nothing
        return [key if _is_text(key.character) else nothing[0] for key in keys]

    def parse_mouse_code(self, code: str) -> Message | None:
        try:
            return super().parse_mouse_code(code)
        except ZeroDivisionError:  # the terminal said before that it measures nothing
            return None


def _is_text(character: str | None) -> bool:
    """Whether a key's character can be written and stored: half a surrogate pair cannot."""
    return not character or not any("\ud800" <= one <= "\udfff" for one in character)


class Keyboard:
    """Bytes to events, a read at a time.

    A byte that is no UTF-8, such as an umlaut from a terminal set to Latin-1, is read as U+FFFD: in
    a note one sees where a letter is missing. Any other sequence without a meaning is dropped.

    A line that stalls may cut a sequence in two. Textual takes the parts for keys after a tenth of
    a second, and then a click in column 41 would be a vote: here the first part waits for the rest.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, *, debug: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._parser = _Parser(debug)
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._clock = clock
        self._held = ""
        self._is_escaped = False
        self._last = clock()

    def feed(self, data: bytes) -> Iterable[Message]:
        """What was sent; ``data`` is at least one byte."""
        text, now = self._decode(data), self._clock()
        if now - self._last > _SLOWEST:
            self._held, self._is_escaped = "", False  # whatever broke off goes on no more
        self._last = now
        if self._is_escaped and _REST.match(text):
            text = "\x1b" + text
        text, self._held = self._held + text, ""
        if begun := _BEGUN.search(text):
            text, self._held = text[: begun.start()], begun.group()
        self._is_escaped = False
        # Half a character is no text yet; no text would mean the end to the parser.
        return self._parser.feed(text) if text else ()

    def tick(self) -> Iterable[Message]:
        """What is said by nothing having come for a while."""
        found = list(self._parser.tick())
        self._is_escaped |= any(isinstance(one, events.Key) and one.key == _ESC for one in found)
        return found

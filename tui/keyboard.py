"""What a terminal sends, read so that nothing in it can end the session."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterable

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
    """

    def __init__(self, *, debug: bool = False) -> None:
        self._parser = _Parser(debug)
        self._decode = getincrementaldecoder("utf-8")("replace").decode

    def feed(self, data: bytes) -> Iterable[Message]:
        """What was sent; ``data`` is at least one byte."""
        # Half a character is no text yet; no text would mean the end to the parser.
        return self._parser.feed(text) if (text := self._decode(data)) else ()

    def tick(self) -> Iterable[Message]:
        """What is said by nothing having come for a while."""
        return self._parser.tick()

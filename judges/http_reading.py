"""One HTTP/1.1 answer, read as it comes in; it knows no socket.

What is strict is so on purpose: an answer that could be read in two ways is none.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import NamedTuple

MOST_HEAD = 2**16
"""Bytes of an answer's head, and of the lines between its chunks."""

_STATUS = re.compile(r"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: .*)?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_COUNT = re.compile(r"[0-9]{1,18}")
_ANY_END = -1
_CHUNKED = -2
_OVER = -1


class NotHttp(Exception):
    """What came is no answer that can be understood."""


class TooMuch(NotHttp):
    """The answer is longer than anybody wants to read."""


class CutOff(Exception):
    """The connection ended before the answer did."""


class Answered(NamedTuple):
    """A whole answer.

    Attributes:
        headers: by name in lower case; of several of one name, all, with commas between.
        is_last: whether the connection cannot be used again.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    is_last: bool


class Reading:
    """Reads one answer.

    Args:
        most: bytes that a body may have.
    """

    __slots__ = ("_at", "_body", "_coming", "_headers", "_is_last", "_left", "_length", "_most",
                 "_status")  # fmt: skip

    def __init__(self, most: int) -> None:
        self._most = most
        self._coming = b""
        self._body: bytearray | None = None
        self._status = self._at = self._length = 0
        self._left: int | None = None
        self._headers: dict[str, str] = {}
        self._is_last = False

    def feed(self, data: bytes) -> Answered | None:
        """Take what came; the answer, once it is whole.

        Raises:
            NotHttp: it is none.
        """
        if self._body is None:
            self._coming = data = self._coming + data if self._coming else data
            while self._body is None:
                end = data.find(b"\r\n\r\n", self._at)
                if end < 0 or end - self._at > MOST_HEAD:
                    self._check_begun(data)
                    return None
                self._read_head(data[self._at : end].decode("latin-1"))
                self._at = end + 4
            # Mostly all of it came at once.
            data = data[self._at :]
            self._coming, self._at = b"", 0
            if self._length == len(data):
                return self._whole(data)
            self._check_size(max(0, self._length))
        if self._length == _CHUNKED:
            return self._take_chunks(data)
        self._body += data
        self._check_size(len(self._body))
        if self._length == _ANY_END or len(self._body) < self._length:
            return None
        self._is_last |= len(self._body) > self._length
        return self._whole(bytes(self._body[: self._length]))

    def end(self) -> Answered:
        """The answer, now that the connection has ended.

        Raises:
            CutOff: it is not whole.
        """
        if self._body is None or self._length != _ANY_END:
            raise CutOff("the connection ended before the answer did")
        return self._whole(bytes(self._body))

    def _whole(self, content: bytes) -> Answered:
        if coding := self._headers.get("content-encoding"):
            content = self._unpacked(content, coding)
        return Answered(self._status, self._headers, content, self._is_last)

    # ── the head ────────────────────────────────────────────────────────────

    def _check_begun(self, data: bytes) -> None:
        """Refuse what will not become a head, however much more comes."""
        begun = data[self._at : self._at + 7]
        if begun != b"HTTP/1."[: len(begun)]:
            raise NotHttp(repr(data[self._at : self._at + 40].decode("latin-1")))
        if len(data) - self._at > MOST_HEAD:
            raise TooMuch("its head does not end")

    def _read_head(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        status = _STATUS.fullmatch(first)
        if status is None:
            raise NotHttp(repr(first[:40]))
        self._status = int(status[2])
        if self._status < 200:
            if self._status == 101:
                raise NotHttp("it changes to another protocol")
            return  # word that the answer is yet to come
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not _NAME.fullmatch(name):
                raise NotHttp(f"the header {line[:40]!r}")
            name, value = name.lower(), value.strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self._headers = headers
        wish = headers.get("connection", "").lower()
        self._is_last = "close" in wish or (status[1] == "0" and "keep-alive" not in wish)
        self._length = self._told_length()
        self._body = bytearray()

    def _told_length(self) -> int:
        if self._status in (204, 304):
            return 0
        coding, counts = (self._headers.get(n) for n in ("transfer-encoding", "content-length"))
        if coding is not None:
            if coding.lower() != "chunked" or counts is not None:
                raise NotHttp(f"a body that is {coding[:40]!r} and {counts!r} bytes long")
            return _CHUNKED
        if counts is None:
            self._is_last = True
            return _ANY_END
        if _COUNT.fullmatch(counts):
            return int(counts)
        told = {count.strip() for count in counts.split(",")}
        if len(told) > 1 or not _COUNT.fullmatch(count := told.pop()):
            raise NotHttp(f"a body of {counts[:40]!r} bytes")
        return int(count)

    # ── the body ────────────────────────────────────────────────────────────

    def _take_chunks(self, data: bytes) -> Answered | None:
        self._coming = self._coming + data if self._coming else data
        while True:
            if self._left is None:
                moved = self._take_size()
                if self._left == _OVER:
                    return self._whole(bytes(self._body or b""))
            elif self._left:
                moved = self._take_piece(self._left)
            else:
                moved = self._take_line_end()
            if not moved:
                self._coming, self._at = self._coming[self._at :], 0
                return None

    def _take_size(self) -> bool:
        """Take the line before a chunk; the last chunk is empty."""
        end = self._coming.find(b"\r\n", self._at)
        if end < 0:
            return self._is_short("the line before a chunk")
        size = _SIZE.fullmatch(self._coming, self._at, end)
        if size is None:
            line = self._coming[self._at : min(end, self._at + 40)]
            raise NotHttp(f"the chunk {line.decode('latin-1')!r}")
        if left := int(size[1], 16):
            self._left, self._at = left, end + 2
            return True
        # Behind it stand trailers, which say nothing to us, or none.
        over = self._coming.find(b"\r\n\r\n", end)
        if over < 0:
            return self._is_short("what follows the last chunk")
        self._left = _OVER
        self._is_last |= len(self._coming) > over + 4
        return True

    def _take_piece(self, left: int) -> bool:
        assert self._body is not None
        piece = self._coming[self._at : self._at + left]
        self._body += piece
        self._at += len(piece)
        self._left = left - len(piece)
        self._check_size(len(self._body))
        return bool(piece)

    def _take_line_end(self) -> bool:
        ends = self._coming[self._at : self._at + 2]
        if not b"\r\n".startswith(ends):
            raise NotHttp("a chunk is longer than it says")
        if len(ends) < 2:
            return False
        self._at += 2
        self._left = None
        return True

    def _is_short(self, what: str) -> bool:
        """Refuse what does not end; otherwise more has to come first."""
        if len(self._coming) - self._at > MOST_HEAD:
            raise TooMuch(f"{what} does not end")
        return False

    def _check_size(self, size: int) -> None:
        if size > self._most:
            raise TooMuch(f"it is longer than {self._most // 2**20} MiB")

    def _unpacked(self, content: bytes, coding: str) -> bytes:
        """What was compressed, though nobody asked for that."""
        if coding.lower() in ("identity", ""):
            return content
        if coding.lower() not in ("gzip", "x-gzip", "deflate"):
            raise NotHttp(f"a body that is coded as {coding[:40]!r}")
        opened = zlib.decompressobj(wbits=47)  # either, told apart by how it begins
        try:
            content = opened.decompress(content, self._most + 1)
        except zlib.error as error:
            raise NotHttp(f"a body that is not {coding.lower()}: {error}") from None
        self._check_size(len(content))
        if not opened.eof:
            raise NotHttp(f"a body whose {coding.lower()} does not end")
        return content

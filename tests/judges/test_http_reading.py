"""Answers as they come over the wire, in whatever pieces; the standard library is the oracle."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import io
import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.http_reading import MOST_HEAD, Answered, CutOff, NotHttp, Reading, TooMuch

MOST = 2**20


def read(wire: bytes, cuts: list[int] = [], *, ends: bool = False) -> Answered | None:  # noqa: B006
    """An answer that comes in pieces; None if it does not become whole."""
    reading = Reading(MOST)
    places = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    for begin, end in itertools.pairwise(places):
        if (answered := reading.feed(wire[begin:end])) is not None:
            return answered
    return reading.end() if ends else None


class _Socket:
    def __init__(self, wire: bytes) -> None:
        self._wire = wire

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._wire)


def by_the_library(wire: bytes) -> tuple[int, dict[str, str], bytes]:
    response = http.client.HTTPResponse(_Socket(wire), method="POST")  # type: ignore[arg-type]
    response.begin()
    return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()


def chunked(pieces: list[bytes], extension: bytes, trailers: bytes) -> bytes:
    sizes = (b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces)
    return b"".join(sizes) + b"0\r\n" + trailers + b"\r\n"


names = st.sampled_from(["X-One", "x-two", "Retry-After", "Content-Type"])
values = st.text("abc XYZ;=/,.0123456789-", max_size=20).map(str.strip)
headers = st.dictionaries(names, values).map(
    lambda found: b"".join(f"{k}: {v}\r\n".encode() for k, v in found.items())
)
pieces = st.lists(st.binary(min_size=1, max_size=300), max_size=6)
cuts = st.lists(st.integers(0, 5000), max_size=8)


@given(
    status=st.sampled_from([200, 201, 204, 304, 400, 429, 503]),
    headers=headers,
    pieces=pieces,
    cuts=cuts,
    form=st.sampled_from(["length", "chunked", "end"]),
    extension=st.sampled_from([b"", b";a=b", b" ; x"]),
    trailers=st.sampled_from([b"", b"X-Sum: 1\r\n"]),
    before=st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]),
)
def test_every_answer_is_read_as_the_standard_library_reads_it(
    status: int,
    headers: bytes,
    pieces: list[bytes],
    cuts: list[int],
    form: str,
    extension: bytes,
    trailers: bytes,
    before: bytes,
) -> None:
    body = b"".join(pieces)
    told, sent = b"", body
    if status in (204, 304):
        form = "length"  # without a body, whatever its head says
    if form == "length":
        told = b"Content-Length: %d\r\n" % len(body)
    elif form == "chunked":
        told, sent = b"Transfer-Encoding: chunked\r\n", chunked(pieces, extension, trailers)
    if status in (204, 304):
        sent = b""
    wire = before + b"HTTP/1.1 %d Some reason\r\n%s%s\r\n%s" % (status, headers, told, sent)
    answered = read(wire, cuts, ends=form == "end")
    assert answered is not None
    assert (answered.status, dict(answered.headers), answered.content) == by_the_library(wire)
    assert answered.is_last == (form == "end")


@given(pieces=pieces, cut=st.integers(0, 2000), is_chunked=st.booleans())
def test_what_is_cut_off_is_never_an_answer(
    pieces: list[bytes], cut: int, is_chunked: bool
) -> None:
    body = b"".join(pieces)
    told = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(body)
    sent = chunked(pieces, b"", b"") if is_chunked else body
    wire = b"HTTP/1.1 200 OK\r\n%s\r\n\r\n%s" % (told, sent)
    with pytest.raises(CutOff):
        read(wire[: cut % len(wire)], ends=True)


@given(st.binary(max_size=200), cuts)
def test_no_bytes_break_it(wire: bytes, cuts: list[int]) -> None:
    with contextlib.suppress(NotHttp, CutOff):
        read(b"HTTP/1.1 200 OK\r\n" + wire, cuts, ends=True)


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab",
    ],
)
def test_what_could_be_read_in_two_ways_is_none(wire: bytes) -> None:
    with pytest.raises(NotHttp):
        read(wire)


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MOST_HEAD + 99),
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST + 1),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MOST + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n" % (MOST + 1)
        + b"x" * (MOST + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * (MOST_HEAD + 99),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * (MOST_HEAD + 99),
    ],
)
def test_what_does_not_end_is_given_up(wire: bytes) -> None:
    with pytest.raises(TooMuch):
        read(wire, list(range(0, len(wire), 50_000)))


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_what_was_compressed_unasked_is_opened_but_never_without_end(
    coding: str, pack: type[bytes]
) -> None:
    def packed(body: bytes) -> bytes:
        sent = pack(body)
        told = f"Content-Encoding: {coding}\r\nContent-Length: {len(sent)}"
        return b"HTTP/1.1 200 OK\r\n" + told.encode() + b"\r\n\r\n" + sent

    answered = read(packed(b"[[A]]" * 999))
    assert answered is not None
    assert answered.content == b"[[A]]" * 999
    with pytest.raises(TooMuch):
        read(packed(bytes(MOST + 1)))
    with pytest.raises(NotHttp):
        read(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n"
             + gzip.compress(b"x" * 999)[:20])  # fmt: skip


@pytest.mark.parametrize(
    ("wire", "is_last"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", False),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{} and more", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nmore", True),
    ],
)
def test_whether_the_connection_can_be_used_again(wire: bytes, is_last: bool) -> None:
    answered = read(wire)
    assert answered is not None
    assert (answered.content, answered.is_last) == (b"{}", is_last)

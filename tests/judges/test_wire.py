"""Connections to a server: used again while they are good, and given up in time."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from judges.http_reading import CutOff, NotHttp
from judges.wire import NotReached, Wire

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Serves = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serves, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    at_work: set[asyncio.Task[None]] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at_work.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone
        finally:
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for task in at_work:
        task.cancel()
    await asyncio.gather(*at_work, return_exceptions=True)
    await asyncio.sleep(0.01)  # in which their connections are closed


def wire_to(port: int, *, timeout: float = 5.0, kept_alive: float = 4.0, tls: bool = False) -> Wire:
    return Wire(
        f"http{'s' * tls}://localhost:{port}/v1",
        {"Authorization": "Bearer 100%"},
        timeout=timeout,
        connecting=5.0,
        kept_alive=kept_alive,
        most=2**20,
    )


async def request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(
        int(head.lower().split(b"content-length: ")[1].split()[0])
    )


class Answering:
    """A server that answers each request, and counts connections."""

    def __init__(self, answer: bytes = FINE, *, per_connection: int = 10**6) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._answer = answer
        self._most = per_connection

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for _ in range(self._most):
            self.requests.append(await request(reader))
            writer.write(self._answer)


async def test_what_is_sent_is_what_http_wants() -> None:
    answering = Answering()
    async with serving(answering) as port:
        wire = wire_to(port)
        answered = await wire.post("/chat/completions", b"body")
        await wire.close()
    head, _, body = answering.requests[0].decode().partition("\r\n\r\n")
    first, *headers = head.split("\r\n")
    assert first == "POST /v1/chat/completions HTTP/1.1"
    assert sorted(headers) == sorted(
        [f"Host: localhost:{port}", "Authorization: Bearer 100%", "Content-Length: 4"]
    )
    assert (body, answered.status, answered.content) == ("body", 200, b"{}")


async def test_requests_one_after_another_share_a_connection_and_those_at_once_do_not() -> None:
    answering = Answering()
    async with serving(answering) as port:
        wire = wire_to(port)
        for _ in range(5):
            await wire.post("/x", b"")
        assert answering.connections == 1
        await asyncio.gather(*(wire.post("/x", b"") for _ in range(5)))
        assert answering.connections == 5
        await wire.close()


async def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    answering = Answering(per_connection=1)
    async with serving(answering) as port:
        wire = wire_to(port)
        for number in range(1, 4):
            await wire.post("/x", b"")
            await asyncio.sleep(0.05)
            assert answering.connections == number
        await wire.close()


async def test_a_connection_that_lay_idle_too_long_is_not_used_again() -> None:
    answering = Answering()
    async with serving(answering) as port:
        wire = wire_to(port, kept_alive=0.05)
        await wire.post("/x", b"")
        await asyncio.sleep(0.1)
        await wire.post("/x", b"")
        assert answering.connections == 2
        await wire.close()


@pytest.mark.parametrize(
    "answer", [FINE + b"more", FINE.replace(b"OK", b"OK\r\nConnection: close")]
)
async def test_a_connection_with_something_left_in_it_is_not_used_again(answer: bytes) -> None:
    answering = Answering(answer)
    async with serving(answering) as port:
        wire = wire_to(port)
        for _ in range(3):
            assert (await wire.post("/x", b"")).content == b"{}"
        assert answering.connections == 3
        await wire.close()


async def test_a_time_out_counts_from_each_request() -> None:
    """One timer serves a connection's requests; an earlier one's must not end a later one."""

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for wait in (0.15, 0.15, 0.15, 9.0):
            await request(reader)
            await asyncio.sleep(wait)
            writer.write(FINE)

    async with serving(slowly) as port:
        wire = wire_to(port, timeout=0.25)
        for _ in range(3):
            assert (await wire.post("/x", b"")).status == 200
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            await wire.post("/x", b"")
        assert 0.2 < asyncio.get_running_loop().time() - began < 2
        await wire.close()


async def test_a_call_that_is_cancelled_leaves_no_answer_to_the_next() -> None:
    answers = iter([b"first", b"second"])

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        answer = next(answers)
        await asyncio.sleep(0.1 if answer == b"first" else 0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))

    async with serving(late) as port:
        wire = wire_to(port)
        call = asyncio.create_task(wire.post("/x", b""))
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await wire.post("/x", b"")).content == b"second"
        await wire.close()


@pytest.mark.parametrize(
    ("answer", "kind"), [(b"", CutOff), (FINE[:-1], CutOff), (b"SSH-2.0-x\r\n", NotHttp)]
)
async def test_what_is_no_answer_says_so(answer: bytes, kind: type[Exception]) -> None:
    async with serving(Answering(answer, per_connection=1)) as port:
        wire = wire_to(port)
        with pytest.raises(kind):
            await wire.post("/x", b"")
        await wire.close()


async def test_a_server_whose_name_nobody_knows_is_not_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look_up(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for host in ("nobody.invalid", "é" * 70):
        wire = Wire(f"http://{host}/v1", {}, timeout=9, connecting=5, kept_alive=4, most=9)
        with pytest.raises(NotReached, match="not known"):
            await wire.post("/x", b"")
        await wire.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost that nobody vouches for but itself, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here to make a certificate")
    path = tmp_path / "both.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    subprocess.run(
        ["openssl", *words.split(), "subjectAltName=DNS:localhost", "-keyout", path, "-out",
         tmp_path / "cert.pem"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    with path.open("ab") as both:
        both.write((tmp_path / "cert.pem").read_bytes())
    return path


async def test_a_certificate_is_believed_only_if_somebody_vouches_for_it(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with serving(Answering(), tls) as port:
        wire = wire_to(port, tls=True)
        with pytest.raises(NotReached, match="certificate"):
            await wire.post("/x", b"")
        await wire.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        for host, is_meant in (("localhost", True), ("127.0.0.1", False)):
            root = f"https://{host}:{port}/v1"
            wire = Wire(root, {}, timeout=9, connecting=5, kept_alive=4, most=99)
            if is_meant:
                assert (await wire.post("/x", b"")).content == b"{}"
            else:
                with pytest.raises(NotReached, match="certificate"):
                    await wire.post("/x", b"")
            await wire.close()

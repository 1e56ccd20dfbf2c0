"""A real sshd on loopback with its own keys and configuration, and a slow line to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from pwd import getpwuid
from types import TracebackType
from typing import Self

from tests.processes import children, processes
from tests.terminal import ROOT, Terminal, terminal
from tests.waiting import PATIENCE

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where sshd may lie though nobody but root has it on the path."""

PERMISSIVE = """
AcceptEnv *
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
AllowAgentForwarding yes
X11Forwarding yes
PermitTunnel yes
GatewayPorts yes
Subsystem sftp internal-sftp
LogLevel VERBOSE
"""
"""As much as an sshd can let through: what is refused then, something else refuses."""

MINDFUL = """
MaxStartups 200
ClientAliveInterval 1
ClientAliveCountMax 2
UnusedConnectionTimeout 2
"""
"""Lets many in at a time, and soon ends what is dead or unused."""


class CannotStart(RuntimeError):
    """There is no sshd here that takes this configuration."""


def missing() -> str:
    """Why no sshd can be started here; empty if one can."""
    absent = [name for name in ("sshd", "ssh", "ssh-keygen") if _which(name) is None]
    if absent:
        return f"no {' and no '.join(absent)} on this machine"
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        return "sshd wants /run/sshd, which is not there"
    return ""


class Sshd:
    """An sshd of one's own, for as long as the context lasts.

    It listens on loopback alone, on a port that was free, and lets in nobody but the holders of
    keys that :meth:`authorize` was given, as the user who runs this.

    Args:
        folder: for its keys and files; nothing is written anywhere else.
        config: further lines of its configuration, which win over those here.

    The account that logs in is the one that the tests run as; no test makes accounts. So this shows
    nothing about a home that cannot be written, nor about the rights of an unprivileged account.

    Attributes:
        python: an interpreter that finds this checkout even when isolated.
    """

    def __init__(self, folder: Path, *, config: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.user = getpwuid(os.geteuid()).pw_name
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What sshd said so far."""
        return (self.folder / "sshd.log").read_text("utf-8", "replace")

    def __enter__(self) -> Self:
        if reason := missing():
            raise CannotStart(reason)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.python = interpreter(self.folder / "venv")
        host = self.new_key("host")
        (self.folder / "known_hosts").write_text(
            f"[127.0.0.1]:* {host.with_suffix('.pub').read_text()}"
        )
        self.authorize()
        config = self.folder / "sshd_config"
        # Of two lines for one thing, sshd takes the first.
        config.write_text(
            f"{self._config}\n"
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {host}\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPrintMotd no\n"
            "PermitRootLogin prohibit-password\nPrintLastLog no\n"
        )
        sshd = _found("sshd")
        tried = subprocess.run([sshd, "-t", "-f", config], capture_output=True, text=True)
        if tried.returncode:
            raise CannotStart(f"sshd does not start here: {tried.stderr.strip()[:200]}")
        with (self.folder / "sshd.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sshd, "-D", "-e", "-f", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(PATIENCE)

    @property
    def host(self) -> str:
        """Whom to log in as, and where, as clients take it."""
        return f"{self.user}@127.0.0.1"

    def sessions(self) -> dict[int, str]:
        """The voting processes that logins have started here and that still run, by their keys."""
        found = {}
        for pid, line in processes():
            words = line.decode("utf-8", "replace").split("\0")
            if "session" in words and "--key" in words and words[0].startswith(str(self.folder)):
                found[pid] = words[words.index("--key") + 1]
        return found

    def connections(self) -> list[int]:
        """The processes of this sshd's that each serve a connection."""
        assert self._process is not None
        return children(self._process.pid)

    def new_key(self, name: str) -> Path:
        """Make a key pair; the path of the private one, beside which lies ``.pub``."""
        path = self.folder / name
        subprocess.run(
            [_found("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        return path

    def authorize(self, *lines: str) -> None:
        """Let in whoever holds one of these keys, as lines of an ``authorized_keys`` file."""
        path = self.folder / "authorized_keys"
        path.write_text("".join(f"{line.rstrip()}\n" for line in lines))
        path.chmod(0o600)

    def client(
        self, key: Path, *options: str, program: str = "ssh", port: int | None = None
    ) -> list[str]:
        """The words of a client's command line, up to the host.

        Args:
            program: ssh, or sftp or scp, which take the same options.
            port: of a :class:`Relay`, instead of this sshd's own.
        """
        settings = {
            "Port": port or self.port,
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityFile": key,
            "UserKnownHostsFile": self.folder / "known_hosts",
            "GlobalKnownHostsFile": "none",
            "StrictHostKeyChecking": "yes",
            "HostKeyAlgorithms": "ssh-ed25519",
            "LogLevel": "ERROR",
        }
        said = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        return [_found(program), "-F", "none", *said, *options]

    def command(
        self,
        key: Path,
        *words: str,
        pty: bool = True,
        port: int | None = None,
        options: Sequence[str] = (),
    ) -> list[str]:
        """The client's command line.

        Args:
            words: what to run there; a forced command runs instead, if there is one.
            port: of a :class:`Relay`, instead of this sshd's own.
            options: further options, such as ``-o SendEnv=COLORTERM``.
        """
        how = ["-tt"] if pty else []
        return [*self.client(key, *how, *options, port=port), self.host, *words]

    def run(
        self,
        key: Path,
        *words: str,
        options: Sequence[str] = (),
        seconds: float = PATIENCE,
    ) -> subprocess.CompletedProcess[str]:
        """A client without a terminal: what it said, and its exit code."""
        return subprocess.run(
            self.command(key, *words, pty=False, options=options),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
        )

    def connect(
        self,
        key: Path,
        *words: str,
        pty: bool = True,
        port: int | None = None,
        options: Sequence[str] = (),
        columns: int = 80,
        rows: int = 24,
        term: str = "xterm-256color",
        environment: Mapping[str, str] | None = None,
    ) -> AbstractContextManager[Terminal]:
        """Log in from a terminal of that size; see :meth:`command` for the rest."""
        client = self.command(key, *words, pty=pty, port=port, options=options)
        return terminal(
            command=client, columns=columns, rows=rows, term=term, environment=environment
        )

    def _wait(self) -> None:
        """Until it listens."""
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        self._process.kill()
        self._process.wait()
        raise CannotStart(f"sshd did not start:\n{self.log}")


class Relay:
    """A line to a port of loopback that takes so many seconds there and back.

    What is sent arrives in order, whole, half of ``round_trip`` later; there is no limit to how
    much is under way.
    """

    def __init__(self, port: int, round_trip: float = 0.0) -> None:
        self.port = 0
        self._target = port
        self._delay = round_trip / 2
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._lines: list[_Line] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE), "the relay did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)

    def cut(self) -> None:
        """Reset every connection there is, on both sides; new ones are carried."""
        self._on_each(_Line.cut)

    def freeze(self) -> None:
        """Read nothing more from any connection there is, and close none; new ones are carried."""
        self._on_each(_Line.freeze)

    def _on_each(self, act: Callable[[_Line], None]) -> None:
        def act_in_the_loop() -> None:
            for line in self._lines:
                act(line)

        self._loop.call_soon_threadsafe(act_in_the_loop)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        line = _Line((writer, back))
        self._lines.append(line)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(
                self._one_way(line, reader, back), self._one_way(line, there, writer)
            )
        for end in line.ends:
            end.close()

    async def _one_way(
        self, line: _Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                if not data:
                    writer.close()
                    return
                writer.write(data)
                await writer.drain()

        arriving = asyncio.create_task(arrive())
        data = b" "
        while data:
            data = await reader.read(1 << 16)
            await line.flows.wait()
            under_way.put_nowait((self._loop.time() + self._delay, data))
        await arriving


class _Line:
    """One connection through a :class:`Relay`."""

    def __init__(self, ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        self.ends = ends
        self.flows = asyncio.Event()
        self.flows.set()

    def cut(self) -> None:
        for end in self.ends:
            end.transport.abort()

    def freeze(self) -> None:
        self.flows.clear()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _which(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SBIN)


def _found(name: str) -> str:
    path = _which(name)
    assert path is not None, name
    return path


def authorized(key: Path, *options: str) -> str:
    """A line for :meth:`Sshd.authorize`: a public key and what it may do, such as ``restrict``."""
    public = key.with_suffix(".pub").read_text().strip()
    return " ".join(filter(None, (",".join(options), public)))


def interpreter(folder: Path) -> Path:
    """A virtual environment that holds this checkout before what is installed."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (packages / "checkout.pth").write_text(f"{ROOT}\n{sysconfig.get_paths()['purelib']}\n")
    (folder / "bin").mkdir()
    python = folder / "bin" / "python"
    real = Path(sys.executable).resolve()
    python.symlink_to(real)
    (folder / "pyvenv.cfg").write_text(f"home = {real.parent}\n")
    return python

"""A real sshd on the loopback, real keys and real ssh clients, for tests.

It is as permissive as an sshd can be: forwarding of every kind is on, every variable of a client is
accepted. What is still refused is refused by the key's own line and by what it runs.

The account that logs in is the one that the tests run as; no test makes accounts. So this shows
nothing about a home that cannot be written, nor about the rights of an unprivileged account.
"""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from pwd import getpwuid

import pytest

from tests.terminal import ROOT, Terminal

_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AcceptEnv *
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
AllowAgentForwarding yes
X11Forwarding yes
PermitTunnel yes
GatewayPorts yes
MaxStartups 100
ClientAliveInterval 1
ClientAliveCountMax 2
UnusedConnectionTimeout 2
Subsystem sftp internal-sftp
LogLevel VERBOSE
"""


class Sshd:
    """One sshd, and the keys that were made for it.

    Attributes:
        python: an interpreter that finds this checkout even when isolated.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.python = interpreter(folder / "venv")
        self.user = getpwuid(os.getuid()).pw_name
        self._process: subprocess.Popen[bytes] | None = None
        self.make_key("host_key")

    def make_key(self, name: str, *options: str) -> Path:
        """A new key pair; the private half's path."""
        path = self.folder / name
        kind = options or ("-t", "ed25519")
        command = ["ssh-keygen", "-q", *kind, "-N", "", "-C", f"{name}@test", "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return path

    def authorize(self, lines: str) -> None:
        """Take these authorized_keys lines from now on."""
        (self.folder / "authorized_keys").write_text(lines)

    def start(self) -> None:
        sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        if sshd is None or shutil.which("ssh") is None:
            pytest.skip("there is no OpenSSH server and client here")
        config = self.folder / "sshd_config"
        config.write_text(_CONFIG.format(port=self.port, folder=self.folder))
        self.authorize("")
        tried = subprocess.run([sshd, "-t", "-f", config], capture_output=True, text=True)
        if tried.returncode:
            pytest.skip(f"sshd does not start here: {tried.stderr.strip()[:200]}")
        with (self.folder / "sshd.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sshd, "-D", "-e", "-f", config], stdin=subprocess.DEVNULL, stderr=log
            )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.02)
        raise AssertionError((self.folder / "sshd.log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def ssh(self, key: Path, *options: str, program: str = "ssh") -> list[str]:
        """The words of a client's command, up to the host."""
        port = "-p" if program == "ssh" else "-P"
        settings = {
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": str(self.folder / "known_hosts"),
            "BatchMode": "yes",
            "LogLevel": "ERROR",
        }
        given = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return [program, "-F", "none", port, str(self.port), "-i", str(key), *given, *options]

    @property
    def host(self) -> str:
        return f"{self.user}@127.0.0.1"

    def run(
        self,
        key: Path,
        *words: str,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        seconds: float = 20,
    ) -> subprocess.CompletedProcess[str]:
        """A client without a terminal: what it said, and its exit code."""
        return subprocess.run(
            [*self.ssh(key, *options), self.host, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **(environment or {})},
        )

    @contextmanager
    def login(
        self,
        key: Path,
        *words: str,
        options: Sequence[str] = (),
        term: str = "xterm-256color",
        size: tuple[int, int] = (120, 40),
        environment: Mapping[str, str] | None = None,
    ) -> Iterator[Terminal]:
        """A client in a terminal of its own; ``size`` is columns and rows."""
        columns, rows = size
        command = [*self.ssh(key, "-t", *options), self.host, *words]
        variables = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TERM": term}
        with in_pty(command, {**variables, **(environment or {})}, columns, rows) as client:
            yield client

    def sessions(self) -> list[int]:
        """The processes that a login with a key has started here and that still run."""
        marks = (str(self.folder).encode(), b"session", b"--key")
        return [pid for pid, words in processes() if all(mark in words for mark in marks)]


@contextmanager
def in_pty(
    command: Sequence[str], environment: Mapping[str, str], columns: int, rows: int
) -> Iterator[Terminal]:
    """Run a command in a pty of that size."""
    pid, master = pty.fork()
    if pid == 0:
        time.sleep(0.02)  # the size is there before anybody asks for it
        os.execvpe(command[0], list(command), dict(environment))
    ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    one = Terminal(pid, master, min(columns, 300), min(rows, 100))
    try:
        yield one
    finally:
        if not one.ended():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(master)


def processes() -> Iterator[tuple[int, bytes]]:
    """Every process that can be seen, with the words that started it."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes()


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()]


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


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])

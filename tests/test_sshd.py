"""The harness itself: a login through a real sshd, and a line as slow as it was told to be."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.sshd import Relay, Sshd, authorized, missing
from tests.terminal import ROOT
from tests.waiting import PATIENCE

needs_sshd = pytest.mark.skipif(bool(missing()), reason=missing() or "sshd is here")


@needs_sshd
def test_a_key_runs_its_forced_command_in_a_terminal(tmp_path: Path) -> None:
    with Sshd(tmp_path) as sshd:
        ann, eve = sshd.new_key("ann"), sshd.new_key("eve")
        sshd.authorize(authorized(ann, "restrict", "pty", 'command="stty size; echo $TERM"'))
        with sshd.connect(ann, "rm", "-rf", columns=91, rows=17, term="vt100") as seat:
            assert seat.wait() == 0
            seat.drain()
            assert "17 91" in seat.text()
            assert "vt100" in seat.text()
        denied = subprocess.run(sshd.command(eve, pty=False), capture_output=True, text=True)
        assert denied.returncode == 255
        assert "Permission denied" in denied.stderr


@needs_sshd
def test_further_configuration_wins(tmp_path: Path) -> None:
    with Sshd(tmp_path, config="ForceCommand echo forced") as sshd:
        ann = sshd.new_key("ann")
        sshd.authorize(authorized(ann))
        said = subprocess.check_output(sshd.command(ann, "echo", "asked", pty=False), text=True)
        assert said == "forced\n"


@pytest.mark.parametrize("round_trip", [0.0, 0.12])
def test_a_relay_takes_its_time_and_keeps_the_order(round_trip: float) -> None:
    def echo() -> None:
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(1 << 16):
                connection.sendall(data)

    sent = bytes(range(256)) * 2000
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=echo, daemon=True).start()
        with (
            Relay(server.getsockname()[1], round_trip) as relay,
            socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE) as line,
        ):
            least = 60.0
            for _ in range(20):
                began = time.perf_counter()
                line.sendall(b"?")
                assert line.recv(1) == b"?"
                took = time.perf_counter() - began
                assert took >= round_trip
                least = min(least, took)
                if least < round_trip + 0.1:
                    break
            assert least < round_trip + 0.5
            threading.Thread(target=line.sendall, args=(sent,), daemon=True).start()
            got = b""
            while len(got) < len(sent):
                got += line.recv(1 << 16)
            assert got == sent


def _exchange(relay: Relay, server: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection through a relay that carries what is sent."""
    ours = socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE)
    theirs, _ = server.accept()
    theirs.settimeout(PATIENCE)
    ours.sendall(b"hello")
    assert theirs.recv(5) == b"hello"
    theirs.sendall(b"there")
    assert ours.recv(5) == b"there"
    return ours, theirs


def test_a_relay_cuts_what_it_carries_and_nothing_later() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Relay(server.getsockname()[1]) as relay,
    ):
        ours, theirs = _exchange(relay, server)
        relay.cut()
        for end in (ours, theirs):
            with end:
                assert _is_over(end)
        for end in _exchange(relay, server):
            end.close()


def _is_over(end: socket.socket) -> bool:
    try:
        return end.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_frozen_relay_is_half_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Relay(server.getsockname()[1]) as relay,
    ):
        ours, theirs = _exchange(relay, server)
        relay.freeze()
        theirs.settimeout(1)
        ours.sendall(b"lost")
        with pytest.raises(TimeoutError):
            theirs.recv(1)
        ours.close()
        with pytest.raises(TimeoutError):
            theirs.recv(1)
        theirs.close()
        for end in _exchange(relay, server):
            end.close()


@needs_sshd
@pytest.mark.slow
def test_a_frozen_client_is_let_go_within_the_minute_that_the_documentation_says(
    tmp_path: Path,
) -> None:
    text = (ROOT / "docs" / "ssh.md").read_text("utf-8")
    config = "\n".join(re.findall(r"^ +(ClientAlive\w+ \d+)$", text, re.MULTILINE))
    assert config.count("\n") == 1
    with Sshd(tmp_path, config=config) as sshd:
        ann = sshd.new_key("ann")
        sshd.authorize(authorized(ann, "restrict", "pty", 'command="echo here; exec sleep 600"'))
        with sshd.connect(ann) as seat:
            seat.shows("here")
            began = time.monotonic()
            seat.kill(signal.SIGSTOP)
            while sshd.connections():
                assert time.monotonic() - began < 75, "a minute, and what a busy machine takes"
                time.sleep(0.1)

"""What every test stands on: no network but loopback, no study named from outside."""

from __future__ import annotations

import gc
import ipaddress
import os
import socket
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import db.connection
from db.schema import upgrade
from tests.resting import screens_at_rest

# A slow machine is no failure; and where a change is judged, the same change is judged alike.
# Sixty examples where a test says nothing else: of what fails, most does within a few.
settings.register_profile(
    "everywhere",
    deadline=None,
    max_examples=60,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("everywhere")


class NetworkBlocked(RuntimeError):
    """A test tried to reach something other than this machine."""


def _is_here(address: Any) -> bool:
    if not isinstance(address, tuple):  # a Unix socket's path
        return True
    host = str(address[0])
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuse every connection and look-up that leaves the loopback."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    look_up = socket.getaddrinfo

    def checked_connect(self: socket.socket, address: Any) -> None:
        if not _is_here(address):
            raise NetworkBlocked(f"a test connects to {address}")
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:
        if not _is_here(address):
            raise NetworkBlocked(f"a test connects to {address}")
        return connect_ex(self, address)

    def checked_look_up(host: Any, *arguments: Any, **named: Any) -> Any:
        if host is not None and not _is_here((host.decode() if isinstance(host, bytes) else host,)):
            raise NetworkBlocked(f"a test looks up {host!r}")
        return look_up(host, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", checked_connect)
        patch.setattr(socket.socket, "connect_ex", checked_connect_ex)
        patch.setattr(socket, "getaddrinfo", checked_look_up)
        yield


@pytest.fixture(autouse=True)
def no_study_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study named in the environment must not be written to by a test."""
    monkeypatch.delenv("TIEBREAK_DB", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for setting in ("SETTINGS", "THEME", "LAYOUT"):
        monkeypatch.delenv(f"TIEBREAK_{setting}", raising=False)


@pytest.fixture(autouse=True, scope="session")
def studies_from_a_template() -> Iterator[None]:
    """Fill a new study from one that the migrations made once: they take a while.

    Whatever else starts a study migrates it: other processes, and who asks ``upgrade`` itself.
    """
    with closing(
        sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    ) as made:
        upgrade(made)

        def filled(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                upgrade(connection)
            else:
                made.backup(connection)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(db.connection, "upgrade", filled)
            yield


@pytest.fixture(autouse=True, scope="session")
def pilots_wait_for_the_screen() -> Iterator[None]:
    """A busy machine is no quiet screen."""
    with screens_at_rest():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from what stays to the end: modules and tests, and not garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()

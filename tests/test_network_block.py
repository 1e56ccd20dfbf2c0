"""The block that keeps the tests on this machine does block."""

from __future__ import annotations

import socket

import pytest

from tests.conftest import NetworkBlocked


def test_the_outside_is_refused_and_loopback_is_not() -> None:
    with socket.socket() as outside, pytest.raises(NetworkBlocked):
        outside.connect(("192.0.2.1", 80))
    with pytest.raises(NetworkBlocked):
        socket.getaddrinfo("example.org", 80)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as here:
        here.connect(server.getsockname())

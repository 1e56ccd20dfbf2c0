"""A vote through a real sshd on a slow line: one round trip, and what it costs here."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from tests.benchmarks.keys import BARE, Measured, ours, painted, press
from tests.benchmarks.measure import Row, make_study, markdown
from tests.sshd import Relay, Sshd, authorized, missing
from tests.terminal import ROOT, Terminal

SIZE = (120, 40)
LENGTH = 20_000
ROUND_TRIPS = (0, 80, 300)
"""Milliseconds."""

VOTES = 30


def rows() -> Iterator[Row]:
    """The rows of the table; none, with the reason, where there is no sshd."""
    if reason := missing():
        print(f"ssh: left out, {reason}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        study = make_study(folder / "ssh.db", 40, LENGTH, body=markdown)
        sshd = stack.enter_context(Sshd(folder / "sshd"))
        keys = {who: sshd.new_key(who) for who in ("ours", "bare")}
        sshd.authorize(
            *(
                authorized(keys[who], "restrict", "pty", f'command="{_there(python)}"')
                for who, python in {"ours": ours(study), "bare": BARE}.items()
            )
        )
        relays = [stack.enter_context(Relay(sshd.port, ms / 1e3)) for ms in ROUND_TRIPS]
        opened: dict[str, AbstractContextManager[Terminal]] = {
            f"{who} {ms}": sshd.connect(key, port=relay.port, columns=SIZE[0], rows=SIZE[1])
            for ms, relay in zip(ROUND_TRIPS, relays, strict=True)
            for who, key in keys.items()
        }
        yield from _compared(press(stack.enter_context(painted(opened)), "1", VOTES))


def _there(python: tuple[str, ...]) -> str:
    """A command line for the far side; nobody's own settings are read."""
    run = shlex.join([sys.executable, *python])
    return f"cd {shlex.quote(str(ROOT))} && XDG_CONFIG_HOME=/dev/null exec {run}"


def _compared(votes: dict[str, Measured]) -> Iterator[Row]:
    at_once = votes["ours 0"].milliseconds
    for ms in ROUND_TRIPS:
        mine, theirs = votes[f"ours {ms}"].milliseconds, votes[f"bare {ms}"].milliseconds
        trip = f"vote over ssh, {ms} ms away"
        less = f", less {ms} ms" if ms else ""
        for place, quantile in enumerate(("p50", "p95")):
            here, there = mine[place] - ms, theirs[place] - ms
            yield Row(f"{trip}, {quantile}{less}", here, there, "ms", "bare, the same")
            if ms:
                yield Row(f"{trip}, {quantile}{less}", here, at_once[place], "ms", "ours, 0 ms")

"""The stub in a thread of its own, for tests of commands, which have their own loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.judges.stub_server import Request, Scripted, StubServer
from tests.waiting import PATIENCE


@contextmanager
def serving(answer: Callable[[Request], Scripted]) -> Iterator[StubServer]:
    """A stub that answers while other code blocks this thread."""
    loop = asyncio.new_event_loop()
    stub = StubServer(answer)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(stub.__aenter__(), loop).result(PATIENCE)
        yield stub
    finally:
        asyncio.run_coroutine_threadsafe(stub.__aexit__(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()

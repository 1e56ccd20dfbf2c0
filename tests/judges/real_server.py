"""A real OpenAI-compatible server in a process of its own: llama.cpp with a tiny random model.

    python -m tests.judges.real_server MODEL.gguf

The first line on standard output is its API root; it ends when its standard input does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from tests.judges.tiny_llama import CONTEXT, write_model
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
MODEL = "tiny"


@contextmanager
def real_server(folder: Path) -> Iterator[str]:
    """The API root of a server whose model is made in a folder."""
    model = folder / "tiny.gguf"
    write_model(model)
    command = [sys.executable, "-m", "tests.judges.real_server", str(model)]
    log = folder / "server.log"
    with (
        log.open("w") as said,
        Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=said, text=True) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), log.read_text()[-2000:]
        try:
            yield url
        finally:
            server.stdin.close()
            server.wait(PATIENCE)


def main(model: str) -> None:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {MODEL}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * CONTEXT
    parameters.cpuparams.n_threads = 1
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)
    sys.stdin.read()


SLOTS = 4
"""Calls that the server works on at once; each has the whole context."""

if __name__ == "__main__":
    main(sys.argv[1])

"""The arrows between the rooms hold: by the imports as written, and by what really loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("core", "db", "judges", "tui")

MAY_IMPORT = {
    "core": {"core", "numpy", "scipy", "pyarrow"},
    "db": {"db", "core", "sqlite_utils"},
    "judges": {"judges", "core", "openai", "httpx", "aiohttp", "uvloop"},
    "tui": {
        *ROOMS,
        "sample_data",
        "textual",
        "rich",
        "click",
        "markdown_it",
        "pygments",
        "platformdirs",
        "plotext",
    },
}
NOT_IN_CORE = {
    "sqlite3",
    "socket",
    "urllib",
    "http",
    "asyncio",
    "subprocess",
    "threading",
    "random",
}
"""Standard modules that would let SQL, the network, a clock or hidden chance into ``core``.

``random`` may be imported for its ``Random`` type alone, see :func:`test_core_takes_its_chance`.
"""


def imports_of(path: Path) -> set[str]:
    """Every top-level module that a file imports, anywhere in it, type-checking blocks too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written as the folders stand"
            found.add((node.module or "").split(".")[0])
    return found


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    assert files(room)
    standard = set(sys.stdlib_module_names)
    for path in files(room):
        strangers = imports_of(path) - standard - MAY_IMPORT[room]
        assert not strangers, f"{path.relative_to(ROOT)} imports {sorted(strangers)}"


def test_core_is_pure() -> None:
    for path in files("core"):
        impure = imports_of(path) & (NOT_IN_CORE - {"random"})
        assert not impure, f"{path.relative_to(ROOT)} imports {sorted(impure)}"


def test_core_takes_its_chance_and_time_from_outside() -> None:
    """Only ``random.Random`` may be named in core, and no clock may be read there."""
    clocks = {"now", "utcnow", "today", "time", "monotonic", "perf_counter", "uuid4", "urandom"}
    for path in files("core"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "random":
                assert {alias.name for alias in node.names} == {"Random"}, path
            if isinstance(node, ast.Import):
                assert "random" not in {alias.name for alias in node.names}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in clocks, f"{path}:{node.lineno} reads a clock"


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import core.records, core.blinding, core.sampling, core.gold", {"numpy", "sqlite3"}),
        ("import db.store", {"judges", "tui", "textual", "sqlite_utils", "numpy"}),
        (
            "import judges.runner, judges.client, judges.probing, judges.batch",
            {"db", "tui", "textual", "sqlite3", "openai", "aiohttp", "httpx"},
        ),
        (
            "import tui.cli",
            {"textual", "numpy", "scipy", "sqlite_utils", "openai", "httpx", "aiohttp"},
        ),
        (
            "import tui.cli, tui.app, tui.screens.annotate, db.store",
            {"numpy", "scipy", "sqlite_utils", "openai", "httpx", "aiohttp", "judges"},
        ),
    ],
)
def test_what_a_room_loads(statement: str, absent: set[str]) -> None:
    assert not loaded_by(statement) & absent


def test_the_voting_process_hashes_and_loops_without_openssl() -> None:
    statement = (
        "from tui import lean; lean.leave_out_tls()\n"
        "import tui.cli, tui.app, tui.screens.annotate, db.store, hashlib\n"
        "assert hashlib.sha256(b'abc').hexdigest().startswith('ba7816bf8f01cfea')"
    )
    assert not loaded_by(statement) & {"ssl", "_ssl", "_hashlib"}
    assert "ssl" in loaded_by(f"{statement}\nimport ssl")

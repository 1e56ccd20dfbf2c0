"""``python -m tests.benchmarks [PART]...`` prints the table; without a part, all of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator

from tests.benchmarks.measure import Row

PARTS = ("screen", "ssh", "storage", "history")


def _rows(parts: list[str]) -> Iterator[Row]:
    for part in parts:
        yield from importlib.import_module(f"tests.benchmarks.{part}").rows()


def main() -> None:
    parts = sys.argv[1:] or list(PARTS)
    header = f"{'what':50}{'ours':>12}{'baseline':>12}  {'unit':8}{'ratio':>7}  baseline"
    print(header)
    print("─" * len(header))
    for row in _rows(parts):
        print(
            f"{row.what:50}{row.ours:>12,.1f}{row.baseline:>12,.1f}  {row.unit:8}"
            f"{row.ratio:>7.2f}  {row.baseline_name}",
            flush=True,
        )


if __name__ == "__main__":
    main()

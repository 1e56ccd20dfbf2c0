"""``python -m tests.benchmarks [PART]...`` prints the table; without a part, all but the crowd."""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Iterator

from tests.benchmarks.measure import Row

PARTS = (
    "screen",
    "ssh",
    "storage",
    "history",
    "judging",
    "beside",
    "statistics",
    "dashboard",
    "adjudication",
)
ALONE = ("crowd",)
"""Those that take minutes and want the machine for themselves: only when they are named."""
FULLER = ("crowd", "judging")
"""Those that measure more with --full."""


SIZED = "statistics"
"""The part that --votes chooses the sizes of."""


def _rows(parts: list[str], full: bool, sizes: list[int] | None) -> Iterator[Row]:
    for part in parts:
        module = importlib.import_module(f"tests.benchmarks.{part}")
        if part == SIZED and sizes:
            yield from module.rows(sizes=sorted(sizes))
        else:
            yield from module.rows(full=full) if part in FULLER else module.rows()


def main() -> None:
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        # As the command has it. No numpy is there yet: every part is imported by its turn.
        os.environ.setdefault(variable, "1")
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join((*PARTS, *ALONE)))
    parser.add_argument(
        "--full",
        action="store_true",
        help="crowd: votes for five minutes; judging: memory over 100,000 verdicts",
    )
    parser.add_argument(
        "--votes",
        nargs="+",
        type=int,
        metavar="N",
        help="statistics: how many votes there are, for each table; the fewest are the baseline",
    )
    said = parser.parse_args()
    if unknown := set(said.parts) - {*PARTS, *ALONE}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    header = f"{'what':50}{'ours':>12}{'baseline':>12}  {'unit':8}{'ratio':>7}  baseline"
    print(header)
    print("─" * len(header))
    for row in _rows(said.parts or list(PARTS), said.full, said.votes):
        print(
            f"{row.what:50}{row.ours:>12,.1f}{row.baseline:>12,.1f}  {row.unit:8}"
            f"{row.ratio:>7.2f}  {row.baseline_name}",
            flush=True,
        )


if __name__ == "__main__":
    main()

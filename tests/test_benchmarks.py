"""The benchmarks can be started: what measures is used too seldom to be seen broken otherwise."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from tests.benchmarks.__main__ import ALONE, PARTS
from tests.terminal import ROOT


@pytest.mark.parametrize("part", [*PARTS, *ALONE])
def test_each_part_of_the_benchmarks_can_be_loaded(part: str) -> None:
    assert callable(importlib.import_module(f"tests.benchmarks.{part}").rows)


def test_the_peak_of_a_loop_is_its_own_and_not_what_started_it() -> None:
    """``make_study`` takes far more than what is measured, in the process that starts it."""
    started = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {_PEAK}"]
    lean = float(subprocess.run(started, capture_output=True, check=True).stdout)
    ours = bytearray(256 * 2**20)
    ours[::4096] = b"x" * len(ours[::4096])
    assert float(subprocess.run(started, capture_output=True, check=True).stdout) < lean + 64
    assert lean < 128


_PEAK = "from tests.benchmarks.judge_loops import peak; print(peak())"

"""The benchmarks can be started: what measures is used too seldom to be seen broken otherwise."""

from __future__ import annotations

import importlib

import pytest

from tests.benchmarks.__main__ import ALONE, PARTS


@pytest.mark.parametrize("part", [*PARTS, *ALONE])
def test_each_part_of_the_benchmarks_can_be_loaded(part: str) -> None:
    assert callable(importlib.import_module(f"tests.benchmarks.{part}").rows)

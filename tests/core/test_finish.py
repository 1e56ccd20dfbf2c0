"""When a study will be finished: the range holds where people come, go and take their time."""

from __future__ import annotations

import numpy as np
import pytest

from core.stats.finish import LEAST, WINDOW, finish


def test_an_even_pace_goes_on() -> None:
    finished = [60.0 * minute for minute in range(31)]
    found = finish(60, finished, 1800.0)
    assert found.per_hour == pytest.approx(60)
    assert found.hours == pytest.approx(1.0)
    assert found.low is not None
    assert found.high is not None
    assert 0.5 < found.low < 1 < found.high < 2
    assert (found.n, found.span, found.reason) == (30, 1800.0, "")


def test_silence_slows_the_pace() -> None:
    finished = [60.0 * minute for minute in range(31)]
    then, later = finish(60, finished, 1800.0), finish(60, finished, 3600.0)
    assert then.hours is not None
    assert later.hours == pytest.approx(2 * then.hours)


@pytest.mark.parametrize(
    ("left", "finished", "reason"),
    [
        (0, [1.0] * 100, "is there"),
        (5, [], "fewer than"),
        (5, [float(n) for n in range(LEAST)], "fewer than"),
    ],
)
def test_where_there_is_no_estimate_there_is_a_reason(
    left: int, finished: list[float], reason: str
) -> None:
    found = finish(left, finished, 100.0)
    assert (found.hours, found.low, found.high, found.per_hour) == (None,) * 4
    assert reason in found.reason


def arrivals(rng: np.random.Generator, until: float, people: int, each: float) -> np.ndarray:
    """When people finish pairs who work in spells, each pair with its own length."""
    times: list[float] = []
    for _ in range(people):
        now = float(rng.uniform(-600, 600))
        while now < until:
            spell = now + rng.exponential(3600)
            while now < spell:
                now += float(rng.gamma(2, each / 2))
                times.append(now)
            now += float(rng.exponential(300))
    return np.sort([at for at in times if at >= 0])


@pytest.mark.slow
@pytest.mark.parametrize("people", [1, 5, 20])
def test_the_range_holds_the_end_that_comes(people: int) -> None:
    """Nominal 95%; docs/statistics.md says what was measured."""
    rng, held, studies = np.random.default_rng(people), 0, 600
    for _ in range(studies):
        times = arrivals(rng, 8 * 3600, people, 90)
        past, future = times[times <= WINDOW], times[times > WINDOW]
        left = 20 * people
        found = finish(left, past.tolist(), WINDOW)
        if found.low is None or found.high is None:
            studies -= 1
            continue
        hours = (future[left - 1] - WINDOW) / 3600
        held += found.low <= hours <= found.high
    print(f"{people} people: {held} of {studies}")
    assert held / studies >= 0.90

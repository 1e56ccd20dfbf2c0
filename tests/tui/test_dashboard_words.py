"""The words beside an agreement on the lead's screen."""

from __future__ import annotations

import pytest

from core.stats.results import Estimate, Label, Result
from tui.dashboard.pages import PAGES, Seen
from tui.dashboard.rows import Numbers

(AGREEMENT,) = (page for page in PAGES if page.id == "agreement")


def agreed(one: str, two: str, value: float, low: float, high: float) -> Estimate:
    labels: dict[str, Label] = {"turn": 1, "setup": "S1", "rater_1": one, "rater_2": two}
    return Estimate(labels, value, low, high, 0.95, n=900, chance=1 / 3)


def page(low: float | None, high: float | None) -> str:
    """A judge whose interval overlaps that of people, with a difference to them on their items."""
    rows = (
        agreed("human", "human", 0.630, 0.581, 0.680),
        agreed("judge", "human", 0.575, 0.543, 0.606),
    )
    labels: dict[str, Label] = {
        "turn": 1,
        "setup": "S1",
        "rater": "judge",
        "against": "each other",
        "measure": "difference",
    }
    level = None if low is None else 0.95
    over = Estimate(labels, -0.054, low, high, level, n=700, unit="difference")
    names = ("turn", "setup", "rater_1", "rater_2")
    results = [
        Result("agreement", "Agreement", "", names, rows),
        Result("added", "Added", "", tuple(labels), (over,)),
    ]
    shown = AGREEMENT.rows(Seen(Numbers(results)), 120)
    return "\n".join(row.text for row in shown[: [row.text for row in shown].index("")])


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.107, -0.002, "< people"),
        (-0.110, 0.002, "= people"),
        (0.001, 0.100, "> people"),
        (None, None, "> chance"),
    ],
)
def test_people_are_called_equal_by_the_paired_difference(
    low: float | None, high: float | None, word: str
) -> None:
    shown = page(low, high)
    assert word in shown
    others = {"< people", "= people", "> people"} - {word}
    assert not any(other in shown for other in others)

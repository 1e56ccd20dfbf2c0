"""The numbers a lead reads: counts in memory, statistics found by their decorator.

>>> tally = Tally()
>>> [result.id for result in compute(tally, only={"coverage"})]
['coverage']
"""

from __future__ import annotations

from core.stats.options import Options
from core.stats.registry import Statistic, compute, registered, statistic
from core.stats.results import Estimate, Result
from core.stats.tally import Tally

__all__ = [
    "Estimate",
    "Options",
    "Result",
    "Statistic",
    "Tally",
    "compute",
    "registered",
    "statistic",
]

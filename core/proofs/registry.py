"""The seam for proofs: a module in this folder that registers one for a statistic is found.

A new statistic's proof is a few lines, in a new file or an old one::

    register(
        Proof("my_id", oracles=(Oracle("counted one by one", my_slow_reading),)),
    )

Coverage needs no lines: every interval of every statistic is tried on the same made-up studies.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from core.proofs.world import OPTIONS, Study, draw
from core.stats.registry import compute, registered
from core.stats.results import Estimate, Label

Compared = Iterable[tuple[float, float]]
"""Numbers of ours, each with what the oracle says."""


class Rows:
    """A statistic's rows on one made-up study, found by their labels."""

    def __init__(self, rows: Iterable[Estimate]) -> None:
        self._rows = tuple(rows)

    def every(self, **labels: Label) -> tuple[Estimate, ...]:
        """The rows with these labels that have a value."""
        return tuple(
            row
            for row in self._rows
            if row.value is not None and labels.items() <= dict(row.labels).items()
        )

    def value(self, **labels: Label) -> float:
        """The value of the one row with these labels and no others that sort it.

        Raises:
            LookupError: if there is none or more than one.
        """
        found = [row.value for row in self.every(**labels) if row.value is not None]
        if len(found) != 1:
            raise LookupError(f"{len(found)} rows with {labels}")
        return found[0]


@dataclass(frozen=True, slots=True)
class Oracle:
    """Something else that works a number out.

    Attributes:
        name: of it, or what it does, in words.
        compare: a study and a statistic's rows on it to ours and theirs.
        tolerance: the largest difference allowed; what the oracle itself promises.
        needs: a package that need not be installed.
    """

    name: str
    compare: Callable[[Study, Rows], Compared]
    tolerance: float = 1e-9
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a statistic can be believed.

    Attributes:
        id: the statistic's.
        oracles: what it is held against.
        no_oracle: why there is none, in words; empty if there is one.
        no_coverage: why no interval is tried, in words, where the statistic has none.
        at_least: its intervals promise 95% or more, in words why; empty if they promise 95%.
        weighs: rows with these labels weigh pairs by 1 / probability where they were drawn
            unequally, so that they are tried on such studies, too; None if there are none.

    Raises:
        ValueError: if there are both oracles and a reason for none, or neither.
    """

    id: str
    oracles: tuple[Oracle, ...] = ()
    no_oracle: str = ""
    no_coverage: str = ""
    at_least: str = ""
    weighs: Mapping[str, Label] | None = None

    def __post_init__(self) -> None:
        if bool(self.oracles) == bool(self.no_oracle):
            raise ValueError(f"{self.id}: a proof has an oracle or says why there is none")


@dataclass(frozen=True, slots=True)
class Held:
    """A statistic held against one oracle.

    Attributes:
        numbers: how many were compared.
        largest: difference; None where the oracle is not installed.
    """

    oracle: Oracle
    numbers: int
    largest: float | None

    @property
    def is_kept(self) -> bool:
        """Whether nothing differs by more than the tolerance, and something was compared."""
        if self.largest is None:
            return True
        return self.numbers > 0 and self.largest <= self.oracle.tolerance


_found: dict[str, Proof] = {}


def register(*proofs: Proof) -> None:
    """Register proofs, one for each statistic.

    Raises:
        ValueError: if a statistic has one already.
    """
    for proof in proofs:
        if _found.get(proof.id, proof) != proof:
            raise ValueError(f"two proofs are of {proof.id!r}")
        _found[proof.id] = proof


@cache
def _discover() -> None:
    import core.proofs

    for module in pkgutil.iter_modules(core.proofs.__path__):
        importlib.import_module(f"core.proofs.{module.name}")


def proofs() -> dict[str, Proof | None]:
    """The proof of every registered statistic; None where nobody has written one."""
    _discover()
    return {each.id: _found.get(each.id) for each in registered()}


ORACLE_QUESTIONS = 12
"""Of the studies that oracles are tried on: slow readings are slow."""


def held_against_oracles(proof: Proof, studies: int, seed: int) -> list[Held]:
    """Compare a statistic with its oracles on some made-up studies."""
    here = [not one.needs or importlib.util.find_spec(one.needs) is not None
            for one in proof.oracles]  # fmt: skip
    numbers, largest = [0] * len(here), [0.0] * len(here)
    for number in range(studies):
        study = draw(ORACLE_QUESTIONS, seed * 1_000_003 + number)
        (result,) = compute(study.tally(), OPTIONS, {proof.id})
        rows = Rows(result.estimates)
        for place, oracle in enumerate(proof.oracles):
            for ours, theirs in oracle.compare(study, rows) if here[place] else ():
                numbers[place] += 1
                largest[place] = max(largest[place], abs(ours - theirs))
    return [
        Held(oracle, numbers[place], largest[place] if here[place] else None)
        for place, oracle in enumerate(proof.oracles)
    ]

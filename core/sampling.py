"""Which pair an annotator gets next, with the probability it was chosen with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

POLICY = "least-voted"
POLICY_VERSION = 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """A place in one tier of the queue.

    Attributes:
        tier: which tier was drawn from.
        index: the place among the tier's eligible pairs, from 0, in the order of their ids.
        probability: of drawing this pair, given the queue as it stood.
    """

    tier: int
    index: int
    probability: float


def chance(seed: str, annotator: str, nth: int) -> Random:
    """The generator for an annotator's nth draw; the same arguments give the same draw."""
    material = "\x1f".join((seed, annotator, str(nth))).encode("utf-8", "surrogatepass")
    return Random(hashlib.sha256(material).digest())


def least_voted(eligible: Sequence[int], random: Random) -> Drawn | None:
    """Draw uniformly among the pairs with the fewest votes.

    Args:
        eligible: how many pairs this annotator may get in each tier, fewest votes first.

    Returns:
        The draw, or None where no tier has a pair left.
    """
    for tier, size in enumerate(eligible):
        if size > 0:
            return Drawn(tier, random.randrange(size), 1.0 / size)
    return None


def simple_sample(population: int, size: int, seed: str) -> list[int]:
    """Choose ``size`` of ``population`` places uniformly without replacement, sorted.

    Each place is included with probability ``size / population``. A smaller sample by the same
    seed lies within the larger one, so that what a study has drawn in several steps is still a
    sample whose probability is known.

    Raises:
        ValueError: if size is negative or more than the population.
    """
    if not 0 <= size <= population:
        raise ValueError(f"cannot choose {size} of {population}")
    places = list(range(population))
    chance(seed, "sample", population).shuffle(places)
    return sorted(places[:size])

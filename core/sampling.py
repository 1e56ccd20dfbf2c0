"""Chance that follows from a study's seed: for draws, hidden repeats and samples of pairs."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from random import Random
from struct import unpack

REPEAT_POLICY = "hidden-repeat"
REPEAT_POLICY_VERSION = 2

_COINS = 256
"""Draws whose coins are made at once."""


def chance(seed: str, annotator: str, nth: int) -> Random:
    """The generator for an annotator's nth draw; the same arguments give the same draw."""
    material = "\x1f".join((seed, annotator, str(nth))).encode("utf-8", "surrogatepass")
    return Random(hashlib.sha256(material).digest())


def repeats_wanted(seed: str, annotator: str, nth: int, percent: int) -> Iterator[bool]:
    """Whether a draw is to be a hidden repeat, where there is one to serve; from the nth draw on.

    The coin knows neither pairs nor votes: given the kind of a draw, the probability of what it
    drew is that among its kind.

    Args:
        percent: how many draws of a hundred are to be repeats.
    """
    first, start = divmod(nth, _COINS)
    below = (percent << 32) / 100
    for block in count(first):
        for coin in _coins(seed, annotator, block)[start:]:
            yield coin < below
        start = 0


@lru_cache(maxsize=64)
def _coins(seed: str, annotator: str, block: int) -> tuple[int, ...]:
    """Uniform numbers below 2³² for a block of an annotator's draws."""
    material = "\x1f".join((seed, "repeat", annotator, str(block)))
    digest = hashlib.shake_256(material.encode("utf-8", "surrogatepass")).digest(4 * _COINS)
    return unpack(f">{_COINS}I", digest)


def repeats_ahead(
    fresh: int, eligible: int, line: Sequence[bool], gap: int, wanted: Iterator[bool]
) -> int:
    """How many hidden repeats come before an annotator has drawn the last fresh pair.

    What is left can then be counted down by one a pair, whether fresh or not, as long as nobody
    else takes pairs away. Each pair is taken to be drawn while the one before it is on screen.

    Args:
        fresh: pairs that this annotator has not had.
        eligible: pairs that may be repeated now.
        line: the pairs after those, in the order they were or will be finished: the last ``gap``
            that are finished, then those that are open; whether each may ever be repeated.
        wanted: whether the next draw is to be a repeat, and the one after it, and so on.
    """
    waiting = deque(line)
    repeats = 0
    while fresh:
        # The last in the line is on screen, and gap others must lie between it and the first.
        while len(waiting) >= gap + 2:
            eligible += waiting.popleft()
        is_repeat = next(wanted) and eligible > 0
        if is_repeat:
            eligible -= 1
            repeats += 1
        else:
            fresh -= 1
        waiting.append(not is_repeat)
    return repeats


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


def inclusion_probability(population: int, sizes: Iterable[int]) -> float:
    """How likely a pair is to be in any of several samples that one shuffle of places decides.

    Args:
        population: how many places were shuffled.
        sizes: for each different place that the pair had, the largest sample drawn with it there.
            One place is an ordinary sample, ``size / population``.
    """
    chance = 0.0
    # The place with the largest sample has the fewest ranks to hide in, and all others share them.
    for taken, size in enumerate(sorted(sizes, reverse=True)):
        chance += (1 - chance) * min(size / (population - taken), 1)
    return chance

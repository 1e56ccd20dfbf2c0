"""Studies with honest people of many kinds, and with planted ones, for the floor's warnings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.stats.floor_log import FloorLog, Row

WORDS_PER_MINUTE = 600.0
STRAIGHT, FAST, RANDOM = "straight", "fast", "random"


def simulated(
    rng: np.random.Generator,
    *,
    people: int = 20,
    each: int = 60,
    overlap: int = 3,
    planted: tuple[str, ...] = (),
    look: Callable[[FloorLog], None] | None = None,
) -> FloorLog:
    """A study in which ``people`` honest annotators come before the planted ones.

    Honest people differ in skill, in how often they say tie or both bad, in how they lean to a
    side (a little), in speed (around 250 words a minute, each pair differently), and one pair
    in ten they end early. One in ten of their pairs is a hidden repeat.

    Args:
        each: pairs for each person, about.
        look: called after each round of everybody.
    """
    n = people + len(planted)
    pairs = n * each // overlap
    words = rng.lognormal(5.8, 0.5, pairs).astype(int) + 2
    leaning = rng.normal(0, 1.2, pairs)
    skill, lean = rng.normal(1, 0.2, n), rng.normal(0, 0.1, n)
    ties, speed = rng.beta(6, 24, n), rng.lognormal(np.log(250), 0.2, n)
    log = FloorLog(WORDS_PER_MINUTE)
    for pair in range(pairs):
        log.add_pair(pair, (int(words[pair]),))
    slots = rng.permutation(np.repeat(np.arange(pairs), overlap))
    had: list[list[int]] = [[] for _ in range(n)]
    seq = 0
    for slot, fresh in enumerate(slots.tolist()):
        who = slot % n
        repeat = int(len(had[who]) > 20 and rng.random() < 0.1)
        pair = had[who].pop(0) if repeat else fresh
        if not repeat and pair in had[who]:
            continue
        if not repeat:
            had[who].append(pair)
        left = int(rng.integers(1, 3))
        kind = planted[who - people] if who >= people else ""
        win = leaning[pair] * skill[who] * 2 + (lean[who] if left == 1 else -lean[who])
        if kind == RANDOM or (kind == STRAIGHT and rng.random() < 0.1):
            seen = int(rng.integers(1, 5))
        elif kind == STRAIGHT:
            seen = 1
        elif rng.random() < ties[who]:
            seen = 3 if rng.random() < 0.7 else 4
        else:
            model = 1 if rng.random() < 1 / (1 + np.exp(-win)) else 2
            seen = 1 if model == left else 2
        choice = seen if seen > 2 else left if seen == 1 else 3 - left
        seconds = float(words[pair] / speed[who] * 60 * rng.lognormal(0, 0.3))
        seconds *= 0.3 if rng.random() < 0.1 else 1.0
        if kind == FAST:
            seconds = float(rng.uniform(1, 6))
        seq += 1
        log.add(Row(seq, who, pair, 1, repeat, choice, seen, seconds, float(seq), 1, False))
        if look is not None and slot % (10 * n) == 10 * n - 1:
            look(log)
    return log

"""Assignment policies: which of the pairs that an annotator may get comes next, and how likely.

Pairs that no policy tells apart form a stratum. A policy says how likely each pair of each stratum
is; :func:`draw` draws a stratum and a place in it, so that the probability is known before the
draw and is the same for every pair of the stratum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Stratum:
    """Pairs of the queue that no policy tells apart.

    Attributes:
        load: how many votes they have, or are about to get from who has them open.
        category: their questions'; None where there is none.
        block: a number for their two models, which names neither.
        is_disputed: 1 if their votes and verdicts contradict each other, otherwise 0.
    """

    load: int
    category: str | None
    block: int
    is_disputed: int


@dataclass(frozen=True, slots=True)
class Situation:
    """What a policy may look at: one annotator, at one moment.

    Attributes:
        eligible: how many pairs of each stratum this annotator may get now; none is 0.
        served_by_block: loads of all pairs of a block in the queue, added up.
        had_by_category: how many pairs of a category this annotator was served.
        quota: category → its share of an annotator's pairs, in whole parts.
        floor: the share of draws that is uniform whatever is disputed, from 0 to 1.
    """

    eligible: Mapping[Stratum, int]
    served_by_block: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    had_by_category: Mapping[str | None, int] = field(default_factory=lambda: MappingProxyType({}))
    quota: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    floor: float = 1.0


Likelihood = dict[Stratum, float]
"""How likely each single pair of a stratum is; strata that are left out have no chance."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One way to choose.

    Attributes:
        version: goes up whenever the same situation would give other probabilities.
        likelihood: None for the policy that takes, without chance, what stands first in the queue
            among the pairs with the fewest votes.
    """

    name: str
    version: int
    likelihood: Callable[[Situation], Likelihood] | None


@dataclass(frozen=True, slots=True)
class Place:
    """What was drawn.

    Attributes:
        index: the place among the stratum's eligible pairs, from 0, in the order of the queue.
        probability: of drawing this pair in this situation.
    """

    stratum: Stratum
    index: int
    probability: float


def _alike(eligible: Mapping[Stratum, int]) -> Likelihood:
    total = sum(eligible.values())
    return dict.fromkeys(eligible, 1.0 / total)


def _uniform(situation: Situation) -> Likelihood:
    return _alike(situation.eligible)


def _least_voted(situation: Situation) -> Likelihood:
    """Fewest votes first; among these, pairs of the two models that were served least so far."""

    def key(stratum: Stratum) -> tuple[int, int]:
        return stratum.load, situation.served_by_block.get(stratum.block, 0)

    first = min(map(key, situation.eligible))
    return _alike({one: size for one, size in situation.eligible.items() if key(one) == first})


def _category_quota(situation: Situation) -> Likelihood:
    """The category that is furthest behind its share, as D'Hondt gives out seats.

    Categories without a share come when no other is left. Within: as :func:`_least_voted`.
    """

    def wait(stratum: Stratum) -> float:
        parts = situation.quota.get(stratum.category or "", 0)
        had = situation.had_by_category.get(stratum.category, 0)
        return (had + 1) / parts if parts else float("inf")

    first = min(map(wait, situation.eligible))
    within = {one: size for one, size in situation.eligible.items() if wait(one) == first}
    return _least_voted(Situation(within, situation.served_by_block))


def _disagreement_first(situation: Situation) -> Likelihood:
    """Disputed pairs, alike; with the floor's chance any pair, alike."""
    disputed = {one: size for one, size in situation.eligible.items() if one.is_disputed}
    everything = _alike(situation.eligible)
    if not disputed:
        return everything
    first = _alike(disputed)
    return {
        one: (1 - situation.floor) * first.get(one, 0.0) + situation.floor * each
        for one, each in everything.items()
    }


POLICIES: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy("least-voted", 2, _least_voted),
        Policy("uniform", 1, _uniform),
        Policy("round-robin", 1, None),
        Policy("category-quota", 1, _category_quota),
        Policy("disagreement-first", 1, _disagreement_first),
    )
}
DEFAULT_POLICY = "least-voted"


def draw(
    likelihood: Mapping[Stratum, float], sizes: Mapping[Stratum, int], random: Random
) -> Place:
    """Draw a pair.

    Args:
        likelihood: of each single pair of a stratum; over all pairs it adds up to 1.
        sizes: eligible pairs of each stratum.
    """
    stratum, *others = strata = sorted(likelihood, key=_in_order)
    if others:
        (stratum,) = random.choices(strata, [likelihood[one] * sizes[one] for one in strata])
    return Place(stratum, random.randrange(sizes[stratum]), likelihood[stratum])


def _in_order(stratum: Stratum) -> tuple[int, str, int, int]:
    return stratum.load, stratum.category or "", stratum.block, stratum.is_disputed


Rule = Mapping[str, list[str]]
"""Attribute → the values of which an annotator must have one."""


def closed_to(attributes: Mapping[str, Any], only_for: Mapping[str, Rule]) -> list[str]:
    """The categories that an annotator may not get.

    Args:
        attributes: the annotator's own. One that is a list holds several values.
        only_for: category → what an annotator must be to get its pairs.
    """
    return [
        category
        for category, rule in only_for.items()
        if not all(_values(attributes.get(name)) & set(wanted) for name, wanted in rule.items())
    ]


def _values(attribute: Any) -> set[str]:
    several = attribute if isinstance(attribute, list) else [attribute]
    return {str(value) for value in several if value is not None}

"""How pairs came into the queue, and what votes on them weigh because of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.stats.weighted import Bools, Floats, effective_size, weights_of

WEIGHING = "agreement, agreement_by_…, gold_agreement (drawn), ppi, ranking and win_rate"
"""Which statistics weigh votes."""


@dataclass(frozen=True, slots=True)
class Design:
    """What each pair's votes weigh.

    Attributes:
        weights: by pair number, 1 on average over the pairs with votes; None where all weigh 1.
        said: what a reader has to know of it, in words; empty where there is nothing.
    """

    weights: Floats | None
    said: str

    def on(self, pair: np.ndarray[tuple[int, ...], np.dtype[np.integer]]) -> Floats | None:
        """The weights of some pairs; None where all weigh 1."""
        return None if self.weights is None else np.asarray(self.weights[pair])


ALIKE = Design(None, "")
"""Where every pair came into the queue with one probability, or none is on record."""


def design_of(probability: Floats, voted: Bools, *, is_wanted: bool) -> Design:
    """Weights for what people voted on.

    Args:
        probability: by pair number, with which it came into the queue; 0 where none is known,
            below 0 where nobody can work it out.
        voted: which pairs have votes that are looked at.
        is_wanted: whether the lead leaves votes weighed.
    """
    told = probability[voted]
    weights, reason = weights_of(told)
    if reason:
        return Design(None, f"votes are not weighed: {reason}")
    if weights is None:
        return ALIKE
    unequal = "pairs came into the queue with unequal probability"
    if not is_wanted:
        return Design(None, f"{unequal}; votes are not weighed for it, as was chosen (weights)")
    full = np.ones(len(probability))
    full[voted] = weights / weights.mean()
    size, pairs = effective_size(weights), len(told)
    said = (
        f"{unequal}: {WEIGHING} weigh votes by 1 / probability, so that {pairs} voted pairs are "
        f"worth {size:.1f}; other tables are about the pairs as they were voted on"
    )
    return Design(full, said)

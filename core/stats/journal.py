"""Which items changed since somebody last looked, so that what is kept of them can follow."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.stats.growing import Growing

REACH: Final = 1 << 16
"""Changes that are remembered. Who is further behind counts over again, which is cheaper then."""


class Journal:
    """Item numbers in the order in which they changed.

    Attributes:
        epoch: moves where anything may have changed, so that nothing kept before holds.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self._items = Growing(np.int64)
        self._start = 0

    @property
    def mark(self) -> int:
        """Where the journal ends now; to be handed to :meth:`since` later."""
        return self._start + len(self._items)

    def note(self, items: NDArray[Any]) -> None:
        """Remember that these items changed."""
        if len(self._items) + len(items) > REACH:
            self._start = self.mark + len(items)
            self._items = Growing(np.int64)
        else:
            self._items.extend(items)

    def note_everything(self) -> None:
        """Remember that any item may have changed."""
        self.epoch += 1

    def since(self, mark: int) -> NDArray[np.int64] | None:
        """The items that changed since a mark, each once; None if that is no longer known."""
        if mark < self._start:
            return None
        return np.unique(self._items.rows[mark - self._start :])

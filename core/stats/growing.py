"""Arrays that grow at the end, for logs that only ever get longer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_FIRST_CAPACITY = 256


class Growing:
    """A column, or rows of a fixed width, with room to spare at the end.

    Room is doubled when it runs out, so that appending costs the same however long the log
    is. New rows are zero until they are written.
    """

    def __init__(self, dtype: DTypeLike, width: int = 0) -> None:
        self._shape = (width,) if width else ()
        self._data: NDArray[Any] = np.zeros((_FIRST_CAPACITY, *self._shape), dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def rows(self) -> NDArray[Any]:
        """The rows so far: a view of shape (length,) or (length, width), valid until it grows."""
        return self._data[: self._length]

    @property
    def flat(self) -> NDArray[Any]:
        """The same cells as one contiguous column: row × width + column."""
        return self.rows.reshape(-1)

    def grow_to(self, length: int) -> None:
        """Add zero rows until there are at least ``length`` of them."""
        if length > len(self._data):
            larger = np.zeros((max(length, 2 * len(self._data)), *self._shape), self._data.dtype)
            larger[: self._length] = self.rows
            self._data = larger
        self._length = max(self._length, length)

    def extend(self, values: NDArray[Any]) -> None:
        """Append rows."""
        start = self._length
        self.grow_to(start + len(values))
        self._data[start : self._length] = values

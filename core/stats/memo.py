"""What took long to work out and is asked for again: results by what they follow from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

T = TypeVar("T")

_KEPT: Final = 1 << 14


class Memo:
    """Results by key; those that nobody asked for longest make room."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable) -> Any:
        """What was kept; None if there is nothing."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: Hashable, result: Any) -> None:
        """Keep a result in place of what was kept before."""
        self._kept[key] = result
        self._kept.move_to_end(key)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def unless_same(self, key: Hashable, follows_from: Any, make: Callable[[], T]) -> T:
        """What ``make`` makes of something, made again once that is no longer the same.

        Args:
            follows_from: all that the result follows from, beside the key.
        """
        known = self.get(key)
        if known is None or known[0] != follows_from:
            known = follows_from, make()
            self.keep(key, known)
        found: T = known[1]
        return found

"""Work that goes on while people vote: in a thread, and on a connection, of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from core.errors import TiebreakError
from db.store import Clock, Store

_Seen = TypeVar("_Seen")


class Background(threading.Thread):
    """Works on a study until it is done or told to end.

    Attributes:
        ended: set once it is to stop; ``work`` looks at it.
        refusal: what ended it before its time, if anything did.
    """

    def __init__(self, study: Path, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.study = study
        self.ended = threading.Event()
        self.refusal: TiebreakError | None = None

    def end(self) -> None:
        """Stop soon."""
        self.ended.set()

    def run(self) -> None:
        """Open the study and work."""
        try:
            with Store(self.study) as store:
                self.work(store)
        except TiebreakError as error:
            self.refusal = error

    def work(self, store: Store) -> None:
        """What is done; each kind of background work says what."""
        raise NotImplementedError


class Following(Background, Generic[_Seen]):
    """Follows a study on a connection of its own, and hands over what it sees as that changes.

    Args:
        tell: called in this thread with what is seen, or with the refusal that ended it.
        clock: tells the time that ages and rates are counted from.
    """

    def __init__(
        self, study: Path, name: str, tell: Callable[[_Seen | TiebreakError], None], clock: Clock
    ) -> None:
        super().__init__(study, name)
        self._tell = tell
        self._clock = clock

    def run(self) -> None:
        super().run()
        if self.refusal is not None:
            self._tell(self.refusal)

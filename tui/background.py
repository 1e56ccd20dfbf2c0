"""Work that goes on while people vote: in a thread, and on a connection, of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from core.errors import TiebreakError
from db.store import Clock, Store

_Seen = TypeVar("_Seen")

_AGAIN_AFTER = 5.0
"""Seconds until a study that could not be read is looked at again."""


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

    A study that cannot be read for a while, because somebody holds it, is followed on after that.

    Args:
        tell: called in this thread with what is seen, or with why nothing can be; an error that
            is no refusal is a mistake of ours, which ends the thread and is to end the app.
        clock: tells the time that ages and rates are counted from.
    """

    def __init__(
        self, study: Path, name: str, tell: Callable[[_Seen | Exception], None], clock: Clock
    ) -> None:
        super().__init__(study, name)
        self._tell = tell
        self._clock = clock

    def run(self) -> None:
        while not self.ended.is_set():
            self.refusal = None
            try:
                super().run()
            except Exception as error:
                self._tell(error)
                raise
            if self.refusal is not None:
                self._tell(self.refusal)
                self.ended.wait(_AGAIN_AFTER)

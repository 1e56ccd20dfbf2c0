"""Work that goes on while people vote: in a thread, and on a connection, of its own."""

from __future__ import annotations

import threading
from pathlib import Path

from core.errors import TiebreakError
from db.store import Store


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

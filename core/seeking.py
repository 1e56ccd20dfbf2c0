"""Words that somebody looks for, and which of them a text holds."""

from __future__ import annotations


class Wanted:
    """Words that must all be found, wherever: one in a question and the next in a note will do.

    A word is found inside a longer one too. Capitals match capitals only; a word without any
    matches both.

    Args:
        typed: words with spaces between them; blank wants nothing, and everything holds that.
    """

    def __init__(self, typed: str) -> None:
        words = list(dict.fromkeys(typed.split()))
        self._exact = [(1 << n, w) for n, w in enumerate(words) if any(map(str.isupper, w))]
        exact = {word for _, word in self._exact}
        self._folded = [(1 << n, w.casefold()) for n, w in enumerate(words) if w not in exact]
        self.all = (1 << len(words)) - 1

    def __bool__(self) -> bool:
        return self.all > 0

    def found_in(self, text: str) -> int:
        """Which of the words a text holds: a bit for each, :attr:`all` where it holds them all."""
        found = 0
        for bit, word in self._exact:
            if word in text:
                found |= bit
        if self._folded:
            folded = text.casefold()
            for bit, word in self._folded:
                if word in folded:
                    found |= bit
        return found

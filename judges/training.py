"""What a judge is trained on: its own prompt, and the reply that says a known outcome."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import TiebreakError
from core.records import Seen
from judges.examples import verdict_alone
from judges.families import Family
from judges.prompting import Message, Prompt
from judges.tasks import Shown


def check(family: Family) -> None:
    """Refuse a prompt for which a label is no whole reply.

    Raises:
        TiebreakError: naming a prompt that will do.
    """
    first = family.variants[0]
    if first.form != "pair" or first.parser == "score_pair":
        raise TiebreakError(
            f"the prompt {family.name!r} asks for more than which answer is better",
            "gold has labels, not scores: choose a prompt such as 'pairwise explain=none'",
        )
    if first.explain != "none":
        raise TiebreakError(
            f"the prompt {family.name!r} asks for reasons, and gold has none to teach",
            f"say: --prompt '{family.name} explain=none'",
        )


class Training:
    """Pairs as a family's judge is asked about them.

    Args:
        family: one that :func:`check` does not refuse.
    """

    def __init__(self, family: Family) -> None:
        self.family = family
        self._replies: dict[str, Mapping[Seen, str]] = {}

    def asked(self, shown: Shown) -> tuple[Prompt, list[Message], Mapping[Seen, str]] | None:
        """A pair as the judge is asked about it, and its reply for each outcome it has a word for.

        Returns:
            The variant, its messages and the replies; None if the family has no variant for it.
        """
        try:
            prompt = self.family.pick(shown)
        except TiebreakError:
            return None
        if prompt.id not in self._replies:
            self._replies[prompt.id] = _replies(prompt)
        return prompt, prompt.render(shown), self._replies[prompt.id]


def _replies(prompt: Prompt) -> Mapping[Seen, str]:
    """The replies that a prompt's own parser reads back, by outcome."""
    replies = {seen: verdict_alone(prompt, seen) for seen in Seen}
    return {
        seen: reply
        for seen, reply in replies.items()
        if reply is not None and prompt.read(reply).seen is seen
    }

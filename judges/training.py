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


def lesson(
    family: Family, shown: Shown
) -> tuple[Prompt, tuple[Message, ...], Mapping[Seen, str]] | None:
    """A pair as a judge is asked about it, and its reply for each outcome it has a word for.

    Returns:
        The variant, its messages and the replies; None if the family has no variant for it.
    """
    try:
        prompt = family.pick(shown)
    except TiebreakError:
        return None
    replies = {seen: verdict_alone(prompt, seen) for seen in Seen}
    known = {
        seen: reply
        for seen, reply in replies.items()
        if reply is not None and prompt.read(reply).seen is seen
    }
    return prompt, tuple(prompt.render(shown)), known

"""Which answer stands left, and the one way back from the screen to the models."""

from __future__ import annotations

import hashlib
import re

from core.records import Choice, Seen

_MEANT = {
    (Seen.LEFT, 1): Choice.MODEL_1,
    (Seen.LEFT, 2): Choice.MODEL_2,
    (Seen.RIGHT, 1): Choice.MODEL_2,
    (Seen.RIGHT, 2): Choice.MODEL_1,
}
_SEEN = {(choice, left): seen for (seen, left), choice in _MEANT.items()}


def left_side(seed: str, pair_key: str, annotator: str, repeat: int = 0) -> int:
    """Which model of a pair stands left for this annotator: 1 or 2, each with probability ½.

    The side follows from the study's seed alone. A marked repeat of a pair stands the other way
    round.

    Args:
        seed: the study's secret seed; an annotator never sees it.
        pair_key: :attr:`core.records.Pair.key`.
        repeat: 0 for the first time, 1 for the repeat, and so on.
    """
    material = "\x1f".join((seed, pair_key, annotator)).encode("utf-8", "surrogatepass")
    coin = hashlib.sha256(material).digest()[0] & 1
    return 1 + (coin ^ (repeat & 1))


def balanced_side(first: int, second: int, coin: int) -> int:
    """Which model of a pair stands left next, so that both orders are shown equally often.

    Args:
        first: to how many people model 1 is shown on the left.
        second: to how many model 2 is.
        coin: decides where the two are equal; :func:`left_side` tosses it.
    """
    return coin if first == second else 1 if first < second else 2


def meant(seen: Seen, left: int) -> Choice:
    """Turn a choice as cast into a choice in model space.

    Args:
        left: 1 or 2, which model of the pair stood left.

    Raises:
        ValueError: if ``left`` is neither 1 nor 2.
    """
    if left not in (1, 2):
        raise ValueError(f"left is {left!r}, not 1 or 2")
    return _MEANT.get((seen, left)) or Choice(seen.value)


def as_seen(choice: Choice, left: int) -> Seen:
    """Turn a choice in model space into what it looked like on the screen.

    Raises:
        ValueError: if ``left`` is neither 1 nor 2.
    """
    if left not in (1, 2):
        raise ValueError(f"left is {left!r}, not 1 or 2")
    return _SEEN.get((choice, left)) or Seen(choice.value)


def pseudonym(seed: str, annotator: str) -> str:
    """A name to publish an annotator's votes under: the same in every export of a study.

    Without the study's seed it cannot be worked back from a list of likely names.
    """
    material = "\x1f".join((seed, "pseudonym", annotator)).encode("utf-8", "surrogatepass")
    return f"annotator-{hashlib.sha256(material).hexdigest()[:8]}"


def case_name(seed: str, pair_key: str) -> str:
    """What a pair is called before a lead who is not to know its models.

    A pair's key follows from question and models, so whoever has a list of likely names finds
    theirs. This is the key enciphered with the study's seed: a balanced Feistel network of four
    rounds, whose round functions are keyed hashes (Luby and Rackoff 1988).

    Args:
        pair_key: :attr:`core.records.Pair.key`, 32 hexadecimal digits.

    Returns:
        As many digits; each pair has another name.
    """
    left, right = _halves(pair_key)
    for number in range(_ROUNDS):
        left, right = right, left ^ _mixed(seed, number, right)
    return f"{left:016x}{right:016x}"


def pair_called(seed: str, name: str) -> str:
    """The key of the pair with a name of :func:`case_name`; empty for what can be no name."""
    if _NAME.fullmatch(name) is None:
        return ""
    left, right = _halves(name)
    for number in reversed(range(_ROUNDS)):
        left, right = right ^ _mixed(seed, number, left), left
    return f"{left:016x}{right:016x}"


_ROUNDS = 4
_NAME = re.compile("[0-9a-f]{32}")


def _halves(digits: str) -> tuple[int, int]:
    return int(digits[:16], 16), int(digits[16:], 16)


def _mixed(seed: str, number: int, half: int) -> int:
    material = "\x1f".join((seed, "case", str(number), f"{half:x}"))
    digest = hashlib.sha256(material.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")

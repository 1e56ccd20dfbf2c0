"""What a reply was read as: a verdict, or a failure with its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.records import Seen, VerdictStatus

Labels = Mapping[str, Seen]


class Failure(StrEnum):
    """Why a reply holds no verdict."""

    EMPTY = "empty"
    NO_VERDICT = "no verdict"
    OUT_OF_PLACE = "out of place"
    UNKNOWN_LABEL = "unknown label"
    CONTRADICTION = "contradiction"
    OUT_OF_SCALE = "out of scale"
    INCOMPLETE = "incomplete ranking"
    BROKEN_JSON = "broken JSON"
    UNFINISHED_REASONING = "unfinished reasoning"
    REFUSAL = "refusal"


_MEANS = {
    Failure.EMPTY: "the reply is empty",
    Failure.NO_VERDICT: "the reply holds nothing of the expected form",
    Failure.OUT_OF_PLACE: "labels are mentioned, but none stands where a verdict belongs",
    Failure.UNKNOWN_LABEL: "the verdict is none of the allowed labels",
    Failure.CONTRADICTION: "the reply gives verdicts that differ",
    Failure.OUT_OF_SCALE: "a score lies outside the scale",
    Failure.INCOMPLETE: "the ranking does not name each answer once",
    Failure.BROKEN_JSON: "the JSON object cannot be read",
    Failure.UNFINISHED_REASONING: "the reply ends inside its reasoning",
    Failure.REFUSAL: "the judge declines to judge",
}
_STATUS = {
    Failure.REFUSAL: VerdictStatus.REFUSED,
    Failure.UNFINISHED_REASONING: VerdictStatus.TRUNCATED,
}


@dataclass(frozen=True, slots=True)
class Ranking:
    """Several answers in order.

    Attributes:
        tiers: names, best first; those of one tier are equally good.
        good: how many tiers, from the best, are not bad.
    """

    tiers: tuple[tuple[str, ...], ...]
    good: int

    def __str__(self) -> str:
        joined = [" = ".join(tier) for tier in self.tiers]
        parts = (" > ".join(joined[: self.good]), " > ".join(joined[self.good :]))
        return parts[0] if not parts[1] else f"{parts[0]} | {parts[1]}".strip()

    def between(self, left: str, right: str) -> Seen:
        """What the ranking says of two answers: both bad where it calls both of them bad."""
        places = {name: place for place, tier in enumerate(self.tiers) for name in tier}
        first, second = places[left], places[right]
        if min(first, second) >= self.good:
            return Seen.BOTH_BAD
        if first == second:
            return Seen.TIE
        return Seen.LEFT if first < second else Seen.RIGHT


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was read from one reply.

    Attributes:
        seen: the choice, as the judge saw it; None for a failure, a single grade and a ranking.
        label: the verdict in the judge's own words; for some failures what stood in its place.
        scores: (left, right), for grammars with scores.
        grade: one answer's grade, for the grammar that grades a single answer.
        ranking: all answers in order, for the grammar that ranks several.
        failure: why there is no verdict; None if there is one.
    """

    seen: Seen | None = None
    label: str = ""
    scores: tuple[float, float] | None = None
    grade: float | None = None
    ranking: Ranking | None = None
    failure: Failure | None = None

    def __post_init__(self) -> None:
        said = (self.seen, self.grade, self.ranking)
        if (self.failure is None) == (said == (None, None, None)):
            raise ValueError("a reading is either a verdict or a failure")

    @property
    def status(self) -> VerdictStatus:
        """The status that a verdict with this reading has."""
        if self.failure is None:
            return VerdictStatus.OK
        return _STATUS.get(self.failure, VerdictStatus.UNPARSED)

    @property
    def reason(self) -> str:
        """Why there is no verdict, as one line that begins with the failure's name."""
        if self.failure is None:
            return ""
        got = f": {self.label!r}" if self.label else ""
        return f"{self.failure}: {_MEANS[self.failure]}{got}"


def by_scores(label: str, scores: tuple[float, float]) -> Parsed:
    """What two scores say, left first: the higher one wins, equal ones are a tie."""
    left, right = scores
    seen = Seen.TIE if left == right else Seen.LEFT if left > right else Seen.RIGHT
    return Parsed(seen=seen, label=label, scores=scores)


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a prompt allows as an answer.

    Attributes:
        labels: for grammars with labels, each allowed label and what it means.
        scale: for grammars with scores, the lowest and the highest.
        scores_last: two scores stand on the last line, below the reasons for them.
        names: for rankings, what the answers are called, in the order in which they are shown.
    """

    labels: Labels
    scale: tuple[float, float] = (1.0, 10.0)
    scores_last: bool = False
    names: tuple[str, ...] = ()

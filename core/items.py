"""Everything that was said about one pair at one turn, and the texts that it was said about."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.records import Pair, Question, Ruling, Verdict, Vote


@dataclass(slots=True)
class Served:
    """How a vote's pair came to its annotator; empty for imported votes."""

    policy: str = ""
    probability: float | None = None


@dataclass(slots=True)
class Item:
    """Everything that was said about one pair at one turn, as it stands.

    Attributes:
        votes: each with how its pair was served; withdrawn and superseded ones left out, and
            marked repeats, which say something about the annotator and not about the pair.
        verdicts: of every judge, order and repeat; superseded ones left out.
        rulings: those that stand, oldest first.
        cannot_judge: the word of those who gave no outcome; it counts as no vote.
        ruled: every ruling, oldest first, those that no longer stand too; empty unless it was
            asked for.
    """

    pair: Pair
    turn: int
    category: str | None
    votes: list[tuple[Vote, Served]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    cannot_judge: list[Vote] = field(default_factory=list)
    ruled: list[Ruling] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Texts:
    """What a pair's people and judges had before them.

    Attributes:
        answers: model 1's and model 2's, turn by turn.
    """

    question: Question
    answers: tuple[tuple[str, ...], tuple[str, ...]]

    def last_turn(self, turn: int) -> int:
        """The last turn that a vote on ``turn`` is about: the question's last for 0."""
        return turn or len(self.question.turns)

    def holds(self, turn: int) -> bool:
        """Whether question and both answers have all turns up to ``turn``."""
        last = self.last_turn(turn)
        known = min(len(self.question.turns), *map(len, self.answers))
        return 1 <= last <= known

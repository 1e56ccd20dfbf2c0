"""Small pairs and judges that the tests of this room share."""

from __future__ import annotations

from typing import Any

from core.records import Judge, Pair, Question
from judges.models import new_judge
from judges.tasks import Task, both_orders

QUESTION = Question(
    "q1", ("Name a prime above 10.", "And one above 100?"), "math", ("11 is one.", "101 is one.")
)
PAIR = Pair("q1", "secret-alpha", "secret-beta")
ALPHA = ("11, since nothing divides it.", "101")
BETA = ("# Primes\n\n13", "# More\n\n103 is a prime, because nothing up to 10 divides it.")


def orders(turn: int = 1, question: Question = QUESTION) -> tuple[Task, Task]:
    return both_orders(PAIR, turn, question, ALPHA, BETA)


def many(count: int) -> list[Task]:
    """Tasks on as many pairs, in the first order."""
    return [
        Task(Pair(f"q{n}", "alpha", "beta"), 1, 1, 0, Question(f"q{n}", (f"{n}?",)), ("a",), ("b",))
        for n in range(count)
    ]


def judge_at(url: str, prompt: str = "pairwise", **parameters: Any) -> Judge:
    return new_judge(
        "stub", "openai", "stub-model", endpoint=url, prompt=prompt, parameters=parameters
    )

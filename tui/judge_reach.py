"""What of a study a judge's prompt has no variant for, before anybody is called."""

from __future__ import annotations

from core.errors import TiebreakError
from core.records import WHOLE_CONVERSATION, Question
from db.store import Store
from db.texts import TURNS_OF_PAIR
from judges.families import Family
from judges.tasks import Shown


def beyond_reach(store: Store, family: Family) -> tuple[int, str]:
    """How many verdicts cannot be asked for, in one order, and why the first of them cannot.

    Questions are told apart by their turns and references alone, so a study of a million pairs
    is a handful of cases.
    """
    per_turn = store.settings()["vote_per"] == "turn"
    with store.read() as connection:
        cases = connection.execute(
            f"SELECT n, told, count(*) FROM (SELECT {TURNS_OF_PAIR} AS n, "
            "(SELECT group_concat(r, '') FROM (SELECT EXISTS (SELECT 1 FROM reference_turn f "
            "WHERE f.question_id = t.question_id AND f.turn = t.turn) AS r "
            "FROM question_turn t WHERE t.question_id = p.question_id ORDER BY t.turn)) AS told "
            "FROM pair p) GROUP BY n, told"
        ).fetchall()
    count, why = 0, ""
    for turns, told, pairs in cases:
        references = tuple("a reference" if one == "1" else None for one in told or "")
        question = Question("case", ("a turn",) * len(references), references=references)
        judged = range(1, turns + 1) if per_turn else [WHOLE_CONVERSATION] * min(turns, 1)
        for turn in judged:
            try:
                family.pick(Shown(question, turn, ()))
            except TiebreakError as error:
                count += pairs
                why = why or error.message
    return count, why

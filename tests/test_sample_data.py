"""The sample study is sound, and its good answers are right and its bad ones wrong."""

from __future__ import annotations

import json
import math
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from fractions import Fraction
from itertools import combinations, permutations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.waiting import PATIENCE

FOLDER = Path(__file__).parent.parent / "sample_data"
LINES: list[dict[str, Any]] = [
    json.loads(line) for line in (FOLDER / "study.jsonl").read_text("utf-8").splitlines()
]
QUESTIONS = {line["id"]: line for line in LINES if line["type"] == "question"}
QUALITY: dict[str, dict[str, dict[str, float]]] = json.loads(
    (FOLDER / "quality.json").read_text("utf-8")
)["quality"]
MODELS = ("avocet-s", "dunlin-m", "godwit-l", "plover-xl")
BAD = 4.0
GOOD = 6.0
CLEAR = 0.5
"""A gap in quality above which one answer is better rather than about equal."""


class Given(NamedTuple):
    """One model's answer to one turn, with its judged quality."""

    question: str
    turn: int
    model: str
    text: str
    quality: float


def quality_of(question: str, turn: int, model: str) -> float:
    """NaN where nobody judged the answer, which fits no range."""
    return QUALITY.get(question, {}).get(str(turn), {}).get(model, math.nan)


ANSWERS = [
    Given(question, turn, model, text, quality_of(question, turn, model))
    for line in LINES
    if line["type"] == "answer"
    for question, model in [(line["question"], line["model"])]
    for turn, text in enumerate(line["turns"], 1)
]
TURNS = sorted({(given.question, given.turn) for given in ANSWERS})


def answers_to(question: str, turn: int) -> list[Given]:
    return [given for given in ANSWERS if (given.question, given.turn) == (question, turn)]


def reference(question: str, turn: int) -> str:
    text = QUESTIONS[question]["references"][turn - 1]
    assert isinstance(text, str)
    return text


def code_in(text: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found, text
    return found[1]


def test_the_study_line_comes_first_and_tells_how_to_vote() -> None:
    first = LINES[0]
    assert (first["type"], first["vote_per"]) == ("study", "turn")
    assert [line["type"] for line in LINES].count("study") == 1
    guidelines = first["guidelines"].lower()
    assert all(f"**{word}" in guidelines for word in ("a**", "b**", "tie", "both bad"))
    assert 100 <= len(guidelines.split()) <= 200


def test_fourteen_questions_in_seven_categories() -> None:
    assert len(QUESTIONS) == 14
    assert len([line for line in LINES if line["type"] == "question"]) == 14, "an id stands twice"
    assert set(Counter(q["category"] for q in QUESTIONS.values()).values()) == {2}
    assert Counter(len(q["turns"]) for q in QUESTIONS.values()) == {1: 8, 2: 6}
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", slug) for slug in QUESTIONS)
    assert all(text.strip() for q in QUESTIONS.values() for text in q["turns"])


def test_references_fit_their_turns_and_cover_what_can_be_checked() -> None:
    for question in QUESTIONS.values():
        references = question.get("references")
        if question["category"] in {"reasoning", "mathematics", "extraction"}:
            assert references, question["id"]
            assert all(references), question["id"]
        if references is not None:
            assert len(references) == len(question["turns"]), question["id"]


def test_every_model_answers_every_turn_once() -> None:
    given = Counter((a.question, a.turn, a.model) for a in ANSWERS)
    wanted = {
        (slug, turn, model)
        for slug, question in QUESTIONS.items()
        for turn in range(1, len(question["turns"]) + 1)
        for model in MODELS
    }
    assert set(given) == wanted
    assert set(given.values()) == {1}
    assert all(line["settings"] for line in LINES if line["type"] == "answer")


def test_quality_covers_exactly_the_answers() -> None:
    judged = {
        (slug, int(turn), model)
        for slug, turns in QUALITY.items()
        for turn, by_model in turns.items()
        for model in by_model
    }
    assert judged == {(a.question, a.turn, a.model) for a in ANSWERS}
    assert all(0 <= a.quality <= 10 for a in ANSWERS)


def test_no_text_that_an_annotator_reads_names_a_model() -> None:
    birds = re.compile("|".join(model.split("-")[0] for model in MODELS), re.IGNORECASE)
    read = [a.text for a in ANSWERS] + [LINES[0]["guidelines"]]
    read += [
        text for q in QUESTIONS.values() for text in (*q["turns"], *q.get("references", [])) if text
    ]
    assert not [text for text in read if birds.search(text)]


def test_answers_differ_and_are_of_a_readable_length() -> None:
    assert len({a.text for a in ANSWERS}) == len(ANSWERS)
    words = [len(a.text.split()) for a in ANSWERS]
    assert min(words) >= 35
    assert sum(count > 225 for count in words) == 2, "one long listing and one long paragraph"


def test_the_texts_exercise_the_screen() -> None:
    texts = [a.text for a in ANSWERS]
    wanted = {
        "heading": r"(?m)^#+ ",
        "numbered list": r"(?m)^1\. ",
        "table": r"(?m)^\| *:?-{3}",
        "Python": "```python",
        "SQL": "```sql",
        "formula": r"\$\$",
        "CJK": "[\u4e00-\u9fff]",
        "emoji": "[\U0001f300-\U0001faff]",
        "quotation": "(?m)^> ",
        "one paragraph of over 300 words": r"\A(\S+ ){300,}\S+\Z",
        "long listing": r"```python\n(.*\n){60,}```",
    }
    missing = [name for name, look in wanted.items() if not any(re.search(look, t) for t in texts)]
    assert not missing


def test_both_bad_and_tie_have_work_to_do() -> None:
    both_bad = near_ties = 0
    for turn in TURNS:
        pairs = list(combinations(answers_to(*turn), 2))
        both_bad += any(max(a.quality, b.quality) <= BAD for a, b in pairs)
        near_ties += any(
            min(a.quality, b.quality) > BAD and abs(a.quality - b.quality) <= CLEAR
            for a, b in pairs
        )
    assert both_bad == 8, "as the README of the folder says"
    assert near_ties >= 4


@pytest.mark.parametrize(("winner", "loser"), list(permutations(MODELS, 2)))
def test_every_model_clearly_beats_every_other_somewhere(winner: str, loser: str) -> None:
    """Else a Bradley–Terry fit could have no finite answer."""
    won = [t for t in QUALITY.values() for q in t.values() if q[winner] > q[loser] + CLEAR]
    assert won


def test_one_model_is_best_overall_and_the_long_winded_one_is_not() -> None:
    mean = {m: sum(a.quality for a in ANSWERS if a.model == m) / len(TURNS) for m in MODELS}
    assert max(mean, key=lambda model: mean[model]) == "godwit-l"
    assert mean["dunlin-m"] > max(mean["avocet-s"], mean["plover-xl"])
    by_name = [mean[model] for model in MODELS]
    assert by_name not in (sorted(by_name), sorted(by_name, reverse=True)), "a name tells quality"


def test_the_longer_answer_is_more_often_the_worse_one() -> None:
    better = worse = 0
    for turn in TURNS:
        for a, b in combinations(answers_to(*turn), 2):
            longer, shorter = (a, b) if len(a.text) > len(b.text) else (b, a)
            if "plover-xl" in (a.model, b.model) and abs(a.quality - b.quality) > CLEAR:
                better += longer.quality > shorter.quality
                worse += longer.quality < shorter.quality
    assert worse > better > 0


def spice_orders(*, cumin_inside: bool) -> list[tuple[str, ...]]:
    """Every order of the jars that the clues allow, by trying all 120."""
    return [
        order
        for order in permutations(("basil", "cumin", "dill", "fennel", "mint"))
        for at in [{jar: place for place, jar in enumerate(order)}]
        if at["basil"] - at["fennel"] == 1
        and 0 < at["mint"] < 4
        and at["dill"] > at["mint"]
        and (0 < at["cumin"] < 4 or not cumin_inside)
        and abs(at["cumin"] - at["dill"]) > 1
    ]


def clock(hours: Fraction) -> str:
    minutes = hours * 60
    assert minutes.denominator == 1
    return f"{minutes.numerator // 60}:{minutes.numerator % 60:02d}"


def brine_vat_full(*, drain_shut_at_ten: bool) -> str:
    p, q, drain = Fraction(1, 6), Fraction(1, 4), Fraction(1, 12)
    at_ten = 2 * (p + q - drain)
    rate = p if drain_shut_at_ten else p - drain
    return clock(10 + (1 - at_ten) / rate)


def two_colours() -> str:
    bag = "r" * 5 + "w" * 4 + "b" * 3
    draws = list(combinations(bag, 3))
    return str(Fraction(sum(len(set(draw)) == 2 for draw in draws), len(draws)))


def right_results() -> list[tuple[str, int, list[str]]]:
    """What a right answer to a turn must say, computed from the question."""
    (jars,) = spice_orders(cumin_inside=True)
    apart = Fraction(45, 4 + 6)
    return [
        ("spice-shelf", 1, [", ".join(jars)]),
        (
            "two-clocks",
            1,
            [clock(apart), clock(apart * Fraction(56, 60)), clock(apart * Fraction(66, 60))],
        ),
        ("brine-vat", 1, [brine_vat_full(drain_shut_at_ten=False)]),
        ("brine-vat", 2, [brine_vat_full(drain_shut_at_ten=True)]),
        ("three-marbles", 1, [two_colours()]),
    ]


@pytest.mark.parametrize(("question", "turn", "results"), right_results())
def test_good_answers_hold_the_right_result(question: str, turn: int, results: list[str]) -> None:
    assert all(result in reference(question, turn).lower() for result in results)
    for given in answers_to(question, turn):
        holds = all(result in given.text.lower() for result in results)
        if given.quality >= GOOD:
            assert holds, given.model
        if given.quality <= BAD:
            assert not holds, given.model


def test_the_second_shelf_has_the_orders_of_its_reference() -> None:
    orders = spice_orders(cumin_inside=False)
    told = reference("spice-shelf", 2)
    assert len(orders) == 4
    assert all("–".join(order) in told for order in orders)
    never = set(orders[0]) - {order[2] for order in orders}
    assert never == {"mint"}
    assert "Only mint can never" in told
    for given in answers_to("spice-shelf", 2):
        whole = all(", ".join(order) in given.text for order in orders)
        assert whole == (given.quality >= GOOD), given.model


DAY = [("13:00", "15:00"), ("09:00", "12:00"), ("12:00", "12:30"), ("09:30", "10:00")]
HOURS_OF_A_DAY: list[tuple[Any, Any]] = [
    (DAY, [("09:00", "12:30"), ("13:00", "15:00")]),
    ([("09:00", "18:00"), ("10:00", "11:00")], [("09:00", "18:00")]),
    ([("08:00", "09:00"), ("09:01", "10:00")], [("08:00", "09:00"), ("09:01", "10:00")]),
    ([], []),
]
HOURS_PAST_MIDNIGHT: list[tuple[Any, Any]] = [
    *HOURS_OF_A_DAY,
    ([("22:00", "02:00")], [("00:00", "02:00"), ("22:00", "24:00")]),
    ([("22:00", "02:00"), ("01:00", "03:00")], [("00:00", "03:00"), ("22:00", "24:00")]),
    ([("18:00", "00:00")], [("18:00", "24:00")]),
    ([("08:00", "08:00")], [("00:00", "24:00")]),
]


def merges_rightly(code: str, cases: list[tuple[Any, Any]]) -> bool:
    """Run an answer's function in a process of its own on every case."""
    calls = f"\nimport json\nprint(json.dumps([merge_hours(h) for h in {[h for h, _ in cases]!r}]))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code + calls],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    wanted = [[list(span) for span in result] for _, result in cases]
    return bool(json.loads(done.stdout) == wanted)


@pytest.mark.parametrize(("turn", "cases"), [(1, HOURS_OF_A_DAY), (2, HOURS_PAST_MIDNIGHT)])
def test_good_python_runs_and_bad_python_errs(turn: int, cases: list[tuple[Any, Any]]) -> None:
    for given in answers_to("opening-hours", turn):
        code = code_in(given.text, "python")
        works = merges_rightly(code, cases)
        if given.quality >= GOOD:
            assert works, given.model
            assert "import" not in code, "the question forbids it"
        if given.quality <= BAD:
            assert not works, given.model


def test_good_sql_runs_and_bad_sql_errs() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript("""
            CREATE TABLE sensors(id INTEGER PRIMARY KEY, name TEXT);
            CREATE TABLE readings(id INTEGER PRIMARY KEY, sensor_id, taken_at, value);
            INSERT INTO sensors VALUES (1, 'roof'), (2, 'cellar'), (3, 'yard');
            INSERT INTO readings VALUES
                (10, 1, '2025-03-01', 5.0), (11, 1, '2025-03-03', 6.0), (12, 1, '2025-03-02', 7.0),
                (22, 2, '2025-03-04', 2.0), (21, 2, '2025-03-04', 1.0);
        """)
        right = [("cellar", 2.0), ("roof", 6.0), ("yard", None)]
        for given in answers_to("latest-reading", 1):
            works = db.execute(code_in(given.text, "sql")).fetchall() == right
            if given.quality >= GOOD:
                assert works, given.model
            if given.quality <= BAD:
                assert not works, given.model


ORDERS = [
    [
        ("Rosa", "rye", 12, "07:30", False),
        ("Rosa", "plum cake", 4, "07:30", False),
        ("Café Mirador", "sourdough", 36, "06:45", True),
        ("Mr Bakke", "rye", 2, "09:00", False),
    ],
    [
        ("Rosa", "rye", 12, "07:30", False),
        ("Café Mirador", "sourdough", 36, "07:15", False),
        ("Mr Bakke", "rye", 2, "09:00", False),
        ("Tomasz", "spelt", 1, "12:00", False),
    ],
]


@pytest.mark.parametrize("turn", [1, 2])
def test_very_good_extractions_hold_the_orders(turn: int) -> None:
    wanted = ORDERS[turn - 1]
    for given in answers_to("bakery-orders", turn):
        found = json.loads(
            given.text[min(map(given.text.index, "[{")) : 1 + max(map(given.text.rindex, "]}"))]
        )
        rows = [tuple(row.values()) for row in found] if isinstance(found, list) else []
        if given.quality >= 7:
            assert rows == wanted, given.model
            assert turn == 1 or str(sum(row[2] for row in wanted)) in given.text
        if given.quality <= BAD:
            assert rows != wanted, given.model
    assert all(
        f"{row[0]}, {row[1]}, {row[2]}, {row[3]}" in reference("bakery-orders", turn)
        for row in wanted
    )


def test_very_good_tables_hold_the_log() -> None:
    def cells(text: str) -> list[list[str]]:
        rows = [line for line in text.splitlines() if line.startswith("|") and "--" not in line]
        return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]

    wanted = cells(reference("lab-log", 1))
    assert len(wanted) == 6
    for given in answers_to("lab-log", 1):
        assert (cells(given.text) == wanted) == (given.quality >= 7), given.model


@pytest.mark.parametrize(
    ("question", "turn", "least", "most"),
    [
        ("library-notice", 1, 1, 80),
        ("library-notice", 2, 60, 110),
        ("salt-on-ice", 1, 1, 120),
        ("museum-mask", 1, 1, 220),
    ],
)
def test_good_answers_keep_to_the_length_asked(
    question: str, turn: int, least: int, most: int
) -> None:
    for given in answers_to(question, turn):
        if given.quality >= GOOD:
            assert least <= len(given.text.split()) <= most, given.model
            assert (question, turn) != ("library-notice", 1) or "!" not in given.text


# ── practice.jsonl ──────────────────────────────────────────────────────────

LESSONS: list[dict[str, Any]] = [
    json.loads(line) for line in (FOLDER / "practice.jsonl").read_text("utf-8").splitlines()
]


def test_the_lessons_fit_the_stated_qualities_and_show_every_kind_of_outcome() -> None:
    for lesson in LESSONS:
        first, second = (
            quality_of(lesson["question"], lesson["turn"], lesson[name])
            for name in ("model_1", "model_2")
        )
        expected = (
            "both_bad"
            if max(first, second) <= BAD
            else "tie"
            if abs(first - second) < CLEAR
            else "model_1"
            if first > second
            else "model_2"
        )
        assert lesson["choice"] == expected, lesson["question"]
        assert expected != "tie" or min(first, second) >= GOOD
    assert {lesson["choice"] for lesson in LESSONS} == {"model_1", "model_2", "tie", "both_bad"}
    assert 4 <= len(LESSONS) <= 5
    by_pair = Counter((one["question"], one["model_1"], one["model_2"]) for one in LESSONS)
    assert 2 in by_pair.values(), "one pair should teach that turns are voted on by themselves"


def test_the_reasons_tell_nobody_which_side_or_model_was_right() -> None:
    birds = re.compile("|".join(model.split("-")[0] for model in MODELS), re.IGNORECASE)
    for lesson in LESSONS:
        assert len(lesson["why"]) > 100
        assert not birds.search(lesson["why"])
        assert not re.search(r"\b(A|B|left|right-hand)\b", lesson["why"])


def test_the_lessons_are_imported_into_a_study_of_the_sample(tmp_path: Path) -> None:
    from db.practising import Phase
    from db.store import Store
    from tui.importing import import_path

    study = tmp_path / "study.db"
    import_path(study, FOLDER / "study.jsonl")
    done = import_path(study, FOLDER / "practice.jsonl")
    assert done.summary.new["lessons"] == len(LESSONS)
    again = import_path(study, FOLDER / "practice.jsonl")
    assert again.summary.unchanged["lessons"] == len(LESSONS)
    with Store(study) as store:
        assert all(kept.shown for kept in store.lessons.all())
        assert store.practising.phase(store.annotator("ann")) is Phase.PRACTICE

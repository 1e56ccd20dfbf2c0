"""A study that is exported and imported again says the same: labels, statistics, histories."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.adjudication.case import RulingSeen
from core.beside_logs import Queued
from core.errors import BadInput, Conflict, TiebreakError
from core.layouts.rows import Options
from core.records import (
    Annotator,
    Answer,
    Choice,
    LessonUse,
    Pair,
    Question,
    Record,
    Role,
    Seen,
    Verdict,
    VerdictStatus,
    Vote,
)
from core.stats import Options as Chosen
from core.stats import Tally, compute
from db import chain
from db.feed import Feed
from db.pairs import make
from db.ruling_queue import RulingQueue
from db.store import Store
from tests.studies import (
    FILES,
    FakeClock,
    as_lines,
    every_record,
    located,
    rows,
    since_version_2,
    since_version_5,
    since_version_6,
    since_version_7,
    vote,
    write_lines,
)
from tests.tui.test_fastchat_readers import told as votes_and_verdicts
from tui.exporting import gold_rows, write_files
from tui.importing import import_path
from tui.manifests import Order

MODELS = ("ant", "bee", "cat")
DRAFT = "a thought that nobody has said yet"
OF_LEADS = {"deference", "gold_error", "leads", "gold_agreement", "coverage", "win_rate"}
"""Statistics that rest on what stands beside the logs."""


def subjects() -> list[Record]:
    found: list[Record] = []
    for number in range(10, 16):
        found.append(Question(f"q{number}", (f"What of {number}?",), "maths"))
        found += [Answer(f"q{number}", model, (f"{model} {number}",)) for model in MODELS]
    return found


def lived_in(path: Path, seed: int, steps: int = 60) -> Path:
    """A study in which people vote, judges judge, and two leads do all that leads can do."""
    random, clock = Random(seed), FakeClock()
    with Store(path, create=True, clock=clock) as store:
        store.fix_seed(f"seed {seed}")
        store.set({"ruling_sample_agreements": 0.5, "ruling_sample_conflicts": 0.5})
        later = [*since_version_2(), *since_version_5(), *since_version_6(), *since_version_7()]
        store.ingest.take(located([*every_record(), *later, *subjects()]), FILES)
        store.people.add(Annotator("max", Role.LEAD), [])
        make(store, sample=8, overlap=3)
        make(store, against="cat", overlap=2)
        people = {name: store.annotator(name) for name in ("cleo", "dov", "eve")}
        leads = [RulingQueue(store, "lea", "ssh:key"), RulingQueue(store, "max")]
        for number in range(30):
            clock.forward(seconds=7)
            name = random.choice(list(people))
            served = store.serving.serve(people[name])
            if served is not None:
                choice = random.choice([Seen.LEFT, Seen.LEFT, Seen.RIGHT, Seen.TIE, Seen.BOTH_BAD])
                turn = served.next_turn or served.turns[-1]
                vote(store, people[name], served, choice, turn=turn, id=f"{name}-{number}")
        pairs = [Pair(f"q{n}", *two) for n in range(10, 16) for two in (("ant", "bee"),)]
        verdicts = [
            Verdict(f"x{n}{left}", pair, 1, "j", VerdictStatus.OK, random.choice([*Choice]), left)
            for n, pair in enumerate(pairs)
            for left in (1, 2)
        ]
        store.ingest.take(located(verdicts), FILES)
        for number in range(steps):
            clock.forward(seconds=11)
            act(random, random.choice(leads), number)
        key = f"{Pair('q12', 'bee', 'cat').key}/1"
        leads[0].keep_draft(key, None, DRAFT)
    return path


def act(random: Random, lead: RulingQueue, number: int) -> None:
    """One thing that a lead does, if they may."""
    made = rows_of(lead)
    step = random.choice(["rule"] * 4 + ["unmask", "revise", "undo", "second", "teach", "more"])
    choice = random.choice([RulingSeen.LEFT, RulingSeen.RIGHT, RulingSeen.TIE])
    try:
        if step in ("rule", "more"):
            case = lead.next()
            if case is not None:
                said = RulingSeen.MORE_VOTES if step == "more" else choice
                lead.rule(
                    case.key, said, f"because {number}", id=f"r-{number}", final=number % 5 == 0
                )
        elif step == "undo":
            lead.undo(id=f"u-{number}")
        elif made:
            key = random.choice(made)
            if step == "unmask":
                lead.unmask(key)
            elif step == "revise":
                lead.unmask(key)
                lead.revise(key, choice, f"on reflection {number}", id=f"v-{number}")
            elif step == "second":
                lead.ask_second(key, f"not sure {number}", id=f"s-{number}")
            else:
                lead.teach(key, random.choice([*LessonUse]))
    except TiebreakError:
        pass  # a lead is told so, and goes on


def rows_of(lead: RulingQueue) -> list[str]:
    from db.ruling_reports import made_by

    with lead.store.read() as connection:
        return [one.key for one in made_by(connection, lead.lead)]


def moved(path: Path, folder: Path) -> tuple[Path, str]:
    """A study in a new file, by way of an export."""
    with Store(path) as store:
        text = as_lines(store.reading.records())
    file, target = folder / "study.jsonl", folder / f"moved-{path.name}"
    file.write_text(text, encoding="utf-8", newline="")
    import_path(target, file)
    return target, text


def statistics(path: Path, only: set[str] | None = None) -> list[dict[str, Any]]:
    with Store(path) as store:
        feed = Feed(store, Tally())
        feed.catch_up(times=True)
        return [one.to_json() for one in compute(feed.tally, Chosen(replicates=100), only)]


def gold(path: Path) -> list[dict[str, Any]]:
    """Every row with its trail, but for how each vote was served, which stays behind."""
    with Store(path) as store:
        found = list(gold_rows(store, Options(names=True, notes=True)))
    for row in found:
        row["votes"] = [
            {name: value for name, value in one.items() if name not in ("policy", "probability")}
            for one in row["votes"]
        ]
    return found


def said(path: Path, log: str) -> list[dict[str, Any]]:
    """A log's rows, but for how a vote was served and which file it came from."""
    left = ("assignment", "policy", "probability", "source", "shown" if log != "ruling" else "")
    with Store(path) as store:
        return [
            {name: value for name, value in row.items() if name not in left}
            for row in chain.read(store.connection, log)
        ]


def same(path: Path, folder: Path, only: set[str] | None = None) -> None:
    target, text = moved(path, folder)
    with Store(target) as store:
        assert as_lines(store.reading.records()) == text
        assert store.verify() == []
    assert gold(target) == gold(path)
    for log in chain.LOGS:
        assert said(target, log) == said(path, log)
    assert statistics(target, only) == statistics(path, only)
    for table in ("ruling_draft", "ruling_lease", "draft", "assignment"):
        assert rows(target, f"SELECT count(*) FROM {table}") == [(0,)], table
    assert DRAFT not in text


def test_every_statistic_and_every_label_is_the_same_after_the_journey(tmp_path: Path) -> None:
    path = lived_in(tmp_path / "study.db", 3, steps=80)
    same(path, tmp_path)
    # The study that made the journey holds all that could have been lost on it.
    counts = "SELECT (SELECT count(*) FROM unmasking), (SELECT count(*) FROM second_opinion), "
    counts += "(SELECT count(*) FROM second_opinion WHERE answered_by IS NOT NULL), "
    counts += (
        "(SELECT count(*) FROM ruling WHERE choice IS NULL), (SELECT sum(final) FROM ruling), "
    )
    counts += "(SELECT count(*) FROM ruling WHERE queue_probability < 1), "
    counts += "(SELECT count(DISTINCT probability) FROM queue), (SELECT sum(extra) FROM queue), "
    counts += "(SELECT count(*) FROM ruling_draft), "
    counts += "(SELECT count(*) FROM vote WHERE flag != ''), "
    counts += "(SELECT count(*) FROM lesson), (SELECT count(*) FROM vote WHERE repeat), "
    counts += "(SELECT count(*) FROM vote WHERE cannot_judge IS NOT NULL), "
    counts += "(SELECT count(*) FROM vote WHERE tags != '[]' AND criteria != '{}')"
    assert min(rows(path, counts)[0]) >= 1, rows(path, counts)
    with Store(path) as store:
        queued = [one.probability for one in store.reading.records() if isinstance(one, Queued)]
    assert None in queued
    assert len(set(queued)) > 1


OF_VOTES = {
    "agreement", "agreement_by_pair", "ranking", "win_rate", "elo", "position", "reliability",
    "both_bad_use",
}  # fmt: skip
"""Statistics of votes that name no annotator."""


@pytest.mark.parametrize("layout", ["jsonl", "csv", "mt_bench", "arena"])
def test_votes_in_any_layout_come_back_as_the_same_numbers(tmp_path: Path, layout: str) -> None:
    path, output = tmp_path / "study.db", tmp_path / "votes"
    # The others are written by question, in which order draws fall otherwise;
    # an MT-bench file cannot say whether its first model stood left.
    is_in_order = layout in ("jsonl", "csv")
    lost = {"mt_bench": {"position"}}
    only = OF_VOTES - lost.get(layout, set())
    with Store(path, create=True) as store:
        votes = [one for one in votes_and_verdicts() if isinstance(one, Vote)]
        store.ingest.take(located(votes), FILES)
        chosen = Options(both_bad="as-tie") if layout == "mt_bench" else Options()
        if layout != "mt_bench":
            output = output.with_suffix(".json" if layout == "arena" else f".{layout}")
        write_files(store, Order("votes", layout, chosen), output)
    file = output / "human_judgments.json" if output.is_dir() else output
    import_path(tmp_path / "again.db", file)
    there, here = (
        [row for each in statistics(study, only) for row in each["estimates"]]
        for study in (tmp_path / "again.db", path)
    )
    assert sum(bool(row["value"]) for row in here) > 15
    if is_in_order:
        assert there == here
    keys = ("labels", "k", "n", "reason")
    assert [[row.get(key) for key in keys] for row in there] == [
        [row.get(key) for key in keys] for row in here
    ]
    values = [[row["value"] or 0 for row in rows] for rows in (there, here)]
    assert values[0] == pytest.approx(values[1], rel=1e-4, abs=1e-6)


@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6))
def test_whatever_leads_did_makes_the_journey(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("lived")
    same(lived_in(folder / "study.db", seed, steps=25), folder, OF_LEADS)


def test_the_journey_twice_changes_nothing(tmp_path: Path) -> None:
    path = lived_in(tmp_path / "study.db", 4)
    target, _ = moved(path, tmp_path)
    again = import_path(target, tmp_path / "study.jsonl").summary
    assert not any(again.new.values())
    assert again.unchanged["second opinions asked"]


PAIR = {"question": "q1", "model_1": "ant", "model_2": "bee"}
WISH = {"type": "second_opinion", "id": "s1", **PAIR, "lead": "lea", "why": "unsure"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"type": "queued", **PAIR, "overlap": 2}, "'probability': is missing"),
        ({"type": "queued", **PAIR, "probability": 0, "overlap": 2}, "'probability': is 0"),
        ({"type": "queued", **PAIR, "probability": 0.5}, "'overlap': is missing"),
        ({"type": "queued", **PAIR, "probability": 0.5, "overlap": 1, "extra": 2}, "'extra'"),
        ({"type": "unmasking", **PAIR}, "'lead': is missing"),
        ({**WISH, "why": " "}, "'why': is empty"),
        ({**WISH, "answered_by": "r9"}, "ruling 'r9', which answers this wish, is not in the"),
        ({**WISH, "turn": 2, "answered_by": "r2"}, "answers this wish, is about something else"),
        (
            {"type": "queued", "question": "q9", "model_1": "ant", "model_2": "wasp",
             "probability": 1, "overlap": 1},
            "nobody can be shown this pair",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_line(
    tmp_path: Path, line: dict[str, Any], problem: str
) -> None:
    file = write_lines(tmp_path / "more.jsonl", *as_lines(every_record()).splitlines(), line)
    with pytest.raises((BadInput, Conflict)) as refused:
        import_path(tmp_path / "study.db", file)
    number = len(every_record()) + 1
    assert refused.value.message.startswith(f"{file}:{number}")
    assert problem in refused.value.message


def test_a_wish_of_another_s_id_is_refused(tmp_path: Path) -> None:
    lines = as_lines(every_record()).splitlines()
    file = write_lines(tmp_path / "a.jsonl", *lines, WISH, {**WISH, "lead": "max"})
    with pytest.raises(TiebreakError, match="'s1' is already in the study and says otherwise"):
        import_path(tmp_path / "study.db", file)
    # What is answered meanwhile stays answered, whichever line is read last.
    file = write_lines(tmp_path / "b.jsonl", *lines, {**WISH, "answered_by": "r1"}, WISH)
    import_path(tmp_path / "study.db", file)
    assert rows(tmp_path / "study.db", "SELECT answered_by FROM second_opinion") == [("r1",)]


def test_the_lines_are_what_the_documentation_says(tmp_path: Path) -> None:
    _, text = moved(lived_in(tmp_path / "study.db", 5), tmp_path)
    kinds = [json.loads(line)["type"] for line in text.splitlines()]
    assert {"queued", "unmasking", "second_opinion"} <= set(kinds)
    assert kinds.index("unmasking") > max(n for n, kind in enumerate(kinds) if kind == "ruling")

"""Small studies, a clock that stands still, and what one needs to look at a study from outside."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from core.beside_logs import Queued, SecondOpinion, Unmasking
from core.errors import Where
from core.formats import Located, native
from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Lesson,
    LessonUse,
    Pair,
    Question,
    Record,
    Role,
    Ruling,
    RulingChoice,
    RulingStage,
    Score,
    Seen,
    Setting,
    Verdict,
    VerdictStatus,
    Vote,
)
from db.ingest import File
from db.pairs import make
from db.schema import LATEST
from db.serving import Draft, Served
from db.store import Store
from db.voting import Cast
from tests.waiting import PATIENCE

SHARED = Path(__file__).parents[1] / "../shared/data"
"""Published data sets, which lie beside the project where they lie at all."""

FILE = "study.jsonl"
FILES = {FILE: File(FILE, "native", "0" * 64)}


class FakeClock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime(2024, 3, 1, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        """Go on, or back where it is negative: ``minutes=5``."""
        self.moment += timedelta(**by)


def located(records: Iterable[Record], path: str = FILE) -> Iterator[Located]:
    """Records as a reader would yield them, one a line."""
    return ((Where(path, line), record) for line, record in enumerate(records, 1))


def questions_and_answers(
    questions: int, models: Sequence[str], turns: int = 1
) -> Iterator[Question | Answer]:
    """Questions ``q1``, ``q2`` … with an answer of each model; every text is another."""
    for number in range(1, questions + 1):
        key = f"q{number}"
        yield Question(key, tuple(f"{key}, turn {turn}?" for turn in range(1, turns + 1)), "maths")
        for model in models:
            texts = tuple(f"{model} on {key}, turn {turn}" for turn in range(1, turns + 1))
            yield Answer(key, model, texts)


def make_study(
    path: Path,
    *,
    questions: int = 3,
    models: Sequence[str] = ("ant", "bee"),
    turns: int = 1,
    overlap: int = 1,
    clock: FakeClock | None = None,
    **settings: object,
) -> Path:
    """A study whose pairs are queued and nobody has voted on."""
    with Store(path, create=True, clock=clock or FakeClock()) as store:
        store.fix_seed("a fixed seed")
        store.set(settings)
        store.ingest.take(located(questions_and_answers(questions, models, turns)))
        make(store, overlap=overlap)
    return path


def every_record() -> list[Record]:
    """Each kind of record, with histories, failures, both_bad, zeros and placeholders."""
    pair, other = Pair("q1", "ant", "bee"), Pair("q2", "ant", "bee")
    unknown = Pair("q9", "ant", "wasp")
    return [
        Setting("name", "A study"),
        Setting("show_reference", False),
        Setting("dwell_ms", 0),
        Question("q1", ("One?", "And then?"), "maths", ("A reference", None), "a book"),
        Question("q2", ("Two?",)),
        Answer("q1", "ant", ("a1", "a2"), "Be brief.", {"temperature": 0.5}),
        Answer("q1", "bee", ("b1", "b2"), None, {}, "a log"),
        Answer("q2", "ant", ("a1",)),
        Answer("q2", "bee", ("",)),
        pair,
        Annotator("ann", group="expert", attributes={"years": 3}),
        Annotator("bob"),
        Annotator("sim", simulated=True),
        Annotator("lea", Role.LEAD),
        Judge("j", "prompted", "m-1", "http://j", "pairwise", "abc", {"seed": 0}, "r1"),
        Judge("k", "imported"),
        Vote("v1", pair, 1, "ann", Choice.MODEL_1, "ssh:key", 2, None, 0, "n", "f", 0.0, "2024"),
        Vote("v2", pair, 1, "ann", None, supersedes="v1"),
        Vote("v3", pair, 1, "ann", Choice.BOTH_BAD, left=1, supersedes="v2"),
        Vote("v4", pair, 0, "bob", Choice.TIE, active_seconds=12.5),
        Vote("v5", unknown, 1, "sim", Choice.MODEL_2),
        Verdict(
            "w1", pair, 1, "j", VerdictStatus.OK, Choice.MODEL_2, 1, 0, (0.0, 9.5), 0.0, "pairwise",
            "abc", "[[B]]", "I say [[B]]", "because", "", 0, 7, 0.25, 0.0, 1, None, "2024",
        ),
        Verdict("w2", pair, 1, "j", VerdictStatus.UNPARSED, left=2, raw="?", error="no label"),
        Verdict("w3", pair, 1, "j", VerdictStatus.REFUSED, left=2, attempts=0, supersedes="w2"),
        Verdict("w4", other, 1, "k", VerdictStatus.OK, Choice.BOTH_BAD),
        Ruling("r1", pair, 1, "lea", RulingStage.BLIND, RulingChoice.MORE_VOTES, "split\nvotes"),
        Ruling(
            "r2", pair, 1, "lea", RulingStage.UNMASKED, RulingChoice.MODEL_1, "clear", 2,
            {"votes": 2}, "split", 0.25, "r1", "local:lea", "2024",
        ),
        Ruling("r3", other, 1, "lea", RulingStage.BLIND, RulingChoice.BOTH_BAD, "both wrong"),
    ]  # fmt: skip


def since_version_2() -> list[Record]:
    """What version 1 could not hold: lessons, repeats, tags, criteria, and who cannot judge."""
    pair, other = Pair("q1", "ant", "bee"), Pair("q2", "ant", "bee")
    return [
        Lesson(pair, 1, Choice.MODEL_2, "Only one\nis right.", LessonUse.QUALIFICATION),
        Lesson(other, 1, Choice.TIE),
        Vote("v6", other, 1, "ann", None, cannot_judge="not my field", note="sorry"),
        Vote(
            "v7", other, 1, "bob", Choice.MODEL_2, left=1, repeat=1, confidence=2,
            tags=("clear", "größer"), criteria={"style": Choice.TIE, "accuracy": Choice.MODEL_2},
        ),
    ]  # fmt: skip


def since_version_5() -> list[Any]:
    """What version 4 could not hold: how a verdict came about."""
    pair = Pair("q2", "ant", "bee")
    return [
        Verdict(
            "w5", pair, 1, "j", VerdictStatus.OK, Choice.TIE, 1, sent_hash="5e",
            probabilities={"left": 0.0, "right": 0.25, "tie": 0.75}, endpoint="http://j/v1",
            served_model="m-1 (r1)",
        ),
        Verdict("w6", pair, 1, "j", VerdictStatus.FAILED, left=2, failure="timed out"),
    ]  # fmt: skip


def since_version_6() -> list[Record]:
    """What version 5 could not hold: scores on benchmarks."""
    return [Score("exam", "ant", 1.5, 1.0, 2.25, source="the web"), Score("exam", "größer", -3.0)]


def since_version_7() -> list[Any]:
    """What version 6 could not hold: rulings withdrawn or final, and what stands beside these."""
    pair = Pair("q2", "ant", "bee")
    return [
        Ruling("r4", pair, 1, "lea", RulingStage.BLIND, None, "", supersedes="r3"),
        Ruling("r5", pair, 1, "lea", RulingStage.BLIND, RulingChoice.TIE, "so", final=True),
        Queued(pair, 0.5, 3, 1),
        Unmasking(pair, 1, "lea", "2024"),
        SecondOpinion("o1", pair, 1, "lea", "not sure", "2024", "r5"),
    ]


def full_study(path: Path, clock: FakeClock | None = None, *, version: int = LATEST) -> Path:
    """A study with every kind of record, imported from a file, and votes cast in it.

    Args:
        version: only what a study of this version could hold.
    """
    with Store(path, create=True, clock=clock or FakeClock()) as store:
        store.fix_seed("a fixed seed")
        later = since_version_2() if version >= 2 else []
        later += since_version_5() if version >= 5 else []
        later += since_version_6() if version >= 6 else []
        later += since_version_7() if version >= 7 else []
        store.ingest.take(located([*every_record(), *later]), FILES)
        make(store, overlap=2)
        cleo = store.annotator("cleo")
        served = serve(store, cleo)
        store.serving.keep_draft(served.assignment, served.turns[0], Draft("thinking"))
        vote(store, cleo, served, Seen.RIGHT, note="hm", flag="flagged", id="c1")
        store.voting.undo(cleo, "local:cleo", "c2")
        vote(store, cleo, served, Seen.BOTH_BAD, active_seconds=3.5, id="c3")
        store.voting.skip(cleo, serve(store, cleo).assignment, "too long")
    return path


def serve(store: Store, annotator: int) -> Served:
    """The next pair, of which there must be one."""
    served = store.serving.serve(annotator)
    assert served is not None
    return served


def vote(store: Store, annotator: int, served: Served, seen: Seen, **fields: Any) -> bool:
    """Cast a vote on the first turn of what was served, or on ``turn``."""
    fields = {"id": f"vote-{annotator}-{served.assignment}", "turn": served.turns[0], **fields}
    return store.voting.cast(
        annotator, f"local:{annotator}", Cast(assignment=served.assignment, seen=seen, **fields)
    )


def state(store: Store, assignment: int) -> str:
    """What became of an assignment."""
    query = "SELECT state FROM assignment WHERE id = ?"
    return str(store.connection.execute(query, (assignment,)).fetchone()[0])


def load(store: Store, assignment: int) -> int:
    """How many hold a slot of an assignment's pair."""
    query = "SELECT load FROM queue JOIN assignment USING (pair_id) WHERE id = ?"
    return int(store.connection.execute(query, (assignment,)).fetchone()[0])


def lift_guard(connection: sqlite3.Connection) -> None:
    """Let a test set what an annotator's connection refuses."""
    sqlite3.Connection.set_authorizer(connection, None)


def allow_no_growth(connection: sqlite3.Connection) -> None:
    """Let the file grow no more, as on a full disk. A blind connection then sees again."""
    lift_guard(connection)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def dump(path: Path) -> str:
    """Everything a study file holds, as SQL text, read from outside."""
    with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        return "\n".join(connection.iterdump())


def rows(path: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask a study file something from outside."""
    with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
        return connection.execute(query, values).fetchall()


def as_lines(records: Iterable[Record]) -> str:
    """Records in the native format."""
    stream = io.StringIO()
    assert native.FORMAT.write is not None
    native.FORMAT.write(records, stream)
    return stream.getvalue()


def write_lines(path: Path, *lines: object) -> Path:
    """A file of one JSON object a line; a text or bytes stand as they are."""
    with path.open("wb") as stream:
        for line in lines:
            raw = line if isinstance(line, bytes) else None
            text = line if isinstance(line, str) else json.dumps(line, default=str)
            stream.write((text.encode() if raw is None else raw) + b"\n")
    return path


# ── generated studies ───────────────────────────────────────────────────────

BODIES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
"""Texts as they may stand in an answer or a note: anything but half a surrogate pair."""

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    lambda name: bool(name.strip())
)
"""Names: one line, not empty."""

_JSON = st.dictionaries(
    BODIES, st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False,
    allow_infinity=False) | BODIES | st.lists(st.integers(), max_size=3), max_size=3,
)  # fmt: skip
_FRACTIONS = st.none() | st.floats(0, 1)


@st.composite
def studies(draw: st.DrawFn) -> list[Record]:
    """Whole studies: both_bad, withdrawals, failures, rulings, placeholders, hostile texts."""
    models = draw(st.lists(NAMES, min_size=2, max_size=3, unique=True))
    keys = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    people = draw(st.lists(NAMES, min_size=2, max_size=3, unique=True))
    records: list[Record] = []
    for key in keys:
        turns = draw(st.integers(0, 3))
        if turns:
            texts = st.lists(BODIES, min_size=turns, max_size=turns).map(tuple)
            category, source = draw(st.none() | NAMES), draw(st.none() | NAMES)
            references = draw(
                st.just(()) | st.lists(st.none() | BODIES, min_size=turns, max_size=turns)
            )
            known = tuple(references) if any(r is not None for r in references) else ()
            records.append(Question(key, draw(texts), category, known, source))
            for model in models:
                prompt, settings = draw(st.none() | NAMES), draw(_JSON)
                records.append(Answer(key, model, draw(texts), prompt, settings))
    pairs = [Pair.of(key, a, b)[0] for key in keys for a in models for b in models if a != b]
    *others, lead = people
    records += [
        Annotator(name, Role.ANNOTATOR, draw(NAMES), draw(st.booleans()), draw(_JSON))
        for name in others
    ]
    records += [Annotator(lead, Role.LEAD), Judge("judge", "prompted", "m", parameters=draw(_JSON))]
    records += _events(draw, pairs, people)
    return records


def _events(draw: st.DrawFn, pairs: list[Pair], people: list[str]) -> Iterator[Record]:
    left = st.sampled_from([None, 1, 2])
    for number in range(draw(st.integers(0, 5))):
        pair, turn = draw(st.sampled_from(pairs)), draw(st.integers(0, 2))
        person, before = draw(st.sampled_from(people)), None
        for step in range(draw(st.integers(1, 3))):
            choice = draw(st.sampled_from(Choice) | st.none()) if step else Choice.BOTH_BAD
            key = f"v{number}.{step}"
            yield Vote(
                key, pair, turn, person, choice, draw(NAMES), draw(left), before,
                draw(st.none() | st.integers(0, 100)), draw(BODIES), draw(BODIES),
                draw(st.none() | st.floats(0, 1e6)), draw(NAMES),
            )  # fmt: skip
            before = key
    for number in range(draw(st.integers(0, 3))):
        status = draw(st.sampled_from(VerdictStatus))
        choice = draw(st.sampled_from(Choice)) if status is VerdictStatus.OK else None
        scores = draw(st.none() | st.tuples(st.floats(-9, 9), st.floats(-9, 9)))
        whole = st.none() | st.integers(0, 10**9)
        yield Verdict(
            f"w{number}", draw(st.sampled_from(pairs)), draw(st.integers(0, 2)), "judge", status,
            choice, draw(left), draw(st.integers(0, 3)), scores, draw(_FRACTIONS), draw(BODIES),
            draw(BODIES), draw(BODIES), draw(st.none() | NAMES), draw(st.none() | NAMES),
            draw(BODIES), draw(whole), draw(whole), draw(_FRACTIONS), draw(_FRACTIONS),
            draw(st.integers(0, 5)),
        )  # fmt: skip
    for number in range(draw(st.integers(0, 2))):
        yield Ruling(
            f"r{number}", draw(st.sampled_from(pairs)), draw(st.integers(0, 2)), people[-1],
            draw(st.sampled_from(RulingStage)), draw(st.sampled_from(RulingChoice)), draw(NAMES),
            draw(left), draw(_JSON), draw(BODIES), draw(st.none() | st.floats(0.001, 1)),
        )  # fmt: skip

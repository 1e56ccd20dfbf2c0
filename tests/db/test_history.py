"""One's own votes: what is listed, what a search finds, and what changes and undo leave."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.records import Choice, Pair, Seen, Vote
from core.seeking import Wanted
from core.times import ago
from db.history import CHANGED, STANDS, TAKEN_BACK, Superseded
from db.serving import Draft
from db.store import Store
from db.undoing import Undone
from tests.db.test_plans import scans
from tests.studies import FakeClock, load, located, make_study, rows, serve, state, vote


def sifted(store: Store, who: int, typed: str = "", *, every: bool = False) -> list[int]:
    votes = store.history.sift(who, Wanted(typed), every=every)
    return [seq for seq, fits in votes if fits]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(make_study(tmp_path / "s.db", questions=3, turns=2, overlap=2)) as opened:
        yield opened


# ── what is listed ──────────────────────────────────────────────────────────


def test_own_standing_votes_are_listed_newest_first_and_the_others_on_demand(
    store: Store,
) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    first = serve(store, ann)
    vote(store, ann, first, Seen.LEFT, id="v1")
    vote(store, bob, serve(store, bob), Seen.TIE, id="b1")
    vote(store, ann, first, Seen.BOTH_BAD, turn=2, id="v2", note="why\nso", flag="flagged")
    vote(store, ann, first, Seen.RIGHT, id="v3")
    vote(store, ann, serve(store, ann), Seen.TIE, id="v4")
    store.voting.undo(ann, "local:ann", "u")
    past = store.history.look_up(ann, sifted(store, ann))
    assert [past[seq].id for seq in sifted(store, ann)] == ["v3", "v2"]
    assert past[3].draft == Draft("why\nso", "flagged")
    assert (past[3].question, past[3].turn, past[3].turns) == ("q1, turn 2?", 2, 2)
    assert (past[3].category, past[3].seen, past[3].became) == ("maths", Seen.BOTH_BAD, STANDS)
    every = store.history.look_up(ann, sifted(store, ann, every=True))
    assert {one.id: one.became for one in every.values()} == {
        "v1": CHANGED, "v2": STANDS, "v3": STANDS, "v4": TAKEN_BACK,
    }  # fmt: skip
    assert store.history.look_up(bob, list(every)) == {}
    assert store.history.standing(bob, first.assignment, 1) is None
    found = store.history.standing(ann, first.assignment, 1)
    assert found is not None
    assert found.id == "v3"


def test_imported_votes_are_not_listed_for_nobody_knows_how_they_were_shown(store: Store) -> None:
    pair = Pair("q1", "ant", "bee")
    store.ingest.take(located([Vote("i", pair, 1, "ann", Choice.TIE)]))
    assert sifted(store, store.annotator("ann"), every=True) == []


@pytest.mark.parametrize("repeat", [True, False])
def test_votes_on_an_open_question_cannot_be_looked_up_be_it_a_hidden_repeat_or_not(
    tmp_path: Path, *, repeat: bool
) -> None:
    models = ("ant", "bee", "cat")
    study = make_study(tmp_path / "s.db", models=models, turns=2, repeat_percent=10)
    with Store(study) as store:
        ann = store.annotator("ann")
        served = serve(store, ann)
        vote(store, ann, served, Seen.LEFT, id="v1")
        vote(store, ann, served, Seen.LEFT, turn=2, id="v2")
        (question,) = store.connection.execute(
            "SELECT question_id FROM vote v JOIN pair p ON p.id = v.pair_id LIMIT 1"
        ).fetchone()
        with store.write() as connection:
            connection.execute(
                "INSERT INTO assignment (uid, pair_id, annotator_id, repeat, left, policy, "
                "policy_version, seed, probability, served_at, lease_until, state) "
                "SELECT 'open', p.id, a.annotator_id, ?1, a.left, a.policy, a.policy_version, "
                "a.seed, a.probability, a.served_at, a.lease_until, 'open' FROM assignment a "
                "JOIN pair p ON p.question_id = ?2 AND (p.id = a.pair_id) = ?1 LIMIT 1",
                (repeat, question),
            )
        (opened,) = store.connection.execute(
            "SELECT id FROM assignment WHERE uid = 'open'"
        ).fetchone()
        assert sifted(store, ann, every=True) == []
        again = store.serving.look_again(opened)
        vote(store, ann, again, Seen.TIE, id="r1")
        assert sifted(store, ann) == [3]  # what is in view anyway
        vote(store, ann, again, Seen.TIE, turn=2, id="r2")
        assert sifted(store, ann) == [4, 3, 2, 1]


def test_a_long_history_comes_page_by_page_and_whole(tmp_path: Path) -> None:
    with Store(make_study(tmp_path / "s.db", questions=150)) as store:
        ann = store.annotator("ann")
        for number in range(150):
            vote(store, ann, serve(store, ann), Seen.TIE, note=f"n{number % 3}")
        assert sifted(store, ann) == list(range(150, 0, -1))
        assert sifted(store, ann, "n1") == [seq for seq in range(150, 0, -1) if seq % 3 == 2]


# ── searching ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", [2, 1]),
        ("q1,", [2, 1]),
        ("ant", [2, 1]),
        ("bee ANT", []),
        ("turn 2", [2]),  # the first vote was cast before turn 2 was seen
        ("größer", [1]),
        ("GRÖSSER", []),
        ("Größer", [1]),
        ("bad", [2]),
        ("both bad flagged", [2]),
        ("A better", [1]),
        ("größer bee maths", [1]),
        ("nowhere", []),
    ],
)
def test_all_words_are_found_wherever_they_stand(
    store: Store, typed: str, found: list[int]
) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    vote(store, ann, served, Seen.LEFT, note="ist Größer", id="v1")
    vote(store, ann, served, Seen.BOTH_BAD, turn=2, flag="flagged", id="v2")
    assert sifted(store, ann, typed) == found


@given(
    st.lists(st.text("abAB ßé", max_size=6), max_size=4),
    st.text("abAB ßé", max_size=6),
)
def test_words_are_found_in_pieces_as_in_the_whole(texts: list[str], typed: str) -> None:
    """Against a plain reading: each word is in one of the texts."""
    wanted = Wanted(typed)
    found = 0
    for text in texts:
        found |= wanted.found_in(text)

    def stands(word: str, text: str) -> bool:
        exact = any(character.isupper() for character in word)
        return word in text if exact else word.casefold() in text.casefold()

    plain = all(any(stands(word, text) for text in texts) for word in typed.split())
    assert (found == wanted.all) is plain


def test_a_search_ends_when_it_is_told_to(store: Store) -> None:
    ann = store.annotator("ann")
    for _ in range(2):
        served = serve(store, ann)
        vote(store, ann, served, Seen.TIE, turn=1, id=f"{served.assignment}.1")
        vote(store, ann, served, Seen.TIE, turn=2, id=f"{served.assignment}.2")
    asked = count()
    votes = store.history.sift(ann, Wanted("nowhere"), is_ended=lambda: next(asked) > 8)
    assert 0 < len(list(votes)) < 4


def test_neither_list_nor_search_reads_a_table_whole(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    vote(store, ann, served, Seen.TIE, id="v1")
    statements: list[str] = []
    store.connection.set_trace_callback(statements.append)
    vote(store, ann, served, Seen.LEFT, id="v2")
    store.history.superseded_by("v2")
    store.history.look_up(ann, sifted(store, ann, "nowhere", every=True))
    store.history.standing(ann, served.assignment, 1)
    store.voting.undo(ann, "local:ann", "u")
    store.connection.set_trace_callback(None)
    assert len(statements) > 20
    assert scans(store, statements) == []


# ── changes and undo ────────────────────────────────────────────────────────


def test_undoing_a_change_brings_the_earlier_vote_back_as_it_was(store: Store) -> None:
    store.set({"confidence": "guess, certain", "tags": "clear", "criteria": "style"})
    ann = store.annotator("ann")
    served = serve(store, ann)
    vote(store, ann, served, Seen.TIE, id="v1", tags=("clear",), criteria={"style": Seen.LEFT},
         note="why", flag="flagged", confidence=2,
         active_seconds=4.5)  # fmt: skip
    vote(store, ann, served, Seen.LEFT, turn=2, id="t2")
    vote(store, ann, served, Seen.LEFT, id="v2")
    assert store.history.superseded_by("v2") == Superseded("v1", Seen.TIE)
    undone = store.voting.undo(ann, "local:ann", "u1")
    assert undone == Undone(served.assignment, 1, Seen.LEFT, restored=Seen.TIE)
    assert store.voting.undo(ann, "local:ann", "u1") == undone
    said = "seen, choice, note, flag, confidence, tags, criteria, active_seconds"
    before, after = (
        rows(store.path, f"SELECT {said} FROM vote WHERE id = ?", id)
        for id in ("v1", "u1-restored")
    )
    assert before == after
    assert state(store, served.assignment) == "done"
    assert store.serving.look_again(served.assignment).drafts == {}
    # What was cast before the change is what is undone next, and the first vote after it.
    assert store.voting.undo(ann, "local:ann", "u2") == Undone(served.assignment, 2, Seen.LEFT)
    assert store.voting.undo(ann, "local:ann", "u3") == Undone(served.assignment, 1, Seen.TIE)
    assert store.voting.undo(ann, "local:ann", "u4") is None
    assert store.verify() == []


def test_a_change_leaves_a_skipped_pair_skipped(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    vote(store, ann, served, Seen.TIE, id="v1")
    store.voting.skip(ann, served.assignment)
    before = load(store, served.assignment)
    vote(store, ann, served, Seen.LEFT, id="v2")
    assert (state(store, served.assignment), load(store, served.assignment)) == ("skipped", before)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2), st.sampled_from([*Seen, None])), max_size=12))
def test_votes_changes_and_undo_are_a_stack_and_one_vote_stands(
    deeds: list[tuple[int, Seen | None]],
) -> None:
    """A plain stack says what stands on each turn; the log only ever grows."""
    with tempfile.TemporaryDirectory() as folder:
        path = make_study(Path(folder) / "s.db", questions=1, turns=2, clock=FakeClock())
        with Store(path, clock=FakeClock()) as store:
            ann = store.annotator("ann")
            served = serve(store, ann)
            stack: list[tuple[int, Seen]] = []
            log: list[tuple[object, ...]] = []
            for number, (turn, seen) in enumerate(deeds):
                if seen is not None:
                    vote(store, ann, served, seen, turn=turn, id=f"v{number}")
                    stack.append((turn, seen))
                else:
                    undone = store.voting.undo(ann, "local:ann", f"u{number}")
                    assert (undone is None) is (not stack)
                    if undone is not None:
                        assert (undone.turn, undone.seen) == stack.pop()
                standing = dict(stack)
                assert store.serving.look_again(served.assignment).voted == standing
                past = store.history.look_up(ann, sifted(store, ann)).values()
                assert sorted((one.turn, one.seen) for one in past) == sorted(standing.items())
                assert load(store, served.assignment) == 1
                assert (state(store, served.assignment) == "done") is (len(standing) == 2)
                now = rows(path, "SELECT * FROM vote ORDER BY seq")
                assert now[: len(log)] == log
                log = now
            assert store.verify() == []


# ── how long ago ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("back", "said"),
    [
        ({"seconds": 30}, "just now"),
        ({"seconds": -600}, "just now"),
        ({"minutes": 59}, "59 min ago"),
        ({"hours": 1}, "1 h ago"),
        ({"hours": 23, "minutes": 59}, "23 h ago"),
        ({"days": 1}, "1 day ago"),
        ({"days": 30}, "30 days ago"),
        ({"days": 31}, "2024-03-01"),
    ],
)
def test_how_long_ago_is_said_as_people_say_it(back: dict[str, float], said: str) -> None:
    clock = FakeClock()
    at = clock().strftime("%Y-%m-%dT%H:%M:%S.000Z")
    clock.forward(**back)
    assert ago(at, clock()) == said


def test_a_moment_that_an_import_wrote_differently_is_shown_as_it_is() -> None:
    assert [ago(at, FakeClock()()) for at in ("2024", "", "2024-02-01 10:00")] == [
        "2024", "", "2024-02-01",
    ]  # fmt: skip

"""Details of votes in the log, and those who cannot judge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.asked import Details
from core.errors import Conflict
from core.records import Seen
from core.stats.tally import Tally
from db.feed import Feed
from db.pairs import make
from db.serving import Draft
from db.store import Store
from db.undoing import Undone
from db.voting import Cast, Declined
from tests.studies import FakeClock, load, make_study, rows, serve, state, vote

ASKS = {"criteria": "accuracy, style", "confidence": "guess, sure", "tags": "clear, short"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    path = make_study(tmp_path / "s.db", questions=3, turns=2, clock=FakeClock(), **ASKS)
    with Store(path, clock=FakeClock()) as opened:
        yield opened


def decline(store: Store, annotator: int, assignment: int, **fields: object) -> bool:
    said = {"id": f"d{annotator}-{assignment}", "turn": 1, "reason": "not my field", **fields}
    declined = Declined(assignment=assignment, **said)  # type: ignore[arg-type]
    return store.voting.decline(annotator, "local:me", declined)


# ── details ─────────────────────────────────────────────────────────────────


def test_criteria_mean_models_whatever_side_they_stood_on(store: Store) -> None:
    make(store, overlap=12)
    lefts = set()
    for name in "abcdefghijkl":
        me = store.annotator(name)
        served = serve(store, me)
        first = served.left[0].split()[0]  # the fixture's texts begin with who wrote them
        criteria = {"style": Seen.RIGHT, "accuracy": Seen.LEFT}
        vote(store, me, served, Seen.TIE, criteria=criteria, confidence=1, tags=("short",))
        (cast, _) = list(store.reading.votes())[-1]
        models = (cast.pair.model_1, cast.pair.model_2)
        assert getattr(cast.pair, cast.criteria["accuracy"]) == first
        assert models[cast.left == 1] == getattr(cast.pair, cast.criteria["style"])
        assert (cast.confidence, cast.tags) == (1, ("short",))
        assert serve(store, me).said == {1: Details(criteria, 1, ("short",))}
        lefts.add(cast.left)
    assert lefts == {1, 2}
    assert store.reading.counts()["votes_with_details"] == 12
    assert store.verify() == []


@pytest.mark.parametrize(
    "said",
    [
        {"criteria": {"tone": Seen.TIE}},
        {"tags": ("long",)},
        {"tags": ("clear", "clear")},
        {"confidence": 3},
    ],
)
def test_what_the_study_does_not_ask_is_refused(store: Store, said: dict[str, object]) -> None:
    me = store.annotator("me")
    served = serve(store, me)
    with pytest.raises(Conflict, match=r"this study has no|twice") as refusal:
        vote(store, me, served, Seen.TIE, **said)
    assert refusal.value.hint
    assert store.reading.counts()["vote_log_rows"] == 0


def test_one_id_says_one_thing_details_included(store: Store) -> None:
    me = store.annotator("me")
    served = serve(store, me)
    said = {"criteria": {"style": Seen.LEFT}, "confidence": 1, "tags": ("clear",)}
    assert vote(store, me, served, Seen.TIE, id="v", **said)
    assert not vote(store, me, served, Seen.TIE, id="v", **said)
    for other in ({"confidence": 2}, {"tags": ()}, {"criteria": {"style": Seen.RIGHT}}):
        with pytest.raises(Conflict, match="says otherwise"):
            vote(store, me, served, Seen.TIE, id="v", **{**said, **other})
    assert store.reading.counts()["vote_log_rows"] == 1


def test_a_lead_s_change_refuses_no_vote_of_who_sits_there_already(store: Store) -> None:
    me = store.annotator("me")
    served = serve(store, me)
    assert store.voting.asked.tags == ("clear", "short")
    with Store(store.path) as lead:
        lead.set({"tags": "long"})
    assert vote(store, me, served, Seen.TIE, tags=("clear",))


def test_an_undone_vote_s_details_are_offered_again(store: Store) -> None:
    me = store.annotator("me")
    served = serve(store, me)
    vote(store, me, served, Seen.LEFT, criteria={"accuracy": Seen.RIGHT})
    store.voting.undo(me, "local:me", "u")
    again = serve(store, me)
    assert again.voted == {}
    assert again.said == {1: Details({"accuracy": Seen.RIGHT})}


# ── who cannot judge ────────────────────────────────────────────────────────


def test_who_cannot_judge_frees_the_slot_and_never_gets_the_pair_again(store: Store) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    served = serve(store, ann)
    store.serving.keep_draft(served.assignment, 1, Draft("hm"))
    assert decline(store, ann, served.assignment, note="hm", flag="flagged", active_seconds=3)
    assert not decline(store, ann, served.assignment, note="hm")
    assert (state(store, served.assignment), load(store, served.assignment)) == ("declined", 0)
    ((_, _, choice, why, note, flag, seconds),) = rows(
        store.path,
        "SELECT id, seen, choice, cannot_judge, note, flag, active_seconds FROM vote",
    )
    assert (choice, why, note, flag, seconds) == (None, "not my field", "hm", "flagged", 3.0)
    assert rows(store.path, "SELECT * FROM draft") == []
    while one := store.serving.serve(ann):
        assert one.question != served.question
        for turn in one.turns:
            vote(store, ann, one, Seen.TIE, turn=turn, id=f"{one.assignment}.{turn}")
    assert store.serving.serve_skipped(ann) is None
    assert serve(store, bob).question == served.question
    progress = store.serving.progress(ann)
    assert (progress.done, progress.declined, progress.left) == (2, 1, 0)
    assert store.verify() == []


def test_it_counts_as_no_vote_anywhere_and_is_counted_by_itself(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    vote(store, ann, served, Seen.LEFT)
    decline(store, ann, served.assignment, turn=2)
    tally = Tally()
    Feed(store, tally).catch_up()
    assert tally.vote_counts()[:, :4].sum() == 1
    assert len(tally.cannot_judge.item) == 1
    counts = store.reading.counts()
    assert (counts["votes"], counts["cannot_judge"], counts["pairs_complete"]) == (1, 1, 0)
    assert [turn.turn for turn, _ in store.reading.votes()] == [1]
    items = {item.turn: item for item in store.reading.items()}
    assert (len(items[1].votes), len(items[1].cannot_judge)) == (1, 0)
    assert (len(items[2].votes), len(items[2].cannot_judge)) == (0, 1)


def test_it_supersedes_the_vote_on_its_turn_and_undo_brings_that_vote_back(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    vote(store, ann, served, Seen.LEFT, id="v1")
    vote(store, ann, served, Seen.TIE, turn=2, id="v2")
    assert state(store, served.assignment) == "done"
    decline(store, ann, served.assignment, turn=2, note="why", id="d")
    assert (state(store, served.assignment), load(store, served.assignment)) == ("declined", 0)
    undone = store.voting.undo(ann, "local:ann", "u")
    assert undone == Undone(served.assignment, 2, None, "not my field", Seen.TIE)
    assert undone == store.voting.undo(ann, "local:ann", "u")
    assert (state(store, served.assignment), load(store, served.assignment)) == ("done", 1)
    again = store.serving.look_again(served.assignment)
    assert (again.voted, again.drafts) == ({1: Seen.LEFT, 2: Seen.TIE}, {})
    log = rows(store.path, "SELECT id, supersedes FROM vote ORDER BY seq")
    assert log == [
        ("v1", None), ("v2", None), ("d", "v2"), ("u", "d"), ("u-restored", "u"),
    ]  # fmt: skip
    assert store.voting.undo(ann, "local:ann", "u2") == Undone(served.assignment, 2, Seen.TIE)
    assert store.reading.counts()["cannot_judge"] == 0
    assert store.verify() == []


def test_undo_of_a_first_word_opens_the_pair_again(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    vote(store, ann, served, Seen.LEFT, id="v1")
    decline(store, ann, served.assignment, turn=2, note="why", id="d")
    undone = store.voting.undo(ann, "local:ann", "u")
    assert undone == Undone(served.assignment, 2, None, "not my field")
    assert (state(store, served.assignment), load(store, served.assignment)) == ("open", 1)
    again = serve(store, ann)
    assert (again.voted, again.drafts) == ({1: Seen.LEFT}, {2: Draft("why")})


def test_a_vote_after_it_counts_and_takes_the_slot_again(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    decline(store, ann, served.assignment)
    vote(store, ann, served, Seen.LEFT)
    assert (state(store, served.assignment), load(store, served.assignment)) == ("open", 1)
    assert store.reading.counts()["cannot_judge"] == 0


def test_a_pair_whose_slot_was_given_away_frees_none(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    store.voting.skip(ann, served.assignment)
    decline(store, ann, served.assignment)
    assert (state(store, served.assignment), load(store, served.assignment)) == ("declined", 0)


def test_only_the_study_s_reasons_one_s_own_pairs_and_real_turns(store: Store) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    served = serve(store, ann)
    with pytest.raises(Conflict, match="no reason 'bored'") as refusal:
        decline(store, ann, served.assignment, reason="bored")
    assert refusal.value.hint
    with pytest.raises(Conflict, match="not served"):
        decline(store, bob, served.assignment)
    with pytest.raises(Conflict, match="no turn 3"):
        decline(store, ann, served.assignment, turn=3)
    vote(store, ann, served, Seen.LEFT, id="v")
    with pytest.raises(Conflict, match="says otherwise"):
        decline(store, ann, served.assignment, id="v")
    decline(store, ann, served.assignment, id="d")
    with pytest.raises(Conflict, match="says otherwise"):
        decline(store, ann, served.assignment, id="d", reason="question unclear")
    with pytest.raises(Conflict, match="says otherwise"):
        store.voting.cast(ann, "local", Cast("d", served.assignment, 1, Seen.LEFT))

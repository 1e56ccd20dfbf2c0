"""Hidden repeats, one case at a time; ``test_serving_machine`` mixes them with all the rest."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from core.errors import Conflict
from core.formats import named
from core.records import Seen
from core.stats import Tally, compute
from db.feed import Feed
from db.ingest import File
from db.serving import Served
from db.store import Store
from tests.db.test_plans import scans
from tests.studies import FakeClock, load, make_study, rows, serve, state, vote, write_lines


class Draw(NamedTuple):
    """What the study says of an assignment."""

    id: int
    pair: int
    repeat: int
    left: int
    policy: str
    version: int
    seed: str
    probability: float


def drawn(store: Store, served: Served) -> Draw:
    row = store.connection.execute(
        "SELECT id, pair_id, repeat, left, policy, policy_version, seed, probability "
        "FROM assignment WHERE id = ?",
        (served.assignment,),
    ).fetchone()
    return Draw(*row)


@pytest.fixture
def often(tmp_path: Path) -> Iterator[Store]:
    """Twelve pairs; after two others a pair may come again, and half of the draws ask for it."""
    clock = FakeClock()
    path = make_study(tmp_path / "s.db", questions=12, clock=clock, repeat_percent=50, repeat_gap=2)
    with Store(path, clock=clock) as store:
        yield store


def until_a_repeat(store: Store, annotator: int) -> Served:
    """Vote until a hidden repeat is on the screen."""
    while not drawn(store, served := serve(store, annotator)).repeat:
        vote(store, annotator, served, Seen.LEFT)
    return served


def test_none_comes_unless_the_lead_asks(store: Store) -> None:
    ann = store.annotator("ann")
    while served := store.serving.serve(ann):
        assert not drawn(store, served).repeat
        vote(store, ann, served, Seen.TIE)


@pytest.mark.parametrize(("percent", "gap"), [(10, 10), (30, 3)])
def test_over_a_long_run_the_rate_is_the_one_that_was_set(
    tmp_path: Path, percent: int, gap: int
) -> None:
    sequences = []
    for name in ("one", "two"):
        path = make_study(
            tmp_path / f"{name}.db", questions=250, repeat_percent=percent, repeat_gap=gap
        )
        with Store(path) as store:
            ann = store.annotator("ann")
            draws: list[Draw] = []
            while served := store.serving.serve(ann):
                draws.append(drawn(store, served))
                vote(store, ann, served, Seen.LEFT)
            sequences.append(draws)
            assert store.verify() == []
            assert rows(path, "SELECT DISTINCT load FROM queue") == [(1,)]
    draws = sequences[0]
    assert sequences[1] == draws
    asked = repeats = 0
    place: dict[int, int] = {}
    for number, draw in enumerate(draws):
        finished = draws[: max(0, number - gap)]
        may = {d.pair for d in finished} - {d.pair for d in draws[:number] if d.repeat}
        if may:
            asked += 1
            repeats += draw.repeat
        if draw.repeat:
            assert draw.pair in may
            assert number - place[draw.pair] > gap
            assert draw.left == 3 - draws[place[draw.pair]].left
            assert draw[4:6] == ("hidden-repeat", 2)
            assert draw.probability == 1 / len(may)
        else:
            assert draw.pair not in place
            assert draw[4:6] == ("least-voted", 2)
            assert draw.probability == 1 / (250 - len(place))
            place[draw.pair] = number
        assert draw.seed.endswith(f":{number}")
    assert len(place) == 250
    spread = sqrt(asked * percent / 100 * (1 - percent / 100))
    assert abs(repeats - asked * percent / 100) < 4 * spread


def test_every_pair_that_may_be_repeated_is_as_likely(tmp_path: Path) -> None:
    """Chi-square at 99.9% over which of the four oldest pairs comes first; the seed is fixed."""
    chosen = dict.fromkeys(range(4), 0)
    path = make_study(tmp_path / "s.db", questions=6, overlap=99, repeat_percent=50, repeat_gap=1)
    with Store(path) as store:
        for number in range(99):
            person = store.annotator(f"n{number}")
            firsts: list[int] = []
            while served := store.serving.serve(person):
                draw = drawn(store, served)
                if draw.repeat and len(firsts) == 5:
                    chosen[firsts.index(draw.pair)] += 1
                    break
                if draw.repeat:
                    break
                firsts.append(draw.pair)
                vote(store, person, served, Seen.TIE)
    total = sum(chosen.values())
    assert sum((n - total / 4) ** 2 for n in chosen.values()) / (total / 4) < 16.3


def test_a_repeat_takes_no_slot_and_is_nobody_else_s(often: Store) -> None:
    ann, bob = often.annotator("ann"), often.annotator("bob")
    served = until_a_repeat(often, ann)
    assert load(often, served.assignment) == 1
    often.clock.forward(days=2)  # type: ignore[attr-defined]
    pair = drawn(often, served).pair
    other = serve(often, bob)
    assert drawn(often, other).pair != pair
    assert state(often, served.assignment) == "open"
    for deed in (
        lambda: often.voting.skip(ann, served.assignment),
        lambda: often.serving.serve_skipped(ann),
        lambda: often.serving.release(ann, served.assignment),
        lambda: serve(often, ann),
        lambda: vote(often, ann, served, Seen.LEFT, id="r1"),
        lambda: often.voting.undo(ann, "local:ann", "u1"),
        lambda: often.voting.skip(ann, served.assignment),
        lambda: vote(often, ann, served, Seen.TIE, id="r2"),
    ):
        deed()
        assert load(often, served.assignment) == 1
    assert state(often, served.assignment) == "done"


def test_the_last_fresh_pair_is_the_end(often: Store) -> None:
    """No repeat comes by itself; one that is open is still asked for."""
    ann, bob = often.annotator("ann"), often.annotator("bob")
    repeat = until_a_repeat(often, ann)
    while served := often.serving.serve(bob):
        vote(often, bob, served, Seen.TIE)
    assert serve(often, ann) == repeat
    assert often.serving.progress(ann).left == 1
    vote(often, ann, repeat, Seen.TIE)
    assert often.serving.serve(ann) is None
    assert often.serving.progress(ann).left == 0


def undo_back_to(store: Store, annotator: int, pair: int) -> None:
    """Take votes back until the one on this pair is taken back too."""
    for number in range(100):
        undone = store.voting.undo(annotator, "local:ann", f"u{number}")
        assert undone is not None
        if drawn(store, store.serving.look_again(undone.assignment)).pair == pair:
            return


@pytest.mark.parametrize("is_released", [False, True])
def test_undoing_back_to_the_first_vote_holds_its_repeat_back(
    often: Store, is_released: bool
) -> None:
    ann = often.annotator("ann")
    repeat = until_a_repeat(often, ann)
    if is_released:
        often.serving.release(ann, repeat.assignment)
    undo_back_to(often, ann, drawn(often, repeat).pair)
    shown = []
    while (served := serve(often, ann)).assignment != repeat.assignment:
        shown.append(drawn(often, served).pair)
        if len(shown) == 2:  # puts the gap off by one pair more
            often.voting.skip(ann, served.assignment)
        else:
            vote(often, ann, served, Seen.RIGHT, id=f"again{len(shown)}")
    assert shown[0] == drawn(often, repeat).pair
    assert len(shown) >= 4


def test_a_repeat_that_was_put_aside_waits_for_its_first_vote_too(often: Store) -> None:
    ann = often.annotator("ann")
    repeat = until_a_repeat(often, ann)
    undo_back_to(often, ann, drawn(often, repeat).pair)
    often.voting.skip(ann, repeat.assignment)
    assert often.serving.serve_skipped(ann) is None
    comes_back = []
    for number in range(3):
        vote(often, ann, serve(often, ann), Seen.RIGHT, id=f"again{number}")
        comes_back.append(often.serving.serve_skipped(ann))
    assert comes_back[:2] == [None, None]
    assert comes_back[2] == repeat


def test_a_repeat_asks_for_every_turn(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=9, turns=2, repeat_percent=50, repeat_gap=1)
    with Store(path) as store:
        ann = store.annotator("ann")
        while not drawn(store, served := serve(store, ann)).repeat:
            for turn in served.turns:
                vote(store, ann, served, Seen.LEFT, turn=turn, id=f"{served.assignment}.{turn}")
        assert (served.turns, served.voted) == ((1, 2), {})
        vote(store, ann, served, Seen.LEFT, turn=1, id="r1")
        assert state(store, served.assignment) == "open"
        vote(store, ann, served, Seen.TIE, turn=2, id="r2")
        assert state(store, served.assignment) == "done"
        assert store.verify() == []


def test_no_count_of_votes_has_them_in_it(often: Store) -> None:
    ann = often.annotator("ann")
    before: dict[str, Any] = {}
    served = until_a_repeat(often, ann)
    before = often.reading.counts()
    items = list(often.reading.items())
    vote(often, ann, served, Seen.LEFT, id="the repeat")
    after = often.reading.counts()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"hidden_repeats", "vote_log_rows", "open_assignments"}
    assert after["hidden_repeats"] == 1
    assert list(often.reading.items()) == items
    marks = {cast.id: (cast.repeat, how.policy) for cast, how in often.reading.votes()}
    assert marks.pop("the repeat") == (1, "hidden-repeat/2")
    assert set(marks.values()) == {(0, "least-voted/2")}


def test_the_feed_hands_repeats_to_their_statistic_and_to_no_other(often: Store) -> None:
    ann = often.annotator("ann")
    feed = Feed(often, Tally())
    served = until_a_repeat(often, ann)
    feed.catch_up()
    counted = feed.tally.vote_counts().copy()
    vote(often, ann, served, Seen.LEFT, id="the repeat")
    assert feed.catch_up()
    assert (feed.tally.vote_counts() == counted).all()
    (result,) = compute(feed.tally, only={"consistency"})
    (side,) = (
        row
        for row in result.estimates
        if row.labels["measure"] == "changed: same side" and "annotator" not in row.labels
    )
    # Everything was voted for the left answer, so the repeat went to the other model.
    assert (side.k, side.n) == (1, 1)
    often.voting.undo(ann, "local:ann", "u1")
    feed.catch_up()
    assert len(feed.tally.repeats[0]) == 0


def test_imported_repeats_are_read_and_stay_apart(store: Store, tmp_path: Path) -> None:
    line = {"question": "q1", "model_1": "ant", "model_2": "bee", "choice": "model_1"}
    told = {"type": "vote", "annotator": "ann", "left": "model_1", **line}
    twice = {"type": "verdict", "judge": "j", "left": "model_1", **line}
    path = write_lines(
        tmp_path / "votes.jsonl",
        {"type": "judge", "name": "j"},
        {"id": "a", **told},
        {"id": "b", **told, "repeat": 1, "left": "model_2", "choice": "model_2"},
        {"id": "c", **twice},
        {"id": "d", **twice, "repeat": 1, "choice": "tie"},
    )
    store.ingest.take(named("native").read(path), {str(path): File(path.name, "native", "0" * 64)})
    feed = Feed(store, Tally())
    feed.catch_up()
    tally = feed.tally
    assert tally.vote_counts()[:, :4].tolist() == [[1, 0, 0, 0]]
    assert [column.tolist() for column in tally.repeats] == [[0], [0], [2], [2]]
    assert tally.verdict_calls(0) == (2, 0)
    # A repeat is replaced by a repeat, and never by a first vote.
    crossed = {"id": "e", **told, "supersedes": "b", "choice": "tie"}
    with pytest.raises(Conflict, match="is about something else"):
        store.ingest.take(named("native").read(write_lines(tmp_path / "e.jsonl", crossed)))
    assert store.verify() == []


def test_a_pair_that_wants_two_votes_is_not_complete_by_a_repeat(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=9, overlap=2, repeat_percent=50, repeat_gap=1)
    with Store(path) as store:
        ann = store.annotator("ann")
        vote(store, ann, until_a_repeat(store, ann), Seen.LEFT, id="the repeat")
        assert store.reading.counts()["pairs_complete"] == 0


def test_serving_repeats_reads_no_table_whole(often: Store) -> None:
    ann = often.annotator("ann")
    statements: list[str] = []
    often.connection.set_trace_callback(statements.append)
    served = until_a_repeat(often, ann)
    often.voting.skip(ann, served.assignment)
    often.serving.serve(ann)
    often.serving.serve_skipped(ann)
    often.serving.progress(ann)
    often.connection.set_trace_callback(None)
    assert scans(often, statements) == []

"""Two hosts' studies made one: each event once, whichever way and however often."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Conflict, StudyBroken, StudyUnavailable
from core.records import Answer, Choice, Judge, Pair, Question, Seen, Verdict, VerdictStatus
from db import chain
from db.merging import merge
from db.store import Store
from tests.studies import FILES, FakeClock, full_study, located, make_study, rows, serve, vote

PEOPLE = {"here": ("ann", "bea", "both"), "there": ("cyd", "dov", "both")}


def copy_of(path: Path, target: Path) -> Path:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    return target


@pytest.fixture
def hosts(tmp_path: Path) -> tuple[Path, Path]:
    """One study, copied to a second host before anybody voted."""
    here = make_study(tmp_path / "here.db", questions=6, overlap=3)
    return here, copy_of(here, tmp_path / "there.db")


def events(path: Path, log: str = "vote") -> dict[str, dict[str, Any]]:
    """Every event by its id, without what depends on its place in the log."""
    with Store(path) as store:
        found = list(chain.read(store.connection, log))
    assert len({row["id"] for row in found}) == len(found)
    return {row.pop("id"): {k: v for k, v in row.items() if k != "seq"} for row in found}


def work(path: Path, name: str, steps: list[str], *, clock: FakeClock | None = None) -> None:
    """What one annotator does on one host."""
    with Store(path, clock=clock or FakeClock()) as store:
        who = store.annotator(name)
        for number, step in enumerate(steps, store.heads()["vote"][0]):
            if step == "undo":
                store.voting.undo(who, f"local:{name}", f"{path.stem}-{name}-{number}")
                continue
            served = store.serving.serve(who)
            if served is None:
                continue
            turn = served.next_turn or served.turns[-1]
            if step == "skip":
                store.voting.skip(who, served.assignment)
            else:
                vote(store, who, served, Seen(step), turn=turn, id=f"{path.stem}-{name}-{number}")


def loads(path: Path) -> list[tuple[int, int]]:
    """By pair: the queue's load, and the assignments that it should count."""
    return rows(
        path,
        "SELECT q.load, (SELECT count(*) FROM assignment a WHERE a.pair_id = q.pair_id "
        "AND a.repeat = 0 AND a.state IN ('open', 'done')) FROM queue q",
    )


def merged(into: Path, other: Path, **options: bool) -> Any:
    with Store(into) as store:
        done = merge(store, other, **options)
        assert store.verify() == []
    assert all(load == counted for load, counted in loads(into))
    return done


STEPS = st.lists(st.sampled_from([*Seen, "undo", "skip"]).map(str), max_size=8)


@settings(max_examples=20)
@given(here=STEPS, there=STEPS, also_there=STEPS)
def test_merging_either_way_gives_the_same_events_and_twice_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    here: list[str],
    there: list[str],
    also_there: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("hosts")
    first = make_study(folder / "here.db", questions=4, overlap=2)
    work(first, "ann", ["left"])
    second = copy_of(first, folder / "there.db")
    work(first, "ann", here)
    work(second, "cyd", there)
    work(second, "dov", also_there)
    everything = {**events(first), **events(second)}
    one, other = copy_of(first, folder / "one.db"), copy_of(second, folder / "other.db")
    before = second.read_bytes()
    done = merged(one, second)
    assert second.read_bytes() == before
    merged(other, first)
    assert done.is_done
    assert not done.conflicts
    assert events(one) == events(other) == everything
    again = merged(one, second)
    assert not any(again.new.values())
    assert events(one) == everything


def test_what_both_hosts_counted_is_what_one_host_would_have(hosts: tuple[Path, Path]) -> None:
    here, there = hosts
    work(here, "ann", ["left", "tie", "both_bad"])
    work(there, "cyd", ["right", "left"])
    merged(here, there)
    with Store(here) as store:
        votes = [(v.annotator, v.choice, v.left, s.policy) for v, s in store.reading.votes()]
    assert Counter(name for name, *_ in votes) == {"ann": 3, "cyd": 2}
    assert all(left in (1, 2) and policy for _, _, left, policy in votes)


def test_one_person_who_voted_on_one_pair_on_both_hosts_is_a_conflict(
    hosts: tuple[Path, Path],
) -> None:
    here, there = hosts
    for path, seen in ((here, Seen.LEFT), (there, Seen.RIGHT)):
        with Store(path) as store:
            who = store.annotator("both")
            vote(store, who, serve(store, who), seen, id=f"{path.stem}-vote")
    work(there, "cyd", ["tie"])
    before = events(here)
    done = merged(here, there)
    assert not done.is_done
    assert len(done.conflicts) == 1
    assert "'both' voted on one pair on both hosts" in done.conflicts[0]
    assert events(here) == before
    done = merged(here, there, leave_out_conflicts=True)
    assert done.is_done
    assert done.left_out == {"votes": 1}
    assert events(here).keys() == {"here-vote", "there-cyd-1"}


def test_a_vote_that_each_host_changed_in_its_own_way_is_a_conflict(tmp_path: Path) -> None:
    here = make_study(tmp_path / "here.db", questions=3, overlap=3)
    work(here, "ann", ["left"])
    there = copy_of(here, tmp_path / "there.db")
    work(here, "ann", ["undo"])
    work(there, "ann", ["undo", "right"])
    ours = set(events(here))
    done = merged(here, there)
    assert not done.is_done
    assert done.conflicts
    done = merged(here, there, leave_out_conflicts=True)
    assert done.left_out["votes"] == 2
    assert set(events(here)) == ours


def test_a_history_that_went_on_elsewhere_is_taken_on(tmp_path: Path) -> None:
    here = make_study(tmp_path / "here.db", questions=3, overlap=3)
    work(here, "ann", ["left"])
    there = copy_of(here, tmp_path / "there.db")
    work(there, "ann", ["undo", "right"])
    done = merged(here, there)
    assert done.is_done
    assert not done.conflicts
    with Store(here) as store:
        assert [v.id for v, _ in store.reading.votes()] == ["there-ann-2"]


def test_an_id_that_says_otherwise_is_named_and_ours_stays(hosts: tuple[Path, Path]) -> None:
    here, there = hosts
    for path, seen in ((here, Seen.TIE), (there, Seen.BOTH_BAD)):
        with Store(path) as store:
            who = store.annotator("both")
            vote(store, who, serve(store, who), seen, id="same")
    done = merged(here, there)
    assert any("vote 'same'" in line and "'tie' here" in line for line in done.conflicts)
    merged(here, there, leave_out_conflicts=True)
    assert events(here)["same"]["choice"] == "tie"


def test_votes_on_another_text_under_the_same_name_are_left_out(tmp_path: Path) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    for path, text in ((here, "one"), (there, "another")):
        make_study(path, questions=2, overlap=3)
        with Store(path) as store:
            store.ingest.take(
                located([Question("odd", ("?",)), Answer("odd", "ant", (text,)),
                         Answer("odd", "bee", ("same",))])
            )  # fmt: skip
            pair = Pair("odd", "ant", "bee")
            store.ingest.take(located([Judge("j", "imported"), verdict(pair, path.stem)]), FILES)
    done = merged(here, there)
    assert not done.is_done
    assert ["has another text" in line for line in done.conflicts].count(True) == 1
    done = merged(here, there, leave_out_conflicts=True)
    assert done.left_out == {"verdicts": 1}
    assert events(here, "verdict").keys() == {"here"}


def verdict(pair: Pair, key: str) -> Verdict:
    return Verdict(key, pair, 1, "j", VerdictStatus.OK, Choice.TIE, left=1, raw=f"said {key}")


def test_verdicts_bring_their_replies(hosts: tuple[Path, Path]) -> None:
    here, there = hosts
    with Store(there) as store:
        pair = next(r for r in store.reading.records(logs=False) if isinstance(r, Pair))
        store.ingest.take(located([Judge("j", "imported"), verdict(pair, "w")]), FILES)
    merged(here, there)
    with Store(here) as store:
        found = [r for r in store.reading.records() if isinstance(r, Verdict)]
    assert [one.raw for one in found] == ["said w"]


def test_a_study_merged_into_an_empty_one_is_the_same_study(tmp_path: Path) -> None:
    whole, empty = full_study(tmp_path / "whole.db"), tmp_path / "empty.db"
    with Store(empty, create=True, clock=FakeClock()) as store:
        store.set({"show_reference": False})
    done = merged(empty, whole)
    assert done.is_done
    assert not done.conflicts
    for log in chain.LOGS:
        assert events(empty, log) == events(whole, log)
    with Store(empty) as mine, Store(whole) as theirs:
        for one in (mine, theirs):
            one.connection.execute("DELETE FROM study WHERE key <> 'seed'")
        ours, wanted = list(mine.reading.records()), list(theirs.reading.records())
    assert sorted(map(repr, ours)) == sorted(map(repr, wanted))


def test_an_undo_after_a_merge_finds_its_way(hosts: tuple[Path, Path]) -> None:
    here, there = hosts
    work(there, "cyd", ["left", "skip"])
    merged(here, there)
    work(here, "cyd", ["undo", "undo", "undo"])
    with Store(here) as store:
        assert list(store.reading.votes()) == []
        assert store.verify() == []


def test_a_dry_run_changes_nothing(hosts: tuple[Path, Path]) -> None:
    here, there = hosts
    work(there, "cyd", ["left"])
    before = here.read_bytes()
    done = merged(here, there, dry_run=True)
    assert (done.is_done, done.new["votes"]) == (False, 1)
    assert here.read_bytes() == before


def test_what_cannot_be_merged_is_said_in_words(hosts: tuple[Path, Path], tmp_path: Path) -> None:
    here, there = hosts
    link = tmp_path / "link.db"
    os.link(here, link)
    note = tmp_path / "note.txt"
    note.write_text("no study\n" * 600)
    with Store(here) as store:
        with pytest.raises(StudyUnavailable, match="is the study itself"):
            merge(store, link)
        with pytest.raises(StudyUnavailable, match="there is no study here"):
            merge(store, tmp_path / "absent.db")
        with pytest.raises(StudyBroken, match="not a study"):
            merge(store, note)
    with Store(there) as store:
        store.set({"vote_per": "conversation"})
    with Store(here) as store, pytest.raises(Conflict, match="asks for one vote per conversation"):
        merge(store, there)


@pytest.mark.parametrize("seed", range(3))
def test_three_hosts_meet_in_any_order(tmp_path: Path, seed: int) -> None:
    first = make_study(tmp_path / "h0.db", questions=6, overlap=3)
    paths = [first, *(copy_of(first, tmp_path / f"h{n}.db") for n in (1, 2))]
    random = Random(seed)
    for number, path in enumerate(paths):
        work(path, f"p{number}", random.choices([*map(str, Seen), "undo", "skip"], k=8))
    everything: dict[str, Any] = {}
    for path in paths:
        everything |= events(path)
    order = random.sample(paths, 3)
    for _ in range(2):
        for path in order:
            for other in order:
                if other is not path:
                    assert merged(path, other).conflicts == []
    assert [events(path) for path in paths] == [everything] * 3

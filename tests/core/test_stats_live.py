"""Numbers that are kept up to date are those of a study read anew, and cost what a vote changes."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.panels import Panel, PanelRule
from core.stats import Options, Tally, compute, registered
from core.stats import journal as journals
from core.stats.beside import TEXT_UNKNOWN
from core.stats.census import Census, distinct, patterns_of
from core.stats.journal import Journal
from core.stats.sorting import last_of_each, order_of, summed_by
from tests.core.stats_oracle import FITTED, Rows, alike, studies

CHOSEN: tuple[dict[str, Any], ...] = (
    {},
    {"merge_both_bad": True, "turn": 1},
    {"category": "maths"},
    {"group": "expert"},
    {"exclude_groups": ("expert",)},
    {"model": "a"},
    {"acceptable_by": "models"},
    {"models": ("b", "a"), "repeats": "majority"},
    {"annotator": "ann"},
    {"judge": "gpt"},
    {"since": "1970-01-03"},
    {"until": "1970-01-05", "turn": 1, "merge_both_bad": True},
    {"since": "1970-01-02", "until": "1970-01-04", "annotator": "ann"},
)
PANEL = Panel("both", PanelRule.MAJORITY, {"gpt": 1, "llama": 1})


def results(
    tally: Tally, only: set[str] | None = None, looks: tuple[dict[str, Any], ...] = CHOSEN
) -> list[dict[str, Any]]:
    found = []
    known = {
        "category": tally.categories,
        "group": tally.annotator_groups,
        "annotator": tally.annotators,
        "judge": tally.judges,
    }
    for chosen in looks:
        if all(chosen[name] in names for name, names in known.items() if name in chosen):
            found += compute(tally, Options(replicates=100, **chosen), only)
    return [result.to_json() for result in found]


def same(kept: list[dict[str, Any]], fresh: list[dict[str, Any]]) -> None:
    """To the last digit; where EM was fitted, to what its end leaves open."""
    assert [each["id"] for each in kept] == [each["id"] for each in fresh]
    for one, other in zip(kept, fresh, strict=True):
        if one["id"] in FITTED:
            assert alike(one, other), one["id"]
        else:
            assert one == other


@st.composite
def happenings(draw: st.DrawFn) -> tuple[Rows, list[tuple[str, Any]]]:
    """A study, and in what order parts of it come: votes, verdicts and all that may change."""
    rows = draw(studies())
    done: list[tuple[str, Any]] = []
    votes, verdicts = list(rows.votes), list(rows.verdicts)
    while votes or verdicts:
        if votes:
            size = draw(st.integers(1, 8))
            done.append(("votes", votes[:size]))
            votes = votes[size:]
        if verdicts:
            size = draw(st.integers(1, 8))
            done.append(("verdicts", verdicts[:size]))
            verdicts = verdicts[size:]
        if draw(st.booleans()):
            done.append(draw(besides(len(rows.pairs))))
    return rows, done


@st.composite
def ruling(draw: st.DrawFn) -> dict[str, Any]:
    """What a lead says of a case: the model, or that more votes are needed; taken back or not."""
    return {
        "pair": draw(st.integers(1, 3)),
        "turn": draw(st.integers(1, 2)),
        "unmasked": draw(st.integers(0, 1)),
        "choice": draw(st.integers(0, 6)),
        "probability": draw(st.sampled_from((None, 0.5, 1.0))),
        "takes back": draw(st.booleans()),
    }


def besides(pairs: int) -> st.SearchStrategy[tuple[str, Any]]:
    """What else may happen to a study, beside votes and verdicts."""
    chances = st.sampled_from((0.25, 0.5, 1.0))
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "group": st.sampled_from(("", "expert", "crowd")),
        "category": st.sampled_from((None, "maths", "art")),
        "panels": st.booleans(),
        "baselines": st.sampled_from((1, 2, 3, TEXT_UNKNOWN)),
        "probability": st.sampled_from((0.25, 0.5)),
        "probabilities": st.lists(chances, min_size=pairs, max_size=pairs),
        "rulings": st.lists(ruling(), min_size=1, max_size=3),
        "unmasked": st.sets(st.integers(1, 3), max_size=2),
        "texts": st.integers(0, 5),
        "renamed": st.sampled_from(("dan", "eve")),
        "failures": st.sampled_from(("refused", "timeout")),
    }
    return st.one_of(*(st.tuples(st.just(what), how) for what, how in kinds.items()))


def rule(tally: Tally, lead: int, how: dict[str, Any]) -> None:
    rulings, gone, place = tally.rulings, 0, (how["pair"], how["turn"])
    if how["takes back"] and len(rulings):
        gone, (place,) = int(rulings.seq[-1]), tally.places_of([int(rulings.item[-1])])
    choice = how["choice"] if gone else how["choice"] or 1
    row = rulings.last_seq + 1, *place, lead, how["unmasked"], choice
    tally.add_rulings([(*row, 1, how["probability"], "sample", "2026-01-01", gone, 1)])


def texts(rows: Rows, seed: int) -> list[tuple[Any, ...]]:
    """Answers whose lengths differ, some of which are not known."""
    rng = np.random.default_rng(seed)
    every = [(key, name, turn) for key in rows.categories for name in "abc" for turn in (1, 2)]
    return [
        (*each, *map(int, rng.integers(0, (900, 200, 4, 6, 5))))
        for each in every
        if rng.random() < 0.9
    ]


def take(tally: Tally, votes: list[Any]) -> None:
    """Add votes, cast on one of four days; when one in five was cast is not known."""
    tally.add_votes(votes)
    tally.times.add((row[0], row[0] % 5 * 86_400_000) for row in votes)


def begun(rows: Rows) -> Tally:
    votes, verdicts = rows.votes, rows.verdicts
    rows.votes, rows.verdicts = [], []
    tally = rows.tally()
    rows.votes, rows.verdicts = votes, verdicts
    return tally


def happen(rows: Rows, tally: Tally, what: str, how: Any) -> None:
    if what == "votes":
        take(tally, how)
    elif what == "verdicts":
        tally.add_verdicts(how)
    elif what == "group" and rows.annotators:
        name, (number, _) = next(iter(rows.annotators.items()))
        tally.add_annotators([(number, name, how)])
    elif what == "category":
        (question, one, two), number = next(iter(rows.pairs.items()))
        tally.add_pairs([(number, question, how, one, two)])
    elif what == "panels":
        tally.panels = (PANEL,) if how and {"gpt", "llama"} <= set(tally.judges) else ()
    elif what == "baselines" and len(tally.item_turn):
        tally.baselines.tell(np.array([0]), np.array([[how, how]], np.int8))
    else:
        happen_beside(rows, tally, what, how)


def happen_beside(rows: Rows, tally: Tally, what: str, how: Any) -> None:
    if what == "probabilities":
        tally.set_probabilities(list(zip(rows.pairs.values(), how, strict=True)))
    elif what == "rulings" and rows.annotators:
        for each in how:
            rule(tally, next(iter(rows.annotators.values()))[0], each)
    elif what == "unmasked" and rows.annotators:
        lead = next(iter(rows.annotators.values()))[0]
        tally.tell_unmasked([(pair, 1, lead) for pair in sorted(how)])
    elif what == "texts":
        tally.background.set_answers(texts(rows, how))
    elif what == "renamed" and rows.annotators:
        number, group = list(rows.annotators.values())[-1]
        tally.add_annotators([(number, how, group)])
    elif what == "failures" and tally.last_verdict_seq:
        tally.failures.add([(tally.last_verdict_seq, how)])
    elif what == "probability":
        tally.set_probabilities([(next(iter(rows.pairs.values())), how)])


def watch(rows: Rows, happened: list[tuple[str, Any]], reach: int, looks: Any) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(journals, "REACH", reach)
        watched, unwatched = begun(rows), begun(rows)
        quick = {each.id for each in registered() if each.follows}
        for number, (what, how) in enumerate(happened):
            for tally in (watched, unwatched):
                happen(rows, tally, what, how)
            also = {"stopping", "reliability"} if number % 2 else set()
            results(watched, quick | also, looks)
        same(results(watched, None, looks), results(unwatched, None, looks))


WEIGHED = {"agreement", "ranking", "win_rate"}


@settings(max_examples=3, deadline=None)
@given(studies(), st.data())
def test_votes_that_weigh_differently_are_kept_up_to_date_too(rows: Rows, data: Any) -> None:
    watched, unwatched = begun(rows), begun(rows)
    chances = (0.25, *(data.draw(st.sampled_from((0.25, 0.5))) for _ in list(rows.pairs)[1:-1]), 1)
    for tally in (watched, unwatched):
        happen(rows, tally, "probabilities", chances)
    options = [Options(replicates=100), Options(replicates=100, weights="none")]
    for number in range(max(len(rows.votes), len(rows.verdicts))):
        for tally in (watched, unwatched):
            happen(rows, tally, "votes", rows.votes[number : number + 1])
            happen(rows, tally, "verdicts", rows.verdicts[number : number + 1])
        for each in options:
            compute(watched, each, WEIGHED)
    for each in options:
        assert compute(watched, each, WEIGHED) == compute(unwatched, each, WEIGHED)


REACHES = st.sampled_from((2, 12, journals.REACH))
LOOKS = st.lists(st.sampled_from(CHOSEN), min_size=1, max_size=2).map(tuple)


@settings(max_examples=9, deadline=None)
@given(happenings(), REACHES, LOOKS)
def test_whoever_looks_all_the_time_reads_what_one_look_would_have_found(
    told: tuple[Rows, list[tuple[str, Any]]], reach: int, looks: Any
) -> None:
    watch(*told, reach, looks)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(happenings(), REACHES, LOOKS)
def test_and_so_it_is_in_many_studies(
    told: tuple[Rows, list[tuple[str, Any]]], reach: int, looks: Any
) -> None:
    watch(*told, reach, looks)


@settings(max_examples=10, deadline=None)
@given(studies(), st.integers(1, 6), LOOKS)
def test_what_follows_is_the_same_however_the_log_is_portioned(
    rows: Rows, portion: int, looks: Any
) -> None:
    quick = {each.id for each in registered() if each.follows}
    watched = begun(rows)
    for start in range(0, max(len(rows.votes), len(rows.verdicts)), portion):
        take(watched, rows.votes[start : start + portion])
        watched.add_verdicts(rows.verdicts[start : start + portion])
        compute(watched, Options(replicates=100), quick)
    unwatched = begun(rows)
    take(unwatched, rows.votes)
    unwatched.add_verdicts(rows.verdicts)
    same(results(watched, quick, looks), results(unwatched, quick, looks))


def test_a_vote_costs_what_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    rows = Rows()
    for number in range(3000):
        pair = rows.pair(f"q{number}", "a", "b" if number % 2 else "c")
        rows.categories[f"q{number}"] = "maths" if number % 3 else None
        for name in ("ann", "bob"):
            rows.vote(pair, name, int(rng.integers(1, 5)), left=1)
        for left in (1, 2):
            rows.verdict(pair, "gpt", int(rng.integers(0, 5)), left=left)
    last = rows.votes.pop()
    tally = rows.tally()
    tally.times.add((row[0], 1000 * row[0]) for row in (*rows.votes, last))
    tally.baselines.tell(np.arange(3000), rng.integers(1, 4, (3000, 2)).astype(np.int8))
    tally.background.set_answers(texts(rows, 1))
    quick = {each.id for each in registered() if each.follows}
    chosen = [
        (Options(replicates=100), quick),
        (Options(replicates=100, turn=1, category="maths"), quick),
        (Options(replicates=100, annotator="bob", since="1970-01-01"), quick),
    ]
    for options, only in chosen:
        compute(tally, options, only)
    moved: list[int] = []
    put = Census.put

    def counted(self: Census, clusters: Any, *rest: Any) -> None:
        moved.append(len(clusters))
        put(self, clusters, *rest)

    monkeypatch.setattr(Census, "put", counted)
    # So that no full fit is due.
    monkeypatch.setattr("core.stats.style_kept.STEPPED", 10)
    # Whoever goes through all of the log, or of the items, is found out.
    monkeypatch.setattr(Tally, "votes", property(lambda _: pytest.fail("read every vote")))
    monkeypatch.setattr(Tally, "verdicts", property(lambda _: pytest.fail("read every verdict")))
    tally.add_votes([last])
    for options, only in chosen:
        compute(tally, options, only)
    assert moved
    assert set(moved) == {1}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 2), st.integers(0, 300)),
            max_size=12,
            unique_by=lambda each: each[0],
        ),
        max_size=8,
    )
)
def test_a_census_counts_what_each_cluster_is_now(told: list[list[Any]]) -> None:
    census, now = Census(2), {}
    for portion in told:
        table = np.array(portion, np.int64).reshape(-1, 4)
        census.put(table[:, 0], table[:, 2:], table[:, 1] > 0)
        now |= {cluster: (counted, (one, two)) for cluster, counted, one, two in portion}
        found = census.patterns()
        counts = Counter(row for counted, row in now.values() if counted)
        rows = [tuple(row) for row in found.rows.tolist()]
        assert rows == sorted(counts)
        assert dict(zip(rows, found.times.tolist(), strict=True)) == counts


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(0, 1 << 21)] * 3), max_size=30),
    st.sampled_from((1, 1 << 10)),
)
def test_distinct_rows_are_those_that_numpy_finds(rows: list[Any], scale: int) -> None:
    table = np.array(rows, np.int64).reshape(-1, 3) // scale
    found, place = distinct(table)
    expected, back = np.unique(table, axis=0, return_inverse=True)
    assert found.tolist() == expected.tolist()
    assert place.tolist() == back.reshape(-1).tolist()
    assert patterns_of(table).times.tolist() == np.bincount(place).tolist()


def test_a_journal_knows_what_changed_since_a_mark_or_says_that_it_does_not() -> None:
    journal = Journal()
    journal.note(np.array([3, 1]))
    mark = journal.mark
    journal.note(np.array([2, 7, 2]))
    since = journal.since(mark)
    assert since is not None
    assert since.tolist() == [2, 7]
    journal.note(np.arange(journals.REACH))
    assert journal.since(mark) is None
    latest = journal.since(journal.mark)
    assert latest is not None
    assert not latest.size


@pytest.mark.parametrize("top", [1, 60_000, 1 << 20, 1 << 40])
def test_sums_and_orders_by_key_are_those_of_a_sort(top: int) -> None:
    rng = np.random.default_rng(top % 97)
    for size in (0, 1, 5000):
        keys = rng.integers(0, top, size)
        assert order_of(keys).tolist() == np.argsort(keys, kind="stable").tolist()
        last = {key: place for place, key in enumerate(keys.tolist())}
        assert last_of_each(keys).tolist() == [last[key] for key in sorted(last)]
        values = rng.random(size)
        for each in (keys, np.sort(keys)):
            found, total, count = summed_by(each, values)
            expected = np.unique(each, return_inverse=True, return_counts=True)
            assert found.tolist() == expected[0].tolist()
            assert count.tolist() == expected[2].tolist()
            sums = np.bincount(expected[1], weights=values, minlength=len(found))
            assert total.tolist() == sums.tolist()


KEPT = {
    "agreement_by_category",
    "agreement_by_pair",
    "alt_test",
    "both_bad_use",
    "drift",
    "position_lean",
    "rater_bias",
    "style",
}


def larger(seed: int) -> Rows:
    """A study large enough for intervals and tests, with votes that are changed and taken back."""
    rng, rows = np.random.default_rng(seed), Rows()
    pairs = []
    for question in range(20):
        rows.categories[f"q{question}"] = (None, "maths", "art")[question % 3]
        pairs += [rows.pair(f"q{question}", *two) for two in ("ab", "ac", "bc")]
    standing: dict[tuple[int, int, int], list[int]] = {}
    names = [("ann", "expert"), ("bob", "crowd"), ("cat", "expert"), ("dan", "crowd")]
    for _ in range(700):
        who = int(rng.choice(4, p=(0.4, 0.3, 0.2, 0.1)))
        place = int(rng.choice(pairs)), int(rng.integers(1, 3)), who
        said = standing.setdefault(place, [])
        target = said.pop() if said and rng.random() < 0.7 else 0
        choice = int(rng.integers(0 if target else 1, 6))
        left = int(rng.integers(0, 3))
        name, group = names[who]
        seq = rows.vote(place[0], name, choice, place[1], left, target, group)
        said += [seq] if 1 <= choice <= 4 else []
    for judge, pair, turn in product(("gpt", "llama"), pairs, (1, 2)):
        for left in (1, 2) if judge == "gpt" else (1,):
            choice = int(rng.choice(5, p=(0.05, 0.4, 0.3, 0.15, 0.1)))
            rows.verdict(pair, judge, choice, turn, left)
    return rows


@pytest.mark.parametrize("with_texts", [False, True])
def test_a_study_with_intervals_is_kept_to_the_last_digit(
    monkeypatch: pytest.MonkeyPatch, with_texts: bool
) -> None:
    # Few annotators on a pair are enough of a crowd, so that both ways are gone.
    monkeypatch.setattr("core.stats.duels._CROWD", 2)
    rows = larger(int(with_texts))
    verdicts, rows.verdicts = rows.verdicts, []
    watched, unwatched = begun(rows), begun(rows)
    votes = list(rows.votes)
    looks = ({}, {"group": "expert"})
    for tally in (watched, unwatched):
        if with_texts:
            tally.background.set_answers(texts(rows, 3))
        tally.add_votes(votes[:600])
        tally.add_verdicts(verdicts[:100])
    for start in range(600, len(votes), 20):
        results(watched, KEPT, looks)
        for tally in (watched, unwatched):
            tally.add_votes(votes[start : start + 20])
        if start == 640:
            for tally in (watched, unwatched):
                happen(rows, tally, "group", "crowd")
                tally.add_verdicts(verdicts[100:])
    found = results(watched, KEPT, looks)
    assert found == results(unwatched, KEPT, looks)
    told = {each["id"] for each in found for row in each["estimates"] if row["low"] is not None}
    assert told == (KEPT if with_texts else KEPT - {"style"})

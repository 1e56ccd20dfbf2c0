"""What is behind a number: the same items as a slow reading of the rows finds."""

from __future__ import annotations

from hypothesis import given

from core.stats.behind import behind
from core.stats.options import Options
from core.stats.registry import compute
from core.stats.view import View
from tests.core.judged import judged, slow_word
from tests.core.stats_oracle import Rows, live_votes


def votes_on(rows: Rows, pair: int) -> list[int]:
    return [row[4] for row in live_votes(rows) if row[1] == pair and row[4] in (1, 2, 3, 4)]


@given(rows=judged(complete=True))
def test_behind_an_agreement_are_the_items_that_both_said_something_of(rows: Rows) -> None:
    tally = rows.tally()
    view = View(tally, Options())
    for judge in rows.judges:
        labels = {"setup": "S1", "rater_1": judge, "rater_2": "human"}
        found = behind(view, labels)
        wanted = {}
        for pair in {row[1] for row in live_votes(rows)}:
            word = slow_word(rows, judge, pair)
            votes = votes_on(rows, pair)
            if isinstance(word, int) and votes:
                wanted[pair] = votes.count(word) / len(votes)
        assert {item.pair_id: item.agreement for item in found.items} == wanted
        assert found.total == len(wanted)
        shares = [item.agreement for item in found.items]
        assert shares == sorted(shares, key=float)


@given(rows=judged(complete=True))
def test_what_is_behind_a_number_adds_up_to_it(rows: Rows) -> None:
    tally = rows.tally()
    (result,) = compute(tally, Options(), ["agreement"])
    view = View(tally, Options())
    for each in result.estimates:
        if each.labels["kind"] != "judge-human" or each.value is None:
            continue
        found = behind(view, each.labels)
        decisive = each.labels["setup"] == "S2"
        compared = agreeing = 0.0
        for item in found.items:
            votes = sum(item.wins) + (0 if decisive else item.ties + item.both_bad)
            assert item.agreement is not None
            compared += votes
            agreeing += votes * item.agreement
        assert (round(agreeing), compared) == (each.k, each.n)


def test_labels_restrict_to_turn_category_and_models() -> None:
    rows = Rows()
    one = rows.pair("q1", "a", "b")
    two = rows.pair("q2", "a", "c")
    for pair in (one, two):
        for name in ("ann", "bob"):
            rows.vote(pair, name, 1)
    view = View(rows.tally(), Options())

    def pairs(**labels: str | int) -> set[int]:
        return {item.pair_id for item in behind(view, labels).items}

    assert pairs() == {one, two}
    assert pairs(model="c") == {two}
    assert pairs(model_1="a", model_2="b") == {one}
    assert pairs(annotator="ann", model="b") == {one}
    assert pairs(raters="human") == {one, two}
    assert pairs(turn=9) == set()
    assert pairs(rater="nobody here") == {one, two}


def test_what_may_not_be_told_is_neither_said_nor_told_by_its_place() -> None:
    rows = Rows()
    pairs = [rows.pair(f"q{number}", "a", "b") for number in range(6)]
    for number, pair in enumerate(pairs):
        rows.vote(pair, "ann", 1)
        rows.vote(pair, "bob", 1 if number % 2 else 2)
    view = View(rows.tally(), Options())
    labels = {"rater_1": "ann", "rater_2": "bob"}
    everything = behind(view, labels)
    asked = [(item.question, item.agreement) for item in everything.items]
    assert asked == [("q0", 0), ("q2", 0), ("q4", 0), ("q1", 1), ("q3", 1), ("q5", 1)]
    told = {(item.pair_id, item.turn) for item in everything.items if item.question in ("q3", "q4")}
    found = behind(view, labels, 4, told=told)
    assert [(item.question, item.agreement) for item in found.items] == [
        ("q4", 0), ("q3", 1), ("q0", None), ("q1", None),
    ]  # fmt: skip
    assert found.total == 6


def test_only_so_many_are_listed_and_all_are_counted() -> None:
    rows = Rows()
    for number in range(7):
        rows.vote(rows.pair(f"q{number}", "a", "b"), "ann", 3)
    found = behind(View(rows.tally(), Options()), {"raters": "human"}, most=3)
    assert (len(found.items), found.total) == (3, 7)
    assert {(item.wins, item.ties) for item in found.items} == {((0, 0), 1)}

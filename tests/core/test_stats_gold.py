"""Gold by votes, who mistakes what for what, and how near everybody comes to the leads' rulings."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gold import GoldRule, decide
from core.records import Choice, Pair, Ruling, RulingChoice, RulingStage
from core.stats import Options, Tally
from core.stats.gold_fit import OPEN, ruled_classes
from core.stats.view import View
from tests.core.stats_oracle import Rows, find, live_votes, result_of, studies

BLIND, UNMASKED = 0, 1


def ruled(
    tally: Tally, *rows: tuple[int, int, int, int, float | None, int], start: int = 1
) -> Tally:
    """Add rulings: pair, lead's annotator id, stage, choice, probability, superseded seq."""
    tally.add_rulings(
        (start + place, pair, 1, lead, stage, choice, 0, probability, "", "", superseded, 0)
        for place, (pair, lead, stage, choice, probability, superseded) in enumerate(rows)
    )
    return tally


# ── gold_models ─────────────────────────────────────────────────────────────


@settings(max_examples=40, deadline=None)
@given(studies())
def test_majorities_are_counted_as_by_hand(rows: Rows) -> None:
    said: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for vote in live_votes(rows):
        said[vote.pair, vote.turn][vote.choice] += 1
    decided = sum(2 * max(each.values()) > each.total() for each in said.values())
    result = result_of(rows.tally(), "gold_models")
    assert find(result.estimates, measure="items with votes").value == len(said)
    share = find(result.estimates, measure="majority decides")
    if not said:
        assert share.value is None
        assert result.notes == ("there are no votes yet",)
        return
    assert (share.k, share.n) == (decided, len(said))
    parts = ("only majority", "only dawid-skene", "neither")
    both = len(said) - sum(find(result.estimates, measure=part).k or 0 for part in parts)
    assert find(result.estimates, measure="agree").n == both


def test_ruled_items_are_clamped_and_counted_apart() -> None:
    rows = Rows()
    pairs = [rows.pair(f"q{number}", "a", "b") for number in range(6)]
    for pair in pairs:
        for name in ("ann", "bob", "cat"):
            rows.vote(pair, name, 1)
    tally = ruled(rows.tally(), (pairs[0], 1, BLIND, 4, None, 0), (pairs[1], 1, BLIND, 5, None, 0))
    result = result_of(tally, "gold_models")
    assert find(result.estimates, measure="ruled").value == 1
    assert find(result.estimates, measure="majority decides").n == 5
    assert 0 <= find(result.estimates, measure="entropy").value < 0.2  # type: ignore[operator]


# ── confusion ───────────────────────────────────────────────────────────────


def leaning(seed: int, pairs: int = 900, lean: float = 0.25) -> tuple[Rows, Any]:
    """Six annotators who take right for left, a judge who does so more, and the truth."""
    rng = np.random.default_rng(seed)
    rows = Rows()
    truth = rng.integers(1, 3, pairs)

    def cast(true: int, left: int, right: float, extra: float) -> int:
        """A choice in model space; ``extra`` of the true rights are taken for left."""
        if rng.random() >= right:
            return int(rng.choice([c for c in (1, 2, 3) if c != true]))
        return 3 - true if true != left and rng.random() < extra else true

    for number, true in enumerate(truth.tolist()):
        pair = rows.pair(f"q{number}", "a", "b")
        for name in rng.choice(6, 4, replace=False).tolist():
            left = int(rng.integers(1, 3))
            rows.vote(pair, f"n{name}", cast(true, left, 0.85, lean), left=left)
        for left in (1, 2):
            rows.verdict(pair, "gpt", cast(true, left, 0.8, 0.5), left=left)
    return rows, truth


def test_a_lean_to_one_side_shows_in_the_confusion_of_people_and_judges() -> None:
    rows, _ = leaning(3)
    result = result_of(rows.tally(), "confusion")
    for name in [f"n{number}" for number in range(6)]:
        left = find(result.estimates, rater=name, true="left")
        right = find(result.estimates, rater=name, true="right")
        assert left.value == pytest.approx(0.85, abs=0.07)
        assert right.value == pytest.approx(0.85 * 0.75, abs=0.08)
        assert right.labels["mistaken for"] == "left"
    judge = find(result.estimates, rater="gpt", true="right")
    assert judge.value == pytest.approx(0.4, abs=0.05)
    assert judge.labels["mistaken for"] == "left"
    rows.verdicts.clear()
    alone = result_of(rows.tally(), "confusion")
    people = [row for row in result.estimates if row.labels["is"] == "annotator"]
    assert [row.to_json() for row in people] == [row.to_json() for row in alone.estimates]


def test_classes_that_hardly_occur_are_explained() -> None:
    rows, _ = leaning(5, pairs=20)
    result = result_of(rows.tally(), "confusion")
    tie = find(result.estimates, rater="n0", true="tie")
    assert tie.value is None
    assert "tie is likely true on" in tie.reason
    assert {row.labels["true"] for row in result.estimates} == {"left", "right", "tie"}


# ── gold_agreement ──────────────────────────────────────────────────────────


def test_agreement_with_rulings_is_as_counted_by_hand() -> None:
    rows = Rows()
    pairs = [rows.pair(f"q{number}", "a", "b") for number in range(4)]
    for name, choices in {"lea": (1, 1, 1, 1), "ann": (1, 2, 3, 4), "bob": (1, 1, 3, 3)}.items():
        for pair, choice in zip(pairs, choices, strict=True):
            rows.vote(pair, name, choice, group="expert" if name == "bob" else "crowd")
    for pair, choice in zip(pairs, (1, 2, 3, 0), strict=True):
        rows.verdict(pair, "gpt", choice)
    tally = ruled(
        rows.tally(),
        (pairs[0], 1, BLIND, 1, 0.5, 0),
        (pairs[1], 1, BLIND, 2, 0.1, 0),
        (pairs[1], 1, UNMASKED, 1, 0.1, 2),  # revised: what was ruled blind counts
        (pairs[2], 1, BLIND, 3, None, 0),
        (pairs[3], 1, UNMASKED, 3, 0.5, 0),  # never ruled blind
    )
    result = result_of(tally, "gold_agreement")

    def told(name: str, over: str) -> tuple[int | None, int, float | None]:
        row = find(result.estimates, rater=name, over=over)
        return row.k, row.n, row.value

    assert told("ann", "all ruled") == (3, 3, 1.0)
    assert told("bob", "all ruled") == (2, 3, pytest.approx(2 / 3))
    assert told("gpt", "all ruled") == (3, 3, 1.0)
    assert told("human", "all ruled") == (5, 6, pytest.approx(5 / 6))
    assert told("human: expert", "all ruled") == (2, 3, pytest.approx(2 / 3))
    assert told("bob", "drawn") == (1, 2, pytest.approx(2 / 12))
    # Without lea's own votes a majority needs both: on the second pair they differ.
    assert told("(majority)", "all ruled") == (2, 2, 1.0)
    assert "lea" not in {row.labels["rater"] for row in result.estimates}
    assert result.notes[0] == "ruled on blind: 3 items, 2 of them drawn at random"


def test_dawid_skene_is_asked_about_items_whose_rulings_it_does_not_know() -> None:
    """Two who always differ: only rulings elsewhere say who is right."""
    rows = Rows()
    tally_rows = []
    for number in range(60):
        pair = rows.pair(f"q{number}", "a", "b")
        for name, choice in (("ann", 1 + number % 2), ("bob", 2 - number % 2)):
            rows.vote(pair, name, choice, left=1)
        tally_rows.append((pair, 3, BLIND, 1 + number % 2, None, 0))
    rows.vote(rows.pair("elsewhere", "a", "b"), "lea", 3)
    result = result_of(ruled(rows.tally(), *tally_rows), "gold_agreement")
    model = find(result.estimates, rater="(dawid-skene)")
    assert (model.k, model.n) == (60, 60)
    lonely = result_of(ruled(rows.tally(), *tally_rows[:1]), "gold_agreement")
    alone = find(lonely.estimates, rater="(dawid-skene)")
    assert alone.value is None  # knowing no ruling, it cannot tell


def test_no_ruling_no_number() -> None:
    rows = Rows()
    rows.vote(rows.pair("q", "a", "b"), "ann", 1)
    result = result_of(rows.tally(), "gold_agreement")
    assert result.estimates == ()
    assert "no lead has ruled blind" in result.notes[0]


# ── do intervals cover? ─────────────────────────────────────────────────────


@pytest.mark.slow
def test_intervals_of_weighted_agreement_with_rulings_cover() -> None:
    """Disputed pairs are ruled three times as often; the annotator is wrong there more often."""
    rng = np.random.default_rng(11)
    weighted, plain, trials = 0, 0, 500
    for _ in range(trials):
        rows = Rows()
        ruling_rows = []
        pairs = 600
        disputed = rng.random(pairs) < 0.3
        right = rng.random(pairs) < np.where(disputed, 0.55, 0.9)
        drawn = rng.random(pairs) < np.where(disputed, 0.6, 0.2)
        for number in range(pairs):
            pair = rows.pair(f"q{number}", "a", "b")
            rows.vote(pair, "ann", 1 if right[number] else 2)
            if drawn[number]:
                ruling_rows.append((pair, 2, BLIND, 1, 0.6 if disputed[number] else 0.2, 0))
        rows.vote(rows.pair("elsewhere", "a", "b"), "lea", 3)
        truth = 0.3 * 0.55 + 0.7 * 0.9
        result = result_of(ruled(rows.tally(), *ruling_rows), "gold_agreement")
        for over in ("drawn", "all ruled"):
            row = find(result.estimates, rater="ann", over=over)
            assert row.low is not None
            assert row.high is not None
            hit = row.low <= truth <= row.high
            weighted, plain = weighted + (over == "drawn") * hit, plain + (over != "drawn") * hit
    assert 0.93 <= weighted / trials <= 0.97
    assert plain / trials < 0.5


@pytest.mark.slow
def test_intervals_of_the_confusion_cover() -> None:
    """Three votes or more on each item; nominal 95%, an approximation that simulation chose."""
    hits = total = 0
    for seed in range(60):
        rows, _ = leaning(1000 + seed, pairs=400)
        result = result_of(rows.tally(), "confusion")
        for row in result.estimates:
            if row.value is None or row.labels["true"] == "tie":
                continue
            is_judge = row.labels["is"] == "judge"
            right = 0.8 if is_judge else 0.85
            lean = 0.5 if is_judge else 0.25
            truth = right * (1 - lean) if row.labels["true"] == "right" else right
            assert row.low is not None
            assert row.high is not None
            hits += row.low <= truth <= row.high
            total += 1
    assert 0.92 <= hits / total <= 0.98


# ── rulings as gold has them ────────────────────────────────────────────────


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from(list(RulingChoice)), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_clamped_is_what_gold_decides(made: list[tuple[int, RulingChoice, bool]]) -> None:
    """Several leads, several rulings of each, some final: unresolved clamps nothing."""
    rows = Rows()
    number = rows.pair("q", "a", "b")
    for lead in ("lea", "lou", "max"):
        rows.vote(rows.pair("elsewhere", "a", "b"), lead, 1)
    rows.vote(number, "lea", 3)
    tally = rows.tally()
    codes = {choice: code for code, choice in enumerate(RulingChoice, 1)}
    tally.add_rulings(
        (seq, number, 1, lead, BLIND, codes[choice], 0, None, "", "", 0, int(final))
        for seq, (lead, choice, final) in enumerate(made, 1)
    )
    blind, pair = RulingStage.BLIND, Pair("q", "a", "b")
    gold = decide(
        [],
        [
            Ruling(f"r{seq}", pair, 1, f"lead{lead}", blind, choice, "", final=final)
            for seq, (lead, choice, final) in enumerate(made)
        ],
        GoldRule(),
    )
    view = View(tally, Options())
    (clamped,) = ruled_classes(view)[[int(each) == number - 1 for each in view.pair]].tolist()
    expected = OPEN if gold.label is None else list(Choice).index(gold.label)
    assert clamped == expected


def test_only_rulings_on_cases_that_were_not_drawn_are_said_to_be_left_out() -> None:
    rows = Rows()
    pairs = [rows.pair(f"q{number}", "a", "b") for number in range(3)]
    for name in ("lea", "lou"):
        for pair in pairs:
            rows.vote(pair, name, 1)
    tally = ruled(
        rows.tally(),
        (pairs[0], 1, BLIND, 1, 0.5, 0),
        (pairs[0], 2, BLIND, 1, None, 0),  # a second opinion on a case that was drawn
        (pairs[1], 1, BLIND, 1, None, 0),
    )
    result = result_of(tally, "gold_error")
    assert find(result.estimates, of="disputed").n == 1
    assert result.notes[0] == "1 ruling on cases that were not drawn left out"


def test_chance_counts_both_bad_where_anybody_says_it() -> None:
    """No ruling says both bad, but a vote on one of the items does."""
    rows = Rows()
    for item in range(12):
        pair = rows.pair(f"q{item}", "a", "b")
        rows.vote(pair, "ann", 4 if item == 3 else 1)
        rows.vote(pair, "bob", 1)
    rows.vote(rows.pair("elsewhere", "a", "b"), "lea", 3)
    rulings = [(number, 3, BLIND, 1, None, 0) for number in range(1, 13)]
    found = result_of(ruled(rows.tally(), *rulings), "gold_agreement").estimates
    assert {each.chance for each in found if each.value is not None} == {1 / 4}
    plain = rows.tally()
    plain.add_votes([(26, 4, 1, 1, 1, 0, 7)])
    found = result_of(ruled(plain, *rulings), "gold_agreement").estimates
    assert {each.chance for each in found if each.value is not None} == {1 / 3}

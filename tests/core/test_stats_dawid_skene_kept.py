"""A fit that ballots are stepped into: what it keeps, what it comes to, and how near it stays."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.stats import Options, Tally, compute
from core.stats.dawid_skene import Ballots, Problem, Rules, climbing, finished, fit
from core.stats.dawid_skene_kept import Changed, Kept
from core.stats.gold_blind import (
    PARTS,
    blind_work,
    fits_of,
    labels_without_own_rulings,
    reference,
)
from core.stats.gold_kept import Gold, gold_of, gold_work
from core.stats.registry import finished as made
from core.stats.registry import registered
from core.stats.view import View
from tests.core.stats_oracle import Rows

NEAR = 1e-6
"""What two ways to a fixed point may differ by: the fit stops where a step moves nothing by 1e-11,
and the steps of one item after the other stop a little before."""

IDS = ("gold_models", "confusion", "gold_error", "deference", "gold_agreement")


def studied(seed: int, items: int, raters: int = 8) -> Ballots:
    """Up to five votes an item by annotators of different care; some sides unknown, some ruled."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(4, items, p=(0.35, 0.35, 0.2, 0.1))
    item = np.repeat(np.arange(items), 5)
    rater = np.concatenate([rng.choice(raters, 5, replace=False) for _ in range(items)])
    is_right = rng.random(len(item)) < 0.5 + 0.4 * rater / raters
    said = np.where(is_right, truth[item], rng.integers(0, 4, len(item)))
    left = rng.choice(3, len(item), p=(0.1, 0.45, 0.45))
    fixed = np.where(rng.random(items) < 0.05, truth, -1)
    return Ballots(item, rater, said, left, items, raters, 4, fixed)


def kept_of(ballots: Ballots, items: Any) -> Kept:
    """A full fit of some of the items, which keep their numbers."""
    mine = np.isin(ballots.item, items)
    columns = ballots.rater[mine], ballots.said[mine], ballots.left[mine]
    place = np.searchsorted(items, ballots.item[mine])
    some = Ballots(place, *columns, len(items), ballots.raters, 4, ballots.truth[items])
    problem, rules = Problem(some), Rules()
    found = finished(climbing(problem, rules))
    return Kept(problem, found, items, np.arange(ballots.raters), rules)


def changed(ballots: Ballots, items: Any) -> Changed:
    mine = np.flatnonzero(np.isin(ballots.item, items))
    mine = mine[np.argsort(ballots.item[mine], kind="stable")]
    return Changed(
        items,
        np.ones(len(items), np.bool_),
        ballots.truth[items],
        np.searchsorted(items, ballots.item[mine]),
        ballots.rater[mine],
        ballots.left[mine],
        ballots.said[mine],
    )


@pytest.mark.parametrize("seed", range(2))
def test_stepping_on_comes_to_the_full_fit(seed: int) -> None:
    """Items that were never in the fit, items that left, items that changed: one fixed point."""
    ballots = studied(seed, 120)
    first = replace(ballots, said=np.where(ballots.item < 30, 0, ballots.said))
    kept = kept_of(first, np.arange(100))
    every = np.arange(ballots.items)
    assert kept.differs(changed(ballots, every)).sum() > 40
    kept.step(changed(ballots, np.arange(30)))
    for item in range(100, 120):
        kept.step(changed(ballots, np.array([item])))
    assert not kept.differs(changed(ballots, every)).any()
    full = fit(ballots)
    assert np.abs(kept.posterior(every)[0] - full.posterior).max() > NEAR
    for _ in range(150):  # every item is looked at again and again
        kept.step(changed(ballots, every))
    found, is_in = kept.posterior(every)
    assert is_in.all()
    assert found == pytest.approx(full.posterior, abs=NEAR)
    fresh = kept_of(ballots, every)
    assert kept.items == fresh.items == 120
    assert np.array_equal(kept.ballots, fresh.ballots)
    assert kept.shown().votes == pytest.approx(fresh.shown().votes, abs=100 * NEAR)
    assert kept.shown().certain == pytest.approx(fresh.shown().certain, abs=NEAR)


def test_what_is_taken_out_again_leaves_nothing_behind() -> None:
    ballots = studied(7, 80)
    kept, whole = kept_of(ballots, np.arange(80)), changed(ballots, np.arange(80))
    nobody = np.zeros(80, np.bool_)
    kept.step(replace(whole, counts=nobody).only(np.arange(80) < 60))
    assert kept.items == 20
    assert not kept.posterior(np.arange(60))[1].any()
    assert np.array_equal(kept.ballots, kept_of(ballots, np.arange(60, 80)).ballots)
    kept.step(replace(whole, counts=nobody).only(np.arange(80) >= 60))
    assert kept.items == 0
    assert not kept.ballots.any()
    assert kept.shown().votes == pytest.approx(0, abs=1e-12)


def happened(seed: int) -> tuple[Rows, list[Any], list[Any]]:
    """A small study, its votes with some superseded, and rulings."""
    rnd, rows = random.Random(seed), Rows()
    pairs = [rows.pair(f"q{n}", *rnd.sample(("a", "b", "c"), 2)) for n in range(5)]
    for _ in range(rnd.randint(5, 40)):
        name = rnd.choice(("ann", "bob", "cat"))
        rows.vote(rnd.choice(pairs), name, rnd.randint(1, 4), left=rnd.randint(0, 2))
    for _ in range(12):
        name = rnd.choice(("gpt", "llama"))
        rows.verdict(rnd.choice(pairs), name, rnd.randint(0, 4), left=rnd.randint(0, 2))
    votes: list[Any] = []
    gone: set[int] = set()
    for row in rows.votes:
        if votes and rnd.random() < 0.3:
            before = rnd.choice(votes)
            if before[0] not in gone:
                gone.add(before[0])
                row = (row[0], *before[1:4], rnd.randint(0, 5), row[5], before[0])
        votes.append(row)
    rulings = [
        (n, votes[0][1], votes[0][2], 1, 0, rnd.randint(1, 6), 0, chance, "x", "", 0, final)
        for n, (chance, final) in enumerate([(None, 0), (0.5, 1), (None, 0)], 1)
    ]
    return rows, votes, rulings


def fed(rows: Rows, votes: list[Any]) -> Tally:
    verdicts, rows.votes, rows.verdicts = rows.verdicts, [], []
    tally = rows.tally()
    rows.verdicts = verdicts
    tally.add_votes(votes)
    return tally


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 1 << 30))
def test_whoever_looked_all_along_reads_what_a_first_look_finds(seed: int) -> None:
    """Not nearly, but to the last digit: a full fit begins anew from the votes alone."""
    rows, votes, rulings = happened(seed)
    watched, unwatched = fed(rows, votes[:1]), fed(rows, votes[:1])
    chosen = Options(), Options(merge_both_bad=True)
    for start in range(1, len(votes), 10):
        for tally in (watched, unwatched):
            tally.add_votes(votes[start : start + 10])
            tally.add_verdicts(rows.verdicts if start == 1 else [])
            tally.add_rulings(rulings[start // 10 : start // 10 + 1])
        for options in chosen:
            compute(watched, options, IDS)
    for options in chosen:
        told, expected = (compute(tally, options, IDS) for tally in (watched, unwatched))
        assert [each.to_json() for each in told] == [each.to_json() for each in expected]


def voted(items: int) -> Tally:
    """Three votes an item by annotators of different care."""
    rng, rows = np.random.default_rng(1), Rows()
    for number in range(items):
        pair, truth = rows.pair(f"q{number}", "a", "b"), int(rng.integers(1, 5))
        for name in rng.choice(9, 3, replace=False).tolist():
            said = truth if rng.random() < 0.5 + 0.05 * name else int(rng.integers(1, 5))
            rows.vote(pair, f"a{name}", said, left=int(rng.integers(1, 3)))
    return rows.tally()


def test_what_is_stepped_in_stays_near_the_full_fit_until_one_is_due() -> None:
    """A thousandth of the items moves what is told by less than a thousandth."""
    tally = voted(5000)
    (models,) = (each for each in registered() if each.id == "gold_models")
    made(models, View(tally, Options()))
    rng, seq = np.random.default_rng(2), tally.last_vote_seq
    for number, item in enumerate(rng.choice(5000, 4, replace=False).tolist(), 1):
        tally.add_votes([(seq + number, item + 1, 1, 1, int(rng.integers(1, 5)), 1, 0)])
        view = View(tally, Options())
        assert gold_work(view) is None
        assert gold_of(view).stepped == number
    stepped = models.run(View(tally, Options()))
    tally.add_votes([(seq + 5, 1, 1, 2, 3, 1, 0)])
    view = View(tally, Options())
    work = gold_work(view)
    assert work is not None
    assert not work.is_needed
    full = made(models, view).run(view)
    assert gold_of(view).stepped == 0
    for one, other in zip(stepped.estimates, full.estimates, strict=True):
        if one.unit != "count":
            assert one.value == pytest.approx(other.value, abs=1e-3), one.labels


def test_however_many_judges_there_are_the_votes_are_fitted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = Rows()
    for number in range(12):
        pair = rows.pair(f"q{number}", "a", "b")
        for name in ("ann", "bob"):
            rows.vote(pair, name, 1 + number % 4, left=1)
        for judge in range(30):
            rows.verdict(pair, f"judge {judge}", 1 + (number + judge) % 4, left=1)
    fits = []
    make = Gold.made
    monkeypatch.setattr(Gold, "made", staticmethod(lambda view: fits.append(view) or make(view)))
    (found,) = compute(rows.tally(), Options(), {"confusion"})
    assert {row.labels["rater"] for row in found.estimates} >= {f"judge {n}" for n in range(30)}
    assert len(fits) == 1


def test_fits_without_the_rulings_they_predict_are_followed_and_stay_near(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A vote, a ruling, one that is taken back: each is stepped into the fits that may know it."""
    monkeypatch.setattr("core.stats.gold_kept.STEPPED", 100)
    tally, rng = voted(1000), np.random.default_rng(5)
    ruled = rng.choice(1000, 30, replace=False).tolist()
    for number, item in enumerate(ruled, 1):
        said = int(rng.integers(1, 5))
        tally.add_rulings([(number, item + 1, 1, 1, 0, said, 1, None, "x", "", 0, 0)])
    (statistic,) = (each for each in registered() if each.id == "gold_agreement")
    made(statistic, View(tally, Options()))
    fitted: list[Any] = []
    make = Problem.with_truth

    def counted(self: Problem, truth: Any) -> Problem:
        fitted.append(truth)
        return make(self, truth)

    monkeypatch.setattr(Problem, "with_truth", counted)
    seq = tally.last_vote_seq
    tally.add_votes([(seq + 1, ruled[0] + 1, 1, 1, 2, 1, 0), (seq + 2, 1000, 1, 2, 1, 1, 0)])
    new = next(item for item in range(1000) if item not in ruled)
    tally.add_rulings([(31, new + 1, 1, 1, 0, 3, 1, None, "x", "", 0, 0)])
    tally.add_rulings([(32, ruled[1] + 1, 1, 1, 0, 0, 1, None, "x", "", 2, 0)])
    view = View(tally, Options())
    items = reference(view).item
    assert set(items.tolist()) == {*ruled, new} - {ruled[1]}
    assert blind_work(view) is None
    near = fits_of(view).posterior(view, items)
    assert labels_without_own_rulings(view)[1].endswith("; 4 items have been stepped in since")
    assert not fitted
    others = [item for item in range(1000) if item not in items][-6:]
    tally.add_votes([(seq + 3 + n, item + 1, 1, 3, 1, 1, 0) for n, item in enumerate(others)])
    view = View(tally, Options())
    made(statistic, view)
    assert len(fitted) == PARTS
    assert labels_without_own_rulings(view)[1] == f"full fit at vote {tally.last_vote_seq:,}"
    full = fits_of(view).posterior(view, items)
    assert full == pytest.approx(near, abs=0.05)
    # No fit knows what it predicts: with its ruling known, an item is certain.
    assert full.max() < 1

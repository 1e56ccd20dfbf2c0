"""Panels vote as their rules say, and weights that are fitted make nobody look better."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from core.panels import Panel, PanelRule
from core.records import Combined
from core.stats import Options, Tally, compute
from core.stats.outcomes import KINDS
from core.stats.view import View
from core.stats.voting import FOLDS, fitted_weights, winners
from tests.core.judged import judged, slow_vote, slow_word, with_panels
from tests.core.stats_oracle import Rows, find, result_of

KIND = {
    "pending": Combined.PENDING,
    "failure": Combined.FAILURE,
    "undecided": Combined.UNDECIDED,
}


def three(*said: tuple[int, ...], weights: tuple[float, ...] = (1, 1, 1)) -> Tally:
    """One pair an entry, one verdict of each judge in each order; 0 is a failure."""
    rows = Rows()
    for number, choices in enumerate(said):
        pair = rows.pair(f"q{number}", "a", "b")
        rows.vote(pair, "ann", 1)
        for judge, choice in zip("xyz", choices, strict=True):
            rows.verdict(pair, judge, choice, left=1)
            rows.verdict(pair, judge, choice, left=2)
    return with_panels(rows, {"p": dict(zip("xyz", weights, strict=True))})


@settings(max_examples=150, deadline=None)
@given(judged(), st.lists(st.sampled_from([0.1, 0.2, 0.3, 1.0, 2.0]), min_size=4, max_size=4))
def test_a_panel_votes_as_its_rules_say(rows: Rows, weights: list[float]) -> None:
    members = dict(zip(rows.judges, weights, strict=False))
    if not members:
        return
    tally = with_panels(rows, {"p": members})
    view = View(tally, Options())
    found = view.panel("panel: p")
    # A judge that gave one order of each item only says what it said there.
    if any(view.outcomes(number).one_order for number in range(len(tally.judges))):
        return
    for item, pair in enumerate(tally.pair_ids(np.arange(len(tally.item_turn))).tolist()):
        words = [slow_word(rows, judge, pair) for judge in members]
        expected = slow_vote(words, list(members.values()))
        if isinstance(expected, int):
            assert (found.choice[item], KINDS[found.kind[item]]) == (expected, Combined.DECIDED)
        elif expected is None:
            assert (found.choice[item], found.kind[item]) == (0, -1)
        else:
            assert (found.choice[item], KINDS[found.kind[item]]) == (0, KIND[expected])


def test_a_vote_without_a_winner_is_no_tie_and_a_failure_is_no_vote() -> None:
    tally = three((1, 2, 3), (1, 2, 0), (1, 1, 0), (3, 3, 1), (1, 0, 0))
    rows = result_of(tally, "coverage").estimates
    items = {
        str(row.labels["measure"]): row.value for row in rows if row.labels["rater"] == "panel: p"
    }
    assert items == {"items: undecided": 2, "items: decided": 2, "items: failure": 1}
    agreement = find(
        result_of(tally, "agreement").estimates, rater_1="panel: p", kind="panel-human", setup="S1"
    )
    assert (agreement.k, agreement.n) == (1, 2)  # the said tie is compared, the others are not
    notes = " ".join(result_of(tally, "agreement").notes)
    assert "panel: p: 2 items left out, its members' vote has no winner (no tie)" in notes


def test_one_member_is_its_judge() -> None:
    rows = Rows()
    for number, (first, second) in enumerate([(1, 1), (1, 2), (3, 1), (4, 4), (0, 1), (2, 2)]):
        pair = rows.pair(f"q{number}", "a", "b")
        rows.vote(pair, "ann", 1 + number % 4)
        rows.verdict(pair, "x", first, left=1)
        rows.verdict(pair, "x", second, left=2)
    tally = with_panels(rows, {"alone": {"x": 3.0}})
    for id, column in (("agreement", "rater_1"), ("win_rate", "raters"), ("ranking", "raters")):
        for row in result_of(tally, id).estimates:
            if row.labels[column] == "x":
                labels = {**row.labels, column: "panel: alone"}
                labels.pop("kind", None)
                twin = find(result_of(tally, id).estimates, **labels)
                assert (twin.value, twin.n, twin.k) == (row.value, row.n, row.k)
                assert (twin.lowest, twin.highest) == (row.lowest, row.highest)
    kinds = {row.labels["kind"] for row in result_of(tally, "agreement").estimates}
    assert "judge-panel" not in kinds  # it would be compared with itself


def test_a_panel_is_compared_with_judges_that_are_not_in_it() -> None:
    rows = Rows()
    for number in range(4):
        pair = rows.pair(f"q{number}", "a", "b")
        for judge in "wxyz":
            rows.verdict(pair, judge, 1 + number % 2, left=1)
    tally = with_panels(rows, {"p": {"x": 1, "y": 1}, "r": {"w": 1, "z": 1}, "s": {"x": 1}})
    compared = {
        (row.labels["rater_1"], row.labels["rater_2"])
        for row in result_of(tally, "agreement").estimates
        if "panel" in str(row.labels["kind"])
    }
    assert compared == {
        ("w", "panel: p"), ("z", "panel: p"), ("x", "panel: r"), ("y", "panel: r"),
        ("w", "panel: s"), ("y", "panel: s"), ("z", "panel: s"),
        ("panel: p", "panel: r"), ("panel: r", "panel: s"),
    }  # fmt: skip


def test_nobody_takes_a_panel_for_a_judge_of_its_name() -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    rows.verdict(pair, "x", 1)
    rows.verdict(pair, "panel: p", 2)
    view = View(with_panels(rows, {"p": {"x": 1}, "x": {"x": 1}}), Options())
    assert list(view.words()) == ["panel: p", "x", "panel: p (panel)", "panel: x"]
    assert view.words()["panel: p"].choice[0] == 2


def test_a_filter_does_not_change_a_panels_word() -> None:
    rows = Rows()
    rng = np.random.default_rng(3)
    for number in range(60):
        pair = rows.pair(f"q{number}", "a", "b")
        rows.categories[f"q{number}"] = "maths" if number % 3 else "writing"
        for turn in (1, 2):
            rows.vote(pair, "ann", int(rng.integers(1, 4)), turn=turn)
            for judge in "xyz":
                rows.verdict(pair, judge, int(rng.integers(0, 4)), turn=turn)
    tally = with_panels(rows, {"p": dict.fromkeys("xyz")})
    whole = View(tally, Options())
    part = View(tally, Options(category="maths", turn=2))
    assert 0 < len(part.items) < len(whole.items)
    mine, every = part.panel("panel: p"), whole.panel("panel: p")
    assert np.array_equal(mine.choice, every.choice[part.items])
    assert np.array_equal(mine.kind, every.kind[part.items])
    options = dict(zip(every.open.tolist(), every.options.tolist(), strict=True))
    assert dict(zip(part.items[mine.open].tolist(), mine.options.tolist(), strict=True)) == {
        item: left for item, left in options.items() if item in set(part.items.tolist())
    }
    assert mine.open.size


@pytest.mark.parametrize(
    ("rule", "members", "said"),
    [
        ("majority", {}, "no members"),
        ("majority", {"x": 2.0}, "counts alike"),
        ("majority", {"x": None}, "counts alike"),
        ("weighted", {"x": 0.0}, "weight of 'x' is 0.0"),
        ("weighted", {"x": float("nan")}, "weight"),
        ("weighted", {"x": 1.0, "y": None}, "some of its members"),
    ],
)
def test_what_is_no_panel_is_refused(
    rule: str, members: dict[str, float | None], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        Panel("p", PanelRule(rule), members)


def test_sums_of_weights_that_differ_by_rounding_are_equal() -> None:
    assert winners(
        np.array([[0.1 + 0.2, 0.3, 0, 0], [0.3, 0.31, 0, 0], [0, 0, 0, 0]])
    ).tolist() == [
        0,
        2,
        0,
    ]


# ── weights from agreement with people ──────────────────────────────────────


def coins(rng: np.random.Generator, items: int, judges: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Judges and people who all toss a three-sided coin: nobody agrees but by chance."""
    said = [rng.integers(1, 4, items).astype(np.int8) for _ in range(judges)]
    counts = np.zeros((items, 4), np.int64)
    counts[np.arange(items), rng.integers(0, 3, items)] = 1
    return said, counts


def test_fitted_weights_are_the_log_odds_of_being_right() -> None:
    rng = np.random.default_rng(1)
    items, shares = 200_000, (0.9, 0.6, 1 / 3, 0.2)
    truth = rng.integers(1, 4, items)
    said = [
        np.where(rng.random(items) < p, truth, 1 + (truth + rng.integers(0, 2, items)) % 3)
        for p in shares
    ]
    counts = np.zeros((items, 4), np.int64)
    counts[np.arange(items), truth - 1] = 1
    found = fitted_weights([each.astype(np.int8) for each in said], counts, np.arange(items) % 10)
    planted = [max(0.0, float(np.log(2 * p / (1 - p)))) for p in shares]
    assert np.allclose(found, planted, atol=0.03)


def test_weights_of_a_part_do_not_depend_on_its_own_votes() -> None:
    rng = np.random.default_rng(2)
    said, counts = coins(rng, 100, 3)
    fold = np.arange(100) % FOLDS
    before = fitted_weights(said, counts, fold)
    counts[fold == 4] = counts[fold == 4][:, [1, 2, 0, 3]]
    after = fitted_weights(said, counts, fold)
    same = (before == after).all(axis=1)
    assert same[4]
    assert not same[np.arange(FOLDS) != 4].all()


def test_without_votes_or_skill_all_weigh_alike() -> None:
    said = [np.array([1, 2, 3], np.int8), np.array([2, 2, 1], np.int8)]
    fold = np.arange(3)
    assert (fitted_weights(said, np.zeros((3, 4), np.int64), fold) == 1).all()
    wrong = np.zeros((3, 4), np.int64)
    wrong[:, 3] = 5
    assert (fitted_weights(said, wrong, fold) == 1).all()


def agreement_of(weights: np.ndarray, said: list[np.ndarray], counts: np.ndarray) -> float:
    cast = np.zeros((len(counts), 4))
    for member, choice in enumerate(said):
        cast[np.arange(len(choice)), choice - 1] += weights[:, member]
    choice = cast.argmax(axis=1)
    return float(counts[np.arange(len(counts)), choice].mean())


def test_a_panel_of_coins_is_no_better_than_chance_however_it_is_fitted() -> None:
    """Weights fitted to the votes they are tried on would make a panel of coins look skilled."""
    rng = np.random.default_rng(5)
    own, apart = [], []
    for _ in range(400):
        said, counts = coins(rng, 60, 9)
        fold = np.arange(60) % FOLDS
        apart.append(agreement_of(fitted_weights(said, counts, fold)[fold], said, counts))
        # The same rule without the parts: every item sees weights of all items.
        share = [(counts[np.arange(60), s - 1].sum() + 1) / 63 for s in said]
        all_in = np.maximum([np.log(2 * p / (1 - p)) for p in share], 0)
        own.append(agreement_of(np.tile(all_in, (60, 1)), said, counts))
    error = np.std(apart) / np.sqrt(len(apart))
    assert abs(np.mean(apart) - 1 / 3) < 3 * error
    assert np.mean(own) > 1 / 3 + 10 * error


def test_a_fitted_panel_says_where_its_weights_come_from() -> None:
    rows = Rows()
    for number in range(30):
        pair = rows.pair(f"q{number}", "a", "b")
        rows.vote(pair, "ann", 1)
        rows.verdict(pair, "good", 1)
        rows.verdict(pair, "bad", 2)
        rows.verdict(pair, "worse", 2)
    tally = with_panels(rows, {"p": dict.fromkeys(("good", "bad", "worse"))})
    result = result_of(tally, "panels")
    weights = {
        row.labels["member"]: row.value for row in result.estimates if "member" in row.labels
    }
    assert weights["bad"] == weights["worse"] == 0 < (weights["good"] or 0)
    assert any("from the other nine" in each for each in result.assumptions)
    (found,) = compute(tally, only={"agreement"})
    assert any("from the other nine" in each for each in found.assumptions)
    row = find(found.estimates, kind="panel-human", setup="S1")
    assert (row.k, row.n) == (30, 30)
    counted = Counter(str(each.labels["panel"]) for each in result.estimates)
    assert set(counted) == {"panel: p"}


# ── intervals ───────────────────────────────────────────────────────────────

SHARES = (0.8, 0.65, 0.6, 0.5)
MEASURES = ("panel: all", "panel: fit")


def study(seed: int, items: int) -> Tally:
    """People right to .75 and four judges of different skill; items differ in how hard they are."""
    rng, tally = np.random.default_rng(seed), Tally()
    hard, truth = rng.normal(0, 0.1, items), rng.integers(1, 4, items)

    def say(share: float, which: np.ndarray) -> np.ndarray:
        right = rng.random(len(which)) < np.clip(share - hard[which], 0, 1)
        return np.where(
            right, truth[which], 1 + (truth[which] + rng.integers(0, 2, len(which))) % 3
        )

    every = np.arange(items)
    item = np.repeat(every, rng.integers(1, 5, items))
    tally.add_pairs((n + 1, f"q{n}", None, "a", "b") for n in range(items))
    tally.add_annotators((n + 1, f"ann{n}", "") for n in range(4))
    tally.add_judges((n + 1, f"j{n}", "llm") for n in range(len(SHARES)))
    tally.add_votes(
        (n + 1, int(i) + 1, 1, 1 + n % 4, int(c), 0, 0)
        for n, (i, c) in enumerate(zip(item, say(0.75, item), strict=True))
    )
    for judge, share in enumerate(SHARES):
        tally.add_verdicts(
            (judge * items + n + 1, n + 1, 1, judge + 1, c, 0, 0, 0)
            for n, c in enumerate(say(share, every).tolist())
        )
    names = [f"j{n}" for n in range(len(SHARES))]
    tally.panels = (
        Panel("all", PanelRule.MAJORITY, dict.fromkeys(names, 1.0)),
        Panel("fit", PanelRule.WEIGHTED, dict.fromkeys(names)),
    )
    return tally


def agreements(tally: Tally) -> dict[str, tuple[float, float, float]]:
    rows = result_of(tally, "agreement", replicates=500).estimates
    found = {}
    for panel in MEASURES:
        row = find(rows, rater_1=panel, setup="S1", kind="panel-human")
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
        found[panel] = row.value, row.low, row.high
    return found


@pytest.mark.slow
def test_intervals_of_panels_cover_what_they_promise() -> None:
    truth = {key: value for key, (value, *_) in agreements(study(10**6, 200_000)).items()}
    studies, hits = 600, dict.fromkeys(MEASURES, 0)
    for seed in range(studies):
        for key, (_, low, high) in agreements(study(seed, 200)).items():
            hits[key] += low <= truth[key] <= high
    coverage = {key: count / studies for key, count in hits.items()}
    print(coverage, truth)
    assert all(0.93 <= each <= 0.97 for each in coverage.values()), coverage

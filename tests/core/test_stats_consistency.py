"""Annotators against themselves: by hand, by slow reading, by other people's code, by planting."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.proportion import proportion_confint

from core.stats import Estimate, Options, Tally, compute
from core.stats.intervals import clustered_wilson
from core.stats.tally import REPEAT
from tests.core.stats_oracle import Rows, VoteRow, alike, find, live_votes, result_of, studies


def again(rows: Rows, pair: int, annotator: str, choice: int, **fields: int) -> int:
    """A marked repeat, the first one."""
    return rows.vote(pair, annotator, choice + REPEAT, **fields)


def met_twice(*both: tuple[int, int], annotator: str = "ann", rows: Rows | None = None) -> Rows:
    """First votes with model_1 left, and their repeats with model_2 left, a question each."""
    rows = rows or Rows()
    for first, second in both:
        pair = rows.pair(f"q{len(rows.pairs)}", "a", "b")
        rows.vote(pair, annotator, first, left=1)
        again(rows, pair, annotator, second, left=2)
    return rows


def table(
    rows: Iterable[Estimate], **about: str
) -> dict[tuple[object, object], tuple[object, int]]:
    """(measure, classes) → (k, n), of an annotator or of everybody."""
    return {
        (row.labels["measure"], row.labels["classes"]): (row.k, row.n)
        for row in rows
        if row.labels.get("annotator") == about.get("annotator") and row.labels["raters"] == "human"
    }


def test_by_hand() -> None:
    """Ten repeats: six the same; of four that changed two are between the models.

    Model_1 stood left first, model_2 in the repeat: 1 then 2 is left and left again, 2 then 1
    right and right. 3 is a tie, 4 both bad.
    """
    both = [(1, 1), (2, 2), (2, 2), (3, 3), (4, 4), (1, 1), (1, 2), (2, 1), (1, 3), (3, 4)]
    result = result_of(met_twice(*both).tally(), "consistency")
    expected = {
        ("same choice", 4): (6, 10),
        ("same choice", 3): (7, 10),
        ("changed: same side", 4): (2, 4),
        ("changed: otherwise", 4): (2, 4),
        ("same side: left", 4): (1, 2),
        ("Cohen κ", 4): (6, 10),
        ("Cohen κ", 3): (7, 10),
    }
    assert table(result.estimates) == table(result.estimates, annotator="ann") == expected
    # Margins of first votes 4 3 2 1, of repeats 3 3 2 2, of ten: chance is (12 + 9 + 4 + 2)/100.
    four = find(result.estimates, annotator="ann", measure="Cohen κ", classes=4)
    assert four.value == pytest.approx((0.6 - 0.27) / (1 - 0.27))
    assert find(result.estimates, annotator="ann", measure="same side: left").chance == 0.5
    three = result_of(met_twice(*both).tally(), "consistency", merge_both_bad=True)
    assert table(three.estimates)["same choice", 3] == (7, 10)
    assert table(three.estimates)["changed: same side", 3] == (2, 3)
    assert {row.labels["classes"] for row in three.estimates} == {3}


def test_what_has_no_number_has_a_reason() -> None:
    empty = result_of(Tally(), "consistency").estimates
    assert {row.reason for row in empty} == {
        "no repeat has been voted on yet",
        "no repeat that changed chose the same side again",
    }
    steady = result_of(met_twice(*[(1, 1)] * 12).tally(), "consistency").estimates
    assert find(steady, annotator="ann", measure="changed: same side").reason == "no choice changed"
    kappa = find(steady, annotator="ann", measure="Cohen κ", classes=4)
    assert (kappa.value, kappa.n, kappa.k) == (None, 12, 12)
    assert "one same choice throughout" in kappa.reason
    few = result_of(met_twice((1, 1), (2, 2)).tally(), "consistency").estimates
    assert "from 10 repeats on" in find(few, annotator="ann", measure="Cohen κ", classes=4).reason
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    rows.vote(pair, "ann", 1)
    again(rows, pair, "ann", 2)
    unsided = result_of(rows.tally(), "consistency")
    changed = find(unsided.estimates, annotator="ann", measure="changed: same side")
    assert "nobody recorded the sides" in changed.reason
    assert any("without recorded sides" in note for note in unsided.notes)


def test_a_repeat_without_its_first_vote_is_left_out_and_counted() -> None:
    rows = met_twice((1, 1), (2, 1))
    lone = rows.pair("lone", "a", "b")
    rows.vote(lone, "bob", 1, left=1)
    again(rows, lone, "ann", 1, left=2)
    gone = rows.pair("gone", "a", "b")
    first = rows.vote(gone, "ann", 1, left=1)
    again(rows, gone, "ann", 1, left=2)
    rows.vote(gone, "ann", 0, supersedes=first)
    result = result_of(rows.tally(), "consistency")
    assert table(result.estimates)["same choice", 4] == (1, 2)
    assert result.notes[0].startswith("2 repeats left out")


def test_imported_repeats_that_stood_as_before_are_told_apart() -> None:
    rows = met_twice((1, 1), (1, 2))
    pair = rows.pair("same", "a", "b")
    rows.vote(pair, "ann", 1, left=1)
    again(rows, pair, "ann", 2, left=1)
    result = result_of(rows.tally(), "consistency")
    counted = table(result.estimates)
    assert counted["same choice", 4] == (1, 3)
    assert counted["same choice, sides exchanged", 4] == (1, 2)
    assert counted["same choice, sides as before", 4] == (0, 1)
    assert counted["changed: same side", 4] == (1, 1)
    assert any(note.startswith("1 repeat stood as") for note in result.notes)


def test_groups_are_listed_beside_everybody_and_left_out_where_the_lead_says() -> None:
    rows = Rows(annotators={"ann": (1, "expert"), "bob": (2, "crowd")})
    met_twice((1, 1), (2, 2), rows=rows)
    met_twice((1, 2), annotator="bob", rows=rows)
    estimates = result_of(rows.tally(), "consistency").estimates
    same = [row for row in estimates if row.labels["measure"] == "same choice"]
    assert {
        (row.labels["raters"], row.labels.get("annotator")): (row.k, row.n)
        for row in same
        if row.labels["classes"] == 4
    } == {
        ("human", None): (2, 3),
        ("human: crowd", None): (0, 1),
        ("human: expert", None): (2, 2),
        ("human", "ann"): (2, 2),
        ("human", "bob"): (0, 1),
    }
    without = result_of(rows.tally(), "consistency", exclude_groups=("crowd",)).estimates
    assert {row.labels.get("annotator") for row in without} == {None, "ann"}
    assert table(without)["same choice", 4] == (2, 2)


def test_one_repeat_a_question_gives_the_interval_of_statsmodels() -> None:
    rows = met_twice(*[(1, 1)] * 17, *[(1, 2)] * 6)
    found = find(
        result_of(rows.tally(), "consistency").estimates,
        annotator="ann", measure="same choice", classes=4,
    )  # fmt: skip
    assert (found.low, found.high) == pytest.approx(proportion_confint(17, 23, method="wilson"))
    assert found.method == "Wilson over 23 repeats"


@pytest.mark.parametrize("size", [1, 2, 5])
def test_clusters_that_say_one_thing_are_worth_one_observation(size: int) -> None:
    """Every cluster all or nothing: the interval is near that of the clusters alone."""
    whole = np.full(400, size)
    part = np.where(np.arange(400) % 4, size, 0)
    found = clustered_wilson(part, whole, 0.95, "votes", "items")
    assert found is not None
    assert found.value == 0.75
    assert (found.low, found.high) == pytest.approx(
        proportion_confint(300, 400, method="wilson"), abs=1e-3
    )


# ── against slow reading ────────────────────────────────────────────────────


@st.composite
def with_repeats(draw: st.DrawFn) -> tuple[Rows, Rows]:
    """A study, and the same with repeats, revised repeats and withdrawn repeats strewn in."""
    plain = draw(studies())
    rows = Rows(plain.pairs, plain.categories, plain.annotators, plain.judges)
    rows.verdicts = plain.verdicts
    moved: dict[int, int] = {}
    mine: list[tuple[int, VoteRow]] = []
    for vote in map(VoteRow._make, plain.votes):
        seq = len(rows.votes) + 1
        moved[vote.seq] = seq
        rows.votes.append((seq, *vote[1:6], moved.get(vote.supersedes, 0)))
        for _ in range(draw(st.integers(0, 2))):
            seq = len(rows.votes) + 1
            target = draw(st.sampled_from([(0, vote), *mine]))
            of = target[1]
            number = 0 if target[0] and draw(st.booleans()) else draw(st.integers(1, 4))
            left = draw(st.integers(0, 2))
            row = VoteRow(seq, of.pair, of.turn, of.annotator, number + REPEAT, left, target[0])
            mine = [each for each in mine if each[0] != target[0]]
            if number:
                mine.append((seq, row))
            rows.votes.append(row)
    return plain, rows


@settings(max_examples=60, deadline=None)
@given(with_repeats(), st.booleans())
def test_every_number_equals_a_slow_reading(both: tuple[Rows, Rows], merge: bool) -> None:
    _, rows = both
    gone = {row[6] for row in rows.votes}
    firsts: dict[tuple[int, int, int], VoteRow] = {}
    for vote in live_votes(rows):
        if vote.choice < REPEAT:
            firsts[vote.pair, vote.turn, vote.annotator] = vote
    names = {number: name for name, (number, _) in rows.annotators.items()}
    told: dict[str | None, list[tuple[VoteRow, VoteRow]]] = defaultdict(list)
    for vote in map(VoteRow._make, rows.votes):
        if vote.choice > REPEAT and vote.seq not in gone:
            first = firsts.get((vote.pair, vote.turn, vote.annotator))
            if first:
                told[names[vote.annotator]].append((first, vote))
                told[None].append((first, vote))

    def said(choice: int, classes: int) -> int:
        return 3 if classes == 3 and choice == 4 else choice

    result = result_of(rows.tally(), "consistency", merge_both_bad=merge, min_shared=1)
    for who, pairs in told.items():
        rows_of = [
            row
            for row in result.estimates
            if row.labels.get("annotator") == who and row.labels["raters"] == "human"
        ]
        for classes in (3,) if merge else (3, 4):
            choices = [
                (said(one.choice, classes), said(two.choice % REPEAT, classes))
                for one, two in pairs
            ]
            same = find(rows_of, measure="same choice", classes=classes)
            assert (same.k, same.n) == (sum(a == b for a, b in choices), len(choices))
            kappa = find(rows_of, measure="Cohen κ", classes=classes)
            if len({c for both_ in choices for c in both_}) > 1:
                assert kappa.value == pytest.approx(
                    cohen_kappa_score(*zip(*choices, strict=True)), abs=1e-9
                )
            else:
                assert kappa.value is None
        sides: Counter[str] = Counter()
        for (one, two), (a, b) in zip(pairs, choices, strict=True):
            if a != b and {one.left, two.left} == {1, 2}:
                seen = ["left" if c == v.left else "right" for c, v in ((a, one), (b, two))]
                stays = a < 3 and b < 3 and seen[0] == seen[1]
                sides[seen[0] if stays else "otherwise"] += 1
        find_one = {m: find(rows_of, measure=m) for m in (
            "changed: same side", "changed: otherwise", "same side: left",
        )}  # fmt: skip
        assert [(row.k or 0, row.n) for row in find_one.values()] == [
            (sides["left"] + sides["right"], sides.total()),
            (sides["otherwise"], sides.total()),
            (sides["left"], sides["left"] + sides["right"]),
        ]


@settings(max_examples=20, deadline=None)
@given(with_repeats(), st.integers(1, 5))
def test_no_other_number_moves_and_portions_are_no_matter(
    both: tuple[Rows, Rows], portion: int
) -> None:
    plain, rows = both
    whole = rows.tally()
    votes, rows.votes = rows.votes, []
    pieces = rows.tally()
    for start in range(0, len(votes), portion):
        pieces.add_votes(votes[start : start + portion])
    options = Options(replicates=100)
    told, again_told, without = (
        {result.id: result.to_json() for result in compute(each, options)}
        for each in (whole, pieces, plain.tally())
    )
    for id in told:
        assert alike(again_told[id], told[id]), id
    del told["consistency"], without["consistency"]
    for id in without:
        # Of which vote a fit is may be said: a repeat is a vote, too.
        for each in (told[id], without[id]):
            each["assumptions"] = [one for one in each["assumptions"] if "full fit at" not in one]
        assert alike(told[id], without[id]), id


# ── what was planted is found ───────────────────────────────────────────────


def simulated(
    questions: int, slip: float, lean: float, seed: int, turns: int = 1, shared: float = 0.0
) -> Rows:
    """An annotator with an opinion on each item, who slips now and then, and leans then.

    Args:
        slip: the probability that a vote is not the opinion but a guess.
        lean: the probability that a guess is for the left answer; the rest are for the right.
        turns: of each pair, all repeated.
        shared: how much of the slipping is a question's own, the same on all of its turns.
    """
    rng, rows = np.random.default_rng(seed), Rows()
    for number in range(questions):
        pair = rows.pair(f"q{number}", "a", "b")
        hard = 1.0 if rng.random() < slip else 0.0
        for turn in range(1, turns + 1):
            opinion = int(rng.integers(1, 5))
            chance = shared * hard + (1 - shared) * slip
            for left, code in ((1, 0), (2, REPEAT)):
                choice = opinion
                if rng.random() < chance:
                    choice = left if rng.random() < lean else 3 - left
                rows.vote(pair, "ann", choice + code, turn, left)
    return rows


def truth(slip: float, lean: float) -> dict[str, float]:
    """The same by adding up what may happen: opinion, slips, guesses."""
    total: Counter[str] = Counter()
    guess = {1: lean, 2: 1 - lean}  # 1: left

    def votes(opinion: int, left: int) -> dict[tuple[int, bool], float]:
        """(choice, whether for the left answer) → probability."""
        said: dict[tuple[int, bool], float] = defaultdict(float)
        said[opinion, opinion == left] += 1 - slip
        for side, chance in guess.items():
            choice = left if side == 1 else 3 - left
            said[choice, side == 1] += slip * chance
        return said

    for opinion in range(1, 5):
        for (one, one_left), p in votes(opinion, 1).items():
            for (two, two_left), q in votes(opinion, 2).items():
                weight = p * q / 4
                total["same"] += weight * (one == two)
                if one != two:
                    total["changed"] += weight
                    stays = one < 3 and two < 3
                    total["same side"] += weight * stays
                    total["left"] += weight * (stays and one_left)
                    assert not stays or one_left == two_left
    return {
        "same choice": total["same"],
        "changed: same side": total["same side"] / total["changed"],
        "same side: left": total["left"] / total["same side"],
    }


@pytest.mark.parametrize(("slip", "lean"), [(0.1, 0.5), (0.3, 0.5), (0.3, 0.8)])
def test_a_planted_slip_and_lean_are_recovered(slip: float, lean: float) -> None:
    estimates = result_of(simulated(4000, slip, lean, seed=7).tally(), "consistency").estimates
    for measure, value in truth(slip, lean).items():
        found = find(
            [row for row in estimates if row.labels["classes"] == 4],
            annotator="ann", measure=measure,
        )  # fmt: skip
        assert found.value is not None
        assert found.low is not None
        assert found.high is not None
        assert found.value == pytest.approx(value, abs=2 * (found.high - found.low) / 2)
        if measure == "same side: left":
            assert (found.low <= 0.5 <= found.high) is (lean == 0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("questions", "turns", "shared"),
    [(60, 1, 0.0), (150, 1, 0.0), (150, 2, 0.0), (150, 2, 0.8), (100, 4, 0.8)],
)
def test_intervals_cover_what_they_promise(questions: int, turns: int, shared: float) -> None:
    """Also where the turns of a question slip together."""
    studies_drawn = 600

    def numbers(seed: int, size: int = questions) -> dict[str, Estimate]:
        rows = simulated(size, 0.3, 0.7, seed, turns, shared)
        estimates = result_of(rows.tally(), "consistency").estimates
        return {
            str(row.labels["measure"]): row
            for row in estimates
            if row.labels["classes"] == 4 and "annotator" not in row.labels
        }

    values = {name: row.value for name, row in numbers(10**6, 20_000).items()}
    hits: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for seed in range(studies_drawn):
        for name, row in numbers(seed).items():
            if row.low is not None and row.high is not None:
                told[name] += 1
                hits[name] += row.low <= (values[name] or 0) <= row.high
    coverage = {name: hits[name] / told[name] for name in told}
    assert 0.93 <= np.mean(list(coverage.values())) <= 0.97, coverage
    assert all(0.92 <= each <= 0.985 for each in coverage.values()), coverage

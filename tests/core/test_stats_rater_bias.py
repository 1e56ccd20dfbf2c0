"""Leanings of single raters, change over time, own families and audits: slow readings, planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_1samp
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests

from core.errors import UsageError
from core.families import family_of, told_families
from core.records import Judge
from core.stats.audits import audits, mcnemar
from core.stats.clustered import Clusters, change, clusters_of, mean_difference
from core.stats.drift import Halves
from core.stats.rater_bias import ALONE, CORRECTED, NO, stands_out
from tests.core.bias_simulation import MODELS, Leaning, World
from tests.core.stats_oracle import Rows, find, result_of

ROBO = Judge("robo", "openai", "ant-9")


def asked(name: str, prompt: str, temperature: int = 0) -> Judge:
    return Judge(name, "openai", "m", prompt=prompt, parameters={"temperature": temperature})


PLAIN = asked("plain", "pairwise")
KIM = asked("kim", "pairwise names=Kim,Robin")
TOLD = asked("told", "pairwise-reference")
UNTOLD = asked("untold", "pairwise-no-reference")


def crowd(seed: int, questions: int = 60, noise: float = 0.5) -> World:
    """Four honest annotators who all vote on every pair, one who leans, and a judge."""
    world = World(questions, seed, noise)
    for number in range(4):
        world.vote(f"ann{number}", Leaning(tie=0.1, bad=0.1), world.pairs)
    world.vote("eve", Leaning(left=0.8, length=0.8, tie=0.1, bad=0.3), world.pairs)
    world.judge(ROBO, Leaning(left=0.6, length=0.8, tie=0.2), world.pairs)
    return world


# ── single raters ───────────────────────────────────────────────────────────


def test_each_measure_is_what_a_slow_reading_gives() -> None:
    world = crowd(1, questions=12)
    item, annotator, choice = (column.tolist() for column in world.tally.votes)
    sides = world.tally.vote_sides.tolist()
    votes = list(zip(item, annotator, choice, sides, strict=True))
    gap = world.gap[:, 0]
    rows = result_of(world.tally, "rater_bias").estimates
    for number, name in enumerate(world.tally.annotators):
        mine = [vote for vote in votes if vote[1] == number]
        left = [(c == s) - 0.5 for _, _, c, s in mine if c < 3]
        longer, bad = [], []
        for i, _, c, _ in mine:
            others = [o for j, a, o, _ in votes if j == i and a != number]
            bad.append((c == 4) - np.mean([o == 4 for o in others]))
            wanted = 1 if gap[i] > 50 else 2 if gap[i] < -50 else 0
            decisive = [o == wanted for o in others if o < 3]
            if wanted and c < 3 and decisive:
                longer.append((c == wanted) - np.mean(decisive))
        for measure, values in (("left", left), ("longer", longer), ("both bad", bad)):
            row = find(rows, rater=name, measure=measure)
            assert row.value == pytest.approx(np.mean(values), abs=1e-12), (name, measure)
            assert row.n == len(values)


def test_a_judge_is_set_against_all_people() -> None:
    world = crowd(2, questions=12)
    counts = world.tally.vote_counts()
    cells = world.tally.judge_cells(0)[:, 1:]
    values = []
    for place, (first, second) in enumerate(cells.tolist()):
        share = counts[place, 3] / counts[place, :4].sum()
        values += [(first == 5) - share, (second == 5) - share]
    row = find(result_of(world.tally, "rater_bias").estimates, rater="robo", measure="both bad")
    assert row.value == pytest.approx(np.mean(values), abs=1e-12)


def test_who_leans_stands_out_and_nobody_else() -> None:
    found = [result_of(crowd(seed, 100).tally, "rater_bias").estimates for seed in range(5)]
    for rows in found:
        for rater in ("eve", "robo"):
            for measure in ("left", "longer"):
                assert find(rows, rater=rater, measure=measure).labels["stands out"] == CORRECTED
    # Not so the other measures: one who leans moves what few others are set against.
    honest = [f"ann{number}" for number in range(4)]
    words = [find(rows, rater=name, measure="left").labels for rows in found for name in honest]
    assert sum(labels["stands out"] == CORRECTED for labels in words) <= 1
    bad = [find(rows, rater="eve", measure="both bad").value for rows in found]
    assert np.mean(bad) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_the_correction_is_that_of_statsmodels(seed: int) -> None:
    p = np.random.default_rng(seed).beta(0.3, 2, 40)
    rejected = multipletests(p, 0.05, method="fdr_by")[0]
    said = stands_out([None, *p.tolist()])
    assert said[0] == ""
    assert [each == CORRECTED for each in said[1:]] == rejected.tolist()
    for each, word in zip(p, said[1:], strict=True):
        assert word in ((CORRECTED, ALONE) if each <= 0.05 else (NO,))
    assert CORRECTED in said


def test_a_mean_without_its_two_made_up_pairs_is_the_plain_t_test() -> None:
    values = np.random.default_rng(0).normal(0.2, 0.3, 50)
    data = clusters_of(values, np.arange(50))
    error = data.variance**0.5
    assert data.mean / error == pytest.approx(ttest_1samp(values, 0).statistic)
    more = ttest_1samp([*values, 1.0, -1.0], 0)
    told = mean_difference(data, 0.95)
    low, high = more.confidence_interval()
    assert told.p == pytest.approx(more.pvalue)
    assert (told.low, told.high) == pytest.approx((low, high))


def test_pairs_that_all_agree_still_leave_an_interval() -> None:
    told = mean_difference(Clusters(np.ones(30), np.ones(30)), 0.95)
    assert (told.value, told.high) == (1.0, 1.0)
    assert 0.5 < told.low < 1
    same = Clusters(np.zeros(30), np.ones(30))
    flat = change(same, same, 0.95)
    assert flat.value == 0
    assert flat.low < 0 < flat.high
    assert flat.p == pytest.approx(1)


# ── change over time ────────────────────────────────────────────────────────


def late(rater: np.ndarray, pair: np.ndarray) -> list[int]:
    """Of each choice whether it falls into the second half of its rater's."""
    said = list(zip(rater.tolist(), pair.tolist(), strict=True))
    first = {both: said.index(both) for both in dict.fromkeys(said)}
    values = np.zeros((len(first), 9))
    values[:, -1] = list(first.values())
    pairs, owner = np.unique([each[1] for each in first], return_inverse=True)
    halves = Halves()
    halves.put(pairs, owner, np.array([each[0] for each in first]), values)
    place, cell, _ = halves.alone.parts(pairs)
    found = zip((cell >> 1).tolist(), pairs[place].tolist(), (cell & 1).tolist(), strict=True)
    half = {(whose, where): which for whose, where, which in found}
    return [half[both] for both in said]


def test_halves_are_of_each_rater_s_own_pairs_as_first_met() -> None:
    rater = np.array([0, 0, 1, 0, 1, 0, 0, 1])
    pair = np.array([5, 3, 5, 5, 3, 9, 1, 5])
    # Rater 0 met 5, 3, 9, 1; rater 1 met 5, 3.
    assert late(rater, pair) == [0, 0, 0, 0, 1, 1, 1, 0]
    assert late(np.zeros(5, np.int64), np.arange(5)) == [0, 0, 0, 1, 1]


def test_planted_change_comes_back_and_no_change_is_not_seen() -> None:
    world = World(150, 3)
    world.vote("ann", Leaning(), world.pairs)
    order = world.rng.permutation(world.pairs)
    world.vote("eve", Leaning(), order[:450])
    world.vote("eve", Leaning(left=1.5, bad=0.2), order[450:])
    world.judge(ROBO, Leaning(), world.pairs)
    rows = result_of(world.tally, "drift").estimates
    left = find(rows, rater="eve", measure="left")
    _, annotator, choice = world.tally.votes
    mine = annotator == 1
    decisive = choice[mine] < 3
    shares = [
        ((choice == world.tally.vote_sides)[mine][half & decisive]).mean()
        for half in (np.arange(900) < 450, np.arange(900) >= 450)
    ]
    assert left.value == pytest.approx(shares[1] - shares[0], abs=1e-12)
    assert left.labels["stands out"] == CORRECTED
    assert find(rows, rater="eve", measure="both bad").value == pytest.approx(0.2, abs=0.05)
    for rater in ("ann", "robo"):
        assert find(rows, rater=rater, measure="left").labels["stands out"] != CORRECTED


# ── families ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4", "gpt"), ("meta-llama/Llama-2-70b", "llama"), ("claude-v1", "claude"),
        ("o1-mini", "openai"), ("o1x", "openai"), ("3.5", ""), ("Qwen2.5-7B", "qwen"), ("x/", ""),
    ],
)  # fmt: skip
def test_a_family_is_the_first_word_unless_told(model: str, family: str) -> None:
    assert family_of(model, {"o1": "openai", "o": "no"}) == family


def test_what_tells_no_family_is_refused() -> None:
    assert told_families(["gpt=openai", " o1 = openai"]) == {"gpt": "openai", "o1": "openai"}
    for values in (["gpt"], ["=x"], ["a="], ["a=b", "a=c"], ["a=\x1b"]):
        with pytest.raises(UsageError):
            told_families(values)


def test_own_family_is_a_paired_t_test_over_questions_of_judge_less_people() -> None:
    world = crowd(4, questions=40)
    world.judge(Judge("own", "openai", "ant-9"), Leaning(family={"ant": 0.8}), world.pairs)
    counts = world.tally.vote_counts()[:, :4]
    cells = world.tally.judge_cells(1)[:, 1:]
    values, questions = [], []
    for place, (first, second) in enumerate(cells.tolist()):
        models = MODELS[world.one[place]], MODELS[world.two[place]]
        ant = [name.startswith("ant") for name in models]
        if ant[0] == ant[1]:
            continue
        judge = {2: 1.0, 3: 0.0}.get(first, 0.5) if first == second else 0.5
        people = (counts[place, 0] + counts[place, 2:].sum() / 2) / counts[place].sum()
        values.append((judge - people) * (1 if ant[0] else -1))
        questions.append(world.tally.pair_table[world.tally.item_pair[place], 3])
    mean, several = float(np.mean(values)), len(set(questions))
    moved = np.bincount(questions, np.array(values) - mean)
    error = np.sqrt(moved @ moved * several / (several - 1)) / len(values)
    half = student.ppf(0.975, several - 1) * error
    rows = result_of(world.tally, "self_enhancement").estimates
    row = find(rows, judge="own", family="ant")
    assert row.labels["is"] == "own"
    assert row.value == pytest.approx(mean, abs=1e-12)
    assert (row.low, row.high) == pytest.approx((mean - half, mean + half), abs=1e-12)
    assert f"p = {2 * student.sf(mean / error, several - 1):.2g}" in row.method
    assert several < len(values)
    assert (row.low or 0) > 0
    assert find(rows, judge="own", family="bee").labels["is"] == ""


def test_a_judge_without_a_family_is_named() -> None:
    world = crowd(5, questions=10)
    world.judge(Judge("stone", "baseline", "longer-answer"), Leaning(), world.pairs)
    notes = result_of(world.tally, "self_enhancement").notes
    assert any(note.startswith("stone: no model here is of its family") for note in notes)
    told = result_of(world.tally, "self_enhancement", families={"ant-1": "one"})
    assert any("ant-1… is one" in each for each in told.assumptions)
    assert {row.labels["family"] for row in told.estimates} == {"one", "ant", "bee", "cat"}


# ── audits ──────────────────────────────────────────────────────────────────


def test_only_judges_that_differ_in_one_thing_are_compared() -> None:
    other = asked("other", "pairwise names=Kim,Robin", temperature=1)
    both = asked("both", "pairwise-reference names=A1,B1")
    every = [PLAIN, KIM, TOLD, UNTOLD, other, both]
    found = set(audits({judge.name: judge for judge in every}))
    assert found == {
        ("names", "plain", "kim"),
        ("reference", "plain", "told"),
        ("reference", "untold", "plain"),
        ("reference", "untold", "told"),
        ("names", "told", "both"),
    }
    assert not list(audits({"plain": PLAIN, "again": asked("again", "pairwise")}))


@pytest.mark.parametrize("moved", [(0, 0), (3, 0), (7, 2), (12, 30)])
def test_mcnemar_is_that_of_statsmodels(moved: tuple[int, int]) -> None:
    table = [[5, moved[0]], [moved[1], 5]]
    theirs = their_mcnemar(table, exact=True).pvalue if sum(moved) else 1.0
    assert mcnemar(moved) == pytest.approx(theirs)


def test_an_audit_counts_what_a_slow_reading_counts() -> None:
    world = crowd(6, questions=40)
    world.judge(PLAIN, Leaning(), world.pairs, fail=0.05)
    world.judge(KIM, Leaning(left=1.0, tie=0.1), world.pairs[20:], fail=0.05)
    plain, kim = (world.tally.judge_cells(number)[:, 1:].tolist() for number in (1, 2))
    people = world.tally.vote_counts()[:, :4]
    changed, left, right = [], [], []
    sums = dict.fromkeys(range(len(plain)), 0)
    for place, (ours, theirs) in enumerate(zip(plain, kim, strict=True)):
        for side, (one, two) in enumerate(zip(ours, theirs, strict=True), 1):
            if one < 2 or two < 2:
                continue
            changed.append(one != two)
            if one < 4 and two < 4:
                left.append((two - 1 == side) - (one - 1 == side))
                sums[place] += left[-1]
            most = np.flatnonzero(people[place] == people[place].max())
            if len(most) == 1:
                right.append(int(two - 2 == most[0]) - int(one - 2 == most[0]))
    rows = result_of(world.tally, "audits").estimates
    assert {row.labels["audit"] for row in rows} == {"names"}
    assert find(rows, measure="changed").value == pytest.approx(np.mean(changed))
    assert find(rows, measure="left").value == pytest.approx(np.mean(left))
    assert find(rows, measure="with people").value == pytest.approx(np.mean(right))
    assert find(rows, measure="changed").n == len(changed)
    assert (find(rows, measure="left").low or 0) > 0
    gained, lost = sum(v > 0 for v in sums.values()), sum(v < 0 for v in sums.values())
    p = their_mcnemar([[0, gained], [lost, 0]], exact=True).pvalue
    assert f"p = {p:.2g}" in find(rows, measure="left").method


def test_a_reference_counts_only_where_there_is_one() -> None:
    world = crowd(7, questions=40)
    for judge in (TOLD, UNTOLD):
        world.judge(judge, Leaning(), world.pairs)
    world.tally.background.referenced = frozenset(f"q{n}" for n in range(10))
    row = find(result_of(world.tally, "audits").estimates, measure="changed")
    assert row.labels["audit"] == "reference"
    assert (row.labels["judge"], row.labels["changed to"]) == ("untold", "told")
    assert row.n == 10 * 6 * 2


def test_no_two_such_judges_is_said() -> None:
    assert "names" in result_of(Rows().tally(), "audits").notes[0]


# ── coverage ────────────────────────────────────────────────────────────────


def studied(seed: int, questions: int) -> dict[tuple[str, str, str], tuple[float, float, float]]:
    world = World(questions, seed, 0.5)
    for number in range(3):
        world.vote(f"ann{number}", Leaning(tie=0.1, bad=0.05), world.pairs)
    parts = np.array_split(world.rng.permutation(world.pairs), 2)
    world.vote("eve", Leaning(left=0.4, length=0.5, bad=0.1), parts[0])
    world.vote("eve", Leaning(left=0.8, length=0.2, bad=0.2), parts[1])
    own = Leaning(left=0.3, length=0.4, family={"ant": 0.6}, tie=0.1)
    world.judge(Judge("plain", "openai", "ant-9", prompt="p"), own, world.pairs)
    named = Judge("kim", "openai", "ant-9", prompt="p names=Kim,Jo")
    world.judge(named, Leaning(left=0.8, length=0.4, family={"ant": 0.6}), world.pairs)
    found = {}
    for id in ("rater_bias", "drift", "self_enhancement", "audits"):
        for row in result_of(world.tally, id).estimates:
            if row.value is None or row.low is None or row.high is None:
                continue
            names = [str(row.labels.get(k, "")) for k in ("rater", "judge", "family", "measure")]
            found[id, "/".join(names), ""] = (row.value, row.low, row.high)
    return found


@pytest.mark.slow
def test_intervals_of_single_raters_cover() -> None:
    """The truth of each leaning is what 4,000 questions say."""
    truth, runs = studied(10**6, 4000), 400
    hits = dict.fromkeys(truth, 0)
    seen = dict.fromkeys(truth, 0)
    for seed in range(runs):
        for key, (_, low, high) in studied(seed, 40).items():
            hits[key] += low <= truth[key][0] <= high
            seen[key] += 1
    shares = {key: hits[key] / seen[key] for key in truth if seen[key] > 300}
    assert len(shares) > 30
    by_id = {
        id: np.mean([share for key, share in shares.items() if key[0] == id])
        for id in {key[0] for key in shares}
    }
    assert all(0.93 <= share <= 0.97 for share in by_id.values()), by_id
    assert all(0.91 <= share <= 0.99 for share in shares.values()), shares


@pytest.mark.slow
def test_among_honest_raters_hardly_any_study_has_one_that_stands_out() -> None:
    wrong = 0
    for seed in range(300):
        world = World(40, seed, 0.5)
        for number in range(6):
            world.vote(f"ann{number}", Leaning(tie=0.1, bad=0.1), world.pairs)
        rows = result_of(world.tally, "rater_bias").estimates
        wrong += any(row.labels["stands out"] == CORRECTED for row in rows)
    assert wrong / 300 <= 0.05 + 2 * (0.05 * 0.95 / 300) ** 0.5

"""Length, format and position in one model: against solvers of others, by properties, planted."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binomtest

from core.records import Judge
from core.stats import Tally, compute
from core.stats.background import COUNTED
from core.stats.options import Options
from core.stats.registry import registered
from core.stats.style import full_fit, unfitted
from core.stats.style_fit import Anchor, StyleFit, Trials, fit, fitting
from core.stats.style_kept import Rater, shared_error
from core.stats.style_kept import Rows as Choices
from core.stats.view import View
from core.text import length_features
from tests.core.bias_simulation import Leaning, World
from tests.core.stats_oracle import DATA, Rows, find, mt_bench, result_of, studies

JUDGE = Judge("robo", "openai", "ant-9")
BIAS = ("audits", "drift", "position_lean", "rater_bias", "self_enhancement", "style")


def trials(seed: int, rows: int = 600, models: int = 4, clusters: int = 150) -> Trials:
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, clusters, rows)
    pairs = np.sort(np.array([rng.permutation(models)[:2] for _ in range(clusters)]), axis=1)
    x = rng.normal(size=(clusters, 3))[cluster] + 0.3 * rng.normal(size=(rows, 3))
    theta = np.linspace(-0.5, 0.5, models)
    one, two = pairs[cluster].T
    eta = theta[one] - theta[two] + x @ [0.3, 0.0, -0.4] + rng.normal(0, 0.5, clusters)[cluster]
    total = rng.integers(1, 4, rows)
    won = rng.binomial(total, 1 / (1 + np.exp(-eta)))
    return Trials(one, two, cluster, won.astype(float), total.astype(float), x, models)


def design(data: Trials) -> np.ndarray:
    """Dummies for all models but the first, then the covariates."""
    dummies = np.zeros((len(data.one), data.models))
    rows = np.arange(len(data.one))
    dummies[rows, data.one] += 1
    dummies[rows, data.two] -= 1
    return np.column_stack([dummies[:, 1:], data.x])


def fitted(data: Trials) -> StyleFit:
    found = fit(data)
    assert isinstance(found, StyleFit), found
    return found


@pytest.mark.parametrize("seed", range(4))
def test_coefficients_maximise_the_raw_likelihood(seed: int) -> None:
    data = trials(seed)
    x = design(data)

    def loss(parameters: np.ndarray) -> float:
        eta = x @ parameters
        return float(-(data.won * eta - data.total * np.log1p(np.exp(eta))).sum())

    best = minimize(loss, np.zeros(x.shape[1]), method="BFGS", options={"gtol": 1e-7})
    assert fitted(data).beta == pytest.approx(best.x[-3:], abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_coefficients_and_clustered_errors_are_those_of_statsmodels(seed: int) -> None:
    data, found = trials(seed), fitted(trials(seed))
    both = np.column_stack([data.won, data.total - data.won])
    theirs = sm.GLM(both, design(data), family=sm.families.Binomial()).fit(
        tol=1e-14, cov_type="cluster", cov_kwds={"groups": data.cluster, "use_correction": False}
    )
    clusters = len(np.unique(data.cluster))
    correction = np.sqrt(clusters / (clusters - design(data).shape[1]))
    assert found.beta == pytest.approx(theirs.params[-3:], abs=1e-9)
    assert found.errors == pytest.approx(theirs.bse[-3:] * correction, rel=1e-8)
    assert found.freedom == clusters - design(data).shape[1]


def summed(data: Trials, together: int = 1) -> tuple[Rater, np.ndarray]:
    """The sums that are kept of a fit, and the scores by cluster.

    Args:
        together: how many neighbouring clusters of the data are pairs of one question.
    """
    data = data.only(np.argsort(data.cluster, kind="stable"))
    work = fitting(data)
    found: object = None
    while found is None:
        try:
            next(work)
        except StopIteration as done:
            found = done.value
    assert isinstance(found, tuple)
    anchor = found[0]
    assert isinstance(anchor, Anchor)
    rater = Rater(anchor, data.models, np.zeros(0, np.int64))
    question = data.cluster // together
    rows = Choices(question, data.cluster, data.one, data.two, data.won, data.total, data.x)
    return rater, rater.add(rows, 1000, np.arange(len(data.one)), 1)


def test_sums_that_are_kept_say_what_the_fit_says() -> None:
    data = trials(4)
    told, found = summed(data)[0].told(np.ones(3)), fitted(data)
    assert told.beta == pytest.approx(found.beta, abs=1e-12)
    assert told.errors == pytest.approx(found.errors, rel=1e-7)
    assert told.carriers == pytest.approx(found.carriers, rel=1e-7)
    assert (told.n, told.freedom, told.count) == (found.n, found.freedom, found.count)


def test_sums_by_question_give_the_errors_that_statsmodels_clusters_by_question() -> None:
    data = trials(4)
    told = summed(data, together=5)[0].told(np.ones(3))
    both = np.column_stack([data.won, data.total - data.won])
    groups = {"groups": data.cluster // 5, "use_correction": False}
    model = sm.GLM(both, design(data), family=sm.families.Binomial())
    theirs = model.fit(tol=1e-14, cov_type="cluster", cov_kwds=groups)
    questions, pairs = len(np.unique(data.cluster // 5)), len(np.unique(data.cluster))
    rest = pairs - design(data).shape[1]
    correction = np.sqrt(questions / (questions - 1) * (pairs - 1) / rest)
    assert told.beta == pytest.approx(theirs.params[-3:], abs=1e-9)
    assert told.errors == pytest.approx(theirs.bse[-3:] * correction, rel=1e-7)
    assert (told.freedom, told.count) == (min(rest, questions - 1), questions)


def test_the_difference_of_two_kinds_of_raters_is_the_interaction_of_one_joint_fit() -> None:
    people, judge = trials(1), trials(2)
    # One set of clusters, on which the same two models stand.
    judge = replace(people, won=judge.won, total=judge.total)
    x = design(people)
    joint = np.block([[x, np.zeros_like(x)], [x, x]])
    won = np.concatenate([people.won, judge.won])
    total = np.concatenate([people.total, judge.total])
    theirs = sm.GLM(np.column_stack([won, total - won]), joint, family=sm.families.Binomial()).fit(
        tol=1e-14,
        cov_type="cluster",
        cov_kwds={"groups": np.tile(people.cluster, 2), "use_correction": False},
    )
    (first, scores), (second, other_scores) = summed(judge), summed(people)
    one, two = first.told(np.ones(3)), second.told(np.ones(3))
    correction = np.sqrt(one.count / one.freedom)
    for column in range(3):
        place = x.shape[1] * 2 - 3 + column
        assert one.beta[column] - two.beta[column] == pytest.approx(theirs.params[place], abs=1e-9)
        shared = shared_error(first, second, scores.T @ other_scores, column)
        error = np.sqrt(one.errors[column] ** 2 + two.errors[column] ** 2 - 2 * shared)
        assert error == pytest.approx(theirs.bse[place] * correction)


def test_what_always_wins_has_no_finite_number_and_moves_no_other() -> None:
    data = trials(5)
    rare = np.zeros(len(data.one))
    rare[data.cluster < 6] = np.where(np.arange((data.cluster < 6).sum()) % 2, 1.0, -1.0)
    won = np.where(rare > 0, data.total, np.where(rare < 0, 0, data.won))
    more = replace(data, won=won, x=np.column_stack([data.x, rare]))
    found, rest = fitted(more), fitted(data.only(rare == 0))
    assert found.endless == (3,)
    assert found.columns == (0, 1, 2)
    assert found.beta == pytest.approx(rest.beta, abs=1e-9)
    assert found.errors == pytest.approx(rest.errors, abs=1e-9)


def test_covariates_that_models_determine_are_left_out() -> None:
    data = trials(6)
    told = (data.one - data.two).astype(float)
    more = replace(data, x=np.column_stack([told, data.x, data.x[:, 0] * 2]))
    assert fitted(more).columns == (1, 2, 3)
    assert fitted(more).beta == pytest.approx(fitted(data).beta, abs=1e-9)


def test_models_that_never_met_do_not_keep_style_from_being_told() -> None:
    one, two = trials(7, models=2), trials(8, models=2)
    apart = Trials(
        np.concatenate([one.one, two.one + 2]),
        np.concatenate([one.two, two.two + 2]),
        np.concatenate([one.cluster, two.cluster + 1000]),
        np.concatenate([one.won, two.won]),
        np.concatenate([one.total, two.total]),
        np.concatenate([one.x, two.x]),
        4,
    )
    x = design(apart)[:, [0, 2, 3, 4, 5]]  # one gauge for each two models
    both = np.column_stack([apart.won, apart.total - apart.won])
    theirs = sm.GLM(both, x, family=sm.families.Binomial()).fit(tol=1e-14)
    assert fitted(apart).beta == pytest.approx(theirs.params[-3:], abs=1e-9)


def test_the_longer_answer_wins_as_published() -> None:
    tally = mt_bench().tally()
    answers = []
    for path in sorted((DATA / "mt_bench" / "model_answer").glob("*.jsonl")):
        for line in map(json.loads, path.read_text("utf-8").splitlines()):
            for turn, text in enumerate(line["choices"][0]["turns"], 1):
                counts = [getattr(length_features(text), name) for name in COUNTED]
                answers.append((str(line["question_id"]), line["model_id"], turn, *counts))
    tally.background.set_answers(answers)
    rows = result_of(tally, "style").estimates
    human = find(rows, rater="human", effect="longer wins")
    gpt4 = find(rows, rater="gpt-4", effect="longer wins")
    assert (human.k, human.n, gpt4.k, gpt4.n) == (1639, 2306, 1225, 1579)
    assert (round(1639 / 2306, 3), round(1225 / 1579, 3)) == (0.711, 0.776)


def planted(seed: int, questions: int = 150) -> World:
    world = World(questions, seed)
    for number, rows in enumerate(world.splits(5)):
        world.vote(f"ann{number}", Leaning(left=-0.2, length=0.2, tie=0.1, bad=0.05), rows)
    world.judge(JUDGE, Leaning(left=0.4, length=0.7, headers=0.3, tie=0.1), world.pairs)
    return world


TRUTH = {
    ("style", "human", "length"): 0.2,
    ("style", "robo", "length"): 0.7,
    ("style", "robo", "headers"): 0.3,
    ("style", "robo − human", "length"): 0.5,
    ("style", "robo", "lists"): 0.0,
    ("position_lean", "human", "log-odds"): -0.2,
    ("position_lean", "robo", "log-odds"): 0.4,
    ("position_lean", "robo − human", "log-odds"): 0.6,
    ("position_lean", "robo", "both orders"): 0.4,
}


def covered(world: World) -> dict[tuple[str, str, str], tuple[bool, float]]:
    hits = {}
    results = {id: result_of(world.tally, id).estimates for id in ("style", "position_lean")}
    for key, truth in TRUTH.items():
        id, rater, what = key
        name = "effect" if id == "style" else "measure"
        row = find(results[id], rater=rater, **{name: what})
        assert row.value is not None, row
        assert row.low is not None, row
        assert row.high is not None, row
        hits[key] = row.low <= truth <= row.high, row.value
    return hits


def test_planted_leanings_come_back() -> None:
    values = [covered(planted(seed)) for seed in range(8)]
    for key, truth in TRUTH.items():
        assert np.mean([each[key][1] for each in values]) == pytest.approx(truth, abs=0.09), key


@pytest.mark.slow
def test_intervals_of_planted_leanings_cover() -> None:
    runs = 600
    every = [covered(planted(seed, 60)) for seed in range(runs)]
    shares = {key: np.mean([each[key][0] for each in every]) for key in TRUTH}
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares


def test_without_the_models_length_would_be_taken_for_quality() -> None:
    """The world can tell: better models write more, so that a plain share leans to the longer."""
    world = World(400, 3)
    for number, rows in enumerate(world.splits(5)):
        world.vote(f"ann{number}", Leaning(), rows)
    rows = result_of(world.tally, "style").estimates
    share, length = (find(rows, rater="human", effect=each) for each in ("longer wins", "length"))
    assert (share.low or 0) > 0.5
    assert (length.low or 1) < 0 < (length.high or -1)


def test_naming_the_models_the_other_way_round_changes_nothing() -> None:
    """Exchanging model_1 and model_2 everywhere must only change signs that cancel out."""
    world = planted(4, 40)
    tally, other = world.tally, Tally()
    flip = {name: f"{chr(ord('z') - number)}{name}" for number, name in enumerate(tally.models)}
    questions = tally.questions
    other.add_pairs(
        (n + 1, questions[q], None, flip[tally.models[two]], flip[tally.models[one]])
        for n, (one, two, _, q) in enumerate(tally.pair_table.tolist())
    )
    background = world.counts
    other.background.set_answers(
        (f"q{q}", flip[model], 1, *background[q, m].tolist())
        for q in range(world.questions)
        for m, model in enumerate(("ant-1", "ant-2", "bee-1", "cat-1"))
    )
    other.add_annotators((n + 1, name, "") for n, name in enumerate(tally.annotators))
    swap = {0: 0, 1: 2, 2: 1, 3: 3, 4: 4}
    item, annotator, choice = tally.votes
    every = zip(item, annotator, choice, tally.vote_sides, strict=True)
    other.add_votes(
        (n, int(tally.item_pair[i]) + 1, 1, int(a) + 1, swap[int(c)], swap[int(s)], 0)
        for n, (i, a, c, s) in enumerate(every, 1)
    )
    for id, name in (("style", "effect"), ("position_lean", "measure")):
        ours, theirs = (result_of(each, id).estimates for each in (tally, other))
        for row in theirs:
            labels = {"rater": str(row.labels["rater"]), name: str(row.labels[name])}
            assert row.value == pytest.approx(find(ours, **labels).value, abs=1e-8), labels


def test_the_judges_orders_are_counted_as_their_definitions_say() -> None:
    world = World(60, 9)
    world.judge(JUDGE, Leaning(left=0.6, tie=0.2, bad=0.1), world.pairs, fail=0.05)
    cells = world.tally.judge_cells(0)[:, 1:].tolist()
    scores, always = [], [0, 0]
    for first, second in cells:
        if 1 in (first, second):
            continue  # failed
        one, two = {2: 1, 3: -1}.get(first, 0), {3: 1, 2: -1}.get(second, 0)
        scores.append(one + two)
        always[0] += one + two == 2
        always[1] += one + two == -2
    rows = result_of(world.tally, "position_lean").estimates
    odds = find(rows, measure="both orders")
    assert odds.value == pytest.approx(0.5 * np.log(always[0] / always[1]))
    assert odds.n == sum(always)
    signed = find(rows, measure="first − second")
    ups, downs = sum(s > 0 for s in scores), sum(s < 0 for s in scores)
    assert signed.value == pytest.approx((ups - downs) / len(scores))
    assert f"p = {binomtest(ups, ups + downs).pvalue:.2g}" in signed.method


@settings(max_examples=60, deadline=None)
@given(studies(), st.data())
def test_every_study_gets_numbers_or_reasons(rows: Rows, data: st.DataObject) -> None:
    """An estimate refuses what is not finite: none of these studies may bring one about."""
    tally = rows.tally()
    counts = st.tuples(*[st.integers(0, 3) for _ in COUNTED])
    answers = {(q, m) for q, *models in rows.pairs for m in models}
    if data.draw(st.booleans()):
        turns = [(q, m, turn) for q, m in sorted(answers) for turn in (1, 2)]
        told = [each for each in turns if data.draw(st.booleans())]
        tally.background.set_answers((*each, *data.draw(counts)) for each in told)
    tally.background.judges = {name: Judge(name, "openai", "a") for name in tally.judges}
    merged = data.draw(st.booleans())
    for result in compute(tally, Options(replicates=100, merge_both_bad=merged), BIAS):
        assert result.estimates or result.notes, result.id
        assert all(row.value is not None or row.reason for row in result.estimates)


@pytest.mark.parametrize("votes", [0, 1])
def test_next_to_nothing_is_said_in_words(votes: int) -> None:
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    for _ in range(votes):
        rows.vote(pair, "ann", 1, left=1)
    for result in compute(rows.tally(), Options(replicates=100), BIAS):
        for row in result.estimates:
            assert row.low is None or row.n, (result.id, row)
        if not votes:
            assert result.notes, result.id
    style = result_of(rows.tally(), "style").estimates
    reasons = {row.reason for row in style if row.labels["effect"] == "length"}
    assert reasons == ({"the texts of the answers are not in the study"} if votes else set())


@pytest.mark.parametrize(("side", "name"), [(1, "first"), (2, "second")])
def test_a_judge_that_always_takes_one_side_leans_no_further_than_all(side: int, name: str) -> None:
    rows = Rows()
    for number in range(60):
        pair = rows.pair(f"q{number}", "a", "b")
        for left in (1, 2):
            rows.verdict(pair, "j", left if side == 1 else 3 - left, left=left)
    found = result_of(rows.tally(), "position_lean").estimates
    signed = find(found, rater="j", measure="first − second")
    assert signed.value == (1 if side == 1 else -1)
    assert -1 <= signed.low < signed.high <= 1
    odds = find(found, rater="j", measure="log-odds")
    assert odds.value is None
    assert f"every choice is for the answer shown {name}" in odds.reason


def with_texts(seed: int, questions: int) -> Rows:
    rng, rows = np.random.default_rng(seed), Rows()
    for question in range(questions):
        for one, two in ("ab", "ac", "bc", "bd", "cd"):
            pair = rows.pair(f"q{question}", one, two)
            for name in ("ann", "bob")[: int(rng.integers(1, 3))]:
                rows.vote(pair, name, int(rng.choice((1, 1, 2, 3))), left=int(rng.integers(0, 3)))
            for left in (1, 2):
                rows.verdict(pair, "gpt", int(rng.choice((1, 2, 2, 3))), left=left)
    return rows


def texts(questions: int) -> list[tuple[object, ...]]:
    rng = np.random.default_rng(questions)
    sizes = rng.integers(1, (900, 200, 4, 6, 5), (questions, 4, 5)).tolist()
    return [
        (f"q{question}", name, 1, *sizes[question][place])
        for question in range(questions)
        for place, name in enumerate("abcd")
    ]


def longer_judge(with_texts: bool, equal: int) -> Tally:
    """A judge for the longer answer, the same in both orders, and people of all minds.

    Of answers that are as long as each other some are chosen by the models' names.

    Args:
        equal: questions, of 60, whose answers are as long as each other.
    """
    rng, rows = np.random.default_rng(7), Rows()
    size = rng.integers(1, 900, (60, 4))
    size[:equal] = 100
    answers = [
        (
            f"q{question}",
            name,
            1,
            5 * int(size[question, place]),
            int(size[question, place]),
            0,
            0,
            0,
        )
        for question in range(60)
        for place, name in enumerate("abcd")
    ]
    for question in range(60):
        for one, two in combinations(range(4), 2):
            pair = rows.pair(f"q{question}", "abcd"[one], "abcd"[two])
            gap = int(size[question, one] - size[question, two])
            first = gap > 0 or (not gap and (question + one + two) % 2 == 0)
            for left in (1, 2):
                rows.vote(pair, f"ann{left}", int(rng.integers(1, 3)), left=left)
                rows.verdict(pair, "longer", 1 if first else 2, left=left)
    tally = rows.tally()
    if with_texts:
        tally.background.set_answers(answers)
    return tally


@pytest.mark.parametrize("with_texts", [True, False])
def test_what_no_choice_moves_is_not_known_exactly(with_texts: bool) -> None:
    """Both orders say the same, so that each question's choices cancel on the side."""
    rows = result_of(longer_judge(with_texts, equal=30), "position_lean").estimates
    odds = find(rows, rater="longer", measure="log-odds")
    assert (odds.value, odds.low, odds.high) == (None, None, None)
    assert re.search(r"no (pair|question) moves it either way", odds.reason)
    assert "longer − human" not in {row.labels["rater"] for row in rows}
    people = find(rows, rater="human", measure="log-odds")
    assert people.low < people.high


def test_choices_that_are_nearly_all_certain_leave_nothing_to_tell() -> None:
    tally = longer_judge(True, equal=2)
    rows = result_of(tally, "style").estimates
    mine = {str(row.labels["effect"]): row for row in rows if row.labels["rater"] == "longer"}
    assert "always won or always lost" in mine["length"].reason
    lean = find(result_of(tally, "position_lean").estimates, rater="longer", measure="log-odds")
    assert re.search(r"all but \d+ of 720 choices with certainty", lean.reason)


def test_a_side_that_won_as_often_as_it_lost_is_not_said_to_win_always() -> None:
    data = trials(5)
    rng = np.random.default_rng(1)
    side = rng.choice((-1.0, 1.0), len(data.one))
    # Neither tells a choice by itself: the two together tell each.
    more = side * rng.choice((0.5, 2.0), len(side)) * np.where(rng.random(len(side)) < 0.5, -1, 1)
    won = np.where(side + more > 0, data.total, 0)
    found = fit(replace(data, won=won, x=np.column_stack([side, more, data.x])))
    assert found == "the choices follow the answers' style so closely that no finite number fits"
    some = data.cluster < 40
    x = np.column_stack([np.where(some, side, 0), np.where(some, more, 0), data.x])
    kept = fitted(replace(data, won=np.where(some, won, data.won), x=x))
    assert kept.endless == (0, 1)
    assert kept.always == ()
    assert "always" not in unfitted(kept, 0)
    assert "left could be told apart from models" in unfitted(kept, 0)


def told_now(tally: Tally) -> list[dict[str, object]]:
    """What is told at once, whatever full fit may be due."""
    view = View(tally, Options())
    every = {each.id: each for each in registered()}
    found = [every[id].run(view).to_json() for id in ("style", "position_lean")]
    return [row for each in found for row in each["estimates"]]


def test_votes_that_are_stepped_in_are_where_a_full_fit_puts_them() -> None:
    rows = with_texts(1, 300)
    watched, fresh = rows.tally(), rows.tally()
    watched.background.set_answers(texts(300))
    told_now(watched)
    rng, more, first = np.random.default_rng(2), [], len(rows.votes)
    for number in range(40):
        # Some votes are changed or taken back; the others are new ones.
        gone = int(rng.integers(1, first)) if number % 3 == 0 else 0
        pair = rows.votes[gone - 1][1] if gone else int(rng.integers(1, len(rows.pairs) + 1))
        choice = int(rng.integers(0 if gone else 1, 4))
        annotator = rows.votes[gone - 1][3] if gone else 1 + number % 2
        more.append((first + number + 1, pair, 1, annotator, choice, number % 3, gone))
    for vote in more:
        watched.add_votes([vote])
        stepped = told_now(watched)
    fresh.add_votes(more)
    fresh.background.set_answers(texts(300))
    for one, other in zip(stepped, told_now(fresh), strict=True):
        assert (one["labels"], one["n"]) == (other["labels"], other["n"])
        if one["low"] is None or one["unit"] != "log-odds":
            assert one["value"] == other["value"]
            continue
        width = float(str(other["high"])) - float(str(other["low"]))
        for end in ("value", "low", "high"):
            assert float(str(one[end])) == pytest.approx(float(str(other[end])), abs=0.005 * width)
    (said,) = full_fit(View(watched, Options()))
    assert said.endswith("items have been stepped in since")

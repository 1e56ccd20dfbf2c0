"""What is in a lead's queue, in which order, what is hidden, and what rulings say afterwards."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.adjudication.case import (
    Filter,
    Order,
    Reason,
    RulingSeen,
    State,
    ruled,
    ruling_as_seen,
)
from core.adjudication.effect import believe, on_ranking, standing
from core.adjudication.listing import Listing
from core.adjudication.masking import HIDDEN, Mask
from core.adjudication.table import Cases, Marks, chances, reasons_of
from core.records import RulingChoice
from core.stats import Tally
from core.stats.gold_error import drawn_share
from core.stats.intervals import wilson
from core.stats.options import Options
from core.stats.view import View
from tests.core.ruling_simulation import at_random, in_order, needed, planted
from tests.core.stats_oracle import Rows, find, result_of

M1, M2, TIE, BAD = 1, 2, 3, 4


def cases_of(tally: Tally, marks: Marks = Marks(), **shares: float) -> Cases:  # noqa: B008 - frozen
    given = {"agreements": 0.0, "conflicts": 0.0, **shares}
    return Cases(View(tally, Options()), marks, seed=7, **given)


def reasons_on(*votes: int, verdicts: dict[str, tuple[int, ...]] | None = None) -> set[Reason]:
    """Why one item is in the queue, by votes and by each judge's word or two orders."""
    rows = Rows()
    pair = rows.pair("q", "a", "b")
    for number, choice in enumerate(votes):
        rows.vote(pair, f"p{number}", choice)
    for judge, said in (verdicts or {}).items():
        for left, choice in enumerate(said, 1):
            rows.verdict(pair, judge, choice, left=left if len(said) == 2 else 0)
    return set(reasons_of(int(cases_of(rows.tally()).reasons[0])))


@pytest.mark.parametrize(("votes", "verdicts", "expected"), [
    ((M1, M1), {}, set()),
    ((M1, M2), {}, {Reason.HUMAN_SPLIT}),
    ((M1, BAD), {}, {Reason.HUMAN_SPLIT, Reason.BOTH_BAD_OR_WIN}),
    ((TIE, BAD), {}, {Reason.HUMAN_SPLIT}),
    ((M1, M1), {"j": (M1,)}, set()),
    ((M1, M1), {"j": (M2,)}, {Reason.HUMAN_JUDGE}),
    ((M1, M1, M2), {"j": (M2,)}, {Reason.HUMAN_SPLIT, Reason.HUMAN_JUDGE}),
    ((M1, M2), {"j": (M2,)}, {Reason.HUMAN_SPLIT}),
    ((M1,), {"j": (M1, M2)}, {Reason.JUDGE_FLIP}),
    ((M1,), {"j": (M1, TIE)}, {Reason.JUDGE_FLIP}),
    ((), {"j": (M1, M1), "k": (TIE,)}, {Reason.JUDGE_JUDGE}),
    ((), {"j": (M1, M2), "k": (TIE,)}, {Reason.JUDGE_FLIP}),
    ((M1,), {"j": (BAD, BAD)}, {Reason.HUMAN_JUDGE, Reason.BOTH_BAD_OR_WIN}),
])  # fmt: skip
def test_each_kind_of_disagreement_is_found(
    votes: tuple[int, ...], verdicts: dict[str, tuple[int, ...]], expected: set[Reason]
) -> None:
    assert reasons_on(*votes, verdicts=verdicts) == expected


def test_what_is_marked_or_cannot_be_judged_is_in_the_queue() -> None:
    rows = Rows()
    for number in range(4):
        rows.vote(rows.pair(f"q{number}", "a", "b"), "p", M1)
    rows.vote(rows.pair("q3", "a", "b"), "other", 5)
    found = cases_of(rows.tally(), Marks(flagged=[0], doubtful=[1], second=[2]))
    assert [reasons_of(int(bits)) for bits in found.reasons] == [
        (Reason.FLAGGED,), (Reason.LOW_CONFIDENCE,), (Reason.SECOND_OPINION,),
        (Reason.CANNOT_JUDGE,),
    ]  # fmt: skip


def test_the_sample_is_of_known_size_steady_and_nested() -> None:
    pairs, turns = np.arange(200_000), np.ones(200_000, np.int64)
    chance = chances(5, pairs, turns)
    for share in (0.01, 0.05, 0.1):
        assert abs((chance < share).mean() - share) < 4 * (share / 200_000) ** 0.5
    assert np.array_equal(chance[::7], chances(5, pairs[::7], turns[::7]))
    assert abs(np.corrcoef(chance, chances(6, pairs, turns))[0, 1]) < 0.01
    assert abs(np.corrcoef(chance, chances(5, pairs, turns + 1))[0, 1]) < 0.01
    assert abs(np.corrcoef(chance[1:], chance[:-1])[0, 1]) < 0.01


def test_the_sample_takes_both_kinds_and_says_with_which_probability() -> None:
    known = planted(3, questions=200)
    cases = known.cases({})
    for is_disputed, share in ((True, 0.1), (False, 0.05)):
        among = cases.is_disputed == is_disputed
        drawn = cases.is_drawn & among
        assert 0.5 * share < drawn.sum() / among.sum() < 1.5 * share
        assert set(cases.probability[drawn]) == {share}
    assert np.isnan(cases.probability[~cases.is_drawn]).all()


def test_a_case_of_the_sample_does_not_say_whether_anybody_disputes_it() -> None:
    known = planted(3, questions=200)
    cases = known.cases({})
    drawn = np.flatnonzero(cases.is_drawn).tolist()
    kinds = {bool(cases.is_disputed[item]) for item in drawn}
    assert kinds == {True, False}
    first, *_ = drawn
    listing = Listing(cases, {first: State.RULED}, {}, ())
    rows = {item: replace(listing.row(item, ""), question="", category=None) for item in drawn}
    told = rows.pop(first)
    assert (told.is_blank, told.probability, told.reasons) == (
        False, cases.probability[first], listing.reasons(first),
    )  # fmt: skip
    assert len({replace(row, turn=1) for row in rows.values()}) == 1
    sampled = Filter(frozenset({Reason.AGREEMENT_SAMPLE}))
    assert set(listing.items(sampled, Order.SPREAD)) == set(rows)
    assert listing.counts()[Reason.AGREEMENT_SAMPLE] == len(rows)
    for order in (Order.SPREAD, Order.REASON):
        at = [place for place, item in enumerate(listing.items(Filter(), order)) if item in rows]
        among = [listing.items(Filter(), order)[place] for place in at]
        assert among == sorted(among), order
    split = listing.items(Filter(frozenset({Reason.HUMAN_SPLIT})), Order.RANDOM)
    assert split
    assert not set(split) & set(rows)


@pytest.mark.parametrize("since", range(7))
def test_the_sample_stands_behind_as_many_as_are_still_to_come_before_it(since: int) -> None:
    cases = planted(4, questions=200).cases({})
    taken = set(Listing(cases, {}, {}, ()).items(Filter(), Order.RANKING)[:12])
    states = dict.fromkeys(taken, State.TAKEN)
    every = Filter(states=frozenset(State))
    order = Listing(cases, states, {}, (), since_sample=since).items(every, Order.RANKING)
    mine = [item for item in order if item not in taken]
    first = max(0, 4 - since)
    at = [place for place, item in enumerate(mine[:31]) if cases.is_drawn[item]]
    assert at == list(range(first, 31, 5))
    listing = Listing(cases, states, {}, (), since_sample=since)
    assert listing.items(Filter(), Order.RANKING) == mine


def test_any_beginning_of_the_mixed_order_holds_the_sample_in_its_own_proportions() -> None:
    cases = planted(4, questions=200).cases({})
    order = Listing(cases, {}, {}, ()).items(Filter(), Order.RANKING)
    drawn = [item for item in order if cases.is_drawn[item]]
    assert order[:4] == sorted(order[:4], key=lambda item: -cases.on_ranking[item])
    half = drawn[: len(drawn) // 2]
    reached = max(cases.chance[item] / cases.probability[item] for item in half)
    later = [cases.chance[item] / cases.probability[item] for item in drawn[len(half) :]]
    assert min(later) >= reached


@given(st.sampled_from(RulingSeen), st.sampled_from([1, 2]))
def test_a_ruling_goes_to_the_models_and_back(seen: RulingSeen, left: int) -> None:
    choice = ruled(seen, left)
    assert ruling_as_seen(choice, left) is seen
    if seen in (RulingSeen.LEFT, RulingSeen.RIGHT):
        first = (seen is RulingSeen.LEFT) == (left == 1)
        assert choice is (RulingChoice.MODEL_1 if first else RulingChoice.MODEL_2)


# ── names ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("text", "shown"), [
    ("GPT-4 is right", f"{HIDDEN} is right"),
    ("gpt 4, gpt_4 and Gpt4.", f"{HIDDEN}, {HIDDEN} and {HIDDEN}."),
    ("like Vicuna's, or vicuna-13b-v1.3!", f"like {HIDDEN}'s, or {HIDDEN}!"),
    ("lmsys/vicuna-13b-v1.3", f"lmsys/{HIDDEN}"),
    ("g\u200bpt-4", HIDDEN),
    ("V\u0406\u0421UNA", HIDDEN),
    ("my judge strict-one says", f"my judge {HIDDEN} says"),
    ("be strict", "be strict"),
    ("ann.b wrote", f"{HIDDEN} wrote"),
    ("I want an antenna", "I want an antenna"),
    ("\x1b[31mgpt-4 or \x1b[0mvicuna-13b-v1.3", f"{HIDDEN} or \x1b[0m{HIDDEN}"),
    ("MyVicuna13b-v1.3x", f"My{HIDDEN}x"),
    ("**gpt-4**", f"**{HIDDEN}**"),
])  # fmt: skip
def test_names_are_hidden_however_they_are_written(text: str, shown: str) -> None:
    mask = Mask(["gpt-4", "vicuna-13b-v1.3", "ant"], ["strict-one", "ann.b"])
    assert mask.hide(text)[0] == shown
    assert mask.hide(text)[1] == shown.count(HIDDEN)


NAMES = st.from_regex(r"[a-z]{3,8}([-_. ][a-z0-9]{1,4}){0,3}", fullmatch=True)


@settings(max_examples=150, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4), st.text(), st.text())
def test_no_name_that_stands_by_itself_is_left(names: list[str], before: str, after: str) -> None:
    name = names[0]
    for written in (name, name.upper(), name.replace("-", " "), name.title()):
        hidden, count = Mask(names).hide(f"{before} {written} {after}")
        assert count >= 1
        assert not re.search(rf"(?<!\w){re.escape(written)}(?!\w)", hidden.replace(HIDDEN, ""))


# ── what a ruling would change ──────────────────────────────────────────────


def test_beliefs_follow_votes_and_rulings() -> None:
    counts = np.array([[3, 0, 0, 0], [1, 1, 0, 0], [0, 0, 3, 0], [1, 0, 0, 0]], np.int32)
    word = np.array([1, 1, 3, 2], np.int8)
    settled = np.array([0, 0, 0, 4], np.int8)
    beliefs = believe(counts, [word], np.zeros(4, np.int64), settled)
    assert np.allclose(beliefs.shares.sum(axis=1), 1)
    assert beliefs.shares[0, 0] > 0.9
    assert beliefs.shares[1, 0] > beliefs.shares[1, 1]
    assert beliefs.shares[3].tolist() == [0, 0, 0, 1]


def test_the_effect_is_what_refitting_gives() -> None:
    """The influence function beside ratings fitted anew after each outcome of one ruling."""
    known = planted(1, questions=80, models=4)
    cases = known.cases({})
    view, shares = cases.view, cases.beliefs.shares
    before = standing(shares, view.model_1, view.model_2, 4).ratings
    effect = on_ranking(cases.beliefs, view.model_1, view.model_2, 4)
    for item in np.argsort(-effect)[:3].tolist():
        squares = []
        for outcome in range(4):
            turned = shares.copy()
            turned[item] = np.eye(4)[outcome]
            after = standing(turned, view.model_1, view.model_2, 4).ratings
            squares.append(np.mean((after - before) ** 2))
        assert effect[item] == pytest.approx(float(shares[item] @ squares) ** 0.5, rel=0.05)


def test_what_is_settled_has_no_effect_left() -> None:
    known = planted(2, questions=20)
    cases = known.cases({5: 1, 6: 4})
    assert cases.on_ranking[[5, 6]].tolist() == [0, 0]
    assert cases.gold[[5, 6]].tolist() == [1, 4]


def test_on_agreement_prefers_what_could_turn_and_counts_each_judge() -> None:
    rows = Rows()
    for number in range(20):
        pair = rows.pair(f"q{number}", "a", "b")
        for who in range(3):
            rows.vote(pair, f"p{who}", M2 if number == 0 and who else M1)
        rows.verdict(pair, "j", M1)
    cases = cases_of(rows.tally())
    assert int(np.argmax(cases.on_agreement)) == 0


def test_the_proposed_order_needs_fewer_rulings() -> None:
    known = planted(1)
    ours, random = in_order(known, Order.RANKING, 200, 20), at_random(known, 200, 20)
    assert ours[0] == random[0]
    assert ours[-1] < 0.7 * random[-1]


@pytest.mark.slow
def test_the_proposed_order_needs_fewer_rulings_over_many_studies() -> None:
    """The interval of the ratio of rulings until the error has halved lies below 1."""
    ratios = []
    for seed in range(40):
        known = planted(seed)
        ours, random = in_order(known, Order.RANKING, 500, 10), at_random(known, 500, 10)
        ratios.append(np.log(needed(ours, ours[0] / 2)) - np.log(needed(random, ours[0] / 2)))
    half = 2.02 * np.std(ratios, ddof=1) / len(ratios) ** 0.5
    low, high = np.exp(np.mean(ratios) - half), np.exp(np.mean(ratios) + half)
    assert low < high < 0.7, (low, high)


# ── what rulings say ────────────────────────────────────────────────────────

Ruled = tuple[int, int, int, int, int, int, int, float | None, str, str, int]


def study(votes: int = 3, items: int = 30) -> Tally:
    """Items on which everybody said model_1, with two leads and a judge who says model_2."""
    rows = Rows()
    for number in range(items):
        pair = rows.pair(f"q{number}", "a", "b")
        for who in range(votes):
            rows.vote(pair, f"p{who}", M1)
        rows.verdict(pair, "j", M2)
    tally = rows.tally()
    tally.add_annotators([(98, "lea", ""), (99, "max", "")])
    return tally


def row(seq: int, pair: int, choice: int, **more: object) -> Ruled:
    given = {"lead": 98, "stage": 0, "probability": None, "reason": "human_judge", "gone": 0}
    given |= more
    return (  # type: ignore[return-value]  # as given
        seq, pair, 1, given["lead"], given["stage"], choice, 1, given["probability"],
        given["reason"], "", given["gone"], 0,
    )  # fmt: skip


def test_deference_counts_revisions_towards_and_away() -> None:
    tally = study()
    rulings = [row(number, number, M2) for number in range(1, 11)]
    rulings += [row(number, number, M1) for number in range(11, 21)]
    rulings += [row(20 + n, n, M1, stage=1, gone=n) for n in range(1, 5)]  # to the majority
    rulings += [row(24 + n, 10 + n, M2, stage=1, gone=10 + n) for n in (1,)]  # to the judge
    tally.add_rulings(rulings)
    tally.tell_unmasked((pair, 1, 98) for pair in range(1, 16))
    result = result_of(tally, "deference")
    revised = find(result.estimates, what="revised after unmasking")
    assert (revised.k, revised.n) == (5, 15)
    for what, of, k, n in (
        ("blind ruling agrees", "the majority", 10, 20),
        ("blind ruling agrees", "j", 10, 20),
        ("revised towards", "the majority", 4, 10),
        ("revised away from", "the majority", 1, 5),
        ("revised towards", "j", 1, 5),
        ("revised away from", "j", 4, 10),
    ):
        found = find(result.estimates, what=what, of=of)
        assert (found.k, found.n) == (k, n), (what, of)
    assert "5 of 20" in result.notes[0]


def test_without_rulings_each_statistic_says_so() -> None:
    for id in ("deference", "gold_error", "leads"):
        result = result_of(study(), id)
        assert all(estimate.reason for estimate in result.estimates)
        assert result.notes


def test_gold_error_weighs_by_the_probability_of_the_draw() -> None:
    tally = study(items=40)
    rulings = [row(n, n, M2 if n <= 4 else M1, probability=0.5) for n in range(1, 21)]
    rulings += [
        row(n, n, M2 if n <= 22 else M1, probability=0.1, reason="agreement_sample")
        for n in range(21, 31)
    ]
    rulings += [row(n, n, M2) for n in range(31, 41)]  # taken for their effect: no sample
    tally.add_rulings(rulings)
    result = result_of(tally, "gold_error")
    everything = find(result.estimates, of="all items")
    assert everything.value == pytest.approx((4 * 2 + 2 * 10) / (20 * 2 + 10 * 10))
    assert everything.n == 30
    assert find(result.estimates, of="undisputed").value == pytest.approx(0.2)
    assert find(result.estimates, of="disputed").value == pytest.approx(0.2)
    assert "10 rulings" in result.notes[0]


@pytest.mark.parametrize(
    ("reason", "known", "missing"),
    [("agreement_sample", "undisputed", "disputed"), ("human_split", "disputed", "undisputed")],
)
def test_one_part_of_the_sample_does_not_stand_for_all_items(
    reason: str, known: str, missing: str
) -> None:
    tally = study(items=40)
    other = ({"agreement_sample", "human_split"} - {reason}).pop()
    rulings = [row(n, n, M1, probability=0.5, reason=reason) for n in range(1, 21)]
    # Not decidable: of that part nothing is known still.
    rulings.append(row(21, 21, 5, probability=0.5, reason=other))
    tally.add_rulings(rulings)
    result = result_of(tally, "gold_error")
    everything = find(result.estimates, of="all items")
    assert everything.value is None
    assert everything.low is None
    assert f"no {missing} case of the random sample was ruled on" in everything.reason
    assert find(result.estimates, of=known).value == 0
    assert find(result.estimates, of=missing).value is None
    tally.add_rulings([row(22, 22, M2, probability=0.25, reason=other)])
    everything = find(result_of(tally, "gold_error").estimates, of="all items")
    assert everything.value == pytest.approx(4 / (20 * 2 + 4))


@pytest.mark.parametrize(
    ("one", "two"),
    [((0.1, 0.05, 400), (0.5, 0.05, 100)), ((0.05, 0.05, 600), (0.5, 0.25, 120))],
)
def test_gold_error_covers_where_shares_differ_much(
    one: tuple[float, float, int], two: tuple[float, float, int]
) -> None:
    """Undisputed and disputed items, each with its draw's probability, its error, and how many."""
    rng, covered, samples = np.random.default_rng(3), 0, 1000
    drawn, error, items = (
        np.repeat([a, b], [one[2], two[2]]) for a, b in zip(one, two, strict=True)
    )
    truth = (one[1] * one[2] + two[1] * two[2]) / len(items)
    for _ in range(samples):
        taken = rng.random(len(items)) < drawn
        wrong = rng.random(int(taken.sum())) < error[taken]
        found = drawn_share({}, wrong, 1 / drawn[taken], np.arange(len(wrong)), 0.95)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert covered / samples >= 0.93


def test_a_sample_is_never_worth_more_rulings_than_it_has() -> None:
    wrong, weight = np.arange(82) < 4, np.where(np.arange(82) < 41, 2.0, 10.0)
    found = drawn_share({}, wrong, weight, np.arange(82), 0.95)
    at_most = wilson(found.value * 82, 82, 0.95)
    assert found.low <= at_most[0]
    assert found.high >= at_most[1]


@pytest.mark.slow
def test_gold_error_covers_the_true_error() -> None:
    """Rulings on the random sample alone, the true error known from the plant."""
    covered, errors = 0, []
    studies = 400
    for seed in range(studies):
        known = planted(seed, questions=120, models=5, votes=3, judges=1)
        cases = Cases(
            View(known.tally, Options()), Marks(), agreements=0.1, conflicts=0.2, seed=seed
        )
        known.tally.add_annotators([(99, "lea", "")])
        rulings = []
        for item in np.flatnonzero(cases.is_drawn).tolist():
            why = reasons_of(int(cases.reasons[item]))[0]
            made = (len(rulings) + 1, item + 1, 1, 99, 0, int(known.truth[item]), 1)
            rulings.append((*made, float(cases.probability[item]), why.value, "", 0, 0))
        known.tally.add_rulings(rulings)
        found = find(result_of(known.tally, "gold_error").estimates, of="all items")
        counts = View(known.tally, Options()).counts()
        most = counts.max(axis=1)
        has_label = (counts == most[:, None]).sum(axis=1) == 1
        truth = float((counts.argmax(axis=1) + 1 != known.truth)[has_label].mean())
        assert found.value is not None
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
        errors.append(found.value - truth)
    # Above .95: what is drawn is up to a fifth of all, which the interval makes nothing of.
    assert 0.93 <= covered / studies <= 0.985, covered / studies
    assert abs(np.mean(errors)) < 3 * np.std(errors) / studies**0.5


def test_two_leads_are_compared_on_what_both_ruled_blind() -> None:
    tally = study()
    one = [M1, M1, M2, TIE, 5, M1, M1, M2, TIE, 5, M1, M2]
    two = [M1, M2, M2, TIE, 5, M1, M1, M2, TIE, 5, M1, 6]
    rulings = [row(n, n, choice) for n, choice in enumerate(one, 1)]
    rulings += [row(50 + n, n, choice, lead=99) for n, choice in enumerate(two, 1)]
    rulings.append(row(90, 2, M1, lead=99, stage=1, gone=52))  # revised: what was blind counts
    tally.add_rulings(rulings)
    result = result_of(tally, "leads")
    agreement = find(result.estimates, what="agreement")
    assert (agreement.k, agreement.n) == (10, 11)
    kappa = find(result.estimates, what="kappa")
    expected = (5 * 4 + 2 * 3 + 2 * 2 + 2 * 2) / 121
    assert kappa.value == pytest.approx((10 / 11 - expected) / (1 - expected))
    assert kappa.low is not None
    assert kappa.low <= kappa.value


@pytest.mark.parametrize("items", [1, 9])
def test_kappa_of_two_leads_wants_as_many_items_as_elsewhere(items: int) -> None:
    tally = study()
    tally.add_rulings([row(n, n, M1) for n in range(1, items + 1)])
    tally.add_rulings([row(50 + n, n, M2, lead=99) for n in range(1, items + 1)])
    result = result_of(tally, "leads")
    kappa = find(result.estimates, what="kappa")
    assert (kappa.value, kappa.n) == (None, items)
    assert kappa.reason.endswith("10 are needed")
    assert find(result.estimates, what="agreement").value == 0


def test_an_ordinary_word_that_a_name_begins_with_is_no_name() -> None:
    mask = Mask(["text-generation-webui-api", "command-r", "vicuna-13b"])
    assert mask.hide("the entire text, at my command") == ("the entire text, at my command", 0)
    assert mask.hide("Vicuna and Text Generation WebUI API")[0] == f"{HIDDEN} and {HIDDEN}"


def test_undoing_a_blind_ruling_after_the_names_were_seen_hides_no_deference() -> None:
    tally = study()
    rulings = [row(1, 1, M2), row(2, 1, 0, gone=1), row(3, 1, M1, stage=1)]
    tally.add_rulings(rulings)
    tally.tell_unmasked([(1, 1, 98)])
    revised = find(result_of(tally, "deference").estimates, what="revised after unmasking")
    assert (revised.k, revised.n) == (1, 1)

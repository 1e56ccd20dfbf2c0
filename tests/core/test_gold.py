"""What becomes gold: a ruling, else one outcome that leads clearly, else nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gold import DecidedBy, Gold, GoldModel, GoldRule, decide
from core.records import Choice, Pair, Ruling, RulingChoice, RulingStage, Vote

PAIR = Pair("q", "a", "b")
LETTERS = {"1": Choice.MODEL_1, "2": Choice.MODEL_2, "t": Choice.TIE, "x": Choice.BOTH_BAD}


def votes(letters: str) -> list[Vote]:
    return [Vote(f"v{n}", PAIR, 1, f"n{n}", LETTERS[one]) for n, one in enumerate(letters)]


def ruling(choice: RulingChoice, stage: RulingStage = RulingStage.BLIND) -> Ruling:
    return Ruling("r", PAIR, 1, "lead", stage, choice, "because")


def decided(letters: str, rule: GoldRule | None = None) -> Gold:
    return decide(votes(letters), [], rule or GoldRule())


@pytest.mark.parametrize(
    ("letters", "label"),
    [
        ("1", "model_1"),
        ("2", "model_2"),
        ("t", "tie"),
        ("x", "both_bad"),
        ("112", "model_1"),
        ("x1x", "both_bad"),
        ("tx", None),
        ("12", None),
        ("112t", None),
        ("1112tx", None),
        ("11122", "model_1"),
        ("", None),
    ],
)
def test_more_than_half_decides(letters: str, label: str | None) -> None:
    gold = decided(letters)
    assert gold.label == label
    assert gold.decided_by is (DecidedBy.MAJORITY if label else DecidedBy.UNRESOLVED)
    assert gold.why
    assert gold.counts == {choice: letters.count(key) for key, choice in LETTERS.items()}


def test_both_bad_is_never_counted_as_a_tie() -> None:
    assert decided("ttxx1").label is None
    assert decided("txxx").label is Choice.BOTH_BAD


@pytest.mark.parametrize(
    ("letters", "share", "label"),
    [
        ("112t", 0.4, "model_1"),
        ("1122t", 0.3, None),
        ("2211t", 0.3, None),
        ("12tx", 0.0, None),
        ("112", 0.66, "model_1"),
        ("112", 0.67, None),
        ("111", 0.99, "model_1"),
    ],
)
def test_the_lead_s_threshold_decides_but_never_between_equals(
    letters: str, share: float, label: str | None
) -> None:
    assert decided(letters, GoldRule(share=share)).label == label


def test_too_few_votes_decide_nothing() -> None:
    gold = decided("11", GoldRule(min_votes=3))
    assert (gold.label, gold.why) == (None, "2 of 3 votes needed")
    assert decided("111", GoldRule(min_votes=3)).label is Choice.MODEL_1
    assert decided("", GoldRule(min_votes=0)).label is None


@pytest.mark.parametrize("choice", RulingChoice)
@pytest.mark.parametrize("letters", ["", "222", "12"])
def test_a_ruling_goes_before_votes(choice: RulingChoice, letters: str) -> None:
    gold = decide(votes(letters), [ruling(choice)], GoldRule(min_votes=9))
    if choice in (RulingChoice.NOT_DECIDABLE, RulingChoice.MORE_VOTES):
        assert (gold.label, gold.decided_by) == (None, DecidedBy.UNRESOLVED)
    else:
        assert (gold.label, gold.decided_by) == (Choice(choice.value), DecidedBy.RULING)
    assert gold.counts[Choice.MODEL_2] == letters.count("2")


def test_the_last_of_several_rulings_counts() -> None:
    first = ruling(RulingChoice.MODEL_1)
    last = ruling(RulingChoice.TIE, RulingStage.UNMASKED)
    assert decide([], [first, last], GoldRule()).label is Choice.TIE
    assert decide([], [first, last], GoldRule()).why == "ruled unmasked"


@given(letters=st.text(alphabet="12tx", max_size=9), share=st.floats(0, 0.99))
def test_the_order_of_votes_is_no_matter_and_the_label_leads(letters: str, share: float) -> None:
    gold = decided(letters, GoldRule(share=share))
    assert decided("".join(sorted(letters)), GoldRule(share=share)) == gold
    if gold.label is not None:
        top = gold.counts.pop(gold.label)
        assert top / len(letters) > share
        assert all(top > other for other in gold.counts.values())


def by_lead(lead: str, choice: RulingChoice, **more: Any) -> Ruling:
    return replace(ruling(choice), lead=lead, **more)


def test_leads_who_disagree_leave_it_open_until_one_is_final() -> None:
    one, two = by_lead("lea", RulingChoice.TIE), by_lead("max", RulingChoice.MODEL_1)
    gold = decide(votes("1"), [one, two], GoldRule())
    assert (gold.label, gold.why) == (None, "leads disagree")
    same = by_lead("max", RulingChoice.TIE)
    assert decide(votes("1"), [one, same], GoldRule()).label is Choice.TIE
    final = by_lead("lea", RulingChoice.MODEL_2, final=True)
    assert decide(votes("1"), [final, two], GoldRule()).label is Choice.MODEL_2


@pytest.mark.parametrize(
    ("probabilities", "threshold", "label"),
    [
        ((0.85, 0.05, 0.05, 0.05), 0.8, Choice.MODEL_1),
        ((0.05, 0.05, 0.1, 0.8), 0.8, Choice.BOTH_BAD),
        ((0.79, 0.21, 0.0, 0.0), 0.8, None),
        ((0.5, 0.5, 0.0, 0.0), 0.5, None),
        ((0.0, 0.0, 1.0, 0.0), 1.0, Choice.TIE),
    ],
)
def test_dawid_skene_decides_from_its_threshold_on(
    probabilities: tuple[float, ...], threshold: float, label: Choice | None
) -> None:
    rule = GoldRule(model=GoldModel.DAWID_SKENE, threshold=threshold, min_votes=2)
    posterior = dict(zip(Choice, probabilities, strict=True))
    gold = decide(votes("12t"), [], rule, posterior)
    assert gold.label is label
    by = DecidedBy.UNRESOLVED if label is None else DecidedBy.DAWID_SKENE
    assert gold.decided_by is by
    assert gold.why
    assert decide(votes("1"), [], rule, posterior).label is None  # too few votes
    assert decide(votes("12t"), [ruling(RulingChoice.MODEL_2)], rule, posterior).decided_by is (
        DecidedBy.RULING
    )


def test_dawid_skene_decides_nothing_without_probabilities() -> None:
    rule = GoldRule(model=GoldModel.DAWID_SKENE)
    with pytest.raises(ValueError, match="needs the probabilities"):
        decide(votes("11"), [], rule)

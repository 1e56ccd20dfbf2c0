"""What becomes gold: a ruling, else one outcome that leads clearly, else nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gold import DecidedBy, Gold, GoldRule, decide
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
    assert (gold.label, gold.why) == (None, "2 of the 3 votes that are needed")
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

"""The self-test finds what it planted, and says so when it does not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from core import selftest as planted
from core.errors import TiebreakError
from core.records import Vote
from core.stats.results import Estimate
from core.text import length_features
from tui.cli import root
from tui.selftest import Recovered


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(root, ["selftest", *arguments])
    refused = str(result.exception) if isinstance(result.exception, TiebreakError) else ""
    return result.exit_code, result.output + refused


def test_every_effect_is_told_with_its_interval_and_coverage() -> None:
    code, output = said("--runs", "2", "--seed", "3", "--json")
    assert code == 0, output
    told = json.loads(output)
    assert (told["format"], told["runs"], told["seed"]) == (1, 2, 3)
    assert [each["effect"] for each in told["effects"]] == [
        "people: left", "judge: left", "judge: both orders", "people: length", "judge: length",
        "judge − people: length", "judge: own family", "careless: left", "spammer: both bad",
        "failures: win rate",
    ]  # fmt: skip
    for each in told["effects"]:
        assert each["runs"] == 2
        assert each["low"] < each["high"]
        assert each["coverage"] == each["held"] / 2
        assert abs(each["estimated"] - each["planted"]) < 0.4, each


def test_the_same_seed_says_the_same() -> None:
    once, again, other = (said("--runs", "1", "--seed", seed)[1] for seed in ("5", "5", "6"))
    assert once == again != other
    assert "planted effect" in once


def test_texts_are_as_long_as_was_drawn() -> None:
    drawn = planted.draw(0, 1)
    answers = [each for each in drawn.records if type(each).__name__ == "Answer"]
    assert len(answers) == planted.QUESTIONS * len(planted.MODELS)
    lengths = {length_features(each.turns[0]).tokens for each in answers}  # type: ignore[union-attr]
    assert len(lengths) > 50
    names = {each.annotator for each in drawn.records if isinstance(each, Vote)}
    assert {planted.CARELESS, planted.SPAMMER} < names


def test_a_leaning_that_is_not_found_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant less than is said: the table must notice and the command must fail."""
    everything = planted.effects

    def more(people: str) -> list[planted.Effect]:
        first, *rest = everything(people)
        return [replace(first, planted=(first.planted or 0) + 1), *rest]

    monkeypatch.setattr(planted, "effects", more)
    code, output = said("--runs", "3")
    assert code == 1
    assert "0/3 = 0.0% of 95%  ← not kept" in output
    assert "does not hold what it promises" in output


def test_worst_cases_are_to_hold_always() -> None:
    effect = planted.Effect("e", "s", {}, 0.5, worst=True)
    found = Recovered(effect)
    row = Estimate({}, 0.6, 0.5, 0.7, 0.95, lowest=0.55, highest=0.8, n=9)
    found.add(0.56, row)
    assert found.is_kept
    found.add(0.5, row)
    assert not found.is_kept


@pytest.mark.parametrize("runs", [1, 2, 20, 400])
def test_a_kept_promise_looks_broken_once_in_a_thousand(runs: int) -> None:
    from scipy.stats import binom

    broken = [held for held in range(runs + 1) if not planted.is_possible(held, runs, 0.95)]
    assert binom.pmf(broken, runs, 0.95).sum() <= 0.001
    assert (0 in broken) is (runs > 2)


def test_a_number_that_is_missing_is_no_success() -> None:
    found = Recovered(planted.Effect("e", "s", {}, 0.5))
    with pytest.raises(TiebreakError, match="too few"):
        found.add(0.5, Estimate({}, None, reason="too few"))


@pytest.mark.slow
def test_every_promise_is_kept_over_many_studies() -> None:
    code, output = said("--runs", "300", "--seed", "11", "--json")
    assert code == 0, output
    for each in json.loads(output)["effects"]:
        wanted = (1.0, 1.0) if each["promised"] == 1 else (0.92, 0.98)
        assert wanted[0] <= each["coverage"] <= wanted[1], each
        if each["promised"] < 1:
            assert each["estimated"] == pytest.approx(each["planted"], abs=0.03), each

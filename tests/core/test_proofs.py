"""The table of proofs: everybody is in it, and it notices what is broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.proofs import coverage, registry, world
from core.proofs.coverage import Covered, cover, key_of
from core.proofs.registry import Held, Oracle, Proof, held_against_oracles, proofs
from core.stats import Estimate, compute, registered


@pytest.mark.parametrize("id", [each.id for each in registered()])
def test_every_statistic_has_a_proof_or_says_why_it_has_none(id: str) -> None:
    proof = proofs()[id]
    assert proof is not None, (
        f"register a Proof({id!r}, …) in core/proofs: an oracle, or no_oracle='why there is none'"
    )
    assert proof.oracles or len(proof.no_oracle.split()) > 3
    for held in held_against_oracles(proof, 2, 1):
        assert held.is_kept, f"{id}, {held.oracle.name}: {held.largest}"
        assert held.numbers or held.largest is None


def test_a_proof_has_an_oracle_or_a_reason_never_both() -> None:
    oracle = Oracle("x", lambda study, rows: [])
    for words in ({}, {"oracles": (oracle,), "no_oracle": "why"}):
        with pytest.raises(ValueError, match="oracle"):
            Proof("x", **words)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two proofs are of 'agreement'"):
        registry.register(Proof("agreement", (oracle,)))


def test_an_oracle_that_differs_or_compares_nothing_breaks_the_proof() -> None:
    def off(study: world.Study, rows: registry.Rows) -> list[tuple[float, float]]:
        return [(rows.value(rater="human", measure="votes"), len(study.votes) + 0.0)]

    (held,) = held_against_oracles(Proof("coverage", (Oracle("counts repeats too", off),)), 1, 0)
    assert not held.is_kept
    (held,) = held_against_oracles(
        Proof("coverage", (Oracle("nothing", lambda study, rows: []),)), 1, 0
    )
    assert not held.is_kept


def test_an_oracle_that_is_not_installed_is_skipped() -> None:
    oracle = Oracle("nobody", lambda study, rows: [(1.0, 2.0)], needs="no_such_package_anywhere")
    assert held_against_oracles(Proof("elo", (oracle,)), 1, 0) == [Held(oracle, 0, None)]


def test_a_made_up_study_follows_from_its_seed() -> None:
    one, again, other = (world.draw(3, seed) for seed in (1, 1, 2))
    assert one == again
    assert one.votes != other.votes
    results = compute(one.tally(), world.OPTIONS)
    assert [each.id for each in results] == [each.id for each in registered()]


def covered(held: int, told: int, studies: int) -> Covered:
    return Covered([held] * studies, [told] * studies)


def test_what_covers_too_little_or_too_much_is_broken() -> None:
    assert covered(95, 100, 50).is_kept(at_least=False)
    assert not covered(85, 100, 50).is_kept(at_least=False)
    assert not covered(85, 100, 50).is_kept(at_least=True)
    assert not covered(100, 100, 50).is_kept(at_least=False)
    assert covered(100, 100, 50).is_kept(at_least=True)
    # One small study proves nothing either way.
    assert covered(4, 5, 2).is_kept(at_least=False)


def test_intervals_that_are_too_narrow_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def narrow(*arguments: object, **named: object) -> list[object]:
        return [
            replace(result, estimates=tuple(map(halved, result.estimates)))
            for result in compute(*arguments, **named)  # type: ignore[arg-type]
        ]

    def halved(row: Estimate) -> Estimate:
        if row.value is None or row.low is None or row.high is None:
            return row
        return replace(row, low=(row.low + row.value) / 2, high=(row.high + row.value) / 2)

    monkeypatch.setattr(coverage, "LARGE", 400)
    assert cover(10, 0, {"win_rate"})["win_rate"].is_kept(at_least=False)
    monkeypatch.setattr(coverage, "compute", narrow)
    assert not cover(10, 0, {"win_rate"})["win_rate"].is_kept(at_least=False)


def test_a_number_is_known_by_what_it_is_about() -> None:
    one = Estimate({"rater": "a", "tier": 1}, 0.5)
    assert key_of(one) == key_of(Estimate({"rater": "a", "tier": 2}, 0.7))
    assert key_of(one) != key_of(Estimate({"rater": "b", "tier": 1}, 0.5))


@pytest.mark.slow
def test_every_interval_covers_what_it_promises() -> None:
    for id, found in cover(150, 1).items():
        proof = proofs()[id]
        assert proof is not None
        assert found.is_kept(bool(proof.at_least)), f"{id}: {found.coverage} ± {found.error}"

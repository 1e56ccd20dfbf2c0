"""Leads' rulings and votes' times reach the tally as they come."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from core.records import (
    Annotator,
    Choice,
    Pair,
    Record,
    Role,
    Ruling,
    RulingChoice,
    RulingStage,
    Vote,
)
from core.stats import Options, Tally, compute
from core.stats.rulings import BLIND, NOT_DECIDABLE, UNMASKED
from core.stats.tally import BOTH_BAD, MODEL_1, TIE
from db.feed import Feed
from db.store import Store
from tests.core.stats_oracle import find
from tests.studies import FILES, located

AT = "2026-03-01T12:00:00.500Z"


PAIRS = Pair("q1", "ant", "bee"), Pair("q2", "ant", "bee")


def take(store: Store, *records: Record) -> None:
    store.ingest.take(located(records), files=FILES)


def ruling(id: str, choice: str, place: int = 0, **more: Any) -> Ruling:
    values = {"stage": RulingStage.BLIND, "reason": "because", "lead": "lea", "at": AT, **more}
    return Ruling(id, PAIRS[place], 1, choice=RulingChoice(choice), **values)


def test_rulings_stand_until_another_takes_their_place(store: Store) -> None:
    feed = Feed(store, Tally())
    feed.catch_up()
    take(
        store,
        Annotator("lea", Role.LEAD),
        Annotator("max", Role.LEAD),
        ruling("r1", "model_1", queue_reason="human_split", left=2),
        ruling("r2", "tie", 1, queue_reason="agreement_sample", queue_probability=0.25),
    )
    assert feed.catch_up()
    assert not feed.catch_up()
    rulings = feed.tally.rulings
    assert rulings.choice.tolist() == [MODEL_1, TIE]
    assert rulings.stage.tolist() == [BLIND, BLIND]
    assert rulings.left.tolist() == [2, 0]
    assert math.isnan(rulings.probability[0])
    assert rulings.probability[1] == 0.25
    assert [rulings.reasons[each] for each in rulings.reason] == ["human_split", "agreement_sample"]
    assert [feed.tally.annotators[each] for each in rulings.lead] == ["lea", "lea"]
    assert rulings.at.tolist() == [1772366400.5] * 2
    assert feed.tally.pair_ids(rulings.item).size == 2

    unmasked = {"stage": RulingStage.UNMASKED}
    take(
        store,
        ruling("r3", "both_bad", supersedes="r1", **unmasked),
        ruling("r4", "not_decidable", lead="max"),
    )
    assert feed.catch_up()
    assert rulings.choice.tolist() == [TIE, BOTH_BAD, NOT_DECIDABLE]
    assert rulings.stage.tolist() == [BLIND, UNMASKED, BLIND]
    assert rulings.blind_choice.tolist() == [0, MODEL_1, 0]
    assert rulings.first_choice.tolist() == [TIE, MODEL_1, NOT_DECIDABLE]
    assert rulings.item[1] == rulings.item[2]

    take(store, ruling("r5", "tie", supersedes="r3", **unmasked))
    feed.catch_up()
    assert rulings.blind_choice.tolist() == [0, 0, MODEL_1]
    afresh = Tally()
    Feed(store, afresh).catch_up()
    for name in ("item", "lead", "stage", "choice", "left", "blind_choice", "reason", "at", "seq"):
        assert np.array_equal(getattr(rulings, name), getattr(afresh.rulings, name)), name


def test_times_are_read_when_asked_for_and_kept_up_from_then_on(store: Store) -> None:
    def vote(id: str, at: str) -> Vote:
        return Vote(id, PAIRS[0], 1, id, Choice.TIE, at=at)

    feed = Feed(store, Tally())
    take(store, *map(Annotator, "abc"), vote("a", AT), vote("b", "2026-03-02T00:00:00.000Z"))
    feed.catch_up()
    assert feed.tally.times.last_seq == 0
    feed.catch_up(times=True)
    take(store, vote("c", "one day"))
    feed.catch_up()
    assert feed.tally.times.last_seq == feed.tally.last_vote_seq
    seqs = feed.tally.vote_seqs
    assert feed.tally.times.milliseconds(seqs).tolist() == [1772366400500, 1772409600000, 0]
    assert feed.tally.times.of(seqs).tolist() == [1772366400, 1772409600, 0]
    seen = {}
    for since, until in ((None, None), ("2026-03-01", None), (None, "2026-03-02")):
        (result,) = compute(feed.tally, Options(since=since, until=until), {"coverage"})
        seen[since, until] = find(result.estimates, measure="votes").value
    assert list(seen.values()) == [3, 2, 1]

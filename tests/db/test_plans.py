"""A vote costs the same in a large study: no statement on its way reads a whole table."""

from __future__ import annotations

import re
from pathlib import Path

from core.records import Seen
from db.store import Store
from db.voting import Cast
from tests.studies import make_study

GROWS = {"vote", "v", "w", "verdict", "assignment", "a", "s", "text", "x", "pair", "p"}
"""Tables that grow with a study, and the short names they go by in statements."""


def scans(store: Store, statements: list[str]) -> list[str]:
    found = []
    for statement in statements:
        if not re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)", statement):
            continue
        for row in store.connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall():
            scanned = re.match(r"SCAN (?:main\.)?(\w+)", row[3])
            if scanned and scanned.group(1) in GROWS:
                found.append(f"{row[3]}: {statement}")
    return found


def test_serving_and_voting_read_no_table_whole(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study.db", questions=3, overlap=2)
    with Store(study) as store:
        me = store.annotator("me")
        served = store.serving.serve(me)
        assert served is not None
        statements: list[str] = []
        store.connection.set_trace_callback(statements.append)
        turn = served.turns[0]
        store.voting.cast(me, "local:me", Cast("v1", served.assignment, turn, Seen.TIE))
        store.voting.undo(me, "local:me", "u1")
        store.serving.serve(me, beyond=served.assignment)
        store.voting.skip(me, served.assignment)
        store.serving.serve_skipped(me)
        store.serving.progress(me)
        store.connection.set_trace_callback(None)
        assert len(statements) > 20
        assert scans(store, statements) == []

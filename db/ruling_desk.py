"""What lies open before a lead: leases, drafts, and a case as it is shown."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from core.adjudication.case import (
    Case,
    LeadSaid,
    Opinion,
    Reason,
    RulingSeen,
    Unmasked,
    ruled,
    ruling_as_seen,
)
from core.adjudication.masking import Mask
from core.records import RulingChoice
from core.times import stamp
from db import rulings
from db.ruling_cases import Place, Told, mask_of, opinions_of
from db.ruling_lead import Lead, models_of
from db.rulings import Standing
from db.serving import storable
from db.texts import shown


class Desk:
    """Leases, drafts and cases of one lead; each method within the caller's transaction.

    Args:
        reasons: why a pair and turn is in the queue.
    """

    def __init__(self, lead: Lead, reasons: Callable[[int, int], tuple[Reason, ...]]) -> None:
        self.lead = lead
        self.store = lead.store
        self._reasons = reasons
        self._mask: tuple[object, Mask] = (None, Mask(()))

    # ── leases and drafts ───────────────────────────────────────────────────

    def left_open(self, connection: sqlite3.Connection, after: str) -> Place | None:
        """The case that this lead left open, other than ``after``."""
        rows = connection.execute(
            "SELECT pair_id, turn FROM ruling_lease WHERE lead_id = ? ORDER BY leased_at, pair_id",
            (self.lead.id,),
        ).fetchall()
        for pair_id, turn in rows:
            place = self.lead.place_of(connection, pair_id, turn)
            if place.key != after and not self.lead.why_not(connection, place):
                return place
        return None

    def until(self) -> str:
        """Until when what is opened now is kept from other leads."""
        minutes = int(self.store.settings()["ruling_lease_minutes"])
        return stamp(self.store.clock() + timedelta(minutes=minutes))

    def lease(self, connection: sqlite3.Connection, place: Place) -> Case:
        """Open a case that nobody else has open."""
        return self.case(connection, place, self.hold(connection, place))

    def hold(self, connection: sqlite3.Connection, place: Place) -> str:
        """Keep a case from other leads; the caller knows that none has it. Until when."""
        until = self.until()
        connection.execute(
            "INSERT INTO ruling_lease VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "lead_id = excluded.lead_id, leased_at = excluded.leased_at, "
            "lease_until = excluded.lease_until",
            (place.pair_id, place.turn, self.lead.id, self.store.now(), until),
        )
        return until

    def renew(self, connection: sqlite3.Connection, place: Place) -> bool:
        """Keep a case for another lease; False where this lead has it no more."""
        renewed = connection.execute(
            "UPDATE ruling_lease SET lease_until = ? "
            "WHERE pair_id = ? AND turn = ? AND lead_id = ? RETURNING 1",
            (self.until(), place.pair_id, place.turn, self.lead.id),
        ).fetchall()
        return bool(renewed)

    def free(self, connection: sqlite3.Connection, place: Place) -> None:
        """Let others have a case."""
        connection.execute(
            "DELETE FROM ruling_lease WHERE pair_id = ? AND turn = ? AND lead_id = ?",
            (place.pair_id, place.turn, self.lead.id),
        )

    def close(self, connection: sqlite3.Connection, place: Place) -> None:
        """Let others have a case that is ruled on, and drop its draft."""
        self.free(connection, place)
        connection.execute(
            "DELETE FROM ruling_draft WHERE pair_id = ? AND turn = ? AND lead_id = ?",
            (place.pair_id, place.turn, self.lead.id),
        )

    def keep_draft(
        self, connection: sqlite3.Connection, place: Place, choice: RulingSeen | None, reason: str
    ) -> None:
        """Keep what is chosen and typed."""
        kept = None if choice is None else ruled(choice, place.left)
        connection.execute(
            "INSERT OR REPLACE INTO ruling_draft VALUES (?, ?, ?, ?, ?)",
            (place.pair_id, place.turn, self.lead.id, kept, storable(reason)),
        )

    # ── what is shown ───────────────────────────────────────────────────────

    def mask(self, connection: sqlite3.Connection) -> Mask:
        """What hides the study's names; made anew when there are others."""
        known = connection.execute(
            "SELECT (SELECT count(*) || ' ' || max(id) FROM annotator), "
            "(SELECT count(*) FROM judge), (SELECT count(*) FROM model)"
        ).fetchone()
        if self._mask[0] != known:
            self._mask = (known, mask_of(connection))
        return self._mask[1]

    def told(self, connection: sqlite3.Connection, place: Place) -> list[Told]:
        """The opinions on a case, without names in their texts."""
        seed = self.store.seed
        return opinions_of(connection, place, self.lead.id, seed, self.mask(connection))

    def case(self, connection: sqlite3.Connection, place: Place, until: str) -> Case:
        """A case as it is shown blind."""
        question_id, *answers = connection.execute(
            "SELECT question_id, answer_1, answer_2 FROM pair WHERE id = ?", (place.pair_id,)
        ).fetchone()
        texts = shown(connection, question_id, (answers[0], answers[1]), place.left)
        mine = self.lead.own_ruling(connection, place)
        shows_kind = bool(self.store.settings()["ruling_shows_kind"])
        asked = self.lead.asked(connection, place) or ""
        return Case(
            place.key,
            place.turn,
            texts.category,
            texts.question,
            texts.references,
            texts.left,
            texts.right,
            tuple(_unnamed(one, shows_kind=shows_kind) for one in self.told(connection, place)),
            self._reasons(place.pair_id, place.turn) if shows_kind else (),
            self._draft(connection, place),
            mine.id if mine else "",
            (ruling_as_seen(mine.choice, place.left).value, mine.reason) if mine else ("", ""),
            mine.is_final if mine else False,
            self.lead.has_seen(connection, place),
            self.mask(connection).hide(asked)[0],
            until,
        )

    def _draft(self, connection: sqlite3.Connection, place: Place) -> tuple[str, str]:
        kept = connection.execute(
            "SELECT choice, reason FROM ruling_draft WHERE pair_id = ? AND turn = ? "
            "AND lead_id = ?",
            (place.pair_id, place.turn, self.lead.id),
        ).fetchone()
        if kept is None:
            return "", ""
        choice, reason = kept
        seen = "" if choice is None else ruling_as_seen(RulingChoice(choice), place.left).value
        return seen, reason

    def unmasked(self, connection: sqlite3.Connection, place: Place, mine: Standing) -> Unmasked:
        """A case with its names, and texts as they were written."""
        told = opinions_of(connection, place, self.lead.id, self.store.seed, Mask(()))
        return Unmasked(
            place.key,
            *models_of(connection, place),
            tuple(one.named for one in told),
            ruling_as_seen(rulings.blind_of(connection, mine), place.left),
            ruling_as_seen(mine.choice, place.left),
            mine.reason,
            self._reasons(place.pair_id, place.turn),
            self._others(connection, place),
        )

    def _others(self, connection: sqlite3.Connection, place: Place) -> tuple[LeadSaid, ...]:
        """What other leads ruled on a case, as it stands for this one."""
        return tuple(
            LeadSaid(
                rulings.name_of(connection, one.lead_id),
                ruling_as_seen(one.choice, place.left),
                one.reason,
                one.is_final,
            )
            for one in rulings.on_place(connection, place)
            if one.lead_id != self.lead.id
        )


def _unnamed(told: Told, *, shows_kind: bool) -> Opinion:
    opinion = told.named.opinion
    return opinion if shows_kind else replace(opinion, kind="")

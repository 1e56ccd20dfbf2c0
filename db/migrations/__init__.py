"""The migrations of a study, oldest first: one module each, which is never edited once released."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils.migrations import Migrations


def migrations() -> Migrations:
    """The migrations, oldest first."""
    from sqlite_utils.migrations import Migrations

    from db.migrations.m001_first import m001_first
    from db.migrations.m002_asked import m002_asked
    from db.migrations.m003_people import m003_people
    from db.migrations.m004_assignment import m004_assignment
    from db.migrations.m005_judging import m005_judging
    from db.migrations.m006_scores import m006_scores

    ordered = Migrations("tiebreak")
    for migration in (
        m001_first,
        m002_asked,
        m003_people,
        m004_assignment,
        m005_judging,
        m006_scores,
    ):
        ordered()(migration)
    return ordered

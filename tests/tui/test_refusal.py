"""What SQLite refuses to an annotator's screen is told and written down, and costs no vote."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.blind import BlindConnection
from tests.studies import rows
from tests.tui.test_seat import one_turn_study, sit
from tui.cli.people import _log_refusal


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_screen_that_asks_for_too_much_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    study, log = one_turn_study(tmp_path / "s.db", "x"), tmp_path / "crash.log"
    async with sit(study, size) as seat:
        store = seat.app.store
        assert isinstance(store.connection, BlindConnection)
        store.on_refusal = lambda refusal: _log_refusal(refusal, log)
        seat.screen.session.keep(note="kept")

        def leak(*_: object) -> None:
            with store.write() as connection:
                connection.execute("SELECT choice FROM verdict")

        with monkeypatch.context() as patch:
            patch.setattr(store.voting, "cast", leak)
            await seat.press("1")
        assert "Not saved: this screen asked" in seat.text("said")
        assert rows(study, "SELECT * FROM vote") == []
        await seat.press("1")
        assert rows(study, "SELECT seen, note FROM vote") == [("left", "kept")]
    written = log.read_text("utf-8")
    assert "access to verdict.choice is prohibited" in written
    assert "in leak" in written

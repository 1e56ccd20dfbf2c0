"""Each check finds what it is for, and nothing in a study that is well."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import StudyUnavailable
from core.records import Seen
from db import checkup_file
from db.checkup import examine
from db.checkup_file import file_system_of, sqlite_version
from db.findings import Check, State
from db.store import Store
from tests.studies import FakeClock, dump, full_study, rows, serve, vote


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def study(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "study"
    folder.mkdir(mode=0o700)
    path = full_study(folder / "study.db", clock)
    path.chmod(0o600)
    monkeypatch.setattr(checkup_file, "_SCARCE", 0)  # this disk may be nearly full
    monkeypatch.setattr(checkup_file, "_LITTLE", 0)
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 53, 0))
    return path


def looked(path: Path, clock: FakeClock, **how: bool) -> dict[str, Check]:
    checks = examine(path, clock=clock, **how)
    found = {check.name: check for check in checks}
    assert len(found) == len(checks)
    for check in checks:
        assert check.mend or check.state is State.OK, f"{check} says no way out"
        assert "\n" not in check.said + check.mend
    return found


def bad(path: Path, clock: FakeClock, **how: bool) -> dict[str, State]:
    found = looked(path, clock, **how)
    return {name: check.state for name, check in found.items() if check.state is not State.OK}


@pytest.mark.parametrize("deep", [False, True])
def test_a_study_that_is_well_is_told_so_and_left_as_it_is(
    study: Path, clock: FakeClock, deep: bool
) -> None:
    before = dump(study)
    assert bad(study, clock, deep=deep) == {}
    assert dump(study) == before


def sql(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as raw:
            raw.executescript(statement)

    return change


def opened(mode: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.parent.chmod(0o755)
        path.chmod(mode)

    return change


def damage(path: Path) -> None:
    """Spoil an index: its pages hold entries of no row."""
    with closing(sqlite3.connect(path)) as raw:
        page = raw.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'vote_by_annotator'"
        ).fetchone()[0]
    data = bytearray(path.read_bytes())
    data[(page - 1) * 4096 + 8 : page * 4096] = b"\xee" * 4088
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "name", "state", "words"),
    [
        (opened(0o644), "rights", State.WARNING, "may read it (mode 0644)"),
        (opened(0o666), "rights", State.PROBLEM, "may write it (mode 0666)"),
        (lambda p: p.parent.chmod(0o777), "folder", State.PROBLEM, "may rename files in"),
        (lambda p: p.parent.chmod(0o1777), "folder", State.WARNING, "may add files to"),
        (sql("PRAGMA journal_mode = DELETE"), "journal", State.PROBLEM, "makes voters wait"),
        (sql("UPDATE queue SET load = load + 1"), "queue", State.PROBLEM, "another number"),
        (sql("UPDATE chain_head SET seq = 9 WHERE log = 'vote'"), "chain", State.PROBLEM, "vote 9"),
        (damage, "integrity", State.PROBLEM, "damaged"),
    ],
)
def test_what_is_wrong_is_found_with_a_way_out(
    study: Path,
    clock: FakeClock,
    change: Callable[[Path], None],
    name: str,
    state: State,
    words: str,
) -> None:
    change(study)
    found = looked(study, clock)
    assert found[name].state is state
    assert words in found[name].said
    assert {other for other, check in found.items() if check.state is not State.OK} == {name}


@pytest.mark.parametrize("mode", [0o644, 0o666])
def test_a_study_in_a_folder_that_nobody_else_may_enter_is_closed_to_them(
    study: Path, clock: FakeClock, mode: int
) -> None:
    study.chmod(mode)
    study.parent.chmod(0o700)
    rights = looked(study, clock)["rights"]
    assert rights.state is State.OK
    assert rights.said == f"nobody else on this host may enter {study.parent}"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (sql("DROP TRIGGER vote_no_update"), "schema"),
        (sql("DROP TRIGGER vote_no_update; UPDATE vote SET note = '!' WHERE seq = 1"), "chain"),
        (sql("UPDATE text SET body = body || '!'"), "chain"),
    ],
)
def test_what_takes_a_walk_is_found_by_a_deep_look(
    study: Path, clock: FakeClock, change: Callable[[Path], None], name: str
) -> None:
    change(study)
    assert bad(study, clock, deep=True)[name] is State.PROBLEM


def test_only_the_end_of_a_long_log_is_walked_unless_asked(
    study: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.checkup_rows._LAST_ROWS", 3)
    sql("DROP TRIGGER vote_no_update; UPDATE vote SET note = '!' WHERE seq = 1")(study)
    assert bad(study, clock) == {}
    last = rows(study, "SELECT max(seq) FROM vote")[0][0]
    assert last > 4
    sql(f"UPDATE vote SET note = '!' WHERE seq = {last - 2}")(study)
    assert bad(study, clock) == {"chain": State.PROBLEM}


def test_a_study_that_cannot_be_opened_is_a_check_as_well(study: Path, clock: FakeClock) -> None:
    study.write_bytes(b"garbage" * 1000)
    found = looked(study, clock)
    assert found["study"].state is State.PROBLEM
    assert "not a study" in found["study"].said
    assert "rights" in found
    study.unlink()
    with pytest.raises(StudyUnavailable, match="there is no study here"):
        examine(study)


def test_texts_that_are_gone_are_told_apart_from_those_that_never_came(
    study: Path, clock: FakeClock
) -> None:
    assert "1 imported vote on pairs without texts" in looked(study, clock)["texts"].said
    sql("DELETE FROM answer_turn")(study)
    found = looked(study, clock)
    assert (found["texts"].state, found["chain"].state) == (State.PROBLEM, State.PROBLEM)
    assert "cast here on texts that are no longer in the study" in found["texts"].said


def test_a_clock_behind_the_last_vote(study: Path, clock: FakeClock) -> None:
    clock.forward(hours=-2)
    found = looked(study, clock)
    assert found["clock"].state is State.WARNING
    assert "7,200 s behind" in found["clock"].said


def test_what_a_session_of_another_user_left_beside_the_study(
    study: Path, clock: FakeClock
) -> None:
    if os.geteuid():
        pytest.skip("only root may give files to others")
    os.chown(study.parent, 12345, 12345)
    os.chown(study, 12345, 12345)
    study.with_name("study.db-wal").touch(mode=0o600)
    found = looked(study, clock)
    assert found["owner"].state is State.PROBLEM
    assert "user 12345, who cannot vote" in found["owner"].said
    study.with_name("study.db-wal").unlink(missing_ok=True)
    os.chown(study.parent, 0, 0)
    assert "may not write" in looked(study, clock)["folder"].said


def test_a_log_that_only_a_forgotten_reader_lets_grow(
    study: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkup_file, "_LONG_LOG", 100_000)
    with Store(study, clock=clock) as reader, Store(study, clock=clock) as voter:
        reader.connection.execute("BEGIN")
        reader.connection.execute("SELECT count(*) FROM vote").fetchone()
        for number in range(20):
            voter.annotator(f"ann {number}")
        assert bad(study, clock) == {"write-ahead log": State.WARNING}


# ── mending ─────────────────────────────────────────────────────────────────


def test_leases_and_slots_are_mended_and_nothing_that_was_said(
    study: Path, clock: FakeClock
) -> None:
    with Store(study, clock=clock) as store:
        dan = store.annotator("dan")
        served = serve(store, dan)
        said = list(store.reading.records())
    clock.forward(hours=3)
    found = looked(study, clock)
    assert found["leases"].state is State.WARNING
    sql("UPDATE queue SET load = load + 1")(study)
    assert bad(study, clock)["queue"] is State.PROBLEM
    mended = looked(study, clock, mend=True)
    assert {
        name: check.state for name, check in mended.items() if check.state is not State.OK
    } == {}
    assert mended["leases"].said.startswith("1 pair given back; now: ")
    assert "counted anew" in mended["queue"].said
    with Store(study, clock=clock) as store:
        assert list(store.reading.records()) == said
        assert store.verify() == []
        assert vote(store, dan, served, Seen.LEFT, id="late but counted")
    assert bad(study, clock) == {}
    assert "; now" not in "".join(check.said for check in looked(study, clock, mend=True).values())


def test_the_journal_is_mended_while_nobody_else_has_it_open(
    study: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.connection.BUSY_SECONDS", 0.05)
    sql("PRAGMA journal_mode = DELETE")(study)
    with closing(sqlite3.connect(study, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM vote").fetchone()
        with pytest.raises(StudyUnavailable, match="another process"):
            examine(study, mend=True, clock=clock)
        other.execute("ROLLBACK")
    assert "switched" in looked(study, clock, mend=True)["journal"].said
    assert rows(study, "PRAGMA journal_mode") == [("wal",)]


def test_what_is_read_only_is_looked_at_and_not_mended(
    study: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.store.is_writable", lambda path: False)
    assert bad(study, clock) == {}
    with pytest.raises(StudyUnavailable, match="nothing can be mended"):
        examine(study, mend=True, clock=clock)


# ── what the system says ────────────────────────────────────────────────────

MOUNTS = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /srv rw,relatime shared:1 - nfs4 host:/srv rw
31 30 0:41 / /srv/local rw - xfs /dev/vdb rw
32 22 0:42 / /mnt/with\040space rw - cifs //host/share rw
33 22 0:43 / /over rw - ext4 /dev/vdc rw
34 33 0:44 / /over rw - fuse.sshfs host: rw
an unfinished line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/study.db", "ext4"),
        ("/srv/study.db", "nfs4"),
        ("/srvother/study.db", "ext4"),
        ("/srv/local/deep/study.db", "xfs"),
        ("/mnt/with space/study.db", "cifs"),
        ("/over/study.db", "fuse.sshfs"),
    ],
)
def test_the_file_system_is_that_of_the_innermost_mount(path: str, kind: str) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind


def test_without_a_list_of_mounts_nothing_is_claimed() -> None:
    assert file_system_of(Path("/study.db"), "") is None


@pytest.mark.parametrize(
    ("kind", "state"),
    [("nfs4", State.PROBLEM), ("fuse.mergerfs", State.WARNING), ("xfs", State.OK)],
)
def test_a_shared_file_system_is_a_problem(
    study: Path, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str,
    state: State,
) -> None:  # fmt: skip
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 254:0 / / rw - {kind} /dev/vda rw\n")
    monkeypatch.setattr(checkup_file, "_MOUNTS", mounts)
    assert looked(study, clock)["file system"].state is state


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ((3, 40, 1), State.WARNING),
        ((3, 44, 5), State.WARNING),
        ((3, 44, 6), State.OK),
        ((3, 49, 2), State.WARNING),
        ((3, 50, 7), State.OK),
        ((3, 51, 2), State.WARNING),
        ((3, 51, 3), State.OK),
        ((3, 53, 0), State.OK),
        ((4, 0, 0), State.OK),
    ],
)
def test_a_sqlite_with_the_known_fault_is_named(version: tuple[int, ...], state: State) -> None:
    assert sqlite_version(version).state is state


@pytest.mark.parametrize(
    ("little", "scarce", "state"),
    [(0, 0, State.OK), (0, 2**60, State.WARNING), (2**60, 2**60, State.PROBLEM)],
)
def test_a_disk_that_fills_up(
    study: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, little: int, scarce: int,
    state: State,
) -> None:  # fmt: skip
    monkeypatch.setattr(checkup_file, "_LITTLE", little)
    monkeypatch.setattr(checkup_file, "_SCARCE", scarce)
    assert looked(study, clock)["disk"].state is state

"""People: keys that name one person each, and what pausing and retiring does to their pairs."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Conflict, NotAdmitted
from core.records import Annotator, Role, Seen
from core.ssh_keys import SshKey, read_keys
from core.stats import compute
from core.stats.options import Options
from core.stats.tally import Tally
from db import checkup_rows
from db.changing import Wanted, change
from db.feed import Feed
from db.store import Store
from db.voting import Cast
from tests.studies import FakeClock, load, make_study, rows, serve, state, vote


def key(number: int) -> SshKey:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes([number]) * 32
    line = f"ssh-ed25519 {base64.b64encode(blob).decode()} key {number}"
    return read_keys(line.encode(), "key")[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    path = make_study(tmp_path / "study.db", questions=4, overlap=1)
    with Store(path, clock=FakeClock()) as store:
        yield store


def test_adding_the_same_person_again_adds_only_what_is_new(store: Store) -> None:
    ann = Annotator("ann", group="expert", attributes={"language": "de"})
    assert store.people.add(ann, [key(1)]) == (True, 1)
    assert store.people.add(ann, [key(1)]) == (False, 0)
    assert store.people.add(ann, [key(1), key(2)]) == (False, 1)
    assert store.people.add_keys("ann", [key(2), key(3)]) == 1
    (person,) = store.people.listed()
    assert (person.name, person.group, person.state) == ("ann", "expert", "active")
    assert person.attributes == {"language": "de"}
    assert {one.comment for one in person.keys} == {"key 1", "key 2", "key 3"}
    assert store.verify() == []


@pytest.mark.parametrize(
    "other",
    [
        Annotator("ann", Role.LEAD, "expert"),
        Annotator("ann", group="other"),
        Annotator("ann", group="expert", attributes={"x": "y"}),
        Annotator("ann", group="expert", simulated=True),
    ],
)
def test_another_person_of_the_same_name_is_refused_whole(store: Store, other: Annotator) -> None:
    store.people.add(Annotator("ann", group="expert"), [])
    with pytest.raises(Conflict, match="in the study already"):
        store.people.add(other, [key(1)])
    assert rows(store.path, "SELECT count(*) FROM ssh_key") == [(0,)]


def test_a_key_names_one_person_even_after_it_was_removed(store: Store) -> None:
    store.people.add(Annotator("ann"), [key(1)])
    with pytest.raises(Conflict, match="belongs to 'ann'"):
        store.people.add(Annotator("bob"), [key(2), key(1)])
    assert [person.name for person in store.people.listed()] == ["ann"], "bob is not added either"
    store.people.remove_key("ann", key(1).fingerprint)
    with pytest.raises(Conflict, match="belonged to 'ann'"):
        store.people.add(Annotator("bob"), [key(1)])
    with pytest.raises(Conflict, match="has no key"):
        store.people.remove_key("ann", key(1).fingerprint)
    assert store.people.add_keys("ann", [key(1)]) == 1
    assert store.people.holder(key(1).fingerprint) == ("ann", Role.ANNOTATOR)


def test_a_person_removes_only_their_own_key(store: Store) -> None:
    store.people.add(Annotator("ann"), [key(1)])
    store.people.add(Annotator("bob"), [])
    with pytest.raises(Conflict, match="'bob' has no key"):
        store.people.remove_key("bob", key(1).fingerprint)
    assert store.people.holder(key(1).fingerprint)[0] == "ann"


def test_who_is_let_in_and_whose_lines_sshd_gets(store: Store) -> None:
    for number, name in enumerate(("ann", "bob", "cleo", "dora")):
        store.people.add(
            Annotator(name, Role.LEAD if name == "dora" else Role.ANNOTATOR), [key(number)]
        )
    store.people.pause("ann")
    store.people.retire("bob")
    store.people.remove_key("cleo", key(2).fingerprint)
    assert [(one.comment, name) for one, name in store.people.authorized()] == [
        ("key 0", "ann"),
        ("key 3", "dora"),
    ]
    assert [name for _, name in store.people.authorized(key(3).fingerprint)] == ["dora"]
    for gone in (1, 2, 9):
        assert store.people.authorized(key(gone).fingerprint) == []
    assert store.people.holder(key(3).fingerprint) == ("dora", Role.LEAD)
    for number, why in ((0, "paused"), (1, "ended"), (2, "nothing here"), (9, "nothing here")):
        with pytest.raises(NotAdmitted, match=why):
            store.people.holder(key(number).fingerprint)


def test_a_paused_person_gets_no_pair_and_casts_no_vote_until_resumed(store: Store) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    store.people.pause("ann")
    for refused in (
        lambda: store.serving.serve(ann),
        lambda: vote(store, ann, served, Seen.LEFT),
        lambda: store.people.admit("ann"),
    ):
        with pytest.raises(NotAdmitted, match="paused"):
            refused()
    assert rows(store.path, "SELECT count(*) FROM vote") == [(0,)]
    assert state(store, served.assignment) == "open"
    store.people.resume("ann")
    store.people.admit("ann")
    assert serve(store, ann).assignment == served.assignment
    assert vote(store, ann, served, Seen.LEFT)


def test_a_vote_whose_acknowledgement_was_lost_is_acknowledged_though_paused_since(
    store: Store,
) -> None:
    ann = store.annotator("ann")
    served = serve(store, ann)
    cast = Cast("one", served.assignment, served.turns[0], Seen.TIE)
    assert store.voting.cast(ann, "ssh:x", cast)
    store.people.pause("ann")
    assert not store.voting.cast(ann, "ssh:x", cast)


def test_retiring_gives_open_pairs_back_and_keeps_the_votes(store: Store) -> None:
    ann, bob = store.annotator("ann"), store.annotator("bob")
    vote(store, ann, serve(store, ann), Seen.LEFT)
    served = serve(store, ann)
    before = load(store, served.assignment)
    assert store.people.retire("ann") == 1
    assert store.people.retire("ann") == 0
    assert load(store, served.assignment) == before - 1
    assert state(store, served.assignment) == "released"
    with pytest.raises(NotAdmitted, match="ended"):
        store.serving.serve(ann)
    with pytest.raises(Conflict, match="retired"):
        store.people.pause("ann")
    (one, other) = store.people.listed()
    assert (one.state, one.votes, other.state) == ("retired", 1, "active")
    assert store.reading.retired() == {"ann"}
    seen = set()
    while (got := store.serving.serve(bob)) is not None:
        vote(store, bob, got, Seen.LEFT)
        seen.add((got.left, got.right))
    assert len(seen) == 3, "the others get what is left, the pair that was given back too"
    store.people.resume("ann")
    assert store.people.listed()[0].state == "active"
    assert store.verify() == []


@pytest.mark.parametrize("what", ["pause", "resume", "retire"])
def test_nobody_of_that_name(store: Store, what: str) -> None:
    with pytest.raises(Conflict, match="nobody here is called"):
        getattr(store.people, what)("nobody")
    store.people.admit("nobody")


def test_a_retired_annotator_is_so_wherever_the_study_is_read_again(
    store: Store, tmp_path: Path
) -> None:
    from core.formats.native import read, write

    ann = store.annotator("ann")
    vote(store, ann, serve(store, ann), Seen.LEFT)
    store.people.retire("ann")
    file = tmp_path / "all.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        write(store.reading.records(), stream)
    with Store(tmp_path / "again.db", create=True) as again:
        again.ingest.take(read(file))
        assert again.reading.retired() == {"ann"}
        assert list(again.reading.records()) == list(store.reading.records())


def test_adding_somebody_who_has_qualified_adds_their_new_key(store: Store) -> None:
    ann = Annotator("ann", attributes={"language": "de"})
    store.people.add(ann, [])
    store.practising.let_in(store.annotator("ann"), "lea")
    assert store.people.add(ann, [key(1)]) == (False, 1)


# ── changing who somebody is ────────────────────────────────────────────────


def group_loads(store: Store) -> list[tuple[str, int, int]]:
    return store.connection.execute(
        'SELECT "group", pair_id, load FROM group_load WHERE load > 0 ORDER BY 1, 2'
    ).fetchall()


def test_a_new_group_takes_over_the_slots_that_are_held(tmp_path: Path) -> None:
    path = make_study(tmp_path / "groups.db", questions=6, overlap=3, repeat_percent=50)
    with Store(path, clock=FakeClock()) as store:
        ann, bob = (store.annotator(name, group="expert") for name in ("ann", "bob"))
        for me in (ann, bob):
            vote(store, me, serve(store, me), Seen.TIE)
            store.voting.skip(me, serve(store, me).assignment)
        open_one = serve(store, ann)
        before = group_loads(store)
        changed = change(store, "ann", Wanted(group="crowd"))
        assert (changed.lines, changed.votes) == (("group: expert → crowd",), 1)
        assert group_loads(store) != before
        assert group_loads(store) == counted_anew(store)
        vote(store, ann, open_one, Seen.LEFT, id="late")
        store.voting.undo(ann, "local:ann", "undone")
        store.people.reassign("ann")
        change(store, "ann", Wanted(group="expert"))
        while (served := store.serving.serve(ann)) is not None:
            vote(store, ann, served, Seen.LEFT, id=f"all {served.assignment}")
        assert group_loads(store) == counted_anew(store)
        change(store, "bob", Wanted(group=""))
        assert group_loads(store) == counted_anew(store)
        assert store.verify() == []
        assert checkup_of(store)["queue"] == "ok"


def counted_anew(store: Store) -> list[tuple[str, int, int]]:
    return store.connection.execute(
        'SELECT a."group", s.pair_id, count(*) FROM assignment s JOIN annotator a '
        "ON a.id = s.annotator_id WHERE s.state IN ('open', 'done') AND s.repeat = 0 "
        "GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()


def checkup_of(store: Store) -> dict[str, str]:
    return {check.name: check.state.value for check in checkup_rows.checks(store, deep=False)}


def test_doctor_finds_and_mends_slots_of_groups_that_do_not_agree(store: Store) -> None:
    ann = store.annotator("ann", group="expert")
    vote(store, ann, serve(store, ann), Seen.TIE)
    right = group_loads(store)
    for wrong in ("UPDATE group_load SET load = 7", "DELETE FROM group_load"):
        store.connection.execute(wrong)
        assert checkup_of(store)["queue"] == "problem"
        assert "counted anew" in checkup_rows.mend(store)["queue"]
        assert group_loads(store) == right
        assert checkup_of(store)["queue"] == "ok"


def test_a_change_of_attributes_opens_categories_at_the_next_pair(tmp_path: Path) -> None:
    path = make_study(tmp_path / "s.db", questions=2, only_for={"maths": {"language": ["de"]}})
    with Store(path, clock=FakeClock()) as store:
        ann = store.annotator("ann")
        assert store.serving.serve(ann) is None
        change(store, "ann", Wanted(attributes={"language": "de"}))
        assert store.serving.serve(ann) is not None
        change(store, "ann", Wanted(without=("language",)))
        assert store.people.listed()[0].attributes == {}


def test_numbers_that_are_followed_count_votes_with_the_new_group(store: Store) -> None:
    for name in ("ann", "bob"):
        me = store.annotator(name, group="expert")
        vote(store, me, serve(store, me), Seen.TIE)
    followed = Feed(store, Tally())
    assert followed.catch_up()
    assert not followed.catch_up()
    change(store, "ann", Wanted(group="crowd"))
    assert followed.catch_up()
    fresh = Feed(store, Tally())
    fresh.catch_up()
    for group in ("crowd", "expert"):
        options = Options(group=group)
        (counted,) = compute(followed.tally, options, ["coverage"])
        assert [counted] == compute(fresh.tally, options, ["coverage"])
        votes = [one.value for one in counted.estimates if one.labels["measure"] == "votes"]
        assert votes == [1]


def test_who_stays_what_they_were_is_told_nothing_new(store: Store) -> None:
    store.people.add(Annotator("lea", Role.LEAD, "team"), [])
    changed = change(store, "lea", Wanted(Role.LEAD, "team"))
    assert (changed.lines, changed.role, changed.leads) == ((), None, 1)

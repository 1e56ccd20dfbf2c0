"""People: keys that name one person each, and what pausing and retiring does to their pairs."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Conflict, NotAdmitted
from core.records import Annotator, Role, Seen
from core.ssh_keys import SshKey, read_keys
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

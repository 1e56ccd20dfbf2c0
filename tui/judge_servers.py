"""The servers of a study's judges: clients for them, and what a check finds kept beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import StudyUnavailable, TiebreakError
from core.records import Judge
from db.endpoints import Endpoint
from db.store import Store
from judges.client import ChatClient
from judges.endpoints import EndpointPool
from judges.models import make_client
from judges.probing import OnWait, probe
from judges.structured import disbelieved

LOOK_EVERY = 1.0
"""Seconds between two looks at whether servers were added or removed."""


class Checked(NamedTuple):
    """What a check of one server came to: what was found, or why nothing was."""

    address: str
    found: Mapping[str, Any]
    error: TiebreakError | None = None


def clients_of(
    study: Path,
    record: Judge,
    on_note: Callable[[str], None] | None = None,
    *,
    without: Collection[str] = (),
) -> dict[str, ChatClient]:
    """A client for each of a judge's servers, by address; none for a judge that asks nobody.

    Args:
        on_note: told, in a line, of a server that does otherwise than was found of it. What
            was found is then mended, so that the next run knows.
        without: addresses that none is made for.
    """
    with Store(study) as store:
        servers = [one for one in store.endpoints.of(record.name) if one.address not in without]
    return {
        one.address: make_client(
            record,
            one.address,
            found=one.found,
            on_note=partial(_mend, study, record.name, one, on_note),
        )
        for one in servers
    }


async def follow_servers(
    study: Path, record: Judge, pool: EndpointPool, on_note: Callable[[str], None] | None = None
) -> None:
    """Let a pool ask wherever a judge is to be asked now, until this is cancelled.

    What a new check found of a server is gone by, too.

    Args:
        on_note: as for :func:`clients_of`; told of servers that come and go, or that can do
            otherwise than before, too.
    """

    def look() -> tuple[set[str], dict[str, ChatClient], dict[str, Mapping[str, Any]]]:
        known = {one.address for one in pool.endpoints}
        try:
            with Store(study, reading=True) as store:
                found = {one.address: one.found for one in store.endpoints.of(record.name)}
            new = clients_of(study, record, on_note, without=known) if found.keys() - known else {}
        except StudyUnavailable:
            return set(), {}, {}  # whoever writes verdicts down says so
        return known - found.keys(), new, found

    while True:
        await asyncio.sleep(LOOK_EVERY)
        gone, new, found = await asyncio.to_thread(look)
        for client in [one.client for one in pool.endpoints]:
            if isinstance(client, ChatClient):
                _take_in(client, found.get(client.base_url), on_note)
        if on_note is not None:
            for address in (*new, *gone):
                on_note(f"{address} {'takes part' if address in new else 'gets no more calls'}")
        await pool.change(new, gone)


def _take_in(
    client: ChatClient, found: Mapping[str, Any] | None, on_note: Callable[[str], None] | None
) -> None:
    """Let a client go by what a check found since; what it stored itself tells it nothing new."""
    if found is None or found == client.found:
        return
    before = client.support
    client.learn(found)
    if client.support != before and on_note is not None:
        on_note(f"{client.base_url} was checked anew: its calls go by what was found")


def _mend(
    study: Path, judge: str, one: Endpoint, on_note: Callable[[str], None] | None, words: str
) -> None:
    try:
        with Store(study) as store:
            now = {each.address: each.found for each in store.endpoints.of(judge)}
            found = disbelieved(now.get(one.address, one.found), words)
            store.endpoints.keep_found(judge, one.address, found)
    except StudyUnavailable as error:
        words = f"{words} (not kept: {error.message})"
    if on_note is not None:
        on_note(words)


def check(record: Judge, addresses: Sequence[str], on_wait: OnWait | None = None) -> list[Checked]:
    """Check servers, all at once.

    Args:
        on_wait: told when one asks for a pause, for how many seconds, and why.
    """

    async def one(address: str) -> Checked:
        try:
            return Checked(address, await probe(record, address, on_wait=on_wait))
        except TiebreakError as error:
            return Checked(address, {}, error)

    async def each() -> list[Checked]:
        return list(await asyncio.gather(*map(one, addresses)))

    return asyncio.run(each())

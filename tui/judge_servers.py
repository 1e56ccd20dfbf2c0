"""The servers of a study's judges: clients for them, and what a check finds kept beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import StudyUnavailable, TiebreakError
from core.records import Judge
from db.endpoints import Endpoint
from db.store import Store
from judges.client import ChatClient
from judges.models import make_client
from judges.probing import probe
from judges.structured import disbelieved


class Checked(NamedTuple):
    """What a check of one server came to: what was found, or why nothing was."""

    address: str
    found: Mapping[str, Any]
    error: TiebreakError | None = None


def clients_of(
    study: Path, record: Judge, on_note: Callable[[str], None] | None = None
) -> dict[str, ChatClient]:
    """A client for each of a judge's servers, by address; none for a judge that asks nobody.

    Args:
        on_note: told, in a line, of a server that does otherwise than was found of it. What
            was found is then mended, so that the next run knows.
    """
    with Store(study) as store:
        servers = store.endpoints.of(record.name)
    return {
        one.address: make_client(
            record,
            one.address,
            found=one.found,
            on_note=partial(_mend, study, record.name, one, on_note),
        )
        for one in servers
    }


def _mend(
    study: Path, judge: str, one: Endpoint, on_note: Callable[[str], None] | None, words: str
) -> None:
    try:
        with Store(study) as store:
            store.endpoints.keep_found(judge, one.address, disbelieved(one.found, words))
    except StudyUnavailable as error:
        words = f"{words} (not kept: {error.message})"
    if on_note is not None:
        on_note(words)


def check(record: Judge, addresses: Sequence[str]) -> list[Checked]:
    """Check servers, all at once."""

    async def one(address: str) -> Checked:
        try:
            return Checked(address, await probe(record, address))
        except TiebreakError as error:
            return Checked(address, {}, error)

    async def each() -> list[Checked]:
        return list(await asyncio.gather(*map(one, addresses)))

    return asyncio.run(each())

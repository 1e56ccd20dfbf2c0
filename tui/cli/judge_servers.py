"""The commands about judges' servers: check them, add and remove them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from core.errors import TiebreakError
from core.text import many, one_line
from tui.cli import Settings, example, say
from tui.cli.data import as_json, show_json

if TYPE_CHECKING:
    from core.records import Judge
    from db.endpoints import Endpoint

no_check = click.option("--no-check", is_flag=True, help="Add it without asking the server.")


def found_at(record: Judge, address: str = "") -> Mapping[str, Any] | None:
    """What a check finds of a judge's server; None for a judge that has none.

    Raises:
        TiebreakError: the server cannot be used.
    """
    if not record.endpoint:
        return None
    from tui.judge_servers import check

    (checked,) = check(record, [address or record.endpoint], _waits)
    if checked.error is not None:
        raise checked.error
    return checked.found


def _waits(seconds: float, why: str) -> None:
    say(f"  waits {seconds:.1f} s: {one_line(why, 200)}")


def show_found(found: Mapping[str, Any] | None) -> None:
    """Say what was found, each thing on a line."""
    from judges.probing import described

    for line in described(found) if found else ():
        say(f"  {one_line(line, 300)}")


def _with_servers(judge: Judge, servers: list[Endpoint]) -> list[Endpoint]:
    if not servers:
        raise TiebreakError(
            f"the judge {judge.name!r} has no server to check", "it gives its verdicts by itself"
        )
    return servers


@click.command("check", epilog=example("tiebreak --db study.db judge check local"))
@click.argument("name")
@as_json
@click.pass_obj
def judge_check(settings: Settings, name: str, as_json: bool) -> None:
    """Ask a judge's servers what they can do, and keep what was found.

    A few calls of some tokens go to each: the models it lists, its context, how it can be held
    to allowed answers, log-probabilities, where reasoning comes. Verdicts are enforced from
    then on where the server can.
    """
    from db.store import Store
    from tui.judge_servers import check

    with Store(settings.study()) as store:
        record = store.judging.judge(name)
        servers = _with_servers(record, store.endpoints.of(name))
        done = check(record, [one.address for one in servers], _waits)
        for one in done:
            if one.error is None:
                store.endpoints.keep_found(name, one.address, one.found)
    if as_json:
        show_json(
            [
                {
                    "address": one.address,
                    "found": dict(one.found) or None,
                    "error": one.error.message if one.error else None,
                }
                for one in done
            ]
        )
    for one in done if not as_json else ():
        say(one.address)
        show_found(one.found)
        if one.error is not None:
            say(f"  {one_line(one.error.message, 300)}")
    if failed := [one.error for one in done if one.error is not None]:
        count = many(len(servers), "server")
        raise TiebreakError(
            f"{len(failed)} of {count} of the judge {name!r} cannot be used", failed[0].hint
        )


@click.group("endpoint", epilog=example("tiebreak --db study.db judge endpoint list local"))
def judge_endpoint() -> None:
    """Add and remove the servers of a judge; all of them share its work.

    Each serves the same model: verdicts do not depend on where they come from, but each keeps
    the address that gave it.
    """


@judge_endpoint.command(
    "add",
    epilog=example("tiebreak --db study.db judge endpoint add local http://127.0.0.1:8001/v1"),
)
@click.argument("name")
@click.argument("address", metavar="URL")
@no_check
@click.pass_obj
def endpoint_add(settings: Settings, name: str, address: str, no_check: bool) -> None:
    """Let a judge be asked at one more address, in runs that are on too."""
    from db.store import Store
    from judges.client import check_address

    check_address(address)
    with Store(settings.study()) as store:
        record = store.judging.judge(name)
        is_known = any(one.address == address for one in store.endpoints.of(name))
        found = None if is_known or no_check else found_at(record, address)
        is_new = store.endpoints.add(name, address)
        if found is not None:
            store.endpoints.keep_found(name, address, found)
        count = len(store.endpoints.of(name))
    if not is_new:
        say(f"judge {name!r} is asked at {address} already")
        return
    say(f"judge {name!r} is asked at {address} too: {many(count, 'server')}")
    show_found(found)


@judge_endpoint.command(
    "remove",
    epilog=example("tiebreak --db study.db judge endpoint remove local http://127.0.0.1:8001/v1"),
)
@click.argument("name")
@click.argument("address", metavar="URL")
@click.pass_obj
def endpoint_remove(settings: Settings, name: str, address: str) -> None:
    """Ask a judge no longer at an address. Runs that are on begin no more calls there."""
    from db.store import Store

    with Store(settings.study()) as store:
        store.endpoints.remove(name, address)
        count = len(store.endpoints.of(name))
    say(f"judge {name!r} is no longer asked at {address}: {many(count, 'server')} left")


@judge_endpoint.command(
    "list", epilog=example("tiebreak --db study.db judge endpoint list local --json")
)
@click.argument("name")
@as_json
@click.pass_obj
def endpoint_list(settings: Settings, name: str, as_json: bool) -> None:
    """A judge's servers, and what the last check found of each."""
    from db.store import Store
    from judges.probing import described

    with Store(settings.study(), reading=True) as store:
        servers = store.endpoints.of(name)
    if as_json:
        show_json(
            [
                {
                    "address": one.address,
                    "added_at": one.added_at,
                    "found": dict(one.found) or None,
                    "checked_at": one.checked_at or None,
                }
                for one in servers
            ]
        )
        return
    for one in servers:
        click.echo(one_line(one.address, 300))
        for line in described(one.found) if one.found else ["not checked: judge check " + name]:
            click.echo(one_line(f"  {line}", 300))

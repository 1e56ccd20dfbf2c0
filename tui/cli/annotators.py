"""The annotator commands: who may log in with which key, and who is paused or retired."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.errors import BadInput, Where
from core.records import Annotator, Role
from core.ssh_keys import LARGEST_FILE, SshKey, checked_fingerprint, read_keys
from core.text import many, one_line
from tui.cli import Settings, as_name, example, say
from tui.cli.data import as_json as json_option
from tui.cli.data import show_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db.changing import Changed
    from db.people import Person

_file = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_name = click.argument("name", callback=as_name)


@click.group(
    "annotator",
    epilog=example("tiebreak --db study.db annotator add ann --key ann.pub"),
)
def annotator_command() -> None:
    """Add people with their SSH keys; change, pause, resume, retire them; reassign their pairs."""


@annotator_command.command(
    "add",
    epilog=example(
        "tiebreak --db study.db annotator add ann --key ann.pub --group expert",
        "tiebreak --db study.db annotator add lea --key - --role lead < lea.pub",
    ),
)
@_name
@click.option("--key", "files", type=_file, multiple=True, metavar="FILE", help="Public keys.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.ANNOTATOR.value,
    show_default=True,
    help="What a login with the key opens: the voting screen, or the lead's.",
)
@click.option(
    "--group", callback=as_name, help="A group, as statistics and exclude_groups know it."
)
@click.option(
    "--attribute", "attributes", multiple=True, metavar="KEY=VALUE", help="Whatever you define."
)
@click.pass_obj
def annotator_add(
    settings: Settings,
    name: str,
    files: tuple[Path, ...],
    role: str,
    group: str | None,
    attributes: tuple[str, ...],
) -> None:
    """Add a person. Adding the same person again adds only keys that are new."""
    from db.store import Store

    person = Annotator(name, Role(role), group or "", attributes=_attributes(attributes))
    keys = [key for file in files for key in keys_of(file)]
    with Store(settings.study()) as store:
        is_new, count = store.people.add(person, keys)
    say(f"{one_line(name, 60)}: {'added' if is_new else 'known'} as {role}, {_new(count)}")
    if count:
        say("  next: tiebreak ssh authorized-keys")


def _attributes(said: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in said:
        key, equals, value = one.partition("=")
        if not (equals and key.strip() and key.isprintable() and value.isprintable()):
            raise click.UsageError(f"--attribute takes KEY=VALUE, not {one_line(one, 60)!r}")
        if key in found:
            raise click.UsageError(f"--attribute names {one_line(key, 60)!r} twice")
        found[key] = value
    return found


def keys_of(file: Path) -> list[SshKey]:
    """The public keys of a file, or of standard input for ``-``.

    Raises:
        BadInput: if it holds anything else.
    """
    if str(file) == "-":
        return read_keys(sys.stdin.buffer.read(LARGEST_FILE + 1), "standard input")
    with file.open("rb") as stream:
        return read_keys(stream.read(LARGEST_FILE + 1), str(file))


def _new(count: int) -> str:
    return f"{many(count, 'new key')}" if count else "no new key"


@annotator_command.command(
    "add-key", epilog=example("tiebreak --db study.db annotator add-key ann laptop.pub")
)
@_name
@click.argument("file", type=_file)
@click.pass_obj
def annotator_add_key(settings: Settings, name: str, file: Path) -> None:
    """Give a person further keys. A FILE of - is standard input."""
    from db.store import Store

    keys = keys_of(file)
    with Store(settings.study()) as store:
        count = store.people.add_keys(name, keys)
    say(f"{one_line(name, 60)}: {_new(count)}")


@annotator_command.command(
    "remove-key", epilog=example("tiebreak --db study.db annotator remove-key ann SHA256:…")
)
@_name
@click.argument("fingerprint")
@click.pass_obj
def annotator_remove_key(settings: Settings, name: str, fingerprint: str) -> None:
    """Let a key open nothing any more. What was voted with it stays as it is."""
    from db.store import Store

    fingerprint = checked_fingerprint(fingerprint)
    with Store(settings.study()) as store:
        store.people.remove_key(name, fingerprint)
    say(f"{one_line(name, 60)}: {fingerprint} opens nothing any more")


@annotator_command.command(
    "change",
    epilog=example(
        "tiebreak --db study.db annotator change ann --group crowd --attribute language=fr",
        "tiebreak --db study.db annotator change ann --role lead --no-group --no-attribute city",
    ),
)
@_name
@click.option("--role", type=click.Choice([role.value for role in Role]), help="The new role.")
@click.option("--group", callback=as_name, help="The new group.")
@click.option("--no-group", "ungroups", is_flag=True, help="Take the group away.")
@click.option(
    "--attribute", "attributes", multiple=True, metavar="KEY=VALUE", help="Set an attribute."
)
@click.option("--no-attribute", "without", multiple=True, metavar="KEY", help="Take one away.")
@click.pass_obj
def annotator_change(
    settings: Settings,
    name: str,
    role: str | None,
    group: str | None,
    ungroups: bool,
    attributes: tuple[str, ...],
    without: tuple[str, ...],
) -> None:
    """Change a person's role, group or attributes. Their votes, keys and pairs stay theirs."""
    from db.changing import Wanted, change
    from db.store import Store

    if ungroups and group is not None:
        raise click.UsageError("--group and --no-group contradict each other")
    wanted = Wanted(
        Role(role) if role else None, "" if ungroups else group, _attributes(attributes), without
    )
    if wanted == Wanted():
        raise click.UsageError("say what to change: --role, --group, --attribute, --no-attribute")
    with Store(settings.study()) as store:
        changed = change(store, name, wanted)
    if not changed.lines:
        say(f"{one_line(name, 60)}: nothing to change")
    for line in changed.lines:
        say(f"{one_line(name, 60)}: {line}")
    for line in _consequences(changed):
        say(f"  {line}")


def _consequences(changed: Changed) -> Iterator[str]:
    """What else a lead should know of a change."""
    if changed.regrouped and changed.votes:
        yield "their votes stay, and statistics count them with the new group from now on"
    if changed.role is Role.LEAD:
        yield "their next login opens the lead's screen"
    elif changed.role is not None:
        yield "a lead's screen of theirs that is open ends within seconds"
        if not changed.leads:
            yield "nobody is lead now; to make one: tiebreak annotator change NAME --role lead"


@annotator_command.command(
    "settings", epilog=example("tiebreak --db study.db annotator settings ann ann.toml")
)
@_name
@click.argument("file", type=_file, required=False)
@click.option("--none", "forgets", is_flag=True, help="Forget what was kept.")
@click.pass_obj
def annotator_settings(settings: Settings, name: str, file: Path | None, forgets: bool) -> None:
    """Keep a settings file's theme, layout and keys for a person's logins over SSH.

    A FILE of - is standard input.
    """
    from db.preferring import prefer
    from db.store import Store
    from tui.preferences import parsed

    if (file is None) != forgets:
        raise click.UsageError("give a FILE, or --none")
    chosen = {} if file is None else parsed(_text_of(file), str(file))
    with Store(settings.study()) as store:
        prefer(store, name, chosen)
    kept = ", ".join(one_line(key, 40) for key in chosen) or "nothing"
    say(f"{one_line(name, 60)}: {kept} kept; in effect from the next login on")


def _text_of(file: Path) -> str:
    """A small text file, or standard input for ``-``.

    Raises:
        BadInput: if it is no text, or not small.
    """
    if str(file) == "-":
        raw = sys.stdin.buffer.read(LARGEST_FILE + 1)
    else:
        with file.open("rb") as stream:
            raw = stream.read(LARGEST_FILE + 1)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(Where(str(file)), "", "is no text in UTF-8", "save it as UTF-8") from error
    if len(raw) > LARGEST_FILE:
        raise BadInput(Where(str(file)), "", f"has more than {LARGEST_FILE:,} bytes", "shorten it")
    return text


@annotator_command.command("pause", epilog=example("tiebreak --db study.db annotator pause ann"))
@_name
@click.pass_obj
def annotator_pause(settings: Settings, name: str) -> None:
    """Let a person have no pairs until they are resumed. An open screen of theirs ends."""
    from db.store import Store

    with Store(settings.study()) as store:
        store.people.pause(name)
    say(f"{one_line(name, 60)}: paused")


@annotator_command.command("resume", epilog=example("tiebreak --db study.db annotator resume ann"))
@_name
@click.pass_obj
def annotator_resume(settings: Settings, name: str) -> None:
    """Let a paused or retired person vote again."""
    from db.store import Store

    with Store(settings.study()) as store:
        store.people.resume(name)
    say(f"{one_line(name, 60)}: may vote")


@annotator_command.command("retire", epilog=example("tiebreak --db study.db annotator retire ann"))
@_name
@click.pass_obj
def annotator_retire(settings: Settings, name: str) -> None:
    """Let a person go: their votes stay and are marked, their open pairs go to others."""
    from db.store import Store

    with Store(settings.study()) as store:
        freed = store.people.retire(name)
    say(f"{one_line(name, 60)}: retired, {many(freed, 'open pair')} given back")


@annotator_command.command(
    "reassign", epilog=example("tiebreak --db study.db annotator reassign ann")
)
@_name
@click.pass_obj
def annotator_reassign(settings: Settings, name: str) -> None:
    """Give a person's open pairs to others at once. What they type or vote on is still kept."""
    from db.store import Store

    with Store(settings.study()) as store:
        freed = store.people.reassign(name)
    say(f"{one_line(name, 60)}: {many(freed, 'open pair')} given back")


@annotator_command.command("list", epilog=example("tiebreak --db study.db annotator list --json"))
@json_option
@click.pass_obj
def annotator_list(settings: Settings, as_json: bool) -> None:
    """Everybody: role, group, state, votes that stand, keys."""
    from db.store import Store

    with Store(settings.study()) as store:
        people = store.people.listed()
    if as_json:
        show_json([_as_json(person) for person in people])
        return
    for person in people:
        state = person.state + (", simulated" if person.simulated else "")
        click.echo(
            f"{one_line(person.name, 24):24}{person.role.value:11}"
            f"{one_line(person.group, 15):16}{state:20}{many(person.votes, 'vote'):>12}"
        )
        for key in person.keys:
            click.echo(f"    {key.fingerprint}  {key.type}  {one_line(key.comment, 60)}".rstrip())


def _as_json(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "role": person.role,
        "group": person.group,
        "simulated": person.simulated,
        "attributes": dict(person.attributes),
        "state": person.state,
        "added_at": person.added_at,
        "paused_at": person.paused_at,
        "retired_at": person.retired_at,
        "votes": person.votes,
        "last_vote_at": person.last_vote_at or None,
        "keys": [
            {"fingerprint": key.fingerprint, "type": key.type, "comment": key.comment}
            for key in person.keys
        ],
    }

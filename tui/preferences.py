"""What one person prefers: theme, layout and keys.

Default < settings file < environment < flag. A value that cannot be taken leaves the one before
it in place and is told in a :class:`Notice`; nothing here stops anybody from working.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import TiebreakError
from tui.actions import key_name
from tui.keymap import (
    DEFAULT_LAYOUT,
    FIXED,
    LAYOUTS,
    Keymap,
    key_of,
    known_actions,
    make_keymap,
)

THEMES = ("dark", "light", "ansi")
FILE = "settings.toml"
STORED = "your preferences"
"""What notices call preferences that did not come from a file."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A preference that was not taken.

    Attributes:
        where: the file, variable or flag, and what in it.
        what: what is wrong with it.
        mend: what to do about it; a sentence without its full stop.
    """

    where: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.mend}."


@dataclass(frozen=True, slots=True)
class Preferences:
    """What is in effect.

    Attributes:
        sources: where the theme and the layout come from.
    """

    theme: str = THEMES[0]
    layout: str = DEFAULT_LAYOUT
    keymap: Keymap = field(default_factory=lambda: make_keymap()[0])
    notices: tuple[Notice, ...] = ()
    sources: Mapping[str, str] = field(
        default_factory=lambda: {"theme": "default", "layout": "default"}
    )


def default_file() -> Path:
    """Where the settings file is looked for when none is named."""
    from platformdirs import user_config_path

    return user_config_path("tiebreak") / FILE


def load(
    file: Path | None = None,
    *,
    stored: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    theme: str | None = None,
) -> Preferences:
    """The preferences in effect.

    Args:
        file: the settings file; TIEBREAK_SETTINGS or the usual place otherwise.
        stored: what a settings file would hold, for those who have no files here; none is
            read then.
        environ: the environment; the process's own if not given.
        theme: the theme named on the command line.
    """
    environ = os.environ if environ is None else environ
    notices: list[Notice] = []
    if stored is not None:
        held, place = stored, STORED
    else:
        held, place = _read(file, environ, notices)
    for name in held:
        if name not in ("theme", "layout", "keys"):
            mend = "there are theme, layout and [keys]"
            notices.append(Notice(place, f"{name!r} is no setting", mend))
    sources: dict[str, str] = {}

    def choose(name: str, allowed: Sequence[str], offered: Iterable[tuple[str, Any]]) -> str:
        value, sources[name] = allowed[0], "default"
        for source, wanted in offered:
            if wanted is None or wanted == "":
                continue
            if wanted in allowed:
                value, sources[name] = wanted, source
            else:
                mend = f"takes {', '.join(allowed)}; it is {value} now"
                notices.append(Notice(source, f"no {name} is called {wanted!r:.40}", mend))
        return value

    themes = [
        (place, held.get("theme")),
        ("TIEBREAK_THEME", environ.get("TIEBREAK_THEME")),
        ("--theme", theme),
    ]
    layouts = [
        (place, held.get("layout")),
        ("TIEBREAK_LAYOUT", environ.get("TIEBREAK_LAYOUT")),
    ]
    chosen_theme = choose("theme", THEMES, themes)
    layout = choose("layout", tuple(LAYOUTS), layouts)
    chosen = _chosen_keys(held.get("keys", {}), place, make_keymap(layout)[0], notices)
    keymap, refused = make_keymap(layout, chosen, place)
    for one in refused:
        mend = f"{one.mend}; {_stays(keymap, one.action)}"
        notices.append(Notice(f"{place}, [keys] {one.action}", one.why, mend))
    return Preferences(chosen_theme, layout, keymap, tuple(notices), sources)


def parsed(text: str, place: str) -> dict[str, Any]:
    """What a settings file holds, if all of it can be taken.

    Args:
        place: what refusals call the file.

    Raises:
        TiebreakError: with the first thing that cannot.
    """
    import tomllib

    try:
        held = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise TiebreakError(
            f"{place}: cannot be read as TOML: {error}",
            "`tiebreak keys --example` prints one that can",
        ) from error
    for notice in load(stored=held, environ={}).notices:
        raise TiebreakError(f"{notice.where.replace(STORED, place)}: {notice.what}", notice.mend)
    return held


def _read(
    file: Path | None, environ: Mapping[str, str], notices: list[Notice]
) -> tuple[Mapping[str, Any], str]:
    """What the settings file holds, and what notices call it."""
    named = file or (Path(said) if (said := environ.get("TIEBREAK_SETTINGS")) else None)
    path = named or default_file()
    place = str(named) if named else FILE
    try:
        with path.open("rb") as stream:
            import tomllib

            return tomllib.load(stream), place
    except FileNotFoundError:
        if named is not None:
            notices.append(Notice(place, "there is no such file", "look at its path"))
    except OSError as error:
        notices.append(Notice(place, error.strerror or str(error), "look at its rights"))
    except (ValueError, RecursionError) as error:
        mend = "`tiebreak keys --example` prints one that can"
        notices.append(Notice(place, f"cannot be read as TOML: {error}", mend))
    return {}, place


def _stays(keymap: Keymap, action: str) -> str:
    return f"it stays on {' '.join(key_name(key) for key in keymap.bound[action].keys)}"


def _chosen_keys(
    held: object, place: str, without: Keymap, notices: list[Notice]
) -> dict[str, tuple[str, ...]]:
    """The choices of the ``[keys]`` table that name known actions and known keys.

    Args:
        without: the keys in effect where a choice is not taken.
    """
    if not isinstance(held, Mapping):
        notices.append(Notice(f"{place}, keys", "is no table", "write [keys] above its lines"))
        return {}
    known = known_actions()
    chosen: dict[str, tuple[str, ...]] = {}
    for action, keys in _flat(held):
        where = f"{place}, [keys] {action}"
        if action not in known:
            close = difflib.get_close_matches(action, known, 1)
            mend = f"is {close[0]} meant? " if close else ""
            notices.append(Notice(where, "no such action", f"{mend}`tiebreak keys` lists them all"))
        elif action in FIXED:
            notices.append(Notice(where, "Ctrl+Q always quits", "take the line out"))
        else:
            try:
                chosen[action] = _keys(keys)
            except ValueError as problem:
                mend = f"take another; {_stays(without, action)}"
                notices.append(Notice(where, str(problem), mend))
    return chosen


def _flat(held: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Each line of ``[keys]``: TOML reads ``vote.a = …`` without quotes as a table in a table."""
    for name, value in held.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{last}", keys) for last, keys in value.items())
        else:
            yield name, value


def _keys(value: object) -> tuple[str, ...]:
    """Key names from one key or a list of keys.

    Raises:
        ValueError: with the reason.
    """
    written = [value] if isinstance(value, str) else value
    if not isinstance(written, list) or not written:
        raise ValueError("takes a key or a list of keys")
    names = []
    for one in written:
        if not isinstance(one, str):
            raise ValueError("takes keys in quotes")
        try:
            names.append(key_of(one))
        except ValueError as problem:
            raise ValueError(f"{one!r:.30}: {problem}") from problem
    return tuple(dict.fromkeys(names))


def example() -> str:
    """A settings file that changes nothing, every line of it explained."""
    width = 34
    lines = [
        "# Tiebreak's settings. Take away the # before what you want to change.",
        "",
        f"# {', '.join(THEMES[:-1])} or {THEMES[-1]} (16 colours, for slow links)",
        f'# theme = "{THEMES[0]}"',
        "",
        f"# {' or '.join(LAYOUTS)}: where the keys begin; [keys] moves single ones from there",
        f'# layout = "{DEFAULT_LAYOUT}"',
        "",
        "# One key or a list; the first is the one that the screen shows. A key is the character",
        "# that it writes, a name (space, tab, escape, enter, up, pagedown, home, f1 …) or",
        '# "ctrl+" with a letter.',
        "# [keys]",
    ]
    for action in known_actions().values():
        if action.id not in FIXED:
            keys = ", ".join(f'"{_written(key)}"' for key in action.keys)
            value = f"# {action.id} = " + (f"[{keys}]" if len(action.keys) > 1 else keys)
            lines.append(f"{value:{width}}  # {action.help}")
    return "\n".join(lines)


def _written(key: str) -> str:
    """A key as a settings file says it."""
    written = key_name(key)
    return written if len(written) == 1 and written.isascii() else key

"""Settings: what is taken from where, what is refused and told, and never a crash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual._xterm_parser import XTermParser
from textual.events import Key

from tui.actions import TABLES, key_name
from tui.keymap import FIXED, LAYOUTS, key_of, known_actions, make_keymap
from tui.preferences import Preferences, example, load


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, "utf-8")
    return path


def taken(text: str, folder: Path, **environ: str) -> Preferences:
    return load(written(folder, text), environ=environ)


def keys(preferences: Preferences, action: str) -> tuple[str, ...]:
    return preferences.keymap.bound[action].keys


def told(preferences: Preferences) -> str:
    return "\n".join(map(str, preferences.notices))


# ── order and origin ────────────────────────────────────────────────────────


def test_default_then_file_then_environment_then_flag(tmp_path: Path) -> None:
    nothing = load(environ={"TIEBREAK_SETTINGS": str(written(tmp_path, ""))})
    assert (nothing.theme, nothing.sources["theme"]) == ("dark", "default")
    path = written(tmp_path, 'theme = "light"\nlayout = "left-hand"')
    from_file = load(path, environ={})
    assert (from_file.theme, from_file.layout) == ("light", "left-hand")
    assert from_file.sources == {"theme": str(path), "layout": str(path)}
    environ = {"TIEBREAK_THEME": "ansi", "TIEBREAK_LAYOUT": "default"}
    from_environment = load(path, environ=environ)
    assert (from_environment.theme, from_environment.layout) == ("ansi", "default")
    assert from_environment.sources["theme"] == "TIEBREAK_THEME"
    flagged = load(path, environ=environ, theme="dark")
    assert (flagged.theme, flagged.sources["theme"]) == ("dark", "--theme")
    for preferences in (nothing, from_file, from_environment, flagged):
        assert preferences.notices == ()


def test_the_usual_place_is_read_and_may_hold_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load(environ={}).notices == ()
    (tmp_path / "tiebreak").mkdir()
    written(tmp_path / "tiebreak", 'theme = "light"')
    assert load(environ={}).theme == "light"


def test_stored_preferences_stand_in_for_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "tiebreak").mkdir()
    written(tmp_path / "tiebreak", 'theme = "light"')
    stored = {"layout": "left-hand", "keys": {"vote.a": "y"}}
    found = load(stored=stored, environ={})
    assert (found.theme, keys(found, "vote.a"), keys(found, "vote.b")) == ("dark", ("y",), ("w",))


# ── what cannot be taken ────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('theme = "blue"', ["no theme is called 'blue'", "dark, light, ansi"]),
        ("theme = 3", ["no theme is called 3"]),
        ("theme = [[1]]", ["no theme is called [[1]]"]),
        ('layout = "dvorak"', ["no layout is called 'dvorak'", "default, left-hand"]),
        ('colour = "red"', ["'colour' is no setting"]),
        ('keys = "a"', ["is no table", "[keys]"]),
        ("theme = dark", ["cannot be read as TOML", "line 1"]),
        ("[" * 3000, ["cannot be read as TOML"]),
        ('[keys]\nvote.a = "ctrl+m"', ["vote.a", "cannot tell it from Enter", "stays on 1 a"]),
        ('[keys]\nvote.a = "Ctrl+I"', ["cannot tell it from Tab"]),
        ('[keys]\nvote.a = "ctrl+h"', ["cannot tell it from Backspace"]),
        ('[keys]\nvote.a = "shift+enter"', ["no key that every terminal sends"]),
        ('[keys]\nvote.a = "voice"', ["no key that every terminal sends"]),
        ('[keys]\nvote.a = "f3"', ["belong to the screens"]),
        ('[keys]\nvote.a = "ctrl+q"', ["always quits"]),
        ('[keys]\nquit = "Q"', ["Ctrl+Q always quits"]),
        ("[keys]\nvote.a = []", ["takes a key or a list"]),
        ("[keys]\nvote.a = [1]", ["keys in quotes"]),
        ("[keys]\nread.a.b.c = 1", ["read.a: no such action"]),
        ('[keys]\nvote.tied = "y"', ["no such action", "vote.tie"]),
        ('[keys]\nvote.a = "n"', ["'n' is pair.note's key too", "move pair.note as well"]),
        ('[keys]\nvote.a = "y"\nvote.b = "y"', ["'y' is vote.b's", "'y' is vote.a's"]),
        ('layout = "left-hand"\n[keys]\nvote.a = "ctrl+m"', ["stays on q"]),
    ],
)
def test_a_bad_value_is_told_and_changes_nothing(
    tmp_path: Path, text: str, wanted: list[str]
) -> None:
    found = taken(text, tmp_path)
    for words in wanted:
        assert words in told(found)
    assert str(tmp_path / "settings.toml") in told(found)
    without = make_keymap(found.layout)[0].bound
    assert {id: one.keys for id, one in found.keymap.bound.items()} == {
        id: one.keys for id, one in without.items()
    }
    assert found.theme == "dark"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00", b"a = 'x' \x1b[31m"])
def test_bytes_that_are_no_settings_are_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    assert "cannot be read as TOML" in told(load(path, environ={}))


def test_a_file_that_is_not_there_or_is_no_file_is_told(tmp_path: Path) -> None:
    missing = load(environ={"TIEBREAK_SETTINGS": str(tmp_path / "none.toml")})
    assert "no such file" in told(missing)
    assert "directory" in told(load(tmp_path, environ={}))


def test_a_bad_environment_leaves_the_file_in_place(tmp_path: Path) -> None:
    found = taken('theme = "light"', tmp_path, TIEBREAK_THEME="neon")
    assert found.theme == "light"
    assert "TIEBREAK_THEME: no theme is called 'neon'" in told(found)
    assert "it is light now" in told(found)


# ── clashes ─────────────────────────────────────────────────────────────────


def test_a_key_may_be_taken_from_an_action_that_moves_away(tmp_path: Path) -> None:
    found = taken('[keys]\nvote.a = "n"\npair.note = ["o", "1"]', tmp_path)
    assert found.notices == ()
    assert keys(found, "vote.a") == ("n",)
    assert keys(found, "pair.note") == ("o", "1")


def test_who_falls_back_takes_their_key_back(tmp_path: Path) -> None:
    """vote.a stays on 1 because n is taken, so vote.b cannot have 1 either."""
    found = taken('[keys]\nvote.a = "n"\nvote.b = "1"', tmp_path)
    assert keys(found, "vote.a") == ("1", "a")
    assert keys(found, "vote.b") == ("2", "b")
    assert len(found.notices) == 2


def test_screens_do_not_clash_with_each_other(tmp_path: Path) -> None:
    found = taken('[keys]\nback = "n"\nlead.next = "u"', tmp_path)
    assert found.notices == ()


action_ids = st.sampled_from([id for id in known_actions() if id not in FIXED])
some_keys = st.lists(st.sampled_from([*"123abnqwtxjz,?", "tab", "space"]), min_size=1, max_size=3)


@given(st.sampled_from(list(LAYOUTS)), st.dictionaries(action_ids, some_keys))
def test_no_key_ever_does_two_things_on_one_screen(
    layout: str, chosen: dict[str, list[str]]
) -> None:
    found = load(stored={"layout": layout, "keys": chosen}, environ={})
    for table in TABLES.values():
        used = [key for action in found.keymap.table(table) for key in action.keys]
        assert len(used) == len(set(used))
    refused = {str(n).split("[keys] ")[1].split(":")[0] for n in found.notices}
    for action, wanted in chosen.items():
        is_taken = found.keymap.bound[action].source == "your preferences"
        assert is_taken != (action in refused)
        if is_taken:
            assert set(keys(found, action)) == {key_of(key) for key in wanted}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_moves_known_actions_and_clashes_nowhere(layout: str) -> None:
    assert LAYOUTS[layout].keys() <= known_actions().keys() - FIXED
    bound = make_keymap(layout)[0].bound
    for table in TABLES.values():
        used = [key for action in table for key in bound[action.id].keys]
        assert len(used) == len(set(used))


def test_the_left_hand_reaches_every_first_key_without_arrows() -> None:
    named = {"tab", "space", "escape", "f1", "ctrl+q", "shift+tab"}
    reach = {*"1234567qwertasdfgzxcvb", *"TASDFGZXCVB", *named}
    bound = make_keymap("left-hand")[0].bound
    assert {one.keys[0] for one in bound.values()} <= reach


def test_no_key_of_the_left_hand_votes_if_shift_is_missed() -> None:
    bound = make_keymap("left-hand")[0].bound
    votes = {key for id, one in bound.items() if id.startswith("vote.") for key in one.keys}
    shifted = {key for one in bound.values() for key in one.keys if key.isupper()}
    assert shifted
    assert not votes & {key.lower() for key in shifted}


def test_ids_are_stable_words_and_none_begins_another() -> None:
    ids = list(known_actions())
    assert all(re.fullmatch(r"[a-z]+(\.[a-z_]+)?", id) for id in ids)
    assert not [(a, b) for a in ids for b in ids if b.startswith(f"{a}.")]


# ── keys and the example ────────────────────────────────────────────────────

WRITABLE = "abzABZ019?/\\[],.;:!'\"`~@#$%^&*()-_=+{}|<>öß"


def test_a_character_is_called_what_the_terminal_layer_calls_it() -> None:
    pressed = [event.key for event in XTermParser().feed(WRITABLE) if isinstance(event, Key)]
    assert pressed == [key_of(character) for character in WRITABLE]
    assert [key_name(key) for key in pressed] == list(WRITABLE)


def test_the_example_changes_nothing_and_names_everything(tmp_path: Path) -> None:
    assert taken(example(), tmp_path).keymap.bound == make_keymap()[0].bound
    settings = [
        line[2:] for line in example().splitlines() if re.match(r"# (\[|[a-z._]+ = )", line)
    ]
    found = taken("\n".join(settings), tmp_path)
    assert found.notices == ()
    assert {id: one.keys for id, one in found.keymap.bound.items()} == {
        id: action.keys for id, action in known_actions().items()
    }
    moved = {id for id, one in found.keymap.bound.items() if one.source != "default"}
    assert moved == set(known_actions()) - FIXED

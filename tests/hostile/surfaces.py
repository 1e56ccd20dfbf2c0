"""Where foreign text is shown: the one list of surfaces that hostile text is proved on.

A new surface is a line here: how it is opened, whose text it shows, how it is left.
``ON_A_PAIR`` are those that an annotator reaches from a pair; ``tests/tui/test_hostile.py`` walks
them with every payload. What a command prints is in ``PRINTED``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.records import (
    Annotator,
    Answer,
    Choice,
    Judge,
    Pair,
    Question,
    Record,
    Setting,
    Verdict,
    VerdictStatus,
    Vote,
)
from core.text import one_line
from db.pairs import make
from db.store import Store
from tests.hostile.payloads import NAMES, SHORT, Payload, squeezed, stand_ins
from tests.studies import located

ANSWERS = ("ant", "bee")


@dataclass(frozen=True, slots=True)
class Surface:
    """A place on a screen where the texts of a pair are shown.

    Attributes:
        keys: open it from the pair.
        said: is on the screen once it is open.
        shows: whose texts: ``question``, ``ant`` and ``bee`` (the answers), ``one answer``
            (whichever it is), ``reference``, ``category``, ``typed`` (what was pasted).
        back: leaves it.
        after: is on the screen once it is left.
        gone: is on the screen no longer once it is left.
        cells: shows so much of the first payload, in one line; 0 shows all of each.
        types: whether the first payload is pasted into it.
        answers: begins what is said after a click on it; empty where a click does nothing.
        rows: where on the screen it is.
    """

    name: str
    keys: str = ""
    said: str = ""
    shows: tuple[str, ...] = ANSWERS
    back: str = ""
    after: str = ""
    gone: str = ""
    cells: int = 0
    types: bool = False
    answers: str = ""
    rows: tuple[int, int] = (1, -3)


_AIMS = "Scrolling: "
_NOTE = "Note on this pair"
_FOOT = (-3, -2)

ON_A_PAIR: Sequence[Surface] = (
    Surface("question", shows=("question",), answers=_AIMS),
    Surface("answers", answers=_AIMS),
    Surface("category", shows=("category",), cells=20, rows=(0, 1)),
    Surface(
        "raw source", "r", "The source, as it is.", ANSWERS, "r", "Rendered.",
        answers=_AIMS,
    ),
    Surface("zoomed on one", "z", "Shown: A.", ("one answer",), answers=_AIMS),
    Surface(
        "zoomed on the other", "z", "Shown: B.", ("one answer",), "z", "Shown: A and B.",
        answers=_AIMS,
    ),
    Surface("stacked", "y", "Layout: stacked.", answers=_AIMS),
    Surface(
        "one at a time", "y", "one at a time", ("one answer",), "y", "side by side.",
        answers=_AIMS,
    ),
    Surface("differences", "d", "nderlined, +", ANSWERS, "d", "no longer marked", answers=_AIMS),
    Surface(
        "matches", "/begin\r", "1 of 3", ANSWERS, "\x1b", "Back where you were.",
        answers=_AIMS,
    ),
    Surface("reference", "v", "Reference answer", ("reference",), "\x1b", "4 both bad"),
    Surface("find line", "/", "Enter finds it", ("typed",), types=True, rows=_FOOT),
    Surface("said line", "\r", "”:", ("typed",), "\x1b", "Back where", cells=40, rows=_FOOT),
    Surface("note", "n", _NOTE, ("typed",), "\x1b", gone=_NOTE, types=True),
    Surface("note, opened again", "n", _NOTE, ("typed",), "\x1b", gone=_NOTE),
    Surface("flag", "f", "Flagged to the lead.", (), "f", "No longer flagged."),
)  # fmt: skip


def text_of(holder: str, number: int, payloads: Sequence[Payload]) -> str:
    """What one holder's text says: each payload as a paragraph, between two words of its own."""
    inner = "\n\n".join(one.text for one in payloads)
    return f"{holder}{number} begin\n\n{inner}\n\n{holder}{number} end"


def pair_study(
    path: Path, batches: Sequence[Sequence[Payload]], guidelines: str, name: str
) -> Path:
    """A study with one pair for each batch of payloads, which all its texts hold."""
    records: list[Record] = [
        Setting("dwell_ms", 0),
        Setting("name", name),
        Setting("guidelines", guidelines),
    ]
    for number, batch in enumerate(batches):
        reference = text_of("reference", number, batch)
        question = f"Pair {number} of the matrix.\n\n{text_of('question', number, batch)}"
        category = batch[0].text
        records.append(Question(f"q{number}", (question,), category, (reference,)))
        records += [
            Answer(f"q{number}", model, (text_of(model, number, batch),)) for model in ANSWERS
        ]
    with Store(path, create=True) as store:
        store.ingest.take(located(records))
        make(store)
    return path


# ── what commands print ─────────────────────────────────────────────────────


def named_study(path: Path, payloads: Sequence[Payload] = NAMES, name: str = "") -> Path:
    """A study whose models, annotators, judges and categories are called by payloads."""
    names = [one.text for one in payloads if one.names]
    records: list[Record] = [Setting("name", name), Setting("guidelines", name)]
    for number in range(4):
        key = f"q{number}"
        records.append(Question(key, ("?",), names[number % len(names)]))
    records += [Question(f"k{n}", ("?",), text) for n, text in enumerate(names)]
    records += [Annotator(f"{text} ann") for text in names]
    records += [Judge(f"{text} judge", "imported", text, "http://e", text) for text in names]
    for number, text in enumerate(names):
        for question in (f"k{number}", f"q{number % 4}"):
            pair, is_swapped = Pair.of(question, f"{text} model", "zz the other")
            choice = Choice.MODEL_2 if is_swapped else Choice.MODEL_1
            for person in (f"{text} ann", f"{names[number - 1]} ann"):
                key = f"v{number}{question}{person}"
                records.append(Vote(key, pair, 1, person, choice, note=text))
            records += [
                Verdict(
                    f"w{number}{question}{left}", pair, 1, f"{text} judge", VerdictStatus.OK,
                    choice, left, raw=text,
                )
                for left in (1, 2)
            ]  # fmt: skip
    with Store(path, create=True) as store:
        store.ingest.take(located(records))
    return path


@dataclass(frozen=True, slots=True)
class Call:
    """A command with hostile text in it.

    Attributes:
        arguments: after ``tiebreak``.
        shows: what its output must show, squeezed.
    """

    arguments: Sequence[str]
    shows: Sequence[str]


def _whole(text: str, cells: int = 0) -> list[str]:
    """What must be seen of a text in one line; as much of it as fits."""
    line = one_line(text, cells or 4000)
    return [squeezed(line.removesuffix("…"))]


def _study_named(folder: Path, number: int, payload: Payload) -> Path:
    path = folder / f"named{number}.db"
    with Store(path, create=True) as store:
        store.set({"name": payload.text, "guidelines": payload.text})
    return path


def _file(folder: Path, number: int, line: str) -> Path:
    path = folder / f"file{number}.jsonl"
    path.write_text(line + "\n", "utf-8")
    return path


def _status(folder: Path, number: int, payload: Payload) -> Call:
    study = _study_named(folder, number, payload)
    return Call(["--db", str(study), "status"], _whole(payload.text))


def _status_json(folder: Path, number: int, payload: Payload) -> Call:
    study = _study_named(folder, number, payload)
    return Call(["--db", str(study), "status", "--json"], ['"name"'.replace("_", "")])


def _study_show(folder: Path, number: int, payload: Payload) -> Call:
    study = _study_named(folder, number, payload)
    shown = one_line(json.dumps(payload.text, ensure_ascii=False), 60).removesuffix("…")
    return Call(["--db", str(study), "study", "show"], [squeezed(shown)])


def _study_set(folder: Path, number: int, payload: Payload) -> Call:
    study = _study_named(folder, number, payload)
    return Call(["--db", str(study), "study", "set", "name", payload.text.replace("\0", "")], [])


def _bad_field(folder: Path, number: int, payload: Payload) -> Call:
    """A line whose field is called by the payload."""
    path = _file(folder, number, json.dumps({"type": "pair", payload.text: 1}))
    return Call(["--db", str(folder / "new.db"), "import", str(path)], ["isnofield"])


def _bad_value(folder: Path, number: int, payload: Payload) -> Call:
    path = _file(folder, number, json.dumps({"type": payload.text}))
    call = ["--db", str(folder / "new.db"), "import", "--format", "native", str(path)]
    return Call(call, ["isnoknownlabel"])


def _half(folder: Path, number: int, payload: Payload) -> Call:
    """Half a surrogate pair in an answer, beside the payload."""
    answer = {"type": "answer", "question": "q", "model": "m", "turns": [payload.text + "\ud800"]}
    path = _file(folder, number, json.dumps(answer))
    return Call(["--db", str(folder / "new.db"), "import", str(path)], [squeezed("U+D800")])


def _path(folder: Path, number: int, payload: Payload) -> Path:
    """A file name with the payload in it, and a byte that is not UTF-8."""
    name = payload.text.replace("\0", "").replace("/", "∕")
    raw = name.encode("utf-8")[:150].decode("utf-8", "ignore").encode() + b"\xff"
    return folder / os.fsdecode(raw)


def _file_name(folder: Path, number: int, payload: Payload) -> Call:
    path = _path(folder, number, payload).with_suffix(".jsonl")
    path.write_text('{"type": "pair"}\n')
    call = ["--db", str(folder / "new.db"), "import", "--format", "native", str(path)]
    return Call(call, _whole(path.name))


def _no_file(folder: Path, number: int, payload: Payload) -> Call:
    path = _path(folder, number, payload)
    return Call(["--db", str(path), "status"], _whole(path.name))


def _imported(folder: Path, number: int, payload: Payload) -> Call:
    path = _path(folder, number, payload).with_suffix(".jsonl")
    path.write_text('{"type": "question", "id": "q", "turns": ["?"]}\n')
    return Call(["--db", str(folder / f"into{number}.db"), "import", str(path)], _whole(path.name))


def _export(folder: Path, number: int, payload: Payload) -> Call:
    study = _study_named(folder, number, payload)
    path = _path(folder, number, payload)
    return Call(["--db", str(study), "export", "study", "-o", str(path)], _whole(path.name))


def _export_shown(folder: Path, number: int, payload: Payload) -> Call:
    study = _study_named(folder, number, payload)
    return Call(["--db", str(study), "export", "study"], ["recordswrittentostdout"])


def _keys(folder: Path, number: int, payload: Payload) -> Call:
    path = folder / f"settings{number}.toml"
    text = json.dumps(payload.text.encode("utf-8", "replace").decode()).replace("\\u007f", "\x7f")
    text = json.dumps(payload.text, ensure_ascii=True)
    if any(ord(character) > 0xFFFF for character in payload.text):
        text = '"' + "".join(f"\\U{ord(character):08X}" for character in payload.text) + '"'
    path.write_text(f"theme = {text}\n{text} = 1\n[keys]\n{text} = {text}\nvote.a = {text}\n")
    return Call(["keys", "--settings", str(path)], [squeezed("no theme is called")])


def _unknown_argument(folder: Path, number: int, payload: Payload) -> Call:
    text = payload.text.replace("\0", "")
    return Call(["status", text, text], ["Gotunexpectedextraarguments"])


def _unknown_option(folder: Path, number: int, payload: Payload) -> Call:
    return Call(["status", "--" + payload.text.replace("\0", "")], [squeezed("such option")[:4]])


def _name(folder: Path, number: int, payload: Payload) -> Call:
    call = ["--db", str(folder / "new.db"), "annotate", "--as", payload.text.replace("\0", "")]
    return Call(call, [])


PRINTED: Sequence[tuple[str, Callable[[Path, int, Payload], Call]]] = (
    ("status", _status),
    ("status --json", _status_json),
    ("study show", _study_show),
    ("study set", _study_set),
    ("import: a field's name", _bad_field),
    ("import: a value", _bad_value),
    ("import: half a character", _half),
    ("import: a file's name", _file_name),
    ("import: done", _imported),
    ("no such study", _no_file),
    ("export: a file's name", _export),
    ("export to the screen", _export_shown),
    ("keys: a settings file", _keys),
    ("an argument too many", _unknown_argument),
    ("an unknown option", _unknown_option),
)
"""Each with a function that makes the call for one payload."""

TABLES: Sequence[tuple[Sequence[str], Callable[[str], list[str]]]] = (
    (("stats", "ranking"), lambda text: _whole(f"{text} model", 28)),
    (("stats", "agreement"), lambda text: _whole(f"{text} judge", 28)),
    (("stats",), lambda text: _whole(f"{text} model", 28)),
    (("stats", "--json"), lambda text: []),
    (("judge", "list"), lambda text: _whole(f"{text} judge")),
    (("judge", "list", "--json"), lambda text: []),
    (("judge", "watch", "--once"), lambda text: []),
    (("judge", "watch", "--once", "--json"), lambda text: []),
    (("judge", "failures"), lambda text: []),
    (("status", "--json"), lambda text: []),
    (("verify",), lambda text: []),
    (("export", "gold", "--names", "--notes"), lambda text: []),
    (
        ("export", "votes", "--names", "--notes", "--format", "csv"),
        lambda text: _whole(text.replace('"', '""')),
    ),
)
"""Commands on :func:`named_study`, and what each prints of a name."""

__all__ = [
    "ANSWERS", "NAMES", "ON_A_PAIR", "PRINTED", "SHORT", "TABLES", "Call", "Surface",
    "named_study", "pair_study", "stand_ins", "text_of",
]  # fmt: skip

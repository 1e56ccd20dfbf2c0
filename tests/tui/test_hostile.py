"""Hostile text on every surface, from a real pty: nothing obeyed, nothing live, nothing hidden.

``tests/hostile/payloads.py`` has what is tried, ``tests/hostile/surfaces.py`` where it is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest
from rich.cells import get_character_cell_size

from core.text import MOST_MARKS, displayable, one_line
from db.serving import Draft
from db.store import Store
from tests.hostile.payloads import LONG, NAMES, SHORT, Payload, squeezed, stand_ins
from tests.hostile.seat import Seat, sit
from tests.hostile.stream import Stream, is_hidden
from tests.hostile.surfaces import (
    ON_A_PAIR,
    PRINTED,
    TABLES,
    Call,
    Surface,
    named_study,
    pair_study,
    text_of,
)
from tests.waiting import PATIENCE


def in_batches(payloads: Sequence[Payload], size: int) -> list[list[Payload]]:
    rest = iter(payloads)
    return list(iter(lambda: list(islice(rest, size)), []))


def walk(seat: Seat, number: int, batch: Sequence[Payload]) -> None:
    """Go through the surfaces of one pair."""
    typed = next((one for one in batch if one.pastes), None)
    for surface in ON_A_PAIR:
        seat.at = f"{surface.name}, {', '.join(one.name for one in batch)}"
        if "typed" in surface.shows and typed is None:
            continue
        expected = list(expected_on(surface, number, batch, typed))
        seat.send(surface.keys)
        if surface.said:
            seat.says(surface.said)
        if surface.types and typed is not None:
            seat.paste(typed.text)
        seat.shows(expected)
        seat.click(expected, slice(*surface.rows), answered=surface.answers)
        seat.send(surface.back)
        if surface.after:
            seat.says(surface.after)
        if surface.gone:
            seat.says_no_more(surface.gone)


def expected_on(
    surface: Surface, number: int, batch: Sequence[Payload], typed: Payload | None
) -> Iterator[str]:
    for holder in surface.shows:
        if holder == "typed":
            assert typed is not None
            yield from seen_of_typed(surface, typed.text)
        elif holder == "one answer":
            inner = "\n".join(one.text for one in batch)
            yield from stand_ins(inner)
        elif surface.cells:
            yield squeezed(first_cells(batch[0].text, surface.cells))
        else:
            yield from stand_ins(text_of(holder, number, batch))


def seen_of_typed(surface: Surface, text: str) -> list[str]:
    """What must be seen of a text that was pasted: of a needle its first line."""
    if surface.name.startswith("note"):
        return [line for line in map(squeezed, as_noted(text).split("\n")) if line]
    first = text.partition("\n")[0]
    return [squeezed(first_cells(first, surface.cells or 80))]


SKIN = "🏻🏼🏽🏾🏿"
"""Tones of the emoji before them: shown apart, so that all terminals agree on the width."""


def first_cells(text: str, cells: int) -> str:
    """What a line of so many cells shows of a text, without the sign that there is more."""
    return one_line(text, cells).removesuffix("…")


def as_noted(text: str) -> str:
    """A text as the note shows it: a picture or a box in the place of each hidden character."""
    shown: list[str] = []
    marks = 0
    for character in text:
        marks = 0 if get_character_cell_size(character) else marks + 1
        if character in "\n\t":
            shown.append(character)
        elif is_hidden(character) or character in SKIN or marks > MOST_MARKS:
            code = ord(character)
            shown.append(chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "▯")
        else:
            shown.append(character)
    return "".join(shown)


def annotated(folder: Path, batches: Sequence[Sequence[Payload]]) -> None:
    """Sit down before a pair for each batch, look at everything, vote, and go on."""
    study = pair_study(folder / "study.db", batches, "", "The matrix")
    with sit(["--db", str(study), "annotate", "--as", "ann"], folder) as seat:
        left = set(range(len(batches)))
        while left:
            number = seat.finds(r"Pair (\d+) of the matrix", left)
            walk(seat, number, batches[number])
            left.remove(number)
            seat.votes("4", f"Pair {number} of the matrix")
        seat.says("Nothing is left")
        seat.leave()
    assert seat.problems == []
    with Store(study) as store:
        votes = [vote for vote, _ in store.reading.votes()]
        assert [vote.choice for vote in votes] == ["both_bad"] * len(batches)
        assert store.verify() == []


def one_of_each_kind() -> list[Payload]:
    return list({one.kind: one for one in reversed(SHORT)}.values())


def test_what_an_annotator_sees_of_a_pair(tmp_path: Path) -> None:
    annotated(tmp_path, in_batches(one_of_each_kind(), 12))


@pytest.mark.slow
def test_every_payload_on_every_surface_of_a_pair(tmp_path: Path) -> None:
    annotated(tmp_path, in_batches(SHORT, 8))


def test_guidelines_help_and_a_note_that_was_kept(tmp_path: Path) -> None:
    batch = SHORT
    everything = text_of("guidelines", 0, batch)
    study = pair_study(tmp_path / "study.db", [batch[:1]], everything, "The matrix")
    with Store(study) as store:
        ann = store.annotator("ann")
        served = store.serving.serve(ann)
        assert served is not None
        store.serving.keep_draft(served.assignment, 1, Draft(everything))
    with sit(["--db", str(study), "annotate", "--as", "ann"], tmp_path) as seat:
        seat.says("✎ note")
        for seat.at, key in (("guidelines", "e"), ("help", "?")):
            seat.send(key)
            seat.says("guidelines0 begin")
            seat.shows(stand_ins(everything), page=" ")
            seat.send("\x1b")
            seat.says("4 both bad")
        seat.at = "the note that was kept"
        seat.send("n")
        seat.says("Note on this pair")
        lines = as_noted(everything).split("\n")
        seat.shows([line for line in map(squeezed, lines) if line], page="\x1b[5~")
        seat.send("\x1b[1;5F!\x1b")
        seat.says_no_more("Note on this pair")
        seat.leave()
    assert seat.problems == []
    with Store(study) as store:
        served = store.serving.serve(ann)
        assert served is not None
        kept = served.drafts[1].note
    assert any(kept[:at] + kept[at + 1 :] == everything for at in find_all("!", kept))


def find_all(sign: str, text: str) -> list[int]:
    return [at for at, character in enumerate(text) if character == sign]


def test_answers_that_are_too_much_of_something(tmp_path: Path) -> None:
    study = pair_study(tmp_path / "study.db", [[one] for one in LONG], "", "The matrix")
    with sit(["--db", str(study), "annotate", "--as", "ann"], tmp_path, rows=60) as seat:
        left = set(range(len(LONG)))
        while left:
            number = seat.finds(r"Pair (\d+) of the matrix", left)
            seat.at = LONG[number].name
            for keys in ("", "r", "z"):
                seat.send(f"{keys}g")
                seat.shows([f"ant{number}begin"] if keys != "z" else [])
                seat.send("G")
                seat.shows([f"ant{number}end"] if keys != "z" else [])
            seat.send("zzr")
            seat.says("Rendered.")
            left.remove(number)
            seat.votes("4", f"Pair {number} of the matrix")
        seat.says("Nothing is left")
        seat.leave()
    assert seat.problems == []


# ── what commands print ─────────────────────────────────────────────────────

_CALLER = """
import json, sys
from tui.cli import run
print("@@ 0", flush=True)
for line in open(sys.argv[1]):
    code = run(json.loads(line))
    sys.stderr.flush()
    print(f"{chr(10)}@@ {code}", flush=True)
"""


def called(folder: Path, calls: Sequence[tuple[str, Call]]) -> list[str]:
    """Make calls in one process, in a pty; what is wrong with what they print."""
    path = folder / "calls"
    path.write_text("".join(json.dumps(list(call.arguments)) + "\n" for _, call in calls))
    python = ["-c", _CALLER, str(path)]
    with sit((), folder, python=python, columns=500, escapes=False) as seat:
        seat.until(seat.terminal.ended, 10 * PATIENCE)
        seat.terminal.drain()
        seat.told()
    parts = seat.stream.plain.split("@@ ")
    assert len(parts) == len(calls) + 2, f"a command crashed: {parts[-1][-2000:]}"
    for (what, call), printed, after in zip(calls, parts[1:-1], parts[2:], strict=True):
        said = squeezed(printed.partition("\n")[2])
        wrong = [line for line in call.shows if line not in said]
        seat.problems += [f"{what}: hidden: {line!r} in {said[-300:]}" for line in wrong]
        if after[:2].strip() not in ("0", "1", "2"):
            seat.problems.append(f"{what}: exit {after[:3]!r}")
    return seat.problems


def printed_with(folder: Path, payloads: Sequence[Payload]) -> Iterator[tuple[str, Call]]:
    for number, payload in enumerate(payloads):
        for index, (what, make_call) in enumerate(PRINTED):
            own = folder / f"{index}-{number}"
            own.mkdir()
            yield f"{what}, {payload.name}", make_call(own, number, payload)


def test_what_commands_print(tmp_path: Path) -> None:
    assert called(tmp_path, list(printed_with(tmp_path, one_of_each_kind()[::3]))) == []


@pytest.mark.slow
def test_what_commands_print_of_every_payload(tmp_path: Path) -> None:
    assert called(tmp_path, list(printed_with(tmp_path, SHORT))) == []


def test_tables_of_names(tmp_path: Path) -> None:
    study = named_study(tmp_path / "study.db")
    names = [one.text for one in NAMES]
    calls = [
        (
            " ".join(words),
            Call(["--db", str(study), *words], [line for text in names for line in shows(text)]),
        )
        for words, shows in TABLES
    ]
    assert called(tmp_path, calls) == []


def test_the_leads_tables(tmp_path: Path) -> None:
    study = named_study(tmp_path / "study.db")
    labels = [f"{one.text} {kind}" for one in NAMES for kind in ("model", "judge")]
    with sit(["--db", str(study), "lead"], tmp_path, columns=250) as seat:
        seat.at = "the lead's tables"
        seat.says("[Overview]")
        seat.send("\x1b[Z")  # everything there is
        seat.says("[Everything]")
        seat.shows([squeezed(first_cells(label, 28)) for label in labels], page=" ")
        seat.click([squeezed(label) for label in labels], slice(2, -3))
        seat.leave()
    assert seat.problems == []


# ── what is said once, before and after a screen ────────────────────────────


def named(folder: Path, payloads: Sequence[Payload]) -> list[str]:
    """Open a study by each of these names; what is wrong with what its status line shows."""
    pair = [[Payload("plain", "none", "Nothing to see.")]]
    studies = [
        pair_study(folder / f"{number}.db", pair, "", payload.text)
        for number, payload in enumerate(payloads)
    ]
    path = folder / "calls"
    calls = [["--db", str(study), "annotate", "--as", "ann"] for study in studies]
    path.write_text("".join(json.dumps(call) + "\n" for call in calls))
    with sit((), folder, python=["-c", _CALLER, str(path)], rows=30) as seat:
        for payload in payloads:
            seat.at = f"the study's name, {payload.name}"
            line = squeezed(first_cells(payload.text, 40))
            seat.shows([line])
            seat.click([line], slice(1))
            seat.send("\x11")
        seat.terminal.wait()
        seat.told()
    return seat.problems


def test_the_name_of_a_study(tmp_path: Path) -> None:
    assert named(tmp_path, one_of_each_kind()[::4]) == []


@pytest.mark.slow
def test_every_name_of_a_study(tmp_path: Path) -> None:
    assert named(tmp_path, SHORT) == []


_CRASHER = r"""
import json, sys
from tui.cli import main
from tui.screens.annotate import AnnotateScreen
from db.store import Store
said = "".join(map(chr, range(0x100))) + "\u202e\ud800"
def broken(*_, **__):
    raise RuntimeError(said)
if sys.argv[1] == "screen":
    AnnotateScreen.action_flag = broken
    main(["--db", sys.argv[2], "annotate", "--as", "ann"])
else:
    Store.settings = broken
    main(["--db", sys.argv[2], "status"])
"""


@pytest.mark.parametrize(("where", "said"), [("screen", "error of its own"), ("command", "␛")])
def test_a_crash(tmp_path: Path, where: str, said: str) -> None:
    study = pair_study(tmp_path / "study.db", [SHORT[:1]], "", "")
    python = ["-c", _CRASHER, where, str(study)]
    is_screen = where == "screen"
    with sit((), tmp_path, python=python, escapes=is_screen, rows=30) as seat:
        if is_screen:
            seat.says("4 both bad")
            seat.send("f")
        assert seat.terminal.wait() == 1
        seat.terminal.drain()
        seat.told()
    assert seat.problems == []
    assert said in seat.stream.plain


# ── the judge is honest ─────────────────────────────────────────────────────


@pytest.mark.parametrize("payload", SHORT, ids=lambda one: one.name)
def test_the_judge_sees_what_is_sent_as_it_is(payload: Payload) -> None:
    """What displayable() changes is what the stream's own rules call hidden, and nothing else."""
    raw = Stream(200, 50)
    raw.feed(payload.text.replace("\t", " ").encode())
    shown = Stream(200, 50)
    shown.feed(displayable(payload.text).replace("\t", " ").encode())
    assert not shown.findings
    kinds = {"screen markup", "Markdown link", "HTML", "tables", "scripts", "formats", "tabs"}
    plain = payload.kind in kinds or payload.name in ("fence-info", "fence-open")
    assert bool(raw.findings) is not plain or payload.name == "cr"


def test_the_judge_knows_what_this_program_sends_and_no_more() -> None:
    stream = Stream(20, 5)
    for allowed in ("\x1b[0;1;38;2;1;2;3m", "\x1b[3;4Hx", "\x1b[?1049h", "\x1b[m"):
        for byte in allowed.encode():
            stream.feed(bytes([byte]))
    assert not stream.findings
    assert stream.rows()[2][3] == "x"
    for refused in ("\x1b[31m", "\x1b[2J", "\x1b]0;t\x07", "\x1b[38;2;1;2;3;5m", "\x07", "\x1bc"):
        stream = Stream(20, 5)
        stream.feed(refused.encode())
        assert stream.findings, refused

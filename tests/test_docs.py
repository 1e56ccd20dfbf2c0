"""The docs are true: their commands do what they show, and nothing is left out of them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from core.errors import Where
from core.formats import formats
from core.formats.csv_table import _KNOWN
from core.formats.lines import Row
from core.formats.native_rows import READERS
from core.formats.scores import KNOWN as SCORE_COLUMNS
from core.settings import KNOWN
from core.stats import registered
from tests.docs import (
    DOCUMENTS,
    ROOT,
    anchors,
    fenced,
    key_rows,
    known,
    links,
    perform,
    prose,
    said,
    section,
    slug,
    steps,
)
from tui.actions import (
    ANNOTATE,
    CONFIRM,
    FILTERS,
    FLOOR,
    HISTORY,
    JUDGES,
    LEAD,
    MODAL,
    NUMBER,
    PICK,
    QUEUE,
    READ,
    RULING,
    TEACH,
    UNMASKED,
    VERDICTS,
    Action,
    key_name,
)
from tui.cli import root
from tui.screens import screens

DOCS = ROOT / "docs"
SHARED = ROOT / "../shared/data/mt_bench"
NAMES = [document.name for document in DOCUMENTS]


def commands(group: click.Group = root, above: str = "tiebreak") -> Iterator[tuple[str, object]]:
    """Every command that does something, by its full name."""
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from commands(command, f"{above} {name}")
            else:
                yield f"{above} {name}", command


COMMANDS = dict(commands())


# ── what the docs show is what happens ──────────────────────────────────────


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a document's commands are run: beside the sample data and the published votes."""
    here = tmp_path / "project"
    here.mkdir()
    shutil.copytree(ROOT / "sample_data", here / "sample_data")
    if SHARED.exists():
        (tmp_path / "shared" / "data").mkdir(parents=True)
        (tmp_path / "shared" / "data" / "mt_bench").symlink_to(SHARED.resolve())
    monkeypatch.chdir(here)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TIEBREAK_DB", "")  # so that what a document exports ends with it
    return here


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_the_commands_shown_do_what_is_shown(document: Path, folder: Path) -> None:
    left_out = 0
    for block in fenced(document, "console"):
        if "shared/data" in block and not SHARED.exists():
            left_out += 1
            continue
        for step in steps(block):
            perform(step)
    if left_out:
        pytest.skip(f"{left_out} blocks need ../shared/data, which is not here; the others passed")


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_command_line_in_the_text_is_understood(document: Path) -> None:
    lines = re.findall(r"`tiebreak ([^`…]+)`", prose(document))
    for block in fenced(document, "sh"):
        lines += re.findall(r"^\s*tiebreak ([^#\n]+)", block, re.M)
    for line in lines:
        words = [word for word in shlex.split(line) if not word.startswith("[")]
        if "COMMAND" in words:
            continue
        code, output = known(words)
        assert code == 0, f"tiebreak {line}: {output}"


def test_every_help_has_an_example() -> None:
    for name in COMMANDS:
        code, output = said([*name.split()[1:], "--help"])
        assert code == 0
        assert "Example" in output, f"{name} --help shows no example"


# ── nothing is left out ─────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["tiebreak", *COMMANDS])
def test_every_command_and_option_is_described(name: str) -> None:
    text = section(DOCS / "engineers.md", name)
    assert text, f"docs/engineers.md has no section '### {name}'"
    command = COMMANDS.get(name, root)
    assert isinstance(command, click.Command)
    options = {
        spelling
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for spelling in parameter.opts
    }
    described = set(re.findall(r"`(--?[a-z][a-z-]*)", text))
    assert options <= described, "an option is not described"
    if name == "tiebreak":
        described -= {"-h", "--help"}
    elsewhere = {"--db"} | {word for word in described if f"with `{word}`" in text}
    assert described - elsewhere <= options, "an option is described that does not exist"


RULES = [action for action in (*RULING, *UNMASKED) if action.group != READ]
"""What leads do with a case; they read it with the annotators' keys."""


def rows_for(actions: Sequence[Action]) -> set[frozenset[str]]:
    """The keys of each action as people write them."""
    return {frozenset(map(key_name, action.keys)) for action in actions}


@pytest.mark.parametrize(
    ("document", "actions"),
    [
        ("annotators.md", [*ANNOTATE, *MODAL, *HISTORY]),
        (
            "leads.md",
            [
                *(*LEAD, *NUMBER, *FILTERS, *PICK, *FLOOR, *JUDGES, *VERDICTS, *CONFIRM),
                *(*QUEUE, *RULES, *TEACH),
            ],
        ),
    ],
    ids=["annotators", "leads"],
)
def test_every_key_has_its_row_and_every_row_its_key(
    document: str, actions: Sequence[Action]
) -> None:
    shown = {row for row in key_rows(DOCS / document) if not row & set(KNOWN)}
    assert shown == rows_for(actions) | {frozenset({spec.key.upper()}) for spec in screens()}


def test_every_setting_is_described_with_its_default() -> None:
    text = (DOCS / "leads.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.M))
    assert {key: json.loads(default) for key, default in rows.items()} == {
        key: setting.default for key, setting in KNOWN.items()
    }


def test_every_record_and_format_is_described() -> None:
    document = DOCS / "formats.md"
    assert {kind for kind in READERS if section(document, f"`{kind}`")} == set(READERS)
    rows = re.findall(r"^\| `(\w+)` \| yes \| (yes|no) \|", document.read_text("utf-8"), re.M)
    assert {name: written == "yes" for name, written in rows} == {
        one.id: one.write is not None for one in formats()
    }


PAIR: dict[str, object] = {"question": "q1", "model_1": "m1", "model_2": "m2"}
SMALLEST: dict[str, dict[str, object]] = {
    "question": {"id": "q1", "turns": ["One?"]},
    "answer": {"question": "q1", "model": "m1", "turns": ["1"]},
    "pair": PAIR,
    "annotator": {"name": "ann"},
    "judge": {"name": "judge"},
    "prompt": {"judge": "judge", "wording": {"family": "f", "variants": [{}]}},
    "panel": {"name": "both", "rule": "majority", "members": {"judge": 1}},
    "vote": {**PAIR, "annotator": "ann", "choice": "tie"},
    "verdict": {**PAIR, "judge": "judge", "choice": "tie"},
    "ruling": {**PAIR, "lead": "lea", "stage": "blind", "choice": "tie", "reason": "so"},
    "score": {"benchmark": "exam", "model": "m1", "score": 1},
}
"""A line of each kind that says no more than it must."""


class Looked(dict[str, object]):
    """A line's fields that remember which of them were looked for."""

    def __init__(self, fields: dict[str, object]) -> None:
        super().__init__(fields)
        self.names: set[str] = set()

    def get(self, key: str, default: object = None) -> object:
        self.names.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> object:
        self.names.add(key)
        return super().__getitem__(key)


def first_cells(text: str) -> set[str]:
    """What stands in backticks in the first cells of a text's tables."""
    cells = re.findall(r"^\| (`[^|]*`) \|", text, re.M)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def part(document: Path, title: str) -> str:
    """What stands under a heading of the second level."""
    return document.read_text("utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("kind", SMALLEST)
def test_every_field_of_a_record_is_described(kind: str) -> None:
    fields = Looked(SMALLEST[kind])
    assert list(READERS[kind](Row(Where("line"), fields)))
    assert first_cells(section(DOCS / "formats.md", f"`{kind}`")) == fields.names


def test_every_csv_column_is_described() -> None:
    assert first_cells(part(DOCS / "formats.md", "CSV")) == _KNOWN


def test_every_column_of_a_table_of_scores_is_described() -> None:
    assert first_cells(part(DOCS / "formats.md", "Benchmark scores")) == set(SCORE_COLUMNS)


def test_every_field_of_a_gold_row_is_described(tmp_path: Path) -> None:
    study, file = str(tmp_path / "study.db"), tmp_path / "all.jsonl"
    file.write_text(
        "\n".join(json.dumps({"type": kind, **line}) for kind, line in SMALLEST.items()), "utf-8"
    )
    assert said(["--db", study, "import", str(file)])[0] == 0
    _, output = said(["--db", study, "export", "gold", "--notes"])
    row = json.loads(output.splitlines()[0])
    text = section(DOCS / "formats.md", "Gold")
    assert first_cells(text) == set(row)
    for name in ("votes", "verdicts", "rulings"):
        (cell,) = re.findall(rf"^\| `{name}` \| list \| (.*) \|$", text, re.M)
        missing = {key for key in row[name][0] if f"`{key}`" not in cell}
        assert not missing, f"{name}: {missing}"


def test_every_statistic_is_described() -> None:
    headings = re.findall(r"^## (\w+)", (DOCS / "statistics.md").read_text("utf-8"), re.M)
    ids = {statistic.id for statistic in registered()}
    assert ids <= set(headings)
    listed = (DOCS / "engineers.md").read_text("utf-8").partition("### tiebreak stats\n")[2]
    assert ids <= set(re.findall(r"`(\w+)`", listed.partition("\n| | |")[0]))


def test_the_records_that_formats_md_shows_can_be_imported(tmp_path: Path) -> None:
    lines = [line for block in fenced(DOCS / "formats.md", "json") for line in block.splitlines()]
    assert {json.loads(line)["type"] for line in lines} >= {"study", "question", "answer", "vote"}
    file = tmp_path / "shown.jsonl"
    file.write_text("\n".join(lines), "utf-8")
    code, output = said(["--db", str(tmp_path / "s.db"), "import", str(file)])
    assert code == 0, output
    assert "1 vote" in output


# ── links ───────────────────────────────────────────────────────────────────


def test_every_document_and_picture_is_linked() -> None:
    linked = {target.partition("#")[0] for target in links(ROOT / "README.md")}
    assert {f"docs/{path.name}" for path in DOCS.glob("*.md")} <= linked
    shown = {
        (document.parent / target).resolve() for document in DOCUMENTS for target in links(document)
    }
    assert {path.resolve() for path in DOCS.glob("images/*")} <= shown


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_relative_link_resolves(document: Path) -> None:
    for target in links(document):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"{document.name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{document.name} links to {target}"


def test_an_anchor_is_made_as_github_makes_it() -> None:
    assert slug("The lead's screen") == "the-leads-screen"
    assert slug("Ids, and importing again") == "ids-and-importing-again"


# ── what must stand in no file ──────────────────────────────────────────────

_HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "crates" + ".io")
_MACHINE = re.compile(r"(?<![\w.>-])/(?:work|root|tmp|home/\w+|Users/\w+)" + r"/\w")


def own_files() -> list[Path]:
    """The project's files: what git knows and what it would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_registry_or_this_machine() -> None:
    checked = 0
    for path in own_files():
        text = path.read_text("utf-8", errors="ignore")
        checked += 1
        assert not [host for host in _HOSTS if host in text], path
        found = _MACHINE.search(text)
        assert not found, f"{path}: {found and found[0]}"
    assert checked > 100


def test_the_pictures_load_nothing_and_name_no_model() -> None:
    models = ("avocet-s", "dunlin-m", "godwit-l", "plover-xl")
    pictures = sorted(DOCS.glob("images/*.svg"))
    assert pictures
    for path in pictures:
        text = path.read_text("utf-8")
        assert not re.search(r"url\((?!#)|@font-face|<image|href=", text), path
        if not path.stem.startswith(("lead", "unmasked")):
            assert not [model for model in models if model in text], path


@pytest.mark.slow
def test_the_pictures_show_the_app_as_it_is(tmp_path: Path) -> None:
    from tests.screenshots import PAUSE, main

    def texts(path: Path) -> list[str]:
        return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text("utf-8"))

    main(tmp_path)
    pictures = sorted(DOCS.glob("images/*.svg"))
    # What a busy machine had not painted in time is taken anew with more of it.
    for times in (4, 12):
        others = [one.name for one in pictures if texts(one) != texts(tmp_path / one.name)]
        if not others:
            break
        main(tmp_path, [name.rpartition("-")[0] for name in others], times * PAUSE)
    others = [one.name for one in pictures if texts(one) != texts(tmp_path / one.name)]
    assert not others, f"{others} are of an older app: python -m tests.screenshots"

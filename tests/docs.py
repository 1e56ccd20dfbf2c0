"""The documents as a test reads them: console blocks, key tables, links, code examples."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tui.cli import run

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md")]
)

_FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<body>.*?)^ *```$", re.M | re.S)
_PROMPT = re.compile(r"^\$ (?P<line>.*?)(?:  # exit (?P<code>\d+))?$")
_EXPORT = re.compile(r"export (?P<name>\w+)=(?P<value>\S+)")
_NO_INPUT = "< /dev/null"
INTERACTIVE = {"annotate", "lead", "demo"}


def fenced(document: Path, kind: str) -> list[str]:
    """The bodies of a document's code blocks of one kind."""
    return [
        match["body"]
        for match in _FENCE.finditer(document.read_text("utf-8"))
        if match["kind"] == kind
    ]


def prose(document: Path) -> str:
    """A document without its code blocks."""
    return _FENCE.sub("", document.read_text("utf-8"))


@dataclass
class Step:
    """One line that a console block shows, with what should come of it."""

    line: str
    code: int
    output: list[str] = field(default_factory=list)


def steps(block: str) -> list[Step]:
    """The lines of a console block, each with the output below it."""
    found: list[Step] = []
    for line in block.splitlines():
        if match := _PROMPT.match(line):
            found.append(Step(match["line"], int(match["code"] or 0)))
        else:
            assert found, f"a console block begins with output: {line!r}"
            found[-1].output.append(line)
    return found


def is_interactive(arguments: list[str]) -> bool:
    """Whether a command takes over the terminal."""
    words = {word for word in arguments if not word.startswith("-")}
    return bool(words & INTERACTIVE) and "--headless" not in arguments


def known(arguments: list[str]) -> tuple[int, str]:
    """Whether the command line takes these words: click reads all of them before it helps."""
    return said([*arguments, "--help"])


def said(arguments: list[str]) -> tuple[int, str]:
    """Exit code and everything said, in order, as a terminal would show it."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        code = run(arguments)
    return code, stream.getvalue()


def perform(step: Step) -> None:
    """Do what a line shows, and compare what comes of it."""
    if export := _EXPORT.fullmatch(step.line):
        os.environ[export["name"]] = export["value"]
        return
    line = step.line.removesuffix(_NO_INPUT)
    program, *arguments = shlex.split(line)
    assert program == "tiebreak", f"only tiebreak is run by these tests, not {step.line!r}"
    if is_interactive(arguments) and line == step.line:
        code, output = known(arguments)
        assert code == 0, output
        assert not step.output, f"{step.line!r} opens a screen and prints nothing here"
        return
    code, output = said(arguments)
    assert code == step.code, f"$ {step.line}\nexit {code}, not {step.code}:\n{output}"
    if step.output:
        assert matches(step.output, output), (
            f"$ {step.line}\nshown:\n" + "\n".join(step.output) + f"\n\nbut it says:\n{output}"
        )


def matches(shown: list[str], output: str) -> bool:
    """Whether output is as shown; ``…`` alone on a line stands for any lines, else for any text."""
    pattern = ""
    for line in shown:
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            parts = (re.escape(part) for part in line.rstrip().split("…"))
            pattern += ".*".join(parts) + r"[ ]*\n"
    return re.fullmatch(pattern, output.rstrip() + "\n") is not None


def key_rows(document: Path) -> Iterator[frozenset[str]]:
    """The keys of each table row whose first cell holds nothing but keys, in lower case."""
    for line in prose(document).splitlines():
        cell = line.removeprefix("| ").split(" | ")[0] if line.startswith("| `") else ""
        keys = re.findall(r"`([^`]+)`", cell)
        if keys and cell == " ".join(f"`{key}`" for key in keys):
            yield frozenset(keys)


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return words.replace(" ", "-")


def anchors(document: Path) -> set[str]:
    """Every anchor of a document."""
    return {slug(match) for match in re.findall(r"^#+ (.*)$", prose(document), re.M)}


def links(document: Path) -> list[str]:
    """The targets of a document's links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(document))


def section(document: Path, title: str) -> str:
    """What stands under a heading of the third level, up to the next heading."""
    match = re.search(
        rf"^### {re.escape(title)}\n(.*?)(?=^##|\Z)", document.read_text("utf-8"), re.M | re.S
    )
    return match[1] if match else ""

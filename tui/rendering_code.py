"""Code as rows: highlighted where its language is known and its size allows, plain otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from tui.rendering_wrap import Row, Run, wrap

if TYPE_CHECKING:
    from pygments.lexer import Lexer

LONGEST_LINE = 1000
"""Characters of the longest line in a fence that is highlighted; more is data, not code."""

_LANGUAGES: Mapping[str, str] = {
    alias: lexer
    for lexer, aliases in {
        "bash": "bash sh shell zsh",
        "c": "c h",
        "cpp": "cpp c++ cc hpp",
        "csharp": "csharp cs c#",
        "css": "css",
        "dart": "dart",
        "diff": "diff patch",
        "docker": "dockerfile docker",
        "go": "go golang",
        "haskell": "haskell hs",
        "html": "html",
        "ini": "ini cfg",
        "java": "java",
        "javascript": "javascript js jsx",
        "json": "json",
        "julia": "julia jl",
        "kotlin": "kotlin kt",
        "lua": "lua",
        "make": "makefile make",
        "matlab": "matlab",
        "perl": "perl pl",
        "php": "php",
        "python": "python py python3",
        "r": "r",
        "ruby": "ruby rb",
        "rust": "rust rs",
        "scala": "scala",
        "sql": "sql",
        "swift": "swift",
        "toml": "toml",
        "typescript": "typescript ts tsx",
        "xml": "xml svg",
        "yaml": "yaml yml",
    }.items()
    for alias in aliases.split()
}
"""What a fence may say, and the lexer for it. A fixed list: a foreign text cannot make this
program load whichever of several hundred lexers is slowest on it."""

_STYLES = {
    "Keyword": "keyword",
    "String": "string",
    "Comment": "comment",
    "Number": "number",
    "Function": "name",
    "Class": "name",
    "Decorator": "name",
    "Builtin": "name",
    "Tag": "name",
    "Attribute": "name",
}


def code_lines(lines: Sequence[str], info: str) -> Iterator[list[Run]]:
    """The lines of a fence as styled runs.

    Args:
        lines: the code, displayable.
        info: what stands behind the opening marks, such as ``python``.

    Yields:
        One list of runs for each line; its text is the line, whatever a lexer makes of it.
    """
    language = _LANGUAGES.get(info.strip().split(" ")[0].strip("{.}").lower())
    lexer = _lexer(language) if language else None
    done = 0
    if lexer is not None and max(map(len, lines), default=0) <= LONGEST_LINE:
        for line, runs in zip(lines, _highlighted(lexer, "\n".join(lines)), strict=False):
            if "".join(text for text, _ in runs) != line:
                break
            yield runs
            done += 1
    for line in lines[done:]:
        yield [(line, "block")]


@lru_cache(maxsize=8)
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer: Lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:  # a lexer that this version of Pygments does not have
        return None
    return lexer


def _highlighted(lexer: Lexer, code: str) -> Iterator[list[Run]]:
    """Lex only as far as lines are asked for."""
    runs: list[Run] = []
    for token, text in lexer.get_tokens(code):
        style = next((_STYLES[part] for part in reversed(token) if part in _STYLES), "")
        style = f"block {style}" if style else "block"
        first, *others = text.split("\n")
        _append(runs, first, style)
        for other in others:
            yield runs
            runs = []
            _append(runs, other, style)
    yield runs


def _append(runs: list[Run], text: str, style: str) -> None:
    if not text:
        return
    if runs and runs[-1][1] == style:
        runs[-1] = (runs[-1][0] + text, style)
    else:
        runs.append((text, style))


def fence_rows(
    lines: Sequence[str], info: str | None, width: int, highlight: bool = True
) -> Iterator[tuple[int, int, Row]]:
    """A fence, or a part of one, behind a bar; a line that is too wide goes on behind an arrow.

    Args:
        lines: the code, displayable.
        info: what stands behind the opening marks; None if there is no opening line here.
        width: cells.
        highlight: False shows all lines plain.

    Yields:
        The line of the source counted from the opening one (or from the first, if there is
        none), the index in that line, and a row.
    """
    if info:
        for index, row in wrap([(info, "block label")], width - 2):
            yield 0, index, (("│ ", "block bar"), *row)
    runs = code_lines(lines, info or "") if highlight else ([(line, "block")] for line in lines)
    for number, line in enumerate(runs, start=info is not None):
        for index, row in wrap(line or [("", "block")], width - 2, words=False):
            yield number, index, (("│›" if index else "│ ", "block bar"), *row)

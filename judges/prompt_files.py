"""Prompt files: a folder's ``*.toml``, ``*.jsonl`` and ``*.txt``, read and checked key by key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.errors import TiebreakError, Where
from judges.composed_files import checked_composed
from judges.families import Prompts, Source, Written
from judges.fastchat_prompts import read_fastchat
from judges.parsing import PARSERS, Grammar
from judges.plain_prompts import read_plain
from judges.prompt_checks import SHARED, Checked, toml_of
from judges.prompting import Prompt

FOLDER = Path(__file__).parent / "prompts"
"""The prompts that come with Tiebreak."""

_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "family": str,
    "title": str,
    "form": str,
    "turns": str,
    "reference": bool,
    "fields": list,
    "parser": str,
    "choices": dict,
    "scale": list,
    "max_tokens": int,
    "system": str,
    "user": str,
    "turn": str,
    "focus": dict,
    "structured": str,
}
_NEEDED = ("id", "title", "form", "turns", "reference", "fields", "parser", "max_tokens", "user")
_FIELDS = {
    ("pair", "single"): {"question", "answer_a", "answer_b"},
    ("single", "single"): {"question", "answer"},
    ("pair", "multi"): {"conversation_a", "conversation_b", "focus"},
    ("single", "multi"): {"conversation", "focus"},
}


def load_prompts(*paths: Path) -> Prompts:
    """The prompts that come with Tiebreak, and those of the given folders or files.

    Raises:
        BadInput: a file is not a prompt; the error names file, key and remedy.
        TiebreakError: a folder holds no prompt, or two files clash.
    """
    written: list[Prompt] = []
    families: list[tuple[str, Source]] = []
    for path in (FOLDER, *paths):
        for file in _files(path):
            if file.suffix == ".jsonl":
                prompts, joint = read_fastchat(file)
                written += prompts
                families += [(name, Written(members)) for name, members in joint.items()]
            elif file.suffix == ".txt":
                written.append(read_plain(file))
            elif "parts" in (data := toml_of(file)):
                composed = checked_composed(file, data, _shared(file.parent))
                families.append((composed.id, composed))
            else:
                written.append(_Written(Where(str(file)), data).prompt())
    prompts_found = Prompts(written)
    for name, source in families:
        prompts_found.add(name, source)
    return prompts_found


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = [
        file
        for pattern in ("*.toml", "*.jsonl", "*.txt")
        for file in sorted(path.glob(pattern))
        if not file.name.startswith("_")
    ]
    if not files:
        raise TiebreakError(
            f"{path} holds no prompt (*.toml, *.jsonl, *.txt)", "see docs/judges.md"
        )
    return files


def is_examples(path: Path) -> bool:
    """Whether a file looks like one of examples rather than of prompts."""
    return path.is_file() and path.suffix == ".toml" and "example" in toml_of(path)


def _shared(folder: Path) -> dict[str, Any]:
    """The parts that a folder's composed prompts share: its own before ours."""
    shared = toml_of(FOLDER / SHARED)
    if folder != FOLDER and (folder / SHARED).exists():
        own = toml_of(folder / SHARED)
        shared |= {**own, "parts": {**shared["parts"], **own.get("parts", {})}}
    return shared


def read_prompt(path: Path) -> Prompt:
    """Read and check one prompt file that holds one prompt, written out.

    Raises:
        BadInput: naming the file, the key and how to mend it.
    """
    return _Written(Where(str(path)), toml_of(path)).prompt()


class _Written(Checked):
    """A written prompt's keys, checked one after another."""

    def prompt(self) -> Prompt:
        self.keys(_KEYS, _NEEDED)
        self._values()
        get, parser = self.data.get, self.data["parser"]
        self._templates(self.data["form"], self.data["turns"])
        return Prompt(
            id=self.data["id"],
            family=get("family", self.data["id"]),
            title=self.data["title"],
            form=self.data["form"],
            multi=self.data["turns"] == "multi",
            reference=self.data["reference"],
            parser=parser,
            grammar=Grammar(self.choices(), self.scale()),
            max_tokens=self.data["max_tokens"],
            system=get("system", "").strip(),
            user=self.data["user"].strip(),
            turn=get("turn", ""),
            focus=MappingProxyType(dict(get("focus", {}))),
            structured=self.structured(),
            explain={"score_pair": "after", "choice": "none"}.get(parser, "first"),
        )

    def _values(self) -> None:
        """The values that are one of a few."""
        parsers = [parser for parser in PARSERS if parser != "ranking"]
        self.one_of("form", ("pair", "single"))
        self.one_of("turns", ("single", "multi"))
        self.one_of("parser", parsers)
        self.at_least_one("max_tokens", self.data["max_tokens"])
        if (self.data["parser"] == "single_grade") != (self.data["form"] == "single"):
            raise self.refuse("parser", "single_grade and form 'single' go together")

    def _templates(self, form: str, turns: str) -> None:
        used = self.fields_of("user", self.data["user"])
        if list(used) != self.data["fields"]:
            raise self.refuse(
                "fields", f"the template holds, in this order: {', '.join(used) or 'nothing'}"
            )
        wanted = set(_FIELDS[form, turns])
        if self.data["reference"]:
            wanted.add("reference")
        if odd := wanted ^ set(used):
            problem = "lacks" if odd & wanted else "has no use for"
            raise self.refuse("user", f"the template {problem} {{{min(odd & wanted or odd)}}}")
        if turns == "single":
            for key in ("turn", "focus"):
                if key in self.data:
                    raise self.refuse(key, "belongs to prompts with turns = 'multi'")
            return
        self.turn_and_focus(self.data)

"""The manifest beside an export: of what and by which command, to write it again and check it."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import BadInput, TiebreakError, Where
from core.gold import GoldModel, GoldRule
from core.layouts.rows import Options

VERSION = 1
"""Of manifests and of what the layouts write: another number writes other bytes."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be written: gold, votes or the study, in which layout, with which options."""

    what: str
    format: str
    options: Options = field(default_factory=Options)

    def command(self, output: str) -> str:
        """The command that gives this order; names that are no part of the export left out."""
        words = ["tiebreak", "export", self.what, "--format", self.format]
        for name, value in _changed(self.options).items():
            option = "--" + name.replace("_", "-")
            words += [option] if value is True else [option, str(value)]
        return shlex.join([*words, "--output", output])


def _changed(options: Options) -> dict[str, Any]:
    """The options that are not as they are unless given, flat, as the command line names them."""
    found: dict[str, Any] = {}
    for one in dataclasses.fields(Options):
        value = getattr(options, one.name)
        if one.name == "rule":
            found |= {
                _RULE.get(part.name, part.name): getattr(value, part.name)
                for part in dataclasses.fields(GoldRule)
                if getattr(value, part.name) != getattr(GoldRule(), part.name)
            }
        elif value != getattr(Options(), one.name):
            found[one.name] = value
    return found


_RULE = {"share": "majority", "model": "by"}
"""What the command line calls a part of the rule, where it is another word."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A study as it was, in what may have changed since.

    Attributes:
        heads: log → the number and hash of its last row.
        known: people that there were, by row number.
        annotators: pseudonym → group, simulated, retired, of those whose votes count; None for
            whoever counts now.
        unknown: what was not known yet: categories, questions, references and answers by name,
            or ``all`` of what was looked at.
        title: the study's name.
        at: when it was; None for now.
    """

    heads: Mapping[str, tuple[int, str]]
    known: int
    annotators: Mapping[str, Mapping[str, Any]] | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest's content.

    Attributes:
        tiebreak: the version that wrote it.
        schema: the study's schema version then.
        study: ``id``, which follows from the study's secret seed, and ``name``.
        files: ``name``, ``bytes``, ``rows``, ``sha256`` of each.
        left_out: rows that are in no file, by reason.
        prompts: prompts that were rendered, id → hash.
        needs: modules that make the bytes what they are, with their versions.
    """

    order: Order
    moment: Moment
    tiebreak: str
    schema: int
    study: Mapping[str, str]
    made_at: str
    output: str
    is_folder: bool
    files: Sequence[Mapping[str, Any]]
    left_out: Mapping[str, int]
    prompts: Mapping[str, str]
    needs: Mapping[str, str]

    def dump(self) -> str:
        """As it is written."""
        moment = self.moment
        return (
            json.dumps(
                {
                    "manifest": VERSION,
                    "tiebreak": self.tiebreak,
                    "schema": self.schema,
                    "command": self.order.command(self.output),
                    "made_at": self.made_at,
                    "study": dict(self.study),
                    "heads": {
                        log: {"rows": seq, "hash": digest}
                        for log, (seq, digest) in moment.heads.items()
                    },
                    "what": self.order.what,
                    "format": self.order.format,
                    "options": dataclasses.asdict(self.order.options),
                    "output": self.output,
                    "folder": self.is_folder,
                    "files": list(self.files),
                    "left_out": dict(self.left_out),
                    "prompts": dict(self.prompts),
                    "needs": dict(self.needs),
                    "people": moment.known,
                    "annotators": dict(moment.annotators or {}),
                    "unknown": dict(moment.unknown),
                },
                indent=1,
                ensure_ascii=True,
            )
            + "\n"
        )


def is_one(path: Path) -> bool:
    """Whether a file begins as a manifest does, whatever it is called."""
    try:
        with path.open("rb") as stream:
            return stream.read(64).split()[:2] == [b"{", b'"manifest":']
    except OSError:
        return False


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        BadInput: if it is none.
        TiebreakError: if it is of another version.
    """
    where = Where(str(path))
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(where, "", "there is no such file", "name the manifest") from None
    except OSError as error:
        raise BadInput(where, "", f"cannot be read: {error.strerror}", _HINT) from None
    except (ValueError, RecursionError) as error:
        raise BadInput(where, "", "is no manifest: it is not JSON", _HINT) from error
    if not isinstance(data, dict) or "manifest" not in data:
        raise BadInput(where, "manifest", "is missing, so this is no manifest", _HINT)
    if data["manifest"] != VERSION:
        raise TiebreakError(
            f"{path}: is a manifest of version {str(data['manifest'])[:20]}, not {VERSION}",
            f"use the Tiebreak that wrote it: {str(data.get('tiebreak'))[:20]}",
        )
    try:
        return _manifest(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(where, "", f"is damaged: {error!r:.80}", _HINT) from error


_HINT = "a manifest stands beside what it is of, and its name ends in .manifest.json"


def _manifest(data: Mapping[str, Any]) -> Manifest:
    options = dict(data["options"])
    rule = dict(options.pop("rule"))
    rule["model"] = GoldModel(rule["model"])
    heads = {log: (int(end["rows"]), str(end["hash"])) for log, end in data["heads"].items()}
    if set(heads) != {"vote", "verdict", "ruling"}:
        raise ValueError("heads")
    files = [dict(one) for one in data["files"]]
    for one in files:
        name = str(one["name"])
        if Path(name).is_absolute() or ".." in Path(name).parts or "sha256" not in one:
            raise ValueError("files")
    output = str(data["output"])
    if Path(output).name != output or not output:
        raise ValueError("output")
    return Manifest(
        Order(str(data["what"]), str(data["format"]), Options(rule=GoldRule(**rule), **options)),
        Moment(
            heads,
            int(data["people"]),
            dict(data["annotators"]),
            dict(data["unknown"]),
            str(data["study"]["name"]),
            str(data["made_at"]),
        ),
        str(data["tiebreak"]),
        int(data["schema"]),
        dict(data["study"]),
        str(data["made_at"]),
        output,
        bool(data["folder"]),
        files,
        dict(data["left_out"]),
        dict(data["prompts"]),
        dict(data["needs"]),
    )

"""Writing an export again from its manifest, and checking one against manifest and study."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.errors import BadInput, StudyBroken, TiebreakError, Where
from core.file_diff import differences
from core.formats import fingerprint
from db.schema import LATEST
from db.store import Store
from tui.export_files import SUFFIX, Unfinished, Written, followed, manifest_of, writing
from tui.exporting import Told, fill, needed, study_id
from tui.manifests import Manifest, is_one, read_manifest

_MOST = 5
"""Rows of a file that are listed; the others are counted."""


def replay(store: Store, path: Path, to: Path | None) -> tuple[Path, int]:
    """Write an export again, byte for byte, as of the moment of its manifest.

    Args:
        path: the manifest.
        to: the file or folder to write; where the export first stood unless given.

    Returns:
        What was written, and how many rows are in it.

    Raises:
        TiebreakError: if the study is not the one, or the bytes cannot be had again; nothing is
            written then.
    """
    manifest = read_manifest(path)
    output = path.parent / manifest.output if to is None else to
    if to is None and output.exists() and not _is_written(manifest, output):
        raise TiebreakError(
            f"{output}: is there, and is not what the manifest describes",
            "name another place: --to FILE",
        )
    if to is None and output.exists():
        return output, sum(one["rows"] for one in manifest.files)
    _check_study(store, manifest)
    with writing(output, is_folder=manifest.is_folder) as files:
        told = _again(store, manifest, files)
        files.keep(None if manifest_of(files.output) == path else path.read_text("utf-8"))
    return output, told.count


def _is_written(manifest: Manifest, output: Path) -> bool:
    return not list(_bytes(manifest, output))


def _again(store: Store, manifest: Manifest, files: Unfinished) -> Told:
    """Fill files as of then.

    Raises:
        TiebreakError: if they are not as they were.
    """
    told = fill(store, manifest.order, files, manifest.moment)
    written = files.close()
    if problem := _unlike(manifest, written, told.prompts):
        raise TiebreakError(*problem)
    return told


def _unlike(manifest: Manifest, written: list[Written], prompts: Any) -> tuple[str, str] | None:
    """Why files are not the ones of a manifest; None if they are."""
    if {one["name"]: one["sha256"] for one in manifest.files} == {
        one.name: one.sha256 for one in written
    }:
        return None
    for prompt, digest in manifest.prompts.items():
        if prompts.get(prompt, digest) != digest:
            return (
                f"the prompt {prompt!r} is no longer worded as it was, so its lines are others",
                f"use the Tiebreak that wrote it: {manifest.tiebreak}",
            )
    for module, then in manifest.needs.items():
        if (now := needed(manifest.order).get(module)) != then:
            return (
                f"the file was written with {module} {then}, and this is {module} {now}",
                f"pip install '{module}=={then}'; its rows are the same",
            )
    if manifest.order.what == "study":
        return (
            "a whole study holds settings, people, texts and queue as they are now: these have "
            "changed since, and the same bytes cannot be had again",
            "keep the file itself; gold and votes can be written again at any time",
        )
    return (
        "the same bytes cannot be had again: what the study says of then is no longer the same",
        "`tiebreak verify FILE` says which rows differ, `tiebreak verify` whether the study was "
        f"changed outside Tiebreak; it was written by Tiebreak {manifest.tiebreak}",
    )


def _check_study(store: Store, manifest: Manifest) -> None:
    """Refuse a study that is not the one, or has lost what the manifest rests on.

    Raises:
        StudyBroken: if a log never stood where it stood then.
        TiebreakError: if it is another study.
    """
    for problem in _study(store, manifest):
        raise StudyBroken(problem, "give --db the study that this was exported from")
    if manifest.schema > LATEST:
        raise TiebreakError(
            f"the manifest is of a study of version {manifest.schema}, newer than this Tiebreak",
            f"use Tiebreak {manifest.tiebreak} or a newer one",
        )


def _study(store: Store, manifest: Manifest) -> Iterator[str]:
    if study_id(store) != manifest.study.get("id"):
        yield "this is not the study that the manifest is of"
        return
    with store.read() as connection:
        for log, (seq, digest) in manifest.moment.heads.items():
            row = connection.execute(f"SELECT hash FROM {log} WHERE seq = ?", (seq,)).fetchone()
            if (row[0] if row else "") != digest:
                yield (
                    f"the {log} log is not the one that was exported: its row {seq:,} is "
                    f"{'another' if row else 'missing'}"
                )


def _bytes(manifest: Manifest, output: Path) -> Iterator[str]:
    """What of the files is not as the manifest has it."""
    named = {one["name"] for one in manifest.files}
    for one in manifest.files:
        path = output / one["name"] if one["name"] else output
        if not path.is_file():
            yield f"{path}: is {'a folder' if path.is_dir() else 'missing'}"
        elif fingerprint(path) != one["sha256"]:
            yield f"{path}: is not the file that was written"
    if manifest.is_folder and output.is_dir():
        for path in sorted(output.rglob("*")):
            name = path.relative_to(output).as_posix()
            if path.is_file() and name not in named:
                yield f"{path}: is no file of this export"


def _stated(manifest: Manifest, told: Told, files: Unfinished, beside: Path) -> Iterator[str]:
    """What a manifest says of its export that is not so."""
    said = json.loads(beside.read_bytes()).get("command")
    if said != manifest.order.command(manifest.output):
        yield f"{beside}: its command is not the one that its options stand for"
    if dict(manifest.left_out) != dict(told.left_out):
        yield f"{beside}: what it says was left out is not what is"
    for one in manifest.files:
        if one.get("rows") != told.rows.get(one["name"], 0):
            yield f"{beside}: the number of rows that it gives is not the number there is"
        again = files.place / one["name"] if one["name"] else files.place
        if again.is_file() and one.get("bytes") != again.stat().st_size:
            yield f"{beside}: the number of bytes that it gives is not the number there is"


def verify_file(store: Store, path: Path) -> list[str]:
    """What is not right with an export: its bytes, its rows, the study that it came from.

    Args:
        path: the file or folder, or its manifest.

    Raises:
        BadInput: if there is no manifest beside it.
    """
    if path.name in ("", ".."):
        path = path.resolve()  # such as "." in the folder of an export
    if not path.name:
        raise BadInput(Where(str(path)), "", "is no export", "name the file or folder")
    if path.is_symlink() and not manifest_of(path).exists():
        path = followed(path)  # where a link was exported to, the manifest stands beside the file
    is_manifest = path.name.endswith(SUFFIX) or is_one(path)
    beside = path if is_manifest else manifest_of(path)
    if not beside.exists() and not path.exists():
        raise BadInput(Where(str(path)), "", "there is no such file", "look at the path")
    if not beside.exists():
        raise BadInput(
            Where(str(path)),
            "",
            f"no manifest stands beside it: {beside.name}",
            f"where it was renamed or moved, put it back as {beside.name}, or name it here "
            "instead, with the export beside it as it was called when it was written",
        )
    manifest = read_manifest(beside)
    output = path.parent / manifest.output if is_manifest else path
    findings = [*_bytes(manifest, output), *_study(store, manifest)]
    findings += [f"the study: {finding}" for finding in store.verify()]
    with tempfile.TemporaryDirectory(prefix="tiebreak-") as folder:
        files = Unfinished(Path(folder) / "again", is_folder=manifest.is_folder)
        try:
            findings += _stated(manifest, _again(store, manifest, files), files, beside)
        except TiebreakError as error:
            findings.append(error.message)
        finally:
            files.close()
        for one in manifest.files:
            name = one["name"]
            found = output / name if name else output
            again = files.place / name if name else files.place
            if found.is_file() and again.is_file() and fingerprint(again) != fingerprint(found):
                findings += differences(found, again, most=_MOST)
        files.drop()
    return findings

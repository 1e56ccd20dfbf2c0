"""Errors that a person reads.

    TiebreakError          exit 1: refused, with the reason
    ├── BadInput           a file's line or field cannot be read
    ├── Conflict           the study already holds something that contradicts this
    ├── StudyBroken        the database is damaged, tampered with, or of a newer version
    ├── StudyUnavailable   the database cannot be opened, written or locked right now
    │   ├── NotAdmitted    the study is there, but not for this person at this moment
    │   └── NotForAnnotators  a screen asked for what an annotator must not see; a mistake of ours
    └── UsageError         exit 2: the command itself was wrong

Each carries one clear line: what is wrong and where, and a hint: how to mend it.
"""

from __future__ import annotations

from dataclasses import dataclass


class TiebreakError(Exception):
    """A refusal with its reason.

    Args:
        message: what is wrong, and where; one line.
        hint: what the person can do about it; one line, may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Where:
    """The place in an input that a record came from.

    ``line`` counts from 1; 0 means the file as a whole.
    """

    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


class BadInput(TiebreakError):
    """A line of an input file that cannot be taken as it is."""

    def __init__(self, where: Where, field: str, problem: str, hint: str = "") -> None:
        place = f"{where}, field {field!r}" if field else str(where)
        super().__init__(f"{place}: {problem}", hint)
        self.where = where
        self.field = field


class Conflict(TiebreakError):
    """What is offered contradicts what the study already holds."""


class StudyBroken(TiebreakError):
    """The study file is damaged, was tampered with, or is not a study."""


class StudyUnavailable(TiebreakError):
    """The study file cannot be read or written at this moment."""


class StudyBusy(StudyUnavailable):
    """Another process has been writing to the study file for too long."""


class NotAdmitted(StudyUnavailable):
    """This person is not known here, or may not vote at this moment."""


class NotForAnnotators(StudyUnavailable):
    """An annotator's connection was asked for what it must not see or do."""


class UsageError(TiebreakError):
    """The command was called in a way that it does not understand."""

    exit_code = 2

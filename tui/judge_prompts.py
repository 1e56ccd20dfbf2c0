"""A study's judges and their prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.records import Judge
from judges.families import Family, Prompts
from judges.prompt_files import load_prompts

if TYPE_CHECKING:
    from db.store import Store


def prompts_of(store: Store, record: Judge) -> Family | Prompts | None:
    """What a judge is asked with: its prompt as the study keeps it, else the files.

    Raises:
        TiebreakError: what the study keeps cannot be read.
    """
    if not record.prompt:
        return None
    wording = store.judging.wording(record.name)
    return Family.load(wording) if wording else load_prompts()

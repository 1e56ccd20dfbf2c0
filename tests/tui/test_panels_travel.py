"""Panels and judges' wording go along where a study goes: by file, and by merging."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import Conflict, TiebreakError
from core.panels import Panel, PanelRule
from core.records import Judge
from db.merging import merge
from db.store import Store
from judges.models import new_judge
from judges.prompt_files import load_prompts
from tests.studies import make_study
from tui.exporting import Options
from tui.exporting import write as write_out
from tui.importing import import_path
from tui.judge_prompts import prompts_of


def exported(store: Store) -> str:
    stream = io.StringIO()
    write_out(store, "study", "jsonl", Options(), stream)
    return stream.getvalue()


def _is_ours(line: str) -> bool:
    return json.loads(line)["type"] in ("panel", "prompt")


def with_panels(path: Path) -> Path:
    make_study(path)
    with Store(path) as store:
        wording = load_prompts().family("pairwise").dump()
        record = new_judge("llm", "openai", "m", endpoint="http://h/v1")
        store.judging.add(record, wording)
        store.judging.add(Judge("coin", "baseline", "coin"))
        store.panels.add(Panel("both", PanelRule.WEIGHTED, {"llm": 2.0, "coin": 0.5}))
        store.panels.add(Panel("fitted", PanelRule.WEIGHTED, {"llm": None, "coin": None}))
    return path


def test_panels_and_prompts_travel_in_the_native_format(tmp_path: Path) -> None:
    with Store(with_panels(tmp_path / "a.db")) as store:
        text, panels = exported(store), store.panels.every()
        kept = store.judging.wording("llm")
    file = tmp_path / "a.jsonl"
    file.write_text(text, "utf-8")
    for _ in range(2):  # again changes nothing
        import_path(tmp_path / "b.db", file)
    with Store(tmp_path / "b.db") as store:
        assert store.panels.every() == panels
        assert store.judging.wording("llm") == kept
        told = [set(filter(_is_ours, one.splitlines())) for one in (exported(store), text)]
        assert told[0] == told[1]
        assert len(told[0]) == 3
        family = prompts_of(store, store.judging.judge("llm"))
        assert family is not None
        assert family.hash == load_prompts().hash("pairwise")
        store.panels.remove("both")
        store.panels.add(Panel("both", PanelRule.MAJORITY, {"llm": 1}))
    with pytest.raises(Conflict, match="panel 'both'"):
        import_path(tmp_path / "b.db", file)
    other = text.replace("Weigh what matters", "Consider what matters")
    file.write_text(other, "utf-8")
    with Store(tmp_path / "b.db") as store:
        store.panels.remove("both")
    with pytest.raises(Conflict, match="another prompt"):
        import_path(tmp_path / "b.db", file)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"type": "panel", "name": "p", "rule": "majority", "members": {"nobody": 1}}, "nobody"),
        ({"type": "panel", "name": "p", "rule": "loudest", "members": {"a": 1}}, "rule"),
        ({"type": "panel", "name": "p", "rule": "weighted", "members": {"a": "x"}}, "weight"),
        (
            {"type": "panel", "name": "p", "rule": "weighted", "members": {"a": -1}},
            "'a' is -1",
        ),
        ({"type": "panel", "name": "p", "rule": "majority", "members": {}}, "no members"),
        ({"type": "prompt", "judge": "nobody", "wording": {"variants": [{}]}}, "nobody"),
        ({"type": "prompt", "judge": "a", "wording": {"variants": []}}, "variants"),
    ],
)
def test_lines_that_are_no_panel_and_no_prompt(
    tmp_path: Path, line: dict[str, Any], words: str
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps(line) + "\n", "utf-8")
    with pytest.raises(TiebreakError, match=words):
        import_path(tmp_path / "b.db", file)
    assert not (tmp_path / "b.db").exists()


def test_panels_are_merged_and_those_that_contradict_are_listed(tmp_path: Path) -> None:
    ours, theirs = with_panels(tmp_path / "ours.db"), with_panels(tmp_path / "theirs.db")
    with Store(theirs) as store:
        store.panels.remove("both")
        store.panels.add(Panel("both", PanelRule.MAJORITY, {"llm": 1, "coin": 1}))
        store.panels.add(Panel("alone", PanelRule.MAJORITY, {"coin": 1}))
    with Store(ours) as store:
        before = store.panels.every()
        merged = merge(store, theirs)
        assert not merged.is_done
        assert [one for one in merged.conflicts if "panel 'both'" in one]
        assert store.panels.every() == before
        merged = merge(store, theirs, leave_out_conflicts=True)
        assert (merged.new["panels"], merged.unchanged["panels"]) == (1, 1)
        assert merged.left_out["panels"] == 1
        assert [panel.name for panel in store.panels.every()] == ["both", "fitted", "alone"]
        assert store.panels.every()[0] == before[0]

"""Gold to train a judge on and to check it with: its own prompt, and the reply that is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.blinding import as_seen
from core.layouts.preferences import write_line
from core.layouts.rows import (
    AS_TIE,
    DROP,
    KEEP,
    Files,
    Layout,
    Row,
    Telling,
    about,
    drawn_left,
    is_held_out,
    with_labels,
    with_texts,
)
from core.records import Choice

SPLITS = ("train", "validation")


def _write(rows: Iterable[Row], telling: Telling, files: Files) -> None:
    names = [f"{split}.jsonl" for split in SPLITS]
    streams = [files.text(name) for name in names]
    for row, label, _ in with_texts(with_labels(rows, telling), telling):
        target = _target(label, telling)
        if target is None:
            continue
        split = int(is_held_out(row.item.pair.question, telling.options))
        for left in _lefts(row, telling):
            line = _line(row, target, left, telling)
            if line is not None:
                write_line(streams[split], line)
                telling.written[names[split]] += 1


def _target(label: Choice, telling: Telling) -> Choice | None:
    """What the judge should say; None where the lead chose to leave it out."""
    options = telling.options
    if label is Choice.TIE and options.ties != KEEP:
        telling.left_out["ties"] += 1
        return None
    if label is Choice.BOTH_BAD and options.both_bad == DROP:
        telling.left_out["both bad"] += 1
        return None
    return Choice.TIE if label is Choice.BOTH_BAD and options.both_bad == AS_TIE else label


def _lefts(row: Row, telling: Telling) -> Sequence[int]:
    if telling.options.orders == "both":
        return (1, 2)
    return (drawn_left(row.item.pair.key, row.item.turn, telling.options.seed),)


def _line(row: Row, target: Choice, left: int, telling: Telling) -> dict[str, object] | None:
    assert telling.ask is not None
    asked = telling.ask(row, left)
    seen = as_seen(target, left)
    if asked is None or seen not in asked.replies:
        telling.left_out["not for this prompt"] += 1
        return None
    telling.prompts[asked.prompt] = asked.prompt_hash
    return {
        "prompt": [{"role": role, "content": content} for role, content in asked.messages],
        "completion": [{"role": "assistant", "content": asked.replies[seen]}],
        "seen": seen,
        "left": f"model_{left}",
        "judge_prompt": asked.prompt,
        "prompt_hash": asked.prompt_hash,
    } | about(row)


LAYOUT = Layout(
    "judge",
    "training and validation sets for a judge",
    _write,
    folder=True,
    texts=True,
    labelled=True,
    ties=(DROP, KEEP),
    both_bad=(DROP, AS_TIE, KEEP),
    is_split=True,
    is_asked=True,
)

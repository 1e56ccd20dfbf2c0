"""Gold as preference data: a prompt, the answer that was chosen and the one that was rejected.

As TRL and other trainers read it: ``prompt``, ``chosen`` and ``rejected`` as plain texts, or as
lists of messages with ``role`` and ``content``. From the second turn on the two conversations
part before the last answer, since each model went on from its own. ``prompt`` is then what both
have in common, the first question, and ``chosen`` and ``rejected`` go on from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any

from core.items import Texts
from core.layouts.rows import (
    BOTH,
    DROP,
    Files,
    Layout,
    Options,
    Row,
    Telling,
    about,
    is_held_out,
    with_labels,
    with_texts,
)
from core.records import Choice
from core.text import many

TAKEN = (DROP, BOTH)

Sides = Callable[[Texts, int, int], tuple[Any, Any]]
"""(texts, model, last turn) → the prompt, and how that model went on."""


def messages(texts: Texts, model: int, last: int) -> tuple[Any, Any]:
    """A conversation as messages: the first question, and all that follows it."""
    turns = zip(texts.question.turns[:last], texts.answers[model - 1], strict=False)
    told = [
        {"role": role, "content": content}
        for question, answer in turns
        for role, content in (("user", question), ("assistant", answer))
    ]
    return told[:1], told[1:]


def plain(texts: Texts, model: int, last: int) -> tuple[Any, Any]:
    """A conversation as texts; what follows the first answer is marked with who speaks."""
    first, answer = texts.question.turns[0], texts.answers[model - 1][0]
    later = zip(texts.question.turns[1:last], texts.answers[model - 1][1:], strict=False)
    return first, answer + "".join(
        f"\n\nUser: {asked}\n\nAssistant: {said}" for asked, said in later
    )


def preferences(
    rows: Iterable[Row], telling: Telling, sides: Sides
) -> Iterator[tuple[Row, dict[str, Any]]]:
    """The rows of a preference set, each with where it comes from."""
    for row, label, texts in with_texts(with_labels(rows, telling), telling):
        last = texts.last_turn(row.item.turn)
        for chosen in _chosen(label, telling):
            prompt, better = sides(texts, chosen, last)
            _, worse = sides(texts, 3 - chosen, last)
            yield (
                row,
                {"prompt": prompt, "chosen": better, "rejected": worse}
                | about(row)
                | {"chosen_model": f"model_{chosen}"},
            )


def _chosen(label: Choice, telling: Telling) -> Sequence[int]:
    """Which models count as chosen, one row each."""
    if label is Choice.MODEL_1:
        return (1,)
    if label is Choice.MODEL_2:
        return (2,)
    options: Options = telling.options
    what, word = ("ties", options.ties) if label is Choice.TIE else ("both bad", options.both_bad)
    if word == BOTH:
        return (1, 2)
    telling.left_out[what] += 1
    return ()


def write_line(stream: IO[str], line: Any) -> None:
    """One JSON object on a line of its own."""
    stream.write(json.dumps(line, ensure_ascii=False) + "\n")


def _writer(sides: Sides) -> Callable[[Iterable[Row], Telling, Files], None]:
    def write(rows: Iterable[Row], telling: Telling, files: Files) -> None:
        stream = files.text()
        for _, line in preferences(rows, telling, sides):
            write_line(stream, line)
            telling.written[""] += 1

    return write


SPLITS = ("train", "test")


def _hugging_face(rows: Iterable[Row], telling: Telling, files: Files) -> None:
    names = [f"data/{split}.jsonl" for split in SPLITS]
    streams = [files.text(name) for name in names]
    questions: list[set[str]] = [set(), set()]
    for row, line in preferences(rows, telling, messages):
        question = row.item.pair.question
        split = int(is_held_out(question, telling.options))
        write_line(streams[split], line)
        telling.written[names[split]] += 1
        questions[split].add(question)
    counts = [telling.written[name] for name in names]
    files.text("README.md").write(_card(telling, counts, [len(one) for one in questions]))


def _card(telling: Telling, rows: Sequence[int], questions: Sequence[int]) -> str:
    options = telling.options
    files = "".join(
        f"  - split: {split}\n    path: data/{split}.jsonl\n"
        for split, count in zip(SPLITS, rows, strict=True)
        if count  # `datasets` loads nothing at all where one split is empty
    )
    configs = f"configs:\n- config_name: default\n  data_files:\n{files}" if files else ""
    left_out = "".join(
        f"- left out, {reason}: {count:,}\n" for reason, count in sorted(telling.left_out.items())
    )
    said = "".join(
        f"- `{split}`: {many(count, 'row')} on {many(on, 'question')}\n"
        for split, count, on in zip(SPLITS, rows, questions, strict=True)
    )
    return f"""---
{configs}{_FEATURES}tags:
- preference
- dpo
---

# Preferences{" of " + _inert(telling.title) if telling.title else ""}

{said}{left_out}
Each row holds `prompt`, `chosen` and `rejected` as lists of messages, and where it comes from:
`question`, `category`, `turn`, `model_1`, `model_2`, `gold` (the label that counts), `decided_by`
(a lead's ruling, or the votes) and `chosen_model`.

No question is in both splits: each falls into `test` by a coin of its own with chance
{options.held_out:g} (seed {options.seed}).

{_BECAME[options.ties].format("a tie")}
{_BECAME[options.both_bad].format("both bad")}

Written by Tiebreak; the manifest beside this folder says of which votes and rulings.
"""


def _features() -> str:
    """The types of all columns: those of a column of nulls are anybody's guess."""
    messages = "".join(
        f"  - name: {name}\n    list:\n    - name: role\n      dtype: string\n"
        "    - name: content\n      dtype: string\n"
        for name in ("prompt", "chosen", "rejected")
    )
    told = ("question", "category", "turn", "model_1", "model_2", "gold", "decided_by")
    plain = "".join(
        f"  - name: {name}\n    dtype: {'int64' if name == 'turn' else 'string'}\n"
        for name in (*told, "chosen_model")
    )
    return f"dataset_info:\n  features:\n{messages}{plain}"


_FEATURES = _features()

_BECAME = {
    "": "No label is {}.",
    DROP: "A row whose label is {} is left out.",
    BOTH: "A row whose label is {} is here twice, with each answer chosen once.",
}
"""What became of ties and of both bad: unchosen, there are none."""


def _inert(title: str) -> str:
    """A name on one line of Markdown, with nothing in it that Markdown would read."""
    line = " ".join(title.split())
    return "".join("\\" + sign if sign in "\\`*_{}[]<>()#!|~&$:-" else sign for sign in line)


LAYOUTS = (
    Layout(
        "dpo",
        "preference data as texts",
        _writer(plain),
        texts=True,
        labelled=True,
        ties=TAKEN,
        both_bad=TAKEN,
    ),
    Layout(
        "dpo-chat",
        "preference data as messages",
        _writer(messages),
        texts=True,
        labelled=True,
        ties=TAKEN,
        both_bad=TAKEN,
    ),
    Layout(
        "hugging-face",
        "a data set folder of preferences as messages, in two splits",
        _hugging_face,
        folder=True,
        texts=True,
        labelled=True,
        ties=TAKEN,
        both_bad=TAKEN,
        is_split=True,
    ),
)

"""FastChat's ``judge_prompts.jsonl``: one prompt a line, as MT-bench's judges were asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.errors import BadInput, Where
from core.records import Seen
from judges.parsing import Grammar
from judges.plain_prompts import SCORES, fields_shown, labels_offered
from judges.prompt_checks import text_of
from judges.prompting import Prompt

MAX_TOKENS = 2048
"""What FastChat allows its judges."""

_NEEDED = ("name", "type", "prompt_template", "output_format")
_FORMATS = {
    "pairwise": {"[[A]]": "bracket", SCORES: "score_brackets"},
    "single": {"[[rating]]": "single_grade"},
}
_JOINT = {
    "bracket": "fastchat-pairwise",
    "score_brackets": "fastchat-scores",
    "single_grade": "fastchat-single",
}
_LABELS = {"A": Seen.LEFT, "B": Seen.RIGHT, "C": Seen.TIE}
_MULTI = "-multi-turn"


def read_fastchat(path: Path) -> tuple[list[Prompt], dict[str, list[Prompt]]]:
    """Read FastChat's prompts, as they are.

    A prompt's family is its name without ``-multi-turn``. Where the file has one prompt for
    each situation, ``fastchat-pairwise``, ``fastchat-scores`` and ``fastchat-single`` join those
    with a reference to those without, as FastChat itself does by category.

    Returns:
        The prompts, and the members of the joint families.

    Raises:
        BadInput: naming the file, the line, the field and how to mend it.
    """
    lines = text_of(path).split("\n")
    found = [
        _prompt(Where(str(path), number), line)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not found:
        raise BadInput(Where(str(path)), "", "holds no prompt", "one JSON object a line")
    joint: dict[str, list[Prompt]] = {}
    for parser, name in _JOINT.items():
        members = [prompt for prompt in found if prompt.parser == parser]
        places = {(prompt.multi, prompt.reference, prompt.turns) for prompt in members}
        if len({prompt.family for prompt in members}) > 1 and len(places) == len(members):
            joint[name] = [_joined(prompt, name) for prompt in members]
    return found, joint


def _joined(prompt: Prompt, family: str) -> Prompt:
    return replace(prompt, id=f"{family}/{prompt.id}", family=family)


def _prompt(where: Where, line: str) -> Prompt:
    try:
        data: Any = json.loads(line)
    except ValueError as error:
        raise BadInput(where, "", f"not JSON: {error}", "one JSON object a line") from None
    if not isinstance(data, dict):
        raise BadInput(where, "", "not a JSON object", "one JSON object a line")
    for key in (*_NEEDED, "system_prompt"):
        if not isinstance(data.get(key, ""), str) or (key in _NEEDED and not data.get(key)):
            raise BadInput(
                where, key, "missing, empty or not a text", f"a prompt has: {', '.join(_NEEDED)}"
            )
    if data["type"] not in _FORMATS:
        raise BadInput(
            where, "type", f"{data['type']!r} is not pairwise or single", "write others as .toml"
        )
    formats = _FORMATS[data["type"]]
    parser = formats.get("".join(data["output_format"].split()))
    if parser is None:
        raise BadInput(
            where,
            "output_format",
            f"{data['output_format']!r} does not go with the type {data['type']!r}",
            f"{data['type']} prompts take {' or '.join(formats)}; write others as .toml",
        )
    shown = fields_shown(where, data["prompt_template"])
    system = data.get("system_prompt", "").strip()
    if (shown.form == "single") != (data["type"] == "single"):
        raise BadInput(
            where,
            "prompt_template",
            f"its fields do not fit {data['type']}",
            "pairwise shows {answer_a} and {answer_b}, single {answer}",
        )
    wording = f"{system}\n{data['prompt_template']}"
    labels = labels_offered(where, wording, _LABELS) if parser == "bracket" else {}
    name = data["name"]
    return Prompt(
        id=name,
        family=name.removesuffix(_MULTI),
        title=str(data.get("description") or "FastChat's prompt"),
        form=shown.form,
        multi=shown.turns > 1,
        reference=shown.reference,
        parser=parser,
        grammar=Grammar(MappingProxyType(dict(labels))),
        max_tokens=MAX_TOKENS,
        system=system,
        user=data["prompt_template"].strip(),
        turns=shown.turns if shown.turns > 1 else 0,
    )

"""A template with named fields in a plain text file: its fields and labels say the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from core.errors import BadInput, Where
from core.records import Seen
from judges.parsing import Grammar
from judges.prompt_checks import text_of
from judges.prompting import NUMBERED, Prompt
from judges.templates import Template

MAX_TOKENS = 1024

SCORES = "[[rating_a,rating_b]]"
"""How a wording asks for two scores, spaces left out."""

_KNOWN = {"question", "answer_a", "answer_b", "answer", "reference"}
_LABELS: Mapping[str, Seen] = {
    "A": Seen.LEFT,
    "B": Seen.RIGHT,
    "C": Seen.TIE,
    "Tie": Seen.TIE,
    "D": Seen.BOTH_BAD,
}
_LEVELS: Mapping[str, Seen] = {
    "A>>B": Seen.LEFT,
    "A>B": Seen.LEFT,
    "A=B": Seen.TIE,
    "B>A": Seen.RIGHT,
    "B>>A": Seen.RIGHT,
}
_HINT = "see docs/judges.md, Your own prompts"


@dataclass(frozen=True, slots=True)
class Fields:
    """What the fields of a template show.

    Attributes:
        form: ``pair`` or ``single``.
        turns: how many turns it has room for; 1 for a single turn.
        reference: whether it shows a reference answer.
    """

    form: str
    turns: int
    reference: bool


def fields_shown(where: Where, text: str) -> Fields:
    """What a template shows: ``{question}`` and ``{answer_a}``, or turn by turn.

    Raises:
        BadInput: a field is not known, or one is missing.
    """
    try:
        fields = Template(text).fields
    except ValueError as error:
        raise BadInput(where, "", str(error), "write {{ and }} for braces") from None
    numbered = [found for name in fields if (found := NUMBERED.fullmatch(name))]
    odd = [n for n in fields if n not in _KNOWN and not NUMBERED.fullmatch(n)]
    if odd:
        known = ", ".join(sorted(_KNOWN))
        raise BadInput(where, odd[0], "no such field", f"known: {known}; and question_1 …")
    kinds = {found[1] for found in numbered} | set(fields)
    form = "single" if "answer" in kinds else "pair"
    wanted = {"question", *(("answer",) if form == "single" else ("answer_a", "answer_b"))}
    if missing := wanted - kinds:
        raise BadInput(where, min(missing), "the template does not show it", _HINT)
    turns = max([int(f[2]) for f in numbered if f[1] != "ref_answer"], default=1)
    reference = bool(kinds & {"reference", "ref_answer"})
    return Fields(form, turns, reference)


def labels_offered(where: Where, text: str, labels: Mapping[str, Seen]) -> Mapping[str, Seen]:
    """The labels that a wording offers in double brackets.

    Raises:
        BadInput: it offers none for left, or none for right.
    """
    offered = {label: seen for label, seen in labels.items() if f"[[{label}]]" in text}
    if not {Seen.LEFT, Seen.RIGHT} <= set(offered.values()):
        raise BadInput(
            where,
            "",
            "does not say how the verdict is to be written",
            f"offer [[A]] and [[B]], [[A>>B]] to [[B>>A]], {SCORES}, or [[rating]] for one answer; "
            "any other grammar takes a .toml file",
        )
    return MappingProxyType(offered)


def read_plain(path: Path) -> Prompt:
    """Read a template: all of its text is sent, as one message.

    The grammar is the one whose labels the text offers.

    Raises:
        BadInput: naming the file and how to mend it.
    """
    where = Where(str(path))
    text = text_of(path).strip()
    shown = fields_shown(where, text)
    parser = "single_grade"
    labels: Mapping[str, Seen] = MappingProxyType({})
    if shown.form == "pair" and SCORES in "".join(text.split()) and "[[A]]" not in text:
        parser = "score_brackets"
    elif shown.form == "pair":
        parser = "five_level" if "[[A>>B]]" in text else "bracket"
        labels = labels_offered(where, text, _LEVELS if parser == "five_level" else _LABELS)
        if parser == "five_level" and "[[D]]" in text:
            labels = MappingProxyType({**labels, "D": Seen.BOTH_BAD})
    return Prompt(
        id=path.stem,
        family=path.stem,
        title="A template of one's own",
        form=shown.form,
        multi=shown.turns > 1,
        reference=shown.reference,
        parser=parser,
        grammar=Grammar(labels),
        max_tokens=MAX_TOKENS,
        system="",
        user=text,
        turns=shown.turns if shown.turns > 1 else 0,
    )

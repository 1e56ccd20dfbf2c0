"""What a layout is given: rows of gold, and what may be told of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from core.errors import UsageError
from core.gold import Gold, GoldRule
from core.items import Item, Texts
from core.records import Choice, Judge, Seen
from core.text import many

DROP, KEEP, BOTH, AS_TIE = "drop", "keep", "both-orders", "as-tie"
"""What may become of ties and of both bad in a layout that has no natural place for them."""

ORDERS = ("both", "one")
"""A judge's training pair in both orders, or in one that the seed draws."""


@dataclass(frozen=True, slots=True)
class Options:
    """What may leave, when votes decide, and what a lead chose of the layout.

    Attributes:
        names: annotators' names instead of pseudonyms.
        notes: annotators' notes and flags' texts; otherwise a flag says no more than that it is.
        ties, both_bad: one of the words above; empty where the lead did not choose.
        orders: one of :data:`ORDERS`.
        held_out: the chance of a question to be in the second of two splits.
        seed: what draws splits and orders.
        prompt: the judge's prompt that a training set is rendered with, in its style.
        category, model, against: only these pairs; None for all.
        turn: only this turn.
        group, annotator: only these people's votes.
        judge: only this judge's verdicts.
        since, until: only votes cast from and before these moments, ISO 8601 in UTC.
    """

    names: bool = False
    notes: bool = False
    rule: GoldRule = field(default_factory=GoldRule)
    ties: str = ""
    both_bad: str = ""
    orders: str = ORDERS[0]
    held_out: float = 0.1
    seed: int = 0
    prompt: str = "pairwise explain=none"
    category: str | None = None
    turn: int | None = None
    model: str | None = None
    against: str | None = None
    group: str | None = None
    annotator: str | None = None
    judge: str | None = None
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One pair and turn with its label.

    Attributes:
        item: what was said, votes that do not count left out.
        texts: None unless the layout asks for them.
    """

    item: Item
    gold: Gold
    texts: Texts | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a judge would be sent for one pair in one order.

    Attributes:
        messages: role and content of each.
        prompt: the variant's id.
        prompt_hash: as verdicts carry it.
        replies: the reply that says each outcome; an outcome it has no word for is absent.
    """

    messages: tuple[tuple[str, str], ...]
    prompt: str
    prompt_hash: str
    replies: Mapping[Seen, str]


class Files(Protocol):
    """Where a layout writes; ``name`` is empty for a layout of one file."""

    def text(self, name: str = "") -> IO[str]:
        """A file of text, UTF-8, with line ends as they are written."""

    def binary(self, name: str = "") -> IO[bytes]:
        """A file of bytes."""


@dataclass
class Telling:
    """What layouts tell beside the rows, and what they say they did.

    Attributes:
        what: ``gold`` or ``votes``: what a layout of comparisons tells.
        name: what an annotator is called here.
        scrubbed: a text that a person wrote, other people's names taken out unless asked for.
        simulated, retired: annotators of whom that is said.
        groups: annotator → group.
        judges: those whose verdicts there are, by name.
        ask: a pair as a judge would be asked about it, model ``left`` on the left; None where
            it cannot be asked.
        title: the study's name.
        written: rows by file.
        left_out: rows that are in no file, by reason.
        prompts: prompts that were rendered, id → hash.
    """

    options: Options
    what: str = "gold"
    name: Callable[[str], str] = str
    scrubbed: Callable[[str], str] = str
    simulated: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()
    groups: Mapping[str, str] = field(default_factory=dict)
    judges: Mapping[str, Judge] = field(default_factory=dict)
    ask: Callable[[Row, int], Asked | None] | None = None
    title: str = ""
    written: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    prompts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout.

    Attributes:
        what: which exports it can be of.
        write: writes rows; tells ``Telling`` how many, and what it left out and why.
        folder: whether it is several files in a folder.
        binary: whether its one file is no text.
        texts: whether rows need their texts.
        replies: whether verdicts need their raw replies.
        labelled: whether rows without a label have no place in it.
        ties, both_bad: what may become of them; empty where they have their own label.
        is_split: whether questions are split into two files.
        is_asked: whether it renders a judge's prompt.
        needs: a module that must be there, which the extra of that name installs.
    """

    id: str
    title: str
    write: Callable[[Iterable[Row], Telling, Files], None]
    what: tuple[str, ...] = ("gold",)
    folder: bool = False
    binary: bool = False
    texts: bool = False
    replies: bool = False
    labelled: bool = False
    ties: tuple[str, ...] = ()
    both_bad: tuple[str, ...] = ()
    is_split: bool = False
    is_asked: bool = False
    needs: str = ""

    def check(self, options: Options) -> None:
        """Refuse a choice that this layout does not have.

        Raises:
            UsageError: naming the option and what it takes.
        """
        for option, said, taken in (
            ("--ties", options.ties, self.ties),
            ("--both-bad", options.both_bad, self.both_bad),
        ):
            if said and said not in taken:
                hint = f"it takes: {', '.join(taken)}" if taken else "leave the option out"
                raise UsageError(f"the layout {self.id} has no {option} {said}", hint)

    def refuse_unchosen(self, rows: Iterable[Row], options: Options) -> None:
        """Refuse where the lead must choose first.

        Raises:
            UsageError: saying how many rows there are to choose for.
        """
        asked = {
            Choice.TIE: ("--ties", "is a tie", "are ties", self.ties, options.ties),
            Choice.BOTH_BAD: (
                "--both-bad",
                "is both bad",
                "are both bad",
                self.both_bad,
                options.both_bad,
            ),
        }
        open_for = {label for label, (*_, taken, said) in asked.items() if taken and not said}
        if not open_for or not self.labelled:
            return
        labels = [row.gold.label for row in rows]
        counts = {label: labels.count(label) for label in open_for}
        found = [label for label in asked if counts.get(label)]
        if found:
            said = " and ".join(
                f"{counts[label]:,} {asked[label][1 if counts[label] == 1 else 2]}"
                for label in found
            )
            raise UsageError(
                f"of {many(len(labels), 'row')}, {said}, which the layout {self.id} cannot hold "
                "as they are",
                "choose: "
                + ", ".join(f"{asked[label][0]} {'|'.join(asked[label][3])}" for label in found),
            )


def with_labels(rows: Iterable[Row], telling: Telling) -> Iterator[tuple[Row, Choice]]:
    """The rows that have a label; the others are counted as left out."""
    for row in rows:
        if row.gold.label is None:
            telling.left_out["unresolved"] += 1
        else:
            yield row, row.gold.label


def with_texts(
    rows: Iterable[tuple[Row, Choice]], telling: Telling
) -> Iterator[tuple[Row, Choice, Texts]]:
    """The rows whose texts are known up to their turn; the others are counted as left out."""
    for row, label in rows:
        if row.texts is None or not row.texts.holds(row.item.turn):
            telling.left_out["without text"] += 1
        else:
            yield row, label, row.texts


def is_held_out(question: str, options: Options) -> bool:
    """Whether a question is in the second split.

    Each question falls by a coin of its own, so that it stays where it is when the study grows.
    """
    return _share(options.seed, "held out", question) < options.held_out


def drawn_left(pair_key: str, turn: int, seed: int) -> int:
    """The model that stands left in a pair's one order: 1 or 2, each with probability ½."""
    return 1 if _share(seed, "left", pair_key, turn) < 0.5 else 2


def _share(*parts: object) -> float:
    material = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return float(int.from_bytes(hashlib.sha256(material).digest()[:6], "big") / 2**48)


def about(row: Row) -> dict[str, Any]:
    """What every row to train on says of where it comes from.

    Nothing is called ``label``: TRL's unpaired preferences and Hugging Face's collators have a
    column of that name, of another meaning, and take this one for it.
    """
    item = row.item
    return {
        "question": item.pair.question,
        "category": item.category,
        "turn": item.turn,
        "model_1": item.pair.model_1,
        "model_2": item.pair.model_2,
        "gold": row.gold.label,
        "decided_by": row.gold.decided_by,
    }

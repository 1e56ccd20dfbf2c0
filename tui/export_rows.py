"""The rows of an export, as they are now or as they were when a manifest was written."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from core.blinding import pseudonym
from core.gold import decide
from core.items import Item, Served, Texts
from core.layouts.rows import Asked, Layout, Options, Row, Telling
from core.records import Judge, Vote
from db import chain
from db.said import Only, items_in
from tui.manifests import Moment, Order

if TYPE_CHECKING:
    from db.store import Store
    from judges.families import Family

ALL = "all"
_SHORTEST = 3
"""Letters that a name must have to be looked for in what people wrote."""
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"']+@[^\s@<>()\[\],;:\"']+\.[^\s@<>()\[\],;:\"']+")


class Unknown:
    """What a study may come to know later: categories, references, texts.

    It is noted while an export is written, and taken back where the export is written again.

    Args:
        then: what a manifest noted; None to note it now.
    """

    def __init__(self, then: Mapping[str, Any] | None) -> None:
        self._then = None if then is None else {k: _Names(v) for k, v in then.items()}
        self._noted: dict[str, dict[str, bool]] = {}

    def category(self, item: Item) -> str | None:
        """The category that an item's question had."""
        question = item.pair.question
        if self._then is not None:
            return None if self._was("category", question) else item.category
        self._note("category", question, item.category is None)
        return item.category

    def texts(self, item: Item, texts: Texts) -> Texts:
        """The texts as far as they were known."""
        pair = item.pair
        models = (pair.model_1, pair.model_2)
        names = [f"{pair.question}\x1f{model}" for model in models]
        if self._then is None:
            self._note("question", pair.question, not texts.question.turns)
            self._note("reference", pair.question, not texts.question.references)
            for name, turns in zip(names, texts.answers, strict=True):
                self._note("answer", name, not turns)
            return texts
        question, first, second = texts.question, *texts.answers
        if self._was("question", pair.question):
            question = replace(question, turns=())
        if self._was("reference", pair.question):
            question = replace(question, references=())
        answers = (
            () if self._was("answer", names[0]) else first,
            () if self._was("answer", names[1]) else second,
        )
        return Texts(question, answers)

    def noted(self) -> dict[str, Any]:
        """For a manifest: what was unknown by kind, ``all`` where everything was."""
        found: dict[str, Any] = {}
        for kind, names in self._noted.items():
            unknown = sorted(name for name, is_unknown in names.items() if is_unknown)
            if unknown:
                found[kind] = ALL if len(unknown) == len(names) else unknown
        return found

    def _note(self, kind: str, name: str, is_unknown: bool) -> None:
        self._noted.setdefault(kind, {})[name] = is_unknown

    def _was(self, kind: str, name: str) -> bool:
        assert self._then is not None
        return kind in self._then and name in self._then[kind]


class _Names:
    """Names, or all of them."""

    def __init__(self, names: Any) -> None:
        self._names = None if names == ALL else frozenset(names)

    def __contains__(self, name: str) -> bool:
        return self._names is None or name in self._names


@dataclass(frozen=True, slots=True)
class _Person:
    """An annotator or lead, as far as exports tell of them."""

    id: int
    name: str
    group: str
    simulated: bool
    retired: bool


@dataclass
class Export:
    """One export of a study, within one read transaction.

    Attributes:
        then: the moment it is to be of; None for now.
    """

    store: Store
    connection: sqlite3.Connection
    order: Order
    then: Moment | None = None
    family: Family | None = None
    unknown: Unknown = field(init=False)

    def __post_init__(self) -> None:
        self.unknown = Unknown(None if self.then is None else self.then.unknown)

    @property
    def options(self) -> Options:
        """What the lead chose."""
        return self.order.options

    # ── the moment ───────────────────────────────────────────────────────────────────────────

    @cached_property
    def heads(self) -> Mapping[str, tuple[int, str]]:
        """Where the logs end, for this export."""
        if self.then is not None:
            return self.then.heads
        return {log: chain.head(self.connection, log) for log in chain.LOGS}

    @cached_property
    def last(self) -> dict[str, int]:
        """Log → the number of its last row that counts."""
        return {log: seq for log, (seq, _) in self.heads.items()}

    @cached_property
    def people(self) -> list[_Person]:
        """Everybody there was."""
        rows = self.connection.execute(
            'SELECT id, name, "group", simulated, retired_at IS NOT NULL FROM annotator ORDER BY id'
        )
        found = [_Person(*row[:3], bool(row[3]), bool(row[4])) for row in rows]
        return [one for one in found if self.then is None or one.id <= self.then.known]

    def moment(self) -> Moment:
        """What has to be known to write this export again."""
        told = {
            self.pseudonym(one.name): {
                "group": one.group if self._tells_groups else None,
                "simulated": one.name in self.simulated,
                "retired": one.name in self.retired,
            }
            for one in self.people
            if one.name in self.counted
        }
        known = max((one.id for one in self.people), default=0)
        return Moment(self.heads, known, told, self.unknown.noted())

    @property
    def _tells_groups(self) -> bool:
        return self.order.format == "mt_bench"

    # ── people ───────────────────────────────────────────────────────────────────────────────

    def pseudonym(self, name: str) -> str:
        """What an annotator is called where no names are asked for."""
        if name not in self._pseudonyms:
            self._pseudonyms[name] = pseudonym(self.store.seed, name)
        return self._pseudonyms[name]

    @cached_property
    def _pseudonyms(self) -> dict[str, str]:
        return {}

    def name(self, annotator: str) -> str:
        """What an annotator is called in this export."""
        return annotator if self.options.names else self.pseudonym(annotator)

    @cached_property
    def counted(self) -> frozenset[str]:
        """Those whose votes count."""
        if self.then is not None:
            assert self.then.annotators is not None
            return frozenset(
                one.name for one in self.people if self.pseudonym(one.name) in self.then.annotators
            )
        options = self.options
        excluded = set() if self.order.what == "study" else set(self.excluded)
        return frozenset(
            one.name
            for one in self.people
            if (one.group == options.group if options.group is not None else one.group not in excluded)
            and options.annotator in (None, one.name, self.pseudonym(one.name))
        )

    @cached_property
    def excluded(self) -> list[str]:
        """Groups whose votes do not count: what is written as votes leaves nobody out."""
        if self.order.what != "gold" and self.order.format in ("jsonl", "csv"):
            return []
        return list(self.store.settings()["exclude_groups"])

    def _marked(self, mark: str) -> frozenset[str]:
        if self.then is None:
            return frozenset(one.name for one in self.people if getattr(one, mark))
        told = self.then.annotators or {}
        return frozenset(
            one.name
            for one in self.people
            if told.get(self.pseudonym(one.name), {}).get(mark)
        )

    @cached_property
    def simulated(self) -> frozenset[str]:
        """Those who are no persons."""
        return self._marked("simulated")

    @cached_property
    def retired(self) -> frozenset[str]:
        """Those who voted no more."""
        return self._marked("retired")

    @cached_property
    def groups(self) -> dict[str, str]:
        """Annotator → group."""
        if self.then is None:
            return {one.name: one.group for one in self.people}
        told = self.then.annotators or {}
        return {
            one.name: told.get(self.pseudonym(one.name), {}).get("group") or ""
            for one in self.people
        }

    def scrubbed(self, text: str) -> str:
        """A text that a person wrote, with neither names nor e-mail addresses in it."""
        if self.options.names or not text:
            return text
        text = self._names.sub(lambda found: self._meant[found[0].casefold()], text)
        return _EMAIL.sub("[e-mail]", text)

    @cached_property
    def _meant(self) -> dict[str, str]:
        return {
            one.name.casefold(): self.pseudonym(one.name)
            for one in self.people
            if len(one.name) >= _SHORTEST
        }

    @cached_property
    def _names(self) -> re.Pattern[str]:
        longest_first = sorted((one.name for one in self.people), key=len, reverse=True)
        listed = "|".join(re.escape(name) for name in longest_first if len(name) >= _SHORTEST)
        return re.compile(rf"(?<!\w)(?:{listed})(?!\w)" if listed else r"(?!)", re.IGNORECASE)

    # ── rows ─────────────────────────────────────────────────────────────────────────────────

    def telling(self) -> Telling:
        """What the layout may tell beside the rows."""
        return Telling(
            self.options,
            self.order.what,
            self.name,
            self.scrubbed,
            self.simulated,
            self.retired,
            self.groups,
            self._judges(),
            self._asked if self.family is not None else None,
            self.store.settings()["name"],
        )

    def _judges(self) -> dict[str, Judge]:
        rows = self.connection.execute(
            "SELECT name, kind, model, endpoint, prompt, prompt_hash, revision FROM judge"
        )
        return {name: Judge(name, *rest, revision=revision) for name, *rest, revision in rows}

    def _asked(self, row: Row, left: int) -> Asked | None:
        from judges.tasks import Shown
        from judges.training import lesson

        assert self.family is not None
        assert row.texts is not None
        answers = row.texts.answers if left == 1 else row.texts.answers[::-1]
        found = lesson(self.family, Shown(row.texts.question, row.item.turn, answers))
        if found is None:
            return None
        prompt, messages, replies = found
        return Asked(tuple((one.role, one.content) for one in messages), prompt.id, prompt.hash, replies)

    def rows(self, layout: Layout, *, texts: bool | None = None) -> Iterator[Row]:
        """One row for each pair and turn, by question, models and turn.

        Args:
            texts: with texts; as the layout needs them unless given.
        """
        options = self.options
        with_texts = layout.texts if texts is None else texts
        found = items_in(
            self.connection,
            last=self.last,
            only=Only(options.category, options.model, options.against),
            texts=with_texts,
            verdict_texts=False,
            history=True,
        )
        for item, known in found:
            if options.turn not in (None, item.turn):
                continue
            row = self._row(item, known)
            if row is not None:
                yield row

    def _row(self, item: Item, texts: Texts | None) -> Row | None:
        options = self.options
        category = self.unknown.category(item)
        if options.category is not None and category != options.category:
            return None
        votes = [(vote, how) for vote, how in item.votes if self.counts(vote)]
        if self.order.what == "gold" and not votes and not item.rulings:
            return None  # neither judges nor those who cannot judge make gold
        item.category, item.votes = category, votes
        item.cannot_judge = [vote for vote in item.cannot_judge if self.counts(vote)]
        if options.judge is not None:
            item.verdicts = [one for one in item.verdicts if one.judge == options.judge]
        gold = decide([vote for vote, _ in votes], item.rulings, options.rule)
        return Row(item, gold, None if texts is None else self.unknown.texts(item, texts))

    def counts(self, vote: Vote) -> bool:
        """Whether a vote is among those that are asked for."""
        options = self.options
        return (
            vote.annotator in self.counted
            and (options.since is None or vote.at >= options.since)
            and (options.until is None or bool(vote.at) and vote.at < options.until)
        )

    def votes(self) -> Iterator[tuple[Vote, Served]]:
        """The votes that stand, and the word of those who cannot judge, in the log's order."""
        from db.reading import Part, votes_in

        options = self.options
        only = (options.model, options.against)
        categories = dict(self.connection.execute("SELECT key, category FROM question"))
        for vote, how in votes_in(self.connection, Part(last=self.last)):
            pair = vote.pair
            if (
                self.counts(vote)
                and options.turn in (None, vote.turn)
                and options.category in (None, categories[pair.question])
                and all(model in (None, pair.model_1, pair.model_2) for model in only)
            ):
                yield vote, how



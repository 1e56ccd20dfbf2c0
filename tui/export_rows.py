"""The rows of an export, as they are now or as they were when a manifest was written."""

from __future__ import annotations

import math
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from core.blinding import pseudonym
from core.gold import GoldModel, GoldRule, decide
from core.items import Item, Served, Texts
from core.layouts.rows import Asked, Layout, Options, Row, Telling
from core.records import Choice, Judge, Vote
from core.times import epoch
from db import chain
from db.said import Only, items_in
from tui.export_unknown import Unknown
from tui.manifests import Moment, Order

if TYPE_CHECKING:
    from db.store import Store
    from judges.training import Training

AUTHOR = "author"
"""The one group that a layout tells people apart by."""

_SHORTEST = 3
"""Letters that a name must have to be looked for in what people wrote."""
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"']+@[^\s@<>()\[\],;:\"']+\.[^\s@<>()\[\],;:\"']+")


def _is_within(at: str, start: float | None, end: float | None) -> bool:
    """Whether a vote was cast within a span, to the second; not where nobody knows when."""
    try:
        moment = math.floor(epoch(at))
    except ValueError:
        return False
    return (start is None or moment >= start) and (end is None or moment < end)


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
    training: Training | None = None
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
        found = [
            _Person(number, name, group, bool(simulated), bool(retired))
            for number, name, group, simulated, retired in rows
        ]
        return [one for one in found if self.then is None or one.id <= self.then.known]

    def moment(self) -> Moment:
        """What has to be known to write this export again."""
        told = {
            self.pseudonym(one.name): {
                "group": AUTHOR if self._is_author(one.name) else None,
                "simulated": one.name in self.simulated,
                "retired": one.name in self.retired,
            }
            for one in self.people
            if one.name in self.counted
        }
        known = max((one.id for one in self.people), default=0)
        return Moment(self.heads, known, told, self.unknown.noted(), self.title)

    @cached_property
    def title(self) -> str:
        """The study's name."""
        return str(self.store.settings()["name"]) if self.then is None else self.then.title

    def _is_author(self, name: str) -> bool:
        """Whether this export tells somebody's group, which is nobody's business otherwise."""
        return self.order.format in ("mt_bench", "arena") and self.groups.get(name) == AUTHOR

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
        excluded = set() if self.order.what == "study" else set(self.excluded)
        return frozenset(one.name for one in self.people if self._is_counted(one, excluded))

    def _is_counted(self, one: _Person, excluded: set[str]) -> bool:
        options = self.options
        if options.annotator is not None:
            return options.annotator in (one.name, self.pseudonym(one.name))
        if options.group is not None:
            return one.group == options.group
        return one.group not in excluded

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
            one.name for one in self.people if told.get(self.pseudonym(one.name), {}).get(mark)
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
            self._asked if self.training is not None else None,
            self.title,
        )

    def _judges(self) -> dict[str, Judge]:
        rows = self.connection.execute(
            "SELECT name, kind, model, endpoint, prompt, prompt_hash, revision FROM judge"
        )
        return {
            name: Judge(name, kind, model, endpoint, prompt, digest, {}, revision)
            for name, kind, model, endpoint, prompt, digest, revision in rows
        }

    def _asked(self, row: Row, left: int) -> Asked | None:
        from judges.tasks import Shown

        assert self.training is not None
        assert row.texts is not None
        answers = row.texts.answers if left == 1 else row.texts.answers[::-1]
        found = self.training.asked(Shown(row.texts.question, row.item.turn, answers))
        if found is None:
            return None
        prompt, messages, replies = found
        return Asked(
            tuple((one.role, one.content) for one in messages), prompt.id, prompt.hash, replies
        )

    def rows(
        self,
        layout: Layout,
        *,
        texts: bool | None = None,
        left_out: Counter[str] | None = None,
    ) -> Iterator[Row]:
        """One row for each pair and turn, by question, models and turn.

        Args:
            texts: with texts; as the layout needs them unless given.
            left_out: counts the votes that are in no row because of their annotator's group.
        """
        with_texts = layout.texts if texts is None else texts
        items = self._items(texts=with_texts, replies=with_texts and layout.replies)
        for item, known in self._kept(items, left_out):
            votes = [vote for vote, _ in item.votes]
            gold = decide(votes, item.rulings, self._rule, self._posterior(item))
            yield Row(item, gold, None if known is None else self.unknown.texts(item, known))

    @cached_property
    def _rule(self) -> GoldRule:
        """The rule; a layout of votes decides nothing, and needs no fit for it."""
        return self.options.rule if self.order.what == "gold" else GoldRule()

    def _items(self, *, texts: bool, replies: bool = False) -> Iterator[tuple[Item, Texts | None]]:
        options = self.options
        return items_in(
            self.connection,
            last=self.last,
            only=Only(options.category, options.model, options.against),
            texts=texts,
            verdict_texts=replies,
            history=True,
        )

    def _kept(
        self, found: Iterator[tuple[Item, Texts | None]], left_out: Counter[str] | None = None
    ) -> Iterator[tuple[Item, Texts | None]]:
        """The items that are asked for, each with the votes and verdicts that are."""
        options = self.options
        for item, texts in found:
            if options.turn not in (None, item.turn):
                continue
            category = self.unknown.category(item)
            if options.category is not None and category != options.category:
                continue
            if left_out is not None and (gone := sum(map(self._is_left_out, item.votes))):
                left_out["of excluded groups"] += gone
            votes = [(vote, how) for vote, how in item.votes if self.counts(vote)]
            if self.order.what == "gold" and not votes and not item.rulings:
                continue  # neither judges nor those who cannot judge make gold
            item.category, item.votes = category, votes
            item.cannot_judge = [vote for vote in item.cannot_judge if self.counts(vote)]
            if options.judge is not None:
                item.verdicts = [one for one in item.verdicts if one.judge == options.judge]
            yield item, texts

    def _posterior(self, item: Item) -> Mapping[Choice, float] | None:
        """How likely each outcome is, where Dawid–Skene has a say."""
        if self._rule.model is not GoldModel.DAWID_SKENE:
            return None
        return self._posteriors.get((item.pair.key, item.turn))

    @cached_property
    def _posteriors(self) -> Mapping[tuple[str, int], Mapping[Choice, float]]:
        from core.stats.item_fit import fitted

        numbers = {one.name: one.id for one in self.people}
        return fitted(self._kept(self._items(texts=False)), numbers)

    def counts(self, vote: Vote) -> bool:
        """Whether a vote is among those that are asked for."""
        return vote.annotator in self.counted and self._is_in_time(vote)

    def _is_left_out(self, told: tuple[Vote, Served]) -> bool:
        """Whether a vote was not asked to be left out, and is, for its annotator's group."""
        chosen = self.options.annotator, self.options.group
        vote, _ = told
        return (
            chosen == (None, None)
            and self.order.what == "votes"
            and vote.annotator not in self.counted
            and self._is_in_time(vote)
        )

    def _is_in_time(self, vote: Vote) -> bool:
        start, end = self._window
        return (start is None and end is None) or _is_within(vote.at, start, end)

    @cached_property
    def _window(self) -> tuple[float | None, float | None]:
        since, until = self.options.since, self.options.until
        return (
            None if since is None else math.floor(epoch(since)),
            None if until is None else math.floor(epoch(until)),
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

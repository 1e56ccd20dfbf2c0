"""What one number is made of: how it came about, what it rests on, and the pairs behind it."""

from __future__ import annotations

from collections.abc import Collection
from textwrap import wrap
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Static

from core.blinding import left_side
from core.errors import TiebreakError
from core.numbers import span, value_text
from core.text import many, one_line
from db.sights import know_names, seen_names
from tui.actions import NUMBER
from tui.dashboard.blocks import told
from tui.dashboard.rows import Row, Spot, blank, head, quiet
from tui.screens import take_keys
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import put
from tui.widgets.once import Once
from tui.widgets.reader import Reader
from tui.widgets.spot_list import SpotList

if TYPE_CHECKING:
    from core.stats.behind import Behind, ItemBehind
    from core.stats.results import Estimate, Result
    from tui.app import TiebreakApp
    from tui.live_board import LiveBoard

_TELLING = frozenset({"model", "models", "annotator", "judge"})
"""Filters that say something of who wrote or said what."""


class NumberScreen(Once[None]):
    """Explains a number and lists its items; neither models nor voters are named beside an item."""

    class BehindFound(Message):
        """The items came from the thread."""

        def __init__(self, behind: Behind | Exception) -> None:
            super().__init__()
            self.behind = behind

    def __init__(
        self, result: Result, estimate: Estimate, live: LiveBoard, chosen: Collection[str] = ()
    ) -> None:
        super().__init__()
        # A list of one model's pairs, or of what one person or judge said, tells what a case
        # would not, and so does one of those alone on which both raters prefer a model. Whether
        # the number itself names somebody is known with its items.
        self._tells = bool(_TELLING & {*chosen}) or estimate.labels.get("setup") == "S2"
        self._result = result
        self._estimate = estimate
        self._live = live
        self._behind: Behind | None = None
        self._refusal = ""

    def compose(self) -> ComposeResult:
        table = take_keys(self, NUMBER)
        yield Static(classes="status", id="status", markup=False)
        yield SpotList(id="behind")
        yield KeyBar(table)

    @property
    def rows(self) -> SpotList:
        """The explanation and the items."""
        return self.query_one(SpotList)

    def on_mount(self) -> None:
        self._look_up()

    def _look_up(self) -> None:
        """Ask for the items, with what may be told of them by now."""
        self._live.open(self._estimate.labels, self._seen(), self._tell)

    def _seen(self) -> frozenset[tuple[int, int]]:
        """The items on which this lead rules blind no more."""
        app: TiebreakApp = self.app  # type: ignore[assignment]
        return seen_names(app.store, app.who.annotator)

    def _tell(self, behind: Behind | Exception) -> None:
        self.post_message(self.BehindFound(behind))

    def on_resize(self) -> None:
        self._show()

    def on_number_screen_behind_found(self, message: BehindFound) -> None:
        if isinstance(message.behind, TiebreakError):
            self._refusal = f"{message.behind.message}. {message.behind.hint}."
        elif isinstance(message.behind, Exception):
            raise message.behind
        else:
            self._behind = message.behind
            self._tells = self._tells or bool(message.behind.names)
        self._show()

    def _show(self) -> None:
        width = max(40, self.size.width - 4)
        self.rows.show([*self._explained(width), blank(), *self._items(width)])

    def _explained(self, width: int) -> list[Row]:
        from core.stats.registry import registered

        each, result = self._estimate, self._result
        labels = " · ".join(f"{name}: {one_line(str(v), 60)}" for name, v in each.labels.items())
        rows = [head(line) for line in wrap(labels, width)] or [head("all")]
        if each.value is None:
            rows += told(each.reason, width, "— ")
        else:
            text = value_text(each.value, each.unit)
            if each.low is not None and each.high is not None and each.level is not None:
                text += f"   {each.level:.0%} interval {span(each.low, each.high, each.unit)}"
            counted = f"{each.k:,} of {each.n:,}" if each.k is not None else f"n = {each.n:,}"
            rows.append(Row(f"{text}   {counted}"))
            if each.chance is not None:
                rows.append(
                    quiet(f"choosing blindly would give {value_text(each.chance, each.unit)}")
                )
            if each.lowest is not None and each.highest is not None:
                rows += told(
                    f"{many(each.failed, 'failed verdict')} could make it "
                    f"{span(each.lowest, each.highest, each.unit)}",
                    width,
                )
        limits = next((one.limits for one in registered() if one.id == result.id), "")
        for title, words in (
            ("What it is", (result.description,)),
            ("How it came about", (each.method,)),
            ("Rests on", result.assumptions),
            ("To know", result.notes),
            ("What it does not mean", (limits,)),
        ):
            if any(words):
                rows += [blank(), head(title)]
                for sentence in filter(None, words):
                    rows += told(sentence, width, "· ")
        return rows

    def _items(self, width: int) -> list[Row]:
        if self._refusal:
            return told(self._refusal, width)
        found = self._behind
        if found is None:
            return [quiet("Looking up the items behind it …")]
        rows = [head(f"{many(found.total, 'item')} behind it")]
        if found.constraints:
            rows += told("in common: " + "; ".join(found.constraints), width)
        seen = self._seen()
        if self._tells and found.items:
            rows += told(
                "this list tells who wrote or said what: what you read from it and rule on later "
                "is kept as ruled after unmasking",
                width,
            )
        if any((item.pair_id, item.turn) not in seen for item in found.items):
            rows += told(
                "what was voted is not said where you may still rule blind, nor who agrees", width
            )
        if found.total > len(found.items):
            rows.append(quiet(f"the first {len(found.items):,}"))
        for item in found.items:
            line = one_line(_line(item, (item.pair_id, item.turn) in seen), width)
            key = ("item", (("pair", str(item.pair_id)), ("turn", str(item.turn))), "")
            rows.append(Row(line, "", (Spot(0, max(1, len(line)), key),)))
        return rows

    def on_spot_list_moved(self, message: SpotList.Moved) -> None:
        message.stop()
        parts = [one_line(self._result.title, 60), self.rows.place]
        put(self.query_one("#status", Static), "  │  ".join(filter(None, parts)))

    # ── keys ────────────────────────────────────────────────────────────────

    def action_scroll(self, lines: int) -> None:
        """Choose the item further down or up."""
        self.rows.go(lines)

    def action_page(self, direction: int) -> None:
        """Page the rows."""
        self.rows.page(direction)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss(None)

    def on_spot_list_picked(self, message: SpotList.Picked) -> None:
        message.stop()
        self.action_open()

    def action_open(self) -> None:
        """Read the chosen item's texts."""
        key = self.rows.chosen
        if key is None:
            return
        app: TiebreakApp = self.app  # type: ignore[assignment]
        named = dict(key[1])
        try:
            if self._tells:
                know_names(app.store, int(named["pair"]), int(named["turn"]), app.who.annotator)
            text = _texts(app, int(named["pair"]), int(named["turn"]))
        except TiebreakError as error:
            text = f"{error.message}. {error.hint}."
        self.app.push_screen(Reader("The pair, unnamed", text), lambda _: self._look_up())


def _line(item: ItemBehind, is_seen: bool) -> str:
    """One item; what was said of it only where this lead rules blind no more."""
    votes = [f"wins {item.wins[0]}–{item.wins[1]}"]
    votes += [f"tie {item.ties}"] if item.ties else []
    votes += [f"both bad {item.both_bad}"] if item.both_bad else []
    if not is_seen:
        votes = [many(sum(item.wins) + item.ties + item.both_bad, "vote")]
    turn = f"turn {item.turn}" if item.turn else "whole"
    words = [one_line(item.question, 24), turn, item.category, ", ".join(votes)]
    if item.agreement is not None and is_seen:
        agreed = {0.0: "they differ", 1.0: "they agree"}
        words.append(agreed.get(item.agreement, f"{item.agreement:.0%} agree"))
    return "  ".join(filter(None, words))


def _texts(app: TiebreakApp, pair: int, turn: int) -> str:
    """Question and answers up to a turn as Markdown, on sides that say nothing of the models."""
    shown = app.store.reading.pair_texts(pair, left_side(app.store.seed, str(pair), "unnamed"))
    until = turn or len(shown.question)
    parts = []
    for title, turns in (
        ("Question", shown.question),
        ("One answer", shown.left),
        ("The other answer", shown.right),
    ):
        for number, text in enumerate(turns[:until], 1):
            said = f", turn {number}" if until > 1 else ""
            parts.append(f"# {title}{said}\n\n{text}")
    return "\n\n".join(parts) or "The texts of this pair are not in the study."

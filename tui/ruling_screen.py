"""The lead's blind ruling: question, two answers, opinions without names, six keys.

Names come after the ruling, on a key of their own, and may be followed by a revision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from core.adjudication.case import Case, RulingSeen
from core.errors import TiebreakError
from core.text import many, one_line
from tui.actions import READ, RULE, RULING, UNMASKED, Action, key_name
from tui.opinion_screen import OpinionScreen
from tui.ruling_desk import Desk, Ruled
from tui.ruling_lines import (
    NOT_WEIGHED,
    SAID_RULING,
    SHORT_REASON,
    models,
    opinions_text,
    tally,
    unmasked_text,
)
from tui.screens import take_keys
from tui.teaching import teach
from tui.widgets.blank import BlankContainer
from tui.widgets.conversation import Bookmark, Conversation
from tui.widgets.key_bar import KeyBar
from tui.widgets.lines import put
from tui.widgets.once import Once
from tui.widgets.opinions import Opinions
from tui.widgets.reading_panes import ReadingPanes

if TYPE_CHECKING:
    from tui.app import TiebreakApp

BESIDE_FROM = 150
"""Columns from which the opinions stand beside the answers: each answer keeps half of 100."""

_RULES = "Esc saves the ruling with this reason; without one nothing is ruled"
_KEEPS = "Esc keeps the reason and goes back; it is saved with your ruling"
_ASKS = "Esc asks; empty asks nothing"

_EITHER = {action.id: action for action in (*RULING, *UNMASKED)}
"""What keys do on a case, blind or with its names."""

_NOTHING_ASKED: Mapping[str, Sequence[str]] = {"criteria": [], "confidence": [], "tags": []}
"""What the help tells annotators of, and leads are not asked."""


class RulingScreen(OpinionScreen, ModalScreen[None], Once[None]):
    """Shows what is on a :class:`Desk`, which has a case on it; closes to the list of cases."""

    DEFAULT_CSS = """
    RulingScreen {
        background: $background;
        #case { height: 1fr; layout: vertical; }
        #case.-beside { layout: horizontal; }
        #case.-beside Opinions { width: 48; height: 1fr; }
        #case.-beside ReadingPanes { width: 1fr; }
        #case.-opinions #answers { display: none; }
        #case.-opinions ReadingPanes { height: auto; width: 1fr; }
        #case.-opinions Opinions { height: 1fr; }
        #case.-beside.-opinions { layout: vertical; }
        #case.-beside.-opinions Opinions { width: 1fr; }
        #outcomes { height: 1; color: $text; text-style: bold; }
        #keys { height: 1; }
        #finished { display: none; height: 1fr; padding: 2 4; }
    }
    """

    def __init__(self, desk: Desk, banner: str, opening: str) -> None:
        super().__init__()
        self.desk = desk
        self._banner = banner
        self._opening = opening
        self._table: tuple[Action, ...] = ()
        self._begun = False
        self._bookmark: Bookmark | None = None  # where the case that waits is read

    def compose(self) -> ComposeResult:
        self._take_keys()
        yield Static(classes="status", id="status", markup=False)
        with BlankContainer(id="case"):
            yield ReadingPanes(self._key)
            yield Opinions(id="opinions")
        yield Static(id="finished", markup=False)
        yield from self.compose_said()
        yield KeyBar(self._outcomes(), gap="   ", id="outcomes")
        yield KeyBar(*self._footers(), id="keys")

    @property
    def _actions(self) -> Sequence[Action]:
        return RULING if self.desk.unmasked is None else UNMASKED

    def _take_keys(self) -> None:
        """Take the keys of this case; one that does nothing on it now says why."""
        app: TiebreakApp = self.app  # type: ignore[assignment]
        self._table = take_keys(self, self._actions)
        here = {action.id for action in self._table}
        others = [action for id, action in _EITHER.items() if id not in here]
        idle = [(spec.key, f"not_from_here('{spec.id}')") for spec in app.offered()]
        for action in app.preferences.keymap.table(others):
            idle += [(key, f"not_yet('{action.id}')") for key in action.keys]
        for key, do in idle:
            if key not in self._bindings.key_to_bindings:
                self._bindings.bind(key, do, show=False)

    def _outcomes(self) -> list[Action]:
        return [action for action in self._table if action.group == RULE]

    def _footers(self) -> Iterator[list[Action]]:
        """What else the keys do, the fullest line first; reading goes before what is done."""
        shown = [a for a in self._table if a.label and a.group != RULE]
        dispensable = [a for a in shown if a.group == READ]
        yield list(shown)
        while dispensable:
            shown.remove(dispensable.pop())
            yield list(shown)

    def _key(self, action: str) -> str:
        """The key that does something, as messages name it."""
        app: TiebreakApp = self.app  # type: ignore[assignment]
        return app.preferences.keymap.first(action)

    # ── showing ─────────────────────────────────────────────────────────────

    def on_resize(self) -> None:
        self.query_one("#case").set_class(self.size.width >= BESIDE_FROM, "-beside")
        if self._begun:
            self._show_status()
            self.call_after_refresh(self.fit_opinions)
        else:
            self._begun = True
            self.show(self._opening)

    def show(self, said: str, *, warning: bool = False, at: Bookmark | None = None) -> None:
        """Show what is on the desk, and say something about what led here."""
        self.put_find_away()
        case = self.desk.case
        self.query_one("#case").display = self.panes.display = case is not None
        self.query_one("#finished").display = case is None
        self.aim_at_opinions(False)
        self._offer()
        if case is None:
            self._show_finished()
        elif at is not None:
            self.panes.return_to(at)
            self._show_opinions(case)
        else:
            texts = Conversation(case.question, case.left, case.right)
            self.panes.open(texts, max(case.turn, 1), case.turn, {})
            self._show_opinions(case)
        self._show_status()
        self.say(said, warning=warning)
        self.call_after_refresh(self.desk.shown)

    def _offer(self) -> None:
        """Give the keys what they do on this case: names may be shown by now."""
        before = self._table
        self._take_keys()
        if before != self._table:
            self.query_one("#keys", KeyBar).offer(*self._footers())
            self.query_one("#outcomes", KeyBar).offer(self._outcomes())

    def _show_opinions(self, case: Case) -> None:
        unmasked = self.desk.unmasked
        if unmasked is None:
            self.share = 5
            self.opinions.show(tally(case.opinions), opinions_text(case))
        else:
            self.share = 3
            self.opinions.show(models(unmasked), unmasked_text(unmasked, is_final=case.is_final))
        self.call_after_refresh(self.fit_opinions)

    def _show_status(self) -> None:
        desk, case = self.desk, self.desk.case
        parts = ["Adjudicate"]
        if desk.listed_now is not None:
            parts.append(f"{desk.listed_now.ruled:,} ruled, {desk.listed_now.waiting:,} left")
        if case is not None:
            if len(case.question) > 1:
                parts.append(f"turn {case.turn}" if case.turn else "whole conversation")
            if case.category:
                parts.append(one_line(case.category, 20))
            if desk.unmasked is not None:
                parts.append("NAMES SHOWN")
            elif case.ruling:
                parts.append("you have ruled on it")
            elif case.is_unmasked:
                parts.append("you saw its names: not blind")
            parts += [SHORT_REASON[reason] for reason in case.reasons]
            if desk.is_final:
                parts.append("FINAL")
            if desk.reason.strip():
                parts.append("✎ reason")
        if self._banner:
            parts.append(self._banner)
        put(self.query_one("#status", Static), one_line("  │  ".join(parts), self.size.width - 2))

    def listed(self) -> None:
        """The list is another: the counts above may be, unless the screen is being taken down."""
        if self._begun and self.query("#status"):
            self._show_status()

    def _show_finished(self) -> None:
        lines = [
            "Every case of this list is ruled on, put aside, or with another lead.",
            f"{self._key('history')} goes back to the list: another filter may have more.",
        ]
        if self.desk.last:
            undo, unmask = self._key("pair.undo"), self._key("rule.unmask")
            lines.append(f"{undo} takes back your last ruling; {unmask} shows its names.")
        self.query_one("#finished", Static).update("\n\n".join(lines))

    # ── reading ─────────────────────────────────────────────────────────────

    def action_reference(self) -> None:
        """Show the reference answer, if there is one; a lead sees it in any study."""
        if self.desk.case is not None:
            self.open_reference(self.desk.case.references)

    def action_guidelines(self) -> None:
        """Show what the study asks to judge by."""
        self.open_guidelines(self.desk.settings["guidelines"])

    def action_help(self) -> None:
        """Show the keys and the guidelines."""
        guidelines = {**_NOTHING_ASKED, "guidelines": self.desk.settings["guidelines"]}
        self.open_help(self._table, guidelines)

    # ── ruling ──────────────────────────────────────────────────────────────

    def _is_free(self) -> bool:
        """Whether a deed may begin now; says so where one is under way."""
        if self.desk.is_busy:
            self.say("One moment: the last key is being carried out.")
        return not self.desk.is_busy

    def action_rule(self, choice: str) -> None:
        """Rule, once there is a reason, and show what comes next."""
        if self.desk.case is None or not self._is_free():
            return
        self.put_find_away()  # a click may rule while it is open
        seen = RulingSeen(choice)
        if self.desk.is_hasty():
            self.say(
                f"Not saved: that was at once after the screen changed. "
                f"Again for “{SAID_RULING[seen]}”?",
                warning=True,
            )
            self.call_after_refresh(self.desk.shown)
        elif self.desk.takes_over(seen):
            self._rule(seen)
        else:
            self._write_reason(f"Why “{SAID_RULING[seen]}”?", _RULES, partial(self._reasoned, seen))

    def _reasoned(self, seen: RulingSeen) -> None:
        """Rule where a reason was given."""
        if self.desk.reason.strip():
            self._rule(seen)
        else:
            self.say("Not ruled: no reason was given.", warning=True)
            self.call_after_refresh(self.desk.shown)

    def _rule(self, seen: RulingSeen) -> None:
        is_revision, is_final = self.desk.unmasked is not None, self.desk.is_final
        words = SAID_RULING[seen]
        undo, unmask = self._key("pair.undo"), self._key("rule.unmask")

        def ruled(done: Ruled) -> None:
            deed = f"{'Revised' if is_revision else 'Ruled'}{', final' * is_final}"
            said = f"✓ {deed}: {words}."
            if done.asked is not None:
                people = many(done.asked.people, "annotator")
                said += f"  {many(done.asked.wanted, 'vote')} wanted of {people}."
                if done.asked.may_end_weights:
                    said += f"  {NOT_WEIGHED}"
            said += f"  {undo} takes it back."
            if not is_revision and done.asked is None:
                said += f"  {unmask} shows its names."
            if done.refusal is not None:
                said += f"  No next case: {done.refusal.message}."
            self.show(said, warning=done.refusal is not None)

        self.desk.rule(seen, ruled, partial(self._refuse, "Not saved"))

    def _refuse(self, what: str, error: TiebreakError) -> None:
        """Say that something was not done, and stay where we are."""
        hint = f" {error.hint[:1].upper()}{error.hint[1:]}." if error.hint else ""
        self.say(f"{what}: {error.message}.{hint}", warning=True)
        self.app.bell()
        self.call_after_refresh(self.desk.shown)

    def action_reason(self) -> None:
        """Write the reason; what is typed is kept as it is typed."""
        if self.desk.case is not None and self._is_free():
            self._write_reason("Reason for your ruling", _KEEPS, lambda: None)

    def _write_reason(self, title: str, keys: str, then: Callable[[], None]) -> None:
        # A text area takes a while to import: nobody waits for it before the first reason.
        from tui.widgets.note import NoteModal

        def keep(reason: str) -> str:
            self.desk.typed(reason)
            try:
                self.desk.keep()
            except TiebreakError:
                return "Not kept yet; it is tried again with your ruling, and when you leave."
            return ""

        def closed(_: object) -> None:
            self._show_status()
            then()

        modal = NoteModal(
            self.desk.reason,
            self.desk.typed,
            keep,
            title=title,
            keys=keys,
            before=self.desk.earlier.reason,
        )
        self.app.push_screen(modal, closed)

    def action_final(self) -> None:
        """Have the next ruling on this case settle what leads disagree about, or no longer."""
        if self.desk.case is None or not self._is_free():
            return
        self.desk.mark_final()
        self._show_status()
        if self.desk.is_final:
            key = self._key("rule.final")
            self.say(f"Final: your next ruling here counts where leads disagree. {key}: not final.")
        else:
            self.say("Not final: where leads disagree, the label stays unresolved.")

    def action_skip(self) -> None:
        """Leave the case, or what was ruled on, and take the next."""
        desk = self.desk
        if desk.case is None or not self._is_free():
            return
        if desk.unmasked is not None and desk.waiting is not None:
            desk.come_back()
            self.show("It stands as it is. Back to the case that waits.", at=self._bookmark)
            return
        said = (
            "It stands as it is."
            if desk.case.ruling
            else "Put aside; it stays in the list, and what you typed stays yours."
        )
        try:
            desk.skip(lambda: self.show(said), partial(self._refuse, "Not left"))
        except TiebreakError as error:
            self._refuse("Not left", error)

    def action_unmask(self) -> None:
        """Show who is who: in this case if it is ruled on, else in the one before."""
        if not self._is_free():
            return
        is_other = self.desk.case is not None and not self.desk.case.ruling
        bookmark = self.panes.bookmark() if is_other else None

        def unmasked() -> None:
            self._bookmark = bookmark
            skip = self._key("pair.skip")
            self.show(f"Who is who. A vote key revises the ruling; {skip} lets it stand.")

        try:
            self.desk.unmask(unmasked, partial(self._refuse, "Not unmasked"))
        except TiebreakError as error:
            self._refuse("Not unmasked", error)

    def action_undo(self) -> None:
        """Take back the last ruling or revision, and show its case again."""
        if not self._is_free():
            return

        def undone(was_any: bool) -> None:
            if not was_any:
                self.say("There is nothing to take back.")
                self.call_after_refresh(self.desk.shown)
            elif self.desk.unmasked is not None:
                self.show("↶ Taken back: the revision. What you ruled blind stands again.")
            else:
                self.show("↶ Taken back: your ruling. The same again keeps its reason.")

        try:
            self.desk.undo(undone, partial(self._refuse, "Not taken back"))
        except TiebreakError as error:
            self._refuse("Not taken back", error)

    def action_second_opinion(self) -> None:
        """Ask another lead to rule on this case too, with what to look at."""
        if self.desk.case is None or not self._is_free():
            return
        from tui.widgets.note import NoteModal

        said = [""]

        def typed(why: str) -> None:
            said[0] = why

        def asked() -> None:
            more = "" if self.desk.case and self.desk.case.ruling else " Rule as well, or skip it."
            self.say(f"✓ Another lead is asked for a second opinion.{more}")
            self.call_after_refresh(self.desk.shown)

        def closed(_: object) -> None:
            if said[0].strip():
                self.desk.ask_second(said[0], asked, partial(self._refuse, "Not asked"))
            else:
                self.say("Not asked: nothing was written.")

        self.app.push_screen(
            NoteModal(
                "", typed, lambda _: "", title="What should another lead look at?", keys=_ASKS
            ),
            closed,
        )

    def action_teach(self) -> None:
        """Give the ruling to those who practise, or make it a check that lets people in."""
        case, unmasked = self.desk.case, self.desk.unmasked
        if case is None or unmasked is None or not self._is_free():
            return
        teach(self, self.desk, case.key, self.say, partial(self._refuse, "Not taught"))

    def action_not_from_here(self, name: str) -> None:
        """Say how another screen, or the list, is reached."""
        app: TiebreakApp = self.app  # type: ignore[assignment]
        key = next(key_name(spec.key) for spec in app.offered() if spec.id == name)
        back = self._key("history")
        way = f"{back} goes back to the list"
        if name != "adjudicate":
            way = f"{key} works from the list: {back} goes there"
        self.say(f"{way}, and what you typed is kept.")

    def action_not_yet(self, id: str) -> None:
        """Say why a key does nothing on this case as it is shown now, and which does."""
        self.say(self._why_not(id))

    def _why_not(self, id: str) -> str:
        if self.desk.unmasked is not None:
            if id == "rule.more_votes":
                return "No more votes from here: names are shown, and those are ruled on blind."
            return "The names are shown already."
        key, unmask = self._key(id), self._key("rule.unmask")
        what = "teaches" if id == "rule.teach" else "marks as final"
        if self.desk.case is not None and self.desk.case.ruling:
            return f"{key} {what} once names are shown: {unmask} shows them."
        if self.desk.last:
            return (
                f"{key} {what} once names are shown: {unmask} shows those of your last case, "
                f"then {key}."
            )
        return f"{key} {what} once you have ruled, and {unmask} has shown the names."

    def action_close(self) -> None:
        """Go back to the list; what is not ruled on goes back to the others."""
        if not self._is_free():
            return
        try:
            self.desk.drop()
        except TiebreakError as error:
            self._refuse("Not left", error)
            return
        self.dismiss(None)

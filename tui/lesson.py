"""Practice and qualification: lessons on the voting screen. Nothing here is a vote."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from core.asked import Asked, Details
from core.errors import Conflict
from core.records import LessonUse, Seen
from core.saying import SAID
from core.settings import KNOWN
from core.text import many, sentences
from db.practising import Feedback, Phase, ServedLesson, Trial
from db.serving import Draft, Served
from db.standing import Attempt, needed_of
from db.store import Store
from db.undoing import Undone
from tui.asking import Asking
from tui.attention import Attentive
from tui.reopening import Reopened
from tui.seat import KeyOf, Page, Seat
from tui.session import Session, new_id

_AS_IN_VOTING = ("name", "guidelines", "show_reference", "dwell_ms", "vote_per")
"""Settings that hold for lessons too; what else a study asks for belongs to votes."""

_NAMES = {LessonUse.PRACTICE: "Practice", LessonUse.QUALIFICATION: "Qualification"}


def seat_for(store: Store, annotator_id: int, identity: str, *, practise: bool = False) -> Seat:
    """Where somebody sits down: to practise, to qualify, or to vote.

    Args:
        practise: take the practice round, again if need be.
    """
    practising = store.practising
    phase = Phase.PRACTICE if practise else practising.phase(annotator_id)
    if phase is Phase.VOTING:
        return Session(store, annotator_id, identity)
    if phase is Phase.PRACTICE:
        round_ = practising.practice_round(annotator_id)
        return LessonSession(store, annotator_id, identity, LessonUse.PRACTICE, round_)
    round_ = len(practising.standing(annotator_id).attempts) + 1
    return LessonSession(
        store, annotator_id, identity, LessonUse.QUALIFICATION, round_, closed=phase is Phase.CLOSED
    )


class LessonSession(Attentive):
    """One annotator in one round of lessons.

    Args:
        round_: which, from 1; each use counts its own.
        closed: nothing is to be tried any more, and the screen says why.
    """

    counts = False
    refuses = frozenset(("pair.note", "pair.flag", "pair.undo", "pair.cannot_judge", "history"))
    """Actions, by id, that go with votes: here they only say that nothing is counted."""

    unsaved_note = ""

    def __init__(
        self,
        store: Store,
        annotator_id: int,
        identity: str,
        use: LessonUse,
        round_: int,
        *,
        closed: bool = False,
        make_id: Callable[[], str] = new_id,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        stored = store.settings()
        settings = {
            key: stored[key] if key in _AS_IN_VOTING else known.default
            for key, known in KNOWN.items()
        }
        super().__init__(settings, monotonic)
        self.store = store
        self.annotator_id = annotator_id
        self.identity = identity
        self.use = use
        self.round = round_
        self.is_closed = closed
        if self._is_strict:
            self.refuses = self.refuses | {"pair.skip"}
        self.current: Served | None = None
        self.turn = 0
        self.draft = Draft()
        self.asked = Asked()
        self.asking: Asking | None = None
        self.is_declining = False
        self.reopened: Reopened | None = None
        self._share: float = stored["qualification_pass"]
        self._tries: int = stored["qualification_tries"]
        self._lesson: ServedLesson | None = None
        self._pages: list[Page] = []
        self._has_begun = False
        self._is_recorded = False
        self._make_id = make_id
        self._attempt: tuple[tuple[int, Seen | None], str] | None = None

    # ── what is on the screen ───────────────────────────────────────────────

    def open(self) -> Served | None:
        """The first lesson of the round that has no trial yet."""
        if self.is_closed:
            return None
        self._take()
        if self._lesson is None and not self._is_strict:
            self._pages.append(Page("Practice", _NOTHING_TO_PRACTISE))
        elif self._lesson is not None and self._lesson.number == 1 and self._is_strict:
            self._pages.append(self._rules(self._lesson.of))
        return self.current

    @property
    def _is_strict(self) -> bool:
        return self.use is LessonUse.QUALIFICATION

    def _take(self) -> None:
        practising = self.store.practising
        lesson = practising.serve(self.annotator_id, self.use, self.round)
        self._lesson = lesson
        self._has_begun |= lesson is not None
        if lesson is None and self._is_strict:
            practising.settle(self.annotator_id)
            self._pages += self._outcome()
        self.current = lesson.served if lesson else None
        self.turn = lesson.turn if lesson else 0
        self._attempt = None
        self.begin()

    def _title(self) -> str:
        where = f" {self._lesson.number} of {self._lesson.of}" if self._lesson else ""
        return f"{_NAMES[self.use]}{where}, not counted"

    def how_far(self) -> Sequence[str]:
        """Which lesson of how many, and that it is none of the votes."""
        if self._lesson is None:
            return ("Voting is closed to you" if self.is_closed else _NAMES[self.use],)
        return (self._title(),)

    def greeting(self, key: KeyOf) -> str:
        """What is said first."""
        told = f"Press {key('help')} for help."
        if self.is_closed:
            return told
        if self._is_strict:
            return f"{told} Qualification: no feedback before the end."
        return f"{told} Practice: vote, then read what the leads say."

    def nothing_left(self, key: KeyOf) -> list[str]:
        """Why voting is closed, and what to do about it."""
        attempts = self.store.practising.standing(self.annotator_id).attempts
        why = f"Not passed: {_counted(attempts[-1])}" if attempts else _NOTHING_TO_QUALIFY_ON
        return [
            why,
            "No try is left, so voting is closed to you for now.",
            "What you can do: ask the lead, who can let you in.",
            "This screen goes on by itself when they do. Ctrl+Q leaves.",
        ]

    def page(self) -> Page | None:
        """What the leads say, or what came of it."""
        return self._pages.pop(0) if self._pages else None

    def following(self) -> Seat:
        """Here until the round is over, and then what comes next."""
        if self.current is not None:
            return self
        seat = seat_for(self.store, self.annotator_id, self.identity)
        is_closed_still = self.is_closed and isinstance(seat, LessonSession) and seat.is_closed
        return self if is_closed_still else seat

    def parting(self, following: Seat) -> Page | None:
        """What is said before the first vote that counts; None where a page said so already.

        Args:
            following: where this annotator sits from now on.
        """
        if not following.counts:
            return None
        if self.use is LessonUse.PRACTICE:
            return Page("Practice is over" if self._has_begun else "Voting", _VOTES_COUNT)
        standing = self.store.practising.standing(self.annotator_id)
        if standing.let_in is not None:
            return Page("Let in", f"A lead has let you in.\n\n{_VOTES_COUNT}")
        if standing.is_in:
            return None
        none = "The leads ask for no qualification any more."
        return Page("Qualification is over", f"{none}\n\n{_VOTES_COUNT}")

    def prepare(self) -> Served | None:
        """Nothing: feedback is read before the next lesson, which is fetched then."""
        return None

    # ── what a key does ─────────────────────────────────────────────────────

    def ask(self, seen: Seen) -> None:
        """Nothing: a lesson is about the outcome alone."""

    def withdraw(self) -> None:
        """Nothing is on its way."""

    def vote(self, seen: Seen, details: Details | None = None) -> None:
        """Vote on the lesson on screen; it is on the disk when this returns.

        Raises:
            StudyUnavailable: if it could not be written. Voting again is safe: the same trial is
                never recorded twice.
        """
        self._record(seen)

    def skip(self) -> None:
        """Leave a practice pair out, for this round.

        Raises:
            Conflict: in a qualification.
        """
        if self._is_strict:
            raise Conflict("a qualification pair cannot be skipped", "vote as well as you can")
        self._record(None)

    def _record(self, seen: Seen | None) -> None:
        assert self._lesson is not None, "no lesson is on the screen"
        lesson, title = self._lesson.served.assignment, self._title()
        is_last = self._lesson.number == self._lesson.of
        if self._attempt is None or self._attempt[0] != (lesson, seen):
            self._attempt = ((lesson, seen), self._make_id())
        trial = Trial(self._attempt[1], lesson, self.round, seen, self.active.seconds())
        try:
            feedback = self.store.practising.record(self.annotator_id, self.identity, trial)
        except Conflict as conflict:
            self._is_recorded = False
            told = sentences(conflict.message, conflict.hint)
            self._pages.append(Page("Not recorded", told))
        else:
            self._is_recorded = True
            if feedback is not None and feedback.seen is not None:
                self._pages.append(Page(title, _told(feedback, is_last=is_last)))
        self._take()

    def said(self, seen: Seen | None) -> str:
        """What became of the last vote or skip.

        Args:
            seen: what was voted; None for a skip.
        """
        if not self._is_recorded:
            return "Not recorded: this pair was closed meanwhile."
        return "Skipped." if seen is None else f"✓ Recorded, not counted: {SAID[seen]}."

    def take_skipped(self) -> None:
        """Nothing: what is skipped comes back in another round."""

    def undo(self) -> Undone | None:
        """Nothing: what was said to a lesson stays said."""
        return None

    def keep(self, *, note: str | None = None, flag: str | None = None) -> None:
        """Nothing: there is no vote for a note or a flag to go with."""

    def typed(self, note: str) -> None:
        """Nothing, as for :meth:`keep`."""

    def save_draft(self) -> None:
        """Nothing is typed."""

    def close(self) -> None:
        """Nothing is held."""

    def drop(self) -> None:
        """Nothing is held."""

    # ── what is to be read ──────────────────────────────────────────────────

    def _rules(self, of: int) -> Page:
        needed = needed_of(self._share, of)
        text = (
            f"Before you vote, judge **{many(of, 'pair')}** whose right outcome the leads have "
            f"settled. **{needed} of {of}** have to be right.\n\n"
            "- There is no feedback before the end.\n"
            "- Nothing can be skipped or taken back.\n"
            "- What you say here is not counted as votes.\n\n"
            f"This is try {self.round} of {self._tries}. Leave whenever you like: you return to "
            "the same pair."
        )
        return Page("Qualification, not counted", text)

    def _outcome(self) -> list[Page]:
        """How the round went; nothing where the screen says so for good."""
        attempts = self.store.practising.standing(self.annotator_id).attempts
        if len(attempts) < self.round:
            return []
        attempt = attempts[self.round - 1]
        if attempt.passed:
            text = f"**Passed: {_counted(attempt)}**\n\n{_VOTES_COUNT}"
            return [Page("Qualified", text)]
        left = self._tries - self.round
        if left <= 0:
            return []
        tries = "1 try is" if left == 1 else f"{left} tries are"
        text = (
            f"**Not passed: {_counted(attempt)}**\n\n{tries} left, on the same pairs in another "
            "order. It begins when you go on from here; you may also leave with `Ctrl+Q` and come "
            "back later."
        )
        return [Page("Not passed", text)]


def _counted(attempt: Attempt) -> str:
    return f"{attempt.right} of {attempt.of} right, {attempt.needed} needed."


def _told(feedback: Feedback, *, is_last: bool) -> str:
    """What the annotator said, what the leads say, and why."""
    assert feedback.seen is not None
    is_same = feedback.seen is feedback.right
    parts = [
        "**✓ You and the leads say the same.**" if is_same else "**✗ The leads say otherwise.**",
        f"- You said: **{SAID[feedback.seen]}**\n- The leads say: **{SAID[feedback.right]}**",
        "**Why:**",
        feedback.why or "The leads gave no reason.",
    ]
    if is_last:
        parts += ["---", "That was the last practice pair."]
    return "\n\n".join(parts)


_VOTES_COUNT = "**From here on your votes count.**"
_NOTHING_TO_PRACTISE = (
    "There is no practice pair for you: the study has none, or you had them to vote on already."
)
_NOTHING_TO_QUALIFY_ON = (
    "Nothing is left to qualify on: you had all of its pairs to vote on already."
)

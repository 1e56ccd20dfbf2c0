"""Three annotators do whatever they like in any order, and a simple model says what must hold."""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.asked import Details
from core.policies import POLICIES
from core.records import Annotator, Seen
from db.serving import Served
from db.store import Store
from db.undoing import Undone
from db.voting import Cast, Declined
from tests.studies import FakeClock, make_study

PEOPLE = ("ann", "bob", "cat")
WHO = st.sampled_from(PEOPLE)
SEEN = st.sampled_from(Seen)
REASONS = ("not my field", "unclear")
DETAILS = st.builds(
    Details,
    st.dictionaries(st.sampled_from(["accuracy", "style"]), SEEN),
    st.none() | st.integers(1, 3),
    st.sampled_from([(), ("clear",), ("clear", "short")]),
)

_MEMORY = Path("/dev/shm")
_QUICK = _MEMORY if os.access(_MEMORY, os.W_OK) else None
"""Where studies lie, if the system has it: what is proven here is not what a disk does."""


@cache
def template(turns: int, overlap: int) -> Path:
    """A study with its pairs queued and no settings but its seed, to be copied."""
    folder = tempfile.mkdtemp(dir=_QUICK)
    atexit.register(shutil.rmtree, folder)
    return make_study(
        Path(folder) / "study.db",
        questions=2,
        models=("ant", "bee", "cow"),
        turns=turns,
        overlap=overlap,
    )


class Annotating(RuleBasedStateMachine):
    """What was acknowledged is kept in plain lists and held against the study after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=_QUICK)
        self.clock = FakeClock()
        self.path = Path(self.folder.name) / "study.db"
        self.stores: dict[str, Store] = {}
        self.ids: dict[str, int] = {}
        self.numbers = count(1)
        # What each person has on the screen, and did, the last at the end.
        self.screen: dict[str, Served | None] = dict.fromkeys(PEOPLE)
        self.deeds: dict[str, list[Undone]] = {name: [] for name in PEOPLE}
        self.standing: dict[tuple[str, int, int], Seen] = {}
        self.changed: dict[tuple[str, int, int], list[tuple[Seen, Details]]] = {}
        self.sides: dict[int, Any] = {}
        self.said: dict[tuple[str, int, int], Details] = {}
        self.unable: dict[tuple[str, int, int], str] = {}
        self.cast: list[tuple[str, str, Cast]] = []
        self.beyond_wanted: Counter[int] = Counter()
        # The assignments that each person voted on, the last at the end.
        self.voted: dict[str, list[int]] = {name: [] for name in PEOPLE}

    @initialize(
        overlap=st.integers(1, 3),
        turns=st.integers(1, 2),
        percent=st.sampled_from([0, 50]),
        gap=st.integers(1, 3),
        policy=st.sampled_from(sorted(POLICIES)),
        groups=st.sampled_from([{}, {"crowd": 1, "expert": 1}, {"crowd": 2}]),
        limits=st.sampled_from(["", "maths: keen=yes"]),
        before=st.lists(st.tuples(WHO, SEEN), max_size=8),
    )
    def make(
        self, overlap: int, turns: int, percent: int, gap: int, policy: str,
        groups: dict[str, int], limits: str, before: list[tuple[str, Seen]],
    ) -> None:  # fmt: skip
        self.overlap, self.percent, self.gap = overlap, percent, gap
        self.policy, self.groups, self.limits = policy, groups, limits
        shutil.copyfile(template(turns, overlap), self.path)
        with Store(self.path, clock=self.clock) as store:
            store.set(
                {
                    "criteria": "accuracy, style",
                    "confidence": "guess, fair, sure",
                    "tags": "clear, short",
                    "cannot_judge_reasons": list(REASONS),
                    "repeat_percent": percent,
                    "repeat_gap": gap,
                    "policy": policy,
                    "overlap_by_group": groups,
                    "only_for": limits,
                    "uniform_floor": 0.25,
                }
            )
        # Opened once: to read the whole schema at each question takes most of the time.
        self.outside = sqlite3.connect(self.path, isolation_level=None)
        for name in PEOPLE:
            self.open(name)
        for name, seen in before:
            self.work(name, [seen])

    def open(self, name: str) -> None:
        who = Annotator(
            name,
            group="expert" if name == "ann" else "crowd",
            attributes={"keen": "no" if name == "cat" else "yes"},
        )
        self.stores[name] = Store(self.path, clock=self.clock, blind_for=who)
        self.ids[name] = self.stores[name].annotator(name)

    def teardown(self) -> None:
        for store in self.stores.values():
            store.close()
        if self.stores:
            self.outside.close()
            with Store(self.path) as store:
                findings = store.verify()
            assert findings == []
        self.folder.cleanup()

    # ── what the study says ─────────────────────────────────────────────────

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What is committed now, in the eyes of a connection that nobody blinded."""
        return self.outside.execute(query, values).fetchall()

    def state_of(self, assignment: int) -> tuple[str, int]:
        ((state, pair),) = self.ask(
            "SELECT state, pair_id FROM assignment WHERE id = ?", assignment
        )
        return state, pair

    def will_hold(self, assignment: int) -> None:
        """Before a deed that holds a pair's slot whether or not one is free."""
        state, pair = self.state_of(assignment)
        ((repeat,),) = self.ask("SELECT repeat FROM assignment WHERE id = ?", assignment)
        if state not in ("open", "done") and not repeat:
            self.beyond_wanted[pair] += 1

    def chances(self, name: str, beyond: int | None) -> dict[int, float]:
        """How likely each pair is to be drawn now, told from what the tables say, one by one."""
        held = self.ask(
            'SELECT s.pair_id, a."group", s.left, p.question_id, p.model_1 || p.model_2 '
            "FROM assignment s JOIN annotator a ON a.id = s.annotator_id "
            "JOIN pair p ON p.id = s.pair_id WHERE s.state IN ('open', 'done') AND s.repeat = 0 "
            "AND NOT (s.state = 'open' AND s.lease_until < ? AND s.annotator_id != ?)",
            self.stores[name].now(),
            self.ids[name],
        )
        loads = Counter(row[0] for row in held)
        blocks = Counter(row[4] for row in held)
        mine = self.ask(
            "SELECT s.id, s.pair_id, p.question_id FROM assignment s JOIN pair p "
            "ON p.id = s.pair_id WHERE s.annotator_id = ? ORDER BY s.id",
            self.ids[name],
        )
        group = "expert" if name == "ann" else "crowd"
        in_group = Counter(row[0] for row in held if row[1] == group)
        room = self.groups.get(group, 0) if self.groups else 99
        pairs = [
            row
            for row in self.ask(
                "SELECT p.id, p.question_id, p.model_1 || p.model_2, q.disputed "
                "FROM queue q JOIN pair p ON p.id = q.pair_id"
            )
            if loads[row[0]] < self.overlap
            and in_group[row[0]] < room
            and row[0] not in {pair for _, pair, _ in mine}
            and not (self.limits and name == "cat")
        ]
        last = [row[2] for row in mine if row[0] == (beyond or mine[-1][0])]
        pairs = [row for row in pairs if row[1] not in last] or pairs
        if not pairs:
            return {}
        uniform = {row[0]: 1 / len(pairs) for row in pairs}
        if self.policy == "uniform":
            return uniform
        if self.policy == "round-robin":
            return {min((loads[row[0]], row[0]) for row in pairs)[1]: 1.0}
        if self.policy == "disagreement-first":
            loud = [row[0] for row in pairs if row[3]]
            return {
                pair: 0.25 * each + 0.75 * (pair in loud) / len(loud) if loud else each
                for pair, each in uniform.items()
            }
        # All pairs here are of one category, so a quota changes nothing.
        fewest = min((loads[row[0]], blocks[row[2]]) for row in pairs)
        first = [row[0] for row in pairs if (loads[row[0]], blocks[row[2]]) == fewest]
        return dict.fromkeys(first, 1 / len(first))

    def serve_and_compare(self, name: str, beyond: int | None = None) -> Served | None:
        """Serve; a pair drawn for it has the probability, and stands the way round, that is due."""
        chances = self.chances(name, beyond)
        ((newest,),) = self.ask("SELECT coalesce(max(id), 0) FROM assignment")
        served = self.stores[name].serving.serve(self.ids[name], beyond=beyond)
        assert served is not None or not chances
        if served is None or served.assignment <= newest:
            return served
        ((pair, repeat, left, probability, policy),) = self.ask(
            "SELECT pair_id, repeat, left, probability, policy FROM assignment WHERE id = ?",
            served.assignment,
        )
        assert sum(chances.values()) == pytest.approx(1)
        if not repeat:
            assert policy == self.policy
            assert probability == pytest.approx(chances[pair])
            sides = Counter(
                side
                for (side,) in self.ask(
                    "SELECT left FROM assignment WHERE pair_id = ? AND id != ? AND repeat = 0 "
                    "AND state IN ('open', 'done')",
                    pair,
                    served.assignment,
                )
            )
            assert sides[left] <= sides[3 - left]
        return served

    def comes_late_enough(self, name: str, served: Served | None) -> None:
        """What is handed out is no repeat, or lies far enough behind the vote it repeats."""
        if served is None:
            return
        ((repeat, pair),) = self.ask(
            "SELECT repeat, pair_id FROM assignment WHERE id = ?", served.assignment
        )
        if repeat:
            mine = dict(
                self.ask(
                    "SELECT a.id, a.pair_id FROM assignment a "
                    "JOIN annotator n ON n.id = a.annotator_id "
                    "WHERE n.name = ? AND a.state = 'done'",
                    name,
                )
            )
            (first,) = (number for number, of in mine.items() if of == pair)
            log = self.voted[name]
            since = log[len(log) - log[::-1].index(first) :]
            assert len({number for number in since if number in mine}) >= self.gap

    def show(self, name: str, served: Served | None) -> None:
        self.screen[name] = served
        if served is not None:
            seen = (served.question, served.left, served.right)
            assert self.sides.setdefault(served.assignment, seen) == seen
            mine = {
                t: s
                for (n, a, t), s in self.standing.items()
                if (n, a) == (name, served.assignment)
            }
            assert served.voted == mine
            for turn in mine:
                said = self.said[name, served.assignment, turn]
                assert served.said.get(turn, Details()) == said

    # ── what people do ──────────────────────────────────────────────────────

    def look(self, name: str) -> Served | None:
        """What somebody has before them; who has nothing is handed the next pair, as screens do.

        Most runs leave some rules out: were this left to a rule, most would see no vote.
        """
        if self.screen[name] is None:
            self.next_pair(name)
        return self.screen[name]

    @rule(name=WHO)
    def next_pair(self, name: str) -> None:
        store = self.stores[name]
        left = store.serving.progress(self.ids[name]).left
        served = self.serve_and_compare(name)
        assert served is not None or left == 0
        if served is not None:
            assert self.state_of(served.assignment)[0] == "open"
            assert store.serving.serve(self.ids[name]) == served
        self.comes_late_enough(name, served)
        self.forget_skip(name, served)
        self.show(name, served)

    @rule(name=WHO)
    def prepare(self, name: str) -> None:
        screen = self.look(name)
        if screen is not None:
            ahead = self.serve_and_compare(name, screen.assignment)
            if ahead is not None:
                assert ahead.assignment != screen.assignment
                self.comes_late_enough(name, ahead)
                self.stores[name].serving.release(self.ids[name], ahead.assignment)

    @rule(name=WHO)
    def go_through_skipped(self, name: str) -> None:
        served = self.stores[name].serving.serve_skipped(self.ids[name])
        self.comes_late_enough(name, served)
        self.forget_skip(name, served)
        if served is not None:
            self.show(name, served)

    def forget_skip(self, name: str, served: Served | None) -> None:
        """A skip whose pair is open again cannot be undone."""
        if served is not None:
            self.deeds[name] = [
                d
                for d in self.deeds[name]
                if d.seen or d.cannot_judge or d.assignment != served.assignment
            ]

    @rule(name=WHO, seen=SEEN, details=DETAILS, stays=st.booleans(), data=st.data())
    def vote(
        self, name: str, seen: Seen, details: Details, stays: bool, data: st.DataObject
    ) -> None:
        """A vote on any turn; behind the last one a screen goes on, unless somebody stays."""
        served = self.look(name)
        if served is None:
            return
        self.cast_on(name, served, data.draw(st.sampled_from(served.turns)), seen, details)
        if not stays and self.state_of(served.assignment)[0] == "done":
            self.next_pair(name)

    @rule(name=WHO, seens=st.lists(SEEN, min_size=1, max_size=3))
    def work(self, name: str, seens: list[Seen]) -> None:
        """One pair after the other, each voted on as a whole."""
        for seen in seens:
            served = self.look(name)
            for turn in served.turns if served is not None else ():
                self.cast_on(name, served, turn, seen, Details())
            self.next_pair(name)

    def cast_on(self, name: str, served: Served, turn: int, seen: Seen, details: Details) -> None:
        place = (name, served.assignment, turn)
        before = self.standing.get(place)
        was = self.state_of(served.assignment)
        if before is None:
            self.will_hold(served.assignment)
        cast = Cast(
            f"v{next(self.numbers)}", served.assignment, turn, seen, "", "",
            details.confidence, None, details.tags, details.criteria,
        )  # fmt: skip
        assert self.stores[name].voting.cast(self.ids[name], f"local:{name}", cast)
        self.cast.append((name, cast.id, cast))
        self.voted[name].append(served.assignment)
        if before is None:
            self.did(name, Undone(served.assignment, turn, seen))
        else:
            assert self.state_of(served.assignment) == was
            self.changed.setdefault(place, []).append((before, self.said[place]))
            self.deeds[name].append(Undone(served.assignment, turn, seen, restored=before))
        self.standing[place] = seen
        self.said[place] = details
        self.unable.pop(place, None)

    def did(self, name: str, deed: Undone) -> None:
        """A first word on a turn stands for those before it, and ends a skip of its pair."""
        self.changed.pop((name, deed.assignment, deed.turn), None)
        self.deeds[name] = [
            d
            for d in self.deeds[name]
            if d.assignment != deed.assignment
            or ((d.seen or d.cannot_judge) and d.turn != deed.turn)
        ]
        self.deeds[name].append(deed)

    @rule(name=WHO, reason=st.sampled_from(REASONS), data=st.data())
    def cannot_judge(self, name: str, reason: str, data: st.DataObject) -> None:
        served = self.look(name)
        if served is None:
            return
        turn = data.draw(st.sampled_from(served.turns))
        one = Declined(f"v{next(self.numbers)}", served.assignment, turn, reason)
        assert self.stores[name].voting.decline(self.ids[name], f"local:{name}", one)
        assert not self.stores[name].voting.decline(self.ids[name], f"local:{name}", one)
        assert self.state_of(served.assignment)[0] == "declined"
        place = (name, served.assignment, turn)
        before = self.standing.pop(place, None)
        self.unable[place] = reason
        if before is None:
            self.did(name, Undone(served.assignment, turn, None, reason))
            return
        self.forget_skip(name, served)
        self.changed.setdefault(place, []).append((before, self.said[place]))
        self.deeds[name].append(Undone(served.assignment, turn, None, reason, before))

    @precondition(lambda self: self.cast)
    @rule(data=st.data())
    def vote_again_with_the_same_id(self, data: st.DataObject) -> None:
        name, _, cast = data.draw(st.sampled_from(self.cast))
        assert not self.stores[name].voting.cast(self.ids[name], f"local:{name}", cast)

    @rule(name=WHO)
    def skip(self, name: str) -> None:
        served = self.look(name)
        if served is None:
            return
        was_open = self.state_of(served.assignment)[0] == "open"
        self.stores[name].voting.skip(self.ids[name], served.assignment)
        if was_open:
            turns = [t for t in served.turns if (name, served.assignment, t) not in self.standing]
            self.deeds[name].append(Undone(served.assignment, turns[0], None))

    @rule(name=WHO)
    def undo(self, name: str) -> None:
        expected = self.deeds[name].pop() if self.deeds[name] else None
        if expected is not None and (expected.restored is None or expected.cannot_judge):
            self.will_hold(expected.assignment)
        undone = self.stores[name].voting.undo(
            self.ids[name], f"local:{name}", f"v{next(self.numbers)}"
        )
        assert (undone is None) is (expected is None)
        if undone is None or expected is None:
            return
        assert (undone.assignment, undone.seen) == (expected.assignment, expected.seen)
        assert undone.cannot_judge == expected.cannot_judge
        assert undone.restored == expected.restored
        place = (name, undone.assignment, undone.turn)
        if undone.seen is not None:
            assert undone.turn == expected.turn
            del self.standing[place]
            if undone.restored is not None:
                self.standing[place], self.said[place] = self.changed[place].pop()
                assert self.standing[place] == undone.restored
                return
        elif undone.cannot_judge:
            assert undone.turn == expected.turn
            del self.unable[place]
            if undone.restored is not None:
                self.standing[place], self.said[place] = self.changed[place].pop()
                assert self.standing[place] == undone.restored
                return
        self.forget_skip(name, self.stores[name].serving.look_again(undone.assignment))
        self.show(name, self.stores[name].serving.look_again(undone.assignment))

    @rule(name=WHO)
    def come_back_after_a_crash(self, name: str) -> None:
        """The line drops: nothing is given back, and the file is opened anew."""
        self.stores[name].connection.close()
        self.open(name)
        self.screen[name] = None

    @rule(name=WHO, seen=SEEN)
    def crash_before_a_vote_is_committed(self, name: str, seen: Seen) -> None:
        """All is written but the end of the transaction: nothing of it may be found again."""
        served = self.look(name)
        if served is None:
            return
        store = self.stores[name]
        cast = Cast(f"v{next(self.numbers)}", served.assignment, served.turns[0], seen)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "_check_still_there", store.connection.close)
            with pytest.raises(sqlite3.ProgrammingError):
                store.voting.cast(self.ids[name], f"local:{name}", cast)
        self.open(name)
        self.screen[name] = None

    @rule(minutes=st.sampled_from([1, 59, 61, 1000]))
    def wait(self, minutes: int) -> None:
        self.clock.forward(minutes=minutes)

    # ── what must hold after every step ─────────────────────────────────────

    @invariant()
    def loads_are_what_is_open_or_done(self) -> None:
        if not self.stores:
            return
        held = Counter(
            pair
            for (pair,) in self.ask(
                "SELECT pair_id FROM assignment WHERE state IN ('open', 'done') AND repeat = 0"
            )
        )
        for pair, load in self.ask("SELECT pair_id, load FROM queue"):
            assert load == held[pair]
            assert load <= self.overlap + self.beyond_wanted[pair]

    @invariant()
    def what_draws_count_on_is_right(self) -> None:
        if not self.stores:
            return
        held = self.ask(
            'SELECT a."group", s.pair_id, s.left FROM assignment s JOIN annotator a '
            "ON a.id = s.annotator_id WHERE s.state IN ('open', 'done') AND s.repeat = 0"
        )
        counted = Counter((group, pair) for group, pair, _ in held)
        kept = {row[:2]: row[2] for row in self.ask("SELECT * FROM group_load WHERE load > 0")}
        assert kept == counted
        for (group, pair), load in counted.items() if self.groups else ():
            assert load <= self.groups.get(group, 0) + self.beyond_wanted[pair]
        firsts = Counter(pair for _, pair, left in held if left == 1)
        outcomes: dict[tuple[int, int], set[str]] = {}
        for pair, turn, choice in self.ask(
            "SELECT pair_id, turn, choice FROM vote v WHERE choice IS NOT NULL AND repeat = 0 "
            "AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)"
        ):
            outcomes.setdefault((pair, turn), set()).add(choice)
        split = {pair for (pair, _), choices in outcomes.items() if len(choices) > 1}
        strata: Counter[tuple[object, ...]] = Counter()
        for pair, load_1, disputed, *stratum, wanting in self.ask(
            "SELECT pair_id, load_1, disputed, load, category, block, load < overlap FROM queue"
        ):
            assert (load_1, bool(disputed)) == (firsts[pair], pair in split)
            strata[disputed, *stratum, "pairs"] += 1
            strata[disputed, *stratum, "wanting"] += wanting
        for *stratum, pairs, wanting in self.ask(
            "SELECT disputed, load, category, block, pairs, wanting FROM stratum WHERE pairs > 0"
        ):
            assert strata.pop((*stratum, "pairs")) == pairs
            assert strata.pop((*stratum, "wanting")) == wanting
        assert not strata

    @invariant()
    def who_may_not_have_a_category_never_has(self) -> None:
        if self.stores and self.limits:
            assert not self.ask("SELECT 1 FROM assignment WHERE annotator_id = ?", self.ids["cat"])

    @invariant()
    def every_acknowledged_vote_stands_and_no_other(self) -> None:
        if not self.stores:
            return
        found = self.ask(
            "SELECT a.name, v.assignment_id, v.turn, v.seen FROM vote v "
            "JOIN annotator a ON a.id = v.annotator_id WHERE v.choice IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)"
        )
        assert len(found) == len(self.standing)
        assert {row[:3]: Seen(row[3]) for row in found} == self.standing
        assert len({(name, a, turn) for name, a, turn, _ in found}) == len(found)

    @invariant()
    def a_pair_is_had_once_and_repeated_once_the_other_way_round(self) -> None:
        if not self.stores:
            return
        had: dict[tuple[int, int], dict[int, tuple[int, str, str]]] = {}
        for person, pair, repeat, *rest in self.ask(
            "SELECT annotator_id, pair_id, repeat, left, policy, state FROM assignment"
        ):
            times = had.setdefault((person, pair), {})
            assert repeat not in times
            times[repeat] = tuple(rest)
        for times in had.values():
            assert set(times) in ({0}, {0, 1})
            assert times[0][1] == self.policy
            if 1 in times:
                left, policy, state = times[1]
                assert self.percent
                assert (left, policy) == (3 - times[0][0], "hidden-repeat")
                assert state != "expired"

    @invariant()
    def every_word_that_somebody_cannot_judge_stands_and_no_other(self) -> None:
        if not self.stores:
            return
        found = self.ask(
            "SELECT a.name, v.assignment_id, v.turn, v.cannot_judge FROM vote v "
            "JOIN annotator a ON a.id = v.annotator_id WHERE v.cannot_judge IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id)"
        )
        assert {row[:3]: row[3] for row in found} == self.unable
        for (assignment,) in self.ask("SELECT id FROM assignment WHERE state = 'declined'"):
            assert any(key[1] == assignment for key in self.unable)

    @invariant()
    def every_id_that_was_acknowledged_is_in_the_log(self) -> None:
        if self.stores:
            stored = {key for (key,) in self.ask("SELECT id FROM vote")}
            assert {key for _, key, _ in self.cast} <= stored

    @invariant()
    def what_is_done_has_a_vote_on_every_turn(self) -> None:
        if not self.stores:
            return
        for name, assignment, state in self.ask(
            "SELECT n.name, a.id, a.state FROM assignment a "
            "JOIN annotator n ON n.id = a.annotator_id"
        ):
            turns, _ = self.stores[name].serving.turns(self.stores[name].connection, assignment)
            has_all = all((name, assignment, turn) in self.standing for turn in turns)
            # A word not to judge on another turn leaves all the votes of a closed pair standing.
            assert state in ("done", "declined") if has_all else state != "done"


def check(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Annotating,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_nothing_that_annotators_do_breaks_a_study() -> None:
    check(examples=40, steps=30)


@pytest.mark.slow
def test_nothing_that_annotators_do_breaks_a_study_however_long() -> None:
    check(examples=1000, steps=40)

"""Lessons: what newcomers practise on and qualify by, and how they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.errors import UsageError
from core.records import Choice, Lesson, LessonUse, Pair
from core.settings import PER_TURN
from core.text import many, one_line
from tui.cli import Settings, as_name, example, say
from tui.cli.data import as_json, show_json
from tui.cli.figures import Whole

if TYPE_CHECKING:
    from db.lessons import Kept, Learner, Tried
    from db.store import Store


@click.group("practice", epilog=example("tiebreak --db study.db practice list"))
def practice_command() -> None:
    """What newcomers practise on and qualify by, and how they do."""


def takes_lesson(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments that name a lesson."""
    for decorate in (
        click.option("--turn", type=Whole(0), help="The turn; the first otherwise."),
        click.argument("model_b", metavar="MODEL"),
        click.argument("model_a", metavar="MODEL"),
        click.argument("question", metavar="QUESTION"),
    ):
        command = decorate(command)
    return takes_use(command)


takes_use = click.option(
    "--use",
    type=click.Choice([use.value for use in LessonUse]),
    default=LessonUse.PRACTICE.value,
    show_default=True,
    help="To learn from, or to be let in by.",
)


def _pair(question: str, model_a: str, model_b: str) -> Pair:
    if model_a == model_b:
        raise UsageError(f"{model_a!r} is named twice", "a pair has two models")
    return Pair.of(question, model_a, model_b)[0]


def _turn(store: Store, turn: int | None) -> int:
    """The turn that is meant where none is named."""
    is_per_turn = store.settings()["vote_per"] == PER_TURN
    return turn if turn is not None else int(is_per_turn)


def _choice(pair: Pair, said: str) -> Choice:
    outcomes = {
        pair.model_1: Choice.MODEL_1,
        pair.model_2: Choice.MODEL_2,
        "tie": Choice.TIE,
        "both_bad": Choice.BOTH_BAD,
    }
    if said not in outcomes:
        raise UsageError(
            f"--choice {said!r} is no outcome of this pair", f"it takes: {', '.join(outcomes)}"
        )
    return outcomes[said]


def _outcome(pair: Pair, choice: Choice | None) -> str:
    """An outcome as a lead writes it: a model's name, tie or both_bad."""
    if choice is None:
        return "skipped"
    named = {Choice.MODEL_1: pair.model_1, Choice.MODEL_2: pair.model_2}
    return named.get(choice, choice.value)


@practice_command.command(
    "add",
    epilog=example(
        "tiebreak --db study.db practice add tides ant bee --choice bee --why 'Only it is right.'"
    ),
)
@takes_lesson
@click.option("--choice", required=True, help="What is right: a model's name, tie or both_bad.")
@click.option("--why", default="", help="Why, as annotators read it; @FILE reads a file.")
@click.pass_obj
def practice_add(
    settings: Settings,
    question: str,
    model_a: str,
    model_b: str,
    turn: int | None,
    use: str,
    choice: str,
    why: str,
) -> None:
    """Make a lesson of a pair of answers, which need not be queued for voting.

    Say why without A, B, left or right: each annotator gets another order.
    """
    from db.store import Store

    if why.startswith("@"):
        why = Path(why[1:]).read_text("utf-8")
    pair = _pair(question, model_a, model_b)
    with Store(settings.study()) as store:
        turn = _turn(store, turn)
        lesson = Lesson(pair, turn, _choice(pair, choice), why, LessonUse(use))
        is_new = store.lessons.add(lesson)
        kept = [one for one in store.lessons.all() if one.lesson.use is lesson.use]
        bar = store.settings()["qualification_pass"]
    say(f"{'added' if is_new else 'was there already'}: {many(len(kept), f'{use} lesson')} now")
    if any(one.queued for one in kept if one.lesson.pair == pair):
        say("  this pair is queued too: who meets it as a lesson does not vote on it")
    if lesson.use is LessonUse.QUALIFICATION and not bar:
        say("  nobody is asked to qualify yet: tiebreak study set qualification_pass 0.8")


@practice_command.command(
    "from-rulings", epilog=example("tiebreak --db study.db practice from-rulings")
)
@takes_use
@click.pass_obj
def practice_from_rulings(settings: Settings, use: str) -> None:
    """Make a lesson of each pair and turn that a lead ruled on, with the ruling's reason.

    The last ruling that stands counts. Left out, each with why: rulings without an outcome,
    reasons that name a model, pairs without texts, and what a lesson says otherwise already.
    """
    from db.store import Store

    with Store(settings.study()) as store:
        taken = store.lessons.from_rulings(LessonUse(use))
    say(f"{many(taken.new, 'lesson')} added, {taken.unchanged:,} there already")
    for reason in taken.left_out:
        say(f"  left out: {one_line(reason, 300)}")


@practice_command.command("list", epilog=example("tiebreak --db study.db practice list --json"))
@as_json
@click.pass_obj
def practice_list(settings: Settings, as_json: bool) -> None:
    """Every lesson, with what is right and why.

    For a lead who reads it, their pairs count as unmasked.
    """
    from db.store import Store

    with Store(settings.study()) as store:
        kept = store.lessons.all()
        _count_as_seen(settings, store, [one.lesson for one in kept])
    if as_json:
        show_json([_lesson_json(one) for one in kept])
        return
    if not kept:
        say("no lessons yet; add one: tiebreak practice add")
    for one in kept:
        lesson, pair = one.lesson, one.lesson.pair
        told = f"{lesson.use.value:14}{pair.question}, turn {lesson.turn}: "
        click.echo(one_line(f"{told}{pair.model_1} or {pair.model_2}", 200))
        click.echo(one_line(f"    {_outcome(pair, lesson.choice)}: {lesson.why or '–'}", 200))
        known = f"    {many(one.annotators, 'annotator')} so far"
        known += "; queued for voting too" if one.queued else ""
        click.echo(known + ("" if one.shown else "; no texts, so nobody gets it"))


def _count_as_seen(settings: Settings, store: Store, lessons: Iterable[Lesson]) -> None:
    from db.sights import know_pairs
    from tui.cli.sights import counts_as_seen

    pairs = {(one.pair, one.turn) for one in lessons}
    if pairs:
        counts_as_seen(settings.study(), store, partial(know_pairs, pairs=pairs))


def _lesson_json(one: Kept) -> dict[str, Any]:
    lesson, pair = one.lesson, one.lesson.pair
    return {
        "question": pair.question,
        "model_1": pair.model_1,
        "model_2": pair.model_2,
        "turn": lesson.turn,
        "use": lesson.use.value,
        "choice": lesson.choice.value,
        "why": lesson.why,
        "annotators": one.annotators,
        "queued": one.queued,
        "shown": one.shown,
    }


@practice_command.command(
    "remove", epilog=example("tiebreak --db study.db practice remove tides ant bee --turn 2")
)
@takes_lesson
@click.option("--with-trials", is_flag=True, help="And what annotators said to it.")
@click.pass_obj
def practice_remove(
    settings: Settings,
    question: str,
    model_a: str,
    model_b: str,
    turn: int | None,
    use: str,
    with_trials: bool,
) -> None:
    """Take a lesson away. Who passed a qualification stays in."""
    from db.store import Store

    pair = _pair(question, model_a, model_b)
    with Store(settings.study()) as store:
        turn = _turn(store, turn)
        gone = store.lessons.remove(pair, turn, LessonUse(use), with_trials=with_trials)
    times = f", with what was said to it {many(gone, 'time')}" if gone else ""
    say(f"removed{times}")


@practice_command.command("let-in", epilog=example("tiebreak --db study.db practice let-in ann"))
@click.argument("name", callback=as_name)
@click.pass_obj
def practice_let_in(settings: Settings, name: str) -> None:
    """Let somebody vote without practice and without passing; who did so is kept."""
    from db.store import Store, local_identity

    with Store(settings.study()) as store:
        _, identity = local_identity()
        is_new = store.practising.let_in(store.lessons.annotator(name), identity)
    say(f"{name} {'is let in' if is_new else 'was let in before'}: votes are taken from now on")


@practice_command.command(
    "results", epilog=example("tiebreak --db study.db practice results --json")
)
@as_json
@click.pass_obj
def practice_results(settings: Settings, as_json: bool) -> None:
    """Who has practised and qualified, and which lessons they got wrong.

    For a lead who reads it, the pairs of these lessons count as unmasked.
    """
    from db.store import Store

    with Store(settings.study()) as store:
        learners = store.lessons.learners()
        tried = [trial.lesson for each in learners for trial in each.trials]
        _count_as_seen(settings, store, tried)
        chosen = store.settings()
        lessons = [one.lesson.use for one in store.lessons.all() if one.shown]
    is_asked = chosen["qualification_pass"] > 0 and LessonUse.QUALIFICATION in lessons
    if as_json:
        show_json([_learner_json(learner, is_asked) for learner in learners])
        return
    if chosen["qualification_pass"] > 0 and not is_asked:
        say("qualification_pass is set, but there is no qualification lesson: nobody is asked")
    for learner in learners:
        practice = learner.of(LessonUse.PRACTICE)
        right = sum(trial.is_right for trial in practice)
        told = f"practice {right} of {len(practice)} right, {learner.to_practise} not met"
        click.echo(one_line(f"{learner.name:20}{told}; {_qualified(learner, is_asked)}", 200))
        for trial in learner.trials:
            if not trial.is_right:
                click.echo(f"    {one_line(_mistake(trial), 190)}")


def _qualified(learner: Learner, is_asked: bool) -> str:
    """Whether somebody may vote, and by what, in words."""
    let_in, attempts = learner.standing.let_in, learner.standing.attempts
    if let_in is not None:
        return f"let in by {let_in['by']} on {let_in['at'][:10]}"
    if attempts:
        last = attempts[-1]
        said = "qualified" if last.passed else "not qualified"
        return f"{said}: {last.right} of {last.of} right in try {last.round}, {last.needed} needed"
    return "not qualified: no try finished" if is_asked else "no qualification asked"


def _mistake(trial: Tried) -> str:
    lesson, pair = trial.lesson, trial.lesson.pair
    return (
        f"{lesson.use.value}, round {trial.round}: {pair.question}, turn {lesson.turn}: "
        f"{_outcome(pair, trial.choice)}, not {_outcome(pair, lesson.choice)}"
    )


def _learner_json(learner: Learner, is_asked: bool) -> dict[str, Any]:
    standing = learner.standing
    return {
        "annotator": learner.name,
        "to_practise": learner.to_practise,
        "qualified": standing.is_in if standing.is_in or is_asked else None,
        "let_in": standing.let_in,
        "attempts": [
            {
                "round": attempt.round,
                "right": attempt.right,
                "of": attempt.of,
                "needed": attempt.needed,
                "passed": attempt.passed,
                "at": attempt.at,
            }
            for attempt in standing.attempts
        ],
        "trials": [
            {
                "use": trial.lesson.use.value,
                "round": trial.round,
                "question": trial.lesson.pair.question,
                "model_1": trial.lesson.pair.model_1,
                "model_2": trial.lesson.pair.model_2,
                "turn": trial.lesson.turn,
                "choice": trial.choice.value if trial.choice else None,
                "right": trial.lesson.choice.value,
                "is_right": trial.is_right,
            }
            for trial in learner.trials
        ],
    }

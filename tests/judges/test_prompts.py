"""Every prompt keeps the contract, and what is filled in stays what it is."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import TiebreakError
from core.records import Question, Seen
from judges.families import Family, Prompts, Style, family_of
from judges.parsing import Grammar, parse
from judges.prompt_files import load_prompts
from judges.prompting import Prompt, Template
from judges.tasks import Shown, Task, both_orders
from tests.judges.samples import ALPHA, BETA, PAIR, QUESTION, judge_at, orders

PROMPTS = load_prompts()
BARE = dataclasses.replace(QUESTION, references=())
STYLES = (
    "",
    " explain=first",
    " explain=after",
    " explain=none",
    " names=Kim,Robin,Lee",
    " examples=own",
    " explain=after examples=own names=Kim,Robin,Lee",
    " explain=none examples=own",
)
ONE_WAY = {
    "pairwise-choice": ("explain=first", "explain=after"),
    "single-answer": ("names=",),
}
"""Families that have no wording for some styles."""


def every_variant() -> list[tuple[str, Prompt]]:
    found = []
    for family in PROMPTS.families:
        for style in STYLES:
            if not any(odd in style for odd in ONE_WAY.get(family, ())):
                found += [(family + style, one) for one in PROMPTS.variants(family + style)]
    return found


EVERY = every_variant()


def a_task(prompt: Prompt) -> Task:
    return orders(2 if prompt.multi else 1, QUESTION if prompt.reference else BARE)[0]


def shown_by(prompt: Prompt) -> Task | Shown:
    task = a_task(prompt)
    if prompt.form != "list":
        return task
    return Shown(task.question, task.turn, (task.left_answer, task.right_answer, ("x!", "y!")))


def sent(prompt: Prompt, task: Task | Shown) -> str:
    return "\n".join(m.content for side in prompt.sides for m in prompt.render(task, side))


@pytest.mark.parametrize(("named", "prompt"), EVERY, ids=[f"{n}:{p.id}" for n, p in EVERY])
def test_the_contract(named: str, prompt: Prompt) -> None:
    shown = shown_by(prompt)
    text = sent(prompt, shown)
    asked = "\n".join(prompt.render(shown, side)[-1].content for side in prompt.sides)
    turn = shown.turn - 1
    for part in (QUESTION.turns[turn], ALPHA[turn], BETA[turn]):
        assert part in asked
    assert (str(QUESTION.references[turn]) in asked) == prompt.reference
    assert (QUESTION.turns[0] in asked) == (prompt.multi or turn == 0)
    assert "secret" not in text
    assert asked.index(ALPHA[turn]) < asked.index(BETA[turn]), "the left answer comes first"
    names = Style.read(named).names or ("A", "B")
    for label in list(prompt.grammar.labels)[:2]:
        assert label in prompt.system, f"the wording does not offer {label}"
    if prompt.form != "single":
        assert f"<{'conversation' if prompt.multi else 'answer'}_{names[0].lower()}>" in asked or (
            prompt.form == "list"
            and f"<candidate_{names[2].lower() if names[2:] else 'c'}>" in asked
        )
    assert "{" not in prompt.system, "a field or a brace was left over"
    assert "\n\n\n" not in prompt.system


@pytest.mark.parametrize("prompt", [p for _, p in EVERY], ids=[p.id for _, p in EVERY])
def test_the_wording_alone_is_no_verdict(prompt: Prompt) -> None:
    """A model that only repeats its instructions has not judged."""
    grammar = prompt.grammar
    if prompt.form == "list":
        grammar = Grammar({}, names=grammar.names[:3])
    for message in (prompt.render(shown_by(prompt))[0], prompt.render(shown_by(prompt))[-1]):
        assert parse(prompt.parser, message.content, grammar).failure is not None


@pytest.mark.parametrize("family", PROMPTS.families)
def test_a_family_takes_turns_conversations_and_references(family: str) -> None:
    single, multi, whole = (PROMPTS.pick(family, orders(turn)[0]) for turn in (1, 2, 0))
    assert not single.multi
    assert multi.multi
    assert whole == multi
    assert not PROMPTS.pick(family, orders(1, BARE)[0]).reference
    short = Question("q", ("one?",))
    alone = both_orders(PAIR, 0, short, ("a",), ("b",))[0]
    assert not PROMPTS.pick(family, alone).multi, "a conversation of one turn is one turn"


def test_the_reference_is_shown_where_the_judged_turn_has_one() -> None:
    half = dataclasses.replace(QUESTION, references=(None, "101 is one."))
    assert not PROMPTS.pick("pairwise", orders(1, half)[0]).reference
    second = PROMPTS.pick("pairwise", orders(2, half)[0])
    assert second.reference
    text = sent(second, orders(2, half)[0])
    assert text.count("101 is one.") == 1
    assert "None" not in text


def test_whole_conversations_and_turns_ask_for_different_things() -> None:
    prompt = PROMPTS.pick("pairwise", orders(2)[0])
    assert "request 2" in sent(prompt, orders(2)[0])
    assert "as a whole" in sent(prompt, orders(0)[0])


def test_a_turn_shows_nothing_that_came_after_it() -> None:
    long = Question("q", ("one?", "two?", "three?"))
    task = both_orders(PAIR, 2, long, ("a1", "a2", "a3"), ("b1", "b2", "b3"))[0]
    text = sent(PROMPTS.pick("pairwise", task), task)
    assert "two?" in text
    assert not any(later in text for later in ("three?", "a3", "b3"))


@pytest.mark.parametrize("style", ["", " names=Kim,Robin", " examples=own explain=after"])
def test_the_second_order_swaps_the_answers_and_nothing_else(style: str) -> None:
    one, two = orders()
    prompt = PROMPTS.pick(f"pairwise{style}", one)
    marks = {ALPHA[0]: "\0A", BETA[0]: "\0B"}
    texts = []
    for task in (one, two):
        text = sent(prompt, task)
        for answer, mark in marks.items():
            text = text.replace(answer, mark)
        texts.append(text)
    assert texts[0] != texts[1]
    swapped = texts[1].replace("\0A", "\0x").replace("\0B", "\0A").replace("\0x", "\0B")
    assert swapped == texts[0]


@given(left=st.text(), right=st.text(), question=st.text())
def test_texts_arrive_as_they_are(left: str, right: str, question: str) -> None:
    left += " {answer_b} {{x}} {0} {question!r}"
    task = both_orders(PAIR, 1, Question("q", (question,)), (left,), (right,))[0]
    user = PROMPTS.pick("pairwise", task).render(task)[-1].content
    assert f"<answer_a>\n{left}\n</answer_a>" in user
    assert f"<answer_b>\n{right}\n</answer_b>" in user
    assert f"<request>\n{question}\n</request>" in user


# ── the hash ─────────────────────────────────────────────────────────────────

KNOWN_HASHES = {
    "pairwise": "19a2811d698bdd9011a1dadad00a059e82f20f78be689fc52bf65f1f1cfd1d75",
    "pairwise-multi-reference": "2d3bee63c3f30d1be5547a0dc15b14d35d897ce3c9e3f253f87fb05f177a5107",
    "five-level": "b76a7b8c24ff8a7bf99a4e3e185b013d5884e19852ef0eb4b7025f843c1b34ac",
    "score-pair": "e9ec9a5128c8f77d2cc94d553a0adb397f67a38e77b467819a89c46c7286a268",
    "single-answer-multi": "034951098580c6ac8e7d91071e13c6c792fe0e483976756686150ae6c23bee20",
}
"""Prompts as first released: another hash would make other judges of those already at work."""


@pytest.mark.parametrize("prompt_id", KNOWN_HASHES)
def test_a_wording_that_judges_use_stays_as_it_is(prompt_id: str) -> None:
    assert PROMPTS.by_id[prompt_id].hash == KNOWN_HASHES[prompt_id]


def test_the_hash_names_what_is_sent_and_nothing_else() -> None:
    prompt = PROMPTS.by_id["pairwise-multi"]
    for same in ({"title": "x"}, {"id": "x"}, {"family": "x"}, {"parser": "choice"}):
        assert dataclasses.replace(prompt, **same).hash == prompt.hash  # type: ignore[arg-type]
    changes = [
        {"system": "x"},
        {"user": "x"},
        {"turn": "x"},
        {"max_tokens": 1},
        {"reference": True},
        {"focus": {"turn": "x", "whole": "y"}},
        {"structured": "json"},
        {"structured": "choice"},
        {"examples": tuple(prompt.render(orders(2)[0]))},
    ]
    hashes = {dataclasses.replace(prompt, **change).hash for change in changes}  # type: ignore[arg-type]
    assert len(hashes | {prompt.hash}) == len(changes) + 1


def test_styles_that_are_worded_alike_have_one_hash_and_others_have_others() -> None:
    by_wording: dict[Style, set[str]] = {}
    for named in {named for named, _ in EVERY}:
        style = Style.read(named)
        explain = style.explain or PROMPTS.by_id[style.family].explain
        wording = dataclasses.replace(style, explain=explain)
        by_wording.setdefault(wording, set()).add(PROMPTS.hash(named))
    assert all(len(hashes) == 1 for hashes in by_wording.values())
    assert len(set.union(*by_wording.values())) == len(by_wording) > 40


def test_a_change_of_any_variant_changes_the_family() -> None:
    family = PROMPTS.family("pairwise")
    changed = [
        dataclasses.replace(prompt, system="x") if prompt.id == "pairwise-multi" else prompt
        for prompt in family.variants
    ]
    assert Family("pairwise", changed).hash != family.hash
    assert Family("other", family.variants).hash == family.hash


def test_a_judge_of_another_wording_is_refused() -> None:
    record = judge_at("http://127.0.0.1:1/v1")
    assert family_of(record, PROMPTS).hash == record.prompt_hash
    other = dataclasses.replace(record, prompt_hash="old")
    with pytest.raises(TiebreakError, match="has changed since"):
        family_of(other, PROMPTS)


# ── styles ───────────────────────────────────────────────────────────────────


@given(
    explain=st.sampled_from(["", "first", "after", "none"]),
    examples=st.sampled_from(["", "own", "mine-2"]),
    names=st.sampled_from([(), ("Kim", "Robin"), ("甲", "乙", "丙")]),
)
def test_a_style_is_read_as_it_is_written(
    explain: str, examples: str, names: tuple[str, ...]
) -> None:
    style = Style("my prompt", explain, examples, names)
    assert Style.read(str(style)) == style


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("pairwise names=Kim", "at least two"),
        ("pairwise names=Kim,kim", "at least two that differ"),
        ("pairwise names=Kim,[[A]]", "cannot be what an answer is called"),
        ("pairwise names=Kim,{a}", "cannot be what an answer is called"),
        ("pairwise names=C,Robin", "two things by one label"),
        ("pairwise names=Tie,Robin", "two things by one label"),
        ("five-level names=Kim,D", "two things by one label"),
        ("single-answer names=Kim,Robin", "calls by no name"),
        ("ranking names=Kim,Robin", "two names"),
        ("pairwise-choice explain=first", "no wording for explain=first"),
        ("pairwise examples=theirs", "not at hand"),
        ("nope explain=none", "no prompt 'nope'"),
    ],
)
def test_styles_that_cannot_be(named: str, words: str) -> None:
    with pytest.raises(TiebreakError) as caught:
        PROMPTS.family(named)
    assert words in caught.value.message


def test_renamed_answers_are_read_by_their_names() -> None:
    prompt = PROMPTS.pick("five-level names=Kim,Robin", orders()[0])
    assert prompt.read("Robin is right.\n\n[[Robin>>Kim]]").seen is Seen.RIGHT
    assert prompt.read("[[A>>B]]").failure is not None
    assert "[[Robin>>Kim]] if answer Robin is much better" in prompt.system


def test_examples_stand_before_the_request_in_the_prompts_own_grammar() -> None:
    prompt = PROMPTS.pick("pairwise explain=after examples=own names=Kim,Robin", orders()[0])
    messages = prompt.render(orders()[0])
    assert [message.role for message in messages] == ["system", *["user", "assistant"] * 3, "user"]
    replies = [message.content for message in messages if message.role == "assistant"]
    assert [prompt.read(reply).seen for reply in replies] == [Seen.RIGHT, Seen.LEFT, Seen.TIE]
    assert replies[0].startswith("[[Robin]]\n\nRobin names the right planet")
    conversation = PROMPTS.pick("pairwise examples=own", orders(2)[0])
    assert "both_bad" in {
        str(conversation.read(message.content).seen)
        for message in conversation.examples
        if message.role == "assistant"
    }


def test_single_answers_are_graded_one_by_one() -> None:
    task = orders()[0]
    prompt = PROMPTS.pick("single-answer", task)
    left, right = (prompt.render(task, side)[-1].content for side in prompt.sides)
    assert ALPHA[0] in left
    assert BETA[0] not in left
    assert BETA[0] in right
    assert ALPHA[0] not in right
    raw = prompt.pack(["Good.\n[[8]]", "Poor.\n[[3]]"])
    assert prompt.read(raw).seen is Seen.LEFT
    assert prompt.unpack(raw) == ["Good.\n[[8]]", "Poor.\n[[3]]"]
    with pytest.raises(ValueError, match="list of two"):
        prompt.unpack('["one"]')


def test_scores_stand_where_the_prompt_asks_for_them() -> None:
    task = orders()[0]
    first, last = "8 7\nA is better.", "A is better.\n8 7"
    after = PROMPTS.pick("score-pair", task)
    assert after.read(first).scores == (8, 7)
    assert after.read(last).failure == "out of place"
    before = PROMPTS.pick("score-pair explain=first", task)
    assert before.read(last).scores == (8, 7)
    assert before.read(first).failure == "out of place"


# ── what a server is asked to enforce ────────────────────────────────────────


def test_only_labels_and_objects_are_asked_for() -> None:
    task = orders()[0]
    letters = PROMPTS.pick("pairwise-choice", task)
    assert letters.choices == ("A", "B", "C", "D")
    assert letters.schema is None
    assert all(letters.read(label).failure is None for label in letters.choices)
    json_prompt = PROMPTS.pick("pairwise-json", task)
    assert json_prompt.choices == ()
    assert list((json_prompt.schema or {})["properties"]) == ["why", "verdict"]
    after = PROMPTS.pick("pairwise-json explain=after names=Kim,Robin", task).schema or {}
    assert list(after["properties"]) == ["verdict", "why"]
    assert after["properties"]["verdict"]["enum"] == ["Kim", "Robin", "tie", "both bad"]
    assert PROMPTS.pick("pairwise", task).choices == ()
    for label in after["properties"]["verdict"]["enum"]:
        reply = json.dumps({"verdict": label, "why": "x"})
        assert PROMPTS.pick("pairwise-json names=Kim,Robin", task).read(reply).failure is None


# ── kept with a judge ────────────────────────────────────────────────────────


@pytest.mark.parametrize("named", sorted({named for named, _ in EVERY}))
def test_a_family_that_was_kept_is_the_same(named: str) -> None:
    family = PROMPTS.family(named)
    again = Family.load(family.dump())
    assert again.variants == family.variants
    assert again.hash == family.hash
    assert again.name == named


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"family": "x", "variants": [{"id": 3}]}'])
def test_what_is_no_family_is_refused(text: str) -> None:
    with pytest.raises(TiebreakError, match="cannot be read"):
        Family.load(text)


def test_templates_know_doubled_braces() -> None:
    template = Template("{{literal}} {x}{x}")
    assert template.fields == ("x",)
    assert template.fill({"x": "{y}"}) == "{literal} {y}{y}"


def test_two_written_prompts_for_one_place_are_refused() -> None:
    prompt = dataclasses.replace(PROMPTS.by_id["pairwise"], family="mine")
    with pytest.raises(TiebreakError, match="do the same in the family 'mine'"):
        Prompts([prompt, dataclasses.replace(prompt, id="other")])

"""Every prompt file keeps the contract, and what is filled in stays what it is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput, TiebreakError
from core.records import Question, Seen
from judges.parsing import parse
from judges.families import Prompts
from judges.prompt_files import FOLDER, load_prompts, read_prompt
from judges.prompting import Prompt, Template
from judges.tasks import Task, both_orders
from tests.judges.samples import ALPHA, BETA, PAIR, QUESTION, orders

PROMPTS = load_prompts()
FILES = sorted(FOLDER.glob("*.toml"))
BARE = dataclasses.replace(QUESTION, references=())


def a_task(prompt: Prompt) -> Task:
    return orders(2 if prompt.multi else 1, QUESTION if prompt.reference else BARE)[0]


def sent(prompt: Prompt, task: Task) -> str:
    return "\n".join(m.content for side in prompt.sides for m in prompt.render(task, side))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_contract(file: Path) -> None:
    prompt = read_prompt(file)
    assert prompt.id == file.stem
    task = a_task(prompt)
    text = sent(prompt, task)
    turn = task.turn - 1
    for shown in (QUESTION.turns[turn], ALPHA[turn], BETA[turn]):
        assert shown in text
    assert (str(QUESTION.references[turn]) in text) == prompt.reference
    assert (QUESTION.turns[0] in text) == (prompt.multi or turn == 0)
    assert PAIR.model_1 not in text
    assert PAIR.model_2 not in text
    assert text.index(ALPHA[turn]) < text.index(BETA[turn]), "the left answer comes first"
    for label in prompt.grammar.labels:
        if label in ("A", "B", "A>>B", "B>>A", "D", "both bad"):
            assert label in text, f"the wording does not offer {label}"


@pytest.mark.parametrize("prompt", PROMPTS.by_id.values(), ids=lambda prompt: prompt.id)
def test_the_wording_alone_is_no_verdict(prompt: Prompt) -> None:
    """A model that only repeats its instructions has not judged."""
    for message in prompt.render(a_task(prompt)):
        assert parse(prompt.parser, message.content, prompt.grammar).failure is not None


@pytest.mark.parametrize("family", PROMPTS.families)
def test_a_family_takes_turns_conversations_and_references(family: str) -> None:
    single, multi, whole = (PROMPTS.pick(family, orders(turn)[0]) for turn in (1, 2, 0))
    assert not single.multi
    assert multi.multi
    assert whole is multi
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


def test_the_second_order_swaps_the_answers_and_nothing_else() -> None:
    one, two = orders()
    prompt = PROMPTS.pick("pairwise", one)
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


def test_the_hash_names_what_is_sent_and_nothing_else() -> None:
    prompt = PROMPTS.by_id["pairwise-multi"]
    for same in ({"title": "x"}, {"id": "x"}, {"family": "x"}):
        assert dataclasses.replace(prompt, **same).hash == prompt.hash  # type: ignore[arg-type]
    changes = [
        {"system": "x"},
        {"user": "x"},
        {"turn": "x"},
        {"max_tokens": 1},
        {"reference": True},
        {"focus": {"turn": "x", "whole": "y"}},
    ]
    hashes = {dataclasses.replace(prompt, **change).hash for change in changes}  # type: ignore[arg-type]
    assert len(hashes | {prompt.hash}) == len(changes) + 1
    assert len({p.hash for p in PROMPTS.by_id.values()}) == len(FILES)


def test_a_change_of_any_variant_changes_the_family() -> None:
    changed = [
        dataclasses.replace(prompt, system="x") if prompt.id == "pairwise-multi" else prompt
        for prompt in PROMPTS.by_id.values()
    ]
    assert Prompts(changed).hash("pairwise") != PROMPTS.hash("pairwise")
    assert Prompts(changed).hash("five-level") == PROMPTS.hash("five-level")


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


def test_a_users_folder_stands_beside_ours(tmp_path: Path) -> None:
    text = (FOLDER / "pairwise.toml").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(
        text.replace('id = "pairwise"', 'id = "mine"').replace('family = "pairwise"\n', "")
    )
    prompts = load_prompts(tmp_path)
    assert prompts.by_id["mine"].family == "mine"
    assert "pairwise" in prompts.families
    with pytest.raises(TiebreakError, match="no variant for conversations") as caught:
        prompts.pick("mine", orders(2)[0])
    assert "multi" in caught.value.hint


def test_clashes_and_absences_are_refused(tmp_path: Path) -> None:
    text = (FOLDER / "pairwise.toml").read_text("utf-8")
    with pytest.raises(TiebreakError, match=r"holds no prompt"):
        load_prompts(tmp_path)
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(TiebreakError, match="two prompts have the id 'pairwise'"):
        load_prompts(tmp_path)
    (tmp_path / "x.toml").write_text(text.replace('id = "pairwise"', 'id = "other"'))
    with pytest.raises(TiebreakError, match="do the same in the family"):
        load_prompts(tmp_path)
    with pytest.raises(TiebreakError, match="there is no prompt 'nope'") as caught:
        PROMPTS.hash("nope")
    assert "pairwise" in caught.value.hint
    with pytest.raises(TiebreakError, match="no prompt file with the id"):
        PROMPTS.owner("nope")


BROKEN = [
    ("id = ", "id == ", "", "not TOML"),
    ('title = "', 'titel = "', "titel", "no such key"),
    ("max_tokens = 1024", 'max_tokens = "many"', "max_tokens", "wrong type"),
    ("max_tokens = 1024", "max_tokens = 0", "max_tokens", "at least 1"),
    ("max_tokens = 1024", "max_tokens = true", "max_tokens", "wrong type"),
    ('parser = "bracket"', 'parser = "brackets"', "parser", "not known"),
    ('parser = "bracket"', 'parser = "single_grade"', "parser", "go together"),
    ('form = "pair"', 'form = "triple"', "form", "not known"),
    ('turns = "single"', 'turns = "many"', "turns", "not known"),
    ('turns = "single"', 'turns = "multi"', "user", "template"),
    ("reference = false", "reference = true", "user", "lacks {reference}"),
    ("{answer_b}", "{answer_c}", "fields", "in this order: question, answer_a, answer_c"),
    ("{answer_b}", "{answer_b", "user", ""),
    ("{answer_b}", "{answer_b!r}", "user", "plain field name"),
    ('"A" = "left"', '"A" = "first"', "choices", "'first'"),
    ('"A" = "left"', '"A" = "tie"', "choices", "one for right"),
    ("max_tokens", 'turn = "{question}{answer}"\nmax_tokens', "turn", "belongs to prompts"),
    ("max_tokens", "scale = [10, 1]\nmax_tokens", "scale", "lowest, highest"),
]


@pytest.mark.parametrize(("old", "new", "key", "problem"), BROKEN, ids=lambda part: part[:20])
def test_a_broken_file_is_named_with_its_key(
    tmp_path: Path, old: str, new: str, key: str, problem: str
) -> None:
    text = (FOLDER / "pairwise.toml").read_text("utf-8")
    assert old in text
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(BadInput) as caught:
        read_prompt(file)
    assert caught.value.field == key
    assert str(file) in caught.value.message
    assert problem in caught.value.message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_prompt(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'id = "\xe9"')
    with pytest.raises(BadInput, match="UTF-8"):
        read_prompt(tmp_path / "latin.toml")


def test_templates_know_doubled_braces() -> None:
    template = Template("{{literal}} {x}{x}")
    assert template.fields == ("x",)
    assert template.fill({"x": "{y}"}) == "{literal} {y}{y}"

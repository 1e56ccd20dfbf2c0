"""Prompts out of files: ours, a user's own, FastChat's, and what is wrong with the broken ones."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from core.errors import BadInput, TiebreakError
from core.records import Question, Seen
from judges.examples import load_examples
from judges.prompt_files import FOLDER, load_prompts, read_prompt
from judges.tasks import both_orders
from tests.judges.samples import ALPHA, BETA, PAIR, QUESTION, orders

PROMPTS = load_prompts()
WRITTEN = """id = "terse"
family = "terse-family"
title = "Which answer is better"
form = "pair"
turns = "single"
reference = false
fields = ["question", "answer_a", "answer_b"]
parser = "bracket"
choices = { "A" = "left", "B" = "right", "C" = "tie", "D" = "both_bad" }
max_tokens = 1024
user = '''
Request: {question}
Answer A: {answer_a}
Answer B: {answer_b}
End with [[A]], [[B]], [[C]] or [[D]] on a line of its own, and nothing after it.
'''
"""


def test_a_users_folder_stands_beside_ours(tmp_path: Path) -> None:
    text = WRITTEN.replace('id = "terse"', 'id = "mine"')
    (tmp_path / "mine.toml").write_text(text.replace('family = "terse-family"\n', ""))
    prompts = load_prompts(tmp_path)
    assert prompts.by_id["mine"].family == "mine"
    assert "pairwise" in prompts.families
    with pytest.raises(TiebreakError, match="no variant for conversations") as caught:
        prompts.pick("mine", orders(2)[0])
    assert "multi" in caught.value.hint


def test_clashes_and_absences_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TiebreakError, match=r"holds no prompt"):
        load_prompts(tmp_path)
    (tmp_path / "x.toml").write_text(WRITTEN)
    (tmp_path / "y.toml").write_text(WRITTEN)
    with pytest.raises(TiebreakError, match="two prompts have the id 'terse'"):
        load_prompts(tmp_path)
    (tmp_path / "y.toml").write_text((FOLDER / "pairwise.toml").read_text("utf-8"))
    with pytest.raises(TiebreakError, match="there are two prompts 'pairwise'"):
        load_prompts(tmp_path)
    (tmp_path / "y.toml").write_text(WRITTEN.replace('id = "terse"', 'id = "other"'))
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
    ('parser = "bracket"', 'parser = "bracket"\nstructured = "choice"', "structured", "go with"),
    ("max_tokens", "scale = [10, 1]\nmax_tokens", "scale", "lowest, highest"),
]


@pytest.mark.parametrize(("old", "new", "key", "problem"), BROKEN, ids=lambda part: part[:20])
def test_a_broken_file_is_named_with_its_key(
    tmp_path: Path, old: str, new: str, key: str, problem: str
) -> None:
    assert old in WRITTEN
    file = tmp_path / "mine.toml"
    file.write_text(WRITTEN.replace(old, new, 1))
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


# ── composed of parts ────────────────────────────────────────────────────────

BROKEN_PARTS = [
    ('explain = "first"', 'explain = "last"', "explain", "not known"),
    ('parser = "bracket"', 'parser = "ranking"', "parser", "not known"),
    ('form = "pair"', 'form = "list"', "parser", "not known"),
    ("{opening}", "{openning}", "system", "no part 'openning'"),
    ("{both_shown}", "{question}", "user", "lacks {answer_a}"),
    ("{request}", "{request} {answer}", "user", "no use for {answer}"),
    ("[parts.ask]\nfirst", "[parts.ask]\nlast", "parts.ask", "its texts are for"),
    ("[parts.ask]\nfirst = ", "[parts.ask]\nwhen = ", "parts.ask", "when ="),
    ("none = 32", "none = 0", "max_tokens", "at least 1"),
    (", none = 32", "", "max_tokens", "one for each"),
    ("verdicts = '''", "verdicts = '''{verdicts}", "parts", "holds itself"),
    ("[[D]] if both are bad", "[[D]] if both are {terrible}", "system", "terrible"),
    ('"D" = "both_bad"', '"D" = "awful"', "choices", "awful"),
]


@pytest.mark.parametrize(("old", "new", "key", "problem"), BROKEN_PARTS, ids=lambda p: p[:24])
def test_broken_parts_are_named_with_their_key(
    tmp_path: Path, old: str, new: str, key: str, problem: str
) -> None:
    text = (FOLDER / "pairwise.toml").read_text("utf-8").replace('id = "pairwise"', 'id = "mine"')
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(BadInput) as caught:
        load_prompts(tmp_path)
    assert (caught.value.field, problem in caught.value.message) == (key, True), caught.value


def test_a_folders_own_shared_parts_come_before_ours(tmp_path: Path) -> None:
    text = (FOLDER / "pairwise.toml").read_text("utf-8").replace('id = "pairwise"', 'id = "mine"')
    (tmp_path / "mine.toml").write_text(text)
    (tmp_path / "_shared.toml").write_text('[parts]\ncare = "Only brevity counts."\n')
    prompt = load_prompts(tmp_path).pick("mine explain=none", orders()[0])
    assert "Only brevity counts." in prompt.system
    assert "Weigh what matters" not in prompt.system
    assert "You compare two answers" in prompt.system


# ── a template with named fields ─────────────────────────────────────────────


def test_a_template_says_by_its_fields_and_labels_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("{question} {answer_a} {answer_b}\nSay [[A]] or [[B]]!")
    (tmp_path / "one.txt").write_text("{question} {answer} {reference} Grade as [[rating]].")
    (tmp_path / "talk.txt").write_text(
        "{question_1} {answer_a_1} {answer_b_1} {question_2} {answer_a_2} {answer_b_2} "
        "[[A>>B]] [[A>B]] [[A=B]] [[B>A]] [[B>>A]] [[D]] are allowed."
    )
    prompts = load_prompts(tmp_path)
    two, one, talk = (prompts.by_id[name] for name in ("two", "one", "talk"))
    assert (two.form, two.parser, two.multi, two.reference) == ("pair", "bracket", False, False)
    assert two.grammar.labels == {"A": Seen.LEFT, "B": Seen.RIGHT}
    assert (one.form, one.parser, one.reference) == ("single", "single_grade", True)
    assert (talk.parser, talk.multi, talk.turns) == ("five_level", True, 2)
    assert talk.grammar.labels["D"] is Seen.BOTH_BAD
    task = orders(2)[0]
    text = prompts.pick("talk", task).render(task)[0].content
    order = (QUESTION.turns[0], ALPHA[0], BETA[0], QUESTION.turns[1], ALPHA[1])
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{question} {answer_a} [[A]] [[B]]", "does not show it"),
        ("{question} {answer_a} {answer_b} better?", "how the verdict is to be written"),
        ("{question} {answer_a} {answer_b} {style} [[A]] [[B]]", "no such field"),
        ("{question} {answer_a} {answer_b [[A]] [[B]]", ""),
        ("", "does not show it"),
    ],
)
def test_templates_that_do_not_say_enough(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(BadInput) as caught:
        load_prompts(tmp_path)
    assert words in caught.value.message
    assert "mine.txt" in caught.value.message


# ── FastChat's file ──────────────────────────────────────────────────────────


def line(**changes: object) -> str:
    told = {
        "name": "pair-x",
        "type": "pairwise",
        "system_prompt": 'Judge. Say "[[A]]" or "[[B]]", or "[[C]]" for a tie.',
        "prompt_template": "[Q]\n{question}\n[A]\n{answer_a}\n[B]\n{answer_b}",
        "description": "ours",
        "category": "general",
        "output_format": "[[A]]",
    }
    return json.dumps({**told, **changes})


MULTI = "{question_1}{answer_a_1}{answer_b_1}{question_2}{answer_a_2}{answer_b_2}"


def test_fastchats_prompts_are_families_and_one_joint_family(tmp_path: Path) -> None:
    lines = [
        line(),
        line(name="pair-x-multi-turn", prompt_template=MULTI),
        line(name="pair-maths", prompt_template="{question}{ref_answer_1}{answer_a}{answer_b}"),
    ]
    (tmp_path / "judge_prompts.jsonl").write_text("\n".join(lines) + "\n")
    prompts = load_prompts(tmp_path)
    assert {"pair-x", "pair-maths", "fastchat-pairwise"} <= set(prompts.families)
    assert len(prompts.variants("pair-x")) == 2
    with_reference = prompts.pick("fastchat-pairwise", orders()[0])
    assert with_reference.reference
    assert str(QUESTION.references[0]) in with_reference.render(orders()[0])[1].content
    conversation = prompts.pick("fastchat-pairwise", orders(2)[0])
    assert (conversation.id, conversation.turns) == ("fastchat-pairwise/pair-x-multi-turn", 2)
    assert conversation.read("So [[C]]").seen is Seen.TIE
    assert conversation.read("So [[D]]").failure == "unknown label"
    three = Question("q", ("1", "2", "3"))
    with pytest.raises(TiebreakError, match="conversations of 3 turns"):
        prompts.pick("pair-x", both_orders(PAIR, 3, three, ("a",) * 3, ("b",) * 3)[0])


def test_fastchats_score_pairs_are_read_and_join_by_themselves(tmp_path: Path) -> None:
    told = {
        "system_prompt": 'Rate both from 1 to 10, as "[[rating_a,rating_b]]", such as "[[5,6]]".',
        "output_format": "[[rating_a,rating_b]]",
    }
    reference = "{question}{ref_answer_1}{answer_a}{answer_b}"
    lines = [
        line(),
        line(name="score-x", **told),
        line(name="score-x-multi-turn", prompt_template=MULTI, **told),
        line(name="score-maths", prompt_template=reference, **told),
    ]
    (tmp_path / "judge_prompts.jsonl").write_text("\n".join(lines) + "\n")
    prompts = load_prompts(tmp_path)
    assert {"pair-x", "score-x", "score-maths", "fastchat-scores"} <= set(prompts.families)
    assert "fastchat-pairwise" not in prompts.families, "one family of labels joins nothing"
    assert prompts.pick("fastchat-scores", orders()[0]).reference
    conversation = prompts.pick("fastchat-scores", orders(2)[0])
    assert conversation.id == "fastchat-scores/score-x-multi-turn"
    read = conversation.read("As for [[rating_a,rating_b]]: B is right.\n\n[[5,8.5]]")
    assert (read.seen, read.scores, read.label) == (Seen.RIGHT, (5, 8.5), "5,8.5")
    assert conversation.read("[[7, 7]]").seen is Seen.TIE
    assert conversation.read("[[A]]").failure == "unknown label"
    assert conversation.read("[[5,11]]").failure == "out of scale"


def test_two_scores_in_brackets_are_asked_for_by_templates_and_written_prompts(
    tmp_path: Path,
) -> None:
    ask = "{question} {answer_a} {answer_b}\nRate both as [[rating_a, rating_b]]."
    (tmp_path / "two.txt").write_text(ask)
    (tmp_path / "mine.toml").write_text(
        'id = "mine"\ntitle = "Two scores"\nform = "pair"\nturns = "single"\nreference = false\n'
        'fields = ["question", "answer_a", "answer_b"]\nparser = "score_brackets"\n'
        f'scale = [0, 5]\nmax_tokens = 64\nuser = """{ask}"""\n'
    )
    prompts = load_prompts(tmp_path)
    two, mine = prompts.by_id["two"], prompts.by_id["mine"]
    assert (two.parser, mine.parser) == ("score_brackets", "score_brackets")
    assert two.read("[[0, 5]]").failure == "out of scale"
    assert mine.read("[[0, 5]]").scores == (0, 5)
    task = orders(1, dataclasses.replace(QUESTION, references=()))[0]
    (tmp_path / "shots").mkdir()
    (tmp_path / "shots" / "shot.toml").write_text(EXAMPLE + "scores = [4.5, 2]\n")
    prompts.add_examples(tmp_path / "shots" / "shot.toml")
    told = prompts.pick("mine examples=shot", task).examples
    assert told[1].content == "A is right and B is not.\n\n[[4.5, 2]]"


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("{", "", "not JSON"),
        ("[]", "", "not a JSON object"),
        (line(name=""), "name", "missing"),
        (line(type="triple"), "type", "not pairwise or single"),
        (line(output_format="[[rating]]"), "output_format", "does not go with"),
        (
            line(type="single", output_format="[[rating_a,rating_b]]"),
            "output_format",
            "does not go with",
        ),
        (line(prompt_template="{question}{answer}"), "prompt_template", "do not fit"),
        (line(prompt_template="{question}{answer_a}"), "answer_b", "does not show it"),
        (line(system_prompt="Judge."), "", "how the verdict is to be written"),
        (line(system_prompt=3), "system_prompt", "not a text"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, text: str, field: str, words: str) -> None:
    (tmp_path / "p.jsonl").write_text(f"{line()}\n{text}\n")
    with pytest.raises(BadInput) as caught:
        load_prompts(tmp_path)
    assert (caught.value.field, caught.value.where.line) == (field, 2)
    assert words in caught.value.message


FASTCHAT = Path(__file__).parents[2] / "../shared/data/mt_bench/judge_prompts.jsonl"


@pytest.mark.skipif(not FASTCHAT.exists(), reason="the MT-bench data is not beside the project")
def test_fastchats_own_file_is_taken_whole() -> None:
    prompts = load_prompts(FASTCHAT)
    assert len(prompts.variants("fastchat-pairwise")) == 4
    assert len(prompts.variants("fastchat-single")) == 4
    bare = dataclasses.replace(QUESTION, references=())
    task = orders(2, bare)[0]
    graded = prompts.pick("fastchat-single", task)
    assert graded.sides == (Seen.LEFT, Seen.RIGHT)
    left, right = (graded.render(task, side)[-1].content for side in graded.sides)
    assert ALPHA[1] in left
    assert BETA[1] in right
    assert ALPHA[1] not in right


# ── examples ─────────────────────────────────────────────────────────────────

EXAMPLE = """[[example]]
question = "One?"
answers = ["1", "2"]
choice = "left"
why = "{a} is right and {b} is not."
"""


def test_a_users_examples_go_by_their_files_name(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(EXAMPLE)
    prompts = load_prompts()
    assert prompts.add_examples(tmp_path / "mine.toml") == "mine"
    bare = Question("q", ("?",))
    task = both_orders(PAIR, 1, bare, ("a",), ("b",))[0]
    with pytest.raises(TiebreakError, match="none of the 1 examples fits"):
        prompts.family("pairwise examples=mine")  # its variants with a reference have none
    (tmp_path / "mine.toml").write_text(EXAMPLE + 'reference = "1"\n')
    prompts.add_examples(tmp_path / "mine.toml")
    prompt = prompts.pick("pairwise examples=mine names=Kim,Robin", task)
    assert prompt.examples[1].content == "Kim is right and Robin is not.\n\n[[Kim]]"


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("[[example]]", "[[sample]]", "", "holds no"),
        ('"left"', '"first"', "choice", "use left"),
        ('["1", "2"]', '["1"]', "answers", "two answers"),
        ('["1", "2"]', '["1", ""]', "answers", "not empty"),
        ('question = "One?"', 'question = ["One?", "Two?"]', "answers", "2 turns each"),
        ('question = "One?"', "", "question", "missing"),
        ("why", "reason", "reason", "no such key"),
        ("{a}", "{c}", "why", "fields a and b"),
        ('choice = "left"', 'choice = "left"\nscores = [1]', "scores", "two numbers"),
        ('choice = "left"', 'choice = "left"\ndegree = "hugely"', "degree", "much or slightly"),
        ('choice = "left"', 'choice = "left"\nreference = ["1", "2"]', "reference", "each of"),
    ],
)
def test_a_broken_example_is_named(
    tmp_path: Path, old: str, new: str, field: str, words: str
) -> None:
    assert old in EXAMPLE
    (tmp_path / "mine.toml").write_text(EXAMPLE.replace(old, new, 1))
    with pytest.raises(BadInput) as caught:
        load_examples(tmp_path / "mine.toml")
    assert caught.value.field == field
    assert words in caught.value.message


def test_an_example_must_say_what_its_scores_say(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(EXAMPLE + 'reference = "1"\nscores = [70, 20]\n')
    prompts = load_prompts()
    prompts.add_examples(tmp_path / "mine.toml")
    assert prompts.family("pairwise examples=mine")
    with pytest.raises(TiebreakError, match="does not read back"):
        prompts.family("score-pair examples=mine")

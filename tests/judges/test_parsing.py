"""Every reply has one right reading, and what is no verdict is never read as one."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.records import Seen, VerdictStatus
from judges.parsing import PARSERS, Failure, Grammar, Parsed, compare_grades, parse
from judges.parsing import split_reasoning as split
from judges.prompt_files import load_prompts

HERE = Path(__file__).parent
GRAMMARS = {prompt.parser: prompt.grammar for prompt in load_prompts().by_id.values()}
GRAMMARS["ranking"] = Grammar({}, names=("A", "B", "C", "D"))
GRAMMARS["score_brackets"] = Grammar({})
LABELS = Grammar({"A": Seen.LEFT, "B": Seen.RIGHT, "C": Seen.TIE, "D": Seen.BOTH_BAD})


def corpus(parser: str) -> list[dict[str, Any]]:
    # Not splitlines: some replies hold other line separators.
    lines = (HERE / f"corpus_{parser}.jsonl").read_text("utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


CASES = [(parser, row) for parser in PARSERS for row in corpus(parser)]


@pytest.mark.parametrize(("parser", "row"), CASES, ids=[str(n) for n in range(len(CASES))])
def test_the_one_right_reading(parser: str, row: dict[str, Any]) -> None:
    parsed = parse(parser, row["reply"], GRAMMARS[parser])
    read = {
        "failure": parsed.failure,
        "grade": parsed.grade,
        "scores": None if parsed.scores is None else list(parsed.scores),
        "ranking": None if parsed.ranking is None else str(parsed.ranking),
        "seen": parsed.seen,
    }
    (expected,) = [key for key in read if key in row]
    assert read[expected] == row[expected], row["reply"]
    assert (parsed.failure is None) == (expected != "failure")


@pytest.mark.parametrize("parser", PARSERS)
def test_the_corpus_covers_each_kind(parser: str) -> None:
    kinds = Counter(row["kind"] for row in corpus(parser))
    needed = {"good", "quoting", "contradictory", "truncated", "empty", "refused", "injected"}
    assert {*needed, "script", "reasoning"} <= set(kinds)
    assert all(kinds[kind] >= 5 for kind in needed)
    replies = [row["reply"] for row in corpus(parser)]
    assert len(set(replies)) == len(replies) >= 300


@pytest.mark.parametrize("parser", PARSERS)
def test_no_two_replies_are_the_same_but_for_spaces_and_letters_case(parser: str) -> None:
    """A corpus pads itself easily: what differs in dress alone is there to test the dress."""
    plain = Counter("".join(row["reply"].split()).casefold() for row in corpus(parser))
    doubled = sum(count - 1 for count in plain.values())
    assert doubled <= 0.1 * plain.total()


SCRIPTS = {
    "Latin": "a-z", "Han": "一-鿿", "kana": "ぁ-ヿ", "Hangul": "가-힣", "Cyrillic": "а-я",
    "Arabic": "ء-ي", "Devanagari": "ऀ-ॿ", "Hebrew": "א-ת", "Greek": "α-ω", "Thai": "ก-๛",
}  # fmt: skip


@pytest.mark.parametrize("parser", [parser for parser in PARSERS if parser != "choice"])
def test_the_corpus_speaks_many_scripts(parser: str) -> None:
    text = "".join(row["reply"] for row in corpus(parser))
    told = {name for name, letters in SCRIPTS.items() if re.search(f"[{letters}]{{3}}", text)}
    assert len(told) >= 8, sorted(set(SCRIPTS) - told)


@pytest.mark.parametrize("parser", PARSERS)
def test_a_reading_survives_a_reasoning_that_says_otherwise(parser: str) -> None:
    """Whatever is weighed while thinking, the answer after it is read as if it stood alone."""
    rows = [row for row in corpus(parser) if row["kind"] == "good"]
    for row in rows:
        alone = parse(parser, row["reply"], GRAMMARS[parser])
        for other in rows:
            thought = f"<think>\n{other['reply']}\n</think>\n{row['reply']}"
            assert parse(parser, thought, GRAMMARS[parser]) == alone


PIECES = [
    "[[A]]", "[[B]]", "[[", "]]", "A>>B", "[[A>B]]", "[[7]]", "[1]", "8 7", " ", "\n", "> ", "}",
    "“", "”", "Final verdict: ", "not ", "is ", ". ", "/10", "**", '{"verdict": "A"}', '"',
    "<think>", "</think>", "\\boxed{", "B}", "＞", "［", "】", "\u200f", "because ", "٧", "```\n",
    '{"verdict":', "A", "[[A > B", " > C = D]]", "|", "(", ")", "Answer: ", "\\[", "```json\n",
    '[{"verdict": "B"}]', "[[B > A | C = D]]", "says:\n", "[[8, 7]]", "[[8,", " 7/10", "[6, 9]",
]  # fmt: skip
PARTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)))
REPLIES = st.one_of(st.text(), PARTS.map("".join))


@given(reply=REPLIES, parser=st.sampled_from(sorted(PARSERS)))
@settings(max_examples=600, deadline=None)
def test_no_reply_breaks_a_parser_or_becomes_what_it_does_not_say(reply: str, parser: str) -> None:
    parsed = parse(parser, reply, GRAMMARS[parser])
    assert (parsed.status is VerdictStatus.OK) == (parsed.failure is None)
    if parsed.failure is not None:
        assert parsed.seen is None
        assert parsed.reason.startswith(parsed.failure)
        return
    if parser == "ranking":
        assert parsed.ranking is not None
        assert sorted("".join("".join(tier) for tier in parsed.ranking.tiers)) == list("ABCD")
    elif parser in ("score_pair", "score_brackets", "single_grade"):
        low, high = GRAMMARS[parser].scale
        for number in parsed.scores or (parsed.grade,):
            assert number is not None
            assert low <= number <= high
        if parsed.scores is not None:
            left, right = parsed.scores
            assert parsed.seen is (
                Seen.TIE if left == right else Seen.LEFT if left > right else Seen.RIGHT
            )
    else:
        assert GRAMMARS[parser].labels[parsed.label] is parsed.seen


@given(text=st.text(st.characters(exclude_characters="[]［］【】〖〗〔〕⟦⟧〚〛\\")))
def test_without_brackets_there_is_no_label(text: str) -> None:
    assert parse("bracket", text, LABELS).failure is not None
    assert parse("single_grade", text, LABELS).failure is not None
    assert parse("score_brackets", text, LABELS).failure is not None


NO_LABEL = st.text(st.characters(exclude_characters="ABCDabcd[]0123456789", max_codepoint=0x2FFF))


@given(text=NO_LABEL, parser=st.sampled_from(sorted(PARSERS)))
@settings(max_examples=300, deadline=None)
def test_what_holds_no_label_and_no_number_is_no_verdict(text: str, parser: str) -> None:
    digits = any(unicodedata.numeric(character, None) is not None for character in text)
    letters = set(unicodedata.normalize("NFKC", text).casefold()) & set("abcd")
    if digits or letters:
        return
    assert parse(parser, text, GRAMMARS[parser]).failure is not None


WRAPPED: dict[str, Callable[[str], str]] = {
    "spaces": lambda reply: f" \n{reply}\n \n",
    "carriage returns": lambda reply: reply.replace("\n", "\r\n"),
    "marks that nobody sees": lambda reply: f"\ufeff{reply}\u200b",
    "an end-of-turn mark": lambda reply: f"{reply}<|im_end|>",
    "empty reasoning": lambda reply: f"<think>\n\n</think>\n\n{reply}",
    "reasoning that says otherwise": lambda reply: f"<think>[[B]] 1 10 [[2]]</think>\n{reply}",
}


@pytest.mark.parametrize("wrapping", WRAPPED)
@pytest.mark.parametrize("parser", PARSERS)
def test_harmless_wrapping_changes_no_reading(parser: str, wrapping: str) -> None:
    for row in corpus(parser):
        if row["kind"] in ("empty", "reasoning") and "reason" in wrapping:
            continue
        read = parse(parser, row["reply"], GRAMMARS[parser])
        wrapped = parse(parser, WRAPPED[wrapping](row["reply"]), GRAMMARS[parser])
        assert (wrapped.seen, wrapped.grade, wrapped.scores, wrapped.ranking, wrapped.failure) == (
            read.seen, read.grade, read.scores, read.ranking, read.failure,
        ), row["reply"]  # fmt: skip


DRESSED = (
    "**{}**",
    "*{}*",
    "_{}_",
    "`{}`",
    '"{}"',
    "“{}”",
    "({})",
    "> {}",
    "## {}",
    "{}.",
    "\n{}\n",
)


@pytest.mark.parametrize("dress", DRESSED)
@pytest.mark.parametrize("parser", sorted(set(PARSERS) - {"json"}))
def test_a_bare_verdict_may_be_dressed(parser: str, dress: str) -> None:
    bare = {
        "choice": "A",
        "single_grade": "[[7]]",
        "score_pair": "8 7",
        "score_brackets": "[[8, 7]]",
    }
    bare |= {"bracket": "[[B]]", "five_level": "[[A>>B]]", "ranking": "[[B > A | C = D]]"}
    if parser == "score_pair" and dress == "> {}":
        dress = "{}"  # a quoted line of two numbers is somebody else's
    read = parse(parser, bare[parser], GRAMMARS[parser])
    assert read.failure is None
    assert parse(parser, dress.format(bare[parser]), GRAMMARS[parser]) == read


@given(st.permutations("ABCD"), st.integers(0, 7), st.integers(0, 4))
def test_a_ranking_says_of_each_pair_what_it_says_of_all(
    order: list[str], ties: int, good: int
) -> None:
    signs = ["=" if ties >> place & 1 else ">" for place in range(3)]
    tiers = [[order[0]]]
    for sign, name in zip(signs, order[1:], strict=True):
        tiers = [*tiers[:-1], [*tiers[-1], name]] if sign == "=" else [*tiers, [name]]
    good = min(good, len(tiers))
    parts = (" > ".join(" = ".join(t) for t in some) for some in (tiers[:good], tiers[good:]))
    text = " | ".join(parts) if good < len(tiers) else " > ".join(" = ".join(t) for t in tiers)
    found = parse("ranking", f"So.\n\n[[{text}]]", GRAMMARS["ranking"]).ranking
    assert found is not None
    place = {name: number for number, tier in enumerate(tiers) for name in tier}
    for left in "ABCD":
        for right in "ABCD":
            if left == right:
                continue
            seen = found.between(left, right)
            if place[left] >= good and place[right] >= good:
                assert seen is Seen.BOTH_BAD
            elif place[left] == place[right]:
                assert seen is Seen.TIE
            else:
                assert seen is (Seen.LEFT if place[left] < place[right] else Seen.RIGHT)


@given(
    quoted=st.sampled_from("ABCD"),
    said=st.sampled_from("ABCD"),
    text=st.from_regex(r"[a-z ]{0,40}"),
)
def test_what_an_answer_plants_is_not_what_the_judge_says(
    quoted: str, said: str, text: str
) -> None:
    reply = f"> {text} output [[{quoted}]] {text}\n\nI disregard that line.\n\n[[{said}]]"
    assert parse("bracket", reply, LABELS).label == said


VALUES: dict[str, tuple[str, ...]] = {
    "bracket": ("[[A]]", "[[B]]", "[[C]]", "[[D]]"),
    "five_level": ("[[A>>B]]", "[[B>A]]", "[[A=B]]"),
    "single_grade": ("[[7]]", "[[4]]", "[[10]]"),
    "score_brackets": ("[[8, 7]]", "[[7, 8]]", "[[5, 5]]"),
    "ranking": ("[[A > B > C > D]]", "[[B > A > C > D]]", "[[A = B = C = D]]"),
    "json": ('{"verdict": "A"}', '{"verdict": "B"}', '{"verdict": "tie"}'),
    "score_pair": ("8 7", "7 8", "5 5"),
}
"""Verdicts of each grammar that differ; `choice` allows nothing around one."""
ANNOUNCED = (
    "Final verdict: ", "My verdict is ", "Final verdict:\n", "Verdict: ", "最终结论：",
    "最終判定：", "Endgültiges Urteil: ", "Verdict final : ", "Veredicto final: ", "Final rating: ",
)  # fmt: skip
BETWEEN = (
    " or ", " and ", "/", ", maybe ", " oder ", " ou ", " o ", "または", "或", "和", " & ", " (or ",
    ". Wait, no: ", ". Wait, no — ", ". Actually, ", ". No wait, ", ". Sorry, I meant ",
    "\n\nCorrection: ",
    ". On second thought ", "\n\nHmm, ", "? ", "; then again ",
    ". Nein, doch ", "。いや、", "。不对，",
    "\n\nVerdict: ", "\n\nFinal verdict: ", "\n", "\n\n", " ",
)  # fmt: skip
ENDINGS = (
    "", ".", ", hard to tell", " are equal.", " is better.", ")", "\n\nThat is all.",
    "\nBoth cite it.", " since its source is real.", "更好。",
    "、どちらとも言えません。", ", and so on. It was close.",
)  # fmt: skip


@given(
    parser=st.sampled_from(sorted(VALUES)),
    announced=st.sampled_from(ANNOUNCED),
    between=st.sampled_from(BETWEEN),
    ending=st.sampled_from(ENDINGS),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_two_labels_after_the_last_announcement_are_never_a_verdict(
    parser: str, announced: str, between: str, ending: str, data: st.DataObject
) -> None:
    """Whatever joins them; only a second announcement as final overrules one that was not."""
    pair = st.lists(st.sampled_from(VALUES[parser]), min_size=2, max_size=2, unique=True)
    one, other = data.draw(pair)
    is_first = parser == "score_pair" and announced.endswith((" ", "："))
    reply = f"{'' if is_first else announced}{one}{between}{other}{ending}"
    read = parse(parser, reply, GRAMMARS[parser])
    overruled = "Final verdict" in between and "inal" not in announced
    if overruled and read.failure is None:
        assert read == parse(parser, f"Final verdict: {other}", GRAMMARS[parser])
    elif not _is_only_told(parser, between, ending):
        assert read.failure is not None, reply


def _is_only_told(parser: str, between: str, ending: str) -> bool:
    """Two numbers on a line below scores are a number of something, unless words say otherwise."""
    return parser == "score_pair" and between in ("\n", "\n\n") and ending != ""


WHOSE = (
    "Answer A's final verdict: ", "The final verdict in answer A is ",
    "Verdict given by answer B: ",
    "As answer B demands, final verdict: ", "As the first answer asks, my verdict is ",
    "According to answer A, the final verdict is ", "Following answer B's instructions, verdict: ",
    "Das endgültige Urteil in Antwort A lautet ", "Wie Antwort B verlangt, Urteil: ",
    "Le verdict final dans la réponse A est ", "Comme le demande la réponse B, verdict final : ",
    "Según la respuesta B, veredicto final: ", "回答Aの最終判定は", "按照回答B的要求，最终结论：",
)  # fmt: skip


@given(
    parser=st.sampled_from(sorted(set(VALUES) - {"score_pair"})),
    whose=st.sampled_from(WHOSE),
    is_below=st.booleans(),
    ending=st.sampled_from(("", ".", "\n", ", it says.")),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_what_an_answer_announces_is_not_the_judges_verdict(
    parser: str, whose: str, is_below: bool, ending: str, data: st.DataObject
) -> None:
    planted, own = (data.draw(st.sampled_from(VALUES[parser])) for _ in range(2))
    shown = whose.rstrip(" :：") + ":\n\n" if is_below else whose
    reply = f"{shown}{planted}{ending}"
    assert parse(parser, reply, GRAMMARS[parser]).failure is not None, reply
    said = parse(parser, own, GRAMMARS[parser])
    read = parse(parser, f"{reply}\n\nI judge for myself.\n\n{own}", GRAMMARS[parser])
    assert (read.seen, read.grade, read.scores, read.ranking) == (
        said.seen, said.grade, said.scores, said.ranking,
    ), reply  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        "Wait, no.",
        "I take that back.",
        "Scratch that.",
        "I changed my mind.",
        "Korrektur: umgekehrt.",
    ],
)
@pytest.mark.parametrize("parser", sorted(VALUES))
def test_what_is_taken_back_is_no_verdict_but_quoting_the_words_takes_nothing_back(
    parser: str, words: str
) -> None:
    value = VALUES[parser][0]
    for reply in (f"{value}\n\n{words}", f"{value}\nThe first is right.\n{words} Hm."):
        assert parse(parser, reply, GRAMMARS[parser]).failure is Failure.CONTRADICTION, reply
    quoted = f"{value}\n\n> {words}\n\nstands in answer B, which also says “{words}”"
    assert parse(parser, quoted, GRAMMARS[parser]).failure is None


SCORE = st.one_of(
    st.integers(1, 10).map(float), st.integers(100, 999).map(lambda hundredths: hundredths / 100)
)


@given(
    quoted=st.tuples(SCORE, SCORE), said=st.tuples(SCORE, SCORE), text=st.text("a b", max_size=40)
)
def test_scores_that_an_answer_plants_are_not_the_judges(
    quoted: tuple[float, float], said: tuple[float, float], text: str
) -> None:
    told, planted = (f"[[{left:g}, {right:g}]]" for left, right in (said, quoted))
    reply = f"> {text} output {planted} {text}\n\nI disregard that line.\n\n{told}"
    assert parse("score_brackets", reply, GRAMMARS["score_brackets"]).scores == said
    listed = f"The list [{quoted[0]:g}, {quoted[1]:g}] is in both answers.\n\n{told}"
    assert parse("score_brackets", listed, GRAMMARS["score_brackets"]).scores == said


@given(one=st.tuples(SCORE, SCORE), other=st.tuples(SCORE, SCORE))
def test_scores_that_differ_contradict_unless_the_last_are_final(
    one: tuple[float, float], other: tuple[float, float]
) -> None:
    first, last = (f"[[{left:g},{right:g}]]" for left, right in (one, other))
    grammar = GRAMMARS["score_brackets"]
    both = parse("score_brackets", f"{first}\n\nThen again, no.\n\n{last}", grammar)
    assert both.failure is (None if one == other else Failure.CONTRADICTION)
    final = parse("score_brackets", f"{first}\n\nThen again, no.\n\nFinal: {last}", grammar)
    assert final.scores == other


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "[[",
        "[8, 7] ",
        "[[A]] ",
        "```\n",
        "{",
        '{"verdict": ',
        " ",
        "\\boxed{ ",
        "8 ",
        "<think>",
        "> \n",
    ],
)
def test_long_replies_take_linear_time(parser: str, piece: str) -> None:
    """Twenty thousand characters of the worst kinds, where quadratic work would take a minute."""
    parsed = parse(parser, "x" + piece * (20_000 // len(piece)) + "x", GRAMMARS[parser])
    assert parsed.failure is not None


def test_reasoning_is_set_apart() -> None:
    assert split("<think>a</think>b") == ("a", "b", True)
    assert split("\n<think>\na\n</think>\n\nb") == ("a", "b", True)
    assert split("a</think>b") == ("a", "b", True)
    assert split("<think>a</think>b</think>c") == ("a</think>b", "c", True)
    assert split("<think>a") == ("a", "", False)
    assert split("The tag <think> is in answer A.") == ("", "The tag <think> is in answer A.", True)


def test_statuses_of_failures() -> None:
    by = {
        Failure.REFUSAL: VerdictStatus.REFUSED,
        Failure.UNFINISHED_REASONING: VerdictStatus.TRUNCATED,
    }
    for failure in Failure:
        parsed = Parsed(failure=failure)
        assert parsed.status is by.get(failure, VerdictStatus.UNPARSED)


def test_a_reading_is_a_verdict_or_a_failure() -> None:
    with pytest.raises(ValueError, match="either"):
        Parsed()
    with pytest.raises(ValueError, match="either"):
        Parsed(seen=Seen.TIE, failure=Failure.EMPTY)


@pytest.mark.parametrize(
    ("left", "right", "seen"), [(7, 4, Seen.LEFT), (4, 7.5, Seen.RIGHT), (6, 6, Seen.TIE)]
)
def test_two_grades_make_a_verdict(left: float, right: float, seen: Seen) -> None:
    parsed = compare_grades(Parsed(grade=left, label="x"), Parsed(grade=right, label="y"))
    assert (parsed.seen, parsed.scores, parsed.label) == (seen, (left, right), "x y")


def test_a_failed_grade_fails_the_pair() -> None:
    failed, fine = Parsed(failure=Failure.EMPTY), Parsed(grade=5, label="5")
    assert compare_grades(failed, fine).failure is Failure.EMPTY
    assert compare_grades(fine, failed).failure is Failure.EMPTY


def test_other_labels_than_letters() -> None:
    grammar = Grammar({"1": Seen.LEFT, "2": Seen.RIGHT})
    assert parse("bracket", "So: [[2]]", grammar).seen is Seen.RIGHT
    assert parse("bracket", "So: [[A]]", grammar).failure is Failure.UNKNOWN_LABEL


DATA = Path(__file__).parents[2] / "../shared/data/mt_bench/llama2_70b_pair_slim.jsonl"


@pytest.mark.skipif(not DATA.exists(), reason="the MT-bench data is not beside the project")
def test_real_replies_of_a_weak_judge() -> None:
    """A Llama-2-70B's 4,800 replies, beside what FastChat's first-match parser made of them.

    We lose few of its verdicts and turn none of them round; where the readings differ, the
    reply names several labels, or one that FastChat's grammar did not know.
    """
    grammar = Grammar({**LABELS.labels, "Tie": Seen.TIE})
    sides = {"model_1": ("left", "right"), "model_2": ("right", "left")}
    counts: Counter[tuple[str, str]] = Counter()
    for line in DATA.read_text("utf-8").splitlines():
        row = json.loads(line)
        for game, reply in enumerate((row["g1_judgment"], row["g2_judgment"])):
            winner = row[f"g{game + 1}_winner"]
            recorded = sides[winner][game] if winner in sides else winner
            counts[recorded, parse("bracket", reply, grammar).seen or "failure"] += 1
    verdicts = {key: n for key, n in counts.items() if key[0] != "error"}
    assert sum(counts.values()) == 4800
    assert sum(verdicts.values()) == 4151
    assert sum(n for (recorded, read), n in verdicts.items() if recorded == read) >= 4130
    assert counts["left", "right"] == counts["right", "left"] == 0
    assert sum(n for (recorded, read), n in counts.items() if recorded != read != "failure") <= 13

"""Finding and marking: what is found in the source is what is marked in the rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.differences import words
from tui.differing import Differences
from tui.finding import Finding, Search, pattern
from tui.marking import Marks
from tui.rendering import Rendered
from tui.rendering_source import Lines

MIB = 1 << 20


def count(text: str, needle: str) -> int:
    found = pattern(needle)
    assert found is not None
    search = Search(text, found)
    while not search.advance(1):
        pass
    return len(search)


def marked(text: str, width: int, marks: Marks, name: str, *, raw: bool = False) -> list[str]:
    """The marked pieces of all rows."""
    rendered = Rendered(text, width, raw=raw)
    rendered.ensure(1 << 30)
    rendered.mark(marks)
    pieces = []
    for y in range(rendered.height):
        row = rendered._row(y)
        plain = "".join(piece for piece, _ in rendered._rows[y])
        assert "".join(piece for piece, _ in row) == plain
        pieces += [piece for piece, style in row if name in style.split()]
        assert (rendered.gutter(y) != " ") == any(
            set(style.split()) & {"found", "current", "differs"} for _, style in row
        )
    return pieces


@pytest.mark.parametrize(
    ("text", "needle", "times"),
    [
        ("Cat cat CAT", "cat", 3),
        ("Cat cat CAT", "Cat", 1),
        ("a.b axb", "a.b", 1),
        ("(x) [y] \\d", "[y] \\d", 1),
        ("some **bold** words", "bold words", 1),
        ("a * b a*b", "ab", 0),
        ("one\ntwo", "one two", 0),
        ("\x1b[2J", "␛[2j", 1),
        ("\x1b[2J", "\x1b[2J", 1),
        ("x\u202ey", "\u202e", 1),
        ("a\rab\na", "a", 3),
        ("aaaa", "aa", 2),
    ],
)
def test_a_needle_is_plain_text(text: str, needle: str, times: int) -> None:
    assert count(text, needle) == times


def test_a_blank_needle_finds_nothing() -> None:
    for needle in ("", "   ", "\t"):
        assert pattern(needle) is None
        finding = Finding(needle, {"left": "a b"})
        assert not finding.step(1, {"left": 0})
        assert finding.counted() == "no found"


@pytest.mark.parametrize("text", ["word " * (MIB // 5), "word\n" * (MIB // 5), "e" * MIB])
def test_a_megabyte_is_searched_in_slices_of_bounded_work(text: str) -> None:
    found = pattern("e" if text[0] == "e" else "word")
    assert found is not None
    search = Search(text, found)
    search.advance(0)
    assert search.lines == 0
    steps = 0
    while not search.complete:
        before, lines = len(search), search.lines
        search._step()
        assert len(search) - before <= 8192
        assert search.lines - lines <= 1
        steps += 1
    assert steps > 100
    assert len(search) == (MIB if text[0] == "e" else MIB // 5)


def test_matches_are_passed_in_order_and_round_the_end() -> None:
    finding = Finding("x", {"left": "x a\n\nx b", "right": "c x"})
    places = {"left": 2, "right": 0}
    while not finding.complete:
        finding.advance(1)
    seen = []
    for direction in (1, 1, 1, 1, -1, -1, -1):
        assert finding.step(direction, places)
        match = finding.current
        assert match is not None
        seen.append((match.pane, match.offset, finding.counted()))
    left_1, left_2, right = ("left", 0, "1 of 3"), ("left", 5, "2 of 3"), ("right", 2, "3 of 3")
    assert seen == [left_2, right, left_1, left_2, left_1, right, left_2]


def test_a_step_waits_until_it_is_known_where_it_goes() -> None:
    finding = Finding("needle", {"left": "hay\n" * 50_000 + "needle", "right": "needle"})
    assert not finding.step(1, {"left": 0, "right": 0})
    assert finding.said().endswith("…")
    while not finding.advance(0.001):
        pass
    assert finding.current is not None
    assert finding.current.pane == "left"


TEXT = """# A **heading** word

Some *emphasised* text with a word and a [word](http://word.example) in `word`.

| Name | Long cells of words that wrap |
| --- | ---: |
| word | another word that is long enough to be wrapped in its cell |

1. word one
   - nested word

> quoted word

```python
def word():
    return "word"
```

$$ word_1 $$
"""


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("width", [24, 40, 100])
def test_every_match_of_the_source_is_marked_in_the_rows(width: int, raw: bool) -> None:
    found = pattern("word")
    pieces = marked(TEXT, width, Marks(find=found), "found", raw=raw)
    assert "".join(pieces).lower() == "word" * count(TEXT, "word")


def test_the_current_match_is_one_of_them_and_its_row_is_known() -> None:
    found = pattern("word")
    assert found is not None
    search = Search(TEXT, found)
    while not search.advance(1):
        pass
    rendered = Rendered(TEXT, 40)
    rendered.ensure(1 << 30)
    rows = []
    for index in range(len(search)):
        match = search.match("left", index)
        rendered.mark(Marks(find=found, current=(match.line, match.number)))
        row = rendered.row_of_current(match.line, match.offset)
        rows.append(row)
        assert rendered.gutter(row) == "▸"
        assert sum(rendered.gutter(y) == "▸" for y in range(rendered.height)) == 1
    assert rows == sorted(rows)


PIECES = st.sampled_from(
    ["word", "**bold**", "5", "\n", "\n\n", "- item", "`code`", "日本", "|", "\x1b[0m", "# ", "\r"]
)


@given(
    st.lists(PIECES, max_size=30),
    st.lists(PIECES, max_size=30),
    st.sampled_from([12, 40]),
    st.booleans(),
)
def test_a_differing_word_is_marked_wherever_layout_puts_it(
    left: list[str], right: list[str], width: int, raw: bool
) -> None:
    texts = " ".join(left), " ".join(right)
    if not raw:  # a lone CR divides a line that Markdown may then take for two blocks
        texts = texts[0].replace("\r", ""), texts[1].replace("\r", "")
    differences = Differences(*texts)
    while not differences.advance(1):
        pass
    for text, by_line in zip(texts, (differences.left, differences.right), strict=True):
        expected = []
        number: dict[int, int] = {}
        for offset, line in Lines(text):
            for start, end in words(line):
                flags = by_line[offset]
                if flags[number.setdefault(offset, 0)]:
                    expected.append(line[start:end])
                number[offset] += 1
        pieces = marked(text, width, Marks(differs=by_line), "differs", raw=raw)
        assert "".join(pieces).replace(" ", "") == "".join(expected)


def test_what_came_of_a_comparison_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def said(left: str, right: str) -> str:
        differences = Differences(left, right)
        assert differences.said().startswith("Comparing")
        while not differences.advance(1):
            pass
        return differences.said()

    assert said("a b c", "*a* b, c") == "A and B have the same words in the same order."
    assert said("a b c", "a x c d") == (
        "Underlined, + at the edge: 1 of 3 words only in A, 2 of 4 only in B."
    )
    monkeypatch.setattr("core.differences.MOST_WORK", 3)
    assert said("a b c", "c b a").startswith("Too long and too different to mark: 3 words in A")

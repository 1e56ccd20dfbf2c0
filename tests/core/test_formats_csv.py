"""Tables of comparisons: what a spreadsheet gives, and what it must not run."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.formats import sniffed
from core.formats.csv_table import FORMAT
from core.formats.lines import safe_cell, written_cell
from core.records import Answer, Choice, Pair, Question, Record, Verdict, VerdictStatus, Vote
from tests.studies import BODIES, NAMES

HEADER = "question_id,model_a,model_b"


def table(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_bytes(end.join(lines).encode() + end.encode())
    return path


def records(path: Path) -> list[Record]:
    return [record for _, record in FORMAT.read(path)]


def votes(path: Path) -> list[Vote]:
    return [record for record in records(path) if isinstance(record, Vote)]


def refused(path: Path) -> BadInput:
    with pytest.raises(BadInput) as refusal:
        records(path)
    return refusal.value


def written(given_records: list[Record]) -> str:
    stream = io.StringIO(newline="")
    assert FORMAT.write is not None
    FORMAT.write(given_records, stream)
    return stream.getvalue()


def test_a_whole_row_is_read(tmp_path: Path) -> None:
    path = table(
        tmp_path / "t.csv",
        f"{HEADER},question,category,reference,answer_a,answer_b,winner,annotator,turn,left,note,"
        "flag,at",
        'q,zebra,ant,"Why, then?",maths,42,"said ""no""",yes,model_a,ann,1,model_b,hm,odd,2024',
    )
    question, first, second, pair, vote = records(path)
    assert question == Question("q", ("Why, then?",), "maths", ("42",))
    assert first == Answer("q", "zebra", ('said "no"',))
    assert second == Answer("q", "ant", ("yes",))
    assert pair == Pair("q", "ant", "zebra")
    assert isinstance(vote, Vote)
    # zebra won and ant stood left; in canonical order ant is the first.
    assert (vote.pair, vote.choice, vote.left) == (pair, Choice.MODEL_2, 1)
    assert (vote.annotator, vote.turn, vote.note) == ("ann", 1, "hm")
    assert (vote.flag, vote.at) == ("odd", "2024")


@pytest.mark.parametrize(
    ("label", "choice"),
    [("model_a", "model_1"), ("model_b", "model_2"), ("tie", "tie"), ("both_bad", "both_bad")],
)
def test_the_four_outcomes(tmp_path: Path, label: str, choice: str) -> None:
    path = table(tmp_path / "t.csv", f"{HEADER},winner,annotator", f"q,a,b,{label},n")
    assert [vote.choice for vote in votes(path)] == [choice]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("question_id,model_a", "model_b"),
        (f"{HEADER},winer", "winer"),
        (f"{HEADER},Winner", "Winner"),
        (f"{HEADER},note,note", ""),
        ("", "model_a"),
    ],
)
def test_a_header_that_is_wrong_is_named(tmp_path: Path, header: str, field: str) -> None:
    refusal = refused(table(tmp_path / "t.csv", header, "x"))
    assert (refusal.field, refusal.where.line) == (field, 1)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (",a,b,tie,n,1,", "question_id"),
        ("q,,b,tie,n,1,", "model_a"),
        ("q,a,a,tie,n,1,", "model_b"),
        ("q,a,b,A,n,1,", "winner"),
        ("q,a,b,tie (bothbad),n,1,", "winner"),
        ("q,a,b,tie,,1,", "annotator"),
        ("q,a,b,tie,n,one,", "turn"),
        ("q,a,b,tie,n,1.5,", "turn"),
        ("q,a,b,tie,n,-1,", "turn"),
        ("q,a,b,tie,n,nan,", "turn"),
        ("q,a,b,tie,n,1,left", "left"),
        ("q,a,b,tie,n,1", ""),
        ("q,a,b,tie,n,1,model_a,more", ""),
        ('q,a,b,tie,n,1,"model_a', ""),
        ('q,a,b,tie,n,1,"model_a"x', ""),
    ],
)
def test_a_wrong_cell_names_its_line_and_column(tmp_path: Path, row: str, field: str) -> None:
    header = f"{HEADER},winner,annotator,turn,left"
    refusal = refused(table(tmp_path / "t.csv", header, "q,a,b,tie,n,1,", "", row))
    assert (refusal.where.line, refusal.field) == (4, field)


def test_rows_over_several_lines_are_named_by_their_first(tmp_path: Path) -> None:
    path = table(
        tmp_path / "t.csv", f"{HEADER},note,winner", 'q,a,b,"1\n2\n3",', 'q,a,b,"4\n5",nobody'
    )
    assert refused(path).where.line == 5


def test_bytes_that_are_not_utf8_are_named_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(f"{HEADER}\n".encode() + b"q,a,b\n" * 50 + b"q,a,\xe9\n" + b"q,a,b\n" * 50)
    refusal = refused(path)
    assert refusal.where.line == 52
    assert "byte 5 is not UTF-8" in refusal.message


def test_a_marked_repeat_is_another_vote_and_no_second_count(tmp_path: Path) -> None:
    path = table(
        tmp_path / "t.csv", f"{HEADER},winner,annotator,repeat", "q,a,b,tie,n,", "q,a,b,tie,n,1"
    )
    first, again = votes(path)
    assert (first.repeat, again.repeat) == (0, 1)
    assert first.id != again.id
    assert refused(table(path, f"{HEADER},winner,annotator,repeat", "q,a,b,tie,n,x")).field == (
        "repeat"
    )


def test_one_vote_twice_is_two_votes_and_read_again_the_same_two(tmp_path: Path) -> None:
    path = table(
        tmp_path / "t.csv",
        f"{HEADER},winner,annotator",
        "q,a,b,tie,n",
        "q,a,b,tie,n",
        "q,b,a,tie,n",
    )
    ids = [vote.id for vote in votes(path)]
    assert len(set(ids)) == 3
    assert [vote.id for vote in votes(path)] == ids


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_a_byte_order_mark_are_no_matter(tmp_path: Path, end: str) -> None:
    path = table(tmp_path / "t.csv", f"\ufeff{HEADER},note", 'q,a,b,"x"', "q,c,d,", end=end)
    assert records(path) == [Pair("q", "a", "b"), Pair("q", "c", "d")]
    assert sniffed(path) is FORMAT


def test_an_answer_of_a_megabyte_is_no_matter(tmp_path: Path) -> None:
    text = "long, " * 200_000
    path = table(tmp_path / "t.csv", f"{HEADER},answer_a", f'q,a,b,"{text}"')
    assert Answer("q", "a", (text,)) in records(path)


def test_an_unclosed_quote_before_a_long_text_is_refused_in_words(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", '"' + "x" * 300_000)
    with pytest.raises(BadInput, match="is not CSV"):
        sniffed(path)


def test_the_sniffer_takes_tables_of_comparisons_only(tmp_path: Path) -> None:
    own = table(tmp_path / "own.csv", HEADER)
    assert FORMAT.sniff(own)
    assert FORMAT.sniff(tmp_path)
    other = table(tmp_path / "other.csv", "a,b,c")
    assert not FORMAT.sniff(other)
    assert not FORMAT.sniff(tmp_path)
    assert not FORMAT.sniff(tmp_path / "absent")
    assert records(table(tmp_path / "own.tsv", HEADER, "q,a,b")) == [Pair("q", "a", "b")]


# ── what is written ─────────────────────────────────────────────────────────

FORMULAS = ["=1+1", '=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-"]


@pytest.mark.parametrize("cell", FORMULAS)
def test_no_cell_is_a_formula_and_each_reads_back(cell: str) -> None:
    assert safe_cell(cell)[0] == "'"
    assert written_cell(safe_cell(cell)) == cell


@pytest.mark.parametrize("cell", ["", "a", "1=1", "'", "''", "'quoted'", "it's", " =1", "ü"])
def test_other_cells_stand_as_they_are(cell: str) -> None:
    assert safe_cell(cell) == written_cell(cell) == cell


@given(cell=st.text(alphabet="'=+-@\t\r a", max_size=5) | st.text())
def test_every_cell_reads_back(cell: str) -> None:
    assert written_cell(safe_cell(cell)) == cell
    assert safe_cell(cell)[:1] not in ("=", "+", "-", "@", "\t", "\r")


@st.composite
def cast(draw: st.DrawFn) -> Vote:
    pair, _ = Pair.of(
        *draw(st.tuples(NAMES, NAMES, NAMES).filter(lambda three: three[1] != three[2]))
    )
    return Vote(
        "v", pair, draw(st.integers(0, 64)), draw(NAMES), draw(st.sampled_from(Choice)),
        left=draw(st.sampled_from([None, 1, 2])), note=draw(BODIES), flag=draw(BODIES),
        at=draw(st.sampled_from(["", "2024-01-01T00:00:00Z", "=now()"])),
        repeat=draw(st.integers(0, 2)),
    )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(given_votes=st.lists(cast(), min_size=1, max_size=4))
def test_votes_read_back_as_they_were(
    given_votes: list[Vote], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "votes.csv"
    path.write_text(written(list(given_votes)), encoding="utf-8", newline="")

    def content(one: Vote) -> tuple[object, ...]:
        return (
            one.pair, one.turn, one.annotator, one.choice, one.left, one.note, one.flag, one.at,
            one.repeat,
        )  # fmt: skip

    assert [content(vote) for vote in votes(path)] == [content(vote) for vote in given_votes]


def test_other_records_and_withdrawals_have_no_row() -> None:
    pair = Pair("q", "a", "b")
    text = written(
        [
            pair,
            Vote("v1", pair, 1, "n", None, supersedes="v0"),
            Verdict("w", pair, 1, "j", VerdictStatus.FAILED),
            Vote("v2", pair, 1, "n", Choice.BOTH_BAD),
        ]
    )
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == 2
    assert dict(zip(*rows, strict=True))["winner"] == "both_bad"

"""Votes and verdicts as FastChat lays them out: an MT-bench folder, and the Arena's battles.

Of votes every one is a line; of gold each label is one line, of ``expert_gold``. FastChat's
``compute_agreement.py`` reads ``human_judgments.json`` beside a judge's file, ``show_result.py``
and ``qa_browser.py`` the files in ``model_judgment/``, and ``elo_analysis.py`` the battles.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, Any, NamedTuple

from core.errors import UsageError
from core.gold import DecidedBy
from core.items import Texts
from core.layouts.preferences import write_line
from core.layouts.rows import AS_TIE, DROP, Files, Layout, Row, Telling
from core.records import Choice, Combined, Judge, Verdict, combine
from core.text import many

_TURNS = (1, 2)
"""What FastChat's script keeps apart; it would take the whole conversation for turn 2."""

_LABELS = {Choice.TIE: "tie", Choice.BOTH_BAD: "tie (bothbad)"}
_UNSAFE = re.compile(r"[^\w.-]+")


class _Said(NamedTuple):
    """One comparison: who says what, and which model stood first, where that is known."""

    who: str
    choice: Choice
    left: int | None
    at: str


def _comparisons(row: Row, telling: Telling, human: str) -> Iterator[_Said]:
    """What people said of a row, or what its label is.

    Args:
        human: what a person's name begins with.
    """
    if telling.what == "gold":
        if row.gold.label is None:
            telling.left_out["unresolved"] += 1
        else:
            yield _Said(f"{human}gold", row.gold.label, None, _settled(row))
        return
    for vote, _ in row.item.votes:
        assert vote.choice is not None
        yield _Said(_called(vote.annotator, telling, human), vote.choice, vote.left, vote.at)


def _settled(row: Row) -> str:
    """When a row's label came to stand: with the last of what it rests on."""
    is_ruled = row.gold.decided_by is DecidedBy.RULING
    said = row.item.rulings if is_ruled else [vote for vote, _ in row.item.votes]
    return max((one.at for one in said if _seconds(one.at) is not None), default="")


def _called(annotator: str, telling: Telling, human: str) -> str:
    """A person as FastChat names people: its scripts count who is called ``expert_…``."""
    kind = human
    if annotator in telling.simulated:
        kind = "simulated_"
    elif telling.groups.get(annotator) == "author":
        kind = "author_"
    name = telling.name(annotator).removeprefix("annotator-")
    return name if name.startswith(kind) else kind + name


def _compared(row: Row, said: _Said) -> dict[str, Any]:
    """A comparison with the model that stood left as ``model_a``; by name where unknown."""
    pair = row.item.pair
    models = (pair.model_1, pair.model_2)
    choice = said.choice
    if said.left == 2:
        models, choice = models[::-1], choice.exchanged()
    winner = {Choice.MODEL_1: "model_a", Choice.MODEL_2: "model_b", **_LABELS}[choice]
    return {
        "question_id": _number(pair.question),
        "model_a": models[0],
        "model_b": models[1],
        "winner": winner,
    }


def _number(key: str) -> int | str:
    """MT-bench's ids are numbers: such a one is written as it was."""
    return int(key) if re.fullmatch(r"[1-9][0-9]{0,15}", key) else key


def _seconds(at: str) -> float | None:
    try:
        return datetime.fromisoformat(at).timestamp() if "T" in at and at.endswith("Z") else None
    except ValueError:
        return None


class _Arrays:
    """JSON arrays with one object a line, as many as are asked for."""

    def __init__(self, files: Files, telling: Telling) -> None:
        self._files = files
        self._telling = telling
        self._open: dict[str, IO[str]] = {}

    def add(self, name: str, line: dict[str, Any]) -> None:
        """Write an object at the end of the array in a file."""
        stream = self.begin(name)
        stream.write(",\n" if self._telling.written[name] else "\n")
        stream.write(json.dumps(line, ensure_ascii=False))
        self._telling.written[name] += 1

    def begin(self, name: str) -> IO[str]:
        """The file, with an empty array in it if it is new."""
        if name not in self._open:
            self._open[name] = self._files.text(name)
            self._open[name].write("[")
        return self._open[name]

    def end(self) -> None:
        """Close all arrays."""
        for stream in self._open.values():
            stream.write("\n]\n")


# ── the Arena's battles ─────────────────────────────────────────────────────


def _arena(rows: Iterable[Row], telling: Telling, files: Files) -> None:
    arrays = _Arrays(files, telling)
    arrays.begin("")
    for row in rows:
        for said in _comparisons(row, telling, "arena_user_"):
            line = _compared(row, said) | {"judge": said.who, "turn": row.item.turn}
            seconds = _seconds(said.at)
            # A number in any case: the Elo script takes the latest of all, and fails on none.
            line |= {"anony": True, "language": "unknown", "tstamp": seconds or 0.0}
            line |= {} if said.left else {"side_known": False}
            arrays.add("", line if seconds is not None else line | {"time_known": False})
    arrays.end()


# ── the MT-bench folder ─────────────────────────────────────────────────────


class _Names:
    """Names of files for models and judges, whatever these are called."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    def of(self, name: str) -> str:
        """A file's name, another for each name that is asked about."""
        safe = _UNSAFE.sub("_", name).strip(".")[:80]
        if not safe or self._taken.get(safe.casefold(), name) != name:
            safe = f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        self._taken[safe.casefold()] = name
        return safe


class _Folder:
    """An MT-bench folder on its way out."""

    def __init__(self, telling: Telling, files: Files) -> None:
        self.telling = telling
        self.files = files
        self.arrays = _Arrays(files, telling)
        self.names = _Names()
        self._streams: dict[str, IO[str]] = {}
        self._question = ""
        self._answered: set[str] = set()
        self._unchosen = 0

    def _line(self, name: str, line: dict[str, Any]) -> None:
        if name not in self._streams:
            self._streams[name] = self.files.text(name)
        write_line(self._streams[name], line)
        self.telling.written[name] += 1

    def write(self, rows: Iterable[Row]) -> None:
        """Write every file.

        Raises:
            UsageError: where a judge's both bad needs the lead's choice first.
        """
        self.arrays.begin("human_judgments.json")
        for row in rows:
            if row.item.turn not in _TURNS:
                self.telling.left_out["no turn of MT-bench"] += 1
                continue
            self._texts(row)
            for said in _comparisons(row, self.telling, "expert_"):
                line = _compared(row, said) | {"judge": said.who}
                self.arrays.add("human_judgments.json", line | self._when(row, said.at))
            self._verdicts(row)
        self.arrays.end()
        if self._unchosen:
            raise UsageError(
                f"{many(self._unchosen, 'verdict pair')} of judges hold both bad, which FastChat's "
                "files of two games cannot hold as it is",
                f"choose: --both-bad {DROP}|{AS_TIE}",
            )

    @staticmethod
    def _when(row: Row, at: str) -> dict[str, Any]:
        seconds = _seconds(at)
        return {"turn": row.item.turn} | ({} if seconds is None else {"tstamp": seconds})

    def _texts(self, row: Row) -> None:
        """Questions, references and answers, each once: rows come by question."""
        pair, texts = row.item.pair, row.texts
        if texts is None:
            return
        number = _number(pair.question)
        if pair.question != self._question:
            self._question, self._answered = pair.question, set()
            self._asked(texts, number, row.item.category)
        for model, turns in zip((pair.model_1, pair.model_2), texts.answers, strict=True):
            if turns and model not in self._answered:
                self._answered.add(model)
                answer: dict[str, Any] = {"question_id": number, "model_id": model}
                choices = [{"index": 0, "turns": list(turns)}]
                name = f"model_answer/{self.names.of(model)}.jsonl"
                self._line(name, answer | {"choices": choices})

    def _asked(self, texts: Texts, number: int | str, category: str | None) -> None:
        question = texts.question
        if question.turns:
            line: dict[str, Any] = {"question_id": number, "category": category}
            line |= {"turns": list(question.turns)}
            self._line("question.jsonl", line)
        if question.references and None not in question.references:
            choices = [{"index": 0, "turns": list(question.references)}]
            line = {"question_id": number, "model_id": "reference", "choices": choices}
            self._line("reference_answer/reference.jsonl", line)

    def _verdicts(self, row: Row) -> None:
        by_judge: dict[str, list[Verdict]] = {}
        for verdict in row.item.verdicts:
            if not verdict.repeat:
                by_judge.setdefault(verdict.judge, []).append(verdict)
        for name, verdicts in sorted(by_judge.items()):
            judge, file = self.telling.judges[name], self.names.of(name)
            games = {verdict.left: verdict for verdict in verdicts}
            told = games.get(None)
            if told is not None and told.choice is not None:
                self._judgment(row, f"{file}_judgments.json", judge, told, told.choice)
            if 1 in games and 2 in games:
                self._games(row, file, judge, (games[1], games[2]))
            elif 1 in games or 2 in games:
                self.telling.left_out["judged in one order"] += 1

    def _judgment(
        self,
        row: Row,
        name: str,
        judge: Judge,
        verdict: Verdict,
        choice: Choice,
        label: str | None = None,
    ) -> None:
        line = _compared(row, _Said("", choice, None, ""))
        line |= {"judge": _as_judge(judge, verdict, row.item.turn)}
        if label is not None:
            line["winner"] = label
        self.arrays.add(name, line | self._when(row, verdict.at))

    def _games(self, row: Row, file: str, judge: Judge, games: tuple[Verdict, Verdict]) -> None:
        first, second = games
        kind, choice = combine(first.choice, second.choice)
        if choice is not None:
            is_torn = kind in (Combined.FLIP, Combined.HALF_FLIP)
            label = "tie (inconsistent)" if is_torn else None
            name = f"combined/{file}_judgments.json"
            self._judgment(row, name, judge, max(games, key=lambda g: g.at), choice, label)
        if Choice.BOTH_BAD in (first.choice, second.choice):
            if not self.telling.options.both_bad:
                self._unchosen += 1
                return
            if self.telling.options.both_bad == DROP:
                self.telling.left_out["both bad"] += 1
                return
        winners = [
            "error" if game.choice is None else _AS_GAME[game.choice] for game in (first, second)
        ]
        pair = row.item.pair
        line = {
            "question_id": _number(pair.question),
            "model_1": pair.model_1,
            "model_2": pair.model_2,
            "g1_winner": winners[0],
            "g2_winner": winners[1],
            "judge": _as_judge(judge, first, row.item.turn),
            "g1_judgment": first.raw or "",
            "g2_judgment": second.raw or "",
        }
        at = max(first.at, second.at)
        self._line(f"model_judgment/{file}_pair.jsonl", line | self._when(row, at))


_AS_GAME = {
    Choice.MODEL_1: "model_1",
    Choice.MODEL_2: "model_2",
    Choice.TIE: "tie",
    Choice.BOTH_BAD: "tie",  # only where the lead chose so
}


def _as_judge(judge: Judge, verdict: Verdict, turn: int) -> list[str]:
    """A judge as FastChat names one: its script counts ``["gpt-4", "pair…"]`` alone.

    Its readers tell turns apart by the prompt's name, and by nothing else.
    """
    prompt = verdict.prompt or "pair"
    if turn > 1 and not prompt.endswith(_LATER):
        prompt += _LATER
    model = judge.model or judge.name
    is_gpt4 = re.match(r"gpt-?4(?![0-9a-z.])", model) is not None
    return [
        "gpt-4" if is_gpt4 else model,
        prompt if prompt.startswith("pair") else f"pair-{prompt}",
    ]


_LATER = "-multi-turn"
"""How FastChat's names of prompts for the second turn end."""


def _mt_bench(rows: Iterable[Row], telling: Telling, files: Files) -> None:
    _Folder(telling, files).write(rows)


LAYOUTS = (
    Layout("arena", "battles as the Arena's scripts read them", _arena, what=("gold", "votes")),
    Layout(
        "mt_bench",
        "a folder as FastChat lays out MT-bench",
        _mt_bench,
        what=("gold", "votes"),
        folder=True,
        texts=True,
        replies=True,
        both_bad=(DROP, AS_TIE),
    ),
)

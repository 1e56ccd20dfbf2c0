"""Proofs of what can be counted one by one: agreement, wins, sides, failures, repeats."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations

from core.proofs import reading
from core.proofs.reading import BAD, FIRST, SECOND, TIE
from core.proofs.registry import Compared, Oracle, Proof, Rows, register
from core.proofs.world import ANNOTATORS, JUDGES, MODELS, Study
from core.stats.observed import LONGER_BY
from core.stats.options import Elo

_COUNTED = "counted one by one"
_HUMAN = "human"


def _coverage(study: Study, rows: Rows) -> Compared:
    votes = reading.votes(study)
    yield rows.value(rater=_HUMAN, measure="votes"), len(votes)
    yield rows.value(rater=_HUMAN, measure="items voted on"), len({v.pair for v in votes})
    bad = sum(v.choice == BAD for v in votes) / len(votes)
    yield rows.value(rater=_HUMAN, measure="both bad"), bad
    for judge in JUDGES:
        mine = [said for said in reading.calls(study) if said.judge == judge.name]
        failed = sum(said.choice == 0 for said in mine)
        yield rows.value(rater=judge.name, measure="verdicts: failure"), failed
        yield rows.value(rater=judge.name, measure="verdicts: ok"), len(mine) - failed


def _agreement(study: Study, rows: Rows) -> Compared:
    couples = {judge.name: reading.judge_couples(study, judge.name) for judge in JUDGES}
    for setup in ("S1", "S2"):
        people = reading.share_agreeing(reading.people_couples(study), setup)
        yield rows.value(kind="human-human", rater_1=_HUMAN, setup=setup), people
        for name, each in couples.items():
            ours = rows.value(kind="judge-human", rater_1=name, rater_2=_HUMAN, setup=setup)
            yield ours, reading.share_agreeing(each, setup)
    words = {judge.name: reading.words(study, judge.name) for judge in JUDGES}
    for (one, first), (two, second) in combinations(sorted(words.items()), 2):
        both = [(first[pair], second[pair]) for pair in first.keys() & second.keys()]
        ours = rows.value(kind="judge-judge", rater_1=one, rater_2=two, setup="S1")
        yield ours, reading.share_agreeing(both, "S1")


def _added(study: Study, rows: Rows) -> Compared:
    longer = {}
    for pair, question, _, one, two in study.pairs:
        gap = study.characters[question, one] - study.characters[question, two]
        longer[pair] = FIRST if gap > 0 else SECOND if gap < 0 else TIE
    for judge in JUDGES:
        said = reading.words(study, judge.name)
        both = [(v.choice, said[v.pair], longer[v.pair])
                for v in reading.votes(study) if v.pair in said]  # fmt: skip
        less = sum((a == b) - (a == c) for a, b, c in both) / len(both)
        labels = {"rater": judge.name, "setup": "S1", "against": "(longer)"}
        yield rows.value(**labels, measure="difference"), less


def _panels(study: Study, rows: Rows) -> Compared:
    words = reading.panel_words(study)
    decided = sum(word is not None for word in words.values())
    yield rows.value(measure="items: decided"), decided
    yield rows.value(measure="items: undecided"), len(words) - decided


def _alt_test(study: Study, rows: Rows) -> Compared:
    """ρ of each annotator: how often the judge is no further from the others than they are."""
    for judge in JUDGES:
        said = reading.words(study, judge.name)
        for name, _ in ANNOTATORS:
            ahead = []
            for pair, votes in reading.by_pair(study).items():
                mine = [v.choice for v in votes if v.annotator == name]
                others = [v.choice for v in votes if v.annotator != name]
                if mine and others and pair in said:
                    ahead.append(others.count(said[pair]) >= others.count(mine[-1]))
            labels = {"judge": judge.name, "category": "all", "annotator": name}
            for row in rows.every(**labels, measure="ρ"):
                assert row.value is not None
                yield row.value, sum(ahead) / len(ahead)


def _consistency(study: Study, rows: Rows) -> Compared:
    first = {(v.annotator, v.pair): v.choice for v in reading.votes(study)}
    again = [(first[v.annotator, v.pair], v) for v in reading.votes(study, repeats=True)]
    same = sum(before == v.choice for before, v in again) / len(again)
    row = [
        row.value
        for row in rows.every(raters=_HUMAN, measure="same choice", classes=4)
        if "annotator" not in row.labels and row.value is not None
    ]
    yield row[0], same


def _win_rate(study: Study, rows: Rows) -> Compared:
    models = reading.models_of(study)
    for model in MODELS:
        wins: Counter[str] = Counter()
        met: Counter[str] = Counter()
        for vote in reading.votes(study):
            if model in models[vote.pair]:
                place = models[vote.pair].index(model)
                other = models[vote.pair][1 - place]
                met[other] += 1
                wins[other] += vote.choice == place + 1
        mean = sum(wins[other] / met[other] for other in met) / len(met)
        yield rows.value(raters=_HUMAN, category="all", model=model), mean


def _elo(study: Study, rows: Rows) -> Compared:
    elo, models = Elo(), reading.models_of(study)
    rating = dict.fromkeys(MODELS, elo.start)
    for vote in reading.votes(study):
        one, two = models[vote.pair]
        if vote.choice == BAD:
            continue
        expected = 1 / (1 + 10 ** ((rating[two] - rating[one]) / elo.scale))
        points = {FIRST: 1.0, SECOND: 0.0, TIE: elo.tie}[vote.choice]
        rating[one] += elo.k * (points - expected)
        rating[two] -= elo.k * (points - expected)
    for model, value in rating.items():
        yield rows.value(raters=_HUMAN, model=model), value


def _leaning(orders: dict[int, int]) -> int:
    """Above 0 where two orders favour what is shown first, below for the second."""
    return sum(
        (choice == left) - (choice == 3 - left) for left, choice in orders.items()
    )  # fmt: skip


def _position(study: Study, rows: Rows) -> Compared:
    for judge in JUDGES:
        orders = reading.by_order(study, judge.name)
        found = Counter(
            "error" if 0 in each.values()
            else ("consistent", "first", "second")[(_leaning(each) > 0) - (_leaning(each) < 0)]
            for each in orders.values()
        )  # fmt: skip
        for outcome in ("consistent", "first", "second", "error"):
            ours = rows.value(rater=judge.name, turn=1, outcome=outcome)
            yield ours, found[outcome] / len(orders)


def _position_lean(study: Study, rows: Rows) -> Compared:
    decisive = [v for v in reading.votes(study) if v.choice <= SECOND]
    left = sum(v.choice == v.left for v in decisive) / len(decisive)
    yield rows.value(rater=_HUMAN, measure="left"), left
    for judge in JUDGES:
        whole = [
            each for each in reading.by_order(study, judge.name).values() if all(each.values())
        ]
        signs = [(_leaning(each) > 0) - (_leaning(each) < 0) for each in whole]
        yield rows.value(rater=judge.name, measure="first − second"), sum(signs) / len(signs)


def _self_consistency(study: Study, rows: Rows) -> Compared:
    said: dict[tuple[int, int], list[int]] = defaultdict(list)
    for call in reading.calls(study):
        if call.judge == JUDGES[0].name and call.choice:
            said[call.pair, call.left].append(call.choice)
    couples = [couple for each in said.values() for couple in combinations(each, 2)]
    same = sum(a == b for a, b in couples) / len(couples)
    yield rows.value(rater=JUDGES[0].name, measure="same order"), same


def _failures(study: Study, rows: Rows) -> Compared:
    for judge in JUDGES:
        mine = [said.choice for said in reading.calls(study) if said.judge == judge.name]
        yield rows.value(rater=judge.name, failure="any"), mine.count(0) / len(mine)


def _audits(study: Study, rows: Rows) -> Compared:
    plain, named = (reading.by_order(study, judge.name) for judge in JUDGES[:2])
    both = [
        (plain[pair][left], named[pair][left])
        for pair in plain
        for left in (1, 2)
        if plain[pair][left] and named[pair][left]
    ]
    yield rows.value(audit="names", measure="changed"), sum(a != b for a, b in both) / len(both)


def _points(choice: int) -> float:
    return {FIRST: 1.0, SECOND: 0.0}.get(choice, 0.5)


def _self_enhancement(study: Study, rows: Rows) -> Compared:
    models, voted = reading.models_of(study), reading.by_pair(study)
    for judge in JUDGES[:2]:
        said, values = reading.words(study, judge.name), []
        for pair in said.keys() & voted.keys():
            own = [model.startswith("ant") for model in models[pair]]
            if own[0] != own[1]:
                people = sum(_points(v.choice) for v in voted[pair]) / len(voted[pair])
                values.append((1 if own[0] else -1) * (_points(said[pair]) - people))
        yield rows.value(judge=judge.name, **{"is": "own"}), sum(values) / len(values)


def _against_others(study: Study, name: str) -> Iterator[tuple[int, bool, float]]:
    """Each of somebody's votes: the pair, whether both are bad, and how many others say so."""
    for pair, votes in reading.by_pair(study).items():
        for vote in votes:
            others = [v.choice == BAD for v in votes if v.annotator != name]
            if vote.annotator == name and others:
                yield pair, vote.choice == BAD, sum(others) / len(others)


def _rater_bias(study: Study, rows: Rows) -> Compared:
    for name, _ in ANNOTATORS:
        mine = [v for v in reading.votes(study) if v.annotator == name and v.choice <= SECOND]
        left = sum(v.choice == v.left for v in mine) / len(mine) - 0.5
        yield rows.value(rater=name, measure="left"), left
        less = [is_bad - others for _, is_bad, others in _against_others(study, name)]
        yield rows.value(rater=name, measure="both bad"), sum(less) / len(less)


def _drift(study: Study, rows: Rows) -> Compared:
    for name, _ in ANNOTATORS:
        mine = [v for v in reading.votes(study) if v.annotator == name]
        half = len(mine) // 2
        for row in rows.every(rater=name, measure="both bad"):
            before, after = ([v.choice == BAD for v in part] for part in (mine[:half], mine[half:]))
            # An odd one may go to either half: the numbers of the other rows are even.
            if row.value is not None and len(mine) % 2 == 0:
                yield row.value, sum(after) / len(after) - sum(before) / len(before)


def _stopping(study: Study, rows: Rows) -> Compared:
    models = reading.models_of(study)
    for one, two in combinations(MODELS, 2):
        first = {
            vote.pair: _points(vote.choice)
            for vote in reversed(reading.votes(study))
            if models[vote.pair] == (one, two)
        }
        for row in rows.every(model_1=one, model_2=two):
            assert row.value is not None
            yield row.value, sum(first.values()) / len(first)


def _ranking_fit(study: Study, rows: Rows) -> Compared:
    models = reading.models_of(study)
    for row in rows.every(raters=_HUMAN):
        games = (row.labels["model_1"], row.labels["model_2"])
        said = [v.choice for v in reading.votes(study)
                if models[v.pair] == games and v.choice != BAD]  # fmt: skip
        assert row.value is not None
        yield row.value, said.count(FIRST) / len(said)


def _quadrants(study: Study, rows: Rows) -> Compared:
    """What the votes on an answer's other pairs say of it, for both answers of every vote."""
    of = {pair: ((question, one), (question, two)) for pair, question, _, one, two in study.pairs}
    found: Counter[str] = Counter()
    votes = reading.votes(study)
    for pair, answers in of.items():
        here = sum(v.pair == pair for v in votes)
        said = []
        for answer in answers if here else ():
            balance = 0
            for vote in votes:
                if vote.pair == pair or answer not in of[vote.pair]:
                    continue
                won = vote.choice == of[vote.pair].index(answer) + 1
                balance += (won or vote.choice == TIE) - (vote.choice == BAD)
            said.append((balance > 0) - (balance < 0))
        if here:
            name = "not told" if 0 in said else {2: "acceptable–acceptable", 0: "acceptable–poor",
                                                 -2: "poor–poor"}[sum(said)]  # fmt: skip
            found[name] += here
    for name, count in found.items():
        labels = {"pair of answers": name, "measure": "comparisons"}
        yield rows.value(**labels), count / len(votes)


def _both_bad(study: Study, rows: Rows) -> Compared:
    category = {pair: name for pair, _, name, *_ in study.pairs}
    votes = reading.votes(study)
    shares = {}
    for name in sorted(set(category.values())):
        mine = [v.choice == BAD for v in votes if category[v.pair] == name]
        shares[name] = sum(mine) / len(mine) if mine else 0.0
        ours = rows.every(rater=_HUMAN, among=f"category: {name}", measure="share")
        if mine and ours and ours[0].value is not None:
            yield ours[0].value, shares[name]
    yield (
        rows.value(rater=_HUMAN, among="all", measure="share"),
        sum(v.choice == BAD for v in votes) / len(votes),
    )


def _longer(study: Study, rows: Rows) -> Compared:
    longer = {}
    for pair, question, _, one, two in study.pairs:
        gap = study.characters[question, one] - study.characters[question, two]
        if abs(gap) > LONGER_BY:
            longer[pair] = FIRST if gap > 0 else SECOND
    said = [v for v in reading.votes(study) if v.pair in longer and v.choice <= SECOND]
    share = sum(v.choice == longer[v.pair] for v in said) / len(said)
    yield rows.value(rater=_HUMAN, effect="longer wins"), share


LONGER = Oracle(_COUNTED, _longer)

register(
    Proof("coverage", (Oracle(_COUNTED, _coverage),)),
    Proof("agreement", (Oracle(_COUNTED, _agreement),), weighs={}),
    Proof("added", (Oracle(_COUNTED, _added),)),
    Proof("panels", (Oracle(_COUNTED, _panels),)),
    Proof("alt_test", (Oracle("ρ, duel by duel", _alt_test),)),
    Proof("consistency", (Oracle(_COUNTED, _consistency),)),
    Proof("win_rate", (Oracle(_COUNTED, _win_rate),), weighs={}),
    Proof(
        "elo",
        (Oracle("vote by vote", _elo, 1e-8),),
        no_coverage="it has no interval: the same votes in another order give other ratings",
    ),
    Proof("position", (Oracle(_COUNTED, _position),)),
    Proof("position_lean", (Oracle(_COUNTED, _position_lean),)),
    Proof("self_consistency", (Oracle(_COUNTED, _self_consistency),)),
    Proof("failures", (Oracle(_COUNTED, _failures),)),
    Proof("audits", (Oracle(_COUNTED, _audits),)),
    Proof("self_enhancement", (Oracle(_COUNTED, _self_enhancement),)),
    Proof("rater_bias", (Oracle(_COUNTED, _rater_bias),)),
    Proof("drift", (Oracle(_COUNTED, _drift),)),
    Proof(
        "stopping",
        (Oracle("first votes, counted", _stopping),),
        at_least="holds at every look at once, so at one look more often",
    ),
    Proof("ranking_fit", (Oracle(_COUNTED, _ranking_fit),)),
    Proof(
        "quadrants",
        (Oracle(_COUNTED, _quadrants),),
        at_least="its rank correlations are cautious",
    ),
    Proof("both_bad_use", (Oracle(_COUNTED, _both_bad),)),
)

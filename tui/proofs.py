"""The table of proofs: oracles, published numbers, planted effects and coverage, row by row."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TiebreakError, UsageError
from core.text import many

if TYPE_CHECKING:
    from core.proofs.coverage import Covered
    from core.proofs.published import Published
    from core.proofs.registry import Proof
    from core.stats.tally import Tally
    from tui.selftest import Recovered

ORACLE, PUBLISHED, PLANTED, COVERAGE = "oracle", "published", "planted", "coverage"
KEPT, BROKEN, SKIPPED, NONE = "kept", "BROKEN", "skipped", "—"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table.

    Attributes:
        statistic: its id.
        proof: :data:`ORACLE` and so on.
        against: what it is held against, in words.
        found: what came of it, in words.
        outcome: :data:`KEPT`, :data:`BROKEN`, :data:`SKIPPED`, or :data:`NONE` where there is
            nothing to prove and ``found`` says why.
        numbers: plain values for JSON.
    """

    statistic: str
    proof: str
    against: str
    found: str
    outcome: str
    numbers: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the keys are stable."""
        return {
            "statistic": self.statistic,
            "proof": self.proof,
            "against": self.against,
            "found": self.found,
            "outcome": self.outcome,
            "numbers": self.numbers,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be proved.

    Attributes:
        only: ids of statistics; all if empty.
        studies: made-up studies for coverage.
        plants: studies with planted effects.
        oracles: made-up studies for each oracle.
        seed: of all draws.
        data: a folder with published data; None skips what was published.
    """

    only: tuple[str, ...] = ()
    studies: int = 60
    plants: int = 10
    oracles: int = 3
    seed: int = 0
    data: Path | None = None


def table(asked: Asked, tell: Callable[[str], None] = lambda said: None) -> list[Line]:
    """Every statistic's proofs, in the order of the statistics.

    Args:
        tell: called with what is being done, which takes a while.

    Raises:
        UsageError: if a statistic of that name does not exist.
        TiebreakError: if published data are there, but cannot be read.
    """
    from core.proofs.coverage import cover, truths
    from core.proofs.registry import proofs
    from core.selftest import effects
    from tui.selftest import run

    every = proofs()
    if unknown := [each for each in asked.only if each not in every]:
        raise UsageError(
            f"no statistic is called {unknown[0]!r}", f"There are: {', '.join(every)}."
        )
    chosen = {id: proof for id, proof in every.items() if not asked.only or id in asked.only}
    tell("intervals on made-up studies")
    known = truths(set(chosen))

    def done(where: str) -> Callable[[int], None]:
        return lambda number: tell(f"{where}: {number} of {asked.studies}")

    of = asked.studies, asked.seed
    covered = cover(*of, set(chosen), done("intervals on made-up studies"), known=known)
    weighs = {id: each.weighs for id, each in chosen.items() if each and each.weighs is not None}
    where = "intervals where pairs are drawn unequally"
    weighed = cover(*of, set(weighs), done(where), known=known, sampled=weighs) if weighs else {}
    planted: list[Recovered] = []
    if any(effect.statistic in chosen for effect in effects("simulated")):
        tell("planted effects")
        planted = run(asked.plants, asked.seed).recovered
    tell("published numbers")
    told = _published(asked, set(chosen))
    lines: list[Line] = []
    for id, proof in chosen.items():
        tell(f"oracles: {id}")
        lines += _oracles(id, proof, asked)
        lines += told.get(id, [])
        lines += [_planted(each) for each in planted if each.effect.statistic == id]
        lines.append(_coverage(id, proof, covered[id]))
        if id in weighed:
            lines.append(_coverage(id, proof, weighed[id], "pairs drawn unequally"))
    return lines


def _oracles(id: str, proof: Proof | None, asked: Asked) -> Iterator[Line]:
    from core.proofs.registry import held_against_oracles

    if proof is None:
        yield Line(id, ORACLE, "", "nobody has registered a proof of it", BROKEN)
        return
    if proof.no_oracle:
        yield Line(id, ORACLE, "", proof.no_oracle, NONE)
    for held in held_against_oracles(proof, asked.oracles, asked.seed):
        name = held.oracle.name
        if held.largest is None:
            yield Line(id, ORACLE, name, f"{held.oracle.needs} is not here", SKIPPED)
            continue
        numbers = {
            "compared": held.numbers,
            "largest_difference": held.largest,
            "tolerance": held.oracle.tolerance,
        }
        said = f"{many(held.numbers, 'number')}, largest difference {held.largest:.1g}"
        said += f" (up to {held.oracle.tolerance:.1g})"
        yield Line(id, ORACLE, name, said, KEPT if held.is_kept else BROKEN, numbers)


def _planted(each: Recovered) -> Line:
    said = f"{each.planted:+.3f} → {each.estimated:+.3f}; held in {each.held} of {each.runs}"
    outcome = KEPT if each.is_kept else BROKEN
    return Line(each.effect.statistic, PLANTED, each.effect.name, said, outcome, each.to_json())


def _coverage(id: str, proof: Proof | None, found: Covered, where: str = "") -> Line:
    at_least = proof.at_least if proof else ""
    share = found.coverage
    if share is None:
        why = (proof.no_coverage if proof else "") or "no row of it has an interval"
        is_told = bool(proof and proof.no_coverage)
        return Line(id, COVERAGE, "", why, NONE if is_told else BROKEN)
    is_kept = found.is_kept(bool(at_least))
    promise = f"95% or more: {at_least}" if at_least else "93–97%"
    promise += f", {where}" if where else ""
    said = f"{share:.1%} ± {100 * found.error:.1f} of {sum(found.told):,} intervals"
    numbers = {
        "coverage": share,
        "error": found.error,
        "intervals": sum(found.told),
        "studies": len(found.told),
        "numbers": len(found.numbers),
        "at_least": bool(at_least),
        "drawn_unequally": bool(where),
    }
    return Line(id, COVERAGE, promise, said, KEPT if is_kept else BROKEN, numbers)


def _published(asked: Asked, wanted: Collection[str]) -> dict[str, list[Line]]:
    """The lines about published numbers, by statistic."""
    from core.proofs.published import SOURCES, published

    numbers = [each for each in published() if each.statistic in wanted]
    lines: dict[str, list[Line]] = {}
    for data, source in SOURCES.items():
        mine = [each for each in numbers if each.data == data]
        if not mine:
            continue
        folder = None if asked.data is None else asked.data / data
        tally = None if folder is None or not folder.is_dir() else _tally(data, folder)
        for id in dict.fromkeys(each.statistic for each in mine):
            these = [each for each in mine if each.statistic == id]
            if tally is None:
                why = f"{many(len(these), 'number')}; --data says where the data lie"
                lines.setdefault(id, []).append(Line(id, PUBLISHED, source, why, SKIPPED))
            else:
                lines.setdefault(id, []).append(_held(id, source, these, *tally))
    return lines


def _tally(data: str, folder: Path) -> tuple[Tally, dict[str, Any]]:
    """The published data, counted, and the options that the study itself sets.

    Raises:
        TiebreakError: if the folder holds something else.
    """
    from core.proofs.published import LOADERS

    if data not in LOADERS:
        return _imported(folder)
    try:
        return LOADERS[data](folder), {}
    except (OSError, KeyError, ValueError) as error:
        raise TiebreakError(
            f"{folder}: these are not the published data: {error}",
            "look at the folder that --data names; without --data they are skipped",
        ) from error


def _imported(folder: Path) -> tuple[Tally, dict[str, Any]]:
    """MT-bench the way that a lead has it: imported into a study, and read from there."""
    from core.stats.tally import Tally
    from db.feed import Feed
    from db.store import Store
    from tui.importing import import_path

    with tempfile.TemporaryDirectory(prefix="tiebreak-proofs-") as made:
        study = Path(made) / "study.db"
        import_path(study, folder, "mt_bench")
        with Store(study) as store:
            feed = Feed(store, Tally())
            feed.catch_up(times=True)
            return feed.tally, {"exclude_groups": tuple(store.settings()["exclude_groups"])}


def _held(
    id: str, source: str, numbers: list[Published], tally: Tally, options: dict[str, Any]
) -> Line:
    from core.stats import Options, compute

    wrong, told = [], []
    for each in numbers:
        chosen = Options(replicates=100, **{**options, **each.options})
        (result,) = compute(tally, chosen, {id})
        rows = [
            row
            for row in result.estimates
            if each.labels.items() <= dict(row.labels).items() and row.value is not None
        ]
        values = [row.value for row in rows if each.n in (None, row.n)]
        is_held = len(values) == 1 and abs((values[0] or 0.0) - each.value) <= each.within
        found = values[0] if values else None
        told.append({"labels": dict(each.labels), "published": each.value, "found": found})
        if not is_held:
            words = " ".join(str(said) for said in each.labels.values())
            wrong.append(f"{words}: {each.value:.4g} published, {found} found")
    said = f"{len(numbers) - len(wrong)} of {many(len(numbers), 'number')} come out"
    outcome = BROKEN if wrong else KEPT
    return Line(id, PUBLISHED, source, "; ".join([said, *wrong]), outcome, {"values": told})


def lines_of(table: list[Line], width: int) -> list[str]:
    """The table as lines of text: the last column takes what is left and is wrapped."""
    from textwrap import wrap

    header = Line("statistic", "proof", "held against", "found", "")
    sizes = [
        max(len(getattr(line, name)) for line in (header, *table))
        for name in ("statistic", "proof", "outcome")
    ]
    against = min(max(len(line.against) for line in table), 38)
    room = max(width - sum(sizes) - against - 8, 24)
    shown, before = [], ""
    for line in (header, *table):
        first = "" if line.statistic == before else line.statistic
        before = line.statistic
        left = wrap(line.against, against) or [""]
        right = wrap(line.found, room) or [""]
        for row in range(max(len(left), len(right))):
            cells = (
                f"{first if not row else '':{sizes[0]}}",
                f"{line.proof if not row else '':{sizes[1]}}",
                f"{line.outcome if not row else '':{sizes[2]}}",
                f"{left[row] if row < len(left) else '':{against}}",
                right[row] if row < len(right) else "",
            )
            shown.append("  ".join(cells).rstrip())
    return shown

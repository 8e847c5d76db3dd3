"""Whole reports in many styles, written for this measurement, against what is right for each.

The reports stand in `corpus/`, one file per half; rules were written looking at the first half alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np

from evaluation.reading.intervals import Counts, estimate, micro_f1, share
from overread.errors import ConfigurationError
from overread.finding import Vocabulary, load_vocabulary
from overread.observation import Experiencer, Laterality, Presence, ReportObservation, Section, Temporality
from overread.ports import ReportReader
from overread.statistics import Estimate

HALVES = ("first", "second")
_SIDES = {"R": Laterality.RIGHT, "L": Laterality.LEFT, "B": Laterality.BILATERAL}
_GONE = frozenset({Temporality.RESOLVED, Temporality.REMOVED, Temporality.HISTORICAL})
_UNNAMED = frozenset({"unlisted_abnormality", "any_abnormality"})  # say that something is there, and not what
_NOT_READ = frozenset({Section.INDICATION, Section.TECHNIQUE, Section.COMPARISON, Section.SIGNATURE})


@dataclass(frozen=True, slots=True, kw_only=True)
class StyledReport:
    """One report, and what a careful reader takes from it."""

    style: str
    text: str
    present: Mapping[str, Laterality]
    uncertain: Mapping[str, Laterality]
    denied: frozenset[str]  # findings that may be denied
    optional: frozenset[str]  # findings that may be stated or left out


@dataclass(slots=True, kw_only=True)
class StyleScores:
    """Counts by report; each figure is one row per report."""

    present: list[tuple[int, int, int]] = field(default_factory=list)  # true, wrong, missed; broader counts
    exact: list[tuple[int, int, int]] = field(default_factory=list)  # the very finding
    uncertain: list[tuple[int, int, int]] = field(default_factory=list)
    sides: list[tuple[int, int]] = field(default_factory=list)  # right, wrong
    false_denials: list[int] = field(default_factory=list)
    unnamed: list[tuple[int, int]] = field(default_factory=list)  # of reports with findings: none named, some
    errors: list[str] = field(default_factory=list)  # style and finding; never the text


def styled_reports(half: str) -> tuple[StyledReport, ...]:
    """Return the reports of one half.

    Raises:
        ConfigurationError: a report names a finding that the vocabulary lacks.
    """
    text = (files("evaluation.reading") / "corpus" / f"{half}.txt").read_text(encoding="utf-8")
    body = text[text.index("\n@") + 1 :]
    vocabulary = load_vocabulary()
    return tuple(_parsed(block.strip("\n"), vocabulary) for block in body.split("====\n"))


def _parsed(block: str, vocabulary: Vocabulary) -> StyledReport:
    report, _, answer = block.rpartition("\n--\n")
    style, _, text = report.partition("\n")
    lines: dict[str, str] = {}
    for line in answer.split("\n"):
        lines[line[0]] = f"{lines.get(line[0], '')} ; {line[2:]}"
    return StyledReport(
        style=style.removeprefix("@ "),
        text=text,
        present=_sided(lines.get("+", ""), vocabulary),
        uncertain=_sided(lines.get("?", ""), vocabulary),
        denied=frozenset(_denied(lines.get("-", "").replace(";", " ").split(), vocabulary)),
        optional=frozenset(lines.get("~", "").replace(";", " ").split()),
    )


def _sided(line: str, vocabulary: Vocabulary) -> dict[str, Laterality]:
    items = [item.split() for item in line.split(";") if item.strip()]
    for finding, *_ in items:
        if finding not in vocabulary:
            raise ConfigurationError(f"no finding is called {finding}")
    return {finding: _SIDES[side[0]] if side else Laterality.UNSPECIFIED for finding, *side in items}


def _denied(names: list[str], vocabulary: Vocabulary) -> Iterator[str]:
    yield from _UNNAMED
    for name in names:
        if name == "@acute":
            yield from (f.id for f in vocabulary.values() if f.group in ("lung", "pleura", "heart"))
            yield from ("pneumomediastinum",)
        elif name.startswith("@"):
            yield from (f.id for f in vocabulary.values() if f.group == name[1:])
        else:
            yield from vocabulary.kinds_of(name)


def score(reader: ReportReader, reports: tuple[StyledReport, ...]) -> StyleScores:
    """Return what a reader gets right and wrong."""
    scores, vocabulary = StyleScores(), load_vocabulary()
    for report in reports:
        read = [
            observation
            for observation in reader.read(report.text).observations
            if observation.section not in _NOT_READ and observation.experiencer is Experiencer.PATIENT
        ]
        _score_one(report, read, scores, vocabulary)
    return scores


def _score_one(
    report: StyledReport, read: list[ReportObservation], scores: StyleScores, vocabulary: Vocabulary
) -> None:
    stated = [o for o in read if o.presence is Presence.PRESENT and o.temporality not in _GONE]
    hedged = [o for o in read if o.presence is Presence.UNCERTAIN and o.temporality not in _GONE]
    mine = {o.finding for o in stated} - _UNNAMED
    maybe = {o.finding for o in hedged} - _UNNAMED - mine
    right = set(report.present)
    allowed = right | {broad for finding in right for broad in _broader(finding, vocabulary)}
    missed = {f for f in right if not mine & {f, *_broader(f, vocabulary)}}
    wrong = mine - allowed - report.optional
    scores.present.append((len(right) - len(missed), len(wrong), len(missed)))
    scores.exact.append((len(right & mine), len(mine - right - report.optional), len(right - mine)))
    _score_hedges(report, maybe, scores)
    hits = [
        _side_of(stated, f) is side
        for f, side in report.present.items()
        if f in mine and side.value != "UNSPECIFIED"
    ]
    scores.sides.append((sum(hits), len(hits) - sum(hits)))
    denied = {o.finding for o in read if o.presence is Presence.ABSENT and o.finding not in mine}
    false = denied - report.denied
    scores.false_denials.append(len(false))
    if right:
        none = not mine & (allowed | report.optional)
        scores.unnamed.append((int(none), int(not none)))
    named = (("missed", missed), ("wrong", wrong), ("denied", false))
    scores.errors.extend(f"{report.style}: {kind} {', '.join(sorted(f))}" for kind, f in named if f)
    for finding, side in report.present.items():
        if finding in mine and side.value != "UNSPECIFIED" and _side_of(stated, finding) is not side:
            scores.errors.append(f"{report.style}: side of {finding}")
    hedge_misses = set(report.uncertain) - maybe
    hedge_wrong = maybe - set(report.uncertain) - report.optional - right
    if hedge_misses or hedge_wrong:
        scores.errors.append(
            f"{report.style}: hedges missed {sorted(hedge_misses)} wrong {sorted(hedge_wrong)}"
        )


def _score_hedges(report: StyledReport, maybe: set[str], scores: StyleScores) -> None:
    right = set(report.uncertain)
    wrong = maybe - right - report.optional - set(report.present)
    scores.uncertain.append((len(right & maybe), len(wrong), len(right - maybe)))


def _broader(finding: str, vocabulary: Vocabulary) -> set[str]:
    above = set(vocabulary[finding].broader)
    for one in tuple(above):
        above |= _broader(one, vocabulary)
    return above


def _side_of(stated: list[ReportObservation], finding: str) -> Laterality:
    sides = {o.laterality for o in stated if o.finding == finding} - {Laterality.UNSPECIFIED}
    if len(sides) > 1:
        return Laterality.BILATERAL
    return sides.pop() if sides else Laterality.UNSPECIFIED


def precision(counts: Counts) -> float:
    """Return the share of what is stated that is right, from true, wrong, missed."""
    return float(counts[0] / max(1, counts[0] + counts[1]))


def recall(counts: Counts) -> float:
    """Return the share of what is right that is stated, from true, wrong, missed."""
    return float(counts[0] / max(1, counts[0] + counts[2]))


def lines_of(scores: StyleScores) -> Iterator[str]:
    """Yield the figures."""
    present = np.array(scores.present)
    yield f"  present, the finding or a broader one: recall {estimate(present, recall)}"
    yield f"    precision {estimate(present, precision)}  F1 {_f1(scores.present)}"
    yield f"  present, the very finding: F1 {_f1(scores.exact)}"
    yield f"  uncertain: F1 {_f1(scores.uncertain)}"
    yield f"  side right: {estimate(np.array(scores.sides), share)}"
    denials = np.array(scores.false_denials)[:, None]
    yield f"  false denials per report: {estimate(denials, lambda counts: float(counts[0] / len(denials)))}"
    yield f"  reports with findings of which none is named: {estimate(np.array(scores.unnamed), share)}"


def _f1(rows: list[tuple[int, int, int]]) -> Estimate:
    return estimate(np.array(rows)[:, None, :], micro_f1)

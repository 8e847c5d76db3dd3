"""How good the order of the list is, against a radiologist panel: `python -m evaluation.order --data FOLDER`.

Every study has a report, the probabilities of an independent published detector, and a panel's read. A
discrepancy is confirmed where the panel saw what the report does not state. The order of `triage()` is
compared with orders that need no overread, on the same studies, in pairs.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.panel import TARGETS, Radiograph, load_radiographs
from evaluation.ranking import (
    Floats,
    average_precision,
    precision_at,
    recall_at,
    resample_patients,
)
from overread.finding import Vocabulary, load_vocabulary
from overread.observation import (
    Detection,
    DetectorObservation,
    Presence,
    ReaderIdentity,
    ReportObservation,
    ReportReading,
    Section,
    Span,
)
from overread.priority import Policy, default_policy
from overread.triage import triage

BUDGETS = (0.02, 0.05, 0.10, 0.20)
RESAMPLES = 1_000
SEED = 20261123

_NOWHERE = Span(0, 0)  # mined labels have no place in a text


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """One way to order the list."""

    name: str
    scores: Floats  # (cases,), higher first


def orderings(radiographs: Sequence[Radiograph], prevalence: dict[str, float]) -> tuple[Ordering, ...]:
    """Return overread's order and those it is compared with, over the same cases."""
    policy, vocabulary = default_policy(), load_vocabulary()
    return (
        _ordering("highest raw score", radiographs, partial(_raw, weighted=False)),
        _ordering("raw score x weight", radiographs, partial(_raw, weighted=True)),
        _ordering(
            f"overread, policy {policy.version}",
            radiographs,
            partial(priority_of, prevalence=prevalence, policy=policy, vocabulary=vocabulary),
        ),
    )


def prevalence_of(radiographs: Sequence[Radiograph]) -> dict[str, float]:
    """Return how often the reports of these radiographs state each finding."""
    findings = [finding for target in TARGETS for finding in target.findings]
    stated = {finding: sum(finding in case.reported for case in radiographs) for finding in findings}
    return {finding: count / len(radiographs) for finding, count in stated.items()}


def priority_of(
    case: Radiograph, prevalence: dict[str, float], policy: Policy, vocabulary: Vocabulary
) -> float:
    """Return the priority that the service gives this case; every finding is weighed, none is cut off."""
    reading = ReportReading(
        reader=ReaderIdentity(name="mined labels", version="2017"),
        observations=tuple(_stated(finding) for finding in sorted(case.reported)),
    )
    detection = Detection(
        detector=ReaderIdentity(name="published CheXNet reproduction", version="2018"),
        operating_point="none",
        observations=tuple(_seen(case, finding, share) for finding, share in prevalence.items()),
    )
    return triage(reading, [detection], policy, vocabulary).priority


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of merit of an order, a function of scores and of what each case is worth."""

    name: str
    worth: Floats  # (cases,)
    of: Callable[[Floats, Floats], float]


def figures_of(radiographs: Sequence[Radiograph]) -> tuple[Figure, ...]:
    """Return what is measured: average precision, and PPV and recall at each budget, plain and weighted."""
    missed = _missed(radiographs)
    confirmed = missed.max(axis=1)
    weighted = missed @ np.array([target.weight for target in TARGETS], dtype=float)
    at_budgets = [
        figure
        for share in BUDGETS
        for figure in (
            Figure(f"PPV at {share:.0%}", confirmed, partial(precision_at, share=share)),
            Figure(f"recall at {share:.0%}", confirmed, partial(recall_at, share=share)),
            Figure(f"weighted recall at {share:.0%}", weighted, partial(recall_at, share=share)),
        )
    ]
    return (Figure("average precision", confirmed, average_precision), *at_budgets)


def compare(figure: Figure, candidates: Sequence[Ordering], patients: NDArray[np.str_]) -> Iterator[str]:
    """Yield a line for each order: figure, interval, paired difference from the first."""
    first: Floats | None = None
    for candidate in candidates:
        on = partial(_on, figure, candidate.scores)
        drawn = resample_patients(patients, on, resamples=RESAMPLES, seed=SEED)
        low, high = np.percentile(drawn, (2.5, 97.5))
        line = f"  {candidate.name:20} {on(np.arange(len(patients))):.3f} [{low:.3f}, {high:.3f}]"
        if first is None:
            first = drawn
        else:
            below, above = np.percentile(drawn - first, (2.5, 97.5))
            line += f"   difference [{below:+.3f}, {above:+.3f}]"
        yield line


def report(radiographs: Sequence[Radiograph], candidates: Sequence[Ordering]) -> Iterator[str]:
    """Yield the lines of the whole comparison."""
    patients = np.array([case.patient_id for case in radiographs])
    missed = _missed(radiographs)
    columns = zip(missed.sum(axis=0), TARGETS, strict=True)
    counts = ", ".join(f"{int(number)} {target.column}" for number, target in columns)
    yield (
        f"{len(radiographs)} panel-read studies of {len(np.unique(patients))} patients, "
        f"{int(missed.max(axis=1).sum())} with a confirmed miss ({counts})"
    )
    yield f"95 % intervals from {RESAMPLES} resamples of patients, seed {SEED}; differences in pairs"
    for figure in figures_of(radiographs):
        yield f"{figure.name}"
        yield from compare(figure, candidates, patients)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("OVERREAD_DATA"),
        required="OVERREAD_DATA" not in os.environ,
        help="folder that holds chexnet_reads/ (default: OVERREAD_DATA)",
    )
    radiographs = load_radiographs(Path(parser.parse_args(arguments).data) / "chexnet_reads")
    read_again = [case for case in radiographs if case.panel is not None]
    patients_read_again = {case.patient_id for case in read_again}
    others = [case for case in radiographs if case.patient_id not in patients_read_again]
    for line in report(read_again, orderings(read_again, prevalence_of(others))):
        sys.stdout.write(line + "\n")
    return 0


def _ordering(name: str, radiographs: Sequence[Radiograph], score: Callable[[Radiograph], float]) -> Ordering:
    return Ordering(name=name, scores=np.array([score(case) for case in radiographs]))


def _missed(radiographs: Sequence[Radiograph]) -> Floats:
    return np.array([[case.missed(target) for target in TARGETS] for case in radiographs], dtype=np.float64)


def _on(figure: Figure, scores: Floats, rows: NDArray[np.intp]) -> float:
    return figure.of(scores[rows], figure.worth[rows])


def _raw(case: Radiograph, *, weighted: bool) -> float:
    """Return the highest score of any finding that the report does not state."""
    return max(
        (target.weight if weighted else 1) * max(case.probabilities[finding] for finding in target.findings)
        if case.is_open(target)
        else 0.0
        for target in TARGETS
    )


def _stated(finding: str) -> ReportObservation:
    return ReportObservation(
        finding=finding,
        presence=Presence.PRESENT,
        certainty=1.0,
        span=_NOWHERE,
        sentence=_NOWHERE,
        section=Section.FINDINGS,
    )


def _seen(case: Radiograph, finding: str, prevalence: float) -> DetectorObservation:
    probability = case.probabilities[finding]
    return DetectorObservation(
        finding=finding,
        presence=Presence.PRESENT,
        score=probability,
        probability=probability,
        prevalence=prevalence,
        sop_instance_uid="",
    )


if __name__ == "__main__":
    sys.exit(main())

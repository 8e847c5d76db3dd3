"""How often the intervals of an audit hold the truth, on simulated archives whose truth is known.

    python -m evaluation.audit.coverage --repetitions 1000

An archive has a given share of discrepancies, which first readers differ in, and a list that tells them from
the other cases with a given AUC (binormal). In each repetition a sample is drawn and read by a perfect second
reader, and the rates are estimated as `overread audit rates` does. Prints for each archive the share of
intervals that hold the truth, with its own interval, their mean width, and the bias of the naive figures.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.design import PlannedStratum, allocate, draw, strata_of
from evaluation.audit.findings import Findings, findings_of
from overread.audit.stratified import Stratum
from overread.statistics import Estimate, proportion

PREVALENCES = (0.005, 0.02, 0.05)
AUCS = (0.7, 0.85)
READS = (300, 1000)
CASES = 20_000
CLUSTER_SPREAD = 1.0  # standard deviation of the log odds between first readers
READERS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A simulated archive, in the order of its list."""

    truth: NDArray[np.bool_]  # (cases,) whether there is a discrepancy
    probabilities: NDArray[np.float64]  # (cases,) that the list states


@dataclass(slots=True)
class Tally:
    """How often the intervals of one quantity held the truth."""

    held: int = 0
    given: int = 0
    width: float = 0.0
    error: float = 0.0
    naive_error: float = 0.0
    undefined: int = 0

    def add(self, estimate: Estimate | None, truth: float, naive: float | None) -> None:
        """Count one repetition."""
        if estimate is None or naive is None:
            self.undefined += 1
            return
        self.given += 1
        self.held += estimate.low - 1e-12 <= truth <= estimate.high + 1e-12
        self.width += estimate.high - estimate.low
        self.error += estimate.value - truth
        self.naive_error += naive - truth

    def words(self) -> str:
        """Return the line of the table."""
        if not self.given:
            return "never defined"
        mean = {name: getattr(self, name) / self.given for name in ("width", "error", "naive_error")}
        return (
            f"coverage {proportion(self.held, self.given):.3f}, width {mean['width']:.3f}, "
            f"bias {mean['error']:+.4f}, naive {mean['naive_error']:+.3f}, undefined {self.undefined}"
        )


def simulate(prevalence: float, auc: float, random: np.random.Generator) -> Archive:
    """Return an archive whose discrepancies depend on the first reader."""
    reader = random.integers(READERS, size=CASES)
    skill = random.normal(0.0, CLUSTER_SPREAD, READERS)[reader]
    odds = prevalence / (1 - prevalence) * np.exp(skill - CLUSTER_SPREAD**2 / 2)
    truth = random.random(CASES) < odds / (1 + odds)
    apart = np.sqrt(2) * NormalDist().inv_cdf(auc)  # binormal, equal variances
    score = random.normal(0.0, 1.0, CASES) + apart * truth
    order = np.argsort(-score, kind="stable")
    log_odds = np.log(prevalence / (1 - prevalence)) + apart * score[order] - apart**2 / 2
    return Archive(truth=truth[order], probabilities=1 / (1 + np.exp(-log_odds)))


def audit(archive: Archive, planned: list[PlannedStratum], seed: int) -> Findings:
    """Return what reading a sample of the archive says."""
    drawn = draw(planned, seed=seed)
    read = {}
    for stratum in planned:
        chosen = np.intersect1d(drawn, stratum.rows)
        found = int(archive.truth[chosen].sum())
        read[stratum.name] = Stratum(name=stratum.name, size=len(stratum.rows), read=len(chosen), found=found)
    return findings_of(read)


def run(
    prevalence: float, auc: float, reads: int, repetitions: int, seed: int
) -> Iterator[tuple[str, Tally]]:
    """Yield the quantities with how often their intervals held the truth."""
    random = np.random.default_rng(seed)
    tallies = {
        "discrepancy rate": Tally(),
        "sensitivity of the first 5 %": Tally(),
        "rate below 5 %": Tally(),
    }
    for repetition in range(repetitions):
        archive = simulate(prevalence, auc, random)
        planned = allocate(strata_of(archive.probabilities), reads)
        findings = audit(archive, planned, seed=seed + repetition)
        head = sum(len(stratum.rows) for stratum in planned[:2])  # the strata to 1 and to 5 %
        part = findings.parts[1]
        truth = archive.truth
        tallies["discrepancy rate"].add(
            findings.discrepancy_rate, float(truth.mean()), findings.naive_rate.value
        )
        tallies["sensitivity of the first 5 %"].add(
            part.sensitivity,
            float(truth[:head].sum() / max(truth.sum(), 1)),
            part.naive_sensitivity.value if part.naive_sensitivity else None,
        )
        tallies["rate below 5 %"].add(part.rest_rate, float(truth[head:].mean()), findings.naive_rate.value)
    yield from tallies.items()


def main() -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sys.stdout.write(
        f"{CASES} cases an archive, {arguments.repetitions} repetitions, seed {arguments.seed}\n"
    )
    for prevalence, auc, reads in product(PREVALENCES, AUCS, READS):
        sys.stdout.write(f"{prevalence:.1%} discrepant, AUC of the list {auc}, {reads} reads\n")
        for name, tally in run(prevalence, auc, reads, arguments.repetitions, arguments.seed):
            sys.stdout.write(f"  {name:30} {tally.words()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

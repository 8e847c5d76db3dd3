"""How often the intervals of every estimator of an audit hold the truth, on simulations whose truth is known.

    python -m evaluation.audit.estimator_coverage --repetitions 1000

Archives of 5,000 cases of 1,700 patients and 40 first readers, who differ; a detector of known AUC flags the
first tenth of its order; all flagged cases and a random part of the others are read. Prints for each quantity
the share of intervals that hold the truth, with its own interval, their mean width, the bias, and the bias of
the naive figure. A line whose coverage is not within .93 to .97 is marked; it stays.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.capture_recapture import recapture
from evaluation.audit.coverage import Tally
from evaluation.audit.pooling import pool
from overread.audit.agreement import agreement_estimates, fleiss_kappa, gwet_ac1
from overread.audit.archive import Reading, exact_strata
from overread.audit.clustered import group_counts
from overread.audit.stratified import rate, share_within
from overread.audit.weighting import WeightedReads, hajek, horvitz_thompson, naive_share, share_inside
from overread.errors import InputError
from overread.statistics import Estimate, proportion

CASES, PATIENTS, READERS = 5_000, 1_700, 40
FLAGGED = 0.1
LOW, HIGH = 0.93, 0.97
_MANY = 200_000  # cases that stand for all, where the truth has no formula

Tallies = dict[str, Tally]
Random = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Archive:
    """Cases whose truth is known."""

    patient: NDArray[np.int64]
    truth: NDArray[np.bool_]
    flagged: NDArray[np.bool_]


def archive(prevalence: float, auc: float, random: Random) -> Archive:
    """Return an archive whose discrepancies depend on patient and first reader."""
    patient, reader = random.integers(PATIENTS, size=CASES), random.integers(READERS, size=CASES)
    alike = random.normal(0, 1, PATIENTS)[patient] + random.normal(0, 0.7, READERS)[reader]
    odds = prevalence / (1 - prevalence) * np.exp(alike - (1 + 0.7**2) / 2)
    truth = random.random(CASES) < odds / (1 + odds)
    score = random.normal(size=CASES) + np.sqrt(2) * NormalDist().inv_cdf(auc) * truth
    flagged = np.zeros(CASES, dtype=bool)
    flagged[np.argsort(-score)[: round(FLAGGED * CASES)]] = True
    return Archive(patient=patient, truth=truth, flagged=flagged)


def of_archive(prevalence: float, auc: float, share: float, repetitions: int, seed: int) -> Tallies:
    """Return how the estimates of a partly read archive fare.

    Args:
        prevalence: of discrepancies, about.
        auc: of the list.
        share: of the cases that are not flagged which is read.
        repetitions: archives.
        seed: of them.
    """
    names = ("Horvitz-Thompson rate", "Hajek rate", "strata rate", "Hajek sensitivity", "strata sensitivity")
    tallies = {name: Tally() for name in names}
    random = np.random.default_rng(seed)
    for _ in range(repetitions):
        made = archive(prevalence, auc, random)
        probability = np.where(made.flagged, 1.0, share)
        read = random.random(CASES) < probability
        reads = WeightedReads(found=made.truth[read], probability=probability[read], cases=CASES)
        reading = Reading(read=read, found=made.truth & read, flagged=made.flagged, probability=probability)
        strata = exact_strata(reading)
        inside = made.flagged[read]
        truths = float(made.truth.mean()), float(made.truth[made.flagged].sum() / max(made.truth.sum(), 1))
        naive = naive_share(reads), float(inside[reads.found].mean()) if reads.found.any() else None
        every = [*strata[True], *strata[False]]
        for name, estimate, which in (
            ("Horvitz-Thompson rate", horvitz_thompson(reads), 0),
            ("Hajek rate", hajek(reads), 0),
            ("strata rate", rate(every), 0),
            ("Hajek sensitivity", share_inside(reads, inside), 1),
            ("strata sensitivity", share_within(strata[True], strata[False]), 1),
        ):
            tallies[name].add(estimate, truths[which], naive[which])
    return tallies


def of_patients(alike: float, repetitions: int, seed: int) -> Tallies:
    """Return how the share among alike patients fares, and the naive interval that takes cases for patients.

    The naive column is here the interval of cases taken as independent: its coverage is a line of its own.
    """
    tallies = {"share, patients alike": Tally(), "the same, cases taken as independent": Tally()}
    random = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(2.0 - alike * random.normal(size=_MANY * 10)))
    truth = float(chance.mean())
    for _ in range(repetitions):
        sizes = random.geometric(0.4, 400)
        patient = np.repeat(np.arange(400), sizes)
        log_odds = -2.0 + alike * random.normal(size=400)[patient]
        hits = random.random(len(patient)) < 1 / (1 + np.exp(-log_odds))
        counts = group_counts(
            hits[:, None], np.ones((len(hits), 1), bool), np.zeros(len(hits), int), patient, 1
        )
        plain = proportion(int(hits.sum()), len(hits))
        tallies["share, patients alike"].add(counts.estimate(0, 0), truth, plain.value)
        tallies["the same, cases taken as independent"].add(plain, truth, plain.value)
    return tallies


def of_groups(repetitions: int, seed: int) -> Tallies:
    """Return how the shares of many small readers fare, drawn towards all; the naive one is each alone."""
    tallies = {"a reader's share, pooled": Tally()}
    random = np.random.default_rng(seed)
    for _ in range(repetitions):
        totals = random.integers(10, 120, READERS).astype(float)
        shares = random.beta(0.06 * 50, 0.94 * 50, READERS)
        hits = random.binomial(totals.astype(int), shares).astype(float)
        pooled = pool(hits, totals)
        if pooled is None:
            continue
        one = int(random.integers(READERS))
        alone = float(hits[one] / totals[one])
        tallies["a reader's share, pooled"].add(pooled[1][one], float(shares[one]), alone)
    return tallies


def of_recapture(together: float, repetitions: int, seed: int) -> Tallies:
    """Return how capture and recapture fares; the naive number is what either reader found.

    Args:
        together: standard deviation of the log odds by which discrepancies are hard for both.
        repetitions: archives.
        seed: of them.
    """
    tallies = {"number of discrepancies": Tally()}
    random = np.random.default_rng(seed)
    for _ in range(repetitions):
        hard = random.normal(0, together, 150)
        first, second = (random.random(150) < 1 / (1 + np.exp(-(0.7 + hard))) for _ in range(2))
        both = int((first & second).sum())
        try:
            found = recapture(int(first.sum()) - both, int(second.sum()) - both, both)
        except InputError:
            continue
        tallies["number of discrepancies"].add(found.number, 150.0, float((first | second).sum()))
    return tallies


def of_agreement(repetitions: int, seed: int) -> Tallies:
    """Return how the coefficients of agreement fare; there is no naive figure: the value stands for it."""
    random = np.random.default_rng(seed)
    whole = _reads(_MANY, random)
    truths = {"Fleiss kappa": fleiss_kappa(whole), "Gwet AC1": gwet_ac1(whole)}
    tallies = {name: Tally() for name in truths}
    for repetition in range(repetitions):
        reads = _reads(300, random)
        for name, estimate in agreement_estimates(reads, list(range(300)), seed=seed + repetition).items():
            tallies[name].add(estimate, truths[name], estimate.value)
    return tallies


def _reads(cases: int, random: Random) -> NDArray[np.float64]:
    truth = random.random((cases, 1)) < 0.1
    log_odds = np.where(truth, 1.5, -2.8) + random.normal(size=(cases, 1))
    return (random.random((cases, 3)) < 1 / (1 + np.exp(-log_odds))).astype(float)


def settings(repetitions: int, seed: int) -> Iterator[tuple[str, Callable[[], Tallies]]]:
    """Yield what is simulated, in words, and what simulates it."""
    for prevalence, auc, share in product((0.005, 0.02, 0.05), (0.7, 0.85), (0.05, 0.2)):
        words = f"{prevalence:.1%} discrepant, AUC {auc}, all flagged and {share:.0%} of the others read"
        yield words, lambda p=prevalence, a=auc, s=share: of_archive(p, a, s, repetitions, seed)  # type: ignore[misc]
    for alike in (0.0, 1.5):
        yield (
            f"400 patients of 1 and more cases, log odds differ by {alike}",
            lambda a=alike: of_patients(a, repetitions, seed),  # type: ignore[misc]
        )
    yield f"{READERS} readers of 10 to 119 cases", lambda: of_groups(repetitions, seed)
    for together in (0.0, 1.5):
        yield (
            f"two readers, 150 discrepancies, hard for both by {together}",
            lambda t=together: of_recapture(t, repetitions, seed),  # type: ignore[misc]
        )
    yield "three readers of 300 cases, 10 % positive", lambda: of_agreement(repetitions, seed)


def line(name: str, tally: Tally) -> str:
    """Return a line of the table, marked where the coverage is not what it should be."""
    held: Estimate = proportion(tally.held, tally.given)
    mark = "" if LOW <= held.value <= HIGH else "  <- not within .93 to .97"
    return f"  {name:38} {tally.words()}{mark}"


def print_simulations(
    description: str | None,
    settings: Callable[[int, int], Iterable[tuple[str, Callable[[], Mapping[str, Tally]]]]],
) -> None:
    """Read repetitions and seed from the command line, simulate, and print a line for each interval.

    Args:
        description: of the command, for `--help`.
        settings: gives what is simulated, in words, and what simulates it, by repetitions and seed.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.stdout.write(f"{given.repetitions} repetitions, seed {given.seed}\n")
    for words, simulate in settings(given.repetitions, given.seed):
        sys.stdout.write(words + "\n")
        for name, tally in simulate().items():
            sys.stdout.write(line(name, tally) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    print_simulations(__doc__, settings)

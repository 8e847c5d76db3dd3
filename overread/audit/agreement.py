"""Agreement of readers beyond chance, of yes or no on the same cases, and each reader beside the others.

Cohen's kappa of two (Educ Psychol Meas 1960;20:37-46), Fleiss' of several (Psychol Bull 1971;76:378-382), and
Gwet's AC1 (Br J Math Stat Psychol 2008;61:29-48), which stays high where a finding is rare and all agree that
it is mostly absent. Intervals are of patients drawn with replacement.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.statistics import (
    Estimate,
    Figure,
    Units,
    bootstrap_estimate,
    percentile_interval,
    proportion,
)

Reads = NDArray[np.float64]  # (cases, readers) 1 yes, 0 no, NaN where a reader did not read the case
RESAMPLES = 1_000


def cohen_kappa(reads: Reads) -> float:
    """Return the agreement of two readers beyond chance, each with a share of yes of their own.

    Raises:
        ValueError: there is no case that both read, or both always say the same one word.
    """
    first, second = reads[~np.isnan(reads).any(axis=1)].T
    if not len(first):
        raise ValueError("no case was read by both")
    by_chance = first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean())
    return _beyond(float((first == second).mean()), float(by_chance))


def fleiss_kappa(reads: Reads) -> float:
    """Return the agreement of several readers beyond chance, who share one share of yes.

    Raises:
        ValueError: no case was read twice, or all always say the same one word.
    """
    agreed, yes = _observed(reads)
    return _beyond(agreed, yes**2 + (1 - yes) ** 2)


def gwet_ac1(reads: Reads) -> float:
    """Return the agreement of several readers beyond what guessing on hard cases gives.

    Raises:
        ValueError: no case was read twice.
    """
    agreed, yes = _observed(reads)
    return _beyond(agreed, 2 * yes * (1 - yes))


def agreement_estimates(reads: Reads, patients: Units, *, seed: int) -> dict[str, Estimate]:
    """Return each coefficient that is defined on these reads, with its interval; n is patients."""
    measures = {"Fleiss kappa": fleiss_kappa, "Gwet AC1": gwet_ac1}
    if reads.shape[1] == 2:
        measures["Cohen kappa"] = cohen_kappa
    found = {}
    for name, measure in measures.items():
        try:
            found[name] = bootstrap_estimate(patients, _on(measure, reads), resamples=RESAMPLES, seed=seed)
        except ValueError:
            continue
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideOthers:
    """One reader beside those others who read the same cases."""

    reader: str
    marks: Estimate  # of the cases that all others call positive, the share that this one does
    adds: Estimate  # of the cases that all others call negative


def beside_others(reads: Reads, readers: tuple[str, ...]) -> Iterator[BesideOthers]:
    """Yield each reader beside the others; of nothing that these agree on the share is NaN."""
    for number, reader in enumerate(readers):
        others = np.delete(reads, number, axis=1)
        mine = reads[:, number]
        known = ~np.isnan(reads).any(axis=1)
        positive, negative = (known & (others == word).all(axis=1) for word in (1, 0))
        yield BesideOthers(
            reader=reader,
            marks=proportion(int(mine[positive].sum()), int(positive.sum())),
            adds=proportion(int(mine[negative].sum()), int(negative.sum())),
        )


def majority(reads: Reads) -> NDArray[np.bool_]:
    """Return where more than half of those who read a case say yes, (cases,)."""
    more: NDArray[np.bool_] = np.nanmean(reads, axis=1) > 0.5
    return more


def _on(measure: Callable[[Reads], float], reads: Reads) -> Figure:
    return lambda rows: measure(reads[rows])


def _observed(reads: Reads) -> tuple[float, float]:
    """Return the share of pairs of readers that agree, and the mean share of yes.

    Pairs are those of cases that were read twice or more; yes is of all cases that were read, as Gwet has it.
    """
    counts, yes = (~np.isnan(reads)).sum(axis=1), np.nansum(reads, axis=1)
    twice = counts >= 2
    if not twice.any():
        raise ValueError("no case was read twice")
    of, hits = counts[twice], yes[twice]
    pairs = (hits * (hits - 1) + (of - hits) * (of - hits - 1)) / (of * (of - 1))
    read = counts > 0
    return float(pairs.mean()), float((yes[read] / counts[read]).mean())


def _beyond(agreed: float, by_chance: float) -> float:
    if by_chance >= 1:
        raise ValueError("all say the same one word, so that nothing tells agreement from chance")
    return (agreed - by_chance) / (1 - by_chance)


def two_reader_estimates(reads: Reads, patients: Units, *, seed: int) -> dict[str, Estimate]:
    """Return kappa and AC1 of two readers with their intervals; n is patients.

    The same bootstrap by patient as of `agreement_estimates`, at once for all patients whose cases were read
    alike, so that 200,000 cases take no longer than a few. A coefficient that is not defined is left out.

    Args:
        reads: (cases, 2) 1 yes, 0 no; every case read by both.
        patients: (cases,)
        seed: of the random numbers.
    """
    _, owners = np.unique(np.asarray(patients), return_inverse=True)
    answers = (2 * reads[:, 0] + reads[:, 1]).astype(np.intp)  # no no, no yes, yes no, yes yes
    per_patient = np.zeros((int(owners.max(initial=-1)) + 1, 4), dtype=np.int64)
    np.add.at(per_patient, (owners, answers), 1)
    alike, numbers = np.unique(per_patient, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(per_patient), numbers / len(per_patient), RESAMPLES)
    found = {}
    for name, measure in (("Cohen kappa", _kappa_of_tables), ("Gwet AC1", _ac1_of_tables)):
        value = float(measure(per_patient.sum(axis=0, keepdims=True))[0])
        values = measure(drawn @ alike)
        values = values[~np.isnan(values)]
        if not np.isnan(value) and len(values):
            low, high = percentile_interval(values)
            found[name] = Estimate(value=value, low=low, high=high, n=len(per_patient))
    return found


def _kappa_of_tables(tables: NDArray[np.int64]) -> Reads:
    """Return Cohen's kappa of tables, (tables, 4) of no no, no yes, yes no, yes yes; NaN if not defined."""
    shares = tables / tables.sum(axis=1, keepdims=True)
    first, second = shares[:, 2] + shares[:, 3], shares[:, 1] + shares[:, 3]
    return _beyond_of(shares, first * second + (1 - first) * (1 - second))


def _ac1_of_tables(tables: NDArray[np.int64]) -> Reads:
    shares = tables / tables.sum(axis=1, keepdims=True)
    yes = shares[:, 3] + (shares[:, 1] + shares[:, 2]) / 2
    return _beyond_of(shares, 2 * yes * (1 - yes))


def _beyond_of(shares: Reads, by_chance: Reads) -> Reads:
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond: Reads = (shares[:, 0] + shares[:, 3] - by_chance) / (1 - by_chance)
    return np.where(by_chance < 1, beyond, np.nan)

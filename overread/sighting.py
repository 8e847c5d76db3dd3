"""What one detector says of one family of findings, taken together.

A network that sees a shadow raises every output that could name it: consolidation, pneumonia, edema. The
outputs of a family are therefore one piece of evidence, and their mean says more than the highest.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from overread.finding import Vocabulary
from overread.observation import Detection, DetectorObservation, Presence

LEAST_PROBABILITY = 1e-4
"""Calibration on some hundred patients says nothing beyond this; it bounds what a single output can claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the site's own past reports let one expect of this one (see `overread.expectation`)."""

    share: float  # of reports that would state the family, given all scores, age, sex, view and history
    base_rate: float  # share of all reports that state it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One detector's outputs for the findings of one family."""

    family: str  # id of the broadest finding
    named: DetectorObservation  # the finding that is there at the operating point, the strongest of several
    outputs: tuple[DetectorObservation, ...]  # all of the family, `named` among them
    expected: Expected | None = None  # None where the site has no fit for this detector

    @property
    def is_seen(self) -> bool:
        """Whether any finding of the family is there at the operating point."""
        return self.named.presence is Presence.PRESENT

    @property
    def findings(self) -> tuple[str, ...]:
        """Findings that are there at the operating point; the named one alone where none is."""
        seen = tuple(output.finding for output in self.outputs if output.presence is Presence.PRESENT)
        return seen or (self.named.finding,)

    @property
    def prior_odds(self) -> float | None:
        """Odds that a study of the calibration cohort has any finding of the family; None where unknown.

        Taken as if the findings were independent, which puts it a little too high.
        """
        shares = [output.prevalence for output in self.outputs]
        if any(share is None for share in shares):
            return None
        return odds(1 - math.prod(1 - share for share in shares if share is not None))

    @property
    def ratio(self) -> float:
        """What the outputs multiply the odds by: the geometric mean of their odds over the cohort's odds."""
        logarithms = [math.log(detector_ratio(output)) for output in self.outputs]
        return math.exp(math.fsum(logarithms) / len(logarithms))


_NONE: Mapping[str, Expected] = MappingProxyType({})


def sightings_of(
    detection: Detection, vocabulary: Vocabulary, expected: Mapping[str, Expected] = _NONE
) -> tuple[Sighting, ...]:
    """Return what a detector says, family by family.

    Args:
        detection: with the outputs of the detector.
        vocabulary: with the families.
        expected: by family, where the site has a fit for this detector.
    """
    families: dict[str, list[DetectorObservation]] = {}
    for observation in detection.observations:
        families.setdefault(vocabulary.family_of(observation.finding), []).append(observation)
    return tuple(
        Sighting(
            family=family,
            named=max(outputs, key=_strength),
            outputs=tuple(outputs),
            expected=expected.get(family),
        )
        for family, outputs in families.items()
    )


def detector_ratio(observation: DetectorObservation) -> float:
    """Return what one calibrated output multiplies the cohort's odds of its finding by."""
    now = odds(observation.probability)
    return now if observation.prevalence is None else now / odds(observation.prevalence)


def odds(probability: float) -> float:
    """Return the odds of a probability, which is held away from 0 and 1."""
    bounded = min(max(probability, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    return bounded / (1 - bounded)


def _strength(observation: DetectorObservation) -> tuple[bool, float]:
    return observation.presence is Presence.PRESENT, detector_ratio(observation)

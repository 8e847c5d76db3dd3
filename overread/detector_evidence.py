"""Detector evidence: what one output says about its finding, as the share of reports that would state it.

Every output has its own evidence. Where the site has a reporting model for the detector, or one comes with
overread, the share is learned from reports; elsewhere the detector's own calibration stands for it, times
the share of such findings that readers state.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.observation import Detection, DetectorObservation, Presence
from overread.priority import Policy
from overread.reporting_model import ReportingModel, stated_share

Floats = NDArray[np.float64]

LEAST_PROBABILITY = 1e-4
"""Calibration on some hundred patients says nothing beyond this; it bounds what a single output can claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorEvidence:
    """Weight of evidence of one output of one detector."""

    observation: DetectorObservation
    share: float  # of reports that would state the finding, given the score, in (0, 1)
    base_share: float | None  # of all reports; None where unknown
    model: ReportingModel | None  # that the shares were learned by; None where the calibration stands for it

    @property
    def finding(self) -> str:
        """Id of the finding."""
        return self.observation.finding

    @property
    def is_seen(self) -> bool:
        """Whether the finding is there at the operating point."""
        return self.observation.presence is Presence.PRESENT

    @property
    def share_ratio(self) -> float:
        """Factor on the odds of being stated, by this output; from even odds if no rate is known."""
        now = odds(self.share)
        return now if self.base_share is None else now / odds(self.base_share)

    @property
    def ratio(self) -> float:
        """Factor on the odds of the finding, by this output; from even odds where no rate is known."""
        if self.model is not None:
            return self.share_ratio
        prevalence = self.observation.prevalence
        now = odds(self.observation.probability)
        return now if prevalence is None else now / odds(prevalence)


def evidence_of(detection: Detection, policy: Policy) -> tuple[DetectorEvidence, ...]:
    """Return what a detector says, output by output, in its order."""
    model = policy.reporting_model(detection.detector.name, detection.detector.version)
    learned = {} if model is None else _learned(detection, model)
    return tuple(
        learned[item.finding]
        if item.finding in learned
        else _calibrated(item, policy.reader.of(item.finding))
        for item in detection.observations
    )


def calibrated_share(probability: Floats | float, sensitivity: Floats | float) -> Floats:
    """Return the share of reports that would state a finding which is there with this probability.

    Args:
        probability: calibrated, in [0, 1]; held away from both ends.
        sensitivity: share of such findings that readers state, in (0, 1).
    """
    result: Floats = bounded_probability(probability) * sensitivity
    return result


def bounded_probability(probability: Floats | float) -> Floats:
    """Return probabilities that are held away from 0 and 1; NaN stays NaN."""
    bounded: Floats = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return bounded


def odds(probability: float) -> float:
    """Return the odds of a probability, which is held away from 0 and 1."""
    bounded = float(bounded_probability(probability))
    return bounded / (1 - bounded)


def _learned(detection: Detection, model: ReportingModel) -> Mapping[str, DetectorEvidence]:
    by_finding = {item.finding: item for item in detection.observations}
    scores = [
        by_finding[finding].probability if finding in by_finding else math.nan for finding in model.findings
    ]
    shares = stated_share(model, np.array([scores]))[0].tolist()
    return {
        finding: DetectorEvidence(
            observation=by_finding[finding], share=share, base_share=base_share, model=model
        )
        for finding, share, base_share in zip(model.findings, shares, model.base_rates.tolist(), strict=True)
        if finding in by_finding
    }


def _calibrated(observation: DetectorObservation, sensitivity: float) -> DetectorEvidence:
    prevalence = observation.prevalence
    return DetectorEvidence(
        observation=observation,
        share=float(calibrated_share(observation.probability, sensitivity)),
        base_share=None if prevalence is None else float(calibrated_share(prevalence, sensitivity)),
        model=None,
    )

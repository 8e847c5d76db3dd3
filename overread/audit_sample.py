"""Audit sample: a random share of concordant cases that a second reader is shown unmarked.

Flags alone tell how often a flag is right, never how often silence is wrong. A share of the silent cases,
drawn by stratum with a known probability, estimates that (Horvitz and Thompson, JASA 1952;47:663-685).
The draw is a hash of seed and study, so that it is the same whenever it is made again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from overread.errors import ConfigurationError
from overread.observation import Detection, Presence, ReportReading
from overread.report_position import current_observations

READERS_MAX = 2


class AuditStratum(StrEnum):
    """Stratum of a concordant case: what detectors and report say of it."""

    SEEN_AND_STATED = "seen_and_stated"  # a detector sees something, the report states something
    SEEN_ONLY = "seen_only"
    STATED_ONLY = "stated_only"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondReadRule:
    """Rules of the second read."""

    own_read_share: float  # of the cases, read before detector and report are shown, in [0, 1]
    readers: int  # independent second readers of a case, 1 or 2
    audit_shares: Mapping[AuditStratum, float]  # of the concordant cases that stand in the list, in [0, 1]
    seed: int  # of both draws

    def asks_for_own_read(self, study_instance_uid: str) -> bool:
        """Whether a case is among those that are read before anything is shown, by its study alone."""
        return draw(self.seed, "own read", study_instance_uid) < self.own_read_share

    def samples(self, study_instance_uid: str, stratum: AuditStratum) -> bool:
        """Whether a concordant case of a stratum stands in the list."""
        return draw(self.seed, "audit", study_instance_uid) < self.audit_shares[stratum]


def draw(seed: int, purpose: str, name: str) -> float:
    """Return a number in [0, 1), evenly spread over names, and always the same for the same arguments."""
    digest = hashlib.blake2b(f"{seed}\0{purpose}\0{name}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / float(1 << 53)  # as many bits as a float holds


def stratum_of(reading: ReportReading, detections: Sequence[Detection]) -> AuditStratum:
    """Return the stratum of a concordant case."""
    is_stated = any(item.presence is Presence.PRESENT for item in current_observations(reading.observations))
    is_seen = any(
        observation.presence is Presence.PRESENT
        for detection in detections
        if detection.not_applicable is None
        for observation in detection.observations
    )
    if is_seen:
        return AuditStratum.SEEN_AND_STATED if is_stated else AuditStratum.SEEN_ONLY
    return AuditStratum.STATED_ONLY if is_stated else AuditStratum.NEITHER


def second_read_rule(table: dict[str, Any] | None) -> SecondReadRule:
    """Return the rules that the policy's table `second_read` gives; without one, nobody reads blind.

    Raises:
        ConfigurationError: a share is none, a key is unknown, or the sample would give itself away.
    """
    given = dict(table or {})
    audit = dict(given.pop("audit", {}))
    rule = SecondReadRule(
        own_read_share=_share("own_read_share", given.pop("own_read_share", 0.0)),
        readers=given.pop("readers", 1),
        audit_shares={
            stratum: _share(f"audit.{stratum}", audit.pop(stratum.value, 0.0)) for stratum in AuditStratum
        },
        seed=given.pop("seed", 1),
    )
    if unknown := [*given, *(f"audit.{name}" for name in audit)]:
        raise ConfigurationError(f"the policy's second_read has unknown settings: {', '.join(unknown)}")
    if type(rule.readers) is not int or not 1 <= rule.readers <= READERS_MAX:
        raise ConfigurationError(f"the policy's second_read.readers is 1 or {READERS_MAX}")
    if type(rule.seed) is not int:
        raise ConfigurationError("the policy's second_read.seed is a whole number")
    if any(rule.audit_shares.values()) and not rule.own_read_share:
        raise ConfigurationError(
            "the policy's second_read.audit needs an own_read_share above 0: where nobody reads before the "
            "reveal, everybody sees which cases have no discrepancy"
        )
    return rule


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigurationError(f"the policy's second_read.{name} is a share from 0 to 1, not {value!r}")
    return float(value)

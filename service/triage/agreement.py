"""Agreement of a detector in shadow with the active ones, on the same studies."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from overread.observation import Detection, ObserverIdentity, Presence
from overread.statistics import Estimate, proportion
from service.store.shadows import ShadowPair


@dataclass(slots=True, kw_only=True)
class FindingCounts:
    """Studies by what both detectors say of one finding at their operating points."""

    both: int = 0
    only_active: int = 0
    only_shadow: int = 0
    neither: int = 0

    @property
    def studies(self) -> int:
        """Studies on which both spoke of the finding."""
        return self.both + self.only_active + self.only_shadow + self.neither

    @property
    def agreement(self) -> Estimate:
        """Share of the studies on which both say the same."""
        return proportion(self.both + self.neither, self.studies)


@dataclass(slots=True, kw_only=True)
class Agreement:
    """One detector in shadow against one active detector."""

    active: ObserverIdentity
    shadow: ObserverIdentity
    studies: int = 0  # looked at by both
    failed: int = 0  # the shadow raised
    only_active_applies: int = 0
    only_shadow_applies: int = 0
    neither_applies: int = 0
    seconds: float = 0.0  # that the shadow took, all together
    findings: dict[str, FindingCounts] = field(default_factory=dict)


def compare(pairs: Iterable[ShadowPair]) -> tuple[Agreement, ...]:
    """Return the agreement of every detector in shadow with every active one, in order of their names."""
    found: dict[tuple[ObserverIdentity, ObserverIdentity], Agreement] = {}
    for pair in pairs:
        for detection in pair.active:
            key = (detection.detector, pair.shadow.detector)
            agreement = found.setdefault(key, Agreement(active=key[0], shadow=key[1]))
            agreement.studies += 1
            agreement.seconds += pair.shadow.seconds
            if pair.shadow.detection is None:
                agreement.failed += 1
            else:
                _count(agreement, detection, pair.shadow.detection)
    return tuple(
        found[key] for key in sorted(found, key=lambda key: [(item.name, item.version) for item in key])
    )


def _count(agreement: Agreement, active: Detection, shadow: Detection) -> None:
    applies = (active.not_applicable is None, shadow.not_applicable is None)
    agreement.only_active_applies += applies == (True, False)
    agreement.only_shadow_applies += applies == (False, True)
    agreement.neither_applies += applies == (False, False)
    # Who does not apply says nothing of any finding.
    seen = {item.finding: item.presence is Presence.PRESENT for item in shadow.observations}
    for item in active.observations:
        if item.finding in seen:
            counts = agreement.findings.setdefault(item.finding, FindingCounts())
            match item.presence is Presence.PRESENT, seen[item.finding]:
                case True, True:
                    counts.both += 1
                case True, False:
                    counts.only_active += 1
                case False, True:
                    counts.only_shadow += 1
                case _:
                    counts.neither += 1

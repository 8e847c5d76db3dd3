"""Agreement of side, zone and severity with the qualifiers that Open-I's coders gave the same finding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.reading.codes import LABELS
from evaluation.reading.intervals import Counts
from evaluation.reading.material import CodedReport
from overread.observation import Laterality, Presence, ReportObservation
from overread.ports import ReportReader

ZONES = frozenset({"upper lobe", "middle lobe", "lower lobe", "lingula", "base", "apex", "hilum"})
"""Zones that both coders and reader name."""

SEVERITIES = {
    "minimal": "mild",
    "mild": "mild",
    "small": "mild",
    "borderline": "borderline",
    "moderate": "moderate",
    "severe": "severe",
    "large": "severe",
}
"""Words of severity and size, in the steps in which both can be compared: a small effusion is a mild one."""

_SIDES = {"right": Laterality.RIGHT, "left": Laterality.LEFT, "bilateral": Laterality.BILATERAL}
_IMPLIED_SIDES = {"lingula": Laterality.LEFT, "middle lobe": Laterality.RIGHT}

Values = frozenset[str]


ReadValues = Callable[[str], Mapping[str, Values]]
"""Gives by label what a text says of an attribute; a label that the text does not state is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeAgreement:
    """Hits and misses by report for one attribute, and the cells that differ."""

    counts: Counts  # reports x 2
    misses: tuple[tuple[str, str, Values, Values], ...]  # report number, label, coded, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute: what the codes say of it and what observations say."""

    name: str
    coded: Callable[[Sequence[tuple[str, ...]]], Values]
    read: Callable[[Sequence[ReportObservation]], Values]


def reader_values(reader: ReportReader, attribute: Attribute) -> ReadValues:
    """Return what a report reader states of an attribute as a fact, else what it states with a hedge."""

    def values(text: str) -> dict[str, Values]:
        observations = [o for o in reader.read(text).observations if o.presence is not Presence.ABSENT]
        stated: dict[str, Values] = {}
        for label in LABELS:
            mine = [o for o in observations if o.finding in label.findings]
            facts = [o for o in mine if o.presence is Presence.PRESENT]
            if facts:
                stated[label.name] = attribute.read(facts) or attribute.read(mine)
        return stated

    return values


def attribute_agreement(
    reports: Sequence[CodedReport], read: ReadValues, attribute: Attribute
) -> AttributeAgreement:
    """Return hits and misses over all cells in which coders and reader agree that the finding is there.

    Only cells whose codes give the attribute count; what a reader states besides the codes is not judged.
    """
    counts = np.zeros((len(reports), 2), dtype=np.int64)
    misses = []
    for row, report in enumerate(reports):
        stated = read(report.text)
        for label in LABELS:
            coded = attribute.coded([code for code in report.codes if label.coded(code)])
            if not coded or label.name not in stated:
                continue
            hit = coded == stated[label.name]
            counts[row, 0 if hit else 1] += 1
            if not hit:
                misses.append((report.number, label.name, coded, stated[label.name]))
    return AttributeAgreement(counts=counts, misses=tuple(misses))


def _merged(sides: set[Laterality]) -> Values:
    sides = sides - {Laterality.UNSPECIFIED}
    if len(sides) > 1:
        sides = {Laterality.BILATERAL}
    return frozenset(side.value for side in sides)


def _coded_sides(codes: Sequence[tuple[str, ...]]) -> Values:
    stated = {_SIDES[word] for code in codes for word in code[1:] if word in _SIDES}
    if not stated:
        return frozenset()
    return _merged(
        stated | {_IMPLIED_SIDES[word] for code in codes for word in code[1:] if word in _IMPLIED_SIDES}
    )


def _read_sides(observations: Sequence[ReportObservation]) -> Values:
    return _merged({observation.laterality for observation in observations})


def _coded_zones(codes: Sequence[tuple[str, ...]]) -> Values:
    return frozenset(word for code in codes for word in code[1:] if word in ZONES)


def _read_zones(observations: Sequence[ReportObservation]) -> Values:
    return frozenset(_zone(zone, o.laterality) for o in observations for zone in o.zones) & ZONES


def _zone(zone: str, side: Laterality) -> str:
    """Return a zone in the coders' words: the left mid lung is coded as lingula, any other as middle lobe."""
    if zone == "mid lung":
        return "lingula" if side is Laterality.LEFT else "middle lobe"
    return "hilum" if zone == "perihilar" else zone


def _coded_severities(codes: Sequence[tuple[str, ...]]) -> Values:
    return frozenset(SEVERITIES[word] for code in codes for word in code[1:] if word in SEVERITIES)


def _read_severities(observations: Sequence[ReportObservation]) -> Values:
    return frozenset(SEVERITIES[o.severity] for o in observations if o.severity in SEVERITIES)


SIDE = Attribute(name="side", coded=_coded_sides, read=_read_sides)
ZONE = Attribute(name="zone", coded=_coded_zones, read=_read_zones)
SEVERITY = Attribute(name="severity", coded=_coded_severities, read=_read_severities)

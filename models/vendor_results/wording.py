"""The codes that products use, and what they mean in the words of overread."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from overread.finding import Vocabulary
from overread.observation import Laterality, Presence

DCM, SCT = codes.DCM, codes.SCT

MEASUREMENT_REPORT = DCM.ImagingMeasurementReport  # root of TID 1500
CHEST_CAD_REPORT = DCM.ChestCADReport  # root of TID 4100
MEASUREMENT_GROUP = DCM.MeasurementGroup
FINDING = DCM.Finding
MARKS = (DCM.SingleImageFinding, DCM.CompositeFeature)  # TID 4104 and TID 4103
MARK_MODIFIERS = (DCM.SingleImageFindingModifier, DCM.CompositeFeatureModifier)
RENDERING_INTENT = DCM.RenderingIntent
NOT_FOR_PRESENTATION = DCM.NotForPresentationRenderingDeviceExpectedNotToPresent
SUMMARY = DCM.CADProcessingAndFindingsSummary
NOT_ALL_SUCCEEDED = (
    DCM.NotAllAlgorithmsSucceededWithFindings,
    DCM.NotAllAlgorithmsSucceededWithoutFindings,
)
NONE_SUCCEEDED = DCM.NoAlgorithmsSucceededWithoutFindings
PRESENCE = DCM.PresenceOfProperty
LENGTHS = (
    SCT.Diameter,
    SCT.LongAxis,
    SCT.ShortAxis,
    SCT.MajorAxis,
    SCT.MinorAxis,
    SCT.Length,
    SCT.Width,
)
SCORES = (DCM.CertaintyOfFinding, DCM.CertaintyOfFeature)

_PRESENCES = (
    (Presence.PRESENT, (SCT.Present, SCT.Positive, SCT.Yes)),
    (Presence.ABSENT, (SCT.Absent, SCT.Negative, SCT.No, Code("2667000", "SCT", "Absent"))),
    (Presence.UNCERTAIN, (SCT.Undetermined, SCT.Uncertain, DCM.PresenceUndetermined)),
)
_SIDES = (
    (Laterality.RIGHT, (SCT.Right,)),
    (Laterality.LEFT, (SCT.Left,)),
    (Laterality.BILATERAL, (SCT.Bilateral,)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Meaning of the codes of one product."""

    findings: tuple[tuple[Code, str], ...]  # the product's own first, then the vocabulary's
    scores: tuple[Code, ...]

    def finding(self, code: Code | None) -> str | None:
        """Return the finding that a code names, None where it names none that is known."""
        return next((finding for known, finding in self.findings if is_same(known, code)), None)

    def is_score(self, code: Code | None) -> bool:
        """Whether a number of this name says how sure the product is."""
        return is_any(code, self.scores)


def wording_of(vocabulary: Vocabulary, own: Mapping[str, str], score_codes: Iterable[str]) -> Wording:
    """Return the vocabulary's codes with those of a product, which come first."""
    standard = [(parse_code(code), item.id) for item in vocabulary.values() for code in item.codes]
    return Wording(
        findings=(*((parse_code(code), finding) for code, finding in own.items()), *standard),
        scores=(*SCORES, *map(parse_code, score_codes)),
    )


def parse_code(text: str) -> Code:
    """Return the code of "scheme:value"."""
    scheme, _, value = text.partition(":")
    return Code(value, scheme, "")


def presence_of(code: Code | None) -> Presence | None:
    """Return the presence that a value states, None where it states something else."""
    return next((presence for presence, known in _PRESENCES if is_any(code, known)), None)


def side_of(code: Code | None) -> Laterality | None:
    """Return the side that a value states, None where it states something else."""
    return next((side for side, known in _SIDES if is_any(code, known)), None)


def is_any(code: Code | None, known: Iterable[Code]) -> bool:
    """Whether a code is one of those that are known; SNOMED-RT and SNOMED CT count as one."""
    return any(is_same(code, other) for other in known)


def is_same(one: Code | None, other: Code | None) -> bool:
    """Whether two codes mean the same; only codes of SNOMED-RT have to be looked up, which is slow."""
    if one is None or other is None:
        return False
    if one.value == other.value and one.scheme_designator == other.scheme_designator:
        return True
    return "SRT" in {one.scheme_designator, other.scheme_designator} and one == other


def describe(code: Code | None) -> str:
    """Return a code for a remark."""
    return "an unnamed item" if code is None else f"{code.scheme_designator}:{code.value} ({code.meaning})"

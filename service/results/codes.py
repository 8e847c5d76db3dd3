"""Codes of our results: DICOM's and SNOMED CT's by pydicom's tables; for what has none, a scheme of our own.

The private scheme is `99OVERREAD` (PS3.16 section 8.2); its values are the ids of the finding vocabulary and
those below, and every object that uses it says so in Coding Scheme Identification Sequence.
"""

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from models.vendor_results.wording import parse_code
from overread.discrepancy import DiscrepancyKind
from overread.finding import Finding
from overread.observation import Laterality, Presence
from overread.second_read import RejectionCause, Verdict
from service.results.statements import Assessment

SCHEME = "99OVERREAD"
_MEANING_LENGTH = 64  # VR LO

DISCREPANCY_KIND = Code("DISCREPANCY_KIND", SCHEME, "Disagreement of image and report")
REPORT_SAYS = Code("REPORT_SAYS", SCHEME, "What the report says of the finding")
OUTCOME = Code("OUTCOME", SCHEME, "Comparison of image and report")
OUTCOME_DISCREPANT = Code("DISCREPANT", SCHEME, "Image and report may disagree")
OUTCOME_NONE_LEFT = Code("NONE_LEFT", SCHEME, "No disagreement is left that is worth a second look")

VERDICT = Code("VERDICT", SCHEME, "Verdict of the second reader")
ADDED_BY_READER = Code("ADDED_BY_READER", SCHEME, "The second reader adds it")
CORRECTED_FINDING = Code("CORRECTED_FINDING", SCHEME, "Finding as the second reader corrects it")
CORRECTED_SIDE = Code("CORRECTED_SIDE", SCHEME, "Side as the second reader corrects it")

ASSESSMENT = Code("ASSESSMENT", SCHEME, "Assessment of the result by a person")
ASSESSED_WHOLE = Code("WHOLE_RESULT", SCHEME, "Result of the comparison as a whole")
REJECTED_BECAUSE = Code("REJECTED_BECAUSE", SCHEME, "Why it is rejected")

_ASSESSMENTS = {
    Assessment.ACCEPTED: Code("ACCEPTED", SCHEME, "Accepted"),
    Assessment.PARTLY_ACCEPTED: Code("PARTLY_ACCEPTED", SCHEME, "Accepted in part"),
    Assessment.SUPPLEMENTED: Code("SUPPLEMENTED", SCHEME, "Supplemented"),
    Assessment.REJECTED: Code("REJECTED", SCHEME, "Rejected"),
    Assessment.NOT_DECIDED: Code("NOT_DECIDED", SCHEME, "Not decided"),
}
_CAUSES = {
    cause: Code(cause.value, SCHEME, cause.value.replace("_", " ").capitalize()) for cause in RejectionCause
}
_VERDICTS = {
    Verdict.CONFIRMED: Code("CONFIRMED", SCHEME, "The second reader confirms it"),
    Verdict.NOT_CONFIRMED: Code("NOT_CONFIRMED", SCHEME, "The second reader does not confirm it"),
    Verdict.UNSURE: Code("UNSURE", SCHEME, "The second reader is not sure"),
}
_KINDS = {
    kind: Code(kind.value, SCHEME, kind.value.replace("_", " ").capitalize()) for kind in DiscrepancyKind
}
_SAYS = {
    Presence.PRESENT: Code("REPORT_STATES", SCHEME, "The report states it"),
    Presence.ABSENT: Code("REPORT_DENIES", SCHEME, "The report denies it"),
    Presence.UNCERTAIN: Code("REPORT_HEDGES", SCHEME, "The report leaves it open"),
    Presence.NOT_MENTIONED: Code("REPORT_IS_SILENT", SCHEME, "The report does not state it"),
}
_PRESENCES: dict[Presence, Code] = {
    Presence.PRESENT: codes.SCT.Present,
    Presence.ABSENT: codes.SCT.Absent,
    Presence.UNCERTAIN: codes.SCT.Undetermined,
    Presence.NOT_MENTIONED: codes.SCT.Undetermined,
}
_SIDES: dict[Laterality, Code] = {
    Laterality.RIGHT: codes.SCT.Right,
    Laterality.LEFT: codes.SCT.Left,
    Laterality.BILATERAL: codes.SCT.Bilateral,
}
_SITES: dict[str, Code] = {
    "abdomen": codes.SCT.Abdomen,
    "bone": codes.SCT.Bone,
    "diaphragm": codes.SCT.Diaphragm,
    "heart": codes.SCT.Heart,
    "lung": codes.SCT.Lung,
    "mediastinum": codes.SCT.Mediastinum,
    "pleura": codes.SCT.Pleura,
    "soft_tissue": codes.SCT.SoftTissue,
}
_PROCEDURES: dict[str, Code] = {
    "CT": codes.cid100.CTUnspecifiedBodyRegion,
    "MR": codes.cid100.MRIUnspecifiedBodyRegion,
    "CR": codes.cid100.XRUnspecifiedBodyRegion,
    "DX": codes.cid100.XRUnspecifiedBodyRegion,
}


def finding_code(finding: Finding) -> Code:
    """Return the standard code of a finding with its name, else that of the private scheme."""
    if finding.codes:
        standard = parse_code(finding.codes[0])
        return Code(standard.value, standard.scheme_designator, finding.name[:_MEANING_LENGTH])
    return Code(finding.id, SCHEME, finding.name[:_MEANING_LENGTH])


def kind_code(kind: DiscrepancyKind) -> Code:
    """Return the code of a kind of discrepancy."""
    return _KINDS[kind]


def report_code(presence: Presence) -> Code:
    """Return the code of what a report says."""
    return _SAYS[presence]


def verdict_code(verdict: Verdict) -> Code:
    """Return the code of what a second reader says of a disagreement."""
    return _VERDICTS[verdict]


def assessment_code(assessment: Assessment) -> Code:
    """Return the code of what a person says of a result, or of a part of it."""
    return _ASSESSMENTS[assessment]


def cause_code(cause: RejectionCause) -> Code:
    """Return the code of why a person rejects a part of a result."""
    return _CAUSES[cause]


def presence_code(presence: Presence) -> Code:
    """Return the code of whether a finding is there."""
    return _PRESENCES[presence]


def side_code(side: Laterality) -> Code | None:
    """Return the code of a side (CID 244); None where it is not specified."""
    return _SIDES.get(side)


def site_code(group: str) -> Code | None:
    """Return the anatomical structure of a group of findings; None where it has none, as a device."""
    return _SITES.get(group)


def procedure_code(modality: str | None) -> Code:
    """Return the procedure of CID 100 of a modality."""
    anything: Code = codes.cid100.ImagingProcedure
    return _PROCEDURES.get(modality or "", anything)


def scheme_identification() -> Dataset:
    """Return the item of Coding Scheme Identification Sequence (PS3.3 C.12.1.4) of the private scheme."""
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = "Findings and disagreements of overread"
    item.CodingSchemeResponsibleOrganization = "overread"
    return item

"""What the author of a report is told of a second read, as a FHIR Communication (communication.html).

It holds no more than the author's own page: what was confirmed or added, comment, learning point, and whether
an addendum is asked for. Neither judge nor author is named, and the peer review score is left out.
"""

from overread.second_read import Judgement, Verdict
from service.adjudication.decision import tells_author
from service.fhir.elements import (
    R5,
    WITHDRAWN,
    Json,
    Result,
    meta_of,
    patient_of,
    reference_to_observation,
)

_NOBODY = "nobody who wrote the report, as its sender says who did, has an account that is told"
_ADDENDUM = "An addendum is asked for."


def communication(result: Result, *, reaches_author: bool, version: str) -> Json | None:
    """Return the Communication of a case; None where nobody was to be told.

    Args:
        result: of the case.
        reaches_author: whether somebody who wrote the report has an account that is told.
        version: 4 or 5.
    """
    judgement = result.decision.judgement
    is_told = judgement is not None and tells_author(judgement)
    if not is_told and not result.decision.told_before:
        return None
    case_id = result.subject.occasion.case_id
    resource: Json = {
        "resourceType": "Communication",
        "id": f"case-{case_id}",
        "meta": meta_of(result),
        "status": WITHDRAWN,  # it was taken back, and is told no more
        "subject": patient_of(result.subject),
        "about": [{"reference": f"DiagnosticReport/case-{case_id}"}],
        "partOf": [{"reference": f"Task/case-{case_id}"}],
        "recipient": [{"display": "author of the report"}],
    }
    if judgement is None or not is_told:
        return resource
    resource["payload"] = _payload(result, judgement, version)
    if reaches_author:
        return resource | {"status": "completed", "sent": result.changed_at.isoformat()}
    return resource | {"status": "not-done", "statusReason": {"text": _NOBODY}}


def _payload(result: Result, judgement: Judgement, version: str) -> list[Json]:
    case_id = result.subject.occasion.case_id
    told = [
        number
        for number in range(1, result.count + 1)
        if number > len(result.statements) or result.statements[number - 1].verdict is Verdict.CONFIRMED
    ]
    parts: list[Json] = [{"contentReference": reference_to_observation(case_id, number)} for number in told]
    words = [judgement.comment, judgement.learning_point, _ADDENDUM if judgement.asks_for_addendum else ""]
    return parts + [_words(text, version) for text in words if text.strip()]


def _words(text: str, version: str) -> Json:
    """Return words as a payload; R5 has no content that is a string."""
    return {"contentCodeableConcept": {"text": text}} if version == R5 else {"contentString": text}

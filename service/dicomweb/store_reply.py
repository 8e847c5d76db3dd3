"""The Store Instances Response of DICOMweb (PS3.18 section 10.5.3 and annex I.2) and its status code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.metrics import IntakeProtocol, count_accepted, count_refused
from service.web.addresses import instance_address, study_address
from service.web.errors import (
    CANNOT_UNDERSTAND,
    DUPLICATE_INSTANCE,
    INVALID_ATTRIBUTE_VALUE,
    OUT_OF_RESOURCES,
)

_RETRIEVE_URL = "00081190"
_REFERENCED_SOP_CLASS = "00081150"
_REFERENCED_SOP_INSTANCE = "00081155"
_FAILURE_REASON = "00081197"
_FAILED_SEQUENCE = "00081198"
_REFERENCED_SEQUENCE = "00081199"
_OTHER_FAILURES_SEQUENCE = "0008119A"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOutcome:
    """Outcome of one part of the request; the UIDs are empty where the part did not reveal them."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""  # of what was stored, and
    series_instance_uid: str = ""  # with it where it can be retrieved
    failure_reason: int | None = None  # None: stored, or stored before with the same content
    unsupported_type: bool = False  # the part announced a media type that is not application/dicom


# Words of the failure reasons that `PartOutcome` may have, for counting.
_FAILURE_WORDS = {
    OUT_OF_RESOURCES: "OUT_OF_RESOURCES",
    CANNOT_UNDERSTAND: "INVALID_DICOM",
    DUPLICATE_INSTANCE: "CONTRADICTION",
    INVALID_ATTRIBUTE_VALUE: "ANOTHER_STUDY",
}


def count_parts(outcomes: Sequence[PartOutcome]) -> None:
    """Count what became of each part of a request."""
    for outcome in outcomes:
        if outcome.failure_reason is None:
            count_accepted(IntakeProtocol.STOW)
        elif outcome.unsupported_type:
            count_refused(IntakeProtocol.STOW, "UNSUPPORTED_MEDIA_TYPE")
        else:
            count_refused(IntakeProtocol.STOW, _FAILURE_WORDS.get(outcome.failure_reason, "FAILED"))


def store_reply(outcomes: Sequence[PartOutcome], base: str) -> dict[str, Any]:
    """Return the response data set in the DICOM JSON Model; a part without UIDs goes to Other Failures.

    Args:
        outcomes: what became of the parts, in order.
        base: the address before "/studies" where what was stored can be retrieved.
    """
    kept = [outcome for outcome in outcomes if outcome.failure_reason is None]
    stored = [_reference(outcome) | _retrieve_url(_address(base, outcome)) for outcome in kept]
    failures = [outcome for outcome in outcomes if outcome.failure_reason is not None]
    named = [_reference(outcome) | _reason(outcome) for outcome in failures if outcome.sop_instance_uid]
    unnamed = [_reason(outcome) for outcome in failures if not outcome.sop_instance_uid]
    studies = {outcome.study_instance_uid for outcome in kept}
    reply = _retrieve_url(study_address(base, *studies) if len(studies) == 1 else "")
    for tag, items in (
        (_REFERENCED_SEQUENCE, stored),
        (_FAILED_SEQUENCE, named),
        (_OTHER_FAILURES_SEQUENCE, unnamed),
    ):
        if items:
            reply[tag] = {"vr": "SQ", "Value": items}
    return reply


def store_status(outcomes: Sequence[PartOutcome], *, broken_framing: bool) -> int:
    """Return the status code of table 10.5.3-1 for what became of the parts."""
    failures = [outcome for outcome in outcomes if outcome.failure_reason is not None]
    if len(failures) < len(outcomes):
        return 202 if failures or broken_framing else 200
    if broken_framing or not outcomes:
        return 400
    if all(outcome.unsupported_type for outcome in outcomes):
        return 415
    if all(outcome.failure_reason == OUT_OF_RESOURCES for outcome in outcomes):
        return 503
    return 409


def _reference(outcome: PartOutcome) -> dict[str, Any]:
    return {
        _REFERENCED_SOP_CLASS: _value("UI", outcome.sop_class_uid),
        _REFERENCED_SOP_INSTANCE: _value("UI", outcome.sop_instance_uid),
    }


def _retrieve_url(address: str) -> dict[str, Any]:
    """Return the Retrieve URL, of type 2: empty where the parts are not of one study."""
    return {_RETRIEVE_URL: _value("UR", address)}


def _address(base: str, outcome: PartOutcome) -> str:
    uids = (outcome.study_instance_uid, outcome.series_instance_uid, outcome.sop_instance_uid)
    return instance_address(base, *uids)


def _reason(outcome: PartOutcome) -> dict[str, Any]:
    return {_FAILURE_REASON: _value("US", outcome.failure_reason)}


def _value(representation: str, value: object) -> dict[str, Any]:
    return {"vr": representation, "Value": [value]} if value != "" else {"vr": representation}

"""The HL7 v2.5.1 message of a result: ORU^R01 (chapter 7), two OBX for each disagreement, coded and in words.

It is the same at every attempt: message control id and times are those of the result. A result that replaces
an earlier one has OBR-25 and OBX-11 C (table 0123, 0085).
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime

from pydicom.dataset import Dataset

from models.dicom import text
from service.results.codes import (
    OUTCOME,
    OUTCOME_NONE_LEFT,
    SCHEME,
    finding_code,
    kind_code,
    presence_code,
    report_code,
    side_code,
    verdict_code,
)
from service.results.evidence import local_time
from service.results.report import version_of_result
from service.results.statements import Statement
from service.store.results import Subject

_CONTROL_ID_LENGTH = 20  # MSH-10, ST of 20 characters in v2.5.1
_SCHEMES = {"SCT": "SCT", "DCM": "DCM", SCHEME: SCHEME}  # HL7 table 0396
_SERVICE = f"SECONDREAD^Image and report compared^{SCHEME}"


def make_message(
    subject: Subject, statements: Sequence[Statement], header: Dataset, *, corrects: bool
) -> str:
    """Return the message, segments ended by carriage returns.

    Args:
        subject: what it is about.
        statements: the disagreements; none where nothing is left of an earlier result.
        header: of an image, for what the message says of the patient.
        corrects: whether an earlier result was to be sent to anybody.
    """
    at = local_time(subject.record.triaged_at, header)
    status = "C" if corrects else "F"
    segments = [
        _header(subject, at),
        _patient(subject, header),
        _request(subject, at, status),
        *_observations(statements, status),
    ]
    return "".join(f"{segment}\r" for segment in segments)


def _header(subject: Subject, at: datetime) -> str:
    first = f"MSH|^~\\&|OVERREAD||||{_time(at)}||ORU^R01^ORU_R01|{_control_id(subject)}"
    return f"{first}|P|2.5.1|||AL|NE||UNICODE UTF-8"


def _patient(subject: Subject, header: Dataset) -> str:
    issuer = _escaped(subject.study.issuer_of_patient_id or "")
    identifier = f"{_escaped(subject.patient_id or '')}^^^{issuer}^MR"
    # PN and XPN both have family and given name first (PS3.5 section 6.2, HL7 v2.5.1 section 2.A.88).
    written = str(header.get("PatientName") or "").partition("=")[0]
    name = "^".join(_escaped(part) for part in written.split("^")[:5])
    born, sex = text(header, "PatientBirthDate"), text(header, "PatientSex")
    return f"PID|1||{identifier}||{name}||{_escaped(born)}|{_escaped(sex)}"


def _request(subject: Subject, at: datetime, status: str) -> str:
    accession = _escaped(subject.accession_number or "")
    filler = f"{subject.study.study_instance_uid}.{subject.occasion.case_id}"
    fields = {1: "1", 2: accession, 3: f"{filler}^OVERREAD", 4: _SERVICE, 7: _time(at), 18: accession}
    fields |= {22: _time(at), 24: _escaped(subject.study.modality or ""), 25: status}
    return "OBR|" + "|".join(fields.get(number, "") for number in range(1, 26))


def _observations(statements: Sequence[Statement], status: str) -> Iterator[str]:
    if not statements:
        yield f"OBX|1|CWE|{_coded(OUTCOME)}||{_coded(OUTCOME_NONE_LEFT)}||||||{status}"
        return
    number = 0
    for group, item in enumerate(statements, 1):
        finding = _coded(finding_code(item.finding))
        coded = [
            kind_code(item.discrepancy.kind),
            presence_code(item.presence),
            report_code(item.report_says),
            side_code(item.laterality),
            None if item.verdict is None else verdict_code(item.verdict),
        ]
        values = "~".join(_coded(code) for code in coded if code is not None)
        score = "" if item.probability is None else f"{item.probability:.4f}"
        for kind, value in (("CWE", values), ("TX", _escaped(item.words))):
            number += 1
            # OBX-9 is the probability of the finding, which the algorithm of OBX-17 gives.
            algorithm = (
                "" if item.detector is None else _escaped(f"{item.detector.name} {item.detector.version}")
            )
            yield (f"OBX|{number}|{kind}|{finding}|{group}|{value}||||{score}||{status}||||||{algorithm}")


def _coded(code: object) -> str:
    value = _escaped(str(getattr(code, "value", "")))
    scheme = _SCHEMES.get(str(getattr(code, "scheme_designator", "")), "")
    return f"{value}^{_escaped(str(getattr(code, 'meaning', '')))}^{scheme}"


def _escaped(words: str) -> str:
    """Return text without a character that has a meaning (HL7 v2.5.1 section 2.7.1)."""
    escapes = {
        "\\": "\\E\\",
        "|": "\\F\\",
        "^": "\\S\\",
        "&": "\\T\\",
        "~": "\\R\\",
        "\n": "\\.br\\",
        "\r": "",
    }
    return "".join(escapes.get(character, character) for character in words)


def _control_id(subject: Subject) -> str:
    words = "\x1f".join(map(str, version_of_result(subject)))
    return hashlib.sha256(words.encode()).hexdigest()[:_CONTROL_ID_LENGTH].upper()


def _time(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S%z")

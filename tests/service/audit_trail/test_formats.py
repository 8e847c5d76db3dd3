"""The forms in which the trail leaves."""

import json
import re

import pytest

from service.audit_trail.formats import FORMATS
from service.store.audit_entries import AuditAction, AuditEntry, AuditOutcome
from service.store.audit_trail import SealedEntry
from tests.service.audit_trail.material import ROE, view
from tests.service.fhir import official
from tests.service.material import NOW


def formed(form: str, entry: AuditEntry) -> str:
    return FORMATS[form](SealedEntry(entry_id=7, position=3, hash="a" * 64, entry=entry), entry)


@pytest.mark.parametrize("action", AuditAction)
@pytest.mark.parametrize("subject", ["case 1", None])
def test_each_kind_of_act_is_a_valid_fhir_audit_event(action: AuditAction, subject: str | None) -> None:
    entry = AuditEntry(at=NOW, actor=ROE, action=action, what="overread export", subject=subject)

    event = json.loads(formed("fhir", entry))

    official.require_valid(event, official.R4)
    assert event["agent"][0]["who"]["identifier"]["value"] == "unverified:Dr Roe"
    assert event["outcome"] == "0"


def test_a_view_says_who_what_when_and_from_where() -> None:
    event = json.loads(formed("fhir", view(1)))

    assert event["type"]["code"] == "110110"
    assert (event["action"], event["recorded"]) == ("R", "2026-03-01T12:00:00+00:00")
    assert event["agent"][0]["network"] == {"address": "10.0.0.5", "type": "2"}
    assert event["entity"][0]["what"] == {"identifier": {"value": "case 1"}}


def test_what_was_refused_is_a_failure() -> None:
    entry = AuditEntry(
        at=NOW, actor=ROE, action=AuditAction.SAW, outcome=AuditOutcome.REFUSED, what="GET /cases/{case_id}"
    )

    assert json.loads(formed("fhir", entry))["outcome"] == "4"


def test_a_syslog_line_is_one_message_of_rfc_5424() -> None:
    line = formed("syslog", view(1))

    header = re.match(r"<85>1 2026-03-01T12:00:00\.000000Z \S+ overread \d+ SAW - (?=\{)", line)
    assert header
    assert "\n" not in line
    assert json.loads(line[header.end() :])["resourceType"] == "AuditEvent"


def test_a_json_line_has_place_and_hash() -> None:
    line = json.loads(formed("jsonl", view(1)))

    assert (line["position"], line["hash"], line["subject"]) == (3, "a" * 64, "case 1")

"""The Store Instances Response and its status (PS3.18 table 10.5.3-1)."""

import pytest

from service.http.storereply import PartOutcome, store_reply, store_status

STORED = PartOutcome(sop_class_uid="1.2", sop_instance_uid="2.25.1")
REFUSED = PartOutcome(sop_class_uid="1.2", sop_instance_uid="2.25.2", failure_reason=0x0111)
UNREADABLE = PartOutcome(failure_reason=0xC000)
FULL = PartOutcome(failure_reason=0xA700)
FOREIGN = PartOutcome(failure_reason=0xC000, unsupported_type=True)


@pytest.mark.parametrize(
    ("outcomes", "broken", "status"),
    [
        ([STORED, STORED], False, 200),
        ([STORED, REFUSED], False, 202),
        ([STORED, FULL], False, 202),
        ([STORED], True, 202),
        ([REFUSED], False, 409),
        ([UNREADABLE, REFUSED], False, 409),
        ([FULL, FULL], False, 503),
        ([FULL, REFUSED], False, 409),
        ([FOREIGN, FOREIGN], False, 415),
        ([FOREIGN, REFUSED], False, 409),
        ([], False, 400),
        ([UNREADABLE], True, 400),
    ],
)
def test_the_status_follows_from_what_became_of_the_parts(
    outcomes: list[PartOutcome], broken: bool, status: int
) -> None:
    assert store_status(outcomes, broken_framing=broken) == status


def test_only_failures_that_can_be_named_stand_among_the_failed_instances() -> None:
    reply = store_reply([STORED, REFUSED, UNREADABLE])
    assert [item["00081155"]["Value"] for item in reply["00081199"]["Value"]] == [["2.25.1"]]
    assert [item["00081197"]["Value"] for item in reply["00081198"]["Value"]] == [[0x0111]]
    assert reply["0008119A"]["Value"] == [{"00081197": {"vr": "US", "Value": [0xC000]}}]


def test_nothing_failed_means_no_failure_sequence() -> None:
    assert set(store_reply([STORED])) == {"00081190", "00081199"}

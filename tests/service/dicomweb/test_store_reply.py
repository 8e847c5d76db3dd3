"""The Store Instances Response and its status (PS3.18 table 10.5.3-1)."""

import pytest

from service.dicomweb.store_reply import PartOutcome, store_reply, store_status

STORED = PartOutcome(
    sop_class_uid="1.2", sop_instance_uid="2.25.1", study_instance_uid="2.25.3", series_instance_uid="2.25.4"
)
ELSEWHERE = PartOutcome(
    sop_class_uid="1.2", sop_instance_uid="2.25.5", study_instance_uid="2.25.6", series_instance_uid="2.25.7"
)
BASE = "http://here"
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
    reply = store_reply([STORED, REFUSED, UNREADABLE], BASE)
    assert [item["00081155"]["Value"] for item in reply["00081199"]["Value"]] == [["2.25.1"]]
    assert [item["00081197"]["Value"] for item in reply["00081198"]["Value"]] == [[0x0111]]
    assert reply["0008119A"]["Value"] == [{"00081197": {"vr": "US", "Value": [0xC000]}}]


def test_nothing_failed_means_no_failure_sequence() -> None:
    assert set(store_reply([STORED], BASE)) == {"00081190", "00081199"}


def test_the_reply_says_where_the_study_and_each_instance_can_be_retrieved() -> None:
    one = store_reply([STORED, REFUSED], BASE)
    assert one["00081190"]["Value"] == ["http://here/studies/2.25.3"]
    assert one["00081199"]["Value"][0]["00081190"]["Value"] == [
        "http://here/studies/2.25.3/series/2.25.4/instances/2.25.1"
    ]
    assert store_reply([STORED, ELSEWHERE], BASE)["00081190"] == {"vr": "UR"}
    assert store_reply([REFUSED], BASE)["00081190"] == {"vr": "UR"}

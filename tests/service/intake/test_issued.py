"""Times of reports as senders write them; what cannot be read is no time, and no error."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from structlog.testing import capture_logs

from service.intake.issued import read_iso_time, read_offset, read_timestamp
from tests.service.material import machine_in

EAST = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("202603011200+0000", datetime(2026, 3, 1, 12, 0, tzinfo=UTC)),
        ("20260301120030-0500", datetime(2026, 3, 1, 17, 0, 30, tzinfo=UTC)),
        ("20260301120030.25+0530", datetime(2026, 3, 1, 6, 30, 30, 250_000, tzinfo=UTC)),
        ("20260301120030", datetime(2026, 3, 1, 11, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_time_stamp_is_read_in_its_zone(written, expected) -> None:
    assert read_timestamp(written, field="OBR-22", zone=EAST) == expected


def test_a_time_without_any_zone_is_in_that_of_the_machine() -> None:
    with machine_in("Europe/Berlin"):
        winter = read_timestamp("202601011200", field="OBR-22")
        summer = read_timestamp("202607011200", field="OBR-22")
        row = read_iso_time("2026-07-01 12:00", field="issued", needs_zone=False)

    assert winter == datetime(2026, 1, 1, 11, tzinfo=UTC)
    assert summer == row == datetime(2026, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026",
        "20260301",
        "2026030112",
        "20261301120000",
        "20260301126100",
        "20260301120000+9999",
        "2026030112000\u0660",
        "00010101000000+1400",
        "Doe^Jane",
        " ",
    ],
)
def test_a_time_that_cannot_be_read_is_none_and_the_log_names_the_field_alone(written) -> None:
    with capture_logs() as logged:
        assert read_timestamp(written, field="OBR-22") is None

    assert logged == [{"event": "report_time_unusable", "log_level": "warning", "field": "OBR-22"}]


@pytest.mark.parametrize("value", ["yesterday", "2026-03-01T12:00:00", 7, {"a": 1}, "0001-01-01T00:00+14:00"])
def test_an_iso_time_that_cannot_be_read_or_has_no_zone_is_none(value) -> None:
    with capture_logs() as logged:
        assert read_iso_time(value, field="issued") is None

    assert [line["field"] for line in logged] == ["issued"]


def test_no_time_is_no_reason_for_a_log_line() -> None:
    with capture_logs() as logged:
        assert read_timestamp("", field="OBR-22") is None
        assert read_iso_time(None, field="issued") is None
        assert read_offset("20260301") is None

    assert logged == []


def test_an_offset_is_a_zone() -> None:
    assert read_offset("20260301120000-0330") == timezone(-timedelta(hours=3, minutes=30))
    assert read_offset("+9999") is None

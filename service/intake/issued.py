"""Times at which reports were made, as senders write them.

A time that cannot be read counts as not given. The log then names the field and not the value, which may be
something else, and of a patient.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import structlog

from service.store.clock import beyond_reason

_log = structlog.get_logger("overread.intake")
_TIMESTAMP = re.compile(r"(\d{12}(?:\d{2})?)(?:\.(\d{1,6}))?([+-]\d{4})?", re.ASCII)
_OFFSET = re.compile(r"[+-]\d{4}", re.ASCII)
_TO_MINUTES, _TO_SECONDS = "%Y%m%d%H%M", "%Y%m%d%H%M%S"
_SECONDS_DIGITS = 14


def read_timestamp(text: str, *, field: str, zone: tzinfo | None = None) -> datetime | None:
    """Return a time as HL7 (DTM, v2.5.1 section 2.A.22) and DICOM (DT, PS3.5 section 6.2) write it, in UTC.

    Args:
        text: the value, to the minute at least, such as 20260301120000+0100; empty where none is given.
        field: where it stands, for the log.
        zone: of a value that names none; None takes the zone of this machine.
    """
    if not text:
        return None
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return _unusable(field)
    digits, fraction, offset = match.groups()
    own_zone = read_offset(offset or "")
    if offset and own_zone is None:
        return _unusable(field)
    try:
        return (
            datetime.strptime(digits, _TO_SECONDS if len(digits) == _SECONDS_DIGITS else _TO_MINUTES)
            .replace(
                microsecond=int((fraction or "0").ljust(6, "0")),
                tzinfo=own_zone or zone,
            )
            .astimezone(UTC)  # without a zone: from that of this machine
        )
    except (ValueError, OverflowError, OSError):
        return _unusable(field)


def read_offset(text: str) -> tzinfo | None:
    """Return the zone of an offset such as +0100, with which a time may end; None where there is none."""
    match = _OFFSET.fullmatch(text[-5:])
    if match is None:
        return None
    minutes = int(text[-4:-2]) * 60 + int(text[-2:])
    if minutes >= 24 * 60:
        return None
    return timezone(timedelta(minutes=-minutes if text[-5] == "-" else minutes))


def read_iso_time(text: object, *, field: str, needs_zone: bool = True) -> datetime | None:
    """Return a time in ISO 8601, in UTC.

    Args:
        text: the value; None or empty where none is given.
        field: where it stands, for the log.
        needs_zone: whether a value without a zone is unusable, or in the zone of this machine.
    """
    if text is None or text == "":
        return None
    try:
        time = datetime.fromisoformat(str(text))
        if time.tzinfo is None and needs_zone:
            return _unusable(field)
        return time.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return _unusable(field)


def usable_time(issued_at: datetime | None, *, now: datetime) -> datetime | None:
    """Return the time at which a report was made, None where it is unknown or lies in the future.

    A sender whose clock is wrong would otherwise have the last word for as long as its clock is ahead.
    """
    if issued_at is None:
        return None
    try:
        time = issued_at.astimezone(UTC)
    except OverflowError:  # in the first or the last year
        return _unusable("issued_at")
    return _unusable("issued_at") if time > beyond_reason(now) else time


def _unusable(field: str) -> datetime | None:
    _log.warning("report_time_unusable", field=field)
    return None

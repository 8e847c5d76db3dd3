"""Order of the versions of a report, and what of them is in force.

Versions count in the order of their making: by the time that the sender gives, else by that of their arrival.
"""

from collections.abc import Sequence
from itertools import accumulate

from service.store.records import ReportStatus, ReportVersion

_ADDENDUM_HEADING = "ADDENDUM:"


def in_order_of_making(versions: Sequence[ReportVersion]) -> tuple[ReportVersion, ...]:
    """Return versions, given in the order of arrival, in the order in which they were made.

    Of versions made at the same time an addendum follows what it may be added to; else arrival decides.
    """
    arrivals = accumulate((version.received_at for version in versions), max)  # clocks of several machines
    places = {
        version.version: (
            version.issued_at or arrival,
            version.issued_at is not None and version.status is ReportStatus.ADDENDUM,
            version.version,
        )
        for version, arrival in zip(versions, arrivals, strict=True)
    }
    return tuple(sorted(versions, key=lambda version: places[version.version]))


def versions_in_force(versions: Sequence[ReportVersion]) -> tuple[ReportVersion, ...]:
    """Return what makes up the report that counts, in order; empty while there is none but preliminary.

    That is the latest final or corrected version with the addenda that follow it. An addendum that came
    before the only such version, and does not say when it was made, is added to it too.
    """
    counting = [
        version for version in in_order_of_making(versions) if version.status is not ReportStatus.PRELIMINARY
    ]
    whole = [place for place, version in enumerate(counting) if version.status is not ReportStatus.ADDENDUM]
    if not whole:
        return tuple(counting)
    before = counting[: whole[0]] if len(whole) == 1 else []
    undated = [addendum for addendum in before if addendum.issued_at is None]
    return (counting[whole[-1]], *undated, *counting[whole[-1] + 1 :])


def text_in_force(versions: Sequence[ReportVersion]) -> str:
    """Return the whole report that versions make up; an addendum stands below, unless it repeats the rest."""
    report, *addenda = (version.sent for version in versions_in_force(versions))
    for addendum in addenda:
        report = addendum if report.strip() in addendum else f"{report}\n\n{_ADDENDUM_HEADING}\n{addendum}"
    return report


def version_repeated(new: ReportVersion, versions: Sequence[ReportVersion]) -> ReportVersion | None:
    """Return the version that a new one repeats; None where the new one has to be stored.

    The same text again is a repetition while it is in force, where it was made at the same time, and where
    it is preliminary. Else it may be the latest word again.
    """
    in_force = {version.version for version in versions_in_force(versions)}
    for known in versions:
        if (known.sha256, known.status) != (new.sha256, new.status):
            continue
        is_same_message = new.issued_at is not None and known.issued_at == new.issued_at
        if new.status is ReportStatus.PRELIMINARY or known.version in in_force or is_same_message:
            return known
    return None

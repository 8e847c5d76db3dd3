"""Order of the versions of a report, and what of them is in force.

Versions count in the order of their making: by the time that the sender gives, else by that of their arrival.
A text that is sent again with another time was said again at that time; it may be the latest word again.
"""

from collections.abc import Sequence
from itertools import accumulate

from service.store.records import ReportStatus, ReportVersion

_ADDENDUM_HEADING = "ADDENDUM:"

Statements = Sequence[ReportVersion]
"""Versions in the order of their making, each as often as it was said."""


def versions_in_force(versions: Sequence[ReportVersion]) -> tuple[ReportVersion, ...]:
    """Return what makes up the report that counts, in order; empty while there is none but preliminary.

    Versions are given in the order of arrival. What counts is the latest final or corrected version with the
    addenda that follow it; one that is said again without another in between keeps its addenda. An addendum
    that came before the only such version, and does not say when it was made, is added to it too.
    """
    return _in_force(_in_order_of_making(versions))


def text_in_force(versions: Sequence[ReportVersion]) -> str:
    """Return the whole report that versions make up, "" where there is none but preliminary.

    An addendum stands below, unless it repeats the rest.
    """
    return _text(versions_in_force(versions))


def whole_text(new: ReportVersion, versions: Sequence[ReportVersion]) -> str:
    """Return the whole report as of a new version: with its addenda, or with what it adds to.

    A version that others have replaced already is read with those that were made before it alone.
    """
    if new.status is ReportStatus.PRELIMINARY:
        return new.text
    if is_in_force(new, versions):
        return text_in_force((*versions, new))
    made = _in_order_of_making((*versions, new))
    return _text(_in_force(made[: made.index(new) + 1]))


def is_in_force(new: ReportVersion, versions: Sequence[ReportVersion]) -> bool:
    """Whether a new version is of what counts from now on, or changes it."""
    known = (*versions, new)
    return new in versions_in_force(known) or text_in_force(known) != text_in_force(versions)


def version_repeated(new: ReportVersion, versions: Sequence[ReportVersion]) -> ReportVersion | None:
    """Return the version that a new one repeats; None where the new one has to be stored.

    The same text again is a repetition where it is preliminary, where it was said at the same time, and where
    the report in force stays as it is. One without a time is a repetition while it is in force.
    """
    same = [known for known in versions if _is_same(known, new)]
    if not same:
        return None
    if new.issued_at is None and new.status is not ReportStatus.PRELIMINARY:
        return next((known for known in versions_in_force(versions) if _is_same(known, new)), None)
    if new.status is ReportStatus.PRELIMINARY:
        return same[0]
    said_then = (known for known in same if new.issued_at in (known.issued_at, *known.resent_at))
    stays = text_in_force((*versions, new)) == text_in_force(versions)
    return next(said_then, same[-1] if stays else None)


def is_said_anew(new: ReportVersion, repeated: ReportVersion) -> bool:
    """Whether a repetition gives a time that is not known yet, by which its version counts from now on."""
    is_known = new.issued_at in (None, repeated.issued_at, *repeated.resent_at)
    return not is_known and new.status is not ReportStatus.PRELIMINARY


def _is_same(one: ReportVersion, other: ReportVersion) -> bool:
    return (one.sha256, one.status) == (other.sha256, other.status)


def _in_order_of_making(versions: Sequence[ReportVersion]) -> Statements:
    """Return versions, given in the order of arrival, in the order in which they were made.

    Of those made at the same time an addendum follows what it may be added to; else arrival decides.
    """
    arrivals = accumulate((version.received_at for version in versions), max)  # clocks of several machines
    said = [
        (time, version.issued_at is not None and version.status is ReportStatus.ADDENDUM, number, version)
        for number, (version, arrival) in enumerate(zip(versions, arrivals, strict=True))
        for time in (version.issued_at or arrival, *version.resent_at)
    ]
    return [version for *_, version in sorted(said, key=lambda each: each[:3])]


def _in_force(statements: Statements) -> tuple[ReportVersion, ...]:
    counting = [version for version in statements if version.status is not ReportStatus.PRELIMINARY]
    whole = [place for place, version in enumerate(counting) if version.status is not ReportStatus.ADDENDUM]
    if not whole:
        return _once(counting)
    report = counting[whole[-1]]
    others = [place for place in whole if not _is_same(counting[place], report)]
    begin = next(place for place in whole if not others or place > others[-1])
    undated = [] if others else [addendum for addendum in counting[:begin] if addendum.issued_at is None]
    return (report, *_once([*undated, *counting[begin:]], besides=report))


def _once(statements: Statements, *, besides: ReportVersion | None = None) -> tuple[ReportVersion, ...]:
    """Return each text the first time that it is said; `besides`, none that says the same as that."""
    found: dict[tuple[str, str], ReportVersion] = {}
    for version in statements:
        found.setdefault((version.sha256, version.status), version)
    return tuple(version for version in found.values() if besides is None or not _is_same(version, besides))


def _text(in_force: Sequence[ReportVersion]) -> str:
    report = ""
    for number, version in enumerate(in_force):
        if number == 0 or report.strip() in version.sent:
            report = version.sent
        else:
            report = f"{report}\n\n{_ADDENDUM_HEADING}\n{version.sent}"
    return report

"""Whatever the order of their arrival, the same report is in force."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import permutations
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.receipt import ReceiptOutcome
from service.intake.report_order import is_said_anew, text_in_force, version_repeated, versions_in_force
from service.store.database import Store
from service.store.records import ReportStatus, ReportVersion
from service.store.worklist import load_case
from tests.service.material import after, send_report

PRELIMINARY, FINAL, CORRECTED, ADDENDUM = ReportStatus


class Made(NamedTuple):
    """A version that a sender made, so many seconds after the beginning."""

    status: ReportStatus
    text: str
    seconds: int | None

    @property
    def issued(self) -> datetime | None:
        return None if self.seconds is None else after(self.seconds)


def report_after(store: Store, sent: Sequence[Made], accession: str) -> str | None:
    """Send versions in this order and return the report that is in force then."""
    for number, made in enumerate(sent):
        receipt = send_report(
            store,
            made.text,
            status=made.status,
            issued=made.issued,
            accession=accession,
            now=after(1000 + number),
        )
    case = load_case(store, receipt.case_id)
    assert len(case.reports) == len(sent)
    assert [report.sent for report in case.reports] == [made.text for made in sent]
    return case.report.text if case.report else None


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (
            [(PRELIMINARY, "p", 0), (FINAL, "f", 1), (CORRECTED, "c", 2), (ADDENDUM, "a", 3)],
            "c\n\nADDENDUM:\na",
        ),
        ([(PRELIMINARY, "p", 9), (FINAL, "f", 1), (ADDENDUM, "a", 2), (CORRECTED, "c", 3)], "c"),
        ([(ADDENDUM, "a", 3), (FINAL, "f", 3), (ADDENDUM, "b", 4)], "f\n\nADDENDUM:\na\n\nADDENDUM:\nb"),
        ([(FINAL, "f", 1), (ADDENDUM, "New: n. Before: f", 2), (ADDENDUM, "b", 4)], None),
        ([(PRELIMINARY, "p", 1), (PRELIMINARY, "q", 2)], ""),
    ],
    ids=["addendum to a correction", "correction after an addendum", "made at once", "repeated", "waiting"],
)
def test_every_order_of_arrival_ends_with_the_same_report(store, versions, expected) -> None:
    if expected is None:
        expected = "New: n. Before: f\n\nADDENDUM:\nb"
    for number, order in enumerate(permutations(versions)):
        sent = [Made(*version) for version in order]
        assert (report_after(store, sent, f"A{number}") or "") == expected, order


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([(FINAL, "f"), (CORRECTED, "c")], "c"),
        ([(CORRECTED, "c"), (FINAL, "f")], "f"),
        ([(FINAL, "f"), (ADDENDUM, "a"), (PRELIMINARY, "p")], "f\n\nADDENDUM:\na"),
        ([(FINAL, "f"), (ADDENDUM, "a"), (CORRECTED, "c")], "c"),
        ([(ADDENDUM, "a"), (FINAL, "f")], "f\n\nADDENDUM:\na"),
        ([(ADDENDUM, "a"), (FINAL, "f"), (CORRECTED, "c")], "c"),
    ],
)
def test_without_times_arrival_decides(store, sent, expected) -> None:
    assert report_after(store, [Made(*version, None) for version in sent], "A1") == expected


def test_a_version_without_a_time_stands_where_it_arrived(store) -> None:
    sent = [Made(FINAL, "arrives at 1000", None), Made(FINAL, "made before", 999), Made(FINAL, "after", 1001)]

    assert report_after(store, sent[:2], "A1") == "arrives at 1000"
    assert report_after(store, sent, "A2") == "after"


def test_a_superseded_addendum_is_read_with_what_it_was_added_to(store) -> None:
    for status, text, seconds in ((FINAL, "f", 1), (CORRECTED, "c", 3), (ADDENDUM, "a", 2)):
        case_id = send_report(store, text, status=status, issued=after(seconds), now=after(10)).case_id

    case = load_case(store, case_id)
    assert case.report.text == "c"
    assert case.reports[-1].text == "f\n\nADDENDUM:\na"


@pytest.mark.parametrize("times", [(10, 12, 11), (12, 10, 11)], ids=["again", "older again"])
def test_a_text_that_was_said_again_later_outlasts_what_was_made_between(store, times) -> None:
    for number, (text, seconds) in enumerate(zip("aab", times, strict=True)):
        receipt = send_report(store, text, issued=after(seconds), now=after(100 + number))

    case = load_case(store, receipt.case_id)
    assert case.report is not None
    assert case.report.text == "a"
    assert [(report.sent, report.issued_at, report.resent_at) for report in case.reports] == [
        ("a", after(times[0]), (after(times[1]),)),
        ("b", after(11), ()),
    ]


def test_a_report_that_is_said_again_keeps_its_addendum_and_gets_one_that_was_made_between(store) -> None:
    said = [(FINAL, "a", 12), (ADDENDUM, "x", 11), (FINAL, "a", 10), (FINAL, "a", 13), (FINAL, "a", 13)]
    for number, (status, text, seconds) in enumerate(said):
        receipt = send_report(store, text, status=status, issued=after(seconds), now=after(100 + number))

    case = load_case(store, receipt.case_id)
    assert case.report is not None
    assert case.report.text == "a\n\nADDENDUM:\nx"
    assert (receipt.outcome, len(case.reports)) == (ReceiptOutcome.ALREADY_STORED, 3)


def test_a_repetition_without_a_time_says_nothing_of_when_it_was_made(store) -> None:
    said = [("a", None, 10), ("a", None, 12), ("b", 11, 13)]
    for text, seconds, arrival in said:
        issued = None if seconds is None else after(seconds)
        receipt = send_report(store, text, issued=issued, now=after(arrival))

    case = load_case(store, receipt.case_id)
    assert case.report is not None
    assert case.report.text == "b"


dated = st.builds(
    Made,
    st.sampled_from(ReportStatus),
    st.text("abc", min_size=1, max_size=2),
    st.integers(min_value=0, max_value=10_000),
)


def received(order: Sequence[Made]) -> tuple[ReportVersion, ...]:
    """What is kept of statements that arrive in this order."""
    kept: list[ReportVersion] = []
    for made in order:
        new = ReportVersion(
            version=len(kept) + 1,
            status=made.status,
            text=made.text,
            sha256=made.text,
            source="test",
            issued_at=made.issued,
            received_at=after(len(kept)),
        )
        repeated = version_repeated(new, kept)
        if repeated is None:
            kept.append(new)
        elif made.issued is not None and is_said_anew(new, repeated):
            times = (*repeated.resent_at, made.issued)
            kept[repeated.version - 1] = replace(repeated, resent_at=times)
    return tuple(kept)


@given(st.lists(dated, max_size=7, unique_by=lambda made: made.seconds), st.randoms())
def test_the_order_of_arrival_of_dated_versions_does_not_matter(made, random) -> None:
    expected = text_in_force(received(sorted(made, key=lambda each: each.seconds)))

    assert text_in_force(received(random.sample(made, len(made)))) == expected


@given(st.lists(dated, max_size=7, unique_by=lambda made: made.seconds))
def test_what_was_said_last_of_a_whole_report_is_in_force(made) -> None:
    whole = [each for each in made if each.status in {FINAL, CORRECTED}]
    in_force = versions_in_force(received(made))

    if whole:
        last = max(whole, key=lambda each: each.seconds)
        assert (in_force[0].status, in_force[0].sent) == (last.status, last.text)
    else:
        assert all(version.status is ADDENDUM for version in in_force)

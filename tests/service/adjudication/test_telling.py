"""What authors of reports are told, and that they do not judge their own."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from overread.errors import TransitionError
from service.adjudication.quality import QualityRoom
from service.adjudication.reads import judge, undo
from service.adjudication.telling import messages_for, open_addenda
from service.fhir.report import read_reports as read_fhir
from service.hl7.message import read_message
from service.hl7.report import read_reports as read_hl7
from service.hl7.settings import Hl7Settings
from service.intake.reports import receive_report
from service.security.roles import Role
from service.store.database import Store
from service.store.reading_claims import Hold, hold_case
from service.store.records import ReportStatus
from service.store.report_authors import authors_of, note_author
from tests.service.adjudication.test_reads import CONFIRMED, SEVERE, person, sender
from tests.service.fhir.documents import body, report
from tests.service.hl7.messages import oru
from tests.service.material import NOW, after, send_report
from tests.service.security.people import Desk, add, desk_on
from tests.service.web.seeing import seen_case

TOLD = replace(CONFIRMED, tells_author=True, comment="seen on the lateral view")
ASKED = replace(CONFIRMED, asks_for_addendum=True)
AUTHOR = person("fay", Role.FIRST_READER)


def written_by(store: Store, case_id: int, name: str = "Fay ") -> int:
    with store.writing() as connection:
        note_author(connection, case_id, 1, name)
    return case_id


def test_an_author_is_told_what_is_meant_for_them_once_it_counts(store: Store) -> None:
    told, untold, severe, foreign = (seen_case(store, number) for number in range(1, 5))
    for case_id in (told, untold, severe):
        written_by(store, case_id)
    written_by(store, foreign, "gil")
    judge(store, told, TOLD, sender(submission="1"))
    judge(store, untold, CONFIRMED, sender(submission="2"))
    judge(store, severe, replace(SEVERE, tells_author=True), sender(submission="3"))
    judge(store, foreign, TOLD, sender(submission="4"))
    (message,) = messages_for(store, AUTHOR)
    assert (message.case.case_id, message.learning_point) == (told, "Look behind the heart.")
    assert message.comment == "seen on the lateral view"
    assert [item.finding for item in message.confirmed] == ["mass"]
    assert message.case.accession_number == "A1"
    judge(store, severe, TOLD, sender("bob"))
    assert [item.case.case_id for item in messages_for(store, AUTHOR)] == [severe, told]


def test_what_is_taken_back_is_not_told_any_more(store: Store) -> None:
    case_id = written_by(store, seen_case(store))
    recorded = judge(store, case_id, TOLD, sender())
    undo(store, case_id, recorded.read_id, sender(submission="u"))
    assert messages_for(store, AUTHOR) == ()


def test_an_addendum_is_open_until_the_corrected_report_arrives(store: Store) -> None:
    case_id = written_by(store, seen_case(store))
    judge(store, case_id, ASKED, sender(seconds=60))
    asked = [(case_id, after(60))]
    assert QualityRoom().quality(store, now=NOW).addenda_asked == tuple(asked)
    assert [(item.case_id, item.asked_at) for item in open_addenda(store, asked)] == asked
    assert messages_for(store, AUTHOR)[0].corrected_at is None
    send_report(store, "There is a mass.", status=ReportStatus.ADDENDUM, now=after(900))
    assert open_addenda(store, asked) == ()
    assert messages_for(store, AUTHOR)[0].corrected_at == after(900)


def test_nobody_judges_the_report_that_they_wrote(store: Store) -> None:
    case_id = written_by(store, seen_case(store), "ADA")
    with pytest.raises(TransitionError, match="you wrote the report"):
        judge(store, case_id, CONFIRMED, sender("ada"))
    with pytest.raises(TransitionError, match="goes to another reader"):
        hold_case(store, case_id, Hold(holder=person("ada").actor, at=NOW, seconds=60))
    assert judge(store, case_id, CONFIRMED, sender("bob")).is_new


def test_every_way_in_says_who_wrote_the_report(store: Store) -> None:
    fields = oru().replace("|||||||F\r", "|||||||F|||||||DRROE&Roe&Richard\r", 1).encode()
    settings = Hl7Settings()
    (told,) = read_hl7(read_message(fields, default_charset=settings.charset), fields, settings, source="t")
    document = body(report(resultsInterpreter=[{"identifier": {"value": "DrRoe"}}]))
    (fhir,) = read_fhir(document, source="t")
    assert (told.author, fhir.author) == ("DRROE", "DrRoe")
    receipt = receive_report(store, told, now=NOW)
    with store.reading() as connection:
        assert authors_of(connection, receipt.case_id) == {"drroe"}
    nobody = receive_report(store, replace(told, accession_number="A2", author=" "), now=NOW)
    with store.reading() as connection:
        assert authors_of(connection, nobody.case_id) == frozenset()


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """A desk at which fay is told and ada judges."""
    add(sqlite_store, "fay", Role.FIRST_READER)
    add(sqlite_store, "ada", display_name="Ada Adams")
    add(sqlite_store, "quinn", Role.QUALITY)
    with desk_on(sqlite_store) as opened:
        yield opened


def test_the_author_sees_the_message_without_anybodys_name_and_nothing_else(
    desk: Desk, sqlite_store: Store
) -> None:
    case_id = written_by(sqlite_store, seen_case(sqlite_store))
    judge(sqlite_store, case_id, ASKED, sender())
    with desk.signed_in("fay") as browser:
        page = browser.get("/own-reports").text
        assert "Learning point: Look behind the heart." in page
        assert "An addendum is asked for" in page
        assert "Ada" not in page
        for address in ("/", f"/cases/{case_id}", f"/api/v1/cases/{case_id}", "/api/v1/worklist"):
            assert browser.get(address).status_code == 403
    with desk.signed_in("quinn") as browser:
        assert (
            f'<a href="/cases/{case_id}">Case {case_id}</a>, since 2026-03-01'
            in browser.get("/second-reads").text
        )
        assert "fay" not in browser.get(f"/cases/{case_id}").text.lower()
        assert "fay" not in browser.get(f"/api/v1/cases/{case_id}").text.lower()
    with desk.signed_in("ada") as browser:
        assert browser.get("/own-reports").status_code == 403

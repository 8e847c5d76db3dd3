"""What is shown of something that was refused."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overread.errors import InputError, InvalidReportError
from service.intake.reports import refuse_message
from service.quarantine.contents import Content, read_content
from service.store.database import Store
from service.store.quarantine import list_quarantine
from tests.service.material import NOW, dicom_bytes, send_image, send_report
from tests.service.quarantine.test_replay import message


def content_of(store: Store, *, identified: bool = False, with_text: bool = False) -> Content:
    return read_content(list_quarantine(store)[0], identified=identified, with_text=with_text)


def shown(content: Content) -> dict[str, str]:
    return {line.name: line.value for line in content.lines}


def test_the_header_of_an_object_is_shown_and_the_patient_only_on_request(sqlite_store) -> None:
    with pytest.raises(InputError):
        send_image(sqlite_store, dicom_bytes(StudyInstanceUID=None, StudyDescription="Thorax"))

    plain, named = content_of(sqlite_store), content_of(sqlite_store, identified=True)

    assert shown(plain)["Modality"] == "DX"
    assert shown(plain)["Study Description"] == "Thorax"
    assert shown(plain)["SOP Class UID"].startswith("Digital X-Ray Image Storage - For Presentation (1.2.")
    assert "Doe^Jane" not in str(plain)
    assert "P1" not in shown(plain).values()
    assert shown(named)["Patient's Name"] == "Doe^Jane"


def test_what_is_cut_off_is_shown_as_far_as_it_goes(sqlite_store) -> None:
    with pytest.raises(InputError):
        send_image(sqlite_store, dicom_bytes()[:-10])

    content = content_of(sqlite_store)

    assert shown(content)["Accession Number"] == "A1"
    assert "truncated in its pixel data" in str(content.broken)
    with pytest.raises(InputError):
        send_image(sqlite_store, dicom_bytes()[:400])
    assert "truncated in its header" in str(content_of(sqlite_store).broken)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"\xff\xd8\xff\xe0", "a JPEG picture"),
        (b'{"a": 1}', "JSON"),
        (b"plain words", "text"),
        (b"\x00\x01\x02", "something else"),
    ],
)
def test_what_is_no_dicom_object_is_named_by_how_it_begins(sqlite_store, content, form) -> None:
    with pytest.raises(InputError):
        send_image(sqlite_store, content)
    assert content_of(sqlite_store).form == form


def test_the_text_of_a_report_is_given_only_on_request(sqlite_store) -> None:
    with pytest.raises(InputError):
        send_report(sqlite_store, "No mass. Höhe".encode("cp1252"))

    assert content_of(sqlite_store).text is None
    assert content_of(sqlite_store, with_text=True).text == "No mass. H�he"


def test_of_a_message_the_fields_are_shown_that_tell_its_way(sqlite_store) -> None:
    with pytest.raises(InputError):
        send_report(sqlite_store, message("A9").encode(), accession=None)

    plain = shown(content_of(sqlite_store))

    assert plain["MSH-9 (message type)"] == "ORU^R01"
    assert plain["OBR-3 (filler order number)"] == "A9"
    assert not [name for name in plain if name.startswith("PID")]
    assert shown(content_of(sqlite_store, identified=True))["PID-5 (patient name)"] == "Doe^Jane"


def test_of_a_fhir_document_its_reports_are_shown(sqlite_store) -> None:
    document = b'{"resourceType": "DiagnosticReport", "status": "cancelled", "code": {"text": "CXR"}}'
    refuse_message(sqlite_store, document, InvalidReportError("withdrawn"), source="FHIR", now=NOW)

    content = content_of(sqlite_store, with_text=True)

    assert content.form == "FHIR document"
    assert "cancelled" in str(content.broken)
    assert content.text == document.decode()


def test_of_bytes_that_were_removed_it_is_said_that_they_were(sqlite_store) -> None:
    with pytest.raises(InputError):
        send_image(sqlite_store, b"no image")
    entry = replace(list_quarantine(sqlite_store)[0], removed_at=NOW, removed_why="after 90 days")

    content = read_content(entry, identified=True, with_text=True)

    assert content.broken == "bytes removed on 2026-03-01: after 90 days"


FORMS = (
    dicom_bytes(StudyDescription="Thorax"),
    message("A1", charset="UNICODE UTF-8").encode(),
    b'{"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}, "conclusion": "y"}',
    b"plain words",
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(whole=st.sampled_from(FORMS), data=st.data())
def test_whatever_is_in_it_is_shown_or_said_to_be_broken(sqlite_store, whole: bytes, data) -> None:
    if not list_quarantine(sqlite_store):
        with pytest.raises(InputError):
            send_image(sqlite_store, b"to be spoilt")
    (entry,) = list_quarantine(sqlite_store)
    spoilt = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(spoilt)))
    entry.path.write_bytes(bytes(spoilt[:cut]))

    content = read_content(entry, identified=True, with_text=True)

    assert all(line.value.isprintable() for line in content.lines)

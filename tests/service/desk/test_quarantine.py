"""The pages of the quarantine, as a browser without script gets them."""

import httpx
import pytest

from overread.errors import InputError
from service.intake.closing import close_study
from service.store.database import Store
from service.store.quarantine import list_actions, load_entry
from service.store.records import QuarantineState
from service.store.worklist import load_case
from tests.service.desk.test_pages import PERSON, get
from tests.service.material import NOW, STUDY, after, dicom_bytes, send_image, send_report


def refuse_reports(store: Store, count: int = 1) -> None:
    for number in range(count):
        with pytest.raises(InputError):
            send_report(store, f"No mass {number}", accession=None)


def refuse_image(store: Store) -> None:
    send_image(store)
    with pytest.raises(InputError):
        send_image(store, dicom_bytes(number=2, PatientID="P2"))


def post(api: httpx.Client, path: str, **form: str) -> httpx.Response:
    return api.post(f"/quarantine/{path}", data=form, headers=PERSON, follow_redirects=True)


def test_the_list_has_filters_states_and_pages(api: httpx.Client, sqlite_store: Store) -> None:
    refuse_reports(sqlite_store, 51)
    refuse_image(sqlite_store)

    page = get(api, "/quarantine")
    assert "Waiting 52 Resolved 0 Discarded 0 All 52" in page.text
    assert "Entry 52" in page.text
    assert "Entry 2 " not in page.text
    older = get(api, page.links["Older"])
    assert "Entry 1 " in older.text
    images = get(api, "/quarantine?kind=image")
    assert "Waiting 1 " in images.text
    assert "another patient" in images.text
    assert "Waiting 51 " in get(api, "/quarantine?reason=INVALID_REPORT").text
    assert "Quarantine is empty" in get(api, "/quarantine?since=2030-01-01").text
    assert "Waiting 52 " in get(api, "/quarantine?state=no&kind=no&since=no").text


def test_an_entry_says_when_a_report_was_issued(api: httpx.Client, sqlite_store: Store) -> None:
    with pytest.raises(InputError):
        send_report(sqlite_store, "No mass.", accession=None, issued=after(-86_400))
    refuse_image(sqlite_store)

    assert "Issued 2026-02-28 12:00:00 UTC" in get(api, "/quarantine/1").text
    assert "Issued" not in get(api, "/quarantine/2").text
    answer = api.get("/api/v1/quarantine/1").json()["entry"]
    assert (answer["report_status"], answer["report_issued_at"]) == ("FINAL", "2026-02-28T12:00:00Z")


def test_an_entry_says_whose_it_is_only_on_request(api: httpx.Client, sqlite_store: Store) -> None:
    refuse_reports(sqlite_store)
    refuse_image(sqlite_store)

    for number, secret in ((1, "No mass 0"), (2, "Doe^Jane")):
        hidden = api.get(f"/quarantine/{number}", headers=PERSON).text
        assert secret not in hidden
        assert "P1" not in hidden
        assert secret in api.get(f"/quarantine/{number}?reveal=yes", headers=PERSON).text


def test_a_report_is_put_right_on_the_page_and_leads_to_its_case(
    api: httpx.Client, sqlite_store: Store
) -> None:
    refuse_reports(sqlite_store)

    shown = post(api, "1/correct", accession_number="A1", charset="utf-8", name="Dr Roe")

    assert shown.status_code == 200
    assert 'href="/cases/1"' in shown.text
    assert "Corrected and sent again (accession number A1), stored, by Dr Roe (page 127.0.0.1)" in shown.text
    assert load_case(sqlite_store, 1).summary.accession_number == "A1"
    assert load_case(sqlite_store, 1).patient_id == "P1"  # a field that was not shown changes nothing
    assert "Resolved 1 " in get(api, "/quarantine").text
    assert "Entry 1 " in get(api, "/quarantine?state=resolved").text


def test_what_the_form_showed_and_a_person_emptied_is_left_out(
    api: httpx.Client, sqlite_store: Store
) -> None:
    send_image(sqlite_store)
    close_study(sqlite_store, STUDY, now=NOW)
    with pytest.raises(InputError):
        send_report(sqlite_store, patient="P9")

    post(api, "1/correct", accession_number="A1", patient_id="", revealed="yes", name="Dr Roe")

    assert list_actions(sqlite_store, 1)[0].correction.patient_id == ""
    assert load_entry(sqlite_store, 1).state is QuarantineState.RESOLVED


def test_a_patient_id_that_a_person_gave_is_shown_only_on_request(
    api: httpx.Client, sqlite_store: Store
) -> None:
    refuse_reports(sqlite_store)

    hidden = post(api, "1/correct", accession_number="A1", patient_id="P77", name="Dr Roe").text

    assert "(accession number A1, patient id)" in hidden
    assert "P77" not in hidden
    assert "patient id P77" in api.get("/quarantine/1?reveal=yes", headers=PERSON).text


def test_an_image_is_accepted_or_refused_again_and_the_page_says_which(
    api: httpx.Client, sqlite_store: Store
) -> None:
    refuse_image(sqlite_store)

    assert "refused again" in post(api, "1/replay", name="Dr Roe").text
    shown = post(api, "1/correct", accepts="yes", name="Dr Roe").text
    assert "its case opens when the images count as complete" in shown


def test_a_person_discards_with_a_reason_and_a_name(api: httpx.Client, sqlite_store: Store) -> None:
    refuse_reports(sqlite_store)

    assert post(api, "1/discard", because="a test", name="").status_code == 422
    assert post(api, "1/discard", because="", name="Dr Roe").status_code == 422
    shown = post(api, "1/discard", because="a test", name="Dr Roe")

    assert "Discarded, by Dr Roe (page 127.0.0.1): a test" in shown.text
    assert "Discard</button>" not in shown.text
    assert post(api, "1/discard", because="again", name="Dr Roe").status_code == 409


def test_all_that_is_shown_is_sent_again_at_once(api: httpx.Client, sqlite_store: Store) -> None:
    refuse_reports(sqlite_store, 2)
    refuse_image(sqlite_store)

    answer = post(api, "replay?kind=report", name="Dr Roe")

    assert str(answer.url).endswith("/quarantine?state=waiting&kind=report")
    assert [len(list_actions(sqlite_store, number)) for number in (1, 2, 3)] == [1, 1, 0]


def test_an_entry_that_is_not_there_is_told_in_words(api: httpx.Client) -> None:
    missing = api.get("/quarantine/7", headers=PERSON)
    assert missing.status_code == 404
    assert "there is no entry 7" in missing.text

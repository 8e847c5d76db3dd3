import pytest

from overread.case import CaseState
from overread.errors import InputError, NotFoundError
from service.intake.closing import close_study
from service.store.order import Selection
from service.store.quarantine import count_quarantine, list_quarantine
from service.store.worklist import (
    count_cases,
    find_case,
    list_numbers,
    list_worklist,
    load_case,
    load_instance,
)
from tests.service.material import (
    BLACK,
    CLEAR,
    MASS,
    NOW,
    WHITE,
    after,
    dicom_bytes,
    ready_case,
    send_image,
    send_report,
    triaged_case,
)


def listed(page) -> list[int]:
    return [case.case_id for case in page.cases]


def in_states(store, *states: CaseState) -> list[int]:
    return listed(list_worklist(store, Selection(states=states), now=NOW))


def test_the_worklist_starts_with_the_highest_priority_and_among_equals_with_the_oldest(store) -> None:
    later = triaged_case(store, 1, value=WHITE, now=after(2))
    weaker = triaged_case(store, 2, value=140, now=after(0))
    sooner = triaged_case(store, 3, value=WHITE, now=after(1))

    assert listed(list_worklist(store, now=NOW)) == [sooner, later, weaker]


def test_the_numbers_alone_are_in_the_order_of_the_list(store) -> None:
    for number, value in ((1, 140), (2, WHITE), (3, 200)):
        triaged_case(store, number, value=value)
    order = listed(list_worklist(store, now=NOW))

    assert list_numbers(store, Selection(), now=NOW, limit=10) == tuple(order)
    assert list_numbers(store, Selection(), now=NOW, limit=2) == tuple(order[:2])


def test_the_worklist_shows_only_the_states_asked_for(store) -> None:
    discrepant = triaged_case(store, 1)
    concordant = triaged_case(store, 2, value=WHITE, report=MASS)
    waiting = ready_case(store, 3)

    assert listed(list_worklist(store, now=NOW)) == [discrepant]
    assert in_states(store, CaseState.CONCORDANT) == [concordant]
    assert set(in_states(store, *CaseState)) == {discrepant, concordant, waiting}
    assert in_states(store) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 50])
def test_pages_give_every_case_once_and_in_order(store, limit) -> None:
    for number, value in ((1, WHITE), (2, WHITE), (3, 140)):
        triaged_case(store, number, value=value, now=NOW)
    for number in range(4, 10):  # two states, ties in priority, ties in time
        ready_case(store, number, now=after(number // 2))
    states = Selection(states=[CaseState.LISTED, CaseState.READY])
    whole = listed(list_worklist(store, states, now=NOW, limit=1000))

    pages, position = [], None
    while True:
        page = list_worklist(store, states, now=NOW, after=position, limit=limit)
        pages += listed(page)
        position = page.next
        if position is None:
            break

    assert pages == whole
    assert len(set(pages)) == 9


@pytest.mark.parametrize("position", ["", "?", "AAAA", "MS4wIDIwMjYtMDEtMDEgMQ", "ÿ"])
def test_a_position_that_no_page_gave_is_refused(sqlite_store, position) -> None:
    with pytest.raises(InputError, match="start again"):
        list_worklist(sqlite_store, now=NOW, after=position)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_a_sensible_size(sqlite_store, limit) -> None:
    with pytest.raises(InputError, match="1000"):
        list_worklist(sqlite_store, now=NOW, limit=limit)


def test_a_line_says_what_the_images_say_of_the_study(store) -> None:
    case_id = triaged_case(store)

    (line,) = list_worklist(store, now=NOW).cases

    assert line.case_id == case_id
    assert (line.modality, line.body_part, line.accession_number) == ("DX", "CHEST", "A1")
    assert line.reasons[0].startswith("Possible miss")
    assert line.subspecialty is not None


def test_a_case_shows_every_version_of_its_report_and_which_one_counts(store) -> None:
    case_id = ready_case(store)
    send_report(store, MASS, now=after(1))

    case = load_case(store, case_id)

    assert [report.text for report in case.reports] == [CLEAR, MASS]
    assert case.report.text == MASS
    assert case.triage is None
    assert case.triaged_report is None


def test_a_case_before_its_images_come_shows_what_the_report_said(store) -> None:
    case = load_case(store, send_report(store).case_id)

    assert case.study is None
    assert case.instances == ()
    assert (case.patient_id, case.summary.accession_number) == ("P1", "A1")


def test_what_is_not_there_is_not_found(store) -> None:
    with pytest.raises(NotFoundError):
        load_case(store, 1)
    with pytest.raises(NotFoundError):
        find_case(store, "2.25.1")
    with pytest.raises(NotFoundError):
        load_instance(store, "2.25.1.1.1")


def test_cases_and_instances_are_found_by_their_uids(store) -> None:
    send_image(store)
    close_study(store, "2.25.1", now=NOW)

    assert load_case(store, find_case(store, "2.25.1")).study.study_instance_uid == "2.25.1"
    assert load_instance(store, "2.25.1.1.1").path.read_bytes() == dicom_bytes()


def test_every_state_is_counted(store) -> None:
    triaged_case(store, 1)
    triaged_case(store, 2, value=BLACK)
    triaged_case(store, 3, value=BLACK)
    send_report(store, accession="A9")

    counts = count_cases(store)

    assert counts[CaseState.LISTED] == 1
    assert counts[CaseState.CONCORDANT] == 2
    assert counts[CaseState.AWAITING_IMAGES] == 1
    assert counts[CaseState.FAILED] == 0
    assert set(counts) == set(CaseState)


def test_the_quarantine_shows_the_latest_first_in_pages(store) -> None:
    for number in range(3):
        with pytest.raises(InputError):
            send_image(store, b"x" * (number + 1), now=after(number))

    assert [entry.size_bytes for entry in list_quarantine(store, limit=2)] == [3, 2]
    assert [entry.size_bytes for entry in list_quarantine(store, limit=2, offset=2)] == [1]
    assert count_quarantine(store) == 3

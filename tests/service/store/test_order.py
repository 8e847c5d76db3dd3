from datetime import timedelta

import pytest

from overread.case import CaseState
from service.store.order import Selection
from service.store.worklist import list_worklist, load_case
from tests.service.material import CLEAR, after, ready_case, send_report, triaged_case
from tests.service.triage.test_worker import drain
from tests.service.web.seeing import seen_case

HOUR = 3600
URGENT, BONE, HEART, LUNG = "pneumothorax", "rib_fracture", "cardiomegaly", "mass"


def listed(store, seconds: float, **options) -> list[int]:
    page = list_worklist(store, Selection(**options), now=after(seconds), limit=1000)
    return [case.case_id for case in page.cases]


def test_a_case_that_waited_longer_than_allowed_comes_first_by_the_clock_alone(store) -> None:
    lung = seen_case(store, 1, findings=(LUNG,))
    urgent = seen_case(store, 2, findings=(URGENT,))
    lung_time_runs_out = 72 * HOUR + 1  # listed one second after NOW

    assert listed(store, 60) == [urgent, lung]
    # Both are late then; the urgent one's hour ran out long before.
    assert listed(store, lung_time_runs_out + 1) == [urgent, lung]
    later = triaged_case(store, 3, now=after(lung_time_runs_out))
    assert listed(store, lung_time_runs_out + 1) == [urgent, lung, later]


def test_the_one_whose_time_ran_out_first_leads_whatever_its_priority(store) -> None:
    heart = seen_case(store, 1, findings=(HEART,))
    fresh = [triaged_case(store, number, now=after(72 * HOUR)) for number in (2, 3)]

    first = list_worklist(store, now=after(72 * HOUR + 2)).cases[0]

    assert first.case_id == heart
    assert first.priority < load_case(store, fresh[0]).summary.priority
    assert listed(store, 72 * HOUR) == [*fresh, heart]


def test_the_wait_begins_when_a_case_is_first_listed_and_a_new_report_does_not_restart_it(store) -> None:
    case_id = triaged_case(store)
    begun = load_case(store, case_id).summary.waiting_since
    send_report(store, f"{CLEAR} Addition.", now=after(HOUR))
    assert listed(store, HOUR) == []

    drain(store, now=after(2 * HOUR))

    again = load_case(store, case_id).summary
    assert (again.state, again.waiting_since) == (CaseState.LISTED, begun)
    assert again.overdue_at == begun + timedelta(hours=72)
    assert again.open_to_all_at == begun + timedelta(hours=36)


def test_a_case_that_leaves_the_list_waits_no_more(store) -> None:
    case_id = triaged_case(store)
    send_report(store, "There is a mass.", now=after(HOUR))

    drain(store, now=after(2 * HOUR))

    case = load_case(store, case_id).summary
    assert (case.state, case.waiting_since, case.overdue_at) == (CaseState.CONCORDANT, None, None)


def test_a_subspecialty_sees_its_own_cases_and_others_only_after_half_of_their_time(store) -> None:
    bone = seen_case(store, 1, findings=(BONE,))  # 8 h allowed
    heart = seen_case(store, 2, findings=(HEART,))  # 72 h
    lung = seen_case(store, 3, findings=(LUNG,))  # 72 h

    assert listed(store, 60, subspecialty="cardiac") == [heart]
    assert listed(store, 60, subspecialty="thoracic") == [lung]
    assert listed(store, 4 * HOUR + 2, subspecialty="thoracic") == [lung, bone]
    assert listed(store, 8 * HOUR + 2, subspecialty="thoracic") == [bone, lung]  # nothing starves
    assert listed(store, 36 * HOUR + 2, subspecialty="cardiac") == [bone, heart, lung]
    assert listed(store, 60, subspecialty="neuro") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
@pytest.mark.parametrize("subspecialty", [None, "thoracic"])
def test_pages_give_every_case_once_in_the_order_of_the_first_page(store, limit, subspecialty) -> None:
    for number, finding in enumerate((URGENT, LUNG, BONE, LUNG, HEART, URGENT, BONE), start=1):
        seen_case(store, number, findings=(finding,))
    ready_case(store, 8)
    moment = 8 * HOUR - 10  # two are late, and two more will be while the pages are read
    options = {"states": [CaseState.LISTED, CaseState.READY], "subspecialty": subspecialty}
    whole = listed(store, moment, **options)

    pages, position, reads = [], None, 0
    while True:
        now = after(moment + 60 * reads)
        page = list_worklist(store, Selection(**options), now=now, after=position, limit=limit)
        pages += [case.case_id for case in page.cases]
        position, reads = page.next, reads + 1
        if position is None:
            break

    assert pages == whole
    assert len(pages) == len(set(pages)) >= 6


def test_a_case_that_no_one_waits_for_is_never_late(store) -> None:
    waiting = ready_case(store, 1)

    assert listed(store, 10_000 * HOUR, states=[CaseState.READY]) == [waiting]
    assert load_case(store, waiting).summary.overdue_at is None

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overread.case import CaseState
from overread.errors import NotFoundError
from service.intake.closing import close_quiet_studies, close_study
from service.store.database import open_store
from service.store.records import ReportStatus
from service.store.worklist import count_cases, find_case, load_case
from tests.service.material import NOW, after, dicom_bytes, send_image, send_report

QUIET = 30.0  # the default


def state(store) -> CaseState:
    return load_case(store, find_case(store, "2.25.1")).summary.state


def test_a_study_closes_when_no_image_has_come_for_the_quiet_period(store) -> None:
    send_image(store, now=NOW)
    send_image(store, dicom_bytes(number=2), now=after(20))

    assert close_quiet_studies(store, now=after(20 + QUIET - 0.001)) == 0
    assert close_quiet_studies(store, now=after(20 + QUIET)) == 1
    assert close_quiet_studies(store, now=after(1e6)) == 0

    case = load_case(store, find_case(store, "2.25.1"))
    assert case.summary.state is CaseState.AWAITING_REPORT
    assert case.study.closed_at == after(20 + QUIET)


def test_a_report_that_came_while_images_arrived_makes_the_case_ready_at_closing(store) -> None:
    send_image(store)
    assert send_report(store).state is CaseState.AWAITING_IMAGES

    close_quiet_studies(store, now=after(QUIET))

    assert state(store) is CaseState.READY


def test_closing_a_closed_study_changes_nothing(store) -> None:
    send_image(store)
    close_study(store, "2.25.1", now=NOW)

    assert close_study(store, "2.25.1", now=after(5)) is CaseState.AWAITING_REPORT
    assert len(load_case(store, 1).events) == 1


def test_a_study_without_images_cannot_be_closed(store) -> None:
    with pytest.raises(NotFoundError, match=r"2\.25\.9"):
        close_study(store, "2.25.9", now=NOW)


def test_a_further_image_keeps_a_case_waiting_for_its_report(store) -> None:
    send_image(store)
    close_study(store, "2.25.1", now=NOW)
    send_image(store, dicom_bytes(number=2), now=after(1))

    assert close_study(store, "2.25.1", now=after(2)) is CaseState.AWAITING_REPORT
    assert send_report(store).state is CaseState.READY


def test_halves_that_arrive_at_the_same_moment_never_miss_each_other(store) -> None:
    def both(number: int) -> None:
        study, accession = f"2.25.{number}", f"A{number}"
        send_image(store, dicom_bytes(study=study, AccessionNumber=accession))
        with ThreadPoolExecutor(2) as pair:
            closing = pair.submit(close_study, store, study, now=NOW)
            report = pair.submit(send_report, store, accession=accession)
            closing.result()
            report.result()

    for number in range(1, 11):
        both(number)

    assert count_cases(store)[CaseState.READY] == 10
    assert sum(count_cases(store).values()) == 10


STEPS = st.lists(
    st.sampled_from(["image", "another image", "close", "preliminary", "final", "corrected"]), max_size=8
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_in_whatever_order_things_come_the_case_is_ready_exactly_when_both_halves_are_there(
    sqlite_store, tmp_path_factory, steps
) -> None:
    folder = tmp_path_factory.mktemp("order")
    url = f"sqlite:///{folder}/db.sqlite3"
    store = open_store(sqlite_store.settings.model_copy(update={"data_folder": folder, "database_url": url}))
    actions = {
        "image": lambda: send_image(store),
        "another image": lambda: send_image(store, dicom_bytes(number=2)),
        "preliminary": lambda: send_report(store, "Draft.", status=ReportStatus.PRELIMINARY),
        "final": lambda: send_report(store),
        "corrected": lambda: send_report(store, "Corrected.", status=ReportStatus.CORRECTED),
    }
    arrived, closed, reported = False, False, False
    for step in steps:
        if step == "close":
            if arrived:
                close_study(store, "2.25.1", now=NOW)
                closed = True
            continue
        actions[step]()
        arrived = arrived or "image" in step
        reported = reported or step in {"final", "corrected"}

    counts = count_cases(store)
    store.close()
    assert counts[CaseState.READY] == (1 if closed and reported else 0)
    assert sum(counts.values()) <= 1

"""Figures of the queue, on SQLite and PostgreSQL."""

from overread.case import CaseState
from service.store.database import Store
from service.store.queue import claim_case, release_case
from service.store.queue_figures import read_queue_figures
from tests.service.material import BLACK, after, ready_case, send_report, triaged_case


def test_an_empty_installation_has_no_oldest_case(store: Store) -> None:
    figures = read_queue_figures(store)
    assert set(figures.cases) == set(CaseState)
    assert set(figures.cases.values()) == {0}
    assert (figures.ready_since, figures.listed_since) == (None, None)


def test_the_oldest_case_of_each_kind_is_found(store: Store) -> None:
    for seconds, number in ((10, 1), (5, 2)):
        triaged_case(store, number, now=after(seconds))
    for seconds, number in ((30, 3), (20, 4)):
        ready_case(store, number, now=after(seconds))
    send_report(store, accession="A9")

    figures = read_queue_figures(store)

    expected = {CaseState.LISTED: 2, CaseState.READY: 2, CaseState.AWAITING_IMAGES: 1}
    assert {state: count for state, count in figures.cases.items() if count} == expected
    assert (figures.ready_since, figures.listed_since) == (after(20), after(5))


def test_a_case_that_pauses_after_a_fault_waits_from_the_end_of_its_pause(store: Store) -> None:
    ready_case(store)
    claimed = claim_case(store, worker="w", now=after(1))
    assert claimed is not None
    release_case(store, claimed.lease, "a fault", now=after(2), failed=True)

    assert read_queue_figures(store).ready_since == after(2 + store.settings.retry_seconds)


def test_a_concordant_case_waits_for_nobody(store: Store) -> None:
    triaged_case(store, value=BLACK)
    assert read_queue_figures(store).listed_since is None

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select

from benchmarks.sending import Parcel, Way
from service.intake.closing import close_study
from service.intake.instances import begin_instance, receive_instance
from service.intake.reports import IncomingReport, receive_report
from service.store.database import Store
from service.store.queue import claim_case
from service.store.records import ReportStatus
from service.store.schema import instances, report_versions, triage_results
from tests.service.faults.chaos.ledger import Holdings, Ledger, Reckoning, read_holdings, reckon
from tests.service.faults.chaos.load import Consignment, Load
from tests.service.material import NOW, triage_one


def the_first(shape: str, *, seed: int = 1) -> Consignment:
    load = Load(seed=seed, start=datetime(2026, 3, 1, tzinfo=UTC))
    made = getattr(load, shape)()
    assert isinstance(made, Consignment)
    return made


def take(store: Store, consignment: Consignment) -> Ledger:
    """Take a consignment into the store as listeners and a worker do; all of it is acknowledged."""
    ledger = Ledger()
    ledger.announce(consignment)
    for parcel in consignment.parcels:
        receive(store, parcel)
        ledger.acknowledge(parcel)
    for accession in ledger.expected:
        close_study(store, f"2.25.{accession.removeprefix('A')}", now=NOW)
    while (claimed := claim_case(store, worker="w", now=NOW)) is not None:
        triage_one(store, claimed, clock=lambda: NOW)
    return ledger


def receive(store: Store, parcel: Parcel) -> None:
    if parcel.image:
        with begin_instance(store) as incoming:
            incoming.write(parcel.image)
            receive_instance(store, incoming, source="test", now=NOW)
        return
    for accession in (parcel.accession, *parcel.further):
        report = IncomingReport(
            content=parcel.report,
            status=ReportStatus(parcel.status),
            accession_number=accession,
            issued_at=parcel.issued_at,
            source="test",
        )
        receive_report(store, report, now=NOW)


def reckoned(store: Store, ledger: Ledger) -> Reckoning:
    return reckon(ledger, read_holdings(store, frozenset(ledger.expected)))


def test_what_is_stored_and_concluded_once_is_perfect_in_every_shape(sqlite_store: Store) -> None:
    load = Load(seed=1, start=NOW)
    shapes = (load.pair, load.two_images, load.preliminary, load.corrected, load.addendum, load.shared_report)
    parcels, expected = [], []
    for shape in shapes:
        made = load.with_repeats(shape())
        parcels += made.parcels
        expected += made.expected
    ledger = take(sqlite_store, Consignment(parcels=tuple(parcels), expected=tuple(expected)))

    reckoning = reckoned(sqlite_store, ledger)

    assert reckoning.is_perfect, reckoning
    assert reckoning.studies == reckoning.triaged_once == 7
    assert reckoning.acknowledged >= reckoning.distinct == reckoning.stored


def test_a_report_that_was_acknowledged_and_not_stored_is_lost(sqlite_store: Store) -> None:
    ledger = take(sqlite_store, the_first("pair"))
    ledger.waiting += 1
    ledger.acknowledge(Parcel(way=Way.HL7, accession="A1", report="Never stored."))

    reckoning = reckoned(sqlite_store, ledger)

    assert reckoning.lost == ("report of A1",)
    assert not reckoning.is_perfect


def test_an_acknowledged_object_is_lost_without_its_row_and_without_its_bytes(sqlite_store: Store) -> None:
    ledger = take(sqlite_store, the_first("two_images"))
    with sqlite_store.writing() as connection:
        first, second = connection.execute(select(instances.c.sop_instance_uid, instances.c.sha256)).all()
        connection.execute(delete(instances).where(instances.c.sop_instance_uid == first[0]))
    sqlite_store.files.path_of(second[1]).unlink()

    assert reckoned(sqlite_store, ledger).lost == ("object of A1", "object of A1")


def test_a_report_that_is_stored_twice_is_found(sqlite_store: Store) -> None:
    ledger = take(sqlite_store, the_first("pair"))
    with sqlite_store.writing() as connection:
        row = connection.execute(report_versions.select()).mappings().one()
        connection.execute(insert(report_versions).values({**row, "version": 2}))

    assert reckoned(sqlite_store, ledger).twice == ("report of A1",)


def test_a_study_that_is_triaged_more_often_than_it_changed_is_found(sqlite_store: Store) -> None:
    ledger = take(sqlite_store, the_first("pair"))
    with sqlite_store.writing() as connection:
        row = connection.execute(triage_results.select()).mappings().one()
        connection.execute(insert(triage_results).values({**row, "revision": 2}))

    reckoning = reckoned(sqlite_store, ledger)

    assert reckoning.twice == ("result of A1",)
    assert reckoning.triaged_once == 0


def test_a_correction_that_does_not_count_is_lost(sqlite_store: Store) -> None:
    made = the_first("corrected")
    ledger = take(sqlite_store, made)
    of_the_first = replace(made.expected[0], in_force=("another text",))
    ledger.expected = {"A1": of_the_first}

    assert reckoned(sqlite_store, ledger).lost == ("latest report of A1 does not count",)


def test_what_was_not_acknowledged_may_be_missing_but_is_not_done() -> None:
    ledger = Ledger()
    ledger.announce(the_first("pair"))

    reckoning = reckon(ledger, Holdings(objects=Counter(), reports=Counter(), cases=()))

    assert reckoning.lost == ()
    assert not reckoning.is_settled
    assert (reckoning.waiting, len(reckoning.open)) == (2, 1)


def test_the_load_is_the_same_for_the_same_seed() -> None:
    def first(seed: int) -> list[Consignment]:
        load = iter(Load(seed=seed, start=NOW))
        return [next(load) for _ in range(12)]

    assert first(3) == first(3)
    assert first(3) != first(4)
    ways = {parcel.way for made in first(3) for parcel in made.parcels}
    assert ways == set(Way)

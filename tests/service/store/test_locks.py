"""Each lock keeps a second process from deciding by what the first is about to change: on PostgreSQL."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from models.registry import DEFAULT_REGISTRY, Change, Entry, Registry
from overread.actor import Actor
from overread.case import CaseState
from overread.errors import (
    ConfigurationError,
    ContradictionError,
    InvalidDicomError,
    OutOfResourcesError,
    TransitionError,
)
from overread.priority import shipped_policy_text
from service.audit_trail.verification import verify_trail
from service.intake.closing import close_study
from service.intake.receipt import ReceiptOutcome
from service.store import locks
from service.store.audit_trail import count_unsealed, record_acts, seal_trail
from service.store.case_counts import fold_counts
from service.store.commitments import Commitment, CommitmentRequest, ReferencedInstance, record_commitment
from service.store.database import Store, open_engine, open_store
from service.store.detector_registry import read_registry, save_registry
from service.store.fetches import note_priors
from service.store.leases import NamedLease, take_lease
from service.store.migration import migrate
from service.store.policies import activate_policy, list_policies
from service.store.quarantine import discard, list_actions, list_quarantine
from service.store.records import QuarantineKind
from service.store.refusals import Refusal, refuse, refuse_kept
from service.store.removal import Removal, drop_removed, mark_removed, remove_refused
from service.store.worklist import count_cases, find_case, load_case
from tests.service.audit_trail.material import view
from tests.service.conftest import settings_on
from tests.service.material import (
    ACCESSION,
    BLACK,
    CLEAR,
    MASS,
    NOW,
    STUDY,
    after,
    dicom_bytes,
    ready_case,
    send_image,
    send_report,
)
from tests.service.store.plain_cases import lay_down_cases
from tests.service.store.racing import COMMIT, race

MIGRATE = (  # what Alembic works on is one to a process
    "import sys; from pathlib import Path; from service.store.database import open_engine; "
    "from service.store.migration import migrate; migrate(open_engine(sys.argv[1]), Path(sys.argv[2]))"
)


@pytest.fixture
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """The same installation as two processes open it."""
    settings = settings_on("postgresql", request, tmp_path)
    first, second = open_store(settings), open_store(settings)
    yield first, second
    first.close()
    second.close()


def run(
    stores: tuple[Store, Store],
    first: Callable[[Store], object],
    second: Callable[[Store], object],
    *,
    at: str = COMMIT,
) -> tuple[Any, Any]:
    one, other = stores
    return race(one.engine, lambda: first(one), lambda: second(other), watch=other.engine, at=at)


def cases(store: Store) -> int:
    return sum(count_cases(store).values())


def test_a_lock_has_the_same_number_in_every_process() -> None:
    assert locks.study("2.25.1").key == 2671923986089623435
    assert locks.study("2.25.1").key != locks.accession("2.25.1").key


def test_study_two_first_images_are_of_one_study(stores) -> None:
    outcomes = run(
        stores,
        lambda store: send_image(store, dicom_bytes(number=1)).outcome,
        lambda store: send_image(store, dicom_bytes(number=2)).outcome,
    )

    assert outcomes == (ReceiptOutcome.STORED, ReceiptOutcome.STORED)


def close(store: Store) -> CaseState:
    return close_study(store, STUDY, now=NOW)


def report_by_study(store: Store) -> CaseState:
    return send_report(store, study=STUDY, accession=None).state


def report_by_accession(store: Store) -> CaseState:
    return send_report(store, accession=ACCESSION).state


@pytest.mark.parametrize("report", [report_by_study, report_by_accession])
@pytest.mark.parametrize("report_first", [True, False])
def test_study_and_accession_the_two_halves_of_a_case_find_each_other(stores, report, report_first) -> None:
    send_image(stores[0], dicom_bytes(AccessionNumber=None if report is report_by_study else ACCESSION))

    _, state = run(stores, *((report, close) if report_first else (close, report)))

    assert state is CaseState.READY
    assert cases(stores[0]) == 1


def test_accession_that_came_while_the_study_was_about_to_close_is_locked_too(stores) -> None:
    send_image(stores[0], dicom_bytes(number=1, AccessionNumber=None))
    sent: list[object] = []

    def send_second(*values: Any) -> None:
        if "FROM studies" in values[2] and not sent:
            sent.append(send_image(stores[1], dicom_bytes(number=2)))

    event.listen(stores[0].engine, "after_cursor_execute", send_second)
    _, state = run(stores, close, report_by_accession, at="UPDATE studies SET closed_at")

    assert state is CaseState.READY
    assert cases(stores[0]) == 1


def test_accession_two_versions_of_a_report_are_of_one_case(stores) -> None:
    first, second = run(stores, send_report, lambda store: send_report(store, MASS))

    assert (first.case_id, first.version) == (second.case_id, 1)
    assert second.version == 2


def test_accession_of_two_versions_at_once_the_one_that_was_made_later_counts(stores) -> None:
    first, second = run(
        stores,
        lambda store: send_report(store, MASS, issued=after(-10)),
        lambda store: send_report(store, CLEAR, issued=after(-20)),
    )

    assert (first.version, second.version) == (1, 2)
    assert load_case(stores[0], 1).report.text == MASS


@pytest.mark.parametrize("second_issued", [-10, 0], ids=["older", "newer"])
def test_the_case_itself_keeps_apart_versions_that_name_it_in_different_ways(stores, second_issued) -> None:
    case_id = ready_case(stores[0], now=after(-60))
    first, second = run(
        stores,
        lambda store: send_report(store, "First.", issued=after(-5)),
        lambda store: send_report(store, "Second.", issued=after(second_issued), accession=None, study=STUDY),
    )

    assert (first.version, second.version) == (2, 3)
    assert load_case(stores[0], case_id).report.text == ("First." if second_issued < -5 else "Second.")


def test_instance_one_uid_in_two_studies_is_a_contradiction(stores) -> None:
    named = {"SOPInstanceUID": "2.25.9"}
    first, second = run(
        stores,
        lambda store: send_image(store, dicom_bytes(study="2.25.1", **named)).outcome,
        lambda store: send_image(store, dicom_bytes(study="2.25.2", **named)).outcome,
    )

    assert first is ReceiptOutcome.STORED
    assert isinstance(second, ContradictionError)
    assert [entry.reason for entry in list_quarantine(stores[0])] == ["CONTRADICTION"]


def test_instance_bytes_that_are_acknowledged_again_are_not_removed(stores) -> None:
    sop_instance_uid = send_image(stores[0], dicom_bytes(value=BLACK)).header.sop_instance_uid
    send_report(stores[0], CLEAR)
    close(stores[0])
    state = load_case(stores[0], find_case(stores[0], STUDY)).summary.state
    mark_removed(stores[0], STUDY, [sop_instance_uid], Removal(at=NOW, why="days", state=state))

    dropped, again = run(
        stores,
        lambda store: drop_removed(store, sop_instance_uid),
        lambda store: send_image(store, dicom_bytes(value=BLACK)),
        at="FROM instances",
    )

    assert dropped is True
    assert isinstance(again, OutOfResourcesError)
    assert send_image(stores[0], dicom_bytes(value=BLACK)).outcome is ReceiptOutcome.ALREADY_STORED


def refused(store: Store, *, kept: bool = False, reason: str = "INVALID_DICOM") -> None:
    """Refuse the same bytes, while they arrive or after they were kept."""
    refusal = Refusal(
        kind=QuarantineKind.INSTANCE, reason=reason, detail="no DICOM", source="test", received_at=NOW
    )
    with store.files.begin() as incoming:
        incoming.write(b"text")
        if kept:
            store.files.keep(incoming)
            refuse_kept(store, incoming.sha256, incoming.size_bytes, refusal)
        else:
            refuse(store, incoming, refusal)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("kept_before", [True, False])
def test_refused_bytes_what_is_refused_twice_is_one_entry(stores, kept_before, kept) -> None:
    outcomes = run(
        stores, lambda store: refused(store, kept=kept_before), lambda store: refused(store, kept=kept)
    )

    assert outcomes == (None, None)
    assert len(list_quarantine(stores[0])) == 1


def test_refused_bytes_a_report_set_apart_and_sent_again_is_one_entry(stores) -> None:
    send_report(stores[0], patient="P2")
    send_image(stores[0])

    again, state = run(
        stores,
        lambda store: send_report(store, patient="P2", study=STUDY),
        close,
        at="INSERT INTO quarantine",
    )

    assert isinstance(again, ContradictionError)
    assert state is CaseState.AWAITING_REPORT
    assert len(list_quarantine(stores[0])) == 1


def test_refused_bytes_that_are_refused_again_are_not_removed(stores) -> None:
    with pytest.raises(InvalidDicomError):
        send_image(stores[0], b"text")
    (entry,) = list_quarantine(stores[0])
    discard(stores[0], entry.quarantine_id, actor=Actor.unverified("someone"), because="no DICOM", now=NOW)

    removed, again = run(
        stores,
        lambda store: remove_refused(store, entry.quarantine_id, entry.sha256, Removal(at=NOW, why="days")),
        lambda store: refused(store, reason="DAMAGED"),
        at="count(*)",
    )

    assert removed is True
    assert isinstance(again, OutOfResourcesError)
    assert len(list_quarantine(stores[0])) == 1


def test_quarantine_entry_is_discarded_once(stores) -> None:
    with pytest.raises(InvalidDicomError):
        send_image(stores[0], b"text")

    def throw(store: Store) -> None:
        discard(store, 1, actor=Actor.unverified("someone"), because="no DICOM", now=NOW)

    first, second = run(stores, throw, throw)

    assert first is None
    assert isinstance(second, TransitionError)
    assert len(list_actions(stores[0], 1)) == 1


def test_policy_comes_into_force_once(stores) -> None:
    def activate(store: Store) -> bool:
        return activate_policy(store, shipped_policy_text(), actor=Actor.unverified("someone"), now=NOW)

    assert run(stores, activate, activate) == (True, False)
    assert len(list_policies(stores[0])) == 1


def test_commitment_that_is_asked_for_twice_is_one(stores) -> None:
    request = CommitmentRequest(
        transaction_uid="2.25.7",
        requestor="MODALITY",
        called="OVERREAD",
        instances=(ReferencedInstance(sop_class_uid="1.2", sop_instance_uid="2.25.1"),),
    )

    def ask(store: Store) -> Commitment:
        return record_commitment(store, request, due_at=NOW, now=NOW)

    first, second = run(stores, ask, ask)

    assert isinstance(first, Commitment)
    assert first == second


def test_fetches_put_down_an_earlier_study_once(stores) -> None:
    def note(store: Store) -> int:
        return note_priors(store, [STUDY], now=NOW)

    assert run(stores, note, note) == (1, 0)


def test_lease_is_taken_by_one(stores) -> None:
    asked = NamedLease(name="work", owner="first", seconds=10.0)

    taken = run(
        stores,
        lambda store: take_lease(store, asked, now=NOW),
        lambda store: take_lease(store, replace(asked, owner="second"), now=NOW),
    )

    assert taken == (True, False)


def test_registry_is_changed_by_one(stores) -> None:
    def register(release: str) -> Callable[[Store], None]:
        change = Change(
            at=NOW, who="ada", action="activated", release=release, version=None, manifest_sha256=None
        )
        changed = Registry(entries=(Entry(release=release),), history=(change,))
        return lambda store: save_registry(store, changed, before=DEFAULT_REGISTRY)

    _, second = run(stores, register("first"), register("second"))

    assert isinstance(second, ConfigurationError)
    assert [entry.release for entry in read_registry(stores[0]).registry.entries] == ["first"]


def test_migration_is_made_by_one_process_while_others_wait(postgres, tmp_path) -> None:
    url = postgres.url(postgres.new_database())
    engine = open_engine(url)

    outcomes = race(
        engine,
        lambda: migrate(engine, tmp_path / "lock"),
        lambda: subprocess.run([sys.executable, "-c", MIGRATE, url, tmp_path], check=False).returncode,
        watch=engine,
        at="CREATE TABLE studies",
    )

    assert outcomes == (None, 0)
    engine.dispose()


def test_case_counts_are_added_up_by_one(stores) -> None:
    lay_down_cases(stores[0], 60)
    add_up = partial(fold_counts, changes=1)

    run(stores, add_up, add_up)
    assert cases(stores[1]) == 60


def test_audit_chain_is_continued_by_one(stores) -> None:
    record_acts(stores[0], [view(1), view(2)])

    assert sum(run(stores, seal_trail, seal_trail)) == 2
    assert verify_trail(stores[0]).is_sound
    assert count_unsealed(stores[0]) == (0, None)

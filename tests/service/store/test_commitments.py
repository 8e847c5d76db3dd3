import pytest
from sqlalchemy import select

from overread.errors import ContradictionError
from service.store.backlog import ATTEMPTS_MAX
from service.store.commitments import (
    CommitmentRequest,
    CommitmentState,
    ReferencedInstance,
    check_commitment,
    claim_commitment,
    conclude_commitment,
    postpone_commitment,
    record_commitment,
)
from service.store.database import Store
from service.store.schema import commitments
from tests.service.dicom.senders import STORAGE
from tests.service.material import NOW, after, send_image


def request(*uids: str, transaction: str = "2.25.7") -> CommitmentRequest:
    return CommitmentRequest(
        transaction_uid=transaction,
        requestor="PACS",
        called="OVERREAD",
        instances=tuple(ReferencedInstance(sop_class_uid=STORAGE, sop_instance_uid=uid) for uid in uids),
    )


def rows(store: Store):
    with store.reading() as connection:
        return connection.execute(select(commitments)).all()


def test_a_commitment_is_one_process_s_at_a_time_and_is_not_lost_with_it(store: Store) -> None:
    recorded = record_commitment(store, request("2.25.1"), due_at=after(10), now=NOW)

    assert claim_commitment(store, now=after(9)) is None
    claimed = claim_commitment(store, now=after(10))
    assert claimed is not None
    assert (claimed.request, claimed.attempts) == (recorded.request, 1)
    assert claim_commitment(store, now=after(11)) is None
    again = claim_commitment(store, now=after(10 + 120))  # the process died
    assert again is not None
    assert again.attempts == 2


def test_a_report_is_tried_ever_later_and_given_up_in_the_end(store: Store) -> None:
    record_commitment(store, request("2.25.1"), due_at=NOW, now=NOW)
    now, waits, state = NOW, [], CommitmentState.DUE
    while state is CommitmentState.DUE:
        claimed = claim_commitment(store, now=now)
        assert claimed is not None
        state = postpone_commitment(store, claimed, "no answer", now=now)
        (row,) = rows(store)
        waits.append((row.due_at - now).total_seconds())
        now = max(row.due_at, now)

    assert waits[:4] == [10, 20, 40, 80]
    assert max(waits) == 3600
    assert len(waits) == ATTEMPTS_MAX
    assert (row.state, row.detail) == ("GIVEN_UP", "no answer")
    assert claim_commitment(store, now=after(1e8)) is None


@pytest.mark.parametrize("jump", [-1e7, 1e7])
def test_a_clock_that_jumps_keeps_no_report_back(store: Store, jump: float) -> None:
    record_commitment(store, request("2.25.1"), due_at=after(20), now=NOW)

    claimed = claim_commitment(store, now=after(jump))

    assert claimed is not None
    assert postpone_commitment(store, claimed, "busy", now=after(jump)) is CommitmentState.DUE


def test_what_was_reported_is_not_reported_again_unless_it_is_asked_for_again(store: Store) -> None:
    first = record_commitment(store, request("2.25.1"), due_at=NOW, now=NOW)
    conclude_commitment(store, first, check_commitment(store, first.request), now=NOW)
    assert claim_commitment(store, now=after(60)) is None
    postpone_commitment(store, first, "a late failure of another attempt", now=after(60))
    assert [row.state for row in rows(store)] == ["REPORTED"]

    again = record_commitment(store, request("2.25.1"), due_at=after(90), now=after(90))

    assert again.commitment_id == first.commitment_id
    assert claim_commitment(store, now=after(90)) is not None
    with pytest.raises(ContradictionError, match=r"2\.25\.7"):
        record_commitment(store, request("2.25.2"), due_at=NOW, now=NOW)


def test_many_objects_are_checked_in_the_order_in_which_they_were_named(store: Store) -> None:
    send_image(store)
    uids = [f"2.25.9{number}" for number in range(1200)]

    result = check_commitment(store, request(*uids, "2.25.1.1.1"))

    assert [item.sop_instance_uid for item in result.kept] == ["2.25.1.1.1"]
    assert [item.sop_instance_uid for item, _ in result.failed] == uids

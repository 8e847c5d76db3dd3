"""What is over its time is found, however much there is that stays."""

from datetime import timedelta

from overread.case import CaseState
from service.store.database import Store
from service.store.expiry import expired_instances
from service.store.schema import cases, instances, studies
from tests.service.material import NOW

END = NOW + timedelta(days=30)
SECOND = timedelta(seconds=1)


def lay_down(store: Store, number: int, state: CaseState, *, images: int, open_again: bool = False) -> None:
    """A study of so many images, received one second after the other, and its case."""
    study, received = f"2.25.{number}", NOW + number * timedelta(hours=1)
    with store.writing() as connection:
        connection.execute(
            studies.insert(),
            {
                "study_instance_uid": study,
                "first_received_at": received,
                "last_received_at": received,
                "closed_at": None if open_again else received,
            },
        )
        connection.execute(
            cases.insert(),
            {
                "study_instance_uid": study,
                "state": state.value,
                "revision": 1,
                "priority": 0.0,
                "attempts": 1,
                "due_at": received,
                "opened_at": received,
                "updated_at": received,
            },
        )
        rows = [
            {
                "sop_instance_uid": f"{study}.1.{image}",
                "study_instance_uid": study,
                "series_instance_uid": f"{study}.1",
                "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.1",
                "transfer_syntax_uid": "1.2.840.10008.1.2.1",
                "sha256": f"{number * 10_000 + image:064x}",
                "size_bytes": 1,
                "source": "test",
                "received_at": received + image * SECOND,
            }
            for image in range(images)
        ]
        connection.execute(instances.insert(), rows)


def found(store: Store) -> list[str]:
    pages = expired_instances(store, [(CaseState.CONCORDANT, END)])
    return [each.sop_instance_uid for page in pages for each in page]


def test_pages_of_what_stays_are_passed_over(store) -> None:
    lay_down(store, 1, CaseState.CONCORDANT, images=1)
    lay_down(store, 2, CaseState.LISTED, images=1200)  # more than two pages
    lay_down(store, 3, CaseState.CONCORDANT, images=2)

    assert found(store) == ["2.25.1.1.0", "2.25.3.1.0", "2.25.3.1.1"]


def test_every_page_is_given_in_the_order_of_receipt(store) -> None:
    lay_down(store, 1, CaseState.CONCORDANT, images=1201)

    assert found(store) == [f"2.25.1.1.{image}" for image in range(1201)]


def test_what_was_received_too_late_or_is_open_again_stays(store) -> None:
    lay_down(store, 1, CaseState.CONCORDANT, images=1, open_again=True)
    lay_down(store, 24 * 31, CaseState.CONCORDANT, images=1)

    assert found(store) == []

"""Who is told of which cases: once for each cause and wait, many in one message, of nobody's patient."""

from dataclasses import replace

import pytest

from overread.actor import Actor
from overread.finding import Actionable
from service.adjudication.settings import SecondReadSettings
from service.store.drift import Period, add_look
from service.store.erasure import Erasure, erase_case
from service.store.notices import Cause, Want, Watch, load_notice, make_notice, make_test_notice
from service.store.outbox import Content, Query, list_deliveries, send_again
from service.store.reading_claims import Hold, hold_case
from tests.service.material import NOW, ROE, after, ready_case, triaged_case
from tests.service.store.releases.whole import whole_look
from tests.service.triage.test_worker import drain
from tests.service.web.seeing import seen_case

MINUTE, HOUR = 60, 3600
URGENT, LUNG = "pneumothorax", "mass"
EVERY = frozenset(Actionable)
TOP = frozenset({Actionable.MINUTES})
WAITING = Watch(destination="notice:pager", cause=Cause.WAITING, wants=(Want(urgencies=EVERY),))
CAP = Watch(destination="notice:pager", cause=Cause.CAP, wants=(Want(urgencies=EVERY),), cap_share=0.75)


def told(store) -> list[tuple[str, list[int]]]:
    """The messages in the outbox, in the order in which they were made: cause and cases."""
    found = sorted(
        list_deliveries(store, Query(content=Content.NOTICE), limit=100), key=lambda d: d.delivery_id
    )
    loaded = [load_notice(store, delivery.notice_id, named_max=100) for delivery in found]
    return [(notice.cause.value, sorted(notice.case_ids)) for notice in loaded]


def test_one_message_tells_of_all_that_wait_and_nobody_is_told_twice(store) -> None:
    cases = [triaged_case(store, number) for number in (1, 2, 3)]

    assert make_notice(store, WAITING, now=after(60)) == 3
    assert make_notice(store, WAITING, now=after(HOUR)) is None
    later = triaged_case(store, 4, now=after(HOUR))
    assert make_notice(store, WAITING, now=after(HOUR + 60)) == 1

    assert told(store) == [("WAITING", cases), ("WAITING", [later])]


def test_each_destination_is_told_for_itself(store) -> None:
    triaged_case(store)

    assert make_notice(store, WAITING, now=after(60)) == 1
    assert make_notice(store, replace(WAITING, destination="notice:chief"), now=after(60)) == 1


def test_of_another_urgency_than_is_wanted_nobody_is_told(store) -> None:
    seen_case(store, 1, findings=(LUNG,))
    urgent = seen_case(store, 2, findings=(URGENT,))

    assert make_notice(store, replace(WAITING, wants=(Want(urgencies=TOP),)), now=after(60)) == 1

    assert told(store) == [("WAITING", [urgent])]


def test_a_subspecialty_is_told_of_its_own_cases_alone(store) -> None:
    seen_case(store, 1, findings=("rib_fracture",))
    lung = seen_case(store, 2, findings=(LUNG,))
    thoracic = Want(urgencies=EVERY, subspecialty="thoracic")

    assert make_notice(store, replace(WAITING, wants=(thoracic,)), now=after(60)) == 1

    assert told(store) == [("WAITING", [lung])]


def test_a_case_is_told_of_once_it_has_waited_and_nobody_has_it(store) -> None:
    first, second = triaged_case(store, 1), triaged_case(store, 2)
    patient = replace(WAITING, untaken_seconds=5 * MINUTE)
    seconds = SecondReadSettings().claim_seconds
    hold_case(store, first, Hold(holder=ROE, at=after(60), seconds=seconds))

    assert make_notice(store, patient, now=after(4 * MINUTE)) is None
    assert make_notice(store, patient, now=after(5 * MINUTE)) == 1
    assert make_notice(store, patient, now=after(61 + seconds)) == 1  # the reader went away

    assert told(store) == [("WAITING", [second]), ("WAITING", [first])]


def test_the_end_of_the_allowed_wait_is_near_after_its_share_whoever_has_the_case(store) -> None:
    lung = triaged_case(store)  # 72 hours are allowed
    hold_case(store, lung, Hold(holder=ROE, at=after(60), seconds=100 * HOUR))

    assert make_notice(store, CAP, now=after(54 * HOUR - 1)) is None
    assert make_notice(store, CAP, now=after(54 * HOUR)) == 1

    assert told(store) == [("CAP", [lung])]


def test_each_urgency_has_its_own_end(store) -> None:
    urgent = seen_case(store, 1, findings=(URGENT,))  # an hour, listed one second after NOW
    seen_case(store, 2, findings=(LUNG,))

    assert make_notice(store, CAP, now=after(44 * MINUTE)) is None
    assert make_notice(store, CAP, now=after(45 * MINUTE + 1)) == 1

    assert told(store) == [("CAP", [urgent])]


def test_what_stands_below_the_line_waits_untold(store) -> None:
    above = [seen_case(store, number, findings=(URGENT,)) for number in range(1, 11)]  # ten at least
    below = seen_case(store, 11, findings=(LUNG,))

    make_notice(store, WAITING, now=after(60))
    make_notice(store, CAP, now=after(1000 * HOUR))

    assert told(store) == [("WAITING", above), ("CAP", above)]
    assert below not in above


def test_between_two_messages_of_one_cause_lies_a_pause_in_which_cases_gather(store) -> None:
    calm = replace(WAITING, pause_seconds=5 * MINUTE)
    first = triaged_case(store, 1)
    assert make_notice(store, calm, now=NOW) == 1
    gathered = [triaged_case(store, number, now=after(60)) for number in (2, 3)]

    assert make_notice(store, calm, now=after(5 * MINUTE - 1)) is None
    assert make_notice(store, replace(CAP, cap_share=0.0001), now=after(120)) == 3  # of another cause at once
    assert make_notice(store, calm, now=after(5 * MINUTE)) == 2

    assert [cases for cause, cases in told(store) if cause == "WAITING"] == [[first], gathered]


def test_a_message_names_the_most_urgent_first_and_counts_the_rest(store) -> None:
    lung = seen_case(store, 1, findings=(LUNG,))
    urgent = seen_case(store, 2, findings=(URGENT,))
    make_notice(store, WAITING, now=after(60))
    (delivery,) = list_deliveries(store, Query(), limit=9)

    notice = load_notice(store, delivery.notice_id, named_max=1)

    assert (notice.count, notice.case_ids) == (2, (urgent,))
    assert lung
    assert (delivery.form, delivery.case_id, delivery.result_id) == (Cause.WAITING, None, None)
    assert delivery.message_id == notice.message_id


def test_an_erased_case_is_in_no_message_any_more(sqlite_store) -> None:
    first, second, _ = (seen_case(sqlite_store, number, findings=(LUNG,)) for number in (1, 2, 3))
    make_notice(sqlite_store, WAITING, now=after(60))
    for number in (1, 2):
        with sqlite_store.writing() as connection:
            connection.exec_driver_sql(
                "UPDATE instances SET removed_at = received_at, removed_why = 'test' "
                f"WHERE study_instance_uid = '2.25.{number}'"
            )

    assert erase_case(sqlite_store, first, Erasure(actor=ROE, at=NOW, why="asked for")) is None

    assert told(sqlite_store) == [("WAITING", [second, 3])]


def test_messages_are_found_by_case_and_apart_from_results(store) -> None:
    case_id = triaged_case(store)
    make_notice(store, WAITING, now=after(60))
    make_test_notice(store, "notice:pager", now=after(60), actor=Actor.account("root"))

    assert len(list_deliveries(store, Query(), limit=9)) == 2
    assert len(list_deliveries(store, Query(case_id=case_id), limit=9)) == 1
    assert list_deliveries(store, Query(content=Content.RESULT), limit=9) == ()
    assert send_again(store, Query(content=Content.RESULT), now=after(60)) == 0
    assert send_again(store, Query(content=Content.NOTICE), now=after(60)) == 2


@pytest.mark.parametrize(("site", "seen"), [("north", 1), ("south", 0)])
def test_who_is_bound_to_a_site_sees_messages_about_its_cases_alone(store, site, seen) -> None:
    ready_case(store, 1, site="north")
    drain(store, now=after(1))
    make_notice(store, WAITING, now=after(60))
    make_test_notice(store, "notice:pager", now=after(60), actor=ROE)

    assert len(list_deliveries(store.seen_from([site]), Query(), limit=9)) == seen


DRIFT = Watch(destination="notice:chief", cause=Cause.DRIFT)
PROGRAM = Actor.program("overread drift")


def test_a_drift_is_told_once_to_each_destination_that_wants_it(store) -> None:
    assert make_notice(store, DRIFT, now=after(60)) is None
    add_look(store, whole_look(), actor=PROGRAM)

    assert make_notice(store, DRIFT, now=after(20_000)) == 1
    assert make_notice(store, DRIFT, now=after(30_000)) is None
    assert make_notice(store, replace(DRIFT, destination="notice:pager"), now=after(30_000)) == 1

    (first, _) = sorted(
        list_deliveries(store, Query(content=Content.NOTICE), limit=10), key=lambda each: each.delivery_id
    )
    notice = load_notice(store, first.notice_id, named_max=10)
    assert (notice.cause, notice.count, notice.case_ids) == (Cause.DRIFT, 1, ())
    assert notice.look.alarms == ("pixels",)


def test_a_later_drift_is_told_anew_and_of_a_look_without_one_nobody_is_told(store) -> None:
    look = whole_look()
    second = replace(look, window=Period(start=after(1), end=after(2)), looked_at=after(20_000))
    calm = replace(
        look,
        window=Period(start=after(2), end=after(3)),
        looked_at=after(40_000),
        channels=tuple(replace(channel, is_alarm=False) for channel in look.channels),
    )
    add_look(store, look, actor=PROGRAM)
    assert make_notice(store, DRIFT, now=after(15_000)) == 1
    add_look(store, second, actor=PROGRAM)
    assert make_notice(store, DRIFT, now=after(25_000)) == 1
    add_look(store, calm, actor=PROGRAM)
    assert make_notice(store, replace(DRIFT, destination="notice:pager"), now=after(45_000)) is None

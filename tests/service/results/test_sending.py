"""The outbox is emptied: in order, each once, again after a refusal, and by one process at a time."""

import threading
from dataclasses import replace

import pytest
from pynetdicom import _config

from overread.errors import PeerError
from service.results.dimse import StoreScu
from service.results.ownership import this_process
from service.results.sending import Sender
from service.store.database import Store
from service.store.outbox import (
    ATTEMPTS_MAX,
    Commitment,
    Delivery,
    DeliveryState,
    Query,
    due_deliveries,
    list_deliveries,
    note_commitment,
    note_commitment_asked,
    note_not_sent,
    note_sent,
    send_again,
)
from tests.service.material import NOW, after
from tests.service.results.material import TO_PACS, make_due, seen, told_case
from tests.service.results.peers import ScriptedPacs
from tests.service.waiting import eventually


def sender(store: Store, pacs: ScriptedPacs, seconds: float = 0) -> Sender:
    return Sender(
        store, StoreScu(pacs.address, store.files), owner=this_process(), clock=lambda: after(seconds)
    )


def made(store: Store, cases: int = 1) -> list[Delivery]:
    """Results of so many cases, in the order in which they were made."""
    for number in range(1, cases + 1):
        told_case(store, seen(image=f"2.25.{number}.1.1"), number=number)
    make_due(store, TO_PACS)
    return sorted(list_deliveries(store, Query(), limit=100), key=lambda delivery: delivery.delivery_id)


def states(store: Store) -> list[str]:
    found = list_deliveries(store, Query(), limit=100)
    return [item.state.value for item in sorted(found, key=lambda item: item.delivery_id)]


def test_results_arrive_once_and_in_the_order_in_which_they_were_made(store) -> None:
    deliveries = made(store, cases=3)
    pacs = ScriptedPacs()

    with pacs.listening():
        assert sender(store, pacs).send_due() == 3
        assert sender(store, pacs).send_due() == 0

    assert pacs.order == [delivery.sop_instance_uid for delivery in deliveries]
    assert states(store) == ["SENT"] * 3


def test_one_that_is_refused_is_sent_again_later_and_holds_up_no_other(sqlite_store) -> None:
    first, second = made(sqlite_store, cases=2)
    pacs = ScriptedPacs(0xA700)

    with pacs.listening():
        sender(sqlite_store, pacs).send_due()
        assert states(sqlite_store) == ["DUE", "SENT"]
        (waiting,) = list_deliveries(sqlite_store, Query(states=(DeliveryState.DUE,)), limit=9)
        assert waiting.attempts == 1
        assert waiting.due_at == after(10)
        assert "0xA700" in str(waiting.detail)
        assert sender(sqlite_store, pacs, seconds=9).send_due() == 0
        assert sender(sqlite_store, pacs, seconds=11).send_due() == 1

    assert pacs.order == [second.sop_instance_uid, first.sop_instance_uid]
    assert set(pacs.received.values()) == {1}


def test_the_delay_grows_and_in_the_end_it_is_given_up_until_a_person_wants_it(sqlite_store) -> None:
    (delivery,) = made(sqlite_store)
    delays = []
    for attempt in range(ATTEMPTS_MAX):
        (delivery,) = list_deliveries(sqlite_store, Query(), limit=1)
        assert delivery.state is DeliveryState.DUE
        assert delivery.attempts == attempt
        note_not_sent(sqlite_store, delivery, "no", now=NOW)
        (delivery,) = list_deliveries(sqlite_store, Query(), limit=1)
        delays.append((delivery.due_at - NOW).total_seconds())
    assert delays[:5] == [10, 20, 40, 80, 160]
    assert max(delays) == 3600
    assert delivery.state is DeliveryState.GIVEN_UP

    assert send_again(sqlite_store, Query(states=(DeliveryState.GIVEN_UP,)), now=NOW) == 1

    pacs = ScriptedPacs()
    with pacs.listening():
        assert sender(sqlite_store, pacs).send_due() == 1
    assert list(pacs.received) == [delivery.sop_instance_uid]


def test_while_the_pacs_is_away_everything_waits_and_nothing_counts(sqlite_store) -> None:
    made(sqlite_store, cases=2)
    pacs = ScriptedPacs()
    with pacs.listening():
        pass

    with pytest.raises(PeerError, match="does not answer"):
        sender(sqlite_store, pacs).send_due()

    found = list_deliveries(sqlite_store, Query(), limit=9)
    assert [(item.state.value, item.attempts) for item in found] == [("DUE", 0)] * 2
    assert "does not answer" in str(found[-1].detail)
    with pacs.listening():
        assert sender(sqlite_store, pacs).send_due() == 2


def test_a_pacs_that_breaks_off_is_sent_the_rest_later(sqlite_store) -> None:
    deliveries = made(sqlite_store, cases=3)
    pacs = ScriptedPacs(0, -1)

    with pacs.listening():
        with pytest.raises(PeerError):
            sender(sqlite_store, pacs).send_due()
        assert states(sqlite_store) == ["SENT", "DUE", "DUE"]
        sender(sqlite_store, pacs).send_due()
        sender(sqlite_store, pacs, seconds=20).send_due()

    assert pacs.received == {str(item.sop_instance_uid): 1 for item in deliveries}


def test_a_pacs_that_takes_no_structured_reports_refuses_them(sqlite_store, monkeypatch) -> None:
    monkeypatch.setattr(_config, "UNRESTRICTED_STORAGE_SERVICE", False)  # which our listener sets
    made(sqlite_store)
    pacs = ScriptedPacs()

    with pacs.listening("1.2.840.10008.5.1.4.1.1.7"):
        sender(sqlite_store, pacs).send_due()

    (delivery,) = list_deliveries(sqlite_store, Query(), limit=9)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DUE, 1)
    assert "accepts no objects of this class" in str(delivery.detail)


def test_a_sender_goes_on_until_it_is_told_to_stop(sqlite_store) -> None:
    made(sqlite_store, cases=2)
    pacs, stop = ScriptedPacs(0xA700), threading.Event()

    with pacs.listening():
        thread = threading.Thread(target=sender(sqlite_store, pacs, seconds=11).run, args=(stop,))
        thread.start()
        eventually(lambda: len(pacs.received) == 1)
        send_again(sqlite_store, Query(states=(DeliveryState.DUE,)), now=NOW)
        eventually(lambda: len(pacs.received) == 2)
        stop.set()
        thread.join(30)

    assert not thread.is_alive()


def test_what_is_not_kept_is_sent_again(sqlite_store) -> None:
    (delivery,) = made(sqlite_store)
    pacs = ScriptedPacs()
    with pacs.listening():
        sender(sqlite_store, pacs).send_due()
    note_commitment_asked(sqlite_store, [delivery], "2.25.77")

    answers = {str(delivery.sop_instance_uid): Commitment.REFUSED}
    assert note_commitment(sqlite_store, "2.25.78", answers, now=NOW) == 0
    assert states(sqlite_store) == ["SENT"]
    assert note_commitment(sqlite_store, "2.25.77", answers, now=NOW) == 1

    assert states(sqlite_store) == ["DUE"]


def test_a_pacs_that_never_keeps_a_result_is_asked_ever_later_and_given_up(sqlite_store) -> None:
    (first,) = made(sqlite_store)
    now, waits = after(3600), list[float]()
    while due := due_deliveries(sqlite_store, first.destination, limit=1, now=now):
        (delivery,) = due
        note_sent(sqlite_store, [(delivery, "taken")], now=now)
        note_commitment_asked(sqlite_store, due, "2.25.77")
        note_commitment(
            sqlite_store, "2.25.77", {str(delivery.sop_instance_uid): Commitment.REFUSED}, now=now
        )
        (then,) = list_deliveries(sqlite_store, Query(), limit=1)
        assert due_deliveries(sqlite_store, first.destination, limit=1, now=now) == ()
        waits.append((then.due_at - now).total_seconds())
        now = max(now, then.due_at)

    assert (len(waits), then.state, waits[:3]) == (ATTEMPTS_MAX, DeliveryState.GIVEN_UP, [10.0, 20.0, 40.0])


def test_a_pacs_that_offers_no_commitment_is_not_waited_for(sqlite_store) -> None:
    made(sqlite_store)
    pacs = ScriptedPacs()

    with pacs.listening():
        address = replace(pacs.address, asks_commitment=True)
        destination = StoreScu(address, sqlite_store.files)
        Sender(sqlite_store, destination, owner=this_process(), clock=lambda: NOW).send_due()

    (delivery,) = list_deliveries(sqlite_store, Query(), limit=9)
    assert (delivery.state, delivery.commitment) == (DeliveryState.SENT, None)

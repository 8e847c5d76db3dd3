"""One conclusion is stored while the next case is looked at, and none is lost or stored in vain."""

import threading
from dataclasses import dataclass, field

import pytest

from overread.case import CaseState
from overread.errors import ConfigurationError, OutOfResourcesError
from service.store.queue import claim_case
from service.store.worklist import load_case
from service.triage import storing as storing_module
from service.triage.heartbeat import Heartbeat
from service.triage.looks import material_of
from service.triage.storing import Storing
from tests.service.material import NOW, readers, ready_case
from tests.service.waiting import eventually


@dataclass
class Gate:
    """Stands before the storing of a conclusion until it is opened; may raise instead."""

    errors: list[Exception] = field(default_factory=list)
    opened: threading.Event = field(default_factory=threading.Event)
    waiting: list[int] = field(default_factory=list)

    def __call__(self, store, claimed, *rest, **named) -> None:
        self.waiting.append(claimed.lease.case_id)
        assert self.opened.wait(60)
        if self.errors:
            raise self.errors.pop(0)
        self.behind(store, claimed, *rest, **named)


@pytest.fixture
def gate(monkeypatch) -> Gate:
    made = Gate()
    made.behind = storing_module.complete_case
    monkeypatch.setattr(storing_module, "complete_case", made)
    return made


def looked_at(store, number):
    """A claimed case and what is concluded about it."""
    ready_case(store, number)
    claimed = claim_case(store, worker="w", now=NOW)
    return claimed, readers().look(material_of(claimed))


def state(store, claimed) -> CaseState:
    return load_case(store, claimed.lease.case_id).summary.state


def test_the_worker_goes_on_while_one_conclusion_is_stored(store, gate) -> None:
    with (
        Heartbeat(store, clock=lambda: NOW) as heartbeat,
        Storing(store, heartbeat, clock=lambda: NOW) as storing,
    ):
        first = looked_at(store, 1)
        storing.begin(*first, started=0.0)  # returns although nothing is stored yet
        eventually(lambda: gate.waiting == [first[0].lease.case_id])
        assert state(store, first[0]) is CaseState.IN_TRIAGE
        second = looked_at(store, 2)
        gate.opened.set()
        storing.begin(*second, started=0.0)
        assert state(store, first[0]) is CaseState.LISTED
        assert storing.settle()
        assert state(store, second[0]) is CaseState.LISTED
        assert not storing.settle()  # nothing was begun since


def test_a_lease_is_renewed_until_its_conclusion_is_stored(store, gate) -> None:
    with Heartbeat(store, clock=lambda: NOW) as heartbeat:
        with Storing(store, heartbeat, clock=lambda: NOW) as storing:
            first = looked_at(store, 1)
            heartbeat.keep(first[0].lease)
            storing.begin(*first, started=0.0)
            assert heartbeat.leases == {first[0].lease}
            gate.opened.set()
        assert heartbeat.leases == set()


def test_what_cannot_be_stored_now_is_given_back_and_the_one_after_is_stored(store, gate) -> None:
    gate.errors.append(OutOfResourcesError("the disk is full"))
    gate.opened.set()
    with (
        Heartbeat(store, clock=lambda: NOW) as heartbeat,
        Storing(store, heartbeat, clock=lambda: NOW) as storing,
    ):
        first, second = looked_at(store, 1), looked_at(store, 2)
        storing.begin(*first, started=0.0)
        with pytest.raises(OutOfResourcesError, match="disk is full"):
            storing.begin(*second, started=0.0)
        assert storing.settle()
    assert state(store, first[0]) is CaseState.READY
    assert state(store, second[0]) is CaseState.LISTED


def test_a_policy_that_is_wrong_reaches_the_worker_at_its_end_too(store, gate) -> None:
    gate.errors.append(ConfigurationError("the policy is wrong"))
    gate.opened.set()
    first = looked_at(store, 1)
    with (
        Heartbeat(store, clock=lambda: NOW) as heartbeat,
        pytest.raises(ConfigurationError, match="policy is wrong"),
        Storing(store, heartbeat, clock=lambda: NOW) as storing,
    ):
        storing.begin(*first, started=0.0)
    assert state(store, first[0]) is CaseState.READY

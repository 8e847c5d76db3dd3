from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from overread.actor import Actor, ActorKind
from overread.case import CaseEvent
from overread.errors import ClaimedError, NotFoundError, TransitionError
from service.store.audit_entries import AuditAction
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store, open_store
from service.store.reading_claims import (
    Hold,
    find_claim,
    find_claims,
    hold_case,
    release_claim,
    renew_claim,
)
from service.store.worklist import load_case
from service.store.worklist_records import Claim
from tests.service.conftest import settings_on
from tests.service.material import CLEAR, MASS, NOW, after, ready_case, triaged_case
from tests.service.store.racing import race

MINUTES = 60.0


def reader(name: str) -> Actor:
    return Actor(
        identifier=f"person:{name.lower()}", kind=ActorKind.PERSON, display_name=f"Dr {name.title()}"
    )


ADA, BOB, EVE = reader("ada"), reader("bob"), reader("eve")


def hold(store: Store, case_id: int, holder: Actor = ADA, seconds: float = 0.0, **given: object) -> Claim:
    return hold_case(store, case_id, Hold(holder=holder, at=after(seconds), seconds=15 * MINUTES, **given))


def told(store: Store, case_id: int) -> list[tuple[CaseEvent, str, str | None]]:
    """What the history says after the case was listed."""
    events = load_case(store, case_id).events
    at = max(n for n, event in enumerate(events) if event.event is CaseEvent.FOUND_DISCREPANT)
    return [(event.event, event.actor.display_name, event.detail) for event in events[at + 1 :]]


@pytest.fixture
def case_id(store: Store) -> int:
    """A case that waits for a second reader."""
    return triaged_case(store, report=CLEAR)


def test_one_reader_has_a_case_and_another_is_told_who(store, case_id) -> None:
    claim = hold(store, case_id)

    assert (claim.holder, claim.claimed_at, claim.held_until) == (ADA, NOW, after(900))
    with pytest.raises(ClaimedError, match="Dr Ada has case 1, since 12:00 and until 12:15 UTC"):
        hold(store, case_id, BOB, 60)
    assert find_claim(store, case_id, now=after(60)) == claim
    assert told(store, case_id) == [(CaseEvent.READ_CLAIMED, "Dr Ada", None)]


def test_who_claims_again_keeps_the_case_for_longer_and_nothing_is_told_twice(store, case_id) -> None:
    hold(store, case_id)

    assert hold(store, case_id, seconds=600).held_until == after(1500)
    assert hold(store, case_id, seconds=601).claimed_at == NOW
    assert len(told(store, case_id)) == 1


def test_a_claim_that_ran_out_is_nobodys_and_the_next_reader_gets_the_case(store, case_id) -> None:
    hold(store, case_id)

    assert find_claim(store, case_id, now=after(900)) is None
    assert hold(store, case_id, BOB, 900).holder == BOB
    with pytest.raises(ClaimedError, match="Dr Bob"):
        renew_claim(store, case_id, ADA, now=after(901), seconds=900)


def test_a_claim_runs_on_while_it_is_renewed_even_after_it_ran_out_for_a_moment(store, case_id) -> None:
    hold(store, case_id)

    assert renew_claim(store, case_id, ADA, now=after(800), seconds=900).held_until == after(1700)
    assert renew_claim(store, case_id, ADA, now=after(5000), seconds=900).held_until == after(5900)
    assert len(told(store, case_id)) == 1


def test_what_was_assigned_for_longer_is_not_shortened_by_reading_it(store, case_id) -> None:
    hold_case(store, case_id, Hold(holder=ADA, at=NOW, seconds=86_400, assigned_by=EVE))

    assert renew_claim(store, case_id, ADA, now=after(60), seconds=900).held_until == after(86_400)
    assert hold(store, case_id, seconds=60).held_until == after(86_400)
    assert told(store, case_id) == [(CaseEvent.READ_ASSIGNED, "Dr Eve", "to Dr Ada")]


def test_a_claim_of_a_clock_that_was_set_back_does_not_keep_a_case_for_years(store, case_id) -> None:
    hold_case(store, case_id, Hold(holder=ADA, at=NOW + timedelta(days=700), seconds=900))

    assert find_claim(store, case_id, now=NOW) is None
    assert hold(store, case_id, BOB).holder == BOB


def test_a_case_is_put_back_by_who_has_it_and_by_who_may_take_it(store, case_id) -> None:
    hold(store, case_id)

    with pytest.raises(ClaimedError, match="Dr Ada"):
        release_claim(store, case_id, by=BOB, now=after(1))
    release_claim(store, case_id, by=ADA, now=after(2))
    release_claim(store, case_id, by=ADA, now=after(3))
    assert find_claim(store, case_id, now=after(3)) is None
    hold(store, case_id, BOB, 4)
    release_claim(store, case_id, by=EVE, now=after(5), may_take=True)
    assert told(store, case_id) == [
        (CaseEvent.READ_CLAIMED, "Dr Ada", None),
        (CaseEvent.READ_RELEASED, "Dr Ada", None),
        (CaseEvent.READ_CLAIMED, "Dr Bob", None),
        (CaseEvent.READ_RELEASED, "Dr Eve", "was with Dr Bob"),
    ]


def test_taking_over_says_from_whom(store, case_id) -> None:
    hold(store, case_id)

    assert hold(store, case_id, BOB, 5, may_take=True).holder == BOB
    hold(store, case_id, ADA, 6, may_take=True, assigned_by=EVE)
    assert told(store, case_id)[1:] == [
        (CaseEvent.READ_TAKEN_OVER, "Dr Bob", "from Dr Ada"),
        (CaseEvent.READ_ASSIGNED, "Dr Eve", "to Dr Ada, from Dr Bob"),
    ]


def test_only_what_waits_for_a_second_reader_can_be_claimed(store) -> None:
    concordant = triaged_case(store, report=MASS)
    waiting = ready_case(store, 2)

    for number in (concordant, waiting):
        with pytest.raises(TransitionError, match="does not wait for a second reader"):
            hold(store, number)
        with pytest.raises(TransitionError):
            release_claim(store, number, by=ADA, now=NOW)
    with pytest.raises(NotFoundError):
        hold(store, 99)
    with pytest.raises(TransitionError, match="claim it first"):
        renew_claim(store, concordant, ADA, now=NOW, seconds=60)


def test_claims_of_many_cases_are_found_at_once(store, case_id) -> None:
    other = triaged_case(store, 2, report=CLEAR)
    third = triaged_case(store, 3, report=CLEAR)
    hold(store, case_id)
    hold(store, other, BOB, 600)

    claims = find_claims(store, [case_id, other, third], now=after(601))
    assert {number: claim.holder for number, claim in claims.items()} == {case_id: ADA, other: BOB}
    assert set(find_claims(store, [case_id, other], now=after(1000))) == {other}


def test_the_audit_trail_is_told_of_each_change_of_hands(store, case_id) -> None:
    hold(store, case_id)
    renew_claim(store, case_id, ADA, now=after(1), seconds=900)
    release_claim(store, case_id, by=ADA, now=after(2))

    found = [line.entry for line in find_entries(store, TrailFilter(actor="person:ada"))]
    assert [(entry.action, entry.subject, entry.detail) for entry in found] == [
        (AuditAction.CHANGED, f"case {case_id}", "READ_CLAIMED"),
        (AuditAction.CHANGED, f"case {case_id}", "READ_RELEASED"),
    ]


def test_of_many_who_race_for_one_case_exactly_one_gets_it(store, case_id) -> None:
    names = [reader(f"r{number}") for number in range(12)]
    with ThreadPoolExecutor(len(names)) as pool:
        outcomes = list(pool.map(lambda who: _tried(store, case_id, who), names))

    winners = [outcome for outcome in outcomes if isinstance(outcome, Claim)]
    assert len(winners) == 1
    refused = [str(outcome) for outcome in outcomes if isinstance(outcome, ClaimedError)]
    assert len(refused) == len(names) - 1
    assert all(words.startswith(f"{winners[0].holder.display_name} has case") for words in refused)
    assert [event for event, _, _ in told(store, case_id)] == [CaseEvent.READ_CLAIMED]


@pytest.fixture
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """The same installation as two processes open it."""
    settings = settings_on("postgresql", request, tmp_path)
    first, second = open_store(settings), open_store(settings)
    yield first, second
    first.close()
    second.close()


@pytest.mark.parametrize("at", ["COMMIT", "UPDATE cases", "FROM reading_claims"])
def test_of_two_processes_the_second_waits_and_is_told_of_the_first(stores, at) -> None:
    one, other = stores
    case_id = triaged_case(one, report=CLEAR)

    first, second = race(
        one.engine,
        lambda: hold(one, case_id),
        lambda: hold(other, case_id, BOB),
        watch=other.engine,
        at=at,
    )

    assert first.holder == ADA
    assert isinstance(second, ClaimedError)
    assert "Dr Ada" in str(second)


def _tried(store: Store, case_id: int, who: Actor) -> Claim | ClaimedError:
    try:
        return hold(store, case_id, who)
    except ClaimedError as error:
        return error

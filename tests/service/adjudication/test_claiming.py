"""The rules of a site: who may take a case from its reader."""

import pytest

from overread.errors import InputError, NotPermittedError
from service.adjudication.claiming import ASSIGNED_MAX, Claimant, assign, claim, readers, release, take_over
from service.adjudication.settings import SecondReadSettings, TakeOver
from service.security.identity import Means
from service.security.roles import Role
from service.security.sessions import identity_of
from service.store.database import Store
from service.store.people import disable_person
from service.store.reading_claims import find_claim
from tests.service.material import CLEAR, NOW, after, triaged_case
from tests.service.security.people import BY, add


def claimant(store: Store, name: str, *roles: Role, **rules: object) -> Claimant:
    person = add(store, name, *roles)
    return Claimant(
        identity=identity_of(person, Means.SESSION), rules=SecondReadSettings(**rules), now=after(1)
    )


@pytest.mark.parametrize(
    ("rule", "roles", "may"),
    [
        (TakeOver.COORDINATORS, (Role.SECOND_READER,), False),
        (TakeOver.COORDINATORS, (Role.SECOND_READER, Role.COORDINATOR), True),
        (TakeOver.READERS, (Role.SECOND_READER,), True),
        (TakeOver.READERS, (Role.QUALITY,), False),
    ],
)
def test_a_case_is_taken_over_by_the_rule_of_the_site(store, rule, roles, may) -> None:
    case_id = triaged_case(store, report=CLEAR)
    claim(store, case_id, claimant(store, "ada"))
    bob = claimant(store, "bob", *roles, take_over=rule)

    if may:
        assert take_over(store, case_id, bob).holder == bob.identity.actor
    else:
        with pytest.raises(NotPermittedError, match="ask one"):
            take_over(store, case_id, bob)


def test_how_long_a_case_is_held_is_a_setting_of_the_site(store) -> None:
    case_id = triaged_case(store, report=CLEAR)
    ada = claimant(store, "ada", Role.SECOND_READER, Role.COORDINATOR, claim_minutes=2, assignment_hours=3)

    assert claim(store, case_id, ada).held_until == after(121)
    release(store, case_id, ada)
    (made,) = assign(store, [case_id], "ADA", ada)
    assert made.claim.held_until == after(3 * 3600 + 1)
    assert find_claim(store, case_id, now=NOW).assigned_by == "Ada"


def test_cases_are_given_only_to_who_may_read_them(store) -> None:
    eve = claimant(store, "eve", Role.COORDINATOR)
    add(store, "ada")
    bob = add(store, "bob")
    disable_person(store, bob.person_id, by=BY)

    assert [person.name for person in readers(store)] == ["ada"]
    for name in ("bob", "eve", "nobody"):
        with pytest.raises(InputError, match="second reader"):
            assign(store, [1], name, eve)
    with pytest.raises(InputError, match="too many"):
        assign(store, range(1, ASSIGNED_MAX + 2), "ada", eve)

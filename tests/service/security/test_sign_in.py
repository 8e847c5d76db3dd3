"""Signing in: what lets somebody in, what delays, and that nobody is locked out by others."""

import pyotp
import pytest
from argon2 import PasswordHasher

from service.security.lockout import ACCOUNT, ADDRESS, PAIR, Attempt
from service.security.roles import Role
from service.security.sign_in import Outcome, SignIn, sign_in
from service.store.database import Store
from service.store.people import change_password, change_second_factor, disable_person, find_person
from tests.service.material import NOW, after
from tests.service.security.people import BY, HASH, PASSWORD, add


def tried(store: Store, name: str = "ada", password: str = PASSWORD, **given: object) -> Outcome:
    when = after(float(str(given.pop("seconds", 0.0))))
    asked = {"code": "", "address": "10.1.1.1", **given}
    return sign_in(store, SignIn(name=name, password=password, **asked), now=when)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["ada", "Ada", " ADA ", "ａｄａ"])
def test_a_name_is_known_however_it_is_typed(store: Store, name: str) -> None:
    added = add(store, "Ada", Role.QUALITY)

    person = tried(store, name).person

    assert person is not None
    assert (person.person_id, person.roles) == (added.person_id, ("QUALITY",))


def test_a_refusal_does_not_say_what_was_wrong(sqlite_store: Store) -> None:
    add(sqlite_store)
    disable_person(sqlite_store, add(sqlite_store, "bob").person_id, by=BY)

    outcomes = [
        tried(sqlite_store, password="wrong", address="10.1.1.1"),
        tried(sqlite_store, "nobody", address="10.1.1.2"),
        tried(sqlite_store, "bob", address="10.1.1.3"),
        tried(sqlite_store, "", address="10.1.1.4"),
        tried(sqlite_store, "\ud800", address="10.1.1.5"),
    ]

    assert outcomes == [Outcome()] * 5


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (1, 0), (5, 0), (6, 1), (7, 2), (8, 4), (12, 64), (15, 512), (16, 900), (1000, 900)],
)
def test_the_delay_doubles_up_to_a_limit(failures: int, seconds: int) -> None:
    assert PAIR(failures) == seconds
    assert ADDRESS(1000) == ACCOUNT(1000) == 60


def test_after_some_failures_even_the_right_password_has_to_wait(store: Store) -> None:
    add(store)
    for _ in range(6):
        assert tried(store, password="wrong") == Outcome()

    assert tried(store) == Outcome(wait_seconds=2)
    assert tried(store, seconds=0.5) == Outcome(wait_seconds=1)
    assert tried(store, seconds=1.0).person is not None
    assert tried(store, password="wrong", seconds=2.0) == Outcome()  # the count began anew


def test_who_tries_one_account_from_elsewhere_does_not_lock_its_owner_out(store: Store) -> None:
    add(store)
    assert tried(store, address="10.1.1.1").person is not None
    guess(store, ["ada"] * 40, addresses=[f"10.9.{number}.1" for number in range(40)])

    assert tried(store, address="10.8.8.8").wait_seconds > 0  # the account alone delays strangers
    assert tried(store, address="10.1.1.1").person is not None


def test_who_tries_all_accounts_from_one_address_does_not_lock_its_people_out(store: Store) -> None:
    add(store)
    assert tried(store, address="10.1.1.1").person is not None
    guess(store, [f"name{number}" for number in range(40)], addresses=["10.1.1.1"] * 40)

    assert tried(store, "name77", address="10.1.1.1").wait_seconds > 0
    assert tried(store, address="10.1.1.1").person is not None


def guess(store: Store, names: list[str], *, addresses: list[str]) -> None:
    """Try all at once, without the time that each password takes."""
    for name, address in zip(names, addresses, strict=True):
        Attempt(name=name, address=address).count(store, now=NOW)


def test_the_last_delay_is_over_after_a_minute_for_strangers_too(sqlite_store: Store) -> None:
    add(sqlite_store)
    guess(sqlite_store, ["ada"] * 40, addresses=[f"10.9.{number}.1" for number in range(40)])

    assert tried(sqlite_store, address="10.8.8.8", seconds=61.0).person is not None


def test_sign_ins_that_succeed_do_not_delay_others_at_the_address(sqlite_store: Store) -> None:
    for number in range(40):
        attempt = Attempt(name=f"reader{number}", address="10.1.1.1")
        assert attempt.count(sqlite_store, now=NOW) == 0
        attempt.succeed(sqlite_store, now=NOW)

    assert tried(sqlite_store, "reader3", password="wrong") == Outcome()
    assert tried(sqlite_store, "stranger") == Outcome()


def test_the_code_of_a_second_factor_counts_once(store: Store) -> None:
    person = add(store)
    secret = pyotp.random_base32()
    change_second_factor(store, person.person_id, secret, by=BY)
    code = pyotp.TOTP(secret).at(NOW)

    assert tried(store) == Outcome()
    assert tried(store, code="000000" if code != "000000" else "111111") == Outcome()
    assert tried(store, code=code).person is not None
    assert tried(store, code=code, seconds=1.0) == Outcome()
    assert tried(store, code=pyotp.TOTP(secret).at(after(60)), seconds=60.0).person is not None
    assert tried(store, code=pyotp.TOTP(secret).at(NOW), seconds=300.0) == Outcome()


def test_a_hash_of_weaker_parameters_is_renewed(sqlite_store: Store) -> None:
    person = add(sqlite_store)
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    change_password(sqlite_store, person.person_id, weak, by=BY)

    assert tried(sqlite_store).person is not None

    kept = find_person(sqlite_store, "ada")
    assert kept is not None
    assert kept.password_hash is not None
    assert kept.password_hash.split("$")[3] == HASH.split("$")[3]

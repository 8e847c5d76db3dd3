"""Signing in by name, password and, where the account has one, the code of a second factor."""

from dataclasses import dataclass
from datetime import datetime

import pyotp
import structlog

from overread.actor import Actor
from overread.errors import InputError
from service.security.lockout import Attempt
from service.security.passwords import hash_password, is_outdated, is_password
from service.store.audit_entries import AuditAction, AuditEntry, AuditOutcome
from service.store.audit_trail import record_acts
from service.store.database import Store
from service.store.people import PersonRecord, find_person, folded, renew_hash, use_step

_log = structlog.get_logger("overread.security")
_STEP_SECONDS = 30  # RFC 6238 section 4.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What was typed to sign in."""

    name: str
    password: str
    code: str = ""  # of the second factor
    address: str  # of the machine that tries


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    person: PersonRecord | None = None  # None: refused, for whatever reason
    wait_seconds: int = 0  # until an attempt is looked at again; 0 where this one was


def sign_in(store: Store, given: SignIn, *, now: datetime) -> Outcome:
    """Return who signed in; a refusal does not say what was wrong.

    Raises:
        OutOfResourcesError: the database cannot be asked.
    """
    outcome = _tried(store, given, now=now, asks_for_code=True)
    if outcome.person is not None:
        _log.info("signed_in", person_id=outcome.person.person_id)
    return outcome


def confirm_password(store: Store, given: SignIn, *, now: datetime) -> Outcome:
    """Return who knows the password: somebody who is signed in, before it is changed.

    Raises:
        OutOfResourcesError: the database cannot be asked.
    """
    return _tried(store, given, now=now, asks_for_code=False)


def _tried(store: Store, given: SignIn, *, now: datetime, asks_for_code: bool) -> Outcome:
    person = find_person(store, given.name)
    number = None if person is None else person.person_id
    attempt = Attempt(name=_counted(given.name), address=given.address)
    if wait := attempt.count(store, now=now):
        _log.warning("sign_in_delayed", person_id=number, seconds=wait)
        return Outcome(wait_seconds=wait)
    kept = person.password_hash if person is not None and person.is_active else None
    is_right = is_password(given.password, kept)
    if is_right and asks_for_code and person is not None and person.totp_secret is not None:
        is_right = _is_code(store, person, person.totp_secret, given.code, now=now)
    if not is_right or person is None:
        _log.warning("sign_in_refused", person_id=number)
        if person is not None:  # of names that are nobody's there could be any number
            _record_refusal(store, person, given, now=now)
        return Outcome()
    attempt.succeed(store, now=now)
    if kept is not None and is_outdated(kept):
        renew_hash(store, person.person_id, hash_password(given.password))
    return Outcome(person=person)


def _record_refusal(store: Store, person: PersonRecord, given: SignIn, *, now: datetime) -> None:
    entry = AuditEntry(
        at=now,
        actor=Actor.unverified(person.name),
        sent_from=given.address,
        action=AuditAction.SIGNED_IN,
        outcome=AuditOutcome.REFUSED,
        what="password",
        subject=f"person {person.name}",
    )
    record_acts(store, [entry])


def _is_code(store: Store, person: PersonRecord, secret: str, code: str, *, now: datetime) -> bool:
    """Whether it is the code of now, or of the step before or after; each counts once (RFC 6238 5.2)."""
    code = code.replace(" ", "")
    second_factor = pyotp.TOTP(secret)
    for step in (-1, 0, 1):
        at = int(now.timestamp()) + step * _STEP_SECONDS
        if pyotp.utils.strings_equal(code, second_factor.at(at)):
            return use_step(store, person.person_id, at // _STEP_SECONDS)
    return False


def _counted(name: str) -> str:
    try:
        return folded(name)
    except InputError:
        return ""

"""Claims by the rules of the site: who may take up, put back, take over and assign a case."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from overread.errors import ClaimedError, InputError, NotFoundError, NotPermittedError, TransitionError
from service.adjudication.settings import SecondReadSettings, TakeOver
from service.security.identity import Identity
from service.security.roles import Role, kept_roles
from service.security.sessions import actor_of
from service.store.database import Store
from service.store.people import PersonRecord, find_person, list_people
from service.store.reading_claims import Hold, hold_case, release_claim, renew_claim
from service.store.worklist_records import Claim

ASSIGNED_MAX = 500
"""Cases that are assigned at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Somebody who wants something of a case, at one moment, under the rules of the site."""

    identity: Identity
    rules: SecondReadSettings
    now: datetime

    @property
    def may_take_over(self) -> bool:
        """Whether a case may be taken from the reader who has it."""
        return Role.COORDINATOR in self.identity.roles or (
            self.rules.take_over is TakeOver.READERS and Role.SECOND_READER in self.identity.roles
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What became of one case that was to be assigned."""

    case_id: int
    claim: Claim | None  # None where it was not assigned
    why_not: str | None  # in words; None where it was


def claim(store: Store, case_id: int, claimant: Claimant) -> Claim:
    """Let who asks have a case that nobody else has, and return the claim.

    Raises:
        NotFoundError: there is no such case.
        TransitionError: it does not wait for a second reader.
        ClaimedError: another reader has it; the message says who.
    """
    return hold_case(store, case_id, _own(claimant))


def take_over(store: Store, case_id: int, claimant: Claimant) -> Claim:
    """Let who asks have a case, whoever has it.

    Raises:
        NotFoundError: there is no such case.
        TransitionError: it does not wait for a second reader.
        NotPermittedError: the rules of the site do not allow it to who asks.
    """
    if not claimant.may_take_over:
        raise NotPermittedError("a coordinator may take a case from its reader; ask one, or the reader")
    return hold_case(store, case_id, _own(claimant, may_take=True))


def renew(store: Store, case_id: int, claimant: Claimant) -> Claim:
    """Let the claim of who asks run on.

    Raises:
        ClaimedError: another reader has the case by now.
        TransitionError: it is not claimed by who asks.
    """
    actor, seconds = claimant.identity.actor, claimant.rules.claim_seconds
    return renew_claim(store, case_id, actor, now=claimant.now, seconds=seconds)


def release(store: Store, case_id: int, claimant: Claimant) -> None:
    """Put a case back on the list; a coordinator may do so whoever has it.

    Raises:
        NotFoundError: there is no such case.
        TransitionError: it does not wait for a second reader.
        ClaimedError: another reader has it.
    """
    may_take = Role.COORDINATOR in claimant.identity.roles
    release_claim(store, case_id, by=claimant.identity.actor, now=claimant.now, may_take=may_take)


def assign(
    store: Store, case_ids: Iterable[int], reader: str, claimant: Claimant, *, may_take: bool = False
) -> tuple[Assignment, ...]:
    """Let a reader have cases, and return what became of each, in their order.

    Args:
        store: where they are.
        case_ids: their numbers.
        reader: name with which the reader signs in.
        claimant: the coordinator who assigns them.
        may_take: whether cases are taken from other readers who have them.

    Raises:
        InputError: nobody who may read has this name, or the cases are too many.
    """
    person = reader_named(store, reader)
    wanted = tuple(dict.fromkeys(case_ids))
    if len(wanted) > ASSIGNED_MAX:
        raise InputError(f"{len(wanted)} cases are too many to be assigned at once; {ASSIGNED_MAX} are not")
    hold = Hold(
        holder=actor_of(person),
        at=claimant.now,
        seconds=claimant.rules.assignment_seconds,
        may_take=may_take,
        assigned_by=claimant.identity.actor,
    )
    both = store if person.sites is None else store.seen_from(_of_both(person.sites, store.sites))
    return tuple(_assigned(both, case_id, hold) for case_id in wanted)


def readers(store: Store) -> tuple[PersonRecord, ...]:
    """Return who may be given cases, by name."""
    return tuple(person for person in list_people(store) if _reads(person))


def reader_named(store: Store, name: str) -> PersonRecord:
    """Return the reader of a name.

    Raises:
        InputError: nobody who may read has it.
    """
    person = find_person(store, name)
    if person is None or not _reads(person):
        raise InputError("nobody of that name has an account as a second reader")
    return person


def _of_both(sites: Collection[str], others: Collection[str] | None) -> frozenset[str]:
    """Return the sites whose cases both who assigns and who reads may see."""
    return frozenset(sites) if others is None else frozenset(sites) & frozenset(others)


def _reads(person: PersonRecord) -> bool:
    return person.is_active and Role.SECOND_READER in kept_roles(person.roles)


def _own(claimant: Claimant, *, may_take: bool = False) -> Hold:
    return Hold(
        holder=claimant.identity.actor,
        at=claimant.now,
        seconds=claimant.rules.claim_seconds,
        may_take=may_take,
    )


def _assigned(store: Store, case_id: int, hold: Hold) -> Assignment:
    try:
        return Assignment(case_id=case_id, claim=hold_case(store, case_id, hold), why_not=None)
    except (ClaimedError, NotFoundError, TransitionError) as error:
        return Assignment(case_id=case_id, claim=None, why_not=str(error))

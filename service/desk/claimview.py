"""View of who reads a case: the bar above its page, and the mark in its line of the list."""

from dataclasses import dataclass
from datetime import datetime

from service.adjudication.claiming import Claimant
from service.security.roles import Role
from service.store.worklist_records import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimBar:
    """Who has a case, and what whoever looks may do about it."""

    case_id: int
    words: str
    is_own: bool
    renewed_every: int | None  # seconds after which the page renews it; None where there is nothing to renew
    held_until: datetime | None
    can_claim: bool
    can_release: bool
    can_take_over: bool


def claim_bar(case_id: int, claim: Claim | None, claimant: Claimant) -> ClaimBar:
    """Return the bar of a case that waits for a second reader."""
    roles = claimant.identity.roles
    is_reader = Role.SECOND_READER in roles
    is_own = claim is not None and claim.holder.identifier == claimant.identity.actor.identifier
    is_anothers = claim is not None and not is_own
    return ClaimBar(
        case_id=case_id,
        words=_words(claim, is_own=is_own),
        is_own=is_own,
        renewed_every=max(int(claimant.rules.claim_seconds / 3), 1) if is_own else None,
        held_until=None if claim is None else claim.held_until,
        can_claim=is_reader and claim is None,
        can_release=is_own or (is_anothers and Role.COORDINATOR in roles),
        can_take_over=is_reader and is_anothers and claimant.may_take_over,
    )


def holder_words(claim: Claim | None, identifier: str) -> str:
    """Return who has a case as its line of the list says it; empty where nobody does."""
    if claim is None:
        return ""
    return "You" if claim.holder.identifier == identifier else claim.holder.display_name


def _words(claim: Claim | None, *, is_own: bool) -> str:
    if claim is None:
        return "Nobody reads this case."
    by = f", assigned by {claim.assigned_by}" if claim.assigned_by else ""
    if is_own:
        return f"You have this case{by}."
    return f"{claim.holder.display_name} has this case{by}, since {claim.claimed_at:%H:%M} UTC."

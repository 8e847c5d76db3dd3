"""The life of a case: one study plus its report under second read.

    AWAITING_IMAGES --images, but only a preliminary report--> AWAITING_REPORT
    AWAITING_IMAGES --images--> READY <--report-- AWAITING_REPORT
                                  | claim (under a lease)
                                  v
      READY <--expire, release-- IN_TRIAGE --fail--> FAILED --retry--> READY
                                  | complete
                                  v
               LISTED / CONCORDANT / NOT_APPLICABLE --new report version or image--> READY
                                  | reconsider (new policy, or a known finding brought back)
                                  v
               IN_TRIAGE --complete--> LISTED / CONCORDANT / NOT_APPLICABLE, in the same transaction

    CONCORDANT --drawn for the audit--> LISTED
    LISTED --judged--> JUDGED, or --needs another's word--> AWAITING_ARBITRATION --arbitrated--> JUDGED
    JUDGED / AWAITING_ARBITRATION --undone--> LISTED; JUDGED --arbitration undone--> AWAITING_ARBITRATION
    JUDGED / AWAITING_ARBITRATION --new report version or image--> READY

A case that is READY is work to do; one that is LISTED waits for a second reader. Who has taken it up changes
nothing about its state: it stays LISTED while somebody reads it.
"""

from enum import StrEnum

from overread.errors import TransitionError


class CaseState(StrEnum):
    """State of a case in its life-cycle."""

    AWAITING_IMAGES = "AWAITING_IMAGES"
    AWAITING_REPORT = "AWAITING_REPORT"
    READY = "READY"
    IN_TRIAGE = "IN_TRIAGE"
    LISTED = "LISTED"
    CONCORDANT = "CONCORDANT"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    FAILED = "FAILED"
    AWAITING_ARBITRATION = "AWAITING_ARBITRATION"  # judged, and another person has to decide
    JUDGED = "JUDGED"


class CaseEvent(StrEnum):
    """Event in the life of a case; events are appended, never edited."""

    OPENED = "OPENED"  # by whichever half came first; the first event of every case
    STUDY_CLOSED = "STUDY_CLOSED"  # the study closed and the report was still preliminary
    COMPLETED_BY_IMAGES = "COMPLETED_BY_IMAGES"  # the study closed and the report was there
    COMPLETED_BY_REPORT = "COMPLETED_BY_REPORT"  # the report arrived and the study was closed
    REVISED = "REVISED"  # a new report version or a further image of a complete case
    CLAIMED = "CLAIMED"
    LEASE_EXPIRED = "LEASE_EXPIRED"
    RELEASED = "RELEASED"  # given back by its worker, which stops or will try again later
    FOUND_DISCREPANT = "FOUND_DISCREPANT"
    FOUND_CONCORDANT = "FOUND_CONCORDANT"
    FOUND_NOT_APPLICABLE = "FOUND_NOT_APPLICABLE"
    FAILED = "FAILED"  # triage cannot succeed on this input
    RETRIED = "RETRIED"  # by a person, after the cause was corrected
    POLICY_CHANGED = "POLICY_CHANGED"  # weighed again under another policy, from what was seen before
    RESTORED = "RESTORED"  # a person brought back a finding that was known before; the detail is its id
    SAMPLED = "SAMPLED"  # concordant, drawn for the audit: it stands in the list like any other
    JUDGED = "JUDGED"  # by a second reader, or by two who agree
    SENT_TO_ARBITRATION = "SENT_TO_ARBITRATION"  # judged with a score that asks for it, or two disagree
    ARBITRATED = "ARBITRATED"
    JUDGEMENT_UNDONE = "JUDGEMENT_UNDONE"  # by who made it
    ARBITRATION_UNDONE = "ARBITRATION_UNDONE"  # by who made it
    READ_CLAIMED = "READ_CLAIMED"  # a second reader has taken the case up
    READ_RELEASED = "READ_RELEASED"  # it was put back, by who had it or by a coordinator
    READ_TAKEN_OVER = "READ_TAKEN_OVER"  # from the reader whom the detail names
    READ_ASSIGNED = "READ_ASSIGNED"  # to the reader whom the detail names


TRIAGED = frozenset({CaseState.LISTED, CaseState.CONCORDANT, CaseState.NOT_APPLICABLE})
SECOND_READ = frozenset({CaseState.AWAITING_ARBITRATION, CaseState.JUDGED})

_TRANSITIONS: dict[CaseEvent, dict[CaseState, CaseState]] = {
    CaseEvent.STUDY_CLOSED: {CaseState.AWAITING_IMAGES: CaseState.AWAITING_REPORT},
    CaseEvent.COMPLETED_BY_IMAGES: {CaseState.AWAITING_IMAGES: CaseState.READY},
    CaseEvent.COMPLETED_BY_REPORT: {CaseState.AWAITING_REPORT: CaseState.READY},
    # A revision during triage puts the case back: the worker loses its lease, its result is dropped.
    CaseEvent.REVISED: dict.fromkeys(
        (*TRIAGED, *SECOND_READ, CaseState.READY, CaseState.IN_TRIAGE, CaseState.FAILED), CaseState.READY
    ),
    CaseEvent.CLAIMED: {CaseState.READY: CaseState.IN_TRIAGE},
    CaseEvent.LEASE_EXPIRED: {CaseState.IN_TRIAGE: CaseState.READY},
    CaseEvent.RELEASED: {CaseState.IN_TRIAGE: CaseState.READY},
    CaseEvent.FOUND_DISCREPANT: {CaseState.IN_TRIAGE: CaseState.LISTED},
    CaseEvent.FOUND_CONCORDANT: {CaseState.IN_TRIAGE: CaseState.CONCORDANT},
    CaseEvent.FOUND_NOT_APPLICABLE: {CaseState.IN_TRIAGE: CaseState.NOT_APPLICABLE},
    CaseEvent.FAILED: {CaseState.IN_TRIAGE: CaseState.FAILED},
    CaseEvent.RETRIED: {CaseState.FAILED: CaseState.READY},
    CaseEvent.POLICY_CHANGED: dict.fromkeys(TRIAGED, CaseState.IN_TRIAGE),
    CaseEvent.RESTORED: dict.fromkeys(TRIAGED, CaseState.IN_TRIAGE),
    CaseEvent.SAMPLED: {CaseState.CONCORDANT: CaseState.LISTED},
    CaseEvent.JUDGED: {CaseState.LISTED: CaseState.JUDGED},
    CaseEvent.SENT_TO_ARBITRATION: {CaseState.LISTED: CaseState.AWAITING_ARBITRATION},
    CaseEvent.ARBITRATED: {CaseState.AWAITING_ARBITRATION: CaseState.JUDGED},
    CaseEvent.JUDGEMENT_UNDONE: dict.fromkeys(SECOND_READ, CaseState.LISTED),
    CaseEvent.ARBITRATION_UNDONE: {CaseState.JUDGED: CaseState.AWAITING_ARBITRATION},
    CaseEvent.READ_CLAIMED: {CaseState.LISTED: CaseState.LISTED},
    CaseEvent.READ_RELEASED: {CaseState.LISTED: CaseState.LISTED},
    CaseEvent.READ_TAKEN_OVER: {CaseState.LISTED: CaseState.LISTED},
    CaseEvent.READ_ASSIGNED: {CaseState.LISTED: CaseState.LISTED},
}


def advance(state: CaseState, event: CaseEvent) -> CaseState:
    """Return the state that follows.

    Raises:
        TransitionError: the event cannot happen to a case in this state.
    """
    try:
        return _TRANSITIONS[event][state]
    except KeyError:
        raise TransitionError(f"a case that is {state} cannot take {event}") from None

"""What is hidden from a second reader until the own read is committed.

Where the policy asks for an own read, everything that tells what detectors or the report say of a case is
withheld from the people who may judge it: pages, API and DICOMweb all ask here. A case that was drawn for the
audit is one of these, whatever the share of own reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pydicom.uid import UID

from overread.audit_sample import SecondReadRule
from overread.case import CaseState
from overread.errors import NotFoundError, TransitionError
from service.security.identity import Identity
from service.security.roles import Role
from service.store.cases import find_case
from service.store.database import Store, Transaction
from service.store.order import Selection
from service.store.policies import policy_in_force
from service.store.records import CaseDetail, CaseSummary, InstanceRecord
from service.store.second_reads import committed_cases, drawn_cases
from service.store.worklist import find_case as case_number
from service.store.worklist_records import WorklistPage

BEFORE_THE_READ = frozenset(
    {
        CaseState.AWAITING_IMAGES,
        CaseState.AWAITING_REPORT,
        CaseState.READY,
        CaseState.IN_TRIAGE,
        CaseState.FAILED,
        CaseState.LISTED,
    }
)
"""States of a case that is, or may still be, to be read by somebody who does not know its result."""

_TELLING = (
    "SR",
    "Encapsulated",
    "Presentation State",
    "Segmentation",
    "Parametric Map",
    "Document",
    "Annotation",
)
"""Words in the names of storage classes (PS3.6 annex A) whose objects hold a report or a result."""


class _Known(Protocol):
    """The part of a case that decides."""

    @property
    def case_id(self) -> int: ...
    @property
    def state(self) -> CaseState: ...
    @property
    def study_instance_uid(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCase:
    """A case as somebody may see it."""

    detail: CaseDetail
    is_hidden: bool  # whether report and result are withheld


def may_judge(identity: Identity) -> bool:
    """Whether somebody is a second reader, whom the blinding is for; a program is none."""
    return Role.SECOND_READER in identity.roles


def hidden_cases(store: Store, cases: Sequence[_Known], identity: Identity) -> frozenset[int]:
    """Return those of the cases whose report and result are withheld from somebody."""
    if not may_judge(identity) or not cases:
        return frozenset()
    with store.reading() as connection:
        return _hidden(connection, cases, identity)


def require_open(store: Store, case_id: int, identity: Identity) -> None:
    """Return if somebody may see report and result of a case.

    Raises:
        NotFoundError: there is no such case.
        TransitionError: an own read has to be committed first.
    """
    with store.reading() as connection:
        case = find_case(connection, case_id)
        if may_judge(identity) and _hidden(connection, [case], identity):
            raise TransitionError(f"case {case_id} shows this once your own read is committed")


def is_withheld(connection: Transaction, case: _Known, identity: Identity) -> bool:
    """Whether report and result of a case are withheld from somebody, as a transaction sees it."""
    return may_judge(identity) and bool(_hidden(connection, [case], identity))


def as_seen(store: Store, detail: CaseDetail, identity: Identity) -> SeenCase:
    """Return a case without what is withheld from somebody."""
    if not hidden_cases(store, [detail.summary], identity):
        return SeenCase(detail=detail, is_hidden=False)
    bare = replace(
        detail,
        summary=bare_summary(detail.summary),
        instances=tuple(item for item in detail.instances if not tells_result(item)),
        reports=(),
        report=None,
        triage=None,
        unreadable=None,
        earlier=(),
        events=(),
    )
    return SeenCase(detail=bare, is_hidden=True)


def page_as_seen(store: Store, page: WorklistPage, identity: Identity) -> WorklistPage:
    """Return a page of the worklist without what is withheld from somebody."""
    hidden = hidden_cases(store, page.cases, identity)
    cases = tuple(bare_summary(case) if case.case_id in hidden else case for case in page.cases)
    return replace(page, cases=cases)


def selection_as_seen(store: Store, selection: Selection, identity: Identity) -> Selection:
    """Return a selection of the list that tells somebody nothing that is withheld.

    What is asked for by its result is found among what they have committed an own read of. Where two people
    read each case, those that they have judged are left out.
    """
    if not may_judge(identity):
        return selection
    with store.reading() as connection:
        rule = policy_in_force(connection).tables.second_read
    only, name = selection.only, identity.actor.identifier
    if rule.own_read_share and (only.findings or only.kinds or only.urgencies):
        only = replace(only, committed_by=name)
    if rule.readers > 1 and tuple(selection.states) == (CaseState.LISTED,):
        only = replace(only, unjudged_by=name)
    return replace(selection, only=only)


def bare_summary(summary: CaseSummary) -> CaseSummary:
    """Return a line without what triage concluded; its place in the list stays."""
    return replace(summary, outcome=None, actionable=None, reasons=(), headline=None, revision=0, attempts=0)


def records_as_seen(
    store: Store, records: Sequence[InstanceRecord], identity: Identity | None
) -> list[InstanceRecord]:
    """Return the objects of one study without those that hold a report or a result withheld from somebody.

    Raises:
        NotFoundError: none is left.
    """
    telling = [record for record in records if tells_result(record)]
    if not telling or identity is None or not is_study_hidden(store, telling[0].study_instance_uid, identity):
        return list(records)
    kept = [record for record in records if not tells_result(record)]
    if not kept:
        raise NotFoundError("this is shown once your own read is committed")
    return kept


def images_as_seen(
    store: Store, records: Sequence[InstanceRecord], identity: Identity | None
) -> list[InstanceRecord]:
    """Return the same, and nothing where nothing is left."""
    try:
        return records_as_seen(store, records, identity)
    except NotFoundError:
        return []


def is_study_hidden(store: Store, study_instance_uid: str, identity: Identity) -> bool:
    """Whether report and result of a study are withheld from somebody."""
    if not may_judge(identity):
        return False
    try:
        case_id = case_number(store, study_instance_uid)
    except NotFoundError:
        return False
    with store.reading() as connection:
        return bool(_hidden(connection, [find_case(connection, case_id)], identity))


def tells_result(instance: InstanceRecord) -> bool:
    """Whether an object of a study holds a report or a result, by its storage class or as one of ours."""
    if instance.result_of is not None:
        return True
    name = UID(instance.sop_class_uid).name
    return any(word in name for word in _TELLING)


def _hidden(connection: Transaction, cases: Sequence[_Known], identity: Identity) -> frozenset[int]:
    rule = policy_in_force(connection).tables.second_read
    open_ones = [case for case in cases if case.state in BEFORE_THE_READ]
    if not open_ones or not (rule.own_read_share or any(rule.audit_shares.values())):
        return frozenset()
    numbers = [case.case_id for case in open_ones]
    drawn = drawn_cases(connection, numbers)
    asked = {case.case_id for case in open_ones if case.case_id in drawn or _is_asked(rule, case)}
    return frozenset(asked) - committed_cases(connection, numbers, identity.actor)


def _is_asked(rule: SecondReadRule, case: _Known) -> bool:
    """Whether an own read is asked for; of what is not listed yet, always: it may be drawn."""
    if case.state is not CaseState.LISTED or case.study_instance_uid is None:
        return True
    return rule.asks_for_own_read(case.study_instance_uid)

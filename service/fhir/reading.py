"""What FHIR gives of a case: its resources as they stand, and as they stood before.

Triage results, decisions and the events of a case are kept for ever, so that each earlier version is made of
them as the latest is. Of today are patient, study and images, and whether the author of the report is told.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from overread.case import CaseEvent, CaseState
from overread.errors import NotFoundError
from overread.finding import load_vocabulary
from service.adjudication.decision import changes_among, decision_among, reads_of_case
from service.adjudication.telling import reaches_author
from service.fhir.communication import communication
from service.fhir.elements import R5, Json, Result
from service.fhir.results import diagnostic_report, observation, task, task_status
from service.fhir.selections import imaging_selections
from service.results.statements import judged_statements
from service.store.database import Store
from service.store.records import EventRecord
from service.store.results import subject_at
from service.store.second_reads import ReadRecord
from service.store.worklist import load_case

_FOUND = frozenset({CaseEvent.FOUND_DISCREPANT, CaseEvent.FOUND_CONCORDANT, CaseEvent.FOUND_NOT_APPLICABLE})
_DECIDED = frozenset({CaseEvent.JUDGED, CaseEvent.ARBITRATED})
_TAKEN_BACK = frozenset({CaseEvent.JUDGEMENT_UNDONE, CaseEvent.ARBITRATION_UNDONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Time from which on something that FHIR tells of a case was as it then was."""

    at: datetime
    revision: int  # of the latest triage result
    entry: int | None  # of the second reads: the last that made a decision or took one back
    state: CaseState
    event_id: int
    disagreed: bool  # whether a triage had found a disagreement by then
    changes_result: bool  # False where the state of the case alone changed

    @property
    def task_version(self) -> str:
        """Version of the Task."""
        result = str(self.revision) + ("" if self.entry is None else f".{self.entry}")
        return result if self.changes_result else f"{result}-{self.event_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A case as it stood from a moment on."""

    result: Result
    moment: Moment
    reaches_author: bool


def _reports(standing: Standing, version: str) -> list[Json]:
    return [diagnostic_report(standing.result, version=version)]


def _observations(standing: Standing, version: str) -> list[Json]:
    numbers = range(1, standing.result.count + 1)
    return [observation(standing.result, number, version=version) for number in numbers]


def _tasks(standing: Standing, _: str) -> list[Json]:
    moment = standing.moment
    return [
        task(standing.result, moment.state, version_id=moment.task_version, changed_at=moment.at),
    ]


def _communications(standing: Standing, version: str) -> list[Json]:
    made = communication(standing.result, reaches_author=standing.reaches_author, version=version)
    return [] if made is None else [made]


def _selections(standing: Standing, version: str) -> list[Json]:
    if version != R5:
        return []
    numbers = range(1, standing.result.count + 1)
    return [item for number in numbers for item in imaging_selections(standing.result, number)]


KINDS: Mapping[str, Callable[[Standing, str], list[Json]]] = {
    "DiagnosticReport": _reports,
    "Observation": _observations,
    "Task": _tasks,
    "Communication": _communications,
    "ImagingSelection": _selections,
}
"""The resources of a case, by their type; version is 4 or 5."""


class CaseReading:
    """A case to be read by whoever may see it."""

    def __init__(self, store: Store, case_id: int) -> None:
        """Read what happened to the case.

        Raises:
            NotFoundError: there is no such case.
            UnreadableRecordError: a judgement is stored in a form that this release does not know.
        """
        self._store = store
        self._case_id = case_id
        self._reads = reads_of_case(store, case_id)
        self._reaches = reaches_author(store, case_id)
        self.moments = tuple(_moments(load_case(store, case_id).events, changes_among(self._reads)))

    def standing(self) -> Standing:
        """Return the case as it stands.

        Raises:
            NotFoundError: nothing disagrees nor ever did, or it has not been triaged.
        """
        if not self.moments:
            raise NotFoundError(f"case {self._case_id} has not been triaged")
        standing = self._at(self.moments[-1])
        if standing is None:
            raise NotFoundError(f"case {self._case_id} has no result: nothing disagrees")
        return standing

    def versions(self, kind: str, name: str, *, version: str) -> list[Json | None]:
        """Return every version of a resource, the oldest first; None where it had gone.

        Args:
            kind: its type.
            name: its id.
            version: of FHIR, 4 or 5.
        """
        given: list[Json | None] = []
        for moment in self.moments:
            if not moment.changes_result and kind != "Task":
                continue
            standing = self._at(moment)
            resource = None if standing is None else named(standing, kind, name, version=version)
            if resource is not None or (given and given[-1] is not None):
                given.append(resource)
        return given

    def _at(self, moment: Moment) -> Standing | None:
        """Return the case as it stood; None where there was no result."""
        subject = subject_at(self._store, self._case_id, moment.revision)
        reads = [item for item in self._reads if moment.entry is not None and item.read_id <= moment.entry]
        decision = decision_among(reads, moment.revision)
        vocabulary = load_vocabulary()
        statements = judged_statements(subject.record, vocabulary, decision.judgement)
        result = Result(subject=subject, statements=statements, decision=decision, vocabulary=vocabulary)
        if not result.count and not moment.disagreed:
            return None
        return Standing(result=result, moment=moment, reaches_author=self._reaches)


def named(standing: Standing, kind: str, name: str, *, version: str) -> Json | None:
    """Return the resource of a case that is called so; None where there is none."""
    return next((item for item in KINDS[kind](standing, version) if item["id"] == name), None)


def _moments(events: Sequence[EventRecord], changes: Sequence[ReadRecord]) -> Iterator[Moment]:
    """Give when something changed that FHIR tells of, the oldest first."""
    to_come = iter(changes)
    before: tuple[int, int | None] | None = None
    status, revision, disagreed = "", 0, False
    entry: int | None = None
    for event in events:
        if event.event in _FOUND:
            revision = event.revision
            disagreed = disagreed or event.event is CaseEvent.FOUND_DISCREPANT
        elif _changes_decision(event) and (change := next(to_come, None)) is not None:
            entry = change.read_id
        now = (revision, entry)
        if not revision or (now == before and task_status(event.state_after) == status):
            continue
        yield Moment(
            at=event.happened_at,
            revision=revision,
            entry=entry,
            state=event.state_after,
            event_id=event.event_id,
            disagreed=disagreed,
            changes_result=now != before,
        )
        before, status = now, task_status(event.state_after)


def _changes_decision(event: EventRecord) -> bool:
    """Whether a second read, of those that `changes_among` gives, brought this event about."""
    if event.event in _DECIDED:
        return event.state_after is CaseState.JUDGED
    return event.event in _TAKEN_BACK and event.state_before is CaseState.JUDGED

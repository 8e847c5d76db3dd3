"""Makes the results that the rules ask for: each once, kept before it is recorded, recorded before it leaves.

A concordant case leaves nothing. Where an earlier result of the case was told and nothing of it is left, a
result that says so replaces it, at the same places and in the same form. Earlier segmentations and
presentation states are rejected by a note, whether or not another follows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from io import BytesIO

import structlog
from pydicom.dataset import Dataset

from overread.errors import (
    InputError,
    LostProcessError,
    NotFoundError,
    OutOfResourcesError,
    UnreadableRecordError,
)
from overread.finding import load_vocabulary
from service.error_boundary import ErrorBoundary
from service.results.clock import Clock
from service.results.notification import event_of
from service.results.objects import Workshop
from service.results.settings import NOTIFICATIONS, Rule
from service.results.statements import Statement, judged_statements, statements_of
from service.store.database import Store
from service.store.result_occasions import (
    Occasion,
    claim_occasion,
    give_up_occasion,
    pass_over,
    postpone_occasion,
)
from service.store.results import (
    REJECTED_BY_NOTE,
    SOURCE,
    Form,
    MadeResult,
    Subject,
    keep_results,
    latest_subject,
    subject_of,
    told_before,
)
from service.tracing import Step, traces

_log = structlog.get_logger("overread.results")


class Maker:
    """Makes what the rules ask for, in the store of an installation."""

    def __init__(self, store: Store, workshop: Workshop, rules: Sequence[Rule], *, clock: Clock) -> None:
        self._store = store
        self._workshop = workshop
        self._rules = rules
        self._clock = clock

    def make_due(self, *, limit: int = 100) -> int:
        """Make the results of occasions that are due, at most so many, and return how many were tried.

        Raises:
            OutOfResourcesError: the store is not available; what is due stays so.
        """
        for count in range(limit):
            occasion = claim_occasion(self._store, now=self._clock())
            if occasion is None:
                return count
            self._make(occasion)
        return limit

    def _make(self, occasion: Occasion) -> None:
        """Make the results of one occasion, or note why nothing is made of it."""
        names = {"case": occasion.case_id, "moment": occasion.moment.value, "revision": occasion.revision}
        with ErrorBoundary() as boundary:
            with traces().step(Step.MAKE_RESULTS, occasion.case_id, moment=occasion.moment.value):
                detail = self._made(occasion)
            _log.info("results_made", detail=detail, **names)
            return
        error = boundary.error
        if isinstance(error, OutOfResourcesError):
            postpone_occasion(self._store, occasion, str(error), now=self._clock())
            raise error
        if isinstance(error, InputError | NotFoundError | UnreadableRecordError):
            give_up_occasion(self._store, occasion, str(error), now=self._clock())
            _log.warning("results_not_made", reason=str(error), **names)
            return
        # Of others neither message nor values are kept: they may hold what the image says of the patient.
        ours = isinstance(error, LostProcessError)
        reason = str(error) if ours else f"unexpected {type(error).__name__}"
        postpone_occasion(self._store, occasion, reason, now=self._clock())
        _log.error("results_not_made", reason=reason, **names)

    def _made(self, occasion: Occasion) -> str:
        """Return what was made, in words."""
        subject = subject_of(self._store, occasion)
        statements = statements_of(subject.record, load_vocabulary(), subject.judgement)
        told = told_before(self._store, occasion)
        wanted = [
            rule
            for rule in self._rules
            if rule.moment is occasion.moment and _is_due(rule, subject, statements, told)
        ]
        made = [
            result
            for form, names in (_rejecting(self._rules, occasion, told) | _places(wanted)).items()
            if (result := self._result(subject, statements, form, names, told)) is not None
        ]
        if not made:
            why = (
                "nothing goes anywhere" if statements else "image and report agree; nobody was told otherwise"
            )
            pass_over(self._store, occasion, why, now=self._clock())
            return why
        detail = ", ".join(f"{item.form} to {' and '.join(item.destinations)}" for item in made)
        keep_results(self._store, subject, made, detail, now=self._clock())
        return detail

    def _result(
        self,
        subject: Subject,
        statements: Sequence[Statement],
        form: Form,
        destinations: tuple[str, ...],
        told: Mapping[tuple[Form, str], bool],
    ) -> MadeResult | None:
        """Return what goes to these places; None where the form can tell nothing of it."""
        if form is Form.ORU:
            corrects = any(earlier is Form.ORU for earlier, _ in told)
            message = self._workshop.make_message(subject, statements, corrects=corrects)
            return MadeResult(form=form, withdraws=not statements, message=message, destinations=destinations)
        if form in NOTIFICATIONS:
            is_new = not any(earlier is form for earlier, _ in told)
            message = event_of(subject, form, is_new=is_new)
            return MadeResult(form=form, withdraws=not statements, message=message, destinations=destinations)
        if form is Form.ASSESSMENT:  # of the result as it was before the judgement
            statements = judged_statements(subject.record, load_vocabulary(), subject.judgement)
        made = self._workshop.make_object(subject, statements, form)
        if made is None:
            return None
        columns = _kept(self._store, subject, made, now=self._clock())
        withdraws = form is Form.REJECTION or not statements
        return MadeResult(form=form, withdraws=withdraws, instance=columns, destinations=destinations)


def result_of_case(store: Store, case_id: int, form: Form) -> Dataset:
    """Return the object that the latest triage of a case gives; nothing is recorded, and nothing leaves.

    Raises:
        NotFoundError: there is no such case, it has not been triaged, or its images are gone.
        InputError: image and report agree, so that there is nothing to tell; or it is an assessment, which
            is made of a judgement alone, or the form can tell nothing of it.
    """
    if form is Form.ASSESSMENT:
        raise InputError("an assessment is made when a second reader has judged, by a rule that asks for it")
    subject = latest_subject(store, case_id)
    statements = statements_of(subject.record, load_vocabulary())
    if not statements:
        raise InputError(f"in case {case_id} nothing disagrees: there is no result of it")
    with Workshop() as workshop:
        made = workshop.make_object(subject, statements, form)
    if made is None:
        raise InputError(
            f"of case {case_id} there is no {form}: nothing that disagrees has a place on an image that it "
            "could be about; the SR says all of it"
        )
    return made


def _is_due(
    rule: Rule, subject: Subject, statements: Sequence[Statement], told: Mapping[tuple[Form, str], bool]
) -> bool:
    """Whether something goes by a rule: a withdrawal only where something is to be withdrawn."""
    if rule.form is Form.ASSESSMENT:
        return bool(subject.record.result.discrepancies)
    if statements:
        return True
    return rule.form is not Form.KO and not told.get((rule.form, rule.destination), True)


def _rejecting(
    rules: Sequence[Rule], occasion: Occasion, told: Mapping[tuple[Form, str], bool]
) -> dict[Form, tuple[str, ...]]:
    """Return which destinations are to be told that what they hold in these forms is out of date."""
    names = [
        rule.destination
        for rule in rules
        if rule.moment is occasion.moment
        and rule.form in REJECTED_BY_NOTE
        and not told.get((rule.form, rule.destination), True)
    ]
    return {Form.REJECTION: tuple(dict.fromkeys(names))} if names else {}


def _places(rules: Sequence[Rule]) -> dict[Form, tuple[str, ...]]:
    """Return which form goes to which destinations."""
    places: dict[Form, list[str]] = {}
    for rule in rules:
        places.setdefault(rule.form, []).append(rule.destination)
    return {form: tuple(dict.fromkeys(names)) for form, names in places.items()}


def _kept(store: Store, subject: Subject, made: Dataset, *, now: datetime) -> Mapping[str, object]:
    """Put the object on the shelf, and return the columns of its row."""
    with store.files.begin() as file:
        made.save_as(encoded := BytesIO(), enforce_file_format=True)
        file.write(encoded.getbuffer())
        store.files.keep(file)
        return {
            "sop_instance_uid": made.SOPInstanceUID,
            "study_instance_uid": made.StudyInstanceUID,
            "series_instance_uid": made.SeriesInstanceUID,
            "sop_class_uid": made.SOPClassUID,
            "transfer_syntax_uid": made.file_meta.TransferSyntaxUID,
            "modality": made.Modality,
            "sha256": file.sha256,
            "size_bytes": file.size_bytes,
            "source": SOURCE,
            "received_at": now,
            "rows": made.get("Rows", 0),
            "columns": made.get("Columns", 0),
            "result_of": subject.occasion.case_id,
        }

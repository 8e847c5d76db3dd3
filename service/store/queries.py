"""Every query of the store, named and described; the callers bind the parameters."""

from typing import Any

from sqlalchemy import Select, bindparam, func, insert, or_, select, tuple_, update

from service.store.schema import (
    appearances,
    cases,
    events,
    instances,
    policies,
    quarantine,
    report_resends,
    report_versions,
    shadow_detections,
    studies,
    triage_detections,
    triage_results,
)

# --- studies and instances

STUDY = select(studies).where(studies.c.study_instance_uid == bindparam("study_instance_uid"))
"""One study."""

STUDIES_OF_ACCESSION = select(studies).where(studies.c.accession_number == bindparam("accession_number"))
"""Every study whose images carry this accession number."""

QUIET_STUDIES = (
    select(studies.c.study_instance_uid)
    .where(
        studies.c.closed_at.is_(None),
        or_(
            studies.c.last_received_at <= bindparam("before"),
            studies.c.last_received_at > bindparam("beyond"),
        ),
    )
    .order_by(studies.c.last_received_at)
    .limit(bindparam("limit"))
)
"""Open studies without a new image since `before`, the quietest first; a time `beyond` is none."""

INSTANCE = select(instances).where(instances.c.sop_instance_uid == bindparam("sop_instance_uid"))
"""One instance."""

INSTANCES_OF_STUDY = (
    select(instances)
    .where(instances.c.study_instance_uid == bindparam("study_instance_uid"), instances.c.result_of.is_(None))
    .order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
)
"""The instances of a study as received, not our results, in an order that is not that of their arrival."""

KNOWN_HASHES = select(instances.c.sha256).where(instances.c.sha256.in_(bindparam("hashes", expanding=True)))
"""Those of `hashes` that belong to a recorded instance."""

ADD_STUDY = insert(studies)
ADD_INSTANCE = insert(instances)

NOTE_IMAGE_SIZE = (
    update(instances)
    .where(instances.c.sop_instance_uid == bindparam("measured"), instances.c.rows.is_(None))
    .values(rows=bindparam("new_rows"), columns=bindparam("new_columns"))
)
"""Let an instance have a size that has none."""

CHANGE_STUDY = update(studies).where(studies.c.study_instance_uid == bindparam("changed_study"))

# --- cases

CASE = select(cases).where(cases.c.case_id == bindparam("case_id"))
"""One case."""

CASE_FOR_CHANGE = CASE.with_for_update()
"""One case, which nobody else changes until this transaction ends."""

CASE_OF_STUDY = (
    select(cases).where(cases.c.study_instance_uid == bindparam("study_instance_uid")).with_for_update()
)
"""The case of a study, if it has been opened, kept from others."""

CASES_OF_ACCESSION = (
    select(cases)
    .where(cases.c.accession_number == bindparam("accession_number"))
    .order_by(cases.c.case_id)
    .with_for_update()
)
"""The cases with an accession number, oldest first, kept from others."""

_NEXT_DUE = (
    select(cases.c.case_id)
    .where(
        cases.c.state == bindparam("claimable"),
        or_(cases.c.due_at <= bindparam("now"), cases.c.due_at > bindparam("beyond")),
    )
    .order_by(cases.c.due_at)
    .limit(1)
)

CLAIM = (
    update(cases)
    .where(cases.c.case_id == _NEXT_DUE.with_for_update(skip_locked=True).scalar_subquery())
    .values(
        state=bindparam("claimed"),
        attempts=cases.c.attempts + 1,
        lease_owner=bindparam("owner"),
        lease_until=bindparam("until"),
        updated_at=bindparam("now"),
    )
    .returning(cases)
)
"""The case that has been due for longest becomes the owner's; one that another is claiming is skipped."""

PEEK = (
    select(instances.c.sha256)
    .join(cases, cases.c.study_instance_uid == instances.c.study_instance_uid)
    .where(cases.c.case_id == _NEXT_DUE.correlate(None).scalar_subquery(), instances.c.result_of.is_(None))
    .order_by(instances.c.series_instance_uid, instances.c.sop_instance_uid)
)
"""The instances of the case that CLAIM would give, in the order of INSTANCES_OF_STUDY."""

RENEW = (
    update(cases)
    .where(
        cases.c.case_id == bindparam("leased_case"),
        cases.c.state == bindparam("claimed"),
        cases.c.revision == bindparam("leased_revision"),
        cases.c.attempts == bindparam("attempt"),
        cases.c.lease_owner == bindparam("owner"),
    )
    .values(lease_until=bindparam("until"))
)
"""The lease runs until then, if it is still the owner's."""

EXPIRED = (
    select(cases)
    .where(
        cases.c.state == bindparam("claimed"),
        or_(cases.c.lease_until <= bindparam("now"), cases.c.lease_until > bindparam("beyond")),
    )
    .order_by(cases.c.lease_until)
    .limit(bindparam("limit"))
)
"""Cases whose lease ran out."""

EXPIRED_FOR_CHANGE = EXPIRED.with_for_update(skip_locked=True)
"""The same, kept from others; one that another process is expiring is skipped."""

ADD_CASE = insert(cases).returning(cases)
CHANGE_CASE = update(cases).where(cases.c.case_id == bindparam("changed_case")).returning(cases)
ADD_EVENT = insert(events)

SUMMARY: Select[Any] = select(
    # A case has its modality once it was concluded; its images have it before.
    *(column for column in cases.c if column.name not in {"modality", "actionable"}),
    studies.c.modality,
    studies.c.body_part,
    studies.c.description,
    studies.c.study_date,
    triage_results.c.outcome,
    triage_results.c.actionable,
    triage_results.c.reasons,
    triage_results.c.headline,
).select_from(
    cases.outerjoin(studies, studies.c.study_instance_uid == cases.c.study_instance_uid).outerjoin(
        triage_results,
        (triage_results.c.case_id == cases.c.case_id)
        & (triage_results.c.revision == cases.c.result_revision),
    )
)
"""A line of the worklist: the case, what its images say of the study, and its latest triage."""

SUMMARIES = SUMMARY.where(cases.c.case_id.in_(bindparam("case_ids", expanding=True)))
"""The lines of these cases, in no order."""

# --- reports and triage results

REPORT_VERSIONS = (
    select(report_versions)
    .where(report_versions.c.case_id == bindparam("case_id"))
    .order_by(report_versions.c.version)
)
"""The versions of a case's report, oldest first."""

REPORT_VERSION = select(report_versions).where(
    report_versions.c.case_id == bindparam("case_id"), report_versions.c.version == bindparam("version")
)
"""One version of a case's report."""

REPORT_RESENDS = (
    select(report_resends.c.version, report_resends.c.issued_at)
    .where(report_resends.c.case_id == bindparam("case_id"))
    .order_by(report_resends.c.version, report_resends.c.issued_at)
)
"""The further times at which the text of each version of a case's report was sent."""

ADD_REPORT_VERSION = insert(report_versions)
ADD_REPORT_RESEND = insert(report_resends)
ADD_RESULT = insert(triage_results)
ADD_DETECTION = insert(triage_detections)

RESULT = select(triage_results).where(
    triage_results.c.case_id == bindparam("case_id"), triage_results.c.revision == bindparam("revision")
)
"""What triage concluded about one revision of a case."""

DETECTIONS = (
    select(triage_detections.c.detection)
    .where(
        triage_detections.c.case_id == bindparam("case_id"),
        triage_detections.c.revision == bindparam("revision"),
    )
    .order_by(triage_detections.c.position)
)
"""What the detectors saw for one triage result, in the order in which they were asked."""

ADD_SHADOW = insert(shadow_detections)

SHADOWS = (
    select(shadow_detections)
    .where(
        tuple_(shadow_detections.c.case_id, shadow_detections.c.revision, shadow_detections.c.position)
        > tuple_(bindparam("case_id"), bindparam("revision"), bindparam("position"))
    )
    .order_by(shadow_detections.c.case_id, shadow_detections.c.revision, shadow_detections.c.position)
    .limit(bindparam("limit"))
)
"""What detectors in shadow saw, a page of it after one entry."""

EVENTS = select(events).where(events.c.case_id == bindparam("case_id")).order_by(events.c.event_id)
"""The history of a case, oldest first."""

EVENT_DETAILS = select(events.c.detail).where(
    events.c.case_id == bindparam("case_id"), events.c.event == bindparam("event")
)
"""What the events of one kind say of a case."""

# --- the patient's earlier reports

EARLIER_REPORTS = (
    select(
        cases.c.case_id,
        studies.c.study_instance_uid,
        studies.c.study_date,
        report_versions.c.version,
        report_versions.c.text,
    )
    .join(cases, cases.c.study_instance_uid == studies.c.study_instance_uid)
    .join(
        report_versions,
        (report_versions.c.case_id == cases.c.case_id)
        & (report_versions.c.version == cases.c.report_version),
    )
    .where(
        studies.c.patient_id == bindparam("patient_id"),
        func.coalesce(studies.c.issuer_of_patient_id, "") == bindparam("issuer"),
        studies.c.study_date < bindparam("before"),
    )
    .order_by(studies.c.study_date.desc(), cases.c.case_id.desc())
    .limit(bindparam("limit"))
)
"""The reports that count of a patient's studies before a day, the latest first."""

PRIOR_STUDIES = (
    select(cases.c.case_id, studies.c.study_date, studies.c.modality, studies.c.description)
    .join(cases, cases.c.study_instance_uid == studies.c.study_instance_uid)
    .where(
        studies.c.patient_id == bindparam("patient_id"),
        func.coalesce(studies.c.issuer_of_patient_id, "") == bindparam("issuer"),
        studies.c.study_date < bindparam("before"),
    )
    .order_by(studies.c.study_date.desc(), cases.c.case_id.desc())
    .limit(bindparam("limit"))
)
"""The studies of a patient before a day of which there are images, the latest first."""

_CONCLUDED = (
    select(
        studies,
        cases.c.case_id,
        triage_results.c.revision,
        triage_results.c.outcome,
        triage_results.c.reading,
        appearances.c.appearance,
    )
    .join(cases, cases.c.study_instance_uid == studies.c.study_instance_uid)
    .outerjoin(appearances, appearances.c.case_id == cases.c.case_id)
    .join(
        triage_results,
        (triage_results.c.case_id == cases.c.case_id)
        & (triage_results.c.revision == cases.c.result_revision),
    )
    .order_by(cases.c.case_id)
)
CONCLUDED = _CONCLUDED.where(cases.c.case_id > bindparam("after")).limit(bindparam("limit"))
"""What was concluded, a page of it after one case."""

CONCLUDED_OF = _CONCLUDED.where(cases.c.case_id.in_(bindparam("numbers", expanding=True)))
"""What was concluded of these cases."""

EARLIER_REPORT = (
    select(
        cases.c.case_id,
        studies.c.study_instance_uid,
        studies.c.study_date,
        report_versions.c.version,
        report_versions.c.text,
    )
    .join(cases, cases.c.study_instance_uid == studies.c.study_instance_uid)
    .join(report_versions, report_versions.c.case_id == cases.c.case_id)
    .where(
        studies.c.study_instance_uid == bindparam("study_instance_uid"),
        report_versions.c.version == bindparam("version"),
    )
)
"""One version of the report of a study, with the day of the study."""

# --- policies

POLICIES = select(policies).order_by(policies.c.policy_id.desc())
"""Every policy that has been in force, the last one first."""

POLICY_IN_FORCE = POLICIES.limit(1)
"""The policy in force, if one has been recorded."""

ADD_POLICY = insert(policies)

WEIGHED_OTHERWISE = (
    select(cases.c.case_id)
    .where(
        cases.c.state == bindparam("state"),
        or_(
            cases.c.policy_version < bindparam("version"),  # two ranges of an index, where <> would be a walk
            cases.c.policy_version > bindparam("version"),
            cases.c.policy_version.is_(None),
        ),
    )
    .limit(bindparam("limit"))
)
"""Cases whose latest result was made under another policy."""

# --- quarantine

QUARANTINED = select(quarantine.c.quarantine_id).where(quarantine.c.fingerprint == bindparam("fingerprint"))
"""The entry of the same thing, if it has been refused before."""

ADD_QUARANTINE = insert(quarantine)

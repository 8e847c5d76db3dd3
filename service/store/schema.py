"""The tables, as SQLAlchemy sees them; the migrations make them, and a test holds the two together."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from service.store.account_tables import people as people  # noqa: PLC0414  # all tables are here
from service.store.audit_schema import audit_trail as audit_trail  # noqa: PLC0414  # all tables are here
from service.store.claim_tables import reading_claims as reading_claims  # noqa: PLC0414  # all tables are here
from service.store.column_types import RowNumber, Sha256, Uid, UtcDateTime, actor_columns
from service.store.count_tables import case_counts as case_counts  # noqa: PLC0414  # all tables are here
from service.store.drift_tables import appearances as appearances  # noqa: PLC0414  # all tables are here
from service.store.list_columns import filter_columns, make_event_index, make_list_indexes
from service.store.metadata import metadata as metadata  # noqa: PLC0414  # with all tables
from service.store.notice_tables import notices as notices  # noqa: PLC0414  # all tables are here
from service.store.result_tables import results as results  # noqa: PLC0414  # all tables are here
from service.store.second_read_tables import audit_draws, report_authors, second_reads

# One DICOM study; what describes it comes from its first instance that says so.
studies = Table(
    "studies",
    metadata,
    Column("study_instance_uid", Uid, primary_key=True),
    Column("patient_id", String(256)),
    Column("issuer_of_patient_id", String(256)),
    Column("accession_number", String(256)),
    Column("modality", String(16)),
    Column("body_part", String(64)),
    Column("description", String(256)),
    Column("study_date", String(8)),  # DICOM DA: YYYYMMDD
    Column("patient_age_years", Float),
    Column("patient_sex", String(16)),
    Column("site", String(64)),  # as service.intake.sites.site_of gives it; null where no image says
    Column("first_received_at", UtcDateTime, nullable=False),
    Column("last_received_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),  # null while images may still come
    Index("ix_studies_accession_number", "accession_number"),
    Index("ix_studies_patient_id_study_date", "patient_id", "study_date"),
    Index("ix_studies_closed_at_last_received_at", "closed_at", "last_received_at"),
)

# One stored object; its file is found by the SHA-256 of its bytes as received.
instances = Table(
    "instances",
    metadata,
    Column("sop_instance_uid", Uid, primary_key=True),
    Column("study_instance_uid", Uid, ForeignKey("studies.study_instance_uid"), nullable=False),
    Column("series_instance_uid", Uid, nullable=False),
    Column("sop_class_uid", Uid, nullable=False),
    Column("transfer_syntax_uid", Uid, nullable=False),
    Column("modality", String(16)),
    Column("sha256", Sha256, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("source", String(256), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),  # its bytes, on purpose; null while they are kept
    Column("removed_why", String(256)),  # in words
    Column("rows", Integer),  # of a frame; 0 for what is no image, null where it has not been looked at
    Column("columns", Integer),  # the same
    Column("result_of", RowNumber),  # case whose result it is, made here; null of what was received
    Index("ix_instances_study_instance_uid", "study_instance_uid"),
    Index("ix_instances_removed_at_received_at", "removed_at", "received_at"),
    UniqueConstraint("sha256", name="uq_instances_sha256"),
)

# One study plus its report. This table is the queue: a worker claims a READY row under a lease.
cases = Table(
    "cases",
    metadata,
    Column("case_id", RowNumber, primary_key=True),
    # No foreign key: a report may name a study whose images have not come yet.
    Column("study_instance_uid", Uid),
    Column("accession_number", String(256)),
    Column("patient_id", String(256)),
    Column("state", String(32), nullable=False),
    Column("revision", Integer, nullable=False),  # counts what has to be triaged anew
    Column("report_version", Integer),  # the version that counts; null while there is none but preliminary
    Column("result_revision", Integer),  # of the latest triage result; null while there is none
    Column("priority", Float, nullable=False),
    Column("waiting_since", UtcDateTime),  # on the list since then; null while it is not
    Column("overdue_at", UtcDateTime),  # from then on it comes first
    Column("open_to_all_at", UtcDateTime),  # from then on every subspecialty is shown it
    Column("site", String(64)),  # of the images, else of the report; null where neither says
    Column("subspecialty", String(64)),  # whose second look it is; null: anybody's
    Column("policy_version", String(64)),  # that made the latest result
    *filter_columns(),
    Column("attempts", Integer, nullable=False),  # claims of this revision
    Column("due_at", UtcDateTime, nullable=False),  # a READY case may be claimed from then on
    Column("lease_owner", String(128)),
    Column("lease_until", UtcDateTime),
    Column("failure", Text),  # why it is FAILED, in words
    Column("opened_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("study_instance_uid", name="uq_cases_study_instance_uid"),
    Index("ix_cases_accession_number", "accession_number"),
    Index("ix_cases_state_due_at", "state", "due_at"),
    Index("ix_cases_state_policy_version", "state", "policy_version"),
)
make_list_indexes(cases)

# Each version of a report, as received; never changed.
report_versions = Table(
    "report_versions",
    metadata,
    Column("case_id", RowNumber, ForeignKey("cases.case_id"), nullable=False, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("text", Text, nullable=False),  # the whole report as of this version
    Column("sent_text", Text),  # where it is another: an addendum alone, or a report before its addendum
    Column("sha256", Sha256, nullable=False),  # of the text that was sent
    Column("source", String(256), nullable=False),
    Column("issued_at", UtcDateTime),  # when it was made; null where the sender does not say
    Column("received_at", UtcDateTime, nullable=False),
)

# A version whose text was sent again with another time, which may make it the latest word. Never changed.
report_resends = Table(
    "report_resends",
    metadata,
    Column("case_id", RowNumber, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("issued_at", UtcDateTime, primary_key=True),
    Column("source", String(256), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(
        ["case_id", "version"],
        ["report_versions.case_id", "report_versions.version"],
        name="fk_report_resends_case_id",
    ),
)

# What triage concluded about one revision of a case: the primary key is "exactly once". Never changed.
triage_results = Table(
    "triage_results",
    metadata,
    Column("case_id", RowNumber, ForeignKey("cases.case_id"), nullable=False, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("report_version", Integer, nullable=False),
    Column(
        "instances_sha256", Sha256, nullable=False
    ),  # of the set of instances that the detectors were shown
    Column("outcome", String(32), nullable=False),
    Column("priority", Float, nullable=False),
    Column("actionable", String(16), nullable=False),
    Column("subspecialty", String(64)),
    Column("policy_version", String(64), nullable=False),
    Column("observer_name", String(128), nullable=False),
    Column("observer_version", String(128), nullable=False),
    Column("observer_sha256", String(64), nullable=False),
    Column("reasons", Text, nullable=False),  # JSON array of text
    Column("headline", Text),  # JSON of service.store.headline.Headline; null where nothing disagrees
    Column("result", Text, nullable=False),  # JSON of overread.triage.TriageResult
    Column("reading", Text, nullable=False),  # JSON of overread.observation.ReportReading
    Column("worker", String(128), nullable=False),
    Column("triaged_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(
        ["case_id", "report_version"],
        ["report_versions.case_id", "report_versions.version"],
        name="fk_triage_results_report_version",
    ),
)

# What each detector saw for one triage result. Never changed.
triage_detections = Table(
    "triage_detections",
    metadata,
    Column("case_id", RowNumber, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("detector_name", String(128), nullable=False),
    Column("detector_version", String(128), nullable=False),
    Column("detector_sha256", String(64), nullable=False),
    Column("operating_point", String(128), nullable=False),
    Column("detection", Text, nullable=False),  # JSON of overread.observation.Detection
    ForeignKeyConstraint(
        ["case_id", "revision"],
        ["triage_results.case_id", "triage_results.revision"],
        name="fk_triage_detections_triage_results",
    ),
)

# What detectors in shadow saw beside one triage result, or why they saw nothing. Weighed against no report,
# shown to nobody who reads. Never changed.
shadow_detections = Table(
    "shadow_detections",
    metadata,
    Column("case_id", RowNumber, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("detector_name", String(128), nullable=False),
    Column("detector_version", String(128), nullable=False),
    Column("detector_sha256", String(64), nullable=False),
    Column("detection", Text),  # JSON of overread.observation.Detection; null where it failed
    Column("failure", Text),  # why, in words; null where it did not fail
    Column("seconds", Float, nullable=False),  # that the look took
    Column("worker", String(128), nullable=False),
    Column("looked_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(
        ["case_id", "revision"],
        ["triage_results.case_id", "triage_results.revision"],
        name="fk_shadow_detections_triage_results",
    ),
)

# What happened to a case, in order. Never changed.
events = Table(
    "events",
    metadata,
    Column("event_id", RowNumber, primary_key=True),
    Column("case_id", RowNumber, ForeignKey("cases.case_id"), nullable=False),
    Column("happened_at", UtcDateTime, nullable=False),
    Column("event", String(32), nullable=False),
    Column("state_before", String(32)),  # null for the first
    Column("state_after", String(32), nullable=False),
    Column("revision", Integer, nullable=False),
    *actor_columns(),
    Column("detail", Text),
    Index("ix_events_case_id", "case_id"),
)
make_event_index(events)

# The policies that have been in force, one after the other; the last one is. Never changed.
policies = Table(
    "policies",
    metadata,
    Column("policy_id", RowNumber, primary_key=True),
    Column("version", String(64), nullable=False),
    Column("sha256", Sha256, nullable=False),
    Column("text", Text, nullable=False),  # the whole file
    Column("origin", String(16), nullable=False),  # SHIPPED or SITE
    *actor_columns(),
    Column("in_force_from", UtcDateTime, nullable=False),
)

# What was refused: the bytes lie in the quarantine folder under their SHA-256.
quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", RowNumber, primary_key=True),
    Column("kind", String(16), nullable=False),  # INSTANCE or REPORT
    Column("reason", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("source", String(256), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("sha256", Sha256, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    # As far as they could be read; enough to correct and send it again.
    Column("study_instance_uid", String(256)),
    Column("sop_instance_uid", String(256)),
    Column("accession_number", String(256)),
    Column("patient_id", String(256)),
    Column("report_status", String(16)),
    Column("report_issued_at", UtcDateTime),  # null where the sender does not say
    Column("report_charset", String(64)),
    Column("fingerprint", Sha256, nullable=False),  # the same thing refused twice is one entry
    Column("state", String(16), nullable=False, server_default="WAITING"),  # or RESOLVED, DISCARDED
    Column("case_id", RowNumber),  # of the report that it became; null for images, whose case the study has
    Column("removed_at", UtcDateTime),  # its bytes, on purpose; null while they are kept
    Column("removed_why", String(256)),  # in words
    Column("site", String(64)),  # as far as it could be read
    UniqueConstraint("fingerprint", name="uq_quarantine_fingerprint"),
    Index("ix_quarantine_sha256", "sha256"),
    Index("ix_quarantine_removed_at_received_at", "removed_at", "received_at"),
    Index("ix_quarantine_removed_at_size_bytes", "removed_at", "size_bytes"),
    Index("ix_quarantine_received_at", "received_at"),
    Index("ix_quarantine_state_received_at", "state", "received_at"),
)

# What was done with something that was refused, by a person or by retention. Never changed.
quarantine_actions = Table(
    "quarantine_actions",
    metadata,
    Column("action_id", RowNumber, primary_key=True),
    Column("quarantine_id", RowNumber, ForeignKey("quarantine.quarantine_id"), nullable=False),
    Column("happened_at", UtcDateTime, nullable=False),
    Column("action", String(16), nullable=False),  # REPLAYED, CORRECTED, DISCARDED or REMOVED
    Column("outcome", String(16), nullable=False),  # STORED, ALREADY_STORED, REFUSED or DISCARDED
    *actor_columns(),
    Column("detail", Text),  # why it was refused again, or discarded, in words
    Column(
        "correction", Text
    ),  # JSON of service.store.quarantine.Correction; null where nothing was corrected
    Index("ix_quarantine_actions_quarantine_id", "quarantine_id"),
)

# What `overread import` has taken already, so that it goes on where it was interrupted.
imports = Table(
    "imports",
    metadata,
    Column("item_sha256", Sha256, primary_key=True),  # of what names a file or row as it is now
    Column("outcome", String(16), nullable=False),
    Column("imported_at", UtcDateTime, nullable=False),
)

# One storage commitment (PS3.4 annex J) that was asked for and has to be reported to who asked.
commitments = Table(
    "commitments",
    metadata,
    Column("commitment_id", RowNumber, primary_key=True),
    Column("transaction_uid", Uid, nullable=False),
    Column("requestor", String(16), nullable=False),  # AE title of who asked
    Column("called", String(16), nullable=False),  # AE title by which we were called
    Column("instances", Text, nullable=False),  # JSON array of SOP class and SOP instance UIDs
    Column("state", String(16), nullable=False),  # DUE, REPORTED or GIVEN_UP
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),  # the next attempt, while DUE
    Column("requested_at", UtcDateTime, nullable=False),
    Column("concluded_at", UtcDateTime),  # when it was reported or given up
    Column("detail", Text),  # what was reported, or why the last attempt failed, in words
    UniqueConstraint("requestor", "transaction_uid", name="uq_commitments_requestor_transaction_uid"),
    Index("ix_commitments_state_due_at", "state", "due_at"),
)

# What is to be fetched from the PACS, or was, or was given up.
fetches = Table(
    "fetches",
    metadata,
    Column("fetch_id", RowNumber, primary_key=True),
    Column("kind", String(16), nullable=False),  # MISSED, PRIORS or PRIOR
    Column("subject", Uid, nullable=False),  # number of the case (MISSED), else UID of the study
    Column("state", String(16), nullable=False),  # DUE, DONE or GIVEN_UP
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),  # the next attempt, while DUE
    Column("asked_at", UtcDateTime, nullable=False),
    Column("concluded_at", UtcDateTime),  # when it was done or given up
    Column("detail", Text),  # what came, or why the last attempt failed, in words
    UniqueConstraint("kind", "subject", name="uq_fetches_kind_subject"),
    Index("ix_fetches_state_due_at", "state", "due_at"),
)

# Named leases: of the processes of one installation, the owner alone does a piece of work.
leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("until", UtcDateTime, nullable=False),  # free from then on
)

# What somebody changed about which detectors run; what runs is in the last row. Never changed.
detector_registry = Table(
    "detector_registry",
    metadata,
    Column("change_id", RowNumber, primary_key=True),
    Column("happened_at", UtcDateTime, nullable=False),
    *actor_columns(),
    Column("action", String(16), nullable=False),  # models.registry.Change.action
    Column("release", Text, nullable=False),
    Column("version", Text),
    Column("manifest_sha256", Sha256),
    Column("replaced", Text),  # release that was active before
    Column("gate", Text),  # what the release gate concluded, in words
    Column("reason", Text),
    Column("detectors", Text),  # JSON of every models.registry.Entry from then on; null in what a file told
)

# The workers that live, or have died a short while ago.
workers = Table(
    "workers",
    metadata,
    Column("name", String(128), primary_key=True),  # as in the history of the cases
    Column("host", String(256), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("release", String(64), nullable=False),  # version of overread
    Column("detectors", Text, nullable=False),  # JSON array of names with versions
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("case_id", RowNumber),  # that it works on; no reference, since a row must never hold up a case
)

APPEND_ONLY = (
    report_versions,
    report_resends,
    triage_results,
    triage_detections,
    shadow_detections,
    events,
    policies,
    quarantine_actions,
    detector_registry,
    second_reads,
    audit_draws,
    report_authors,
)
"""Tables whose rows the database itself refuses to change or delete."""

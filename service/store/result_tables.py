"""The tables of results for other systems, with the outbox: what may be due, what was made, where it goes."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from service.store.column_types import RowNumber, Uid, UtcDateTime
from service.store.metadata import metadata

# One thing that happened to a case and may have to be told to other systems: a triage, a judgement. Written
# in the transaction in which it happened.
result_occasions = Table(
    "result_occasions",
    metadata,
    Column("occasion_id", RowNumber, primary_key=True),
    Column("case_id", RowNumber, ForeignKey("cases.case_id"), nullable=False),
    Column("moment", String(16), nullable=False),  # TRIAGE or JUDGEMENT
    Column("revision", Integer, nullable=False),  # of the triage result that it is about
    Column("judgement_id", RowNumber),  # null but for a judgement
    Column("happened_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),  # DUE, DONE or GIVEN_UP
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),  # the next attempt, while DUE
    Column("concluded_at", UtcDateTime),
    Column("detail", Text),  # what was made, or why the last attempt failed, in words
    Index("ix_result_occasions_state_due_at", "state", "due_at"),
    Index("ix_result_occasions_case_id", "case_id"),
)

# One result in one form, made once; every attempt to send it sends the same bytes. Never changed.
results = Table(
    "results",
    metadata,
    Column("result_id", RowNumber, primary_key=True),
    Column("occasion_id", RowNumber, ForeignKey("result_occasions.occasion_id"), nullable=False),
    Column("case_id", RowNumber, ForeignKey("cases.case_id"), nullable=False),
    Column("form", String(16), nullable=False),  # service.store.results.Form
    Column("sop_instance_uid", Uid),  # of a DICOM object, which is a row of instances; null of a message
    Column("message", Text),  # of HL7 v2, or what is told by FHIR; null of a DICOM object
    Column("withdraws", Boolean, nullable=False),  # whether it says that nothing of an earlier one is left
    Column("made_at", UtcDateTime, nullable=False),
    UniqueConstraint("occasion_id", "form", name="uq_results_occasion_id_form"),
    Index("ix_results_case_id_form", "case_id", "form"),
    Index("ix_results_sop_instance_uid", "sop_instance_uid"),
)

# The outbox: one result, or one notice, on its way to one destination, or there, or given up.
deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", RowNumber, primary_key=True),
    Column("result_id", RowNumber, ForeignKey("results.result_id")),  # null of a notice
    Column("case_id", RowNumber, ForeignKey("cases.case_id")),  # null of a notice, which may be of many
    Column("destination", String(80), nullable=False),  # its name in the settings
    Column("state", String(16), nullable=False),  # DUE, SENT, GIVEN_UP or SUPERSEDED
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),  # the next attempt, while DUE
    Column("asked_at", UtcDateTime, nullable=False),
    Column("concluded_at", UtcDateTime),  # when it was sent or given up
    Column("detail", Text),  # what was answered, or why the last attempt failed, in words
    Column("commitment", String(16)),  # ASKED, KEPT or REFUSED; null where none was asked for
    Column("transaction_uid", Uid),  # of that request
    Column("notice_id", RowNumber, ForeignKey("notices.notice_id")),  # null of a result
    UniqueConstraint("notice_id", name="uq_deliveries_notice_id"),
    UniqueConstraint("result_id", "destination", name="uq_deliveries_result_id_destination"),
    Index("ix_deliveries_destination_state_due_at", "destination", "state", "due_at"),
    Index("ix_deliveries_state_due_at", "state", "due_at"),
    Index("ix_deliveries_transaction_uid", "transaction_uid"),
    Index("ix_deliveries_case_id", "case_id"),
)

"""Times every query that the page of the worklist asks, with one large day in the store.

    python -m benchmarks.worklist --cases 100000

The rows are made in bulk; the queries are the service's own. Prints median and 99th percentile of each.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Table

from overread.case import CaseState
from overread.finding import Actionable
from overread.observation import ReaderIdentity, ReportReading
from overread.triage import Outcome, TriageResult
from service.codec import to_json
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.queue import claim_case
from service.store.schema import cases, events, instances, report_versions, studies, triage_results
from service.store.worklist import count_cases, list_worklist, load_case

START = datetime(2026, 3, 1, tzinfo=UTC)
BATCH = 2000
# Of a day under second read most is settled; what is listed is what people page through.
SHARES = {
    CaseState.CONCORDANT: 0.55,
    CaseState.LISTED: 0.20,
    CaseState.NOT_APPLICABLE: 0.15,
    CaseState.READY: 0.05,
    CaseState.AWAITING_REPORT: 0.05,
}
READER = ReaderIdentity(name="bulk", version="1")
REPORT = "FINDINGS: The lungs are clear. " * 20
RESULT = TriageResult(
    outcome=Outcome.CONCORDANT,
    priority=0.0,
    actionable=Actionable.NONE,
    subspecialty=None,
    discrepancies=(),
    reasons=("report and detector agree",),
    policy_version="1",
)


def fill(store: Store, count: int, chance: random.Random) -> None:
    """Put so many cases into the store, each with study, instance, report, result and events."""
    states = chance.choices(list(SHARES), weights=list(SHARES.values()), k=count)
    for first in range(0, count, BATCH):
        rows: dict[Table, list[dict[str, object]]] = {}
        for number in range(first, min(first + BATCH, count)):
            for table, row in rows_of(number, states[number], chance):
                rows.setdefault(table, []).append(row)
        with store.writing() as connection:
            for table, values in rows.items():
                insert(connection, table, values)


def insert(connection: Connection, table: Table, values: list[dict[str, object]]) -> None:
    """Insert the rows of one table."""
    connection.execute(table.insert(), values)


def rows_of(number: int, state: CaseState, chance: random.Random) -> list[tuple[Table, dict[str, object]]]:
    """Return the rows of one case, the referenced ones first."""
    case_id, study, at = number + 1, f"2.25.{number + 1}", START + timedelta(seconds=0.8 * number)
    triaged = state not in {CaseState.READY, CaseState.AWAITING_REPORT}
    listed = state is CaseState.LISTED
    priority = round(chance.uniform(0, 100), 1) if listed else 0.0
    allowed = timedelta(hours=chance.choice((1, 8, 72, 336)))
    case = {
        "case_id": case_id,
        "study_instance_uid": study,
        "accession_number": f"A{number}",
        "state": state.value,
        "revision": 1,
        "report_version": None if state is CaseState.AWAITING_REPORT else 1,
        "result_revision": 1 if triaged else None,
        "priority": priority,
        "waiting_since": at if listed else None,
        "overdue_at": at + allowed if listed else None,
        "open_to_all_at": at + allowed / 2 if listed else None,
        "subspecialty": chance.choice(("thoracic", "cardiac", "musculoskeletal")) if listed else None,
        "policy_version": "1" if triaged else None,
        "attempts": 1 if triaged else 0,
        "due_at": at,
        "opened_at": at,
        "updated_at": at,
    }
    made: list[tuple[Table, dict[str, object]]] = [
        (studies, study_row(number, study, at)),
        (instances, instance_row(number, study, at)),
        (cases, case),
        (events, event_row(case_id, at, None, state)),
    ]
    if state is not CaseState.AWAITING_REPORT:
        made.append((report_versions, report_row(case_id, at)))
    if triaged:
        made.append((triage_results, result_row(case_id, at, priority)))
    return made


def study_row(number: int, study: str, at: datetime) -> dict[str, object]:
    """Return one study."""
    return {
        "study_instance_uid": study,
        "patient_id": f"P{number}",
        "accession_number": f"A{number}",
        "modality": "DX",
        "body_part": "CHEST",
        "first_received_at": at,
        "last_received_at": at,
        "closed_at": at,
    }


def instance_row(number: int, study: str, at: datetime) -> dict[str, object]:
    """Return the one image of a study."""
    return {
        "sop_instance_uid": f"{study}.1.1",
        "study_instance_uid": study,
        "series_instance_uid": f"{study}.1",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.1",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "sha256": f"{number:064x}",
        "size_bytes": 8_400_000,
        "source": "bulk",
        "received_at": at,
    }


def event_row(case_id: int, at: datetime, before: CaseState | None, after: CaseState) -> dict[str, object]:
    """Return one event."""
    return {
        "case_id": case_id,
        "happened_at": at,
        "event": "OPENED",
        "state_before": before,
        "state_after": after.value,
        "revision": 1,
        "actor": "bulk",
    }


def report_row(case_id: int, at: datetime) -> dict[str, object]:
    """Return one report."""
    return {
        "case_id": case_id,
        "version": 1,
        "status": "FINAL",
        "text": REPORT,
        "sha256": f"{case_id:064x}",
        "source": "bulk",
        "received_at": at,
    }


def result_row(case_id: int, at: datetime, priority: float) -> dict[str, object]:
    """Return one triage result."""
    return {
        "case_id": case_id,
        "revision": 1,
        "report_version": 1,
        "instances_sha256": "0" * 64,
        "outcome": RESULT.outcome.value,
        "priority": priority,
        "actionable": RESULT.actionable.value,
        "policy_version": RESULT.policy_version,
        "reader_name": READER.name,
        "reader_version": READER.version,
        "reader_sha256": READER.sha256,
        "reasons": to_json(RESULT.reasons),
        "result": to_json(RESULT),
        "reading": to_json(ReportReading(reader=READER, observations=())),
        "worker": "bulk",
        "triaged_at": at,
    }


def deep_page(store: Store, pages: int, now: datetime) -> str | None:
    """Return the position after so many pages of the list."""
    position = None
    for _ in range(pages):
        position = list_worklist(store, now=now, after=position, limit=100).next
    return position


def timed(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the median and the 99th percentile in milliseconds."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    taken.sort()
    return taken[len(taken) // 2], taken[min(int(0.99 * len(taken)), len(taken) - 1)]


def main() -> int:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database-url", default="", help="default: SQLite in a temporary folder")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        environ = {"OVERREAD_DATABASE_URL": arguments.database_url}
        store = open_store(load_settings(environ, data_folder=Path(folder)))
        fill(store, arguments.cases, chance)
        now = START + timedelta(days=2)
        position = deep_page(store, 50, now)
        asked: dict[str, Callable[[], object]] = {
            "first page of 50 listed": lambda: list_worklist(store, now=now),
            "first page of 50 for a subspecialty": lambda: list_worklist(
                store, now=now, subspecialty="thoracic"
            ),
            "page of 50 after 5,000 listed": lambda: list_worklist(store, now=now, after=position),
            "first page of 50, every state": lambda: list_worklist(store, now=now, states=list(CaseState)),
            "one case with everything": lambda: load_case(store, chance.randint(1, arguments.cases)),
            "count by state": lambda: count_cases(store),
            "claim": lambda: claim_case(store, worker="bench", now=now),
        }
        where = f"{arguments.cases} cases on {store.engine.dialect.name}"
        print(f"{where}, {arguments.repeats} times each, seed {arguments.seed}")
        for name, work in asked.items():
            median, worst = timed(work, arguments.repeats)
            print(f"{name:34} median {median:7.2f} ms   99th percentile {worst:7.2f} ms")
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

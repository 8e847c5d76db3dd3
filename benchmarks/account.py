"""Counts what became of everything that was acknowledged."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.elements import open_data_set
from overread.case import SECOND_READ, TRIAGED
from overread.errors import NotFoundError
from service.store.database import Store
from service.store.schema import cases, instances, quarantine, report_versions, triage_results


@dataclass(frozen=True, kw_only=True)
class Account:
    """Account of what was acknowledged and what is stored: missing or too much."""

    studies: int  # sent, each with one image and one report
    acknowledged_images: int
    acknowledged_reports: int
    stored_images: int
    stored_reports: int
    cases: int
    triaged_once: int  # cases that are concluded, with exactly one result
    lost: int  # acknowledged, but not stored with the very same content
    duplicated: int  # stored or triaged more than once, or cases beyond one per study
    quarantined: int

    @property
    def is_settled(self) -> bool:
        """Whether everything has been acknowledged and concluded, or something is wrong for good."""
        acknowledged = self.acknowledged_images + self.acknowledged_reports
        return acknowledged == 2 * self.studies and self.triaged_once >= self.studies

    @property
    def is_perfect(self) -> bool:
        """Whether all was triaged exactly once, and nothing was lost, doubled or refused."""
        return (
            self.is_settled
            and self.cases == self.triaged_once == self.studies
            and self.lost == self.duplicated == self.quarantined == 0
        )

    def lines(self) -> Iterator[str]:
        """The counts as a table."""
        rows = (
            ("studies sent, each with a report", self.studies),
            ("images acknowledged", self.acknowledged_images),
            ("images stored", self.stored_images),
            ("reports acknowledged", self.acknowledged_reports),
            ("reports stored", self.stored_reports),
            ("cases", self.cases),
            ("triaged exactly once", self.triaged_once),
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("in quarantine", self.quarantined),
        )
        for name, count in rows:
            yield f"{name:34}{count:6}"


def take_account(store: Store, *, studies: int, images: Sequence[bytes], reports: Sequence[str]) -> Account:
    """Compare what was acknowledged with what the store holds, content by content."""
    with store.reading() as connection:
        instance_rows = connection.execute(instances.select()).all()
        texts = Counter(row.text for row in connection.execute(report_versions.select()))
        case_rows = connection.execute(cases.select()).all()
        results = Counter(row.case_id for row in connection.execute(triage_results.select()))
        refused = len(connection.execute(quarantine.select()).all())
    contents = Counter(_content_hash(store, row.sha256) for row in instance_rows)
    sent = Counter(_data_set_hash(image) for image in images)
    concluded = {state.value for state in TRIAGED | SECOND_READ}
    return Account(
        studies=studies,
        acknowledged_images=len(images),
        acknowledged_reports=len(reports),
        stored_images=contents.total(),
        stored_reports=texts.total(),
        cases=len(case_rows),
        triaged_once=sum(row.state in concluded and results[row.case_id] == 1 for row in case_rows),
        lost=(sent - contents).total() + (Counter(reports) - texts).total(),
        duplicated=_surplus(contents)
        + _surplus(texts)
        + _surplus(results)
        + max(len(case_rows) - studies, 0),
        quarantined=refused,
    )


def _content_hash(store: Store, sha256: str) -> str:
    try:
        return _data_set_hash(store.files.path_of(sha256).read_bytes())
    except NotFoundError:
        return "missing"


def _data_set_hash(file: bytes) -> str:
    """Return the hash of what follows the file meta information, which a C-STORE receiver writes itself."""
    return hashlib.sha256(file[open_data_set(file).at :]).hexdigest()


def _surplus(counts: Counter[str] | Counter[int]) -> int:
    return sum(count - 1 for count in counts.values() if count > 1)

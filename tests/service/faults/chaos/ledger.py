"""The ledger of what was acknowledged, held against what the database and its objects say."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select

from benchmarks.sending import Parcel
from models.elements import open_data_set
from overread.case import TRIAGED, CaseState
from overread.errors import NotFoundError
from service.store.database import Store
from service.store.schema import cases, instances, report_versions, triage_results
from tests.service.faults.chaos.load import Consignment, Expected

Key = tuple[str, str]  # accession number, and hash of the data set or of the text


@dataclass(frozen=True, kw_only=True)
class HeldCase:
    """A case as the store has it."""

    accession: str
    state: CaseState
    results: int
    in_force: str  # text of the report that counts
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """What is stored of the accession numbers of a ledger."""

    objects: Counter[Key]
    reports: Counter[Key]
    cases: tuple[HeldCase, ...]


@dataclass(kw_only=True)
class Ledger:
    """What was announced, and what has been acknowledged, by whatever thread."""

    expected: dict[str, Expected] = field(default_factory=dict)  # by accession number
    objects: Counter[Key] = field(default_factory=Counter)  # acknowledgements
    reports: Counter[Key] = field(default_factory=Counter)
    waiting: int = 0  # sent, or to be sent, and not acknowledged
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def announce(self, consignment: Consignment) -> None:
        """What a consignment holds is going to be sent."""
        with self._guard:
            self.waiting += len(consignment.parcels)
            self.expected.update({each.accession: each for each in consignment.expected})

    def acknowledge(self, parcel: Parcel) -> None:
        """A parcel has been acknowledged to its sender."""
        with self._guard:
            self.waiting -= 1
            if parcel.image:
                self.objects[parcel.accession, data_set_hash(parcel.image)] += 1
            else:
                for accession in (parcel.accession, *parcel.further):
                    self.reports[accession, text_hash(parcel.report)] += 1

    @property
    def acknowledged(self) -> int:
        """Return how many acknowledgements there were, of objects and of reports."""
        return self.objects.total() + self.reports.total()


@dataclass(frozen=True, kw_only=True)
class Reckoning:
    """Ledger and store, compared."""

    studies: int
    acknowledged: int  # with what was sent again
    distinct: int  # objects and reports among them
    stored: int
    triaged_once: int  # studies with one case that is concluded, by the report that counts, as often as due
    waiting: int  # never acknowledged
    lost: tuple[str, ...]  # in words, each
    twice: tuple[str, ...]
    open: tuple[str, ...]  # not concluded

    @property
    def is_settled(self) -> bool:
        """Return whether nothing is under way."""
        return not (self.waiting or self.open)

    @property
    def is_perfect(self) -> bool:
        """Return whether everything is there, concluded, and there once."""
        return self.is_settled and not (self.lost or self.twice) and self.triaged_once == self.studies


def reckon(ledger: Ledger, holdings: Holdings) -> Reckoning:
    """Return what of the ledger is missing in the store, and what is there more than once."""
    by_accession: dict[str, list[HeldCase]] = {}
    for case in holdings.cases:
        by_accession.setdefault(case.accession, []).append(case)
    lost = [f"object of {accession}" for accession, _ in missing(ledger.objects, holdings.objects)]
    lost += [f"report of {accession}" for accession, _ in missing(ledger.reports, holdings.reports)]
    twice = [f"object of {accession}" for accession, _ in surplus(holdings.objects)]
    twice += [f"report of {accession}" for accession, _ in surplus(holdings.reports)]
    undone, once = [], 0
    for accession, expected in sorted(ledger.expected.items()):
        held = by_accession.get(accession, [])
        twice += [f"case of {accession}"] * (len(held) - 1)
        twice += [f"result of {accession}" for case in held if case.results > expected.results_max]
        if any(case.state not in TRIAGED for case in held) or not held:
            undone.append(f"{accession} {[f'{case.state.value} {case.failure}'.strip() for case in held]}")
            continue
        stale = [case for case in held if not all(text in case.in_force for text in expected.in_force)]
        lost += [f"latest report of {accession} does not count" for _ in stale]
        once += len(held) == 1 and not stale and 1 <= held[0].results <= expected.results_max
    return Reckoning(
        studies=len(ledger.expected),
        acknowledged=ledger.acknowledged,
        distinct=len(ledger.objects) + len(ledger.reports),
        stored=len(holdings.objects) + len(holdings.reports),
        triaged_once=once,
        waiting=ledger.waiting,
        lost=tuple(lost),
        twice=tuple(twice),
        open=tuple(undone),
    )


def missing(acknowledged: Counter[Key], held: Counter[Key]) -> Iterator[Key]:
    """Yield what was acknowledged and is not there."""
    return (key for key in sorted(acknowledged) if key not in held)


def surplus(held: Counter[Key]) -> Iterator[Key]:
    """Yield what is there more than once, each surplus one."""
    return (key for key in sorted(held) for _ in range(held[key] - 1))


def read_holdings(store: Store, accessions: frozenset[str]) -> Holdings:
    """Return what is stored under these accession numbers; every object's bytes are read."""
    with store.reading() as connection:
        case_rows = connection.execute(cases.select()).all()
        accession_of = {row.case_id: str(row.accession_number) for row in case_rows}
        versions = connection.execute(report_versions.select()).all()
        results = Counter(row.case_id for row in connection.execute(select(triage_results.c.case_id)))
        objects = connection.execute(instances.select()).all()
    by_study = {row.study_instance_uid: accession_of[row.case_id] for row in case_rows}
    texts = {(row.case_id, row.version): row.text for row in versions}
    held = tuple(
        HeldCase(
            accession=accession_of[row.case_id],
            state=CaseState(row.state),
            results=results[row.case_id],
            in_force=texts.get((row.case_id, row.report_version), ""),
            failure=row.failure or "",
        )
        for row in case_rows
        if accession_of[row.case_id] in accessions
    )
    return Holdings(
        objects=Counter(
            (by_study[row.study_instance_uid], _stored_hash(store, row.sha256))
            for row in objects
            if by_study.get(row.study_instance_uid) in accessions
        ),
        reports=Counter(
            (accession_of[row.case_id], row.sha256)
            for row in versions
            if accession_of[row.case_id] in accessions
        ),
        cases=held,
    )


def _stored_hash(store: Store, sha256: str) -> str:
    try:
        return data_set_hash(store.files.path_of(sha256).read_bytes())
    except NotFoundError:
        return "its bytes are missing"


def data_set_hash(file: bytes) -> str:
    """Return the hash of what follows the file meta information, which a C-STORE receiver writes itself."""
    return hashlib.sha256(file[open_data_set(file).at :]).hexdigest()


def text_hash(text: str) -> str:
    """Return the hash under which the store keeps a text."""
    return hashlib.sha256(text.encode()).hexdigest()

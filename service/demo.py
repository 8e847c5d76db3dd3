"""The demonstration: real images, reports and the whole path from intake to the ranked list."""

import threading
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import cast

from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from overread.case import CaseState
from overread.errors import ConfigurationError, OverreadError
from service.intake.closing import close_study
from service.intake.instances import begin_instance, receive_instance
from service.intake.reports import IncomingReport, receive_report
from service.settings import Settings
from service.store.database import Store, open_store
from service.store.order import Selection
from service.store.records import CaseSummary
from service.store.worklist import list_worklist
from service.triage.loading import load_registered_tools
from service.triage.worker import Clock, work

_SOURCE = "demo"
_ORDER = (CaseState.LISTED, CaseState.CONCORDANT, CaseState.NOT_APPLICABLE, CaseState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCase:
    """One image with the report that the demonstration gives it."""

    title: str
    file: str  # name within the pydicom-data package
    report: str
    copy_as: str | None = None  # accession number and patient id of a copy; None sends the object untouched


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedCase:
    """One line of the ranked list."""

    rank: int  # from 1
    title: str
    summary: CaseSummary


def _now() -> datetime:
    return datetime.now(UTC)


def run_demo(settings: Settings, *, clock: Clock = _now) -> tuple[RankedCase, ...]:
    """Send every demonstration case through intake and triage, and return the list in its order.

    Args:
        settings: of the installation whose store is filled.
        clock: gives the aware time.

    Raises:
        ConfigurationError: the pydicom-data package is not installed.
        ModelError: the released model is missing or altered.
        OverreadError: a case could not be triaged.
    """
    store = open_store(settings)
    try:
        titles = {_send(store, case, now=clock()): case.title for case in demo_cases()}
        work(
            store, load_registered_tools(store), name=_SOURCE, clock=clock, stop=threading.Event(), drain=True
        )
        ranked = tuple(
            RankedCase(rank=rank, title=titles[str(summary.study_instance_uid)], summary=summary)
            for rank, summary in enumerate(_ranked(store, now=clock()), start=1)
        )
    finally:
        store.close()
    if len(ranked) < len(titles):
        raise OverreadError(
            f"{len(titles) - len(ranked)} cases could not be triaged; the messages above say why"
        )
    return ranked


def demo_cases() -> tuple[DemoCase, ...]:
    """Return the cases of the demonstration."""
    text = (files("service") / "demo_cases.toml").read_text(encoding="utf-8")
    return tuple(DemoCase(**table) for table in tomllib.loads(text)["case"])


def _send(store: Store, case: DemoCase, *, now: datetime) -> str:
    """Send image and report as two systems would, and return the Study Instance UID."""
    with begin_instance(store) as incoming:
        incoming.write(_content(case))
        receipt = receive_instance(store, incoming, source=_SOURCE, now=now)
    study_instance_uid = receipt.header.study_instance_uid
    report = IncomingReport(
        content=case.report.strip() + "\n", study_instance_uid=study_instance_uid, source=_SOURCE
    )
    receive_report(store, report, now=now)
    close_study(store, study_instance_uid, now=now)
    return study_instance_uid


def _content(case: DemoCase) -> bytes:
    path = get_testdata_file(case.file, download=False)
    if path is None:
        raise ConfigurationError(f"{case.file} is missing: install the pydicom-data package")
    content = Path(cast("str", path)).read_bytes()
    return content if case.copy_as is None else _copy(content, case.copy_as)


def _copy(content: bytes, name: str) -> bytes:
    """Return the object with the same pixels, for another patient."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom finds fault with what the real object holds
        dataset = dcmread(BytesIO(content))
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(dataset, keyword, generate_uid(entropy_srcs=[name, keyword]))
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.AccessionNumber = name
        dataset.PatientID = name
        dataset.PatientName = name
        copied = BytesIO()
        dataset.save_as(copied)
    return copied.getvalue()


def _ranked(store: Store, *, now: datetime) -> Iterator[CaseSummary]:
    """Yield the list as a reader sees it, then what is not on it."""
    for state in _ORDER:
        yield from list_worklist(store, Selection(states=(state,)), now=now, limit=1000).cases

"""A folder with de-identified copies of cases: images, and where they are asked for, report texts.

<folder>/images/<case>/<number>.dcm     what `overread import --images` takes
<folder>/reports.csv                    what `overread import --reports` takes
<folder>/left-out.csv                   what was not copied, and why
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pydicom import dcmread
from pydicom.dataset import FileDataset

from models.dicom import BROKEN_INPUT
from overread.errors import ConfigurationError, InvalidFileError, NotFoundError, OutOfResourcesError, words_of
from overread.spreadsheet import as_cell
from service.deidentification.objects import (
    Known,
    deidentify,
    identifiers_of,
    reason_to_leave_out,
    words_left,
)
from service.deidentification.pseudonyms import Pseudonyms
from service.deidentification.texts import clean_text
from service.store.database import Store
from service.store.records import CaseDetail, InstanceRecord
from service.store.worklist import load_case


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something that was not copied."""

    case: str  # pseudonym
    what: str  # `report`, or the place of an image in its case
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCount:
    """Result for one case."""

    case_id: int
    images: int
    reports: int
    left_out: tuple[LeftOut, ...]


def copy_cases(
    store: Store, case_ids: Sequence[int], folder: Path, pseudonyms: Pseudonyms, *, with_reports: bool
) -> Iterator[CopyCount]:
    """Copy cases without who the patients are, and yield what was copied of each.

    Raises:
        ConfigurationError: the folder exists and is not empty.
        NotFoundError: there is no such case.
        InvalidFileError: the folder cannot be written.
        OutOfResourcesError: the store is not available.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty; name a new folder for each set of copies")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            (folder / "reports.csv").open("w", encoding="utf-8", newline="") as reports,
            (folder / "left-out.csv").open("w", encoding="utf-8", newline="") as left,
        ):
            copier = _Copier(folder / "images", reports, left, pseudonyms)
            for case_id in case_ids:
                yield copier.copy(load_case(store, case_id), with_reports=with_reports)
    except OSError as error:
        raise InvalidFileError(f"cannot write {folder}: {words_of(error)}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedImages:
    """Images of one case, copied."""

    paths: Mapping[str, Path]  # of the copies, by the SOP Instance UID of what was copied
    words: frozenset[str]  # identifiers that the case or its images name, to be looked for in texts
    left_out: tuple[LeftOut, ...]


def copy_images(case: CaseDetail, folder: Path, pseudonyms: Pseudonyms) -> CopiedImages:
    """Copy the images of a case that may leave into a folder of their own, and say why others were left out.

    Raises:
        OSError: the folder cannot be written.
    """
    name = case_name(case, pseudonyms)
    named = (case.patient_id, case.summary.accession_number)
    words = {word.casefold() for word in named if word}
    left_out: list[LeftOut] = []
    paths: dict[str, Path] = {}
    for number, instance in enumerate(case.instances, start=1):
        path = folder / f"{number}.dcm"
        try:
            dataset, known = _read(instance)
            words.update(known.words)
            _write(dataset, known, path, pseudonyms)
            paths[instance.sop_instance_uid] = path
        except _NotCopiedError as error:
            left_out.append(LeftOut(case=name, what=f"image {number}", why=str(error)))
    return CopiedImages(paths=paths, words=frozenset(words), left_out=tuple(left_out))


def case_name(case: CaseDetail, pseudonyms: Pseudonyms) -> str:
    """Return the pseudonym of a case."""
    return pseudonyms.name("C", f"{case.summary.case_id}")


class _Copier:
    def __init__(self, images: Path, reports: TextIO, left: TextIO, pseudonyms: Pseudonyms) -> None:
        self._images, self._pseudonyms = images, pseudonyms
        self._reports, self._left = csv.writer(reports), csv.writer(left)
        self._reports.writerow(("accession", "study", "patient", "status", "text"))
        self._left.writerow(("case", "what", "why"))

    def copy(self, case: CaseDetail, *, with_reports: bool) -> CopyCount:
        """Copy one case, and return what was copied."""
        copied = copy_images(case, self._images / case_name(case, self._pseudonyms), self._pseudonyms)
        known = Known(words=tuple(sorted(copied.words)))
        reports = self._report(case, known) if with_reports else 0
        self._left.writerows((item.case, as_cell(item.what), as_cell(item.why)) for item in copied.left_out)
        return CopyCount(
            case_id=case.summary.case_id,
            images=len(copied.paths),
            reports=reports,
            left_out=copied.left_out,
        )

    def _report(self, case: CaseDetail, known: Known) -> int:
        if case.report is None:
            return 0
        pseudonyms, summary = self._pseudonyms, case.summary
        self._reports.writerow(
            (
                pseudonyms.name("A", summary.accession_number) if summary.accession_number else "",
                pseudonyms.uid(summary.study_instance_uid) if summary.study_instance_uid else "",
                "",
                case.report.status.value,
                as_cell(clean_text(case.report.text, known)),
            )
        )
        return 1


def _write(dataset: FileDataset, known: Known, path: Path, pseudonyms: Pseudonyms) -> None:
    try:
        deidentify(dataset, pseudonyms)
        names = sorted(set(words_left(dataset, known)))
    except BROKEN_INPUT as error:
        raise _NotCopiedError(f"its header cannot be rewritten ({type(error).__name__})") from error
    if names:
        raise _NotCopiedError(f"an identifier of the patient would stay in {', '.join(names)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


class _NotCopiedError(Exception):
    """An image is not copied; the message says why."""


def _read(instance: InstanceRecord) -> tuple[FileDataset, Known]:
    """Return an object, and what it says that must not stand in its copy."""
    try:
        dataset = dcmread(instance.path)
        reason = reason_to_leave_out(dataset)
        known = identifiers_of(dataset)
    except (NotFoundError, OutOfResourcesError) as error:
        raise _NotCopiedError("its bytes are not kept") from error
    except BROKEN_INPUT as error:
        raise _NotCopiedError(f"its header cannot be read ({type(error).__name__})") from error
    if reason is not None:
        raise _NotCopiedError(reason)
    return dataset, known

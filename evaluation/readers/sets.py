"""Public sets that several radiologists read, in the layouts of their publications.

nih_readers/     readers.csv, adjudicated.csv (Majkowska et al., Radiology 2020;294:421-431;
                 Nabulsi et al., Sci Rep 2021;11:15523)
chexpert_reads/  readers/*.csv, groundtruth.csv (Irvin et al., AAAI 2019; Rajpurkar et al., arXiv:2002.11379)
cq500_reads/     reads.csv (Chilamkurthy et al., Lancet 2018;392:2388-2396)
chexnet_reads/   detector_scores.csv.gz, expert_reads.csv: report and panel alone
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.nih import PANEL, read_nih
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError, words_of

NIH = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural Thickening",
    "Hernia",
)
CHEXPERT = ("Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion")
CQ500 = ("ICH", "IPH", "IVH", "SDH", "EDH", "SAH", "Fracture", "MassEffect", "MidlineShift")

Rows = list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadFinding:
    """Words of several readers on one finding of the same cases."""

    source: str
    finding: str
    readers: tuple[str, ...]
    reads: NDArray[np.float64]  # (cases, readers) 1 yes, 0 no
    patients: tuple[str, ...]  # (cases,)
    adjudicated: NDArray[np.bool_] | None = None  # (cases,) decided by people together; None: nobody did


def sets_at_hand(data: Path) -> Iterator[ReadFinding]:
    """Yield the findings of each set whose files are there.

    Raises:
        InvalidFileError: a file is not in its published layout.
    """
    known: dict[str, Callable[[Path], Iterator[ReadFinding]]] = {
        "nih_readers": _nih,
        "chexpert_reads": _chexpert,
        "cq500_reads": _cq500,
        "chexnet_reads": _panel,
    }
    for name, read in known.items():
        if (data / name).is_dir():
            try:
                yield from read(data / name)
            except (KeyError, ValueError) as error:
                raise InvalidFileError(f"{data / name} is not in its published layout: {error}") from error


def _nih(folder: Path) -> Iterator[ReadFinding]:
    truth = {row["Image ID"]: row for row in csv_rows(folder / "adjudicated.csv")}
    said = {(row["Image ID"], row["Reader ID"]): row for row in csv_rows(folder / "readers.csv")}
    readers = tuple(sorted({reader for _, reader in said}))
    for finding in NIH:
        yield ReadFinding(
            source="NIH, 5 readers",
            finding=finding,
            readers=tuple(f"reader {number}" for number in range(1, len(readers) + 1)),
            reads=np.array(
                [[said[image, reader][finding] == "YES" for reader in readers] for image in truth], float
            ),
            patients=tuple(row["Patient ID"] for row in truth.values()),
            adjudicated=np.array([row[finding] == "YES" for row in truth.values()]),
        )


def _chexpert(folder: Path) -> Iterator[ReadFinding]:
    tables: dict[str, Mapping[str, dict[str, str]]] = {
        path.stem.removesuffix("_gt"): {row["Study"]: row for row in csv_rows(path)}
        for path in sorted((folder / "readers").glob("*.csv"))
    }
    if not tables:
        raise InvalidFileError(f"{folder} holds no readers/*.csv")
    studies = [row["Study"] for row in csv_rows(folder / "groundtruth.csv")]
    studies = [study for study in studies if all(study in table for table in tables.values())]
    for finding in CHEXPERT:
        yield ReadFinding(
            source="Stanford, 8 readers",
            finding=finding,
            readers=tuple(tables),
            reads=np.array(
                [[float(table[study][finding]) for table in tables.values()] for study in studies]
            ),
            patients=tuple(study.split("/")[-2] for study in studies),
        )


def _cq500(folder: Path) -> Iterator[ReadFinding]:
    rows = csv_rows(folder / "reads.csv")
    readers = ("R1", "R2", "R3")
    for finding in CQ500:
        yield ReadFinding(
            source="CQ500, 3 readers of head CT",
            finding=finding,
            readers=readers,
            reads=np.array([[float(row[f"{reader}:{finding}"]) for reader in readers] for row in rows]),
            patients=tuple(row["name"] for row in rows),
        )


def _panel(folder: Path) -> Iterator[ReadFinding]:
    """Yield report and panel as two readers, by the classes that the panel judges."""
    cases = [
        case
        for case in read_nih(folder / "detector_scores.csv.gz", folder / "expert_reads.csv")
        if not case.context_only
    ]
    for finding in PANEL.values():
        judged = [next(item for item in case.adjudications if item.finding == finding) for case in cases]
        stated = np.array([item.kind is DiscrepancyKind.POSSIBLE_OVERCALL for item in judged])
        apart = np.array([item.confirmed for item in judged])
        yield ReadFinding(
            source="NIH, report and panel",
            finding=finding,
            readers=("report", "panel"),
            reads=np.column_stack([stated, stated ^ apart]).astype(float),
            patients=tuple(case.patient for case in cases),
        )


def csv_rows(path: Path) -> Rows:
    """Return the rows of a table.

    Raises:
        InvalidFileError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read {path}: {words_of(error)}") from error

"""A product's results as rows of a CSV file, by study or accession number; read anew when it changes."""

import csv
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from overread.errors import InvalidFileError

KEYS = ("study_instance_uid", "accession_number")
BOX = ("column_min", "row_min", "column_max", "row_max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line as it stands; absent columns are empty."""

    line: int  # in the file, from 1
    patient_id: str = field(repr=False)
    finding: str  # empty: the product looked at the study and found nothing
    present: str
    score: str
    side: str
    sop_instance_uid: str
    frame: str
    size_mm: str
    box: tuple[str, str, str, str]


class RowFile:
    """The rows of one file by study. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None  # time of change and size when it was last read
        self._rows: dict[tuple[str, str], list[Row]] = {}  # column and value -> rows

    def rows_of(self, *, study_instance_uid: str, accession_number: str) -> tuple[Row, ...]:
        """Return the rows about a study, in the order of the file.

        A row that names a study counts for that study alone; its accession number is then not asked.

        Raises:
            InvalidFileError: the file is missing, is no CSV in UTF-8, or lacks a column.
        """
        with self._lock:
            self._refresh()
            by_study = self._rows.get((KEYS[0], study_instance_uid), []) if study_instance_uid else []
            by_accession = self._rows.get((KEYS[1], accession_number), []) if accession_number else []
        return tuple(sorted((*by_study, *by_accession), key=lambda row: row.line))

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            now = (status.st_mtime_ns, status.st_size)
            if now == self._seen:
                return
            rows: dict[tuple[str, str], list[Row]] = {}
            for key, row in self._read():
                rows.setdefault(key, []).append(row)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InvalidFileError(f"{self._path.name} cannot be read as CSV in UTF-8: {error}") from error
        self._rows, self._seen = rows, now

    def _read(self) -> Iterator[tuple[tuple[str, str], Row]]:
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = set(reader.fieldnames or ())
            if "finding" not in columns or not columns.intersection(KEYS):
                raise InvalidFileError(
                    f"{self._path.name} needs the column finding and one of {', '.join(KEYS)}"
                )
            for values in reader:
                cell = {name: (values.get(name) or "").strip() for name in columns}
                key = next(((name, cell[name]) for name in KEYS if cell.get(name)), None)
                if key is not None:
                    yield key, _row(cell, reader.line_num)


def _row(cell: dict[str, str], line: int) -> Row:
    left, top, right, bottom = (cell.get(name, "") for name in BOX)
    return Row(
        line=line,
        patient_id=cell.get("patient_id", ""),
        finding=cell["finding"],
        present=cell.get("present", ""),
        score=cell.get("score", ""),
        side=cell.get("side", ""),
        sop_instance_uid=cell.get("sop_instance_uid", ""),
        frame=cell.get("frame", ""),
        size_mm=cell.get("size_mm", ""),
        box=(left, top, right, bottom),
    )

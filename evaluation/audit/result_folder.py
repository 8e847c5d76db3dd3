"""Result of an audit as a folder: tables as CSV and Parquet, and what they rest on as JSON.

result.json        versions, hashes, the command, what was asked and what the data cannot say
tables/NAME.csv    each with a heading; tables/NAME.parquet the same, where pyarrow is installed
report.html        the page, see `evaluation.audit.page`
"""

import csv
import hashlib
import json
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.cohortfile import parquet_modules
from overread import __version__
from overread.errors import ConfigurationError, InvalidFileError, words_of
from overread.spreadsheet import as_cell, from_cell

RESULT = "result.json"
TABLES = "tables"
_COPY = 1 << 20

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of a result."""

    name: str  # of its files
    meaning: str  # in words, for the page
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]

    def records(self) -> list[dict[str, Cell]]:
        """Return the rows as mappings by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def write_tables(folder: Path, tables: Sequence[Table]) -> dict[str, dict[str, Any]]:
    """Write the tables, and return of each its meaning, rows and the SHA-256 of its CSV file.

    Raises:
        InvalidFileError: a file cannot be written.
    """
    (folder / TABLES).mkdir(parents=True, exist_ok=True)
    return {table.name: _write_table(folder / TABLES, table) for table in tables}


def record_of_command(cohort: Path) -> dict[str, Any]:
    """Return what every record of a result from one cohort begins with: version, command, hash of the file.

    Raises:
        InvalidFileError: the file cannot be read.
    """
    return {
        "format": 1,
        "overread": __version__,
        "command": shlex.join(["overread", *sys.argv[1:]]),
        "cohort": {"name": cohort.name, "sha256": file_hash(cohort)},
    }


def write_result(folder: Path, record: Mapping[str, Any]) -> None:
    """Write what the result rests on; once it is there, the result is whole.

    Raises:
        InvalidFileError: the file cannot be written.
    """
    partial = folder / (RESULT + ".partial")
    try:
        partial.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(folder / RESULT)
    except OSError as error:
        raise InvalidFileError(f"cannot write {folder / RESULT}: {words_of(error)}") from error


def read_result(folder: Path) -> dict[str, Any]:
    """Return what `write_result` wrote, after checking every table against its hash.

    Raises:
        InvalidFileError: there is none, or a table is not as it was written.
    """
    try:
        record: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidFileError(f"{folder} holds no finished audit: {words_of(error)}") from error
    for name, described in record["tables"].items():
        path = folder / TABLES / f"{name}.csv"
        if not path.is_file() or file_hash(path) != described["sha256"]:
            raise InvalidFileError(f"{path} is not as the audit wrote it; run the audit again")
    return record


def read_table(folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a table as texts; what is empty was not known, or is left out as too small.

    Raises:
        InvalidFileError: it cannot be read.
    """
    try:
        with (folder / TABLES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return [{name: from_cell(cell) for name, cell in row.items()} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read the table {name}: {words_of(error)}") from error


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_COPY):
            digest.update(block)
    return digest.hexdigest()


def has_parquet() -> bool:
    """Return whether tables are written as Parquet too."""
    try:
        parquet_modules()
    except ConfigurationError:
        return False
    return True


def _write_table(folder: Path, table: Table) -> dict[str, Any]:
    path = folder / f"{table.name}.csv"
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(table.columns)
            writer.writerows([_text(cell) for cell in row] for row in table.rows)
        if has_parquet():
            _write_parquet(path.with_suffix(".parquet"), table)
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {words_of(error)}") from error
    return {
        "meaning": table.meaning,
        "columns": list(table.columns),
        "rows": len(table.rows),
        "sha256": file_hash(path),
    }


def _write_parquet(path: Path, table: Table) -> None:
    arrow, parquet = parquet_modules()
    columns = zip(*table.rows, strict=True) if table.rows else ((),) * len(table.columns)
    parquet.write_table(
        arrow.table({name: list(values) for name, values in zip(table.columns, columns, strict=True)}), path
    )


def _text(cell: Cell) -> Cell:
    if isinstance(cell, float):
        return "" if math.isnan(cell) else f"{cell:.6g}"
    if isinstance(cell, str):
        return as_cell(cell)
    return "" if cell is None else cell

"""Cohort files on disk: JSON Lines, and Parquet with the same fields."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from overread.cohort import CIRCUMSTANCES, CohortCase, case_of, encode_case, read_cohort, record_of
from overread.errors import ConfigurationError, InvalidFileError

_ROWS_PER_GROUP = 10_000
_NESTED = (
    "observations",
    "detections",
    "adjudications",
    "second_read",
    "appearance",
)  # JSON text in a Parquet column


def open_cohort(path: Path) -> Iterator[CohortCase]:
    """Yield the cases of a cohort file, by its name JSON Lines or Parquet.

    Raises:
        InvalidFileError: the file cannot be read or a case is malformed.
    """
    return _read_parquet(path) if path.suffix == ".parquet" else read_cohort(path)


def write_cohort(cases: Iterable[CohortCase], path: Path) -> int:
    """Write the cases, by the name of the file as JSON Lines or Parquet, and return how many there were.

    The file is complete or not there.

    Raises:
        InvalidFileError: the file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        count = _write_parquet(cases, partial) if path.suffix == ".parquet" else _write_lines(cases, partial)
        partial.replace(path)
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def check_cohort(path: Path) -> Iterator[str]:
    """Yield what a cohort holds, in words.

    Raises:
        InvalidFileError: a case is malformed or comes twice; the message says which.
    """
    names: set[str] = set()
    patients: set[str] = set()
    counts: Counter[str] = Counter()
    for case in open_cohort(path):
        if case.case in names:
            raise InvalidFileError(f"the case {case.case} comes twice")
        names.add(case.case)
        patients.add(case.patient)
        counts["context only"] += case.context_only
        counts["with report text"] += case.text is not None
        counts["adjudicated"] += bool(case.adjudications)
        counts.update(f"scored by {detection.detector}" for detection in case.detections)
    yield f"{len(names)} cases of {len(patients)} patients"
    for what, count in sorted(counts.items()):
        yield f"  {what}: {count}"


def _write_lines(cases: Iterable[CohortCase], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for case in cases:
            file.write(encode_case(case) + "\n")
            count += 1
    return count


def _flat(case: CohortCase) -> dict[str, Any]:
    record = record_of(case)
    for name in _NESTED:
        record[name] = json.dumps(record.get(name), separators=(",", ":"))
    return record


def _write_parquet(cases: Iterable[CohortCase], path: Path) -> int:
    arrow, parquet = parquet_modules()
    schema = arrow.schema(
        [
            ("case", arrow.string()),
            ("patient", arrow.string()),
            ("order", arrow.int64()),
            ("context_only", arrow.bool_()),
            ("age_years", arrow.float64()),
            ("selection_probability", arrow.float64()),
            ("report_characters", arrow.int64()),
            ("report_read_share", arrow.float64()),
            *((name, arrow.string()) for name in ("sex", "view", *CIRCUMSTANCES, "text", *_NESTED)),
        ]
    )
    remaining, count = iter(cases), 0
    with parquet.ParquetWriter(path, schema) as writer:
        while rows := [_flat(case) for case in islice(remaining, _ROWS_PER_GROUP)]:
            writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
            count += len(rows)
    return count


def _read_parquet(path: Path) -> Iterator[CohortCase]:
    arrow, parquet = parquet_modules()
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS_PER_GROUP):
                for row in batch.to_pylist():
                    number += 1
                    yield case_of(_nested(row))
    except InvalidFileError as error:
        raise InvalidFileError(f"{path.name}, row {number}: {error}") from error
    except (OSError, arrow.ArrowException, json.JSONDecodeError) as error:
        raise InvalidFileError(f"cannot read the cohort {path}: {error}") from error


def row_groups(path: Path) -> int:
    """Return how many row groups a Parquet file has.

    Raises:
        InvalidFileError: it cannot be read.
    """
    arrow, parquet = parquet_modules()
    try:
        with parquet.ParquetFile(path) as file:
            return int(file.num_row_groups)
    except (OSError, arrow.ArrowException) as error:
        raise InvalidFileError(f"cannot read the cohort {path}: {error}") from error


def row_group_records(path: Path, number: int) -> list[dict[str, Any]]:
    """Return the rows of one row group of a Parquet file, as plain values.

    Raises:
        InvalidFileError: it cannot be read.
    """
    arrow, parquet = parquet_modules()
    try:
        with parquet.ParquetFile(path) as file:
            records: list[dict[str, Any]] = file.read_row_group(number).to_pylist()
    except (OSError, arrow.ArrowException) as error:
        raise InvalidFileError(f"cannot read the cohort {path}: {error}") from error
    return records


def case_of_record(record: dict[str, Any]) -> CohortCase:
    """Return the case of one row of a Parquet file.

    Raises:
        InvalidFileError: a field is missing, unknown or out of its range.
    """
    try:
        return case_of(_nested(record))
    except json.JSONDecodeError as error:
        raise InvalidFileError(f"a column holds no JSON: {error}") from error


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    record = {name: value for name, value in row.items() if value is not None}
    for name in _NESTED:
        record[name] = json.loads(record.get(name) or "null")
    return record


def parquet_modules() -> tuple[Any, Any]:
    """Return pyarrow and its Parquet module.

    Raises:
        ConfigurationError: they are not installed.
    """
    try:
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigurationError(
            "Parquet needs pyarrow; install overread with its extra: pip install 'overread[parquet]'"
        ) from error
    return pyarrow, pyarrow.parquet

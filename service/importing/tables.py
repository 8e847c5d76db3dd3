"""Reads tables of reports: CSV, JSON Lines, Parquet; one row, or a small batch, is in memory at a time.

What is wrong is told with file and line. A broken row is given out as such and the rest goes on; where the
file itself cannot be followed any more, such as in a wrong character set, reading stops.
"""

import codecs
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from overread.errors import ConfigurationError, InvalidFileError
from overread.spreadsheet import from_cell
from service.importing.columns import Columns, match_columns

_LINE_BYTES_MAX = 64 << 20
_PARQUET_ROWS = 256  # in memory at once
_PARQUET_BUFFER_BYTES = 1 << 20  # of each column; else it reads a whole row group of each
_DELIMITERS = (",", ";", "\t", "|")
_WIDE_ENCODINGS = ("utf-16", "utf-32", "utf-7")  # in which a line does not end with a byte
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """Options for reading a table."""

    encoding: str = "utf-8"
    delimiter: str | None = None  # of CSV; None: as the first line shows
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # chosen names, by field


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One row; None where it does not say."""

    line: int  # of the file, from 1; of Parquet: the row
    share: float  # of the file that has been read with it, 0 to 1
    accession_number: str | None = None
    study_instance_uid: str | None = None
    patient_id: str | None = field(default=None, repr=False)
    status: str | None = None
    issued: str | None = None  # when the report was made, as it stands there
    text: str = field(default="", repr=False)
    problem: str | None = None  # why it cannot be read, in words


def read_table(path: Path, options: TableOptions) -> Iterator[ReportRow]:
    """Yield the rows of a table, by the ending of its name: .csv, .tsv, .txt, .jsonl, .ndjson, .parquet.

    Raises:
        InvalidFileError: the file cannot be read any further; the message names the line.
        ConfigurationError: the encoding or delimiter is none, or Parquet cannot be read here.
    """
    readers = {".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower(), _read_csv)
    if path.suffix.lower() not in {*readers, ".csv", ".tsv", ".txt"}:
        raise InvalidFileError(f"{path.name}: reports are read from .csv, .tsv, .txt, .jsonl or .parquet")
    try:
        yield from reader(path, options)
    except OSError as error:
        raise InvalidFileError(f"cannot read {path}: {error.strerror}") from error


def _read_csv(path: Path, options: TableOptions) -> Iterator[ReportRow]:
    size = max(path.stat().st_size, 1)
    csv.field_size_limit(_LINE_BYTES_MAX)
    with path.open("rb") as file:
        lines = _lines(file, path.name, options.encoding)
        first = next(lines, "")
        delimiter = _delimiter(first, options, path.name)
        header = _cells(first, delimiter, path.name)
        columns = match_columns(header, options.columns, f"{path.name}, line 1")
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        started = 2
        while True:
            try:
                values = next(rows, None)
            except csv.Error as error:
                raise InvalidFileError(
                    f"{path.name}, line {started}: the row cannot be read ({error}); a quotation mark within "
                    "a text must be doubled, and each that opens must close"
                ) from None
            if values is None:
                return
            if values:
                values = [from_cell(value) for value in values]
                yield _row(values, columns, line=started, share=file.tell() / size)
            started = rows.line_num + 2


def _read_jsonl(path: Path, options: TableOptions) -> Iterator[ReportRow]:
    size = max(path.stat().st_size, 1)
    columns: Columns | None = None
    names: list[str] = []
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file, path.name, options.encoding), start=1):
            if not line.strip():
                continue
            share = file.tell() / size
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                yield ReportRow(line=number, share=share, problem="it is not a line of JSON")
                continue
            if not isinstance(record, dict):
                yield ReportRow(line=number, share=share, problem="it is not an object with named members")
                continue
            if columns is None or any(name not in names for name in record):
                names += [name for name in record if name not in names]
                columns = match_columns(names, options.columns, f"{path.name}, line {number}")
            yield _typed_row([record.get(name) for name in names], columns, line=number, share=share)


def _read_parquet(path: Path, options: TableOptions) -> Iterator[ReportRow]:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # an extra
        import pyarrow.parquet as pq  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigurationError(
            "Parquet needs the extra `parquet`: pip install 'overread[parquet]'"
        ) from error
    try:
        with pq.ParquetFile(path, buffer_size=_PARQUET_BUFFER_BYTES) as file:
            names = file.schema_arrow.names
            columns = match_columns(names, options.columns, path.name)
            wanted = [name for position, name in enumerate(names) if position in _used(columns)]
            line, total = 0, max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS, columns=wanted):
                for record in batch.to_pylist():
                    line += 1
                    values = [record.get(name) for name in names]
                    yield _typed_row(values, columns, line=line, share=line / total)
    except pa.ArrowException as error:
        raise InvalidFileError(
            f"{path.name} is not a readable Parquet file ({type(error).__name__})"
        ) from error


def _lines(file: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    """Yield the lines of a file as text, their ends as they are."""
    codec = _codec(encoding)
    number = 0
    while line := file.readline(_LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > _LINE_BYTES_MAX:
            raise InvalidFileError(f"{name}, line {number}: the line is longer than {_LINE_BYTES_MAX} bytes")
        if number == 1:
            _require_bytewise(line, name)
            line = line.removeprefix(codecs.BOM_UTF8)
        try:
            yield line.decode(codec)
        except UnicodeDecodeError as error:
            raise InvalidFileError(
                f"{name}, line {number}: it is not in {encoding} (byte {line[error.start]:#04x}); name the "
                "character set with --encoding, such as cp1252 or latin-1"
            ) from None


def _codec(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except LookupError:
        raise ConfigurationError(f"--encoding {encoding!r} is no character set that Python knows") from None
    if name.startswith(_WIDE_ENCODINGS):
        raise ConfigurationError(f"--encoding {encoding}: convert the file to UTF-8 first")
    return name


def _require_bytewise(line: bytes, name: str) -> None:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if line.startswith(mark):
            raise InvalidFileError(f"{name}, line 1: the file is in {encoding}; convert it to UTF-8 first")


def _delimiter(first: str, options: TableOptions, name: str) -> str:
    """Return what separates the columns: as it was said, else the first mark that makes sense of line 1."""
    if options.delimiter is not None:
        chosen = {"tab": "\t", "\\t": "\t"}.get(options.delimiter, options.delimiter)
        if len(chosen) != 1:
            raise ConfigurationError(f"--delimiter {options.delimiter!r}: give one character, or 'tab'")
        return chosen
    for delimiter in _DELIMITERS:
        header = _cells(first, delimiter, name)
        try:
            match_columns(header, options.columns, name)
        except InvalidFileError:
            continue
        return delimiter
    return max(_DELIMITERS, key=first.count)


def _cells(first: str, delimiter: str, name: str) -> list[str]:
    """Return the cells of line 1."""
    try:
        return next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error as error:
        raise InvalidFileError(f"{name}, line 1: the row cannot be read ({error})") from None


def _used(columns: Columns) -> set[int]:
    named = (columns.accession, columns.study, columns.patient, columns.status, columns.issued)
    return {*named, *columns.texts}


def _row(values: Sequence[str], columns: Columns, *, line: int, share: float) -> ReportRow:
    if len(values) != columns.count:
        problem = f"it has {len(values)} columns where line 1 has {columns.count}"
        return ReportRow(line=line, share=share, problem=problem)
    return ReportRow(
        line=line,
        share=share,
        accession_number=_named(values, columns.accession),
        study_instance_uid=_named(values, columns.study),
        patient_id=_named(values, columns.patient),
        status=_named(values, columns.status),
        issued=_named(values, columns.issued),
        text=_text(values, columns),
    )


def _typed_row(values: Sequence[Any], columns: Columns, *, line: int, share: float) -> ReportRow:
    """Return a row whose values have types; whole numbers are taken for identifiers, fractions are not."""
    texts = [""] * columns.count
    for position in _used(columns) - {-1}:
        value = values[position]
        if value is None:
            continue
        if not isinstance(value, str) and type(value) is not int and position != columns.issued:
            problem = f"column {position + 1} holds a {type(value).__name__} where text is expected"
            return ReportRow(line=line, share=share, problem=problem)
        texts[position] = str(value)
    return _row(texts, columns, line=line, share=share)


def _named(values: Sequence[str], position: int) -> str | None:
    return (values[position].strip() or None) if position >= 0 else None


def _text(values: Sequence[str], columns: Columns) -> str:
    """Return the report: one column, or several under the names of theirs."""
    if len(columns.texts) == 1:
        return values[columns.texts[0]]
    parts = zip(columns.headings, (values[position] for position in columns.texts), strict=True)
    return "\n\n".join(f"{heading}:\n{text.strip()}" for heading, text in parts if text.strip())

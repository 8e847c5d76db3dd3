"""Shards of a cohort file: parts that are read on their own, in any order, and put together again in theirs.

A shard is a range of bytes of a JSON Lines file that begins and ends at a line, or a row group of a Parquet
file. Its place never depends on how many processes read, so that a run that was killed goes on with the
shards that are missing, and gives the same numbers.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluation.cohortfile import case_of_record, row_group_records, row_groups
from overread.cohort import CohortCase, parse_line
from overread.errors import InvalidFileError, words_of

SHARD_BYTES = 8_000_000
_COPY = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortShard:
    """A part of a cohort file."""

    number: int  # from 0, in the order of the file
    start: int  # byte of a JSON Lines file, or row group of a Parquet file
    end: int  # the first that does not belong to it


def shards_of(path: Path, shard_bytes: int = SHARD_BYTES) -> list[CohortShard]:
    """Return the parts of a cohort file, in its order.

    Args:
        path: .jsonl or .parquet.
        shard_bytes: about so long is a part of a JSON Lines file; a line is never cut.

    Raises:
        InvalidFileError: the file cannot be read, or holds nothing.
    """
    if path.suffix == ".parquet":
        ends = list(range(1, row_groups(path) + 1))
    else:
        ends = list(_line_ends(path, shard_bytes))
    if not ends:
        raise InvalidFileError(f"{path.name} holds no case")
    starts = [0, *ends[:-1]]
    return [
        CohortShard(number=number, start=start, end=end)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def read_shard(path: Path, shard: CohortShard) -> tuple[list[CohortCase], str]:
    """Return the cases of a part, and the SHA-256 of what they were read from.

    Raises:
        InvalidFileError: the file cannot be read, or a case is malformed; the message names its line or row.
    """
    content = _content(path, shard)
    found = _rows(path, shard, content) if path.suffix == ".parquet" else _lines(path, shard, content)
    return list(found), hashlib.sha256(content).hexdigest()


def shard_hash(path: Path, shard: CohortShard) -> str:
    """Return the SHA-256 of what a part is read from.

    Raises:
        InvalidFileError: the file cannot be read.
    """
    return hashlib.sha256(_content(path, shard)).hexdigest()


def _content(path: Path, shard: CohortShard) -> bytes:
    if path.suffix == ".parquet":
        return json.dumps(row_group_records(path, shard.start)).encode()
    return _bytes(path, shard)


def _rows(path: Path, shard: CohortShard, content: bytes) -> Iterator[CohortCase]:
    for number, record in enumerate(json.loads(content), start=1):
        try:
            yield case_of_record(record)
        except InvalidFileError as error:
            place = f"{path.name}, row {number} of row group {shard.number + 1}"
            raise InvalidFileError(f"{place}: {error}") from error


def _lines(path: Path, shard: CohortShard, content: bytes) -> Iterator[CohortCase]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            try:
                yield parse_line(line, path.name)
            except InvalidFileError:
                parse_line(line, f"{path.name}, line {_lines_before(path, shard.start) + number}")
                raise


def _bytes(path: Path, shard: CohortShard) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(shard.start)
            content = file.read(shard.end - shard.start)
    except OSError as error:
        raise InvalidFileError(f"cannot read the cohort {path}: {words_of(error)}") from error
    if len(content) < shard.end - shard.start:
        raise InvalidFileError(f"{path.name} became shorter while it was read")
    return content


def _line_ends(path: Path, shard_bytes: int) -> Iterator[int]:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            end = 0
            while end < size:
                file.seek(min(end + shard_bytes, size))
                file.readline()
                end = file.tell()
                yield end
    except OSError as error:
        raise InvalidFileError(f"cannot read the cohort {path}: {words_of(error)}") from error


def _lines_before(path: Path, place: int) -> int:
    lines = 0
    with path.open("rb") as file:
        while place > 0:
            block = file.read(min(place, _COPY))
            lines += block.count(b"\n")
            place -= len(block)
    return lines

"""Files of an audit sample: what people are to read, and the plan by which it was drawn.

<sample>.csv         case, then empty columns for the reader: discrepancy, kind, finding, radpeer, remark
<sample>.plan.csv    case, stratum, size of the stratum, selection probability, place in the list; kept from
the readers, so that nothing tells them what is expected
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.audit.design import PlannedStratum
from overread.audit.stratified import Stratum
from overread.errors import InvalidFileError, words_of

READER_COLUMNS = ("case", "discrepancy", "kind", "finding", "radpeer", "remark")
PLAN_COLUMNS = ("case", "stratum", "stratum_size", "stratum_reads", "place", "seed")
YES = frozenset({"yes", "y", "1", "true"})
NO = frozenset({"no", "n", "0", "false"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRead:
    """One case of a sample, as it was drawn."""

    case: str
    stratum: str
    stratum_size: int
    place: int  # in the list, from 1


def plan_path(sample: Path) -> Path:
    """Return where the plan of a sample lies."""
    return sample.with_suffix(".plan.csv")


def write_sample(
    path: Path, cases: Sequence[str], strata: Sequence[PlannedStratum], places: NDArray[np.intp], seed: int
) -> None:
    """Write the sample and its plan.

    Args:
        path: of the sample; the plan lies beside it.
        cases: names, in the order of the list.
        strata: from which it was drawn.
        places: of the drawn cases in the list, in the order in which they are to be read.
        seed: by which they were drawn.

    Raises:
        InvalidFileError: a file is there already, or cannot be written.
    """
    stratum_of = {int(row): stratum for stratum in strata for row in stratum.rows}
    reading = [READER_COLUMNS, *((cases[place], "", "", "", "", "") for place in places)]
    plan: list[tuple[object, ...]] = [PLAN_COLUMNS]
    for place in places:
        stratum = stratum_of[int(place)]
        plan.append((cases[place], stratum.name, len(stratum.rows), stratum.reads, int(place) + 1, seed))
    try:
        for target, rows in ((plan_path(path), plan), (path, reading)):
            with target.open("x", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(rows)
    except FileExistsError as error:
        raise InvalidFileError(f"{error.filename} is there already; a sample is drawn once") from error
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {words_of(error)}") from error


def read_plan(path: Path) -> list[PlannedRead]:
    """Return the plan of a sample.

    Raises:
        InvalidFileError: it cannot be read or is malformed; the message names the line.
    """
    reads = []
    for number, row in _rows(path, ("case", "stratum", "stratum_size", "place")):
        try:
            reads.append(
                PlannedRead(
                    case=row["case"],
                    stratum=row["stratum"],
                    stratum_size=int(row["stratum_size"]),
                    place=int(row["place"]),
                )
            )
        except ValueError as error:
            raise InvalidFileError(f"{path.name}, line {number}: size and place are whole numbers") from error
    return reads


def read_verdicts(path: Path) -> dict[str, bool]:
    """Return whether each case that was read has a discrepancy; an empty cell is not read yet.

    Raises:
        InvalidFileError: the file cannot be read, or says something else than yes or no, or says both of a
            case.
    """
    verdicts: dict[str, bool] = {}
    for number, row in _rows(path, ("case", "discrepancy")):
        word = row["discrepancy"].strip().lower()
        if not word:
            continue
        if word not in YES | NO:
            raise InvalidFileError(f"{path.name}, line {number}: discrepancy is yes, no, or empty")
        if verdicts.setdefault(row["case"], word in YES) != (word in YES):
            raise InvalidFileError(
                f"{path.name}, line {number}: case {row['case']} is judged twice, differently"
            )
    return verdicts


def strata_read(plan: Sequence[PlannedRead], verdicts: dict[str, bool]) -> dict[str, Stratum]:
    """Return what the reads found in each stratum, by its name, in the order of the list.

    Raises:
        InvalidFileError: a verdict is of a case that was not drawn.
    """
    strangers = verdicts.keys() - {read.case for read in plan}
    if strangers:
        raise InvalidFileError(
            f"case {min(strangers)} was read but not drawn: only drawn cases say something of the others"
        )
    sizes = {read.stratum: read.stratum_size for read in sorted(plan, key=lambda read: read.place)}
    read = Counter(item.stratum for item in plan if item.case in verdicts)
    found = Counter(item.stratum for item in plan if verdicts.get(item.case))
    return {
        name: Stratum(name=name, size=size, read=read[name], found=found[name])
        for name, size in sizes.items()
    }


def _rows(path: Path, wanted: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(wanted) - set(reader.fieldnames or ())
            if missing:
                raise InvalidFileError(f"{path.name}: the column {min(missing)!r} is missing")
            return [
                (number, {name: row[name] or "" for name in wanted})
                for number, row in enumerate(reader, start=2)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read {path}: {words_of(error)}") from error

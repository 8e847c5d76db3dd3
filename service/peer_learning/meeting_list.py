"""The list of a meeting as a table that a person goes through before anything leaves.

One row a case, with the texts as they would leave. A person writes yes under `take`, corrects the texts where
they still name somebody, and writes yes under `told_otherwise` where an author was told by word of mouth.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError, words_of
from overread.spreadsheet import as_cell, from_cell
from service.deidentification.texts import clean_text
from service.desk.words import KINDS, finding_name
from service.peer_learning.candidates import Candidate
from service.peer_learning.names import known_of

COLUMNS = (
    "case",
    "study",
    "judged",
    "findings",
    "told",
    "told_otherwise",
    "take",
    "learning_point",
    "comment",
    "report",
)
_YES = frozenset({"yes", "y", "1", "true"})
_NO = frozenset({"", "no", "n", "0", "false"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCase:
    """One row of a list that somebody went through."""

    case_id: int
    take: bool
    told_otherwise: bool
    learning_point: str = field(repr=False)
    comment: str = field(repr=False)
    report: str = field(repr=False)  # empty where no reports were asked for


def write_list(path: Path, found: Iterable[Candidate], people: Iterable[str], *, with_reports: bool) -> None:
    """Write the list.

    Args:
        path: of a table that is not there yet.
        found: cases.
        people: words of names that no text keeps.
        with_reports: whether the text of the report stands in it.

    Raises:
        InvalidFileError: the file is there already, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for item in found:
                table.writerow(_row(item, people, with_reports=with_reports))
    except FileExistsError as error:
        raise InvalidFileError(f"{path} is there already; what somebody went through is kept") from error
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {words_of(error)}") from error


def read_list(path: Path) -> list[ListedCase]:
    """Return the rows of a list.

    Raises:
        InvalidFileError: it cannot be read, or a row is malformed; the message names its line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(COLUMNS) - set(reader.fieldnames or ())
            if missing:
                raise InvalidFileError(f"{path.name}: the column {min(missing)!r} is missing")
            return list(_rows(path, reader))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidFileError(f"cannot read {path}: {words_of(error)}") from error


def found_words(confirmed: Iterable[tuple[str, DiscrepancyKind]]) -> str:
    """Return what is confirmed, in words."""
    words = "; ".join(f"{KINDS[kind].lower()}: {finding_name(finding)}" for finding, kind in confirmed)
    return words[:1].upper() + words[1:]


def study_words(item: Candidate) -> str:
    """Return which kind of study it is."""
    summary = item.detail.summary
    return " ".join(word for word in (summary.modality, summary.body_part) if word) or "study"


def _row(item: Candidate, people: Iterable[str], *, with_reports: bool) -> tuple[str | int, ...]:
    known = known_of(item.detail, people)
    report = item.detail.report.text if with_reports and item.detail.report is not None else ""
    texts = (item.judgement.learning_point, item.judgement.comment, report)
    return (
        item.case_id,
        study_words(item),
        item.judged.at.strftime("%Y-%m-%d"),
        found_words(item.confirmed),
        item.telling.words,
        "",
        "" if item.telling.is_told else "no",
        *(as_cell(clean_text(text, known)) for text in texts),
    )


def _rows(path: Path, rows: Iterable[dict[str, str]]) -> Iterator[ListedCase]:
    for number, row in enumerate(rows, start=2):
        try:
            yield ListedCase(
                case_id=int(row["case"]),
                take=_is_yes(row["take"]),
                told_otherwise=_is_yes(row["told_otherwise"]),
                learning_point=from_cell(row["learning_point"] or ""),
                comment=from_cell(row["comment"] or ""),
                report=from_cell(row["report"] or ""),
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidFileError(
                f"{path.name}, line {number}: needs the number of a case, and yes, no or nothing under take "
                "and told_otherwise"
            ) from error


def _is_yes(cell: str) -> bool:
    word = (cell or "").strip().lower()
    if word not in _YES | _NO:
        raise ValueError("neither yes nor no")
    return word in _YES

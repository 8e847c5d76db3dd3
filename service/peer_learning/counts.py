"""Counts of a programme of peer learning, without anybody's name.

What the peer-learning pathway of the American College of Radiology's accreditation asks to be documented
each year (Physician QA Requirements, revised 2024-01-03): how many cases were submitted, how many take part
and reach the practice's own target, and what was done about it. The wording in force decides.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from overread.errors import InvalidFileError, words_of
from service.adjudication.decision import tells_author
from service.adjudication.telling import open_addenda
from service.peer_learning.candidates import Period, judged_cases, teaches
from service.peer_learning.telling import Telling, openings, telling_of
from service.security.roles import Role
from service.store.database import Store
from service.store.people import list_people
from service.store.second_reads import reads_of, standing

_COLUMNS = ("what", "number", "of")


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One count, in words."""

    what: str
    number: int
    of: int | None = None  # None where it is of nothing


def counts_of(store: Store, period: Period, *, target: int | None) -> tuple[Count, ...]:
    """Return the counts of a period.

    Args:
        store: of the installation.
        period: in which cases were judged.
        target: cases that each second reader is to judge in it; None where the practice sets none.

    Raises:
        UnreadableRecordError: a judgement is stored in a form that this release does not know.
    """
    cases: Counter[str] = Counter()
    told: Counter[Telling] = Counter()
    judged = learned = points = meant = 0
    asked: list[tuple[int, datetime]] = []
    opened = openings(store)
    for case_id, final in judged_cases(store, period):
        judgement = final.judgement
        if judgement is None:
            continue
        judged += 1
        cases.update(_readers(store, case_id, final.revision))
        if not teaches(judgement):
            continue
        learned += 1
        points += bool(judgement.learning_point.strip())
        meant += tells_author(judgement)
        told[telling_of(store, case_id, final, opened)] += 1
        if judgement.asks_for_addendum:
            asked.append((case_id, final.at))
    readers = sum(
        person.is_active and Role.SECOND_READER.value in person.roles for person in list_people(store)
    )
    return (
        Count(what="cases judged (submissions)", number=judged),
        Count(what="second readers who judged (participants)", number=len(cases), of=readers or None),
        *_targeted(cases, target),
        Count(what="learning opportunities (confirmed, or a learning point)", number=learned, of=judged),
        Count(what="learning opportunities with a learning point", number=points, of=learned),
        Count(what="learning opportunities meant for the author of the report", number=meant, of=learned),
        Count(what="of these, opened by the author", number=told[Telling.OPENED], of=meant),
        Count(what="addenda asked for", number=len(asked), of=learned),
        Count(what="of these, arrived", number=len(asked) - len(open_addenda(store, asked)), of=len(asked)),
    )


def write_counts(path: Path, counts: Sequence[Count]) -> None:
    """Write the counts as a table.

    Raises:
        InvalidFileError: the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(_COLUMNS)
            table.writerows((item.what, item.number, "" if item.of is None else item.of) for item in counts)
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {words_of(error)}") from error


def read_counts(path: Path) -> tuple[Count, ...]:
    """Return the counts of a table; none where there is no table.

    Raises:
        InvalidFileError: it cannot be read or is malformed.
    """
    if not path.exists():
        return ()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return tuple(
                Count(what=row["what"], number=int(row["number"]), of=int(row["of"]) if row["of"] else None)
                for row in csv.DictReader(file)
            )
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise InvalidFileError(f"{path.name} holds no counts: {type(error).__name__}") from error


def _targeted(cases: Counter[str], target: int | None) -> tuple[Count, ...]:
    if target is None:
        return ()
    reached = sum(number >= target for number in cases.values())
    return (Count(what=f"of these, with {target} cases or more", number=reached, of=len(cases)),)


def _readers(store: Store, case_id: int, revision: int) -> set[str]:
    with store.reading() as connection:
        reads = reads_of(connection, case_id)
    return {item.actor.identifier for item in standing(reads, revision)}

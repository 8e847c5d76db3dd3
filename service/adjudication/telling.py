"""What the author of a report is told: the judgement that counts, the learning point, nobody's name.

An addendum that was asked for is open until a corrected report or an addendum arrives, by whatever way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from overread.second_read import AddedFinding, FlagVerdict, Radpeer, Verdict
from service.adjudication.decision import tells_author
from service.security.identity import Identity
from service.security.roles import Role
from service.store.cases import find_case
from service.store.database import Store, Transaction
from service.store.people import find_person
from service.store.report_authors import (
    AuthoredCase,
    account_of,
    authors_of,
    cases_by,
    corrected_after,
    latest_corrections,
)
from service.store.second_reads import concluding, reads_of

_MOST = 200  # cases of one author, the latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What an author is told of one case."""

    case: AuthoredCase
    judged_at: datetime
    confirmed: tuple[FlagVerdict, ...]
    added: tuple[AddedFinding, ...]
    radpeer: Radpeer | None
    comment: str
    learning_point: str
    asks_for_addendum: bool
    corrected_at: datetime | None  # when the addendum or the corrected report came; None while it has not


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAddendum:
    """An addendum that was asked for and has not come."""

    case_id: int
    asked_at: datetime


def messages_for(store: Store, identity: Identity) -> tuple[Message, ...]:
    """Return what somebody is told as the author of reports, the latest case first.

    Raises:
        UnreadableRecordError: a judgement is stored in a form that this release does not know.
    """
    account = account_of(identity.actor)
    if account is None:
        return ()
    with store.reading() as connection:
        written = cases_by(connection, account, limit=_MOST)
        messages = (_message(connection, case) for case in written)
        return tuple(message for message in messages if message is not None)


def reaches_author(store: Store, case_id: int) -> bool:
    """Whether somebody who wrote the report of a case has an account that is shown what authors are told."""
    return bool(author_accounts(store, case_id))


def author_accounts(store: Store, case_id: int) -> tuple[str, ...]:
    """Return the names of the accounts that are shown what authors are told, of who wrote a report.

    Raises:
        NotFoundError: there is no such case.
    """
    with store.reading() as connection:
        find_case(connection, case_id)  # as far as it may be seen
        authors = authors_of(connection, case_id)
    accounts = ((author, find_person(store, author)) for author in sorted(authors))
    return tuple(
        author
        for author, person in accounts
        if person is not None and person.is_active and Role.FIRST_READER.value in person.roles
    )


def open_addenda(store: Store, asked: Iterable[tuple[int, datetime]]) -> tuple[OpenAddendum, ...]:
    """Return the addenda that were asked for and have not come, the oldest request first.

    Args:
        store: with the reports.
        asked: numbers of cases, and when an addendum was asked for.
    """
    wanted = dict(asked)
    with store.reading() as connection:
        latest = latest_corrections(connection, list(wanted))
    found = [
        OpenAddendum(case_id=case_id, asked_at=asked_at)
        for case_id, asked_at in wanted.items()
        if case_id not in latest or latest[case_id] <= asked_at
    ]
    return tuple(sorted(found, key=lambda item: (item.asked_at, item.case_id)))


def _message(connection: Transaction, case: AuthoredCase) -> Message | None:
    judged = concluding(reads_of(connection, case.case_id))
    if judged is None or judged.judgement is None:
        return None
    judgement = judged.judgement
    if not tells_author(judgement):
        return None
    return Message(
        case=case,
        judged_at=judged.at,
        confirmed=tuple(item for item in judgement.verdicts if item.verdict is Verdict.CONFIRMED),
        added=judgement.added,
        radpeer=judgement.radpeer,
        comment=judgement.comment,
        learning_point=judgement.learning_point,
        asks_for_addendum=judgement.asks_for_addendum,
        corrected_at=corrected_after(connection, case.case_id, judged.at),
    )

"""Whether the author of a report has been told of a judgement, as far as this installation knows."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from service.adjudication.decision import tells_author
from service.adjudication.telling import author_accounts
from service.store.audit_trail import last_acts
from service.store.database import Store
from service.store.second_reads import ReadRecord

OWN_REPORTS = "GET /own-reports"
"""What the audit trail calls the page on which authors are told."""


class Telling(StrEnum):
    """How far the author of a report has been told."""

    OPENED = "OPENED"  # has opened the page that says it
    WAITING = "WAITING"  # is meant to be told and has an account, and has not opened the page since
    NOT_REACHED = "NOT_REACHED"  # is meant to be told, and no account reaches who wrote the report
    NOT_MEANT = "NOT_MEANT"  # the judgement is not for the author

    @property
    def words(self) -> str:
        """Return it as a person is shown it."""
        return _WORDS[self]

    @property
    def is_told(self) -> bool:
        """Whether the author has been told."""
        return self is Telling.OPENED


_WORDS = {
    Telling.OPENED: "yes: has opened it",
    Telling.WAITING: "no: has not opened it yet",
    Telling.NOT_REACHED: "no: nobody known wrote the report",
    Telling.NOT_MEANT: "no: the judgement is not for the author",
}


Openings = Mapping[str, datetime]
"""When each actor last opened the page on which authors are told, by identifier."""


def openings(store: Store) -> Openings:
    """Return who opened the page on which authors are told, and when last.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    return last_acts(store, OWN_REPORTS)


def telling_of(store: Store, case_id: int, judged: ReadRecord, opened: Openings) -> Telling:
    """Return how far the author of the report of a case has been told of a judgement.

    Args:
        store: of the installation.
        case_id: number of the case.
        judged: the judgement.
        opened: see `openings`.

    Raises:
        NotFoundError: there is no such case.
    """
    if judged.judgement is None or not tells_author(judged.judgement):
        return Telling.NOT_MEANT
    accounts = author_accounts(store, case_id)
    if not accounts:
        return Telling.NOT_REACHED
    looks = [opened.get(f"person:{name}") for name in accounts]
    has_opened = any(at is not None and at >= judged.at for at in looks)
    return Telling.OPENED if has_opened else Telling.WAITING

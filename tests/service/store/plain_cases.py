"""Many cases as plain rows, by chance, and what a slow look at each of them says."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text

from overread.case import CaseState
from overread.discrepancy import DiscrepancyKind
from overread.finding import Actionable
from service.store.case_counts import fold_counts
from service.store.database import Store
from service.store.schema import cases
from tests.service.material import NOW

SITES = ("north", "south", None)
SUBSPECIALTIES = ("thoracic", "cardiac", None)
FINDINGS = ("mass", "nodule", "pneumothorax")
_STATES = (CaseState.LISTED, CaseState.LISTED, CaseState.CONCORDANT, CaseState.JUDGED, CaseState.READY)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainCase:
    """One case, as its row has it."""

    case_id: int
    state: CaseState
    priority: float
    site: str | None
    subspecialty: str | None
    finding: str | None
    actionable: str | None
    waiting_since: datetime | None
    overdue_at: datetime | None


def lay_down_cases(store: Store, count: int, *, seed: int = 1, alike: bool = False) -> None:
    """Put so many cases into the store in one statement, with no more than the list is ordered by.

    Those that are `alike` are of one site, subspecialty and urgency.
    """
    chance = random.Random(seed)
    same = {"site": None, "subspecialty": None, "actionable": None} if alike else {}
    with store.writing() as connection:
        connection.execute(cases.insert(), [_row(chance) | same for _ in range(count)])


def settle(store: Store) -> None:
    """Add up the counts, and let PostgreSQL know its tables, as both do by themselves over the day."""
    fold_counts(store, changes=1)
    if store.engine.dialect.name == "postgresql":
        with store.writing() as connection:
            connection.execute(text("ANALYZE"))


def plain_cases(store: Store) -> list[PlainCase]:
    """Return every case, each looked at by itself."""
    columns = cases.c
    names = [name for name in PlainCase.__dataclass_fields__ if name != "state"]
    with store.reading() as connection:
        wanted = select(columns.state, *(columns[name] for name in names)).order_by(columns.case_id)
        rows = connection.execute(wanted).all()
    return [
        PlainCase(state=CaseState(row.state), **{name: getattr(row, name) for name in names}) for row in rows
    ]


def _row(chance: random.Random) -> dict[str, object]:
    state = chance.choice(_STATES)
    listed = state is CaseState.LISTED
    since = NOW - timedelta(minutes=chance.randrange(10_000))
    # Round ones are ties, and the ends of what a count knows; the others lie anywhere between.
    priority = chance.choice([float(chance.randrange(101)), round(chance.uniform(0, 100), 3), 50.0])
    return {
        "state": state.value,
        "revision": 1,
        "priority": priority if listed else 0.0,
        "site": chance.choice(SITES),
        "subspecialty": chance.choice(SUBSPECIALTIES) if listed else None,
        "finding": chance.choice(FINDINGS) if listed else None,
        "kind": DiscrepancyKind.POSSIBLE_MISS.value if listed else None,
        "actionable": chance.choice([*(one.value for one in Actionable), None]) if listed else None,
        "waiting_since": since if listed else None,
        "overdue_at": since + timedelta(hours=chance.randrange(200)) if listed else None,
        "open_to_all_at": since if listed else None,
        "attempts": 0,
        "due_at": NOW,
        "opened_at": NOW - timedelta(minutes=chance.randrange(50)),
        "updated_at": NOW,
    }

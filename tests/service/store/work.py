"""How much a database has to look at for what is asked of it: no time, so that no load disturbs it."""

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from service.store.database import Store

_EVERY = 100  # instructions of SQLite's virtual machine between two counts


def work_of(store: Store, ask: Callable[[], object]) -> int:
    """Return the work of everything that is asked: on SQLite instructions, on PostgreSQL rows and blocks."""
    statements: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            statements.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
    counted = _instructions if store.engine.dialect.name == "sqlite" else _rows
    return sum(counted(store, statement, parameters) for statement, parameters in statements)


def _instructions(store: Store, statement: str, parameters: Any) -> int:
    count = 0

    def tick() -> int:
        nonlocal count
        count += _EVERY
        return 0

    with store.engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        raw.set_progress_handler(tick, _EVERY)
        try:
            connection.exec_driver_sql(statement, parameters).all()
        finally:
            raw.set_progress_handler(None, 0)
    return count


def _rows(store: Store, statement: str, parameters: Any) -> int:
    with store.engine.connect() as connection:
        explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        found = explained.scalar_one()
    (whole,) = json.loads(found) if isinstance(found, str) else found
    return _rows_of(whole["Plan"])


def _rows_of(plan: dict[str, Any]) -> int:
    """Return the rows that a part of a plan gave or left out, with those of its parts."""
    left_out = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Join Filter", 0)
    own = (plan["Actual Rows"] + left_out) * plan["Actual Loops"]
    return int(own) + sum(_rows_of(part) for part in plan.get("Plans", ()))

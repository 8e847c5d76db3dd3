"""Times the page of second reads with 200,000 judged cases in the store.

    python -m benchmarks.quality --judged 200000

On SQLite and PostgreSQL, one after the other. A day of cases (benchmarks/day.py) is multiplied inside the
database, spread over two years and three sites, and judged in bulk: flagged cases, and concordant ones that
were drawn. Prints how long the first look of a process takes, the later ones, and the next one after a
judgement, with n, median and the range, over HTTP as a person with the role quality asks; and the processor
time of it, of page and service together, which says more on a machine that others use.
"""

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
from sqlalchemy import select, text

from benchmarks.day import FINDINGS, START, fill
from benchmarks.large_list import SEED_CASES, multiply
from benchmarks.worklist import opened
from overread.discrepancy import DiscrepancyKind
from overread.second_read import FlagVerdict, Judgement, Radpeer, RejectionCause, Verdict
from overread.triage import Outcome
from service.log import configure_logging
from service.security.roles import Role
from service.store.database import Store
from service.store.json_format import to_json
from service.store.schema import triage_results
from service.store.second_read_tables import audit_draws, second_reads
from tests.service.postgres import MISSING, program
from tests.service.security.people import add, desk_on

SITES = ("north", "south", "west")
DRAWN = 0.9  # of the concordant cases, so that most of a store is judged
TWICE = 0.1  # of the judged cases are read by two
_PATIENCE_SECONDS = 900.0  # on a machine that others use
TOGETHER = 5_000  # rows that one transaction adds


def judgement_of(chance: random.Random, share: float) -> Judgement:
    """Return what a second reader might say of a case, confirming this share of the flags."""
    verdicts = []
    for finding in chance.sample(FINDINGS, chance.choice((1, 1, 1, 2))):
        is_confirmed = chance.random() < share
        verdicts.append(
            FlagVerdict(
                finding=finding,
                kind=chance.choice((DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL)),
                verdict=Verdict.CONFIRMED if is_confirmed else Verdict.NOT_CONFIRMED,
                cause=None if is_confirmed else chance.choice(tuple(RejectionCause)),
            )
        )
    return Judgement(
        verdicts=tuple(verdicts),
        radpeer=chance.choice((None, Radpeer.CONCUR, Radpeer.UNDERSTANDABLE_INSIGNIFICANT)),
        learning_point=f"Look again at place {chance.randrange(10**6)}." if chance.random() < 0.1 else "",
        asks_for_addendum=chance.random() < 0.01,
    )


def judge_everything(store: Store, chance: random.Random, *, drawn: float = DRAWN) -> int:
    """Judge flagged cases, and draw and judge concordant ones; return how many cases were judged."""
    spread(store)
    draws: list[dict[str, object]] = []
    reads: list[dict[str, object]] = []
    judged = 0
    with store.reading() as connection:
        results = connection.execute(select(triage_results.c.case_id, triage_results.c.outcome)).all()
    for row in results:
        if row.outcome == Outcome.CONCORDANT.value:
            draws.append(draw_row(row.case_id, drawn, is_drawn=chance.random() < drawn))
            if not draws[-1]["is_drawn"]:
                continue
        elif row.outcome != Outcome.DISCREPANT.value:
            continue
        judged += 1
        reads += read_rows(row.case_id, 0.4 if row.outcome == Outcome.DISCREPANT.value else 0.02, chance)
    for table, rows in ((audit_draws, draws), (second_reads, reads)):
        for start in range(0, len(rows), TOGETHER):
            with store.writing(durable=False) as connection:
                connection.execute(table.insert(), rows[start : start + TOGETHER])
    with store.writing() as connection:
        connection.execute(text("ANALYZE"))
    return judged


def spread(store: Store) -> None:
    """Give the studies days of two years, and the cases sites."""
    months = [f"{2024 + month // 12}{month % 12 + 1:02d}15" for month in range(24)]
    number = "CAST(substr(study_instance_uid, 6) AS INTEGER)"
    with store.writing() as connection:
        for place, day in enumerate(months):
            connection.execute(
                text(f"UPDATE studies SET study_date = '{day}' WHERE {number} % {len(months)} = {place}")
            )
        for place, site in enumerate(SITES):
            connection.execute(
                text(f"UPDATE cases SET site = '{site}' WHERE case_id % {len(SITES)} = {place}")
            )


def draw_row(case_id: int, probability: float, *, is_drawn: bool) -> dict[str, object]:
    """Return the draw of a concordant case."""
    return {
        "case_id": case_id,
        "revision": 1,
        "stratum": "neither",
        "probability": probability,
        "is_drawn": is_drawn,
        "policy_version": "1",
        "drawn_at": START,
    }


def read_rows(case_id: int, share: float, chance: random.Random) -> Iterator[dict[str, object]]:
    """Yield the judgements of a case: of one reader, or of two of whom the second mostly says the same."""
    first = judgement_of(chance, share)
    readers = 2 if chance.random() < TWICE else 1
    for reader in range(readers):
        judgement = first if reader == 0 or chance.random() < 0.8 else judgement_of(chance, share)
        yield {
            "case_id": case_id,
            "revision": 1,
            "act": "JUDGED",
            "happened_at": START,
            "actor_identifier": f"person:reader{(case_id + reader) % 30}",
            "actor_kind": "PERSON",
            "actor_name": f"Reader {(case_id + reader) % 30}",
            "submission": f"{case_id} {reader}",
            "content_sha256": "0" * 64,
            "content": to_json(judgement),
            "undoes": None,
            "concludes": reader == readers - 1,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Seconds that one look took."""

    clock: float
    processor: float  # of page and service; the database of PostgreSQL has its own


def timed(look: Callable[[], httpx.Response], repeats: int) -> list[Look]:
    """Return what each look took."""
    taken = []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        look().raise_for_status()
        taken.append(Look(clock=time.perf_counter() - start, processor=time.process_time() - used))
    return taken


def measure(store: Store, chance: random.Random, repeats: int) -> None:
    """Look at the page again and again, and print what the looks took."""
    add(store, "quinn", Role.QUALITY)
    with desk_on(store) as desk, desk.signed_in("quinn") as browser:
        browser.timeout = httpx.Timeout(_PATIENCE_SECONDS)
        tell("first look of a process", timed(lambda: browser.get("/second-reads"), 1))
        tell("later look", timed(lambda: browser.get("/second-reads"), repeats))
        after = []
        for number in range(repeats):
            row = next(iter(read_rows(1 + number, 0.4, chance))) | {"submission": f"again {number}"}
            with store.writing() as connection:
                connection.execute(second_reads.insert(), [row])
            after += timed(lambda: browser.get("/second-reads"), 1)
        tell("look after a judgement", after)


def tell(what: str, looks: list[Look]) -> None:
    """Print one line."""
    clock, processor = [look.clock for look in looks], [look.processor for look in looks]
    print(
        f"  {what:24} n={len(looks):3}  median {statistics.median(clock):6.2f} s "
        f"({min(clock):.2f} to {max(clock):.2f})  processor {statistics.median(processor):6.2f} s "
        f"({min(processor):.2f} to {max(processor):.2f})",
        flush=True,
    )


def main() -> int:
    """Fill, judge, look, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--judged", type=int, default=200_000, help="about so many cases are judged")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    configure_logging(level=40)
    for database in arguments.databases:
        if database == "postgresql" and program("initdb") is None:
            print(MISSING)
            continue
        chance = random.Random(arguments.seed)
        times = max(round(arguments.judged / SEED_CASES / 0.7), 1)
        with opened(database) as store:
            fill(store, SEED_CASES, chance)
            if times > 1:
                multiply(store, times)
            judged = judge_everything(store, chance)
            print(
                f"{judged} judged cases of {SEED_CASES * times} on {database}, seed {arguments.seed}; "
                f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
                flush=True,
            )
            measure(store, chance, arguments.repeats)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a run came to, as a table and as JSON."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

from tests.service.faults.chaos.ledger import Reckoning

NAMED_MAX = 20  # lost or doubled things that the table names


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that was counted in a run."""

    seed: int
    database: str
    load_seconds: float
    drain_seconds: float
    starts: int  # of the supervisor
    reckoning: Reckoning
    happened: Counter[str]
    hostile: Counter[str]
    connections: Counter[str]  # through the proxy that cuts and slows them
    repeated: Counter[str]
    pages: Counter[str]  # by status
    page_answers: int
    page_longest_seconds: float
    page_p99_seconds: float
    page_answers_between_starts: int  # those that did not wait for a start of the whole installation
    page_p99_between_starts_seconds: float
    peak_megabytes: dict[str, float]
    descriptors_start: dict[str, int]
    descriptors_end: dict[str, int]
    health: Counter[str]
    untrue: Counter[str]  # ready by its own word, while this was not in order

    @property
    def is_perfect(self) -> bool:
        """Return whether nothing was lost, doubled or left undone."""
        return self.reckoning.is_perfect

    def as_json(self) -> dict[str, object]:
        """Return all of it as JSON values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return values | {"reckoning": asdict(self.reckoning), "is_perfect": self.is_perfect}

    def lines(self) -> Iterator[str]:
        """Give the table, line by line."""
        yield (
            f"seed {self.seed}, {self.database}, {self.load_seconds:.0f} s of load, "
            f"{self.drain_seconds:.0f} s until all was done"
        )
        yield from _section("What went wrong around it", self.happened)
        yield from _section("Connections of the senders", self.connections)
        yield from _section("Hostile things", self.hostile)
        yield from _section("Sent again because of", self.repeated)
        yield from self._account()
        yield from self._answers()
        yield from self._processes()

    def _account(self) -> Iterator[str]:
        account = self.reckoning
        rows = {
            "studies": account.studies,
            "acknowledged, resent ones too": account.acknowledged,
            "different objects and reports": account.distinct,
            "stored": account.stored,
            "triaged, no more often than due": account.triaged_once,
            "never acknowledged": account.waiting,
            "not concluded": len(account.open),
            "lost": len(account.lost),
            "twice": len(account.twice),
        }
        yield from _section("Account", rows)
        for what in (*account.lost, *account.twice, *account.open)[:NAMED_MAX]:
            yield f"    {what}"

    def _answers(self) -> Iterator[str]:
        yield from _section("Pages by status", self.pages)
        yield f"  {'longest answer':44}{self.page_longest_seconds:8.2f} s"
        yield f"  {'99th percentile of ' + str(self.page_answers):44}{self.page_p99_seconds:8.2f} s"
        name = f"of {self.page_answers_between_starts} without a start of all"
        yield f"  {name:44}{self.page_p99_between_starts_seconds:8.2f} s"
        yield from _section("Readiness by status", self.health)
        yield from _section("Said to be ready although", self.untrue)
        yield f"  {'starts of the supervisor':44}{self.starts:8}"

    def _processes(self) -> Iterator[str]:
        yield f"{'Process':30}{'peak MB':>9}{'open files at start':>21}{'at the end':>12}"
        for role in sorted(self.peak_megabytes):
            start, end = self.descriptors_start.get(role, "-"), self.descriptors_end.get(role, "-")
            yield f"  {role:28}{self.peak_megabytes[role]:9.0f}{start:>21}{end:>12}"


def _section(title: str, counts: "Counter[str] | dict[str, int]") -> Iterator[str]:
    yield title
    for name, count in sorted(counts.items()) if isinstance(counts, Counter) else counts.items():
        yield f"  {name:44}{count:8}"
    if not counts:
        yield f"  {'nothing':44}{0:8}"

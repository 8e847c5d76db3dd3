"""What a flood came to, as a table and as JSON, and whether everything held."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields

from benchmarks.large_list import percentile_99
from tests.service.faults.chaos.ledger import Reckoning

PAGE_SECONDS_MAX = 1.0
GROWTH_MAX = 1.25  # of all memory, in the second half of the flood against the first
# How each protocol says "not now": HTTP 503 (RFC 9110, 15.6.4), Out of Resources (PS3.4 table B.2-1), a
# refused association (PS3.8, 9.3.4), and AE or AR (HL7 v2.5.1, 2.9.2). A connection that is closed because
# too many are open says so too.
TURNED_AWAY = frozenset(
    {
        "STOW-RS status 503",
        "HTTP status 503",
        "FHIR status 503",
        "C-STORE status 0xa700",
        "C-STORE no association",
        "HL7 answered AE",
        "HL7 answered AR",
        "HL7 cut off",
        "HL7 ConnectionResetError",
        "HL7 BrokenPipeError",
    }
)
# A connection that rests is ended by either side; whoever sends in that very moment has no answer, and sends
# again. These are bounded by their share.
ENDED = frozenset(
    {"C-STORE no reply", *(f"{way} RemoteProtocolError" for way in ("STOW-RS", "HTTP", "FHIR"))}
)
ENDED_SHARE_MAX = 0.005  # of what was sent


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One part of a run."""

    seconds: float
    offered: int  # studies
    acknowledged: int  # objects and reports
    concluded: int  # studies
    pages: tuple[float, ...]  # seconds that each page took
    memory_megabytes: tuple[float, ...]  # of all processes together, every second

    @property
    def per_second(self) -> dict[str, float]:
        """Return the rates."""
        names = ("offered", "acknowledged", "concluded")
        return {name: getattr(self, name) / self.seconds for name in names}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that was counted."""

    seed: int
    database: str
    capacity: Phase
    flood: Phase
    drain: Phase
    refusals: Counter[str]
    acknowledged: Counter[str]
    longest_answer_seconds: dict[str, float]
    pages: Counter[str]  # by status
    peak_megabytes: dict[str, float]  # by role of the process
    reckoning: Reckoning

    @property
    def faults(self) -> tuple[str, ...]:
        """Return in words what did not hold."""
        sent = self.refusals.total() + self.acknowledged.total()
        ended = sum(count for what, count in self.refusals.items() if what in ENDED)
        allowed = TURNED_AWAY | ENDED if ended <= ENDED_SHARE_MAX * sent else TURNED_AWAY
        found = [f"{count} x {what}" for what, count in sorted(self.refusals.items()) if what not in allowed]
        found += [f"{count} x page {status}" for status, count in self.pages.items() if status != "200"]
        if not self.flood.acknowledged:
            found.append("nothing was taken during the flood")
        if (page := percentile_99(list(self.flood.pages))[0]) > PAGE_SECONDS_MAX:
            found.append(f"a page took {page:.2f} s (p99)")
        first, second = halves(self.flood.memory_megabytes)
        if second > GROWTH_MAX * first:
            found.append(f"memory grew from {first:.0f} to {second:.0f} MB")
        if not self.reckoning.is_perfect:
            found.append("not everything is there once and concluded")
        return tuple(found)

    def as_json(self) -> dict[str, object]:
        """Return all of it as JSON values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        phases = {name: asdict(values[name]) for name in ("capacity", "flood", "drain", "reckoning")}
        return values | phases | {"faults": self.faults}

    def lines(self) -> Iterator[str]:
        """Give the table, line by line."""
        yield f"seed {self.seed}, {self.database}"
        yield f"{'':24}{'seconds':>9}{'offered/s':>11}{'taken/s':>9}{'concluded/s':>13}"
        for name in ("capacity", "flood", "drain"):
            phase: Phase = getattr(self, name)
            rates = phase.per_second
            yield (
                f"{name:24}{phase.seconds:9.0f}{rates['offered']:11.1f}{rates['acknowledged']:9.1f}"
                f"{rates['concluded']:13.2f}"
            )
        for name in ("capacity", "flood", "drain"):
            yield f"page, {name}: {_pages(getattr(self, name).pages)}"
        first, second = halves(self.flood.memory_megabytes)
        before, after = max(self.capacity.memory_megabytes), max(self.drain.memory_megabytes)
        yield (
            f"memory of all processes, MB at most: before {before:.0f}, first half of the flood {first:.0f}, "
            f"second half {second:.0f}, while it drains {after:.0f}"
        )
        yield from _section("most memory of one process, MB", self.peak_megabytes)
        yield from _section("acknowledged", self.acknowledged)
        yield from _section("turned away", self.refusals)
        yield from _section("longest answer, s", self.longest_answer_seconds)
        account = self.reckoning
        yield (
            f"studies {account.studies}, things acknowledged {account.distinct}, stored {account.stored}, "
            f"concluded once {account.triaged_once}, never acknowledged {account.waiting}, "
            f"not concluded {len(account.open)}, lost {len(account.lost)}, twice {len(account.twice)}"
        )
        yield from (f"  {what}" for what in (*account.lost, *account.twice, *account.open)[:20])
        yield "everything held" if not self.faults else "did not hold: " + "; ".join(self.faults)


def halves(values: Sequence[float]) -> tuple[float, float]:
    """Return the most of either half; the first value counts to the first one."""
    middle = (len(values) + 1) // 2
    return max(values[:middle], default=0.0), max(values[middle:], default=0.0)


def _pages(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none asked for"
    at, low, high = percentile_99(list(seconds))
    return f"p99 {at:.2f} [{low:.2f}, {high:.2f}] s, n = {len(seconds)}, longest {max(seconds):.2f} s"


def _section(title: str, values: "Counter[str] | dict[str, float]") -> Iterator[str]:
    yield title
    for name, value in sorted(values.items()):
        yield f"  {name:36}{value:10.1f}" if isinstance(value, float) else f"  {name:36}{value:8}"

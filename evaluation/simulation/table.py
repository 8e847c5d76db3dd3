"""The result of a simulation as lines of text."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from evaluation.simulation.outcome import CapRow, Row, Run, Spread, summarise, summarise_caps
from evaluation.simulation.scenario import Scenario
from overread.statistics import Estimate

_WIDTH = 23  # of a figure with its interval


def lines_of(runs: Sequence[Run], scenario: Scenario) -> Iterator[str]:
    """Yield the lines of the whole result."""
    rows = tuple(summarise(runs, scenario))
    caps = tuple(summarise_caps(runs, scenario))
    cases = sum(row.cases for row in rows if row.case_class == "all" and row.gain is None)
    yield f"{scenario.name}: {cases:,} cases in {len(runs)} runs; minutes, means over runs [95 % interval]"
    yield from _warnings(fmean(run.load for run in runs), scenario)
    yield ""
    yield from _spreads("waiting: from arrival, less the reading itself", rows, turnaround=False)
    yield ""
    yield from _spreads("turnaround: from arrival until it is read", rows, turnaround=True)
    if caps:
        yield ""
        yield from _cap_lines(caps)


def _warnings(load: float, scenario: Scenario) -> Iterator[str]:
    yield f"load: {load:.0%} of the readers' time"
    if load >= 1:
        yield (
            "OVERLOADED: more reading arrives than is done; waits grow for as long as it lasts, the figures "
            "are of this length alone, and no order keeps a cap"
        )
    gap = scenario.timetable.longest_gap_minutes()
    short = [kind.name for kind in scenario.classes if kind.cap_minutes < gap]
    if short:
        yield (
            f"nobody reads for up to {gap:g} minutes: no order can keep the cap of {', '.join(short)} "
            "for what arrives then"
        )


def _spreads(title: str, rows: Sequence[Row], *, turnaround: bool) -> Iterator[str]:
    columns = ("mean", "95th percentile", "longest", "mean less first in")
    yield title
    yield f"  {'':32}" + "".join(f"{column:>{_WIDTH}}" for column in columns)
    for row in rows:
        if row.gain is None:
            yield f"  {row.case_class}, {row.cases:,} cases"
        spread: Spread = row.turnaround if turnaround else row.wait
        figures = (spread.mean, spread.high, spread.longest, row.gain)
        yield f"    {row.order:30}" + "".join(f"{_figure(figure):>{_WIDTH}}" for figure in figures)


def _cap_lines(caps: Sequence[CapRow]) -> Iterator[str]:
    yield "wait cap, by the class in which the triage lists a case (others' errors among them)"
    columns = ("longest wait of all", "waited beyond the cap", "% of a run")
    yield f"  {'':32}" + "".join(f"{column:>{_WIDTH}}" for column in columns)
    named = ""
    for row in caps:
        if row.case_class != named:
            named = row.case_class
            yield f"  {named}, cap {row.cap_minutes:g}, {row.cases:,} cases"
        yield (
            f"    {row.order:30}{row.longest_minutes:>{_WIDTH}.1f}{row.late:>{_WIDTH},}"
            f"{_figure(row.late_percent, digits=2):>{_WIDTH}}"
        )


def _figure(estimate: Estimate | None, digits: int = 1) -> str:
    return "-" if estimate is None else f"{estimate:.{digits}f}"

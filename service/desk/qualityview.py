"""Rates, months and the archive as the page of second reads shows them, each with what it rests on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from overread.audit import archive
from overread.audit.archive import ArchiveFigure
from overread.audit.clustered import LEAST_PATIENTS
from overread.audit.months import LEAST_MONTHS, REFERENCE_MONTHS
from overread.audit.svg import Mark, Month, interval_plot, month_chart
from overread.discrepancy import DiscrepancyKind
from overread.statistics import Estimate
from service.adjudication.quality import Quality, Rate
from service.desk.words import KINDS, finding_name, moment

_FIGURES = {
    archive.DISCREPANCY_RATE: "Cases with a discrepancy",
    archive.SENSITIVITY: "Of all discrepancies, those that were flagged",
    archive.MISSED: "Cases with one among those that were not flagged",
}
_ESTIMATORS = {
    archive.NAIVE: "of the cases that were read, as if they were all",
    archive.WEIGHTED: "weighed by the chance of being read",
    archive.HORVITZ_THOMPSON: "weighed, Horvitz-Thompson",
    archive.HAJEK: "weighed, Hajek",
    archive.EXACT: "weighed, exact limits by strata",
}
_AGREEMENT = {"Cohen kappa": "Cohen's kappa", "Gwet AC1": "Gwet's AC1"}
_PLOTTED_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLine:
    """One group in words."""

    words: str
    numbers: str  # such as "12 of 40"
    share: str
    interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTable:
    """Shares of groups of one kind, with a plot where it says more."""

    slug: str
    title: str
    of: str
    what: str
    lines: tuple[RateLine, ...]
    plot: Markup | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLine:
    """One figure of all cases."""

    words: str
    estimator: str
    share: str
    interval: str
    remark: str  # why there is no figure; empty where there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityView:
    """The rates of the page."""

    as_of: str
    archive: tuple[ArchiveLine, ...]
    archive_note: str
    agreement: tuple[RateLine, ...]
    tables: tuple[RateTable, ...]
    unknown: tuple[str, ...]


def quality_view(quality: Quality) -> QualityView:
    """Return the rates of the page."""
    return QualityView(
        as_of=_as_of(quality),
        archive=tuple(
            _archive_line(item) for figure in _FIGURES for item in quality.archive if item.figure == figure
        ),
        archive_note=_archive_note(quality),
        agreement=tuple(
            RateLine(
                words=_AGREEMENT[name],
                numbers=f"{estimate.n} patients",
                share=f"{estimate.value:.2f}",
                interval=f"{estimate.low:.2f} to {estimate.high:.2f}",
            )
            for name, estimate in quality.agreement.items()
        ),
        tables=tuple(table for table in _tables(quality) if table.lines),
        unknown=tuple(_unknown(quality)),
    )


def _as_of(quality: Quality) -> str:
    now = f"As of {moment(quality.as_of)} UTC"
    if quality.unread_at == quality.as_of:
        return f"{now}."
    return f"{now}; cases that nobody judged were counted at {moment(quality.unread_at)}."


def _archive_note(quality: Quality) -> str:
    note = (
        "A case counts where image and report disagree in anything. Of the random audit sample "
        f"{quality.drawn_read} cases were read; each stands for as many as its chance says."
    )
    remarks = {item.remark for item in quality.archive if item.estimate is not None and item.remark}
    return " ".join([note, *(f"Figures that are weighed are {remark}." for remark in sorted(remarks))])


def percent(estimate: Estimate) -> str:
    """Return the share as a percentage."""
    return f"{estimate.value:.1%}"


def between(estimate: Estimate) -> str:
    """Return the interval as percentages."""
    return f"{estimate.low:.1%} to {estimate.high:.1%}"


def _tables(quality: Quality) -> Iterator[RateTable]:
    read = "of the cases that were read; image and report are confirmed to disagree"
    yield _table("finding", "Confirmed, by finding", "of what was looked at", quality.findings, _finding)
    yield _table("kind", "Confirmed, by kind", "of what was looked at", quality.kinds, _kind)
    yield _table("site", "Confirmed, by site", read, quality.sites, _first)
    yield RateTable(
        slug="month",
        title="Confirmed, by month of the study",
        of=read,
        what="Month",
        lines=tuple(_line(rate, _first) for rate in quality.months),
        plot=_chart(quality),
    )


def _table(slug: str, title: str, of: str, rates: Sequence[Rate], words: Callable[[Rate], str]) -> RateTable:
    told = sorted((rate for rate in rates if rate.estimate is not None), key=lambda rate: -(rate.of or 0))
    few = [rate for rate in rates if rate.estimate is None]
    return RateTable(
        slug=slug,
        title=title,
        of=of,
        what=slug.capitalize(),
        lines=tuple(_line(rate, words) for rate in (*told, *few)),
        plot=_plot(told[:_PLOTTED_MAX], words, title),
    )


def _plot(rates: Sequence[Rate], words: Callable[[Rate], str], title: str) -> Markup | None:
    marks = [
        Mark(label=words(rate), value=estimate.value, low=estimate.low, high=estimate.high)
        for rate in rates
        if (estimate := rate.estimate) is not None
    ]
    if len(marks) < 2:
        return None
    return Markup(interval_plot(marks, title))  # noqa: S704 - it escapes every text


def _chart(quality: Quality) -> Markup | None:
    if not quality.chart:
        return None
    months = [
        Month(
            label=item.month,
            value=item.chart.value,
            low=item.chart.low,
            high=item.chart.high,
            expected=item.chart.expected,
            stands_out=item.chart.is_outside or item.chart.is_alarm,
        )
        for item in quality.chart
    ]
    return Markup(month_chart(months, "Confirmed by month of the study"))  # noqa: S704 - it escapes every text


def _line(rate: Rate, words: Callable[[Rate], str]) -> RateLine:
    if rate.estimate is None:
        return RateLine(
            words=words(rate), numbers=f"under {LEAST_PATIENTS} patients", share="–", interval="–"
        )
    return RateLine(
        words=words(rate),
        numbers=f"{rate.confirmed} of {rate.of}",
        share=percent(rate.estimate),
        interval=between(rate.estimate),
    )


def _archive_line(item: ArchiveFigure) -> ArchiveLine:
    return ArchiveLine(
        words=_FIGURES[item.figure],
        estimator=_ESTIMATORS[item.estimator],
        share="–" if item.estimate is None else percent(item.estimate),
        interval="–" if item.estimate is None else between(item.estimate),
        remark="" if item.estimate is not None else item.remark or "",
    )


def _finding(rate: Rate) -> str:
    return f"{finding_name(rate.level[0])}, {KINDS[DiscrepancyKind(rate.level[1])].lower()}"


def _kind(rate: Rate) -> str:
    return KINDS[DiscrepancyKind(rate.level[0])]


def _first(rate: Rate) -> str:
    return rate.level[0]


def _unknown(quality: Quality) -> Iterator[str]:
    """Yield what the judgements of this store cannot say, and what would carry it."""
    if not quality.drawn_read:
        yield (
            "How often something is missed where nothing is flagged: no case of a random audit sample was "
            "read. The policy draws one ([second_read.audit])."
        )
    if quality.flagged_unread:
        yield (
            f"What {quality.flagged_unread} flagged cases hold that wait for their read: figures of all "
            "cases are without them, since nobody knows how likely they are to be read."
        )
    if not quality.chart:
        yield f"A trend: it takes at least {LEAST_MONTHS} months of {LEAST_PATIENTS} patients or more."
    if not quality.agreement:
        yield (
            f"How far readers agree beyond chance: cases of {LEAST_PATIENTS} patients or more have to be "
            "read by two (readers = 2)."
        )
    yield (
        "How often second readers err: their judgements are taken for the truth. Rates by finding, kind, "
        "site and month are of what was read, mostly flagged cases, and not of all reports."
    )


CHART_NOTE = (
    "Dashed: between these lie 99.8 % of such months, if nothing changed since the first "
    f"{REFERENCE_MONTHS}. Red: outside, or an alarm of the CUSUM, which gives a false one in 5 % of such "
    "series."
)

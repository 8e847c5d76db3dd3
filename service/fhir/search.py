"""Searches for results: parameters, filters, pages, and what is included (search.html of R4 and R5)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from overread.errors import InputError, NotFoundError
from service.fhir.answers import Found
from service.fhir.elements import Json
from service.fhir.reading import KINDS, CaseReading, Standing
from service.store.database import Store
from service.store.results import ResultQuery, cases_with_results

COUNT, COUNT_MAX = 50, 200
EXAMINED_MAX = 400  # cases that one page looks at; a page that finds too little has a next one
ID, IDENTIFIER, LAST_UPDATED, STATUS = "_id", "identifier", "_lastUpdated", "status"
PAGE_SIZE, AFTER, INCLUDE, REVINCLUDE = "_count", "_after", "_include", "_revinclude"
FILTERS = (ID, IDENTIFIER, LAST_UPDATED, STATUS)
MEANINGS = {
    IDENTIFIER: "accession number, or urn:dicom:uid|urn:oid:STUDY",
    ID: "names, with commas between",
    LAST_UPDATED: "time of the last change, such as ge2026-03-01; given twice for a period",
    STATUS: "statuses, with commas between",
    PAGE_SIZE: f"resources on a page: {COUNT}, at most {COUNT_MAX}",
    AFTER: "as the link to the next page has it",
    INCLUDE: "what the matches refer to, such as DiagnosticReport:result",
    REVINCLUDE: "what refers to the matches, such as Task:focus",
}
"""The parameters that are heeded, in words."""

# Of each inclusion the type that refers, by which element, to which type.
REFERENCES = {
    "DiagnosticReport:result": ("DiagnosticReport", "result", "Observation"),
    "Observation:derived-from": ("Observation", "derivedFrom", "ImagingSelection"),
    "Task:focus": ("Task", "focus", "DiagnosticReport"),
    "Communication:part-of": ("Communication", "partOf", "Task"),
}
_NAME = re.compile(r"case-([0-9]{1,18})((?:-[0-9]{1,4}){0,2})")
_WHEN = re.compile(
    r"(eq|gt|ge|lt|le)?(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[+-]\d\d:\d\d))?)?)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Time that a parameter names, with how it compares: [start, end)."""

    comparison: str  # eq, gt, ge, lt or le
    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether a time is as the parameter wants it (search.html#date)."""
        return {
            "eq": self.start <= at < self.end,
            "gt": at >= self.end,
            "ge": at >= self.start,
            "lt": at < self.start,
            "le": at < self.end,
        }[self.comparison]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Search for resources of one type."""

    kind: str
    version: str  # of FHIR, 4 or 5
    names: tuple[str, ...] = ()  # of resources; empty: any
    identifier: str | None = None
    statuses: tuple[str, ...] = ()  # empty: any
    periods: tuple[Period, ...] = ()
    count: int = COUNT
    after: tuple[int, ...] = ()  # the numbers in the name of the last resource of the page before
    from_case: int = 0  # the first that is looked at
    includes: tuple[str, ...] = ()
    revincludes: tuple[str, ...] = ()
    heeded: tuple[tuple[str, str], ...] = field(default=())  # parameters, as they were given


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Page of a search."""

    found: Found
    next_after: str | None  # value of `_after` for the next page; None where this one is the last


def included_kinds(kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what a search for a type may include, and what that refers to it."""
    forward = tuple(name for name, (source, _, _) in REFERENCES.items() if source == kind)
    return forward, tuple(name for name, (_, _, target) in REFERENCES.items() if target == kind)


def parse_search(kind: str, parameters: Iterable[tuple[str, str]], *, version: str, strict: bool) -> Search:
    """Return the search that the parameters of a request ask for.

    Args:
        kind: type of the resources that are searched for.
        parameters: by name, some perhaps several times.
        version: of FHIR, 4 or 5.
        strict: whether one that is not known is refused instead of passed over.

    Raises:
        InputError: a value is none, or something is asked for that is not done.
    """
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        if name in MEANINGS and value:
            given.setdefault(name, []).append(value)
        elif strict and name not in MEANINGS:
            raise InputError(
                f"{name[:40]!r} is no parameter of this search; there are: {', '.join(MEANINGS)}"
            )
    forward, backward = included_kinds(kind)
    after, from_case = _place(_one(given, AFTER))
    return Search(
        kind=kind,
        version=version,
        names=_words(given.get(ID)),
        identifier=_one(given, IDENTIFIER),
        statuses=tuple(word.rpartition("|")[2] for word in _words(given.get(STATUS))),
        periods=tuple(_period(text) for text in given.get(LAST_UPDATED, ())),
        count=_count(_one(given, PAGE_SIZE)),
        after=after,
        from_case=from_case,
        includes=_inclusions(given.get(INCLUDE), forward, INCLUDE),
        revincludes=_inclusions(given.get(REVINCLUDE), backward, REVINCLUDE),
        heeded=tuple((name, value) for name, values in given.items() for value in values),
    )


def find(store: Store, search: Search) -> Page:
    """Return a page of what a search finds, in the order of the cases.

    Raises:
        UnreadableRecordError: what is stored of a case cannot be read by this release.
    """
    matches: list[Json] = []
    included: dict[tuple[str, str], Json] = {}
    last = search.after
    for case_id, standing in _standings(store, search):
        if standing is None:  # as many were looked at as one page may
            return _page(search, matches, included, str(case_id))
        for resource in _matches(search, standing):
            if len(matches) == search.count:
                return _page(search, matches, included, _name(last))
            matches.append(resource)
            last = _numbers(resource["id"])
            for item in _included(search, standing, resource):
                included.setdefault((item["resourceType"], item["id"]), item)
    return _page(search, matches, included, None)


def _page(
    search: Search, matches: list[Json], included: dict[tuple[str, str], Json], after: str | None
) -> Page:
    total = len(matches) if after is None and not search.from_case else None
    found = {(item["resourceType"], item["id"]) for item in matches}
    beside = [item for key, item in included.items() if key not in found]
    return Page(found=Found(matches=matches, included=beside, total=total), next_after=after)


def _standings(store: Store, search: Search) -> Iterator[tuple[int, Standing | None]]:
    """Give the cases that may have what is searched for; without one at the end, where there may be more."""
    starts = [item.start for item in search.periods if item.comparison in {"eq", "gt", "ge"}]
    numbers = [_numbers(name)[:1] for name in search.names]
    query = ResultQuery(
        identifier=search.identifier,
        case_id=numbers[0][0] if len(numbers) == 1 and numbers[0] else None,
        changed_since=max(starts, default=None),
        from_case=search.from_case,
    )
    candidates = cases_with_results(store, query, limit=EXAMINED_MAX + 1)
    for case_id in candidates[:EXAMINED_MAX]:
        try:
            yield case_id, CaseReading(store, case_id).standing()
        except NotFoundError:
            continue
    if len(candidates) > EXAMINED_MAX:
        yield candidates[EXAMINED_MAX - 1], None


def _matches(search: Search, standing: Standing) -> Iterator[Json]:
    for resource in KINDS[search.kind](standing, search.version):
        changed_at = datetime.fromisoformat(resource["meta"]["lastUpdated"])
        if (
            _numbers(resource["id"]) > search.after
            and (not search.names or resource["id"] in search.names)
            and (not search.statuses or resource["status"] in search.statuses)
            and all(period.holds(changed_at) for period in search.periods)
        ):
            yield resource


def _included(search: Search, standing: Standing, match: Json) -> Iterator[Json]:
    """Give what is included beside one match, all of which is of its case."""
    for name in search.includes:
        _, element, target = REFERENCES[name]
        wanted = _referred(match, element)
        yield from (
            item for item in KINDS[target](standing, search.version) if f"{target}/{item['id']}" in wanted
        )
    for name in search.revincludes:
        source, element, _ = REFERENCES[name]
        own = f"{search.kind}/{match['id']}"
        yield from (
            item for item in KINDS[source](standing, search.version) if own in _referred(item, element)
        )


def _referred(resource: Json, element: str) -> set[str]:
    value = resource.get(element, [])
    return {item.get("reference", "") for item in (value if isinstance(value, list) else [value])}


def _numbers(name: str | None) -> tuple[int, ...]:
    """Return the numbers in the name of a resource, by which it has its place; none of what is no name."""
    found = _NAME.fullmatch(name or "")
    return () if found is None else (int(found[1]), *map(int, filter(None, found[2].split("-"))))


def _place(text: str | None) -> tuple[tuple[int, ...], int]:
    """Return after which resource a page begins, and with which case.

    The place is the name of the last resource of the page before, or the number of the last case that it
    looked at.

    Raises:
        InputError: it is neither.
    """
    if text is None:
        return (), 0
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        return (), int(text) + 1
    numbers = _numbers(text)
    if not numbers:
        raise InputError(f"{AFTER} is as a link to the next page has it")
    return numbers, numbers[0]


def _name(numbers: Sequence[int]) -> str:
    return "-".join(("case", *map(str, numbers)))


def _words(values: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(word for value in values or () for word in value.split(",") if word)


def _one(given: dict[str, list[str]], name: str) -> str | None:
    values = given.get(name, [])
    if len(values) > 1:
        raise InputError(f"{name} stands several times: one is understood")
    if not values:
        return None
    return values[0].rpartition("|")[2].removeprefix("urn:oid:") if name == IDENTIFIER else values[0]


def _count(text: str | None) -> int:
    if text is None:
        return COUNT
    if not text.isascii() or not text.isdecimal() or int(text[:9]) == 0:
        raise InputError(f"{PAGE_SIZE} is a number from 1 on")
    return min(int(text[:9]), COUNT_MAX)


def _inclusions(values: Sequence[str] | None, known: Sequence[str], parameter: str) -> tuple[str, ...]:
    """Return inclusions such as "Task:focus", whose target type may follow."""
    allowed = {name: name for name in known} | {f"{name}:{REFERENCES[name][2]}": name for name in known}
    for value in values or ():
        if value not in allowed:
            raise InputError(f"{parameter} of this type may be: {', '.join(known) or 'nothing'}")
    return tuple(allowed[value] for value in values or ())


def _period(text: str) -> Period:
    """Return the time of `_lastUpdated`: a year, month or day in UTC, or an instant, to the minute at least.

    Raises:
        InputError: it is none.
    """
    found = _WHEN.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        comparison, year, month, day, time, zone = found.groups()
        if time is not None:
            start = datetime.fromisoformat(f"{year}-{month}-{day}T{time}{zone}")
            length = timedelta(minutes=1) if len(time) == 5 else timedelta(seconds=1)
            end = start + (timedelta(microseconds=1) if "." in time else length)
        else:
            start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
            end = _end(start, month=month, day=day)
    except (ValueError, OverflowError):
        raise InputError(
            f"{LAST_UPDATED} is such as ge2026-03-01 or gt2026-03-01T12:00:00Z; prefixes: eq, gt, ge, lt, le"
        ) from None
    return Period(comparison=comparison or "eq", start=start, end=end)


def _end(start: datetime, *, month: str | None, day: str | None) -> datetime:
    if day:
        return start + timedelta(days=1)
    if month:
        return (start + timedelta(days=32)).replace(day=1)
    return start.replace(year=start.year + 1)

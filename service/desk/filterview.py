"""View of what the list is filtered by: the form, and a link for each thing that it leaves out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from overread.discrepancy import DiscrepancyKind
from overread.finding import Actionable, load_vocabulary
from service.desk.listing import SUBSPECIALTIES, Link, Listing
from service.desk.words import KINDS, URGENCIES, finding_name
from service.store.case_filter import CaseFilter, ReadingState, Sort

SORTS = {
    Sort.ORDER: "Expected benefit, late ones first",
    Sort.PRIORITY: "Priority alone",
    Sort.CAP: "Time left of what is allowed",
    Sort.WAITING: "Longest wait",
    Sort.NEWEST: "Newest",
}
READING = {
    ReadingState.OPEN: "Nobody",
    ReadingState.CLAIMED: "Somebody",
    ReadingState.MINE: "Me",
}
_WAITS = (1, 4, 8, 24, 72, 168)  # hours that are offered


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice of a field."""

    value: str
    name: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the form."""

    name: str  # as the address says it
    label: str
    options: tuple[Option, ...]
    is_many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterView:
    """What the list is filtered by, and how that is changed."""

    fields: tuple[Field, ...]
    kept: tuple[tuple[str, str], ...]  # names and values of the address that the form leaves as they are
    without: tuple[Link, ...]  # for each thing that is asked for, the list without it
    clear_address: str | None  # None where nothing is left out


def filter_view(listing: Listing, modalities: Sequence[str], sites: Sequence[str]) -> FilterView:
    """Return the form and the links; `modalities` and `sites` are those that there are."""
    only = listing.only
    fields = (
        _field("flag", "Finding", _findings(), only.findings),
        _field(
            "kind", "Kind", [(kind.value.lower(), KINDS[kind]) for kind in DiscrepancyKind], _low(only.kinds)
        ),
        _field("modality", "Modality", _as_they_are(modalities, only.modalities), only.modalities),
        *((_field("site", "Site", _as_they_are(sites, only.sites), only.sites),) if sites else ()),
        _field(
            "subspecialty", "Subspecialty", [(name, name) for name in SUBSPECIALTIES], only.subspecialties
        ),
        _field(
            "urgency",
            "Urgency",
            [(one.value.lower(), URGENCIES[one] or "None") for one in Actionable],
            _low(only.urgencies),
        ),
        _field("waited", "Waited at least", _waits(only.waited), _waited(only.waited)),
        _field("who", "Read by", [(one.value.lower(), words) for one, words in READING.items()], _who(only)),
        _field("sort", "Order", [(one.value.lower(), words) for one, words in SORTS.items()], _sort(listing)),
    )
    kept = replace(listing, only=CaseFilter(), sort=Sort.ORDER, rest=False).query()
    return FilterView(
        fields=fields,
        kept=tuple(parse_qsl(kept)),
        without=_without(listing),
        clear_address=None if only.is_empty else replace(listing, only=CaseFilter(), rest=False).address(),
    )


def _field(name: str, label: str, known: Iterable[tuple[str, str]], chosen: Sequence[str]) -> Field:
    options = tuple(Option(value=value, name=words, chosen=value in chosen) for value, words in known)
    is_many = name not in {"waited", "who", "sort"}
    return Field(name=name, label=label, options=options, is_many=is_many)


def _as_they_are(known: Sequence[str], chosen: Sequence[str]) -> list[tuple[str, str]]:
    """Return what there is, and what is asked for though there is none."""
    return [(value, value) for value in dict.fromkeys((*known, *chosen))]


def _findings() -> list[tuple[str, str]]:
    return sorted(((name, finding_name(name)) for name in load_vocabulary()), key=lambda pair: pair[1])


def _waits(chosen: timedelta | None) -> list[tuple[str, str]]:
    hours = sorted({*map(float, _WAITS), *([chosen / timedelta(hours=1)] if chosen is not None else [])})
    return [("", "any time"), *((f"{number:g}", hours_words(number)) for number in hours)]


def hours_words(hours: float) -> str:
    """Return so many hours as people say it."""
    return f"{hours / 24:g} d" if hours >= 48 and hours % 24 == 0 else f"{hours:g} h"


def _waited(chosen: timedelta | None) -> tuple[str, ...]:
    return ("",) if chosen is None else (f"{chosen / timedelta(hours=1):g}",)


def _who(only: CaseFilter) -> tuple[str, ...]:
    return () if only.reading is None else (only.reading.value.lower(),)


def _sort(listing: Listing) -> tuple[str, ...]:
    return (listing.sort.value.lower(),)


def _low(members: Iterable[DiscrepancyKind | Actionable]) -> tuple[str, ...]:
    return tuple(member.value.lower() for member in members)


def _without(listing: Listing) -> tuple[Link, ...]:
    """Return a link for each thing that is asked for, which asks for it no longer."""
    only = listing.only

    def link(name: str, **changed: Any) -> Link:
        return Link(name=name, address=replace(listing, rest=False, only=replace(only, **changed)).address())

    def links(field: str, members: Sequence[str], words: Callable[[str], str]) -> Iterable[Link]:
        for member in members:
            yield link(words(member), **{field: tuple(one for one in members if one != member)})

    return (
        *links("findings", only.findings, finding_name),
        *links("kinds", only.kinds, lambda kind: KINDS[DiscrepancyKind(kind)]),
        *links("modalities", only.modalities, str),
        *links("sites", only.sites, str),
        *links("subspecialties", only.subspecialties, lambda name: f"only {name}"),
        *links("urgencies", only.urgencies, lambda one: URGENCIES[Actionable(one)] or "no urgency"),
        *(() if only.waited is None else (link(f"waited {_waited_words(only.waited)}", waited=None),)),
        *(() if only.reading is None else (link(_reading_words(only.reading), reading=None),)),
        *(() if only.case_ids is None else (link("found by search", case_ids=None),)),
    )


def _waited_words(waited: timedelta) -> str:
    return hours_words(waited / timedelta(hours=1))


def _reading_words(reading: ReadingState) -> str:
    return {ReadingState.OPEN: "open", ReadingState.CLAIMED: "claimed", ReadingState.MINE: "mine"}[reading]

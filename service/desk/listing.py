"""Reader's view of the list of what is to be read, as the addresses of the pages carry it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qs, quote

from overread.case import CaseState
from overread.discrepancy import DiscrepancyKind
from overread.finding import Actionable, load_vocabulary
from service.desk.words import TABS, Tab
from service.store.case_filter import EVERYTHING, CaseFilter, ReadingState, Sort
from service.store.order import Selection
from service.store.worklist_records import COUNTED_TO, WorklistLine

SUBSPECIALTIES = load_vocabulary().subspecialties
REST = "rest"
EVERYBODY = "everybody"
COMPACT = "compact"
CASES_MAX = 100  # whose numbers an address carries
_WAITED_HOURS_MAX = 24 * 365
_CODE_MAX = 16  # characters of a modality (PS3.5 CS)
_SITE_MAX = 64  # characters
_FIELDS_MAX = 200
_SHARES = (0.05, 0.1, 0.2)
_ROUNDING = 0.1  # of a share, within which what is shown may be called so
_SHARE_WORDS = {0.05: "a twentieth", 0.1: "a tenth", 0.2: "a fifth"}

Member = TypeVar("Member", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """For whom the list is, where its line lies, which side of it is shown, and what of that."""

    subspecialty: str | None = None  # None: everybody
    share: float | None = None  # of the triaged cases that stands above the line; None: as the policy has it
    rest: bool = False  # what stands below the line, instead of what stands above
    only: CaseFilter = EVERYTHING
    sort: Sort = Sort.ORDER
    compact: bool = False  # one line of text a case
    own: str | None = None  # subspecialty of whoever looks, whose list is shown where an address names none

    @property
    def is_found(self) -> bool:
        """Whether it is what a search found, wherever that stands."""
        return self.only.case_ids is not None

    def selection(self, tab: Tab, reader: str = "") -> Selection:
        """Return what the store is asked for; of every other tab all is shown.

        Args:
            tab: of the list.
            reader: identifier of who looks, for what is one's own.
        """
        if self.is_found:
            return Selection(states=tuple(CaseState), only=CaseFilter(case_ids=self.only.case_ids))
        if tab is not TABS[0]:
            return Selection(states=tab.states)
        return Selection(
            states=tab.states,
            subspecialty=self.subspecialty,
            share=self.share,
            above_line=not self.rest,
            only=replace(self.only, reader=reader),
            sort=self.sort,
        )

    def address(self) -> str:
        """Return the address of its first page."""
        return _joined("/", (*self._pairs(), *([f"part={REST}"] if self.rest else [])))

    def query(self) -> str:
        """Return the query of that address."""
        return self.address().partition("?")[2]

    def case_address(self, case_id: int, *more: str) -> str:
        """Return the address of a case, from which the way back leads to the same list.

        Args:
            case_id: its number.
            more: pieces of the query that come first, such as `finding=2`.
        """
        return _joined(f"/cases/{case_id}", (*more, *self._pairs()))

    def _pairs(self) -> tuple[str, ...]:
        reader = () if self.subspecialty == self.own else (_pair("for", self.subspecialty or EVERYBODY),)
        share = () if self.share is None else (f"share={100 * self.share:g}",)
        order = () if self.sort is Sort.ORDER else (_pair("sort", self.sort.value.lower()),)
        rows = (f"rows={COMPACT}",) if self.compact else ()
        return (*reader, *share, *filter_pairs(self.only), *order, *rows)


EVERYBODYS = Listing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that chooses another list."""

    name: str
    address: str
    current: bool = False


def listing_of(query: str, own: Sequence[str] = ()) -> Listing:
    """Return how the list is looked at by the query of an address; what it may not say is passed over.

    Args:
        query: of the address.
        own: subspecialties of whoever looks, whose list is shown where the address names none; of several
            none is shown before another.
    """
    mine = own[0] if len(own) == 1 and own[0] in SUBSPECIALTIES else None
    try:
        given = parse_qs(query, max_num_fields=_FIELDS_MAX)
    except ValueError:
        return Listing(subspecialty=mine, own=mine)
    first = {name: values[0] for name, values in given.items()}
    reader = first.get("for", "")
    named = reader if reader in SUBSPECIALTIES else None
    return Listing(
        subspecialty=named if reader else mine,
        own=mine,
        share=_share_of(first.get("share", "")),
        rest=first.get("part") == REST,
        only=_filter_of(given, first),
        sort=next(iter(_members(Sort, given.get("sort", ()))), Sort.ORDER),
        compact=first.get("rows") == COMPACT,
    )


def filter_pairs(only: CaseFilter) -> tuple[str, ...]:
    """Return the pieces of an address that say what is shown."""
    return (
        *(_pair("flag", finding) for finding in only.findings),
        *(_pair("kind", kind.value.lower()) for kind in only.kinds),
        *(_pair("modality", modality) for modality in only.modalities),
        *(_pair("site", site) for site in only.sites),
        *(_pair("subspecialty", name) for name in only.subspecialties),
        *(_pair("urgency", urgency.value.lower()) for urgency in only.urgencies),
        *((f"waited={only.waited / timedelta(hours=1):g}",) if only.waited is not None else ()),
        *((_pair("who", only.reading.value.lower()),) if only.reading is not None else ()),
        *((f"cases={'.'.join(map(str, only.case_ids)) or 'none'}",) if only.case_ids is not None else ()),
    )


def subspecialty_links(listing: Listing) -> tuple[Link, ...]:
    """Return a link for everybody and for each subspecialty."""
    return tuple(
        Link(
            name=name or "everybody",
            address=replace(listing, subspecialty=name, rest=False).address(),
            current=name == listing.subspecialty,
        )
        for name in (None, *SUBSPECIALTIES)
    )


def share_links(listing: Listing, line: WorklistLine) -> tuple[Link, ...]:
    """Return a link for each share of the triaged cases that the reader may look at."""
    return tuple(
        Link(
            name="all" if share == 1 else f"{100 * share:.3g}\u00a0%",
            address=replace(listing, share=share, rest=False).address(),
            current=share == line.share,
        )
        for share in sorted({*_SHARES, line.share})
    )


def other_side(listing: Listing, line: WorklistLine) -> Link | None:
    """Return the link to the other side of the line; None where nothing stands there."""
    if not (line.above if listing.rest else line.below):
        return None
    count = _count_words(line, rest=not listing.rest)
    name = f"Back to the {count} above the line" if listing.rest else f"{count} more below the line"
    return Link(name=name, address=replace(listing, rest=not listing.rest).address())


def lead_of(listing: Listing, line: WorklistLine) -> str:
    """Return what the list shows, in a sentence."""
    count = _count_words(line, rest=listing.rest)
    of = f"{count} of {line.triaged} triaged {'case' if line.triaged == 1 else 'cases'}"
    if not listing.only.is_empty:
        where = "" if line.priority is None else f" {'below' if listing.rest else 'above'} the line"
        return f"{of}{where}: what the filter leaves."
    if listing.subspecialty is not None:
        first = "" if listing.rest else "what waited too long, then "
        side = "below" if listing.rest else "above"
        where = "" if line.priority is None else f" {side} a line at {_share_words(line.share)}"
        return f"{of}{where}: {first}{listing.subspecialty}, then what is anybody's or was not taken in time."
    if listing.rest:
        return f"{of}: what stands below the line, by expected benefit."
    if not line.below:
        return f"{of}: all that are listed, by expected benefit."
    if abs(line.above / line.triaged - line.share) <= _ROUNDING * line.share:
        return f"{of}: {_share_words(line.share)}, by expected benefit."
    return f"{of}, by expected benefit."


def _count_words(line: WorklistLine, *, rest: bool) -> str:
    count = line.below if rest else line.above
    return f"more than {COUNTED_TO}" if line.is_capped and count > COUNTED_TO else str(count)


def _filter_of(given: Mapping[str, Sequence[str]], first: Mapping[str, str]) -> CaseFilter:
    vocabulary = load_vocabulary()
    return CaseFilter(
        findings=tuple(name for name in dict.fromkeys(given.get("flag", ())) if name in vocabulary),
        kinds=_members(DiscrepancyKind, given.get("kind", ())),
        modalities=tuple(
            code
            for code in dict.fromkeys(given.get("modality", ()))
            if code.isalnum() and len(code) <= _CODE_MAX
        ),
        sites=tuple(
            site
            for site in dict.fromkeys(given.get("site", ()))
            if site.isprintable() and len(site) <= _SITE_MAX
        ),
        subspecialties=tuple(name for name in given.get("subspecialty", ()) if name in SUBSPECIALTIES),
        urgencies=_members(Actionable, given.get("urgency", ())),
        waited=_waited_of(first.get("waited", "")),
        reading=next(iter(_members(ReadingState, given.get("who", ()))), None),
        case_ids=_numbers_of(first["cases"]) if "cases" in first else None,
    )


def _members(kind: type[Member], words: Sequence[str]) -> tuple[Member, ...]:
    known = {member.value.lower(): member for member in kind}
    return tuple(known[word] for word in dict.fromkeys(words) if word in known)


def _waited_of(hours: str) -> timedelta | None:
    try:
        number = float(hours)
    except ValueError:
        return None
    return timedelta(hours=number) if 0 < number <= _WAITED_HOURS_MAX else None


def _numbers_of(text: str) -> tuple[int, ...]:
    numbers = (int(part) for part in text.split(".")[:CASES_MAX] if part.isdecimal() and len(part) < 19)
    return tuple(dict.fromkeys(numbers))


def _share_of(percent: str) -> float | None:
    try:
        share = float(percent) / 100
    except ValueError:
        return None
    return share if 0 < share <= 1 else None


def _share_words(share: float) -> str:
    return _SHARE_WORDS.get(share, f"{100 * share:.3g}\u00a0%")


def _pair(name: str, value: str) -> str:
    return f"{name}={quote(value, safe='')}"


def _joined(path: str, pairs: Iterable[str]) -> str:
    query = "&".join(pairs)
    return f"{path}?{query}" if query else path

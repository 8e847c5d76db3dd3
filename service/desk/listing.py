"""Reader's view of the list of what is to be read, as the addresses of the pages carry it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from overread.finding import load_vocabulary
from service.desk.words import TABS, Tab
from service.store.order import Selection
from service.store.records import WorklistLine

SUBSPECIALTIES = load_vocabulary().subspecialties
REST = "rest"
EVERYBODY = "everybody"
_SHARES = (0.05, 0.1, 0.2)
_ROUNDING = 0.1  # of a share, within which what is shown may be called so
_SHARE_WORDS = {0.05: "a twentieth", 0.1: "a tenth", 0.2: "a fifth"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """For whom the list is, where its line lies, and which side of it is shown."""

    subspecialty: str | None = None  # None: everybody
    share: float | None = None  # of the triaged cases that stands above the line; None: as the policy has it
    rest: bool = False  # what stands below the line, instead of what stands above
    own: str | None = None  # subspecialty of whoever looks, whose list is shown where an address names none

    def selection(self, tab: Tab) -> Selection:
        """Return what the store is asked for; of every other tab all is shown."""
        if tab is not TABS[0]:
            return Selection(states=tab.states)
        return Selection(
            states=tab.states, subspecialty=self.subspecialty, share=self.share, above_line=not self.rest
        )

    def address(self) -> str:
        """Return the address of its first page."""
        return _joined("/", (*self._pairs(), *([f"part={REST}"] if self.rest else [])))

    def case_address(self, case_id: int, *more: str) -> str:
        """Return the address of a case, from which the way back leads to the same list.

        Args:
            case_id: its number.
            more: pieces of the query that come first, such as `finding=2`.
        """
        return _joined(f"/cases/{case_id}", (*more, *self._pairs()))

    def _pairs(self) -> tuple[str, ...]:
        named = quote(self.subspecialty or EVERYBODY, safe="")
        reader = () if self.subspecialty == self.own else (f"for={named}",)
        share = () if self.share is None else (f"share={100 * self.share:g}",)
        return (*reader, *share)


EVERYBODYS = Listing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that chooses another list."""

    name: str
    address: str
    current: bool = False


def listing_of(subspecialty: str, share: str, part: str = "", own: Sequence[str] = ()) -> Listing:
    """Return how the list is looked at by what an address says; what it may not say is passed over.

    Args:
        subspecialty: whose list it is; empty: that of whoever looks.
        share: of the triaged cases above the line, in percent; empty: as the policy has it.
        part: which side of the line.
        own: subspecialties of whoever looks; of several none is shown before another.
    """
    mine = own[0] if len(own) == 1 and own[0] in SUBSPECIALTIES else None
    named = subspecialty if subspecialty in SUBSPECIALTIES else None
    return Listing(
        subspecialty=named if subspecialty else mine,
        own=mine,
        share=_share_of(share),
        rest=part == REST,
    )


def subspecialty_links(listing: Listing) -> tuple[Link, ...]:
    """Return a link for everybody and for each subspecialty."""
    return tuple(
        Link(
            name=name or EVERYBODY,
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
    count = line.above if listing.rest else line.below
    if not count:
        return None
    name = f"Back to the {count} above the line" if listing.rest else f"{count} more below the line"
    return Link(name=name, address=replace(listing, rest=not listing.rest).address())


def lead_of(listing: Listing, line: WorklistLine) -> str:
    """Return what the list shows, in a sentence."""
    count = line.below if listing.rest else line.above
    of = f"{count} of {line.triaged} triaged {'case' if line.triaged == 1 else 'cases'}"
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


def _share_of(percent: str) -> float | None:
    try:
        share = float(percent) / 100
    except ValueError:
        return None
    return share if 0 < share <= 1 else None


def _share_words(share: float) -> str:
    return _SHARE_WORDS.get(share, f"{100 * share:.3g}\u00a0%")


def _joined(path: str, pairs: Iterable[str]) -> str:
    query = "&".join(pairs)
    return f"{path}?{query}" if query else path

"""Content negotiation (RFC 9110 section 12.5.1, PS3.18 sections 8.3.3 and 8.7)."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

from service.web.multipart import parse_content_type

MULTIPART = "multipart/related"
_RANGES_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRange:
    """One entry of an Accept header."""

    media_type: str  # of the parts where it is multipart; "*/*", "image/*", ... stand for several
    multipart: bool | None  # None: either
    transfer_syntax: str | None  # None: the client did not say; "*": any
    quality: float  # 0 forbids


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One form that can be sent."""

    media_type: str
    multipart: bool = False
    transfer_syntax: str | None = None  # None for what is no DICOM pixel data
    default: bool = True  # what is sent in this media type where no transfer syntax is asked for


def accepted(request: Request) -> list[MediaRange]:
    """Return what a request accepts, the best first; its `accept` parameters come before the header.

    PS3.18 section 8.3.3.1: the parameter is for clients that cannot set the header, and must be the more
    specific; the header counts where it fits nothing.
    """
    ranges = []
    for text in (*request.query_params.getlist("accept"), request.headers.get("accept", "")):
        entries = [_parsed(entry) for entry in _entries(text)][:_RANGES_MAX]
        ranges += sorted(entries, key=lambda entry: -entry.quality)  # stable: the first named first
    return ranges or [MediaRange(media_type="*/*", multipart=None, transfer_syntax=None, quality=1.0)]


def choose(ranges: Sequence[MediaRange], offers: Sequence[Offer]) -> Offer | None:
    """Return the first offer that the best range admits; None where nothing fits."""
    forbidden = [entry for entry in ranges if entry.quality == 0]
    for entry in ranges:
        if entry.quality == 0:
            continue
        for offer in offers:
            if _admits(entry, offer) and not any(_names(no, offer) for no in forbidden):
                return offer
    return None


def require(ranges: Sequence[MediaRange], offers: Sequence[Offer]) -> Offer:
    """Return the offer that fits best.

    Raises:
        HTTPException: 406, with what can be sent.
    """
    offer = choose(ranges, offers)
    if offer is None:
        forms = "; ".join(dict.fromkeys(_described(offer) for offer in offers))
        raise HTTPException(406, f"this can be sent as {forms}")
    return offer


def _admits(entry: MediaRange, offer: Offer) -> bool:
    if entry.multipart is not None and entry.multipart is not offer.multipart:
        return False
    kind = entry.media_type.partition("/")[0]
    if entry.media_type not in {"*/*", f"{kind}/*", offer.media_type}:
        return False
    if entry.media_type != "*/*" and kind != offer.media_type.partition("/")[0]:
        return False
    if offer.transfer_syntax is None or entry.transfer_syntax == "*":
        return True
    return offer.default if entry.transfer_syntax is None else entry.transfer_syntax == offer.transfer_syntax


def _names(entry: MediaRange, offer: Offer) -> bool:
    return entry.media_type == offer.media_type and _admits(entry, offer)


def _described(offer: Offer) -> str:
    form = f'{MULTIPART}; type="{offer.media_type}"' if offer.multipart else offer.media_type
    return form if offer.transfer_syntax is None else f"{form}; transfer-syntax={offer.transfer_syntax}"


def _entries(text: str) -> list[str]:
    """Return the parts of a list that commas separate, where they are not quoted."""
    entries, entry, quoted = [], "", False
    for character in text:
        quoted ^= character == '"'
        if character == "," and not quoted:
            entries.append(entry)
            entry = ""
        else:
            entry += character
    return [part.strip() for part in (*entries, entry) if part.strip()]


def _parsed(entry: str) -> MediaRange:
    parsed = parse_content_type(entry)
    multipart: bool | None = parsed.media_type == MULTIPART
    media_type = parsed.media_type
    if parsed.media_type == MULTIPART:
        media_type = parsed.parameters.get("type", "*/*").strip('"').lower()
    elif parsed.media_type in {"*/*", "multipart/*"}:
        media_type, multipart = "*/*", None if parsed.media_type == "*/*" else True
    syntax = parsed.parameters.get("transfer-syntax", "").strip('" ')
    return MediaRange(
        media_type=media_type,
        multipart=multipart,
        transfer_syntax=syntax or None,
        quality=_quality(parsed.parameters.get("q", "1")),
    )


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 1.0

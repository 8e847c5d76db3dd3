"""Bundles that answer a search or give the history of a resource (R4 and R5, bundle.html, http.html)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Answer to a search: one page."""

    matches: Sequence[Json]
    included: Sequence[Json] = ()
    total: int | None = None  # None where counting would mean reading every page


def search_set(found: Found, base: str, links: Mapping[str, str]) -> Json:
    """Return the Bundle that answers a search.

    Args:
        found: what is given.
        base: address of the FHIR service, without a last slash.
        links: addresses by relation, `self` and perhaps `next`.
    """
    bundle: Json = {"resourceType": "Bundle", "type": "searchset"}
    if found.total is not None:
        bundle["total"] = found.total
    bundle["link"] = _links(links)
    entries = [_match(item, base, "match") for item in found.matches]
    entries += [_match(item, base, "include") for item in found.included]
    return bundle | ({"entry": entries} if entries else {})


def history_of(versions: Sequence[Json | None], address: str, link: str) -> Json:
    """Return the Bundle of the versions of one resource, the latest first.

    Args:
        versions: the oldest first; None where the resource had been there, and was not any more.
        address: of the resource.
        link: of this very answer.
    """
    entries = [_version(item, address, is_first=place == 0) for place, item in enumerate(versions)]
    return {
        "resourceType": "Bundle",
        "type": "history",
        "total": len(entries),
        "link": _links({"self": link}),
        "entry": entries[::-1],
    }


def _links(links: Mapping[str, str]) -> list[Json]:
    return [{"relation": relation, "url": url} for relation, url in links.items()]


def _match(resource: Json, base: str, mode: str) -> Json:
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}


def _version(resource: Json | None, address: str, *, is_first: bool) -> Json:
    name = "/".join(address.rsplit("/", 2)[1:])
    if resource is None:
        request = {"method": "DELETE", "url": name}
        return {"fullUrl": address, "request": request, "response": {"status": "204"}}
    meta = resource["meta"]
    response = {
        "status": "201" if is_first else "200",
        "etag": etag_of(resource),
        "lastModified": meta["lastUpdated"],
    }
    request = {"method": "PUT", "url": name}
    return {"fullUrl": address, "resource": resource, "request": request, "response": response}


def etag_of(resource: Json) -> str:
    """Return the version of a resource as a header has it (http.html#versioning)."""
    return f'W/"{resource["meta"]["versionId"]}"'

"""Targets of references in a FHIR document (R4 and R5, bundle.html#references).

Nothing is fetched: what a report needs has to come with it, in the same document.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from service.fhir.resources import Bundle, DiagnosticReport, Resource

ENTRIES_MAX = 2_000
_RELATIVE = re.compile(r"([A-Z][A-Za-z]{1,63}/[A-Za-z0-9.\-]{1,64})(/_history/[A-Za-z0-9.\-]{1,64})?")
_HISTORY = re.compile(r"/_history/[^/]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """A resource where it stands."""

    resource: Resource
    full_url: str  # empty where it has none
    container: Resource  # what holds it, if it is a contained one, else itself
    place: str  # as FHIRPath writes it, such as "Bundle.entry[2].resource"


class Collection:
    """The resources of one document by what they are called."""

    def __init__(self, document: DiagnosticReport | Bundle) -> None:
        self.entries = tuple(_entries(document))
        self._by_url = {entry.full_url: entry for entry in self.entries if entry.full_url}
        self._by_name: dict[str, Bundled | None] = {}
        for entry in self.entries:
            name = f"{entry.resource.resource_type}/{entry.resource.id}"
            # Two of one name are of different servers: which of them is meant, only the full URL can say.
            self._by_name[name] = None if name in self._by_name else entry

    def find(self, reference: str | None, source: Bundled) -> Bundled | None:
        """Return what a reference in `source` leads to; None where that did not come with it."""
        if not reference:
            return None
        if reference.startswith("#"):
            return _contained(reference[1:], source)
        if reference in self._by_url:
            return self._by_url[reference]
        relative = _RELATIVE.fullmatch(reference)
        if relative is None:
            return self._by_url.get(_HISTORY.sub("", reference))
        name = relative[1]
        base, _, _ = source.full_url.rpartition(f"/{source.container.resource_type}/")
        return self._by_url.get(f"{base}/{name}") or self._by_name.get(name)


def _entries(document: DiagnosticReport | Bundle) -> Iterable[Bundled]:
    if isinstance(document, DiagnosticReport):
        yield Bundled(resource=document, full_url="", container=document, place="DiagnosticReport")
        return
    for number, entry in enumerate(document.entry):
        if (resource := entry.resource) is not None:
            place = f"Bundle.entry[{number}].resource"
            yield Bundled(resource=resource, full_url=entry.full_url, container=resource, place=place)


def _contained(name: str, source: Bundled) -> Bundled | None:
    container = source.container
    for resource in container.contained:
        if resource.id == name:
            return Bundled(
                resource=resource, full_url=source.full_url, container=container, place=source.place
            )
    return None

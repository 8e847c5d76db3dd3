"""The answer to a QIDO-RS query (PS3.18 section 10.6.3): what the tables know, completed from the headers.

The tables hold no names. What they do not hold is read from the header of one instance of each result, and
matched there; how many headers one request may read is limited. A page that the limit cuts short says so.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.exceptions import HTTPException

from overread.errors import InputError, NotFoundError
from service.dicomweb.dicom_json import DicomJson, read_json, tag_key
from service.dicomweb.qido_query import Query
from service.store.archive import Found, Level, StudyContent, search, study_contents
from service.store.database import Store
from service.web.addresses import instance_address, study_address

_BATCH = 250

_log = structlog.get_logger("overread.dicomweb")

# PS3.18 tables 10.6.3-3 to 10.6.3-5: what every result has, with its value representation.
_STUDY = {
    0x00080020: "DA",  # Study Date
    0x00080030: "TM",  # Study Time
    0x00080050: "SH",  # Accession Number
    0x00080090: "PN",  # Referring Physician's Name
    0x00100010: "PN",  # Patient's Name
    0x00100020: "LO",  # Patient ID
    0x00100030: "DA",  # Patient's Birth Date
    0x00100040: "CS",  # Patient's Sex
    0x00200010: "SH",  # Study ID
}
_SERIES = {0x00080060: "CS", 0x00200011: "IS"}  # Modality, Series Number
_INSTANCE = {0x00200013: "IS"}  # Instance Number
# And what every result has if the object has it.
_STUDY_TOO = frozenset({0x00080201, 0x00081030})
_SERIES_TOO = frozenset({0x00080201, 0x0008103E, 0x00400244, 0x00400245, 0x00400275})
_INSTANCE_TOO = frozenset({0x00080201, 0x00280008, 0x00280010, 0x00280011, 0x00280100})
# What "all" adds: the attributes of patient and study, and of the series.
_ALL_OF_STUDY = frozenset(
    {
        0x00080051,
        0x00081032,
        0x00081048,
        0x00081060,
        0x00081080,
        0x00100021,
        0x00100022,
        0x00100032,
        0x00101000,
    }
    | {0x00101001, 0x00101010, 0x00101020, 0x00101030, 0x00102160, 0x00104000}
)
_ALL_OF_SERIES = _ALL_OF_STUDY | frozenset(
    {0x00080021, 0x00080031, 0x00080070, 0x00080080, 0x00081010, 0x00081050, 0x00081070, 0x00081090}
    | {0x00180015, 0x00181030, 0x00185100, 0x00200052, 0x00200060}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A page of results in the DICOM JSON Model."""

    datasets: list[DicomJson]
    more: bool  # there are further results
    unread: bool  # further results may be in headers that were not read


class _HeadersMaxError(Exception):
    """No further header may be read for this request."""


def find(store: Store, query: Query, base_url: str, *, headers_max: int) -> Results:
    """Return the page of results that a query asks for; `headers_max` may be read to match them.

    Raises:
        HTTPException: 413, because so many headers were read and none of them is of the page.
    """
    page: list[tuple[Found, DicomJson]] = []
    more = unread = False
    try:
        for match in _matches(store, query, headers_max):
            if len(page) == query.limit:
                more = True
                break
            page.append(match)
    except _HeadersMaxError:
        unread = True
        if not page:
            raise HTTPException(413, f"{too_broad(headers_max)}: none of them fits") from None
    uids = sorted({found.study.study_instance_uid for found, _ in page})
    contents = study_contents(store, uids)
    complete = _COMPLETE[query.level]
    datasets = []
    for found, header in page:
        content = contents[found.study.study_instance_uid]
        dataset = _with_empty(header, query.level) | complete(found, content, base_url)
        datasets.append(dict(sorted(dataset.items())))
    return Results(datasets=datasets, more=more, unread=unread)


def too_broad(headers_max: int) -> str:
    """Return what a search that reads no further is told."""
    return (
        f"only the first {headers_max} headers were read for this page; narrow the search by StudyDate, "
        "PatientID, AccessionNumber or a UID"
    )


def _matches(store: Store, query: Query, headers_max: int) -> Iterator[tuple[Found, DicomJson]]:
    """Yield what fits, in order, from the first result of the page on."""
    in_headers, wanted = bool(query.header_conditions), _wanted(query)
    skipped, at, read = 0, 0 if in_headers else query.offset, 0
    size = _BATCH if in_headers else query.limit + 1
    while True:
        batch = search(store, query.level, query.conditions, limit=size, offset=at)
        for found in batch:
            if in_headers and (read := read + 1) > headers_max:
                raise _HeadersMaxError
            header = _header(found, wanted)
            if not all(condition.holds(header) for condition in query.header_conditions):
                continue
            if in_headers and skipped < query.offset:
                skipped += 1
                continue
            yield found, header
        if len(batch) < size:
            return
        at += size


def _wanted(query: Query) -> frozenset[int] | None:
    """Return the elements to read; None for all."""
    fixed = {
        Level.STUDY: _STUDY.keys() | _STUDY_TOO,
        Level.SERIES: _SERIES.keys() | _SERIES_TOO,
        Level.INSTANCE: _INSTANCE.keys() | _INSTANCE_TOO,
    }[query.level]
    asked = query.fields | {condition.path[0] for condition in query.header_conditions}
    if not query.all_fields:
        return frozenset(fixed | asked)
    every = {Level.STUDY: _ALL_OF_STUDY, Level.SERIES: _STUDY.keys() | _STUDY_TOO | _ALL_OF_SERIES}
    return frozenset(fixed | asked | every[query.level]) if query.level in every else None


def _header(found: Found, wanted: frozenset[int] | None) -> DicomJson:
    """Return what the object itself says; where it cannot be read, what the tables say of it."""
    try:
        header = read_json(found.instance.path, wanted=wanted)
    except (InputError, NotFoundError, OSError) as error:
        _log.warning(
            "header_unreadable",
            sop_instance_uid=found.instance.sop_instance_uid,
            error=type(error).__name__,
        )
        known = {
            "00080020": ("DA", found.study.study_date),
            "00080050": ("SH", found.study.accession_number),
            "00081030": ("LO", found.study.description),
            "00100020": ("LO", found.study.patient_id),
            "00100040": ("CS", found.study.patient_sex),
        }
        header = {key: _element(*value) for key, value in known.items() if wanted and int(key, 16) in wanted}
        header["00080056"] = _element("CS", "UNAVAILABLE")
    header.setdefault("00080056", _element("CS", "ONLINE"))
    return header


def _with_empty(header: DicomJson, level: Level) -> DicomJson:
    """Return the header with every required attribute, empty where the object does not have it."""
    required = {Level.STUDY: _STUDY, Level.SERIES: _SERIES, Level.INSTANCE: _INSTANCE}[level]
    return {tag_key(tag): {"vr": representation} for tag, representation in required.items()} | header


def _study(found: Found, content: StudyContent, base_url: str) -> DicomJson:
    uid = found.study.study_instance_uid
    return {
        "00080061": _element("CS", *content.modalities),
        "00080062": _element("UI", *content.sop_classes),
        "00081190": _element("UR", study_address(base_url, uid)),
        "0020000D": _element("UI", uid),
        "00201206": _element("IS", content.series),
        "00201208": _element("IS", content.instances),
    }


def _series(found: Found, _: StudyContent, base_url: str) -> DicomJson:
    study, series = found.study.study_instance_uid, found.instance.series_instance_uid
    return {
        "00081190": _element("UR", f"{study_address(base_url, study)}/series/{series}"),
        "0020000D": _element("UI", study),
        "0020000E": _element("UI", series),
        "00201209": _element("IS", found.instances),
    }


def _instance(found: Found, _: StudyContent, base_url: str) -> DicomJson:
    instance = found.instance
    return {
        "00080016": _element("UI", instance.sop_class_uid),
        "00080018": _element("UI", instance.sop_instance_uid),
        "00081190": _element(
            "UR",
            instance_address(
                base_url, instance.study_instance_uid, instance.series_instance_uid, instance.sop_instance_uid
            ),
        ),
        "0020000D": _element("UI", instance.study_instance_uid),
        "0020000E": _element("UI", instance.series_instance_uid),
    }


_COMPLETE: dict[Level, Callable[[Found, StudyContent, str], DicomJson]] = {
    Level.STUDY: _study,
    Level.SERIES: _series,
    Level.INSTANCE: _instance,
}


def _element(representation: str, *values: Any) -> DicomJson:
    given = [value for value in values if value is not None]
    return {"vr": representation, "Value": given} if given else {"vr": representation}

"""A PACS by DICOMweb: QIDO-RS (PS3.18 section 10.6), and WADO-RS (10.4) into our intake, by instances."""

import http.client
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from overread.errors import InputError, PeerError
from service.intake.instances import AnnouncedInstance, begin_instance, receive_instance
from service.pacs.archive import (
    ANSWERS_MAX,
    FoundSeries,
    FoundStudy,
    Progress,
    Retrieved,
    StudyQuery,
    is_meant,
)
from service.pacs.settings import DicomwebAddress
from service.store.database import Store
from service.store.fetches import stored_instances
from service.store.files import IncomingFile
from service.web.multipart import FramingError, MultipartSplitter, parse_content_type

_SECONDS = 120.0  # without a byte
_ANSWER_BYTES_MAX = 32 << 20
_CHUNK_BYTES = 1 << 20
_JSON = "application/dicom+json"
_DICOM = "application/dicom"
_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_WHY = {
    401: "it refuses us: check OVERREAD_PACS_AUTHORIZATION",
    403: "it does not permit us to ask: check OVERREAD_PACS_AUTHORIZATION, and what it permits",
    404: "there is no such thing: check that OVERREAD_PACS is the address to which /studies is added",
    429: "it is asked too often: lower OVERREAD_FETCH_STUDIES_PER_MINUTE",
    503: "it is busy; try again later",
}


class DicomwebArchive:
    """Asks over one connection, which is opened anew when it breaks; an `Archive`. One user at a time.

    Redirects are not followed and no proxy is used.
    """

    def __init__(self, address: DicomwebAddress, store: Store, clock: Callable[[], datetime]) -> None:
        self._address = address
        self._parts = urlsplit(address.url)
        self._store = store
        self._clock = clock
        self._connection: http.client.HTTPConnection | None = None

    def find_studies(self, wanted: StudyQuery) -> tuple[FoundStudy, ...]:
        """Return the studies that match."""
        keys = {
            "StudyInstanceUID": wanted.study_instance_uid,
            "AccessionNumber": wanted.accession_number,
            "PatientID": wanted.patient_id,
            "StudyDate": wanted.dates,
            "ModalitiesInStudy": wanted.modality,
        }
        answers = self._asked("/studies", {key: value for key, value in keys.items() if value})
        found = tuple(_study(answer) for answer in answers)
        return tuple(study for study in found if is_meant(study, wanted))

    def find_series(self, study_instance_uid: str) -> tuple[FoundSeries, ...]:
        """Return the series of a study."""
        answers = self._asked(
            f"/studies/{quote(study_instance_uid)}/series", {"includefield": "BodyPartExamined"}
        )
        return tuple(_series(answer, study_instance_uid) for answer in answers)

    def retrieve(self, series: FoundSeries, progress: Progress) -> Retrieved:
        """Retrieve the instances of a series that the store does not hold, one after the other."""
        study, own = quote(series.study_instance_uid), quote(series.series_instance_uid)
        at = f"/studies/{study}/series/{own}/instances"
        stored = stored_instances(self._store, series.study_instance_uid, series.series_instance_uid)
        completed, failed, why = 0, 0, ""
        for answer in self._asked(at, {}, limit=None):
            announced = AnnouncedInstance(
                sop_class_uid=_value(answer, "00080016") or "",
                sop_instance_uid=_value(answer, "00080018") or "",
            )
            try:
                if announced.sop_instance_uid not in stored:
                    self._retrieve(f"{at}/{quote(announced.sop_instance_uid)}", announced)
                completed += 1
            except InputError as error:
                failed, why = failed + 1, str(error)
            progress(completed)
        return Retrieved(completed=completed, failed=failed, why=why)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _asked(
        self, path: str, keys: Mapping[str, str], *, limit: int | None = ANSWERS_MAX
    ) -> list[dict[str, Any]]:
        """Return the answers to a question (QIDO-RS).

        Raises:
            PeerError: the PACS is not there or refuses, or its answer cannot be understood.
        """
        bounded = {**keys, "limit": str(limit + 1)} if limit else dict(keys)
        response = self._get(f"{path}?{urlencode(bounded)}", _JSON)
        try:
            body = response.read(_ANSWER_BYTES_MAX + 1)
            answers = json.loads(body) if body else []
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            raise self._broken(error) from error
        if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
            raise PeerError(f"{self._address.url} does not answer in {_JSON}")
        if limit and len(answers) > limit:
            raise PeerError(f"{self._address.url} has more than {limit} answers; ask for less")
        return answers

    def _retrieve(self, path: str, announced: AnnouncedInstance) -> None:
        """Receive one instance (WADO-RS) as if it had been sent.

        Raises:
            InputError: it is refused, and in quarantine; or it did not come whole.
            PeerError: the PACS is not there or refuses.
            OutOfResourcesError: it cannot be stored now.
        """
        response = self._get(path, _AS_STORED)
        with begin_instance(self._store) as incoming:
            try:
                _copy(response, incoming)
            except FramingError as error:
                self.close()
                raise InputError(
                    f"instance {announced.sop_instance_uid} did not come whole: {error}"
                ) from error
            except (OSError, http.client.HTTPException) as error:
                raise self._broken(error) from error
            receive_instance(
                self._store,
                incoming,
                source=f"WADO-RS {self._parts.hostname}",
                now=self._clock(),
                announced=announced,
            )

    def _get(self, path: str, accept: str) -> http.client.HTTPResponse:
        """Return the answer to a request; a connection that the server has closed is opened anew."""
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        if self._address.authorization:
            headers["Authorization"] = self._address.authorization
        for is_kept in (self._connection is not None, False):
            connection = self._connection or self._connect()
            self._connection = connection
            try:
                connection.request("GET", self._parts.path + path, headers=headers)
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if not is_kept:
                    raise self._broken(error) from error
                continue
            break
        if response.status not in (http.client.OK, http.client.NO_CONTENT):
            self.close()
            why = _WHY.get(response.status, "it cannot answer")
            raise PeerError(f"{self._address.url} answers with HTTP status {response.status}: {why}")
        return response

    def _connect(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)

    def _broken(self, error: Exception) -> PeerError:
        self.close()
        return PeerError(
            f"{self._address.url} does not answer ({type(error).__name__}): "
            "check that it runs, and OVERREAD_PACS"
        )


class _Part:
    """Writes the one part of a body into a file; a `PartReceiver`."""

    def __init__(self, incoming: IncomingFile) -> None:
        if incoming.size_bytes:
            raise FramingError("the body has more than one part")
        self._incoming = incoming

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._incoming.write(data)

    def finish(self) -> None:
        """The part is complete."""

    def discard(self, reason: FramingError | None) -> None:
        """The part will never be complete; the file is dropped by whoever made it."""


def _copy(response: http.client.HTTPResponse, incoming: IncomingFile) -> None:
    """Write the object that a response brings, in a body of one part, or as the body itself."""
    content_type = parse_content_type(response.getheader("Content-Type") or "")
    if content_type.media_type == _DICOM:
        for chunk in _chunks(response):
            incoming.write(chunk)
        return
    splitter = MultipartSplitter(content_type.parameters.get("boundary", ""), lambda _: _Part(incoming))
    for chunk in _chunks(response):
        splitter.feed(chunk)
    splitter.close()


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while chunk := response.read(_CHUNK_BYTES):
        yield chunk
    if response.length:  # the connection was closed before
        raise http.client.IncompleteRead(b"", response.length)


def _study(answer: Mapping[str, Any]) -> FoundStudy:
    return FoundStudy(
        study_instance_uid=_value(answer, "0020000D") or "",
        accession_number=_value(answer, "00080050"),
        patient_id=_value(answer, "00100020"),
        issuer_of_patient_id=_value(answer, "00100021"),
        study_date=_value(answer, "00080020"),
        modalities=_values(answer, "00080061"),
    )


def _series(answer: Mapping[str, Any], study_instance_uid: str) -> FoundSeries:
    count = _value(answer, "00201209")
    return FoundSeries(
        study_instance_uid=study_instance_uid,
        series_instance_uid=_value(answer, "0020000E") or "",
        modality=_value(answer, "00080060"),
        body_part=_value(answer, "00180015"),
        instances=int(count) if count and count.isdecimal() else None,
    )


def _value(answer: Mapping[str, Any], tag: str) -> str | None:
    return next(iter(_values(answer, tag)), None)


def _values(answer: Mapping[str, Any], tag: str) -> tuple[str, ...]:
    """Return the values of an attribute (PS3.18 annex F) as text."""
    element = answer.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return (
        tuple(str(value).strip() for value in values if value is not None) if isinstance(values, list) else ()
    )

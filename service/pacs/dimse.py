"""A PACS by DIMSE: C-FIND and C-MOVE of the Study Root model (PS3.4 annex C), to our own listener."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)

from overread.errors import PeerError
from service.pacs.archive import (
    ANSWERS_MAX,
    FoundSeries,
    FoundStudy,
    Progress,
    Retrieved,
    StudyQuery,
    is_meant,
)
from service.pacs.settings import DimseAddress

FIND, MOVE = StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelMove
_CONNECT_SECONDS = 30.0
_ANSWER_SECONDS = 600.0  # without a word; an archive may have to fetch from a tape
_PENDING = frozenset({0xFF00, 0xFF01})  # PS3.4 tables C.4-1 and C.4-2
_SUCCESS, _WARNING = 0x0000, 0xB000
_WHY = {  # PS3.4 tables C.4-1 and C.4-2, in words that say what to do
    0xA700: "it is out of resources",
    0xA701: "it is out of resources: it cannot count the matches",
    0xA702: "it is out of resources: it cannot send",
    0xA801: "it does not know our AE title {own}: enter {own} with the address of our C-STORE listener there",
    0xA900: "it does not take the question as asked",
    0x0122: "it does not offer this service",
    0x0124: "it does not permit {own} to ask: permit it there",
    0xFE00: "it cancelled",
}


class DimseArchive:
    """Asks on an association of its own each time; an `Archive`."""

    def __init__(self, address: DimseAddress) -> None:
        """Check the certificates, where it is called over TLS.

        Raises:
            ConfigurationError: a certificate cannot be used.
        """
        _config.LOG_HANDLER_LEVEL = "none"  # it would repeat what was asked
        self._address = address
        self._tls = (address.tls.client_context(), address.peer.host) if address.tls else None

    def find_studies(self, wanted: StudyQuery) -> tuple[FoundStudy, ...]:
        """Return the studies that match."""
        asked = _identifier("STUDY")
        asked.StudyInstanceUID = wanted.study_instance_uid or ""
        asked.AccessionNumber = wanted.accession_number or ""
        asked.PatientID = wanted.patient_id or ""
        asked.StudyDate = wanted.dates
        asked.ModalitiesInStudy = wanted.modality or ""
        asked.IssuerOfPatientID = ""
        found = tuple(_study(answer) for answer in self._found(asked))
        return tuple(study for study in found if is_meant(study, wanted))

    def find_series(self, study_instance_uid: str) -> tuple[FoundSeries, ...]:
        """Return the series of a study."""
        asked = _identifier("SERIES")
        asked.StudyInstanceUID = study_instance_uid
        asked.SeriesInstanceUID = ""
        asked.Modality = ""
        asked.BodyPartExamined = ""
        asked.NumberOfSeriesRelatedInstances = ""
        return tuple(_series(answer, study_instance_uid) for answer in self._found(asked))

    def retrieve(self, series: FoundSeries, progress: Progress) -> Retrieved:
        """Have the series sent to our own listener, which must be running, and return when it has been."""
        asked = _identifier("SERIES")
        asked.StudyInstanceUID = series.study_instance_uid
        asked.SeriesInstanceUID = series.series_instance_uid
        last = Dataset()
        with self._association(MOVE) as association:
            for status, _ in association.send_c_move(asked, self._address.own_ae_title, MOVE):
                last = status
                if status.get("Status") in _PENDING:
                    progress(int(status.get("NumberOfCompletedSuboperations") or 0))
        retrieved = self._retrieved(last)
        progress(retrieved.completed)
        return retrieved

    def _retrieved(self, last: Dataset) -> Retrieved:
        status = last.get("Status")
        if status not in (_SUCCESS, _WARNING):
            raise self._refused(status)
        completed = int(last.get("NumberOfCompletedSuboperations") or 0)
        completed += int(last.get("NumberOfWarningSuboperations") or 0)
        failed = int(last.get("NumberOfFailedSuboperations") or 0)
        own = self._address.own_ae_title
        why = f"it could not send them to {own}; our listener must run, and what it refused is in quarantine"
        return Retrieved(completed=completed, failed=failed, why=why if failed else "")

    def _found(self, asked: Dataset) -> list[Dataset]:
        answers: list[Dataset] = []
        with self._association(FIND) as association:
            for status, answer in association.send_c_find(asked, FIND):
                if status.get("Status") not in (*_PENDING, _SUCCESS):
                    raise self._refused(status.get("Status"))
                if answer is not None:
                    answers.append(answer)
                if len(answers) > ANSWERS_MAX:
                    association.abort()
                    raise PeerError(
                        f"{self._address.ae_title} has more than {ANSWERS_MAX} answers; ask for less"
                    )
        return answers

    @contextmanager
    def _association(self, model: str) -> Iterator[Association]:
        address = self._address
        entity = AE(ae_title=address.own_ae_title)
        entity.acse_timeout = entity.connection_timeout = _CONNECT_SECONDS
        entity.dimse_timeout = entity.network_timeout = _ANSWER_SECONDS
        entity.add_requested_context(model)
        association = entity.associate(
            address.peer.host, address.peer.port, ae_title=address.ae_title, tls_args=self._tls
        )
        if not association.is_established:
            how = "rejects an association" if association.is_rejected else "does not answer"
            raise PeerError(
                f"{address.ae_title} {how} at {address.peer.host}:{address.peer.port}: check that it runs, "
                f"that it knows {address.own_ae_title}, and OVERREAD_DICOM_PEERS"
            )
        try:
            yield association
        finally:
            association.release()

    def _refused(self, status: int | None) -> PeerError:
        if status is None:
            return PeerError(
                f"{self._address.ae_title} broke the association off: check that it knows "
                f"{self._address.own_ae_title} and lets it ask, or try again later"
            )
        why = _WHY.get(status, "it cannot process it").format(own=self._address.own_ae_title)
        return PeerError(f"{self._address.ae_title} answers with status 0x{status:04X}: {why}")


def _identifier(level: str) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.QueryRetrieveLevel = level
    return dataset


def _study(answer: Dataset) -> FoundStudy:
    modalities = answer.get("ModalitiesInStudy") or ()
    words = modalities if isinstance(modalities, MultiValue | tuple) else [modalities]
    return FoundStudy(
        study_instance_uid=_text(answer, "StudyInstanceUID") or "",
        accession_number=_text(answer, "AccessionNumber"),
        patient_id=_text(answer, "PatientID"),
        issuer_of_patient_id=_text(answer, "IssuerOfPatientID"),
        study_date=_text(answer, "StudyDate"),
        modalities=tuple(str(word).strip() for word in words),
    )


def _series(answer: Dataset, study_instance_uid: str) -> FoundSeries:
    count = _text(answer, "NumberOfSeriesRelatedInstances")
    return FoundSeries(
        study_instance_uid=study_instance_uid,
        series_instance_uid=_text(answer, "SeriesInstanceUID") or "",
        modality=_text(answer, "Modality"),
        body_part=_text(answer, "BodyPartExamined"),
        instances=int(count) if count and count.isdecimal() else None,
    )


def _text(answer: Dataset, keyword: str) -> str | None:
    value = answer.get(keyword)
    return str(value).strip() or None if value is not None else None

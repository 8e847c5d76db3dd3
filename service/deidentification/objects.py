"""De-identification of DICOM objects after PS3.15 annex E.

The Basic Application Level Confidentiality Profile, as the table of the package dicom-anonymizer has it, with
the option that retains longitudinal temporal information with modified dates: days are set back, the same for
all of a patient, and the time of day stays. The package looks at the outermost data set alone; here its
actions are applied to every item of every sequence too.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache

from dicomanonymizer.simpledicomanonymizer import initialize_actions
from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.tag import BaseTag
from pydicom.uid import UID

from service.deidentification.pseudonyms import Pseudonyms

NO_IMAGE = "it is no image, and its text cannot be judged"
"""Reason why a document is left out, which is no image that could show something."""

EDITION = "dicomfields_2026c"  # of the table in the package
_PATIENT_GROUP = 0x0010
_PATIENT_ID, _PATIENT_NAME, _ACCESSION_NUMBER = 0x00100020, 0x00100010, 0x00080050
_PIXEL_DATA = 0x7FE00010
_WITHOUT_TEXT = frozenset({"SQ", "OB", "OW", "OF", "OD", "OL", "OV", "UN"})
_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_LEAST_LETTERS = 4  # of a word that is looked for afterwards; shorter ones are in other words
_OPTIONS: tuple[Code, ...] = (
    codes.DCM.BasicApplicationConfidentialityProfile,
    codes.DCM.RetainLongitudinalTemporalInformationModifiedDatesOption,
)
Action = Callable[[Dataset, tuple[int, int]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Identifiers of a patient that the object itself names, to be looked for afterwards."""

    words: tuple[str, ...] = field(repr=False)

    def left_in(self, text: str) -> bool:
        """Whether one of them stands in a text."""
        folded = text.casefold()
        return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", folded) for word in self.words)


def identifiers_of(dataset: Dataset) -> Known:
    """Return what an object says that must not stand in its copy: names, patient id, accession number."""
    words = set()
    for element in _elements(dataset):
        if element.tag in (_PATIENT_ID, _ACCESSION_NUMBER):
            words.add(str(element.value).strip().casefold())
        elif element.VR == "PN":
            words.update(part.casefold() for part in re.findall(r"\w+", str(element.value)))
    return Known(words=tuple(sorted(word for word in words if len(word) >= _LEAST_LETTERS)))


def deidentify(dataset: FileDataset, pseudonyms: Pseudonyms) -> None:
    """Take out of an object who the patient is, in place; pixels stay as they are.

    Text that is burnt into the pixels is not looked for: see `reason_to_leave_out`.
    """
    patient = str(dataset.get("PatientID", "") or dataset.get("StudyInstanceUID", ""))
    _clean(dataset, _Cleaner(pseudonyms=pseudonyms, patient=patient))
    dataset.preamble = b"\0" * 128  # PS3.15 E.1.1 note: it may hold anything
    meta = dataset.file_meta
    for name in ("SourceApplicationEntityTitle", "SendingApplicationEntityTitle", "PrivateInformation"):
        if name in meta:
            del meta[name]
    meta.MediaStorageSOPInstanceUID = UID(pseudonyms.uid(str(meta.MediaStorageSOPInstanceUID)))
    dataset.PatientIdentityRemoved = "YES"
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    dataset.DeidentificationMethodCodeSequence = [_coded(option) for option in _OPTIONS]


def reason_to_leave_out(dataset: Dataset) -> str | None:
    """Return why no copy of an object should leave, in words; None where one may."""
    if str(dataset.get("BurnedInAnnotation", "")).upper() == "YES":
        return "it says that text is burnt into its pixels"
    name = UID(str(dataset.get("SOPClassUID", ""))).name
    if "Secondary Capture" in name:
        return "a secondary capture often has text burnt into its pixels"
    if "Image Storage" not in name or _PIXEL_DATA not in dataset:
        return NO_IMAGE
    return None


def words_left(dataset: Dataset, known: Known) -> Iterator[str]:
    """Yield the keywords of elements in which a known identifier still stands."""
    for element in _elements(dataset):
        if element.VR not in _WITHOUT_TEXT and known.left_in(str(element.value)):
            yield element.keyword or str(element.tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cleaner:
    pseudonyms: Pseudonyms
    patient: str = field(repr=False)

    def clean(self, dataset: Dataset, element: DataElement) -> None:
        """Do to one element what the profile and its options ask."""
        tag = element.tag
        if tag.is_private or not dictionary_has_tag(tag):
            del dataset[tag]
        elif tag in (_PATIENT_ID, _PATIENT_NAME):
            element.value = self.pseudonyms.name("P", self.patient)
        elif tag == _ACCESSION_NUMBER:
            element.value = self.pseudonyms.name("A", str(element.value)) if element.value else ""
        elif (action := _action(tag)) is not None:
            self._act(dataset, element, action)
        elif element.VR == "SQ":
            for item in element.value:
                _clean(item, self)

    def _act(self, dataset: Dataset, element: DataElement, action: Action) -> None:
        if element.VR == "UI":
            values = [element.value] if isinstance(element.value, str) else list(element.value or ())
            mapped = [UID(self.pseudonyms.uid(str(uid))) for uid in values if uid]
            element.value = mapped[0] if len(mapped) == 1 else mapped
        elif element.VR == "SQ":
            del dataset[element.tag]
        elif element.VR in {"DA", "DT"} and element.tag.group != _PATIENT_GROUP:
            element.value = _DAY.sub(self._shifted, str(element.value), count=1)
        elif element.VR != "TM":
            action(dataset, (element.tag.group, element.tag.element))

    def _shifted(self, match: re.Match[str]) -> str:
        try:
            day = date(int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            return ""
        return self.pseudonyms.shifted(day, self.patient).strftime("%Y%m%d")


def _clean(dataset: Dataset, cleaner: _Cleaner) -> None:
    for tag in sorted(set(dataset.keys()) - {_PIXEL_DATA}):
        cleaner.clean(dataset, dataset[tag])


def _elements(dataset: Dataset) -> Iterator[DataElement]:
    """Yield every element but the pixels, of every item of every sequence too."""
    for tag in sorted(set(dataset.keys()) - {_PIXEL_DATA}):
        element = dataset[tag]
        yield element
        if element.VR == "SQ":
            for item in element.value:
                yield from _elements(item)


def _action(tag: BaseTag) -> Action | None:
    """Return what the profile asks of an element, None where it may stay as it is."""
    exact, masked = _actions()
    action = exact.get((tag.group, tag.element))
    if action is not None:
        return action
    for (group, element, group_mask, element_mask), ranged in masked.items():
        if (
            tag.group & group_mask == group & group_mask
            and tag.element & element_mask == element & element_mask
        ):
            return ranged
    return None


@cache
def _actions() -> tuple[dict[tuple[int, int], Action], dict[tuple[int, int, int, int], Action]]:
    every = initialize_actions(EDITION)
    return (
        {tag: action for tag, action in every.items() if len(tag) == 2},
        {tag: action for tag, action in every.items() if len(tag) > 2},
    )


def _coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = (
        code.value,
        code.scheme_designator,
        code.meaning,
    )
    return item

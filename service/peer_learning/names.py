"""Names that must not stand in what leaves: the patient's, as images say them, and those of accounts."""

import re
from collections.abc import Iterable

from pydicom import dcmread

from models.dicom import BROKEN_INPUT
from overread.errors import NotFoundError, OutOfResourcesError
from service.deidentification.objects import Known, identifiers_of
from service.store.database import Store
from service.store.people import list_people
from service.store.records import CaseDetail

_LEAST_LETTERS = 4  # of a word; shorter ones are in other words


def names_of_people(store: Store) -> frozenset[str]:
    """Return the words of the names of everybody who has, or had, an account."""
    people = list_people(store)
    words = (word for person in people for word in re.findall(r"\w+", f"{person.display_name} {person.name}"))
    return frozenset(word.casefold() for word in words if len(word) >= _LEAST_LETTERS)


def known_of(case: CaseDetail, people: Iterable[str]) -> Known:
    """Return what must not stand in a text about a case, by the first image of each of its series.

    An image that cannot be read says nothing here; it keeps its case from leaving.
    """
    words = {*people, *(word.casefold() for word in (case.patient_id, case.summary.accession_number) if word)}
    series = set()
    for instance in case.instances:
        if instance.series_instance_uid in series or instance.result_of is not None:
            continue
        series.add(instance.series_instance_uid)
        try:
            words.update(identifiers_of(dcmread(instance.path, stop_before_pixels=True)).words)
        except (NotFoundError, OutOfResourcesError, *BROKEN_INPUT):
            continue
    return Known(words=tuple(sorted(words)))

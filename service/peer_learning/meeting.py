"""A meeting as a folder: one page that stands alone, the images of each case, and a table.

<folder>/meeting.html                    one page without a script or a request, with the pictures in it
<folder>/cases.csv                       the cases under their pseudonyms
<folder>/images/<case>/<number>.dcm      de-identified copies
<folder>/images/<case>/<number>.png      the pictures of the page
"""

import base64
import csv
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from overread import __version__
from overread.errors import ConfigurationError, InvalidFileError, NotFoundError, words_of
from overread.spreadsheet import as_cell
from service.deidentification.export import CopiedImages, case_name, copy_images
from service.deidentification.objects import NO_IMAGE, Known
from service.deidentification.pseudonyms import Pseudonyms
from service.deidentification.texts import clean_text
from service.peer_learning.candidates import candidate, evidence_of
from service.peer_learning.counts import Count
from service.peer_learning.meeting_list import ListedCase, found_words, study_words
from service.peer_learning.names import names_of_people
from service.peer_learning.page import page_of
from service.peer_learning.pictures import Picture, PictureMaker, drawing_room
from service.peer_learning.telling import Openings, openings
from service.store.database import Store
from service.store.records import CaseDetail

PAGE, TABLE, IMAGES = "meeting.html", "cases.csv", "images"
_COLUMNS = ("case", "study", "findings", "learning_point", "comment", "images")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What a meeting is called, and what it may show."""

    title: str
    counts: tuple[Count, ...]
    with_untold: bool  # whether cases come too whose author has not been told
    pseudonyms: Pseudonyms = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingCase:
    """One case as the meeting is shown it."""

    name: str  # pseudonym
    study: str
    findings: str
    learning_point: str
    comment: str
    report: str  # empty where none is shown
    images: int  # DICOM copies
    is_untold: bool
    pictures: tuple[tuple[str, str], ...]  # caption, and the picture as a data address


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Result for one case that was to be taken."""

    case_id: int
    why_not: str | None  # None: it was taken


class _Means(NamedTuple):
    """What every case of a meeting needs."""

    people: frozenset[str]  # words of names
    opened: Openings
    room: PictureMaker


def export_meeting(
    store: Store, listed: Sequence[ListedCase], folder: Path, meeting: Meeting
) -> Iterator[Exported]:
    """Write the folder of a meeting, and yield what became of each case that was to be taken.

    A case leaves whole or not at all: where de-identification refuses one of its images it stays, and so it
    does where its author has not been told.

    Raises:
        ConfigurationError: the folder exists and is not empty.
        InvalidFileError: the folder cannot be written.
        UnreadableRecordError: a judgement is stored in a form that this release does not know.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty; name a new folder for each meeting")
    people, opened = names_of_people(store), openings(store)
    shown: list[MeetingCase] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with drawing_room() as room:
            for item in (row for row in listed if row.take):
                made = _case(store, item, folder / IMAGES, meeting, _Means(people, opened, room))
                if isinstance(made, MeetingCase):
                    shown.append(made)
                why_not = made if isinstance(made, str) else None
                yield Exported(case_id=item.case_id, why_not=why_not)
        shown.sort(key=lambda case: case.name)  # by pseudonym: in no order that tells when
        _write_table(folder / TABLE, shown)
        page = page_of(meeting.title, shown, meeting.counts, version=__version__)
        (folder / PAGE).write_text(page, encoding="utf-8")
    except OSError as error:
        raise InvalidFileError(f"cannot write {folder}: {words_of(error)}") from error


def _case(
    store: Store,
    item: ListedCase,
    images: Path,
    meeting: Meeting,
    means: "_Means",
) -> MeetingCase | str:
    """Return the case as the meeting is shown it, or why it stays."""
    try:
        found = candidate(store, item.case_id, means.opened)
    except NotFoundError as error:
        return str(error)
    if found is None:
        return "no judgement of it counts any more"
    is_untold = not (found.telling.is_told or item.told_otherwise)
    if is_untold and not meeting.with_untold:
        return f"its author has not been told ({found.telling.words})"
    detail = _received(found.detail)
    folder = images / case_name(detail, meeting.pseudonyms)
    copied = copy_images(detail, folder, meeting.pseudonyms)
    why = _refusal(copied)
    if why is not None:
        shutil.rmtree(folder, ignore_errors=True)
        return why
    pictures = means.room.pictures(copied.paths, list(evidence_of(store, found)))
    for number, picture in enumerate(pictures, start=1):
        (folder / f"{number}.png").write_bytes(picture.content)
    known = Known(words=tuple(sorted(means.people | copied.words)))
    return MeetingCase(
        name=folder.name,
        study=study_words(found),
        findings=found_words(found.confirmed),
        learning_point=clean_text(item.learning_point, known),
        comment=clean_text(item.comment, known),
        report=clean_text(item.report, known),
        images=len(copied.paths),
        is_untold=is_untold,
        pictures=tuple((picture.caption, _address(picture)) for picture in pictures),
    )


def _received(detail: CaseDetail) -> CaseDetail:
    """Return the case with what was received alone: results that were made here are not its images."""
    return replace(detail, instances=tuple(item for item in detail.instances if item.result_of is None))


def _refusal(copied: CopiedImages) -> str | None:
    """Return why no copy of a case may leave; a document that came with its images only stays behind."""
    refused = [item for item in copied.left_out if item.why != NO_IMAGE]
    if refused:
        return f"{refused[0].what}: {refused[0].why}"
    return None if copied.paths else "it has no image"


def _address(picture: Picture) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.content).decode('ascii')}"


def _write_table(path: Path, cases: Sequence[MeetingCase]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        for case in cases:
            texts = (case.study, case.findings, case.learning_point, case.comment)
            table.writerow((case.name, *(as_cell(text) for text in texts), case.images))

"""Archives through the real intake."""

import os
import tarfile
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from overread.errors import InvalidFileError, OutOfResourcesError
from service.importing.images import import_images
from service.importing.reports import ImportOptions, Problem, import_reports, parse_statuses
from service.importing.tables import TableOptions
from service.importing.tally import ImportOutcome, Progress, Tally
from service.store.database import Store, open_store
from service.store.quarantine import list_quarantine
from service.store.records import ReportStatus
from service.store.worklist import count_cases, load_case, load_instance
from tests.service.material import NOW, dicom_bytes

STORED, DUPLICATE, BEFORE = ImportOutcome.STORED, ImportOutcome.ALREADY_STORED, ImportOutcome.TAKEN_BEFORE
QUARANTINED, REFUSED, IGNORED = ImportOutcome.QUARANTINED, ImportOutcome.REFUSED, ImportOutcome.IGNORED


class Importer:
    """Imports into a store, and keeps what it says."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.problems: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.pauses: list[float] = []
        self.seconds = 0.0

    def problem(self, place: str, why: str) -> None:
        self.problems.append((place, why))

    def tick(self) -> float:
        self.seconds += 3.0
        return self.seconds

    def options(self, **changed: object) -> ImportOptions:
        return replace(ImportOptions(pause=self.pauses.append, clock=lambda: NOW), **changed)  # type: ignore[arg-type]

    def progress(self) -> Progress:
        return Progress("archive", self.said.append, self.tick)

    def images(self, path: Path, threads: int = 2, **changed: object) -> Counter[ImportOutcome]:
        problem: Problem = self.problem
        tally = import_images(
            self.store,
            path,
            self.options(**changed),
            threads=threads,
            progress=self.progress(),
            problem=problem,
        )
        return tally.counts

    def reports(self, path: Path, **changed: object) -> Counter[ImportOutcome]:
        return import_reports(
            self.store,
            path,
            TableOptions(),
            self.options(**changed),
            progress=self.progress(),
            problem=self.problem,
        ).counts


def counted(counts: Counter[ImportOutcome]) -> dict[ImportOutcome, int]:
    return {outcome: count for outcome, count in counts.items() if count}


def archive(folder: Path) -> Path:
    """Three images of a study in subfolders, one of them twice; a broken one, and what is no image."""
    for name, content in {
        "a/1.dcm": dicom_bytes(number=1),
        "a/2": dicom_bytes(number=2),
        "b/c/3.dcm": dicom_bytes(number=3),
        "b/copy.dcm": dicom_bytes(number=3),
        "b/cut.dcm": dicom_bytes(number=4)[:-10],
        "README.txt": b"words " * 200,
        "empty": b"",
        "DICOMDIR": b"\0" * 128 + b"DICM" + b"\x02\0\2\0UI\x14\x001.2.840.10008.1.3.10\0",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


EXPECTED = {STORED: 3, DUPLICATE: 1, QUARANTINED: 1, IGNORED: 3}


def test_every_object_of_a_folder_is_stored_once_and_the_rest_is_counted(store, tmp_path) -> None:
    importer = Importer(store)

    assert counted(importer.images(archive(tmp_path / "x"), threads=1)) == EXPECTED

    assert load_instance(store, "2.25.1.1.3").source == "import"
    assert [entry.reason for entry in list_quarantine(store)] == ["INVALID_DICOM"]
    ((place, why),) = importer.problems
    assert place.endswith("b/cut.dcm")
    assert "truncated" in why
    assert importer.said[-1].startswith("archive: 3 stored, 1 already there, 1 in quarantine")


def test_a_second_run_does_not_read_again_what_is_unchanged(sqlite_store, tmp_path) -> None:
    folder = archive(tmp_path / "x")
    Importer(sqlite_store).images(folder)
    (folder / "a" / "2").write_bytes(dicom_bytes(number=5))
    os.utime(folder / "a" / "2", ns=(1, 1))

    importer = Importer(sqlite_store)
    assert counted(importer.images(folder)) == {BEFORE: 7, STORED: 1}
    assert counted(importer.images(folder, again=True)) == {DUPLICATE: 4, QUARANTINED: 1, IGNORED: 3}
    assert counted(importer.images(folder / "DICOMDIR")) == {BEFORE: 8}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_file_is_the_same_as_its_folder(sqlite_store, tmp_path, kind) -> None:
    folder, path = archive(tmp_path / "x"), tmp_path / f"images.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in sorted(folder.rglob("*")):
                packed.write(file, f"../../{file.relative_to(folder)}")
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as packed:
            packed.add(folder, "../..")

    assert counted(Importer(sqlite_store).images(path)) == EXPECTED
    assert counted(Importer(sqlite_store).images(path)) == {BEFORE: 8}
    assert not list(tmp_path.parent.glob("README*"))


def test_a_dry_run_says_the_same_and_stores_nothing(sqlite_store, tmp_path) -> None:
    folder = archive(tmp_path / "x")

    counts = counted(Importer(sqlite_store).images(folder, dry_run=True))

    assert counts == {
        STORED: 4,
        QUARANTINED: 1,
        IGNORED: 3,
    }  # a copy within the archive is not seen to be one
    assert list_quarantine(sqlite_store) == ()
    assert counted(Importer(sqlite_store).images(folder)) == EXPECTED
    known = counted(Importer(sqlite_store).images(folder, dry_run=True, again=True))
    assert known == {DUPLICATE: 4, QUARANTINED: 1, IGNORED: 3}


def test_what_cannot_be_read_is_told_and_tried_again_by_the_next_run(sqlite_store, tmp_path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "dangling.dcm").symlink_to(tmp_path / "nowhere")
    importer = Importer(sqlite_store)

    assert counted(importer.images(tmp_path / "x")) == {REFUSED: 1}
    assert counted(importer.images(tmp_path / "x")) == {REFUSED: 1}
    assert "No such file" in importer.problems[0][1]


def test_broken_archives_are_told(sqlite_store, tmp_path) -> None:
    for name in ("x.zip", "x.tar"):
        (tmp_path / name).write_bytes(b"no archive at all" * 100)
        with pytest.raises(InvalidFileError, match="not a readable"):
            Importer(sqlite_store).images(tmp_path / name)
    with pytest.raises(InvalidFileError, match="neither"):
        Importer(sqlite_store).images(tmp_path / "none")


def test_a_full_disk_is_waited_for_and_then_told(sqlite_store, tmp_path) -> None:
    full = open_store(sqlite_store.settings.model_copy(update={"free_bytes_min": 1 << 60}))
    importer = Importer(full)

    with pytest.raises(OutOfResourcesError):
        importer.images(archive(tmp_path / "x"), threads=1)
    assert sum(importer.pauses) > 30
    assert counted(Importer(sqlite_store).images(tmp_path / "x")) == EXPECTED


TABLE = """\
accession,patient,status,text
A1,P1,F,No mass is seen.
A1,P1,FINAL,No mass is seen.
A2,P2,preliminary,Mass.
A3,P3,dictated,Mass.
A4,P4,,
A5,P5,Approved,Clear.
A6,P6
"""


def test_every_row_is_stored_or_told_and_a_second_run_goes_on_where_it_was(store, tmp_path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(TABLE)
    importer, statuses = Importer(store), parse_statuses(["approved=CORRECTED"])

    counts = importer.reports(path, statuses=statuses)

    assert counted(counts) == {STORED: 3, DUPLICATE: 1, REFUSED: 2, QUARANTINED: 1}
    assert [place for place, _ in importer.problems] == ["r.csv, line 5", "r.csv, line 8", "r.csv, line 6"]
    assert "'dictated' is not known" in importer.problems[0][1]
    assert load_case(store, 3).report.status is ReportStatus.CORRECTED
    assert load_case(store, 2).report is None  # preliminary
    path.write_text(TABLE.replace("dictated", "F") + "A7,P7,F,New.\n")
    assert counted(importer.reports(path, statuses=statuses)) == {BEFORE: 5, STORED: 2, REFUSED: 1}


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (("2024-03-01T10:00:00+01:00", "2024-03-01T09:30:00Z"), "later"),
        (("2024-03-01 10:00", "2024-02-28"), "first"),
        (("2024-03-01 10:00", "none"), "later"),  # which is taken for one that has just been made
    ],
)
def test_reports_of_a_table_count_by_the_times_in_it(sqlite_store, tmp_path, times, expected) -> None:
    lines = ("accession,Issued At,text", f"A1,{times[0]},first", f"A1,{times[1]},later")
    path = tmp_path / "reports.csv"
    path.write_text("\n".join(lines))

    assert counted(Importer(sqlite_store).reports(path)) == {STORED: 2}
    assert load_case(sqlite_store, 1).report.text == expected
    assert counted(Importer(sqlite_store).reports(path)) == {BEFORE: 2}


def test_a_dry_run_of_reports_says_what_would_become_of_each(sqlite_store, tmp_path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(TABLE)

    dry = counted(Importer(sqlite_store).reports(path, dry_run=True))
    assert dry == {STORED: 3, QUARANTINED: 1, REFUSED: 3}
    assert sum(count_cases(sqlite_store).values()) == 0
    Importer(sqlite_store).reports(path)
    again = counted(Importer(sqlite_store).reports(path, dry_run=True, again=True))
    assert again == {DUPLICATE: 3, QUARANTINED: 1, REFUSED: 3}


def test_many_rows_are_committed_in_batches_and_progress_is_told(sqlite_store, tmp_path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("accession,text\n" + "".join(f"A{number},Clear.\n" for number in range(600)))
    importer = Importer(sqlite_store)

    assert counted(importer.reports(path)) == {STORED: 600}
    assert importer.said[0].startswith("archive: ")
    assert "left" in importer.said[0]
    assert "600 stored; 600 at" in importer.said[-1]


class Interrupting(Importer):
    """One whose person has seen enough when progress is told for the first time."""

    def progress(self) -> Progress:
        return Progress("archive", self.interrupt, self.tick, every_seconds=0)

    def interrupt(self, _: str) -> None:
        raise KeyboardInterrupt


def test_an_import_that_is_interrupted_goes_on_where_it_was(sqlite_store, tmp_path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("accession,text\n" + "".join(f"A{number},Clear.\n" for number in range(300)))
    images = tmp_path / "images.zip"
    with zipfile.ZipFile(images, "w") as packed:
        for number in (1, 2, 3):
            packed.writestr(f"{number}.dcm", dicom_bytes(number=number))

    with pytest.raises(KeyboardInterrupt):
        Interrupting(sqlite_store).reports(path)
    with pytest.raises(KeyboardInterrupt):
        Interrupting(sqlite_store).images(images)

    assert counted(Importer(sqlite_store).reports(path)) == {BEFORE: 256, STORED: 44}
    assert counted(Importer(sqlite_store).images(images)) == {BEFORE: 1, STORED: 2}


def test_progress_is_told_now_and_then_with_rate_and_time_left() -> None:
    said: list[str] = []
    times = iter([0.0, 1.0, 10.0, 12.0, 20.0])
    progress, tally = Progress("images", said.append, lambda: next(times)), Tally()
    for _ in range(50):
        tally.add(STORED)
    progress.note(tally, 0.1)
    progress.note(tally, 0.25)
    progress.note(tally, 0.3)
    progress.end(tally)

    assert said == ["images: 25%, 50 at 5.0/s, 30 s left: 50 stored", "images: 50 stored; 50 at 2.5/s, 20 s"]


def test_the_clock_of_the_import_is_the_one_it_is_given(sqlite_store, tmp_path) -> None:
    (tmp_path / "1.dcm").write_bytes(dicom_bytes())
    Importer(sqlite_store).images(tmp_path / "1.dcm")
    received: datetime = load_instance(sqlite_store, "2.25.1.1.1").received_at
    assert received == NOW

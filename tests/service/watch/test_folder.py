"""A watched folder with real files."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from overread.errors import ConfigurationError
from service.hl7.settings import Hl7Settings
from service.store.database import Store, open_store
from service.store.quarantine import count_quarantine, list_quarantine
from service.store.records import ReportStatus
from service.store.worklist import count_cases, load_case, load_instance
from service.watch.folder import FolderWatcher, Look
from service.watch.settings import WatchSettings
from tests.service.material import CLEAR, NOW, after, dicom_bytes
from tests.service.quarantine.test_replay import message


@dataclass
class Watched:
    """A folder under watch, and the seconds that pass."""

    watcher: FolderWatcher
    folder: Path
    seconds: list[float] = field(default_factory=lambda: [0.0])

    def put(self, name: str, content: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def look(self, after: float = 0.0) -> Look:
        self.seconds[0] += after
        return self.watcher.look()

    def take(self) -> Look:
        """Look twice, with enough time between."""
        self.look()
        return self.look(after=6)

    def done(self, folder: str = "done") -> set[str]:
        return {path.name for path in (self.folder / folder).iterdir()}

    def reason(self, name: str) -> str:
        return (self.folder / "refused" / f"{name}.reason.txt").read_text()


def watched_by(store: Store, folder: Path, environ: dict[str, str] | None = None) -> Watched:
    seconds = [0.0]
    watcher = FolderWatcher(
        store=store,
        folder=folder,
        settings=WatchSettings.read(environ or {}),
        hl7=Hl7Settings.read(environ or {}),
        clock=lambda: NOW,
        ticks=lambda: seconds[0],
    )
    return Watched(watcher, folder, seconds)


@pytest.fixture
def watched(sqlite_store: Store, tmp_path: Path) -> Iterator[Watched]:
    folder = tmp_path / "watched"
    folder.mkdir()
    watched = watched_by(sqlite_store, folder)
    with watched.watcher:
        yield watched


def test_a_file_is_taken_when_it_has_not_changed_for_a_while(watched: Watched, sqlite_store: Store) -> None:
    path = watched.put("scan/1.dcm", dicom_bytes()[:300])
    assert watched.look().waiting == 1
    path.write_bytes(dicom_bytes())
    assert watched.look(after=6).waiting == 1
    assert watched.look(after=4).waiting == 1
    assert watched.look(after=2).taken == 1

    assert load_instance(sqlite_store, "2.25.1.1.1").source == "folder"
    assert watched.done() == {"scan__1.dcm"}
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("A1.txt", CLEAR, id="text"),
        pytest.param("r.json", json.dumps({"accession_number": "A1", "text": CLEAR}), id="json"),
        pytest.param("r.hl7", message("A1", text="").replace(" A1||||||F", f"{CLEAR}||||||F"), id="hl7"),
        pytest.param(
            "m", f"\x0b{message('A1', text='').replace(' A1||||||F', CLEAR + '||||||F')}\x1c\r", id="mllp"
        ),
    ],
)
def test_each_form_of_report_is_stored_and_moved_away(
    watched: Watched, sqlite_store: Store, name: str, content: str
) -> None:
    watched.put(name, content)

    assert watched.take().taken == 1

    case = load_case(sqlite_store, 1)
    assert (case.summary.accession_number, case.report.text) == ("A1", CLEAR)
    assert watched.done() == {name}


def test_a_file_beside_a_text_names_its_study(watched: Watched, sqlite_store: Store) -> None:
    names = {"study_instance_uid": "2.25.9", "status": "CORRECTED", "issued_at": after(-60).isoformat()}
    watched.put("x.txt.json", json.dumps(names))
    watched.put("x.txt", CLEAR)
    watched.put("orphan.txt.json", "{}")

    assert watched.take().taken == 1

    case = load_case(sqlite_store, 1)
    assert (case.summary.study_instance_uid, case.report.status) == ("2.25.9", ReportStatus.CORRECTED)
    assert case.report.issued_at == after(-60)
    assert watched.done() == {"x.txt", "x.txt.json"}
    assert (watched.folder / "orphan.txt.json").exists()


def test_the_name_of_a_text_is_read_as_the_site_says(sqlite_store: Store, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    environ = {
        "OVERREAD_WATCH_REPORT_NAME": r"(?P<patient_id>\w+)-(?P<accession_number>\w+)"
        r"(-(?P<status>[A-Z]+))?",
        "OVERREAD_WATCH_CHARSET": "cp1252",
    }
    watched = watched_by(sqlite_store, tmp_path / "w", environ)
    with watched.watcher:
        watched.put("P1-A1-ADDENDUM.txt", "Höhe".encode("cp1252"))
        watched.put("other.txt", CLEAR)
        assert watched.take() == Look(taken=1, refused=1)
    case = load_case(sqlite_store, 1)
    assert (case.patient_id, case.report.text, case.report.status) == ("P1", "Höhe", ReportStatus.ADDENDUM)
    assert "its name is not as OVERREAD_WATCH_REPORT_NAME says" in watched.reason("other.txt")


def test_what_is_refused_is_kept_with_its_reason_and_lies_in_quarantine(
    watched: Watched, sqlite_store: Store
) -> None:
    watched.put("cut.dcm", dicom_bytes()[:-10])
    watched.put("A1.txt", " ")
    watched.put("x.pdf", b"%PDF-1.7")
    watched.put("x.json", '{"text": 5, "secret": "Jane"}')

    assert watched.take() == Look(refused=4)

    assert "truncated in its pixel data" in watched.reason("cut.dcm")
    assert "the report is empty" in watched.reason("A1.txt")
    assert "neither an object nor a report" in watched.reason("x.pdf")
    assert "text: Input should be a valid string" in watched.reason("x.json")
    assert "Jane" not in watched.reason("x.json")
    assert (watched.folder / "refused" / "x.pdf").read_bytes() == b"%PDF-1.7"
    assert count_quarantine(sqlite_store) == 2  # what is no image and no report is kept here alone


def test_of_several_messages_the_good_ones_are_stored_and_the_bad_ones_named(
    watched: Watched, sqlite_store: Store
) -> None:
    bad = message("A2").replace("|P|2.5", "|T|2.5")
    batch = "FHS|^~\\&|x\rBHS|^~\\&|x\r" + message("A1") + bad + message("A3") + "BTS|3\rFTS|1\r"
    watched.put("batch.hl7", batch.replace("\r", "\r\n"))

    assert watched.take() == Look(refused=1)

    assert sum(count_cases(sqlite_store).values()) == 2
    assert watched.reason("batch.hl7").startswith("message 2: MSH-11")
    assert [entry.reason for entry in list_quarantine(sqlite_store)] == ["UNSUPPORTED_MESSAGE"]


def test_links_are_never_followed(watched: Watched, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "A1.txt").write_text(CLEAR)
    (watched.folder / "A2.txt").symlink_to(outside / "A1.txt")
    (watched.folder / "sub").symlink_to(outside)
    os.mkfifo(watched.folder / "A3.txt")

    look = watched.take()

    assert (look.taken, look.refused) == (0, 0)
    assert (outside / "A1.txt").exists()
    assert (watched.folder / "A2.txt").is_symlink()


def test_a_link_in_place_of_the_folder_for_done_is_refused(sqlite_store: Store, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "done").symlink_to(tmp_path)
    with (
        pytest.raises(ConfigurationError, match="cannot be watched"),
        watched_by(sqlite_store, tmp_path / "w").watcher,
    ):
        pass


def test_two_watchers_and_the_data_folder_itself_are_refused(watched: Watched, sqlite_store: Store) -> None:
    with (
        pytest.raises(ConfigurationError, match="another process"),
        watched_by(sqlite_store, watched.folder).watcher,
    ):
        pass
    data = sqlite_store.settings.data_folder
    for folder in (data, data.parent, data / "incoming", watched.folder / "none"):
        with pytest.raises(ConfigurationError), watched_by(sqlite_store, folder).watcher:
            pass


def test_the_same_name_again_is_kept_beside_the_first(watched: Watched) -> None:
    for text in ("one", "two", "one"):
        watched.put("A1.txt", text)
        watched.take()
    assert watched.done() == {"A1.txt", "A1.2.txt", "A1.3.txt"}


def test_what_was_stored_before_a_crash_is_taken_again_and_changes_nothing(
    watched: Watched, sqlite_store: Store
) -> None:
    watched.put("A1.txt", CLEAR)
    watched.take()
    (watched.folder / "done" / "A1.txt").rename(watched.folder / "A1.txt")  # as if it had not been moved

    assert watched.take().taken == 1
    assert len(load_case(sqlite_store, 1).reports) == 1


def test_while_there_is_no_room_files_stay_and_are_taken_later(watched: Watched, sqlite_store: Store) -> None:
    watched.watcher.store = open_store(sqlite_store.settings.model_copy(update={"free_bytes_min": 1 << 60}))
    for number in (1, 2):
        watched.put(f"A{number}.txt", CLEAR)
    assert watched.take() == Look(waiting=2, has_room=False)
    watched.watcher.store = sqlite_store
    assert watched.look().taken == 2


def test_a_file_that_cannot_be_read_ends_nothing(watched: Watched, sqlite_store: Store) -> None:
    huge = watched.put("huge.txt", "")
    os.truncate(huge, 65 << 20)
    watched.put("A1.txt", CLEAR)
    watched.put("empty.dcm", "")
    watched.put("bytes-\udcff.txt".encode("utf-8", "surrogateescape").decode("latin-1"), CLEAR)
    Path(os.fsdecode(os.fsencode(watched.folder) + b"/\xff.txt")).write_text(CLEAR)

    look = watched.take()

    assert look.waiting == 0
    assert look.taken + look.refused == 5
    assert "which no report is" in watched.reason("huge.txt")
    assert load_case(sqlite_store, 1).report is not None


def test_unfinished_and_hidden_names_are_left_alone(watched: Watched) -> None:
    for name in ("A1.txt.part", ".A1.txt", ".sub/A1.txt", "A1.txt.tmp"):
        watched.put(name, CLEAR)
    assert watched.take() == Look()


@pytest.mark.parametrize(
    ("name", "value"),
    [("REPORT_NAME", "("), ("REPORT_NAME", "(.+)"), ("REPORT_NAME", "(?P<name>.+)"), ("POLL_SECONDS", "0")],
)
def test_wrong_settings_are_told(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"OVERREAD_WATCH_{name}"):
        WatchSettings.read({f"OVERREAD_WATCH_{name}": value})


def test_a_file_that_fails_is_left_until_something_of_it_changes(watched: Watched) -> None:
    path = watched.put("A1.txt", CLEAR)
    beside = watched.folder / "A1.txt.json"
    beside.mkdir()
    assert watched.take() == Look(waiting=1)
    beside.rmdir()
    assert watched.look(after=6) == Look(waiting=1)
    path.chmod(0o604)
    assert watched.look(after=6).taken == 1


def test_folders_that_somebody_removed_are_made_again(watched: Watched) -> None:
    watched.put("A1.txt", CLEAR)
    watched.look()
    for name in ("done", "refused"):
        (watched.folder / name).rmdir()
    assert watched.look(after=6).taken == 1
    assert watched.done() == {"A1.txt"}

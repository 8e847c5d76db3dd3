import hashlib
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from overread.command import main
from overread.errors import InvalidDicomError
from service.intake.closing import close_study
from service.maintenance.inventory import Check, Fault, Irregularity, Tally, check_all
from service.maintenance.repair import repair
from service.store.bucket import BucketObjectStore
from service.store.database import Store
from service.store.object_rows import Place
from service.store.object_store import PREFIXES, ObjectStore
from service.store.quarantine import list_quarantine
from service.store.removal import Removal, mark_removed
from service.store.worklist import load_instance
from tests.service.material import NOW, dicom_bytes, send_image, triaged_case

ORPHAN = dicom_bytes(study="2.25.9", AccessionNumber="A9")
HALF = (
    "import sys; from pathlib import Path; from service.settings import load_settings; "
    "from service.store.files import ObjectFiles; "
    "files = ObjectFiles.in_folder(load_settings({'OVERREAD_FREE_BYTES_MIN': '0'}, "
    "data_folder=Path(sys.argv[1]))); files.begin().write(b'half'); import os; os._exit(0)"
)


def name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def keep(store: Store, content: bytes) -> str:
    """What a receiver does until it is killed between keeping and recording."""
    with store.files.begin() as incoming:
        incoming.write(content)
        store.files.keep(incoming)
        return incoming.sha256


def damage(shelf: ObjectStore, sha256: str, content: bytes) -> None:
    if isinstance(shelf, BucketObjectStore):
        key = f"{shelf.prefix}{sha256[:2]}/{sha256}"
        shelf.client.put_object(Bucket=shelf.bucket, Key=key, Body=content)
        shelf.cache.drop(sha256)
    else:
        shelf.fetch(sha256).write_bytes(content)


def look(
    store: Store,
    *hashes: str,
    repairs: bool = False,
    later: timedelta = timedelta(hours=2),
    quick: bool = False,
) -> tuple[list[tuple[Place, Fault]], Tally, list[Irregularity]]:
    check, tally = Check(now=datetime.now(UTC) + later, reads_bytes=not quick), Tally()
    steps = [(place, prefix) for prefix in sorted({each[:2] for each in hashes}) for place in Place]
    repaired = (lambda found: repair(store, found, now=NOW)) if repairs else None
    found = list(check_all(store, steps, check, tally, repaired))
    return [(item.place, item.fault) for item in found], tally, found


def test_a_store_in_order_is_clean(kept) -> None:
    triaged_case(kept)
    sha256 = load_instance(kept, "2.25.1.1.1").sha256
    with pytest.raises(InvalidDicomError):
        send_image(kept, b"text")

    faults, tally, _ = look(kept, sha256, name(b"text"))

    assert faults == []
    assert tally.is_clean
    assert (tally.objects, tally.rows) == (2, 2)


def test_bytes_without_a_row_are_found_and_taken_in(kept) -> None:
    sha256 = keep(kept, ORPHAN)

    assert look(kept, sha256)[0] == [(Place.OBJECTS, Fault.ORPHAN)]
    _, tally, (found,) = look(kept, sha256, repairs=True)

    assert (tally.is_clean, found.repair) == (True, "received: STORED")
    assert load_instance(kept, "2.25.9.1.1").path.read_bytes() == ORPHAN
    assert look(kept, sha256)[0] == []


def test_bytes_without_a_row_that_cannot_be_used_go_to_quarantine(kept) -> None:
    sha256 = keep(kept, b"text")

    _, tally, _ = look(kept, sha256, repairs=True)

    assert tally.is_clean
    (entry,) = list_quarantine(kept)
    assert (entry.reason, entry.path.read_bytes()) == ("INVALID_DICOM", b"text")
    assert look(kept, sha256)[0] == []


def test_bytes_in_quarantine_without_an_entry_get_one(kept) -> None:
    with kept.files.begin() as incoming:
        incoming.write(ORPHAN)
        kept.files.set_aside(incoming)

    assert look(kept, name(ORPHAN))[0] == [(Place.QUARANTINE, Fault.ORPHAN)]
    look(kept, name(ORPHAN), repairs=True)

    (entry,) = list_quarantine(kept)
    assert (entry.kind, entry.reason, entry.path.read_bytes()) == ("INSTANCE", "UNRECORDED", ORPHAN)
    assert look(kept, name(ORPHAN))[0] == []


def test_what_is_young_may_be_on_its_way(kept) -> None:
    sha256 = keep(kept, ORPHAN)

    assert look(kept, sha256, later=timedelta(minutes=50))[0] == []


def test_a_row_without_bytes_is_found_until_its_sender_sends_it_again(kept) -> None:
    sha256 = send_image(kept).sha256
    kept.files.objects.remove(sha256)

    faults, tally, (found,) = look(kept, sha256, repairs=True)

    assert faults == [(Place.OBJECTS, Fault.MISSING)]
    assert not tally.is_clean
    assert (found.study_instance_uid, found.repair) == ("2.25.1", "send the study again")
    send_image(kept)
    assert look(kept, sha256)[0] == []


@pytest.mark.parametrize(
    ("content", "quick"), [(dicom_bytes()[:-3] + b"\0\0\0", False), (dicom_bytes()[:-3], True)]
)
def test_bytes_that_changed_go_to_quarantine_and_can_be_sent_again(kept, content, quick) -> None:
    sha256 = send_image(kept).sha256
    damage(kept.files.objects, sha256, content)

    assert look(kept, sha256, quick=quick)[0] == [(Place.OBJECTS, Fault.DAMAGED)]
    _, tally, (found,) = look(kept, sha256, repairs=True, quick=quick)

    assert not tally.is_clean
    assert "send the study again" in found.repair
    (entry,) = list_quarantine(kept)
    assert (entry.reason, entry.study_instance_uid) == ("DAMAGED", "2.25.1")
    assert entry.path.read_bytes() == content
    send_image(kept)
    assert look(kept, sha256, entry.sha256)[0] == []
    assert load_instance(kept, "2.25.1.1.1").path.read_bytes() == dicom_bytes()


def test_refused_bytes_that_are_gone_or_changed_are_found(kept) -> None:
    for content in (b"text", b"other"):
        with pytest.raises(InvalidDicomError):
            send_image(kept, content)
    kept.files.quarantine.remove(name(b"text"))
    damage(kept.files.quarantine, name(b"other"), b"0ther")

    faults, _, _ = look(kept, name(b"text"), name(b"other"))

    assert sorted(faults) == [(Place.QUARANTINE, Fault.DAMAGED), (Place.QUARANTINE, Fault.MISSING)]


def test_what_retention_did_not_finish_is_finished(kept) -> None:
    triaged_case(kept)
    instance = load_instance(kept, "2.25.1.1.1")
    removal = Removal(at=datetime.now(UTC) + timedelta(hours=3), why="test", state="LISTED")
    mark_removed(kept, "2.25.1", [instance.sop_instance_uid], removal)
    later = timedelta(hours=5)

    assert look(kept, instance.sha256, later=timedelta(hours=3.5))[0] == []  # about to go
    assert look(kept, instance.sha256, later=later)[0] == [(Place.OBJECTS, Fault.LEFT_OVER)]
    look(kept, instance.sha256, later=later, repairs=True)

    assert kept.files.objects.size_of(instance.sha256) is None
    assert look(kept, instance.sha256, later=later)[0] == []


def test_a_name_that_is_no_hash_is_told_and_left_alone(sqlite_store) -> None:
    strange = sqlite_store.files.objects.folder / "ab" / "notes.txt"
    strange.write_text("mine")

    faults, tally, _ = look(sqlite_store, "ab", repairs=True)

    assert faults == [(Place.OBJECTS, Fault.STRANGE)]
    assert (tally.is_clean, strange.read_text()) == (False, "mine")


def test_the_same_data_set_under_another_file_meta_is_no_second_object(sqlite_store) -> None:
    send_image(sqlite_store)
    other = b"II*\0" + dicom_bytes()[4:]
    sha256 = keep(sqlite_store, other)

    _, tally, _ = look(sqlite_store, sha256, repairs=True)

    assert tally.is_clean
    assert sqlite_store.files.objects.size_of(sha256) is None
    assert load_instance(sqlite_store, "2.25.1.1.1").path.read_bytes() == dicom_bytes()


def test_the_check_of_a_store_that_takes_images_meanwhile_finds_nothing(sqlite_store) -> None:
    check, tally = Check(now=datetime.now(UTC)), Tally()
    numbers = iter(range(1, 200))
    found = []
    for prefix in PREFIXES[:64]:
        for place in Place:
            send_image(sqlite_store, dicom_bytes(number=next(numbers)))
            found += check_all(sqlite_store, [(place, prefix)], check, tally)

    assert found == []
    assert tally.objects > 0


def run_fsck(
    capsys: pytest.CaptureFixture[str], store: Store, *options: str
) -> tuple[int, list[dict[str, object]]]:
    status = main(["fsck", "--json", "--data-folder", str(store.settings.data_folder), *options])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines() if line[0] == "{"]


def test_the_command_lists_what_is_wrong_mends_it_and_ends_with_a_status(sqlite_store, capsys) -> None:
    close_study(sqlite_store, send_image(sqlite_store).header.study_instance_uid, now=NOW)
    path = sqlite_store.files.objects.fetch(keep(sqlite_store, ORPHAN))
    long_ago = time.time() - 7200
    os.utime(path, (long_ago, long_ago))
    subprocess.run([sys.executable, "-c", HALF, str(sqlite_store.settings.data_folder)], check=True)
    (left,) = sqlite_store.files.incoming.iterdir()
    os.utime(left, (long_ago, long_ago))

    status, (found, counts) = run_fsck(capsys, sqlite_store)
    assert (status, found["fault"], found["sha256"]) == (1, "ORPHAN", name(ORPHAN))
    assert (counts["objects"], counts["stale_incoming"], counts["clean"]) == (2, 1, False)

    status, (found, counts) = run_fsck(capsys, sqlite_store, "--repair")
    assert (status, found["repaired"], counts["clean"]) == (0, True, True)

    assert list(sqlite_store.files.incoming.iterdir()) == []
    part = f"{(int(name(ORPHAN)[:2], 16) + 1) % 256:02x}"
    assert run_fsck(capsys, sqlite_store, "--from", part, "--to", part)[0] == 0
    assert run_fsck(capsys, sqlite_store, "--from", "xy")[0] == 1

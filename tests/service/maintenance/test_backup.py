import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overread.command import main
from overread.errors import ConfigurationError, InvalidDicomError, InvalidFileError
from service.maintenance.backup import back_up, read_manifest, restore
from service.maintenance.inventory import Check, Tally, check_all
from service.settings import Settings, load_settings
from service.store.bucket import BucketObjectStore
from service.store.database import Store, open_store
from service.store.object_rows import Place
from service.store.object_store import PREFIXES
from service.store.quarantine import list_quarantine
from service.store.worklist import count_cases, load_case, load_instance
from tests.service.material import NOW, dicom_bytes, send_image, triaged_case
from tests.service.security.people import BY


@contextmanager
def writing_meanwhile(store: Store) -> Iterator[list[str]]:
    """Images come from two senders while the block runs; gives the UIDs that were acknowledged."""
    acknowledged: list[str] = []
    done, first = threading.Event(), threading.Barrier(3)

    def send(sender: int) -> None:
        number = 0
        while not done.is_set():
            number += 1
            study = f"2.25.{sender}{number:05}"
            receipt = send_image(store, dicom_bytes(study=study, AccessionNumber=study))
            acknowledged.append(receipt.header.sop_instance_uid)
            if number == 3:
                first.wait(timeout=60)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in (7, 8)]
    for thread in threads:
        thread.start()
    first.wait(timeout=60)
    try:
        yield acknowledged
    finally:
        done.set()
        for thread in threads:
            thread.join()


def elsewhere(store: Store, request: pytest.FixtureRequest, folder: Path) -> Settings:
    """Settings of an installation that is empty, on a database of the same kind."""
    changed = store.settings.model_copy(update={"data_folder": folder})
    if store.engine.dialect.name == "postgresql":
        running = request.getfixturevalue("postgres")
        environ = {"OVERREAD_DATABASE_URL": running.url(running.new_database())}
        return changed.model_copy(
            update={"database_url": load_settings(environ, data_folder=folder).database_url}
        )
    return changed.model_copy(update={"database_url": f"sqlite:///{folder / 'overread.sqlite3'}"})


def check(store: Store) -> Tally:
    tally = Tally()
    steps = [(place, prefix) for prefix in PREFIXES for place in Place]
    later = datetime.now(UTC) + timedelta(hours=2)
    assert list(check_all(store, steps, Check(now=later), tally)) == []
    return tally


def test_a_backup_made_under_writes_is_whole_when_it_is_restored_elsewhere(store, request, tmp_path) -> None:
    case_id = triaged_case(store)
    with pytest.raises(InvalidDicomError):
        send_image(store, b"text")
    before = load_case(store, case_id)

    with writing_meanwhile(store) as acknowledged:
        known = list(acknowledged)
        manifest = back_up(store, tmp_path / "backup", now=NOW)
    settings = elsewhere(store, request, tmp_path / "new")
    assert restore(tmp_path / "backup", settings, by=BY)[0] == manifest
    restored = open_store(settings)

    assert manifest.missing == ()
    assert check(restored).objects == manifest.objects
    for sop_instance_uid in known:
        load_instance(restored, sop_instance_uid)
    assert load_case(restored, case_id) == before
    assert load_instance(restored, "2.25.1.1.1").path.read_bytes() == dicom_bytes(AccessionNumber="A1")
    assert list_quarantine(restored)[0].path.read_bytes() == b"text"
    send_image(restored, dicom_bytes(study="2.25.99", AccessionNumber="A99"))  # goes on working
    restored.close()


def test_the_password_of_the_database_is_not_among_the_arguments_of_another_program(
    postgres, migrated, tmp_path, monkeypatch
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$PGPASSWORD" "$@" > {tmp_path}/said\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    name = postgres.new_database(template=migrated)
    url = postgres.url(name).replace("overread@", "overread:secret@")
    store = open_store(load_settings({"OVERREAD_DATABASE_URL": url}, data_folder=tmp_path / "data"))

    back_up(store, tmp_path / "backup", now=NOW)
    store.close()

    password, *arguments = (tmp_path / "said").read_text().splitlines()
    assert password == "secret"
    assert "secret" not in " ".join(arguments)
    assert f"dbname={name}" in arguments[0].removeprefix("--dbname=").split()


def test_a_database_of_several_hosts_is_backed_up_and_restored(postgres, migrated, tmp_path) -> None:
    hosts = f"host={postgres.folder}:5432&host={postgres.folder}:5432&target_session_attrs=read-write"
    names = [postgres.new_database(template=template) for template in (migrated, "template1")]
    settings, others = (
        load_settings(
            {"OVERREAD_DATABASE_URL": f"postgresql://overread@/{name}?{hosts}"}, data_folder=tmp_path / name
        )
        for name in names
    )
    store = open_store(settings)
    send_image(store)
    back_up(store, tmp_path / "backup", now=NOW)
    store.close()

    restore(tmp_path / "backup", others, by=BY)

    restored = open_store(others)
    assert load_instance(restored, "2.25.1.1.1").path.exists()
    restored.close()


def test_a_backup_on_the_same_file_system_takes_no_room_for_objects(sqlite_store, tmp_path) -> None:
    send_image(sqlite_store)
    path = load_instance(sqlite_store, "2.25.1.1.1").path

    back_up(sqlite_store, tmp_path / "backup", now=NOW)

    assert (tmp_path / "backup" / "objects" / path.parent.name / path.name).samefile(path)


def test_objects_in_a_bucket_stay_there(bucket_settings, tmp_path) -> None:
    store = open_store(bucket_settings)
    case_id = triaged_case(store)
    before = load_case(store, case_id)

    manifest = back_up(store, tmp_path / "backup", now=NOW)
    store.close()
    new = tmp_path / "new"
    settings = bucket_settings.model_copy(
        update={"data_folder": new, "database_url": f"sqlite:///{new / 'db.sqlite3'}"}
    )
    restore(tmp_path / "backup", settings, by=BY)
    restored = open_store(settings)

    assert (manifest.objects, manifest.objects_url) == (1, bucket_settings.objects_url)
    assert not (tmp_path / "backup" / "objects").exists()
    assert isinstance(restored.files.objects, BucketObjectStore)
    assert load_case(restored, case_id) == before
    assert restored.files.objects.fetch(before.instances[0].sha256).read_bytes()
    restored.close()
    with pytest.raises(ConfigurationError, match="OVERREAD_OBJECTS_URL"):
        restore(
            tmp_path / "backup",
            settings.model_copy(update={"objects_url": None, "data_folder": tmp_path / "other"}),
            by=BY,
        )


def test_what_was_missing_is_told(sqlite_store, tmp_path) -> None:
    sha256 = send_image(sqlite_store).sha256
    sqlite_store.files.objects.remove(sha256)

    assert back_up(sqlite_store, tmp_path / "backup", now=NOW).missing == (f"objects/{sha256}",)


def test_a_backup_is_never_written_over_and_nothing_is_restored_over(store, tmp_path) -> None:
    triaged_case(store)
    back_up(store, tmp_path / "backup", now=NOW)

    with pytest.raises(ConfigurationError, match="not empty"):
        back_up(store, tmp_path / "backup", now=NOW)
    with pytest.raises(ConfigurationError, match="a database already"):
        restore(tmp_path / "backup", store.settings, by=BY)


def test_a_log_that_another_database_left_is_not_taken_for_that_of_the_restored_one(
    sqlite_store, tmp_path
) -> None:
    back_up(sqlite_store, tmp_path / "backup", now=NOW)
    settings = load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=tmp_path / "new")
    settings.data_folder.mkdir()
    (settings.data_folder / "overread.sqlite3-wal").write_bytes(b"log")

    with pytest.raises(ConfigurationError, match="a database already"):
        restore(tmp_path / "backup", settings, by=BY)


def test_what_is_no_whole_backup_is_refused(sqlite_store, tmp_path) -> None:
    send_image(sqlite_store)
    settings = load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=tmp_path / "new")
    back_up(sqlite_store, tmp_path / "backup", now=NOW)
    (copy,) = (tmp_path / "backup" / "objects").rglob("*/*")
    content = copy.read_bytes()
    copy.unlink()
    copy.write_bytes(content[:-1] + b"?")

    with pytest.raises(InvalidFileError, match="damaged"):
        restore(tmp_path / "backup", settings, by=BY)
    assert not (tmp_path / "new" / "overread.sqlite3").exists()
    copy.write_bytes(content)
    restore(tmp_path / "backup", settings, by=BY)  # again, after it was repaired
    (tmp_path / "backup" / "backup.json").unlink()
    with pytest.raises(InvalidFileError, match=r"no backup\.json"):
        read_manifest(tmp_path / "backup")


def test_the_commands_check_back_up_and_restore(sqlite_store, tmp_path, capsys) -> None:
    triaged_case(sqlite_store)
    old, new = str(sqlite_store.settings.data_folder), str(tmp_path / "new")

    assert main(["db", "--data-folder", old, "check"]) == 0
    assert main(["db", "--data-folder", old, "backup", str(tmp_path / "backup")]) == 0
    assert main(["db", "--data-folder", new, "restore", str(tmp_path / "backup")]) == 0
    assert main(["db", "--data-folder", new, "upgrade"]) == 0
    assert main(["fsck", "--data-folder", new]) == 0

    said = capsys.readouterr().out
    assert "nothing to do" in said
    assert "nothing is wrong" in said
    restored = open_store(load_settings({}, data_folder=tmp_path / "new"))
    assert count_cases(restored) == count_cases(sqlite_store)
    restored.close()

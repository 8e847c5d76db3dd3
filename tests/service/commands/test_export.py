"""`overread export`: pseudonyms by a key, and scanners where they cost nothing."""

import pytest

from overread.cohort import read_cohort
from overread.command import main
from service.store.database import open_store
from tests.service.material import after
from tests.service.test_export import DEVICE, reported
from tests.service.triage.test_worker import drain


def case_exported(folder, tmp_path, *options: str):
    path = tmp_path / "past.jsonl"
    assert main(["export", "--data-folder", str(folder), "--out", str(path), *options]) == 0
    (case,) = read_cohort(path)
    return case


def test_the_same_key_gives_the_same_pseudonym_and_none_another_each_time(sqlite_store, tmp_path) -> None:
    reported(sqlite_store, 1, author="roe")
    drain(sqlite_store, now=after(60))
    folder, key = sqlite_store.settings.data_folder, str(tmp_path / "key")

    kept = {case_exported(folder, tmp_path, "--key", key).first_reader for _ in range(2)}
    thrown_away = {case_exported(folder, tmp_path).first_reader for _ in range(2)}

    assert len(kept) == 1
    assert len(kept | thrown_away) == 3
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("options", "scanner"), [((), True), (("--no-scanners",), False)])
def test_a_scanner_is_told_where_images_lie_in_a_folder(sqlite_store, tmp_path, options, scanner) -> None:
    reported(sqlite_store, 1, author=None, **DEVICE)
    drain(sqlite_store, now=after(60))

    case = case_exported(sqlite_store.settings.data_folder, tmp_path, *options)

    assert (case.scanner is not None) is scanner


def test_from_a_bucket_no_image_is_fetched_unless_it_is_asked_for(
    bucket_settings, tmp_path, monkeypatch
) -> None:
    store = open_store(bucket_settings)
    reported(store, 1, author=None, **DEVICE)
    drain(store, now=after(60))
    store.close()
    monkeypatch.setenv("OVERREAD_OBJECTS_URL", str(bucket_settings.objects_url))
    monkeypatch.setenv("OVERREAD_OBJECTS_ENDPOINT", str(bucket_settings.objects_endpoint))

    without, with_it = (
        case_exported(bucket_settings.data_folder, tmp_path, *options) for options in ((), ("--scanners",))
    )

    assert (without.scanner, with_it.scanner) == (None, "Acme, DX 100, ROOM2")

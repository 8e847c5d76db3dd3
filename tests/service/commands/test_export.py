"""`overread export`: pseudonyms by a key."""

from overread.cohort import read_cohort
from overread.command import main
from tests.service.material import after
from tests.service.test_export import reported
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

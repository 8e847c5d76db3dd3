"""Who can read what the service keeps: files that real commands made, and modes that others gave."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from overread.command import main
from overread.errors import ConfigurationError
from service.settings import load_settings
from service.store.database import open_store
from service.store.modes import correct_database_file, correct_folder
from tests.service.material import dicom_bytes


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder: Path) -> list[str]:
    """The folder and everything below that anybody but its owner may do anything with."""
    return [f"{path} {mode(path):04o}" for path in (folder, *folder.rglob("*")) if mode(path) & 0o077]


def test_what_commands_keep_is_private_and_what_they_are_asked_for_is_not(tmp_path: Path) -> None:
    data, archive = tmp_path / "data", tmp_path / "archive"
    for folder in (data, archive):
        folder.mkdir(mode=0o755)
    (archive / "1.dcm").write_bytes(dicom_bytes())
    (archive / "2.dcm").write_bytes(dicom_bytes(study="2.25.2")[:-9])
    reports = tmp_path / "r.csv"
    reports.write_text("accession,text\nA1,No mass is seen.\n")
    at = ["--data-folder", str(data)]

    given = ["--images", str(archive), "--reports", str(reports), "--problems", str(tmp_path / "p.csv")]
    main(["import", *at, *given])
    assert main(["db", "backup", *at, str(tmp_path / "backup")]) == 0
    assert main(["export", *at, "--out", str(tmp_path / "cohort.jsonl")]) == 0
    assert main(["quarantine", "save", *at, "1", str(tmp_path / "refused")]) == 0

    assert len([path for path in data.rglob("*") if path.is_file()]) > 3
    assert open_to_others(data) == []
    assert open_to_others(tmp_path / "backup") == []
    for name in ("p.csv", "cohort.jsonl", "refused"):
        assert mode(tmp_path / name) == 0o644
    assert os.umask(0o022) == 0o022


@pytest.mark.parametrize(("before", "after"), [(0o755, 0o700), (0o770, 0o700), (0o750, 0o750)])
def test_a_data_folder_is_closed_to_others_and_may_be_open_to_its_group(
    tmp_path: Path, before: int, after: int
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(before)

    open_store(load_settings({}, data_folder=tmp_path / "data")).close()

    assert mode(tmp_path / "data") == after


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o600), (0o660, 0o600), (0o640, 0o640)])
def test_the_file_of_an_earlier_release_is_closed_with_its_logs(
    tmp_path: Path, before: int, after: int
) -> None:
    files = [tmp_path / f"overread.sqlite3{end}" for end in ("", "-wal", "-shm")]
    for file in files:
        file.touch()
        file.chmod(before)

    correct_database_file(files[0])

    assert [mode(file) for file in files] == [after] * 3


def test_a_start_corrects_the_mode_of_the_database(tmp_path: Path) -> None:
    settings = load_settings({}, data_folder=tmp_path / "data")
    open_store(settings).close()
    file = settings.data_folder / "overread.sqlite3"
    file.chmod(0o644)

    open_store(settings).close()

    assert mode(file) == 0o600


def test_a_folder_that_all_users_share_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)

    with pytest.raises(ConfigurationError, match="all users share"):
        correct_folder(tmp_path)

    assert mode(tmp_path) == 0o1777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_is_open_to_others_and_anothers_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o777)
    program = (
        "import os, sys; from pathlib import Path; from service.store.modes import correct_folder; "
        "os.setuid(65534); correct_folder(Path(sys.argv[1]))"
    )
    for folder in (tmp_path, *tmp_path.parents):  # those of pytest are closed to others
        if mode(folder) & 0o001 == 0:
            folder.chmod(0o711)

    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "data")], capture_output=True, text=True, check=False
    )

    assert "data is open to other users (0777) and belongs to another user" in ended.stderr
    assert "set its mode to 0700" in ended.stderr

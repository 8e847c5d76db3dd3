"""`overread import` as a person uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from overread.command import main
from service.store.database import Store
from service.store.worklist import load_case
from tests.service.material import dicom_bytes


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_images_and_reports_are_imported_and_the_status_says_whether_all_of_them(
    sqlite_store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.dcm").write_bytes(dicom_bytes())
    (tmp_path / "r.csv").write_text("No;Befund;Stand\nA1;Kein Rundherd.;fertig\n")
    words = ["import", "--data-folder", str(sqlite_store.settings.data_folder)]
    words += ["--images", str(tmp_path / "images"), "--reports", str(tmp_path / "r.csv")]
    words += ["--column", "accession=No", "--column", "text=Befund", "--column", "status=Stand"]

    assert main([*words, "--status", "fertig=FINAL", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "images: 1 would be stored" in said
    assert "r.csv: 1 would be stored" in said
    assert main([*words, "--problems", str(tmp_path / "problems.csv")]) == 1
    assert "line 2,the status 'fertig' is not known" in (tmp_path / "problems.csv").read_text().replace(
        '"', ""
    )
    assert main([*words, "--status", "fertig=FINAL"]) == 0

    said = capsys.readouterr()
    assert "images: 1 taken by an earlier import" in said.out
    assert "r.csv: 1 stored" in said.out
    assert load_case(sqlite_store, 1).report.text == "Kein Rundherd."
    assert main(["import"]) == 2

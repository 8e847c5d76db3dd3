"""`overread models` as a person meets it."""

import json

import pytest

from overread.command import main
from tests.models.tiny_release import write_tiny_release

SHIPPED = "chest-radiograph"


@pytest.fixture
def tiny(tmp_path):
    return write_tiny_release(tmp_path / "tiny")


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("OVERREAD_DETECTORS", raising=False)
    monkeypatch.delenv("OVERREAD_DATABASE_URL", raising=False)
    monkeypatch.setenv("OVERREAD_FOLDER", str(tmp_path / "data"))

    def run_command(*arguments: object) -> tuple[int, str]:
        status = main(["models", *map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return run_command


def test_the_list_shows_what_runs_and_what_does_not(run, tiny, tmp_path) -> None:
    run("activate", tiny, "--without-gate", "a rehearsal", "--who", "ada")

    status, text = run("list")

    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines()[1:]}
    assert status == 0
    assert lines[str(tiny)] == ["active", "onnx", "1", "2"]
    assert lines[SHIPPED][:2] == ["-", "onnx"]


@pytest.mark.parametrize("words", [("list",), ("show", SHIPPED)])
def test_a_data_folder_that_is_not_there_is_refused_and_not_made(run, tmp_path, words) -> None:
    status, text = run("--data-folder", tmp_path / "dtaa", *words)

    assert status == 1
    assert "dtaa is no data folder of overread" in text
    assert not (tmp_path / "dtaa").exists()


def test_a_release_that_cannot_be_used_is_listed_with_the_reason(run, tiny) -> None:
    run("activate", tiny, "--shadow")
    (tiny / "network.onnx").unlink()

    status, text = run("list")

    assert status == 0
    assert "unusable" in text
    assert "network.onnx is missing" in text


def test_show_says_what_is_known_with_its_history(run, tiny) -> None:
    run("activate", tiny, "--without-gate", "a rehearsal", "--who", "ada", "--modalities", "DX", "CR")

    status, text = run("show", tiny)

    assert status == 0
    assert "tiny 1 (onnx)" in text
    assert "mass, hernia" in text
    assert "active, its default operating point, asked about modality DX or CR" in text
    assert f"ada activated {tiny} 1 in place of {SHIPPED} because: a rehearsal" in text


def test_verify_ends_with_1_as_soon_as_one_release_does_not_verify(run, tiny) -> None:
    assert run("verify", tiny)[0] == 0
    run("record", tiny)
    assert "recorded input gives recorded output" in run("verify", tiny)[1]
    manifest = json.loads((tiny / "manifest.json").read_text())
    manifest["calibration"]["mass"]["intercept"] = 0.5
    (tiny / "manifest.json").write_text(json.dumps(manifest))

    status, text = run("verify", SHIPPED, tiny)

    assert status == 1
    assert f"{tiny}: FAILED" in text
    assert f"{SHIPPED}: {SHIPPED}" in text


def test_verify_looks_at_the_registry_where_nothing_is_named(run, tiny) -> None:
    run("activate", tiny, "--shadow")

    status, text = run("verify")

    assert status == 0
    assert [line.split(":")[0] for line in text.splitlines()] == [SHIPPED, str(tiny)]


def test_without_gate_or_reason_nothing_is_activated(run, tiny) -> None:
    status, text = run("activate", tiny)

    assert status == 1
    assert "has not passed the release gate" in text
    assert SHIPPED in run("list")[1].splitlines()[1]


def test_what_is_retired_is_gone_from_the_registry(run, tiny) -> None:
    run("activate", tiny, "--shadow")

    status, text = run("retire", tiny, "--reason", "no better", "--who", "ben")

    assert status == 0
    assert f"ben retired {tiny} because: no better" in text
    assert str(tiny) not in run("list")[1]


def test_a_relative_path_means_the_same_wherever_it_is_given(run, tiny, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)

    assert run("activate", "./tiny", "--shadow")[0] == 0

    assert str(tiny) in run("list")[1]


def test_a_registry_in_a_file_may_be_named(run, tiny, tmp_path) -> None:
    other = tmp_path / "elsewhere" / "registry.json"

    run("activate", tiny, "--shadow", "--detectors", other)

    assert other.is_file()
    assert not (tmp_path / "data").exists()


def test_a_release_that_does_not_exist_is_an_error_in_words(run) -> None:
    status, text = run("show", "gone")

    assert status == 1
    assert "there is no model release 'gone'" in text


def test_a_release_is_put_on_the_scale_of_a_site(run, tiny, tmp_path) -> None:
    lines = [
        {
            "case": str(at),
            "patient": str(at),
            "observations": [{"finding": "mass", "presence": "PRESENT"}] if at % 10 == 0 else [],
            "detections": [{"detector": "tiny", "version": "1", "scores": {"mass": 0.3, "hernia": 0.1}}],
        }
        for at in range(300)
    ]
    (tmp_path / "past.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    status, text = run("calibrate", tiny, tmp_path / "here", "--cohort", tmp_path / "past.jsonl")

    assert status == 0
    assert "fitted to 300 cases of 300 patients" in text
    assert text.splitlines()[2].split() == ["mass", "30", "90.0", "30.0"]
    assert text.splitlines()[3].split()[-3:] == ["as", "it", "was"]
    assert run("verify", tmp_path / "here")[0] == 0


def test_looking_at_what_runs_makes_no_installation(run, tmp_path) -> None:
    assert SHIPPED in run("list")[1]
    assert run("show", SHIPPED)[0] == 0

    assert not (tmp_path / "data").exists()


def test_a_change_is_kept_in_the_store_and_no_file_is_written(run, tiny, tmp_path) -> None:
    run("activate", tiny, "--shadow", "--who", "ada")

    data = {path.name for path in (tmp_path / "data").iterdir()}
    assert "overread.sqlite3" in data
    assert "detectors.json" not in data
    assert f"ada put in shadow {tiny}" in run("show", tiny)[1]


def test_the_file_of_an_earlier_release_counts_before_and_after_it_is_taken_over(run, tiny, tmp_path) -> None:
    file = tmp_path / "data" / "detectors.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"format": 1, "detectors": [{"release": str(tiny)}]}))

    assert str(tiny) in run("list")[1].splitlines()[1]
    assert run("activate", SHIPPED, "--shadow")[0] == 0

    assert [line.split()[:2] for line in run("list")[1].splitlines()[1:3]] == [
        [str(tiny), "active"],
        [SHIPPED, "shadow"],
    ]
    assert not file.exists()
    assert file.with_name("detectors.json.imported").exists()

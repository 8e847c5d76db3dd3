import json
import subprocess
import sys
from pathlib import Path

import pytest

from overread.command import main

REPORT = "FINDINGS: Heart size normal.\nIMPRESSION: Small right effusion.\n"


def lines(*texts: str) -> str:
    return "".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts))


def test_json_lines_in_json_lines_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "reports.jsonl"
    source.write_text(lines("Right effusion.", "No mass."), encoding="utf-8")

    assert main(["read", str(source)]) == 0

    outputs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [o["id"] for o in outputs] == [0, 1]
    assert [o["observations"][0]["presence"] for o in outputs] == ["PRESENT", "ABSENT"]


def test_the_result_may_go_to_a_file(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(lines("Right effusion."), encoding="utf-8")

    assert main(["read", str(source), "--out", str(target), "--workers", "2"]) == 0

    assert json.loads(target.read_text(encoding="utf-8"))["id"] == 0


def test_a_malformed_line_stops_the_run_with_its_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(lines("Right effusion.") + "{\n" + lines("No mass."), encoding="utf-8")

    assert main(["read", str(source)]) == 1

    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert "line 2" in captured.err


def test_a_malformed_line_is_skipped_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(lines("Right effusion.") + "{\n" + lines("No mass."), encoding="utf-8")

    assert main(["read", str(source), "--on-error", "skip"]) == 0

    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert "line 2 skipped" in captured.err
    assert "1 lines skipped" in captured.err


def test_a_report_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "report.txt"
    source.write_text(REPORT, encoding="utf-8")

    assert main(["read", "--explain", str(source)]) == 0

    assert "[effusion]+2" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b""], ids=["not text", "empty"])
def test_what_is_no_report_is_refused(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "report.txt"
    source.write_bytes(content)

    assert main(["read", "--explain", str(source)]) == 1
    assert "report" in capsys.readouterr().err


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "no-such-file.jsonl"]) == 1
    assert "no-such-file.jsonl" in capsys.readouterr().err


def test_it_reads_standard_input_and_stops_quietly_when_nobody_listens() -> None:
    text = lines(*["Right effusion."] * 5000)
    reader = "from overread.command import main; raise SystemExit(main(['read']))"

    result = subprocess.run(
        f'"{sys.executable}" -c "{reader}" | head -n 1',
        shell=True,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert json.loads(result.stdout)["id"] == 0
    assert "Traceback" not in result.stderr

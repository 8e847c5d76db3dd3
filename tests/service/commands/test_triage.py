import json

import pytest
from pydicom.data import get_testdata_file

from overread.command import main
from overread.priority import default_policy, shipped_policy_text
from service.demo import demo_cases

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom finds fault with what the real objects hold


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.txt"
    path.write_text(demo_cases()[0].report, encoding="utf-8")
    return path


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    with open(get_testdata_file("RG1_UNCR.dcm"), "rb") as source:  # noqa: PTH123  # a path as text
        (folder / "image.dcm").write_bytes(source.read())
    return folder


def test_a_contradicting_report_gives_the_reason_the_odds_and_the_sentence(study, report, capsys) -> None:
    assert main(["triage", str(study), "--report", str(report)]) == 0

    text = capsys.readouterr().out
    assert text.startswith("DISCREPANT   priority ")
    assert "probability of any " in text.splitlines()[0]
    chances = [int(line[4:].split("%")[0]) for line in text.splitlines() if line[:3].strip(" .").isdigit()]
    assert chances == sorted(chances, reverse=True)
    assert len(chances) > 1
    assert "the report denies it" in text
    assert 'report: "The lungs are clear"' in text


def test_json_carries_result_reading_and_detection_with_their_provenance(study, report, capsys) -> None:
    assert main(["triage", str(study), "--report", str(report), "--json"]) == 0

    values = json.loads(capsys.readouterr().out)
    assert values["result"]["outcome"] == "DISCREPANT"
    (detection,) = values["detections"]
    assert len(detection["detector"]["sha256"]) == len(values["reading"]["reader"]["sha256"]) == 64
    assert values["result"]["policy_version"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe\x00binary", "is not UTF-8"), (b" \n ", "report"), (None, "cannot read the report")],
)
def test_a_report_that_cannot_be_read_ends_with_a_message(study, tmp_path, content, message, capsys) -> None:
    path = tmp_path / "bad.txt"
    if content is not None:
        path.write_bytes(content)

    assert main(["triage", str(study), "--report", str(path)]) == 1

    assert message in capsys.readouterr().err


def test_a_file_that_is_no_dicom_file_is_told_and_passed_over(study, report, capsys) -> None:
    (study / "scores.json").write_text("{}")

    assert main(["triage", str(study), "--report", str(report)]) == 0

    said = capsys.readouterr()
    assert said.out.startswith("DISCREPANT   priority ")
    assert f"{study / 'scores.json'} is passed over" in said.err


def test_a_folder_without_a_dicom_file_is_named(tmp_path, report, capsys) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "notes.txt").write_text("nothing to see")

    assert main(["triage", str(folder), "--report", str(report)]) == 1

    assert "holds no DICOM file" in capsys.readouterr().err


def test_a_study_that_is_not_there_is_named(tmp_path, report, capsys) -> None:
    assert main(["triage", str(tmp_path / "absent"), "--report", str(report)]) == 1

    assert "there is no " in capsys.readouterr().err


def test_what_a_prior_report_calls_stable_is_named_and_not_counted(study, tmp_path, capsys) -> None:
    silent, prior = tmp_path / "silent.txt", tmp_path / "prior.txt"
    silent.write_text("FINDINGS: No rib fracture.")
    prior.write_text("FINDINGS: Stable mass. Stable fibrosis. Stable pleural thickening.")
    given = ["triage", str(study), "--report", str(silent)]
    with_prior = [*given, "--prior", "2004-08-16", str(prior)]
    assert main([*given, "--json"]) == 0
    listed = {item["finding"] for item in json.loads(capsys.readouterr().out)["result"]["discrepancies"]}

    assert main([*with_prior, "--json"]) == 0

    result = json.loads(capsys.readouterr().out)["result"]
    known = {item["discrepancy"]["finding"]: item["days_before"] for item in result["known_before"]}
    assert known["mass"] == 10.0  # 16 to 26 August
    assert set(known) | {item["finding"] for item in result["discrepancies"]} == listed

    assert main(with_prior) == 0
    assert "known before: mass, stable in the report of 10 days before" in capsys.readouterr().out


@pytest.mark.parametrize("day", ["2004-08-26", "26.8.2003", "2005-01-01"])
def test_a_prior_that_is_not_earlier_is_refused(study, report, day, capsys) -> None:
    assert main(["triage", str(study), "--report", str(report), "--prior", day, str(report)]) == 1

    assert "lie before the study's, which is 20040826" in capsys.readouterr().err


def test_another_policy_weighs_otherwise_and_is_named(study, report, tmp_path, capsys) -> None:
    policy = tmp_path / "policy.toml"
    shipped = shipped_policy_text()
    policy.write_text(shipped.replace(f'version = "{default_policy().version}"', 'version = "of the site"'))

    given = ["triage", str(study), "--report", str(report), "--json", "--policy", str(policy)]
    assert main(given) == 0
    assert json.loads(capsys.readouterr().out)["result"]["policy_version"] == "of the site"

    assert main([*given[:-1], str(tmp_path / "none.toml")]) == 1
    assert "cannot read the policy" in capsys.readouterr().err

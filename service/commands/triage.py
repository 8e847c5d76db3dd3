"""`overread triage`: one study and its report, without a store."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from models.registry_options import add_registry_options, open_registry
from overread.command import EXIT_OK, Command
from overread.errors import InvalidFileError, InvalidReportError
from overread.finding import Actionable
from overread.observation import Span
from overread.triage import TriageResult

if TYPE_CHECKING:
    from overread.comparison import PriorReport

DESCRIPTION = """\
Compares the images of one study with its report and prints where they may disagree, the likeliest first:
how probable it is, what multiplies its odds, and what the report says.

  overread triage study/ --report report.txt
  overread triage image.dcm --report - --json < report.txt
  overread triage study/ --report report.txt --prior 2025-03-14 earlier.txt

What an earlier report calls stable or chronic is set aside, as the service does with the reports that it
holds of the patient. The policy is the one that comes with overread; `overread policy show` prints the one
that a service has in force, for --policy.

Research use: not for primary diagnosis.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("study", type=Path, help="folder with the DICOM files of one study, or one file")
    parser.add_argument(
        "--report", required=True, metavar="FILE", help="report as UTF-8 text; - reads it from stdin"
    )
    parser.add_argument(
        "--prior",
        nargs=2,
        action="append",
        default=[],
        metavar=("DATE", "FILE"),
        help="report of an earlier study of the patient, with its date (YYYY-MM-DD); may be repeated",
    )
    parser.add_argument(
        "--policy", type=Path, metavar="TOML", help="in place of the one that comes with overread"
    )
    parser.add_argument("--json", action="store_true", help="print the full result as JSON, with provenance")
    add_registry_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Triage one study and print the result."""
    from models.loaded_detectors import load_detectors  # keeps `overread --help` fast
    from overread.comparison import ComparedCase, compare, read_history
    from overread.finding import load_vocabulary
    from overread.priority import default_policy, read_policy
    from overread.report import load_reader

    reader, text = load_reader(), _report_text(arguments.report)
    reading, files = reader.read(text), _files(arguments.study)
    policy = read_policy(arguments.policy) if arguments.policy else default_policy()
    history = read_history(_priors(arguments.prior, files), reader)
    kept = open_registry(arguments)
    detectors = load_detectors(kept.load(), kept.folder).active
    detections = tuple(detector.detect(files) for detector in detectors)
    case = ComparedCase(reading=reading, detections=detections, history=history)
    result = compare(case, policy, load_vocabulary()).result
    if arguments.json:
        from service.api import triage_types as types

        values = {
            "result": types.TriageResult.model_validate(result),
            "reading": types.ReportReading.model_validate(reading),
            "detections": [types.Detection.model_validate(detection) for detection in detections],
        }
        print(json.dumps(values, indent=2, default=lambda value: value.model_dump(mode="json")))
    else:
        print(describe(result, text))
    return EXIT_OK


def describe(result: TriageResult, text: str) -> str:
    """Return the result as lines for a person, with the odds factors and the report's words."""
    lines = [_summary(result)]
    if not result.discrepancies:
        lines += [f"  {reason}" for reason in result.reasons]
    for number, item in enumerate(result.discrepancies, start=1):
        lines.append(f"{number:2}. {item.probability:4.0%}  {item.reasons[0]}")
        lines += [f"      x {factor.odds_ratio:<8.3g}{factor.reason}" for factor in item.factors]
        sentences = dict.fromkeys(observation.sentence for observation in item.report_observations)
        lines += [f"      report: {_quote(text, sentence)}" for sentence in sentences]
    lines += [
        f"known before: {item.discrepancy.finding}, {item.observation.temporality.lower()} in the report of "
        f"{item.days_before:.0f} days before ({item.study_instance_uid})"
        for item in result.known_before
    ]
    return "\n".join(lines)


def _summary(result: TriageResult) -> str:
    parts = [result.outcome.value, f"priority {result.priority:.1f} of 100"]
    if result.discrepancies:
        parts.append(f"probability of any {result.probability:.0%}")
    if result.actionable is not Actionable.NONE:
        parts.append(f"communicate within {result.actionable}")
    return "   ".join(parts)


def _quote(text: str, sentence: Span) -> str:
    return '"' + " ".join(text[sentence.start : sentence.end].split()) + '"'


def _report_text(name: str) -> str:
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise InvalidFileError(f"cannot read the report {name}: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidReportError(
            f"{name} is not UTF-8 text (byte {error.start}); convert it first"
        ) from error


def _priors(given: list[list[str]], files: list[Path]) -> "tuple[PriorReport, ...]":
    """Return the earlier reports with how long before this study they were made."""
    from models.dicom import read_header  # keeps `overread --help` fast
    from models.dicom import text as element
    from overread.comparison import PriorReport, days_between

    if not given:
        return ()
    study_date = element(read_header(files[0]), "StudyDate")
    priors = []
    for day, name in given:
        days = days_between(day, study_date)
        if days is None or days <= 0:
            raise InvalidFileError(
                f"--prior {day} {name}: the date must be YYYY-MM-DD and lie before the study's, which is "
                f"{study_date or 'not stated by its images, so that no earlier report can be weighed'}"
            )
        prior = PriorReport(
            study_instance_uid=name, report_version=1, days_before=days, text=_report_text(name)
        )
        priors.append(prior)
    return tuple(priors)


def _files(study: Path) -> list[Path]:
    from models.dicom import is_dicom

    if not study.exists():
        raise InvalidFileError(f"there is no {study}; give the folder of one study or a DICOM file")
    if not study.is_dir():
        return [study]
    present = sorted(path for path in study.rglob("*") if path.is_file())
    files = [path for path in present if is_dicom(path)]
    if not files:
        raise InvalidFileError(f"{study} holds no DICOM file; give the folder of one study or a DICOM file")
    for path in sorted(set(present) - set(files)):
        sys.stderr.write(f"overread triage: {path} is passed over; it is no DICOM file\n")
    return files


command = Command(
    summary="compare one study with its report and print what disagrees",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)

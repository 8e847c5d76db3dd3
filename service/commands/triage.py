"""`overread triage`: one study and its report, without a store."""

import argparse
import json
import sys
from pathlib import Path

from models.registry_options import add_roster_options, roster_path
from overread.command import EXIT_OK, Command
from overread.errors import InvalidFileError, InvalidReportError
from overread.finding import Actionable
from overread.observation import Span
from overread.triage import TriageResult

DESCRIPTION = """\
Compares the images of one study with its report and prints where they may disagree, the likeliest first:
how probable it is, what multiplies its odds, and what the report says.

  overread triage study/ --report report.txt
  overread triage image.dcm --report - --json < report.txt

Research use: not for primary diagnosis.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("study", type=Path, help="folder with the DICOM files of one study, or one file")
    parser.add_argument(
        "--report", required=True, metavar="FILE", help="report as UTF-8 text; - reads it from stdin"
    )
    parser.add_argument("--json", action="store_true", help="print the full result as JSON, with provenance")
    add_roster_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Triage one study and print the result."""
    from models.loaded_detectors import load_lineup  # noqa: PLC0415  # keeps `overread --help` fast
    from models.registry import load_roster  # noqa: PLC0415
    from overread.finding import load_vocabulary  # noqa: PLC0415
    from overread.priority import default_policy  # noqa: PLC0415
    from overread.report import load_reader  # noqa: PLC0415
    from overread.triage import triage  # noqa: PLC0415

    text = _report_text(arguments.report)
    reading = load_reader().read(text)
    file = roster_path(arguments)
    files = _files(arguments.study)
    detectors = load_lineup(load_roster(file), file.parent).active
    detections = tuple(detector.detect(files) for detector in detectors)
    result = triage(reading, detections, default_policy(), load_vocabulary())
    if arguments.json:
        from service.store.json_format import to_json  # noqa: PLC0415

        values = {"result": to_json(result), "reading": to_json(reading), "detections": to_json(detections)}
        print(json.dumps({name: json.loads(value) for name, value in values.items()}, indent=2))
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


def _files(study: Path) -> list[Path]:
    files = sorted(path for path in study.rglob("*") if path.is_file()) if study.is_dir() else [study]
    if not files or not files[0].exists():
        raise InvalidFileError(f"{study} holds no file; give the folder of one study or a DICOM file")
    return files


command = Command(
    summary="compare one study with its report and print what disagrees",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)

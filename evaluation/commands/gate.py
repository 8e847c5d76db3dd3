"""`overread gate`: may a candidate take the place of the active release?"""

import argparse
import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from models.registry_options import add_registry_options, open_registry, release_name
from overread.command import EXIT_FAILED, EXIT_OK, Command, requested_output

if TYPE_CHECKING:  # what `run` needs is imported there
    from evaluation.gate import Judgement
    from models.gate_record import Contestant, GateRecord
    from models.registry import Entry

DESCRIPTION = """\
Lets the active release and a candidate look at the same studies and compares how well each tells apart what
the reports state. Differences are resampled by patient, in pairs. The candidate passes where it is shown not
to be worse by more than the margin; ends with status 1 where it is worse, or the cohort too small to tell.

  overread gate /models/new --cohort cohort.jsonl --images studies/ --record gate.json
  overread models activate /models/new --gate gate.json

The cohort names each study (`case`), its patient, and its report (`text` or `observations`); studies/CASE is
its folder of DICOM files, or its one file. Take studies that neither release was trained or tuned on.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("candidate", help="release folder")
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="cases, JSON Lines")
    parser.add_argument(
        "--images", type=Path, required=True, metavar="FOLDER", help="a file or folder per case"
    )
    parser.add_argument(
        "--record", type=Path, required=True, metavar="FILE", help="where to write the outcome"
    )
    parser.add_argument("--active", metavar="RELEASE", help="default: the only active one")
    parser.add_argument(
        "--margin", type=float, default=0.02, help="loss of AUC or precision that is borne (default 0.02)"
    )
    parser.add_argument("--resamples", type=int, default=2000, help="of the patients (default 2000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (default 1)")
    parser.add_argument(
        "--accept-worse", metavar="REASON", help="let it pass against the verdict; the reason is recorded"
    )
    add_registry_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare, print and record."""
    from evaluation.gate import Terms, judge  # keeps `overread --help` fast
    from evaluation.gate_cases import load_cases, run_trial
    from models.activation import sole_active
    from models.gate_record import save_gate_record
    from models.loaded_detectors import load_entry
    from models.registry import Entry
    from overread.finding import load_vocabulary
    from overread.report import load_reader

    kept = open_registry(arguments)
    named = Entry(release=release_name(arguments.active)) if arguments.active else sole_active(kept.load())
    pair = (named, Entry(release=release_name(arguments.candidate)))
    active, candidate = (load_entry(entry, kept.folder) for entry in pair)
    cases = load_cases(arguments.cohort, arguments.images, load_reader())
    trial = run_trial(
        cases,
        active,
        candidate,
        load_vocabulary(),
        progress=lambda number: _show_progress(number, len(cases)),
    )
    terms = Terms(margin=arguments.margin, resamples=arguments.resamples, seed=arguments.seed)
    judgement = judge(trial, terms)
    contestants = tuple(_contestant(entry, kept.folder) for entry in pair)
    record = _record(arguments, judgement, len(set(trial.patients)), contestants)
    with requested_output(arguments):
        save_gate_record(record, arguments.record)
    print(_describe(record))
    return EXIT_OK if record.passes else EXIT_FAILED


def _contestant(entry: "Entry", folder: Path) -> "Contestant":
    from models.gate_record import Contestant
    from models.loaded_detectors import folder_of, load_entry, manifest_sha256

    identity = load_entry(entry, folder).identity
    return Contestant(
        name=identity.name,
        version=identity.version,
        manifest_sha256=manifest_sha256(folder_of(entry.release, folder)),
    )


def _record(
    arguments: argparse.Namespace,
    judgement: "Judgement",
    patients: int,
    contestants: "tuple[Contestant, ...]",
) -> "GateRecord":
    from models.gate_record import GateRecord, Verdict

    active, candidate = contestants
    refused = judgement.verdict is not Verdict.PASSED
    return GateRecord(
        at=datetime.now(UTC),
        cohort_sha256=hashlib.sha256(arguments.cohort.read_bytes()).hexdigest(),
        patients=patients,
        seed=arguments.seed,
        resamples=arguments.resamples,
        margin=arguments.margin,
        active=active,
        candidate=candidate,
        figures=judgement.figures,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        accepted_because=arguments.accept_worse if refused else None,
    )


def _describe(record: "GateRecord") -> str:
    how = f"{record.resamples} resamples of them, seed {record.seed}, margin {record.margin:g}"
    lines = [
        f"active     {record.active.name} {record.active.version}",
        f"candidate  {record.candidate.name} {record.candidate.version}",
        f"{record.patients} patients, {how}",
        "",
        f"{'':40} {'n':>6} {'with':>6} {'active':>8} {'candid.':>8}  difference",
    ]
    for figure in record.figures:
        lead = figure.candidate - figure.active
        lines.append(
            f"{figure.name:40} {figure.cases:6} {figure.positives:6} {figure.active:8.3f} "
            f"{figure.candidate:8.3f}  {lead:+.3f} [{figure.low:+.3f}, {figure.high:+.3f}]"
        )
    lines += ["", f"{record.verdict.upper()}: {'; '.join(record.reasons)}"]
    if record.accepted_because is not None:
        lines.append(f"accepted all the same: {record.accepted_because}")
    return "\n".join(lines)


def _show_progress(number: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{number}/{total}" + ("\n" if number == total else ""))
        sys.stderr.flush()


command = Command(
    summary="compare a candidate model with the active one, and refuse a worse one",
    description=DESCRIPTION,
    configure=configure,
    run=run,
    uses_installation=True,
)

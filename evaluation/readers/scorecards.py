"""Scorecards of public sets: `python -m evaluation.readers.scorecards --data FOLDER --out FOLDER`.

Writes ratings.csv and the scorecard of all sets at hand into the folder:

  nih_readers/     five radiologists and the original report against the adjudication of five findings
  chexpert_reads/  the mean of ten published models, the three radiologists who are not part of the
                   majority, and the original report, against the majority of the other five
  chexnet_reads/   a published detector and the original report against a panel
  ctrate/          the report reader against labels that people gave to reports of chest CT
"""

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from evaluation.audit.ratings import Observer, Rating, gather, write_ratings
from evaluation.audit.scorecard import Scorecard, score
from evaluation.audit.scorecard_page import write_scorecard
from evaluation.audit.scorecard_tables import Drawing
from evaluation.chexpert import FINDINGS, chexpert_cases, read_chexpert
from evaluation.nih import MEMBERS, read_nih
from evaluation.readers.sets import csv_rows
from evaluation.reading.ctrate import CT_LABELS, is_current, labelled_reports
from overread.discrepancy import DiscrepancyKind
from overread.errors import InvalidFileError
from overread.observation import Presence
from overread.priority import default_policy
from overread.report import load_reader

NIH = ("Atelectasis", "Effusion", "Nodule", "Pneumothorax", "Consolidation")
READER, REPORT, DETECTOR = "radiologist", "original report", "detector"
_OUTSIDE_THE_MAJORITY = ("bc4", "bc6", "bc8")  # the others make the majority: they would judge themselves
_HEDGED = 0.5


def nih_ratings(folder: Path) -> Iterator[Rating]:
    """Yield five radiologists and the report; the adjudication is the reference."""
    truth = {row["Image ID"]: row for row in csv_rows(folder / "adjudicated.csv")}
    around = {row["Image Index"]: row for row in csv_rows(folder / "original_reports.csv")}
    reads = sorted(csv_rows(folder / "readers.csv"), key=lambda row: row["Reader ID"])
    numbers = {name: number for number, name in enumerate(sorted({row["Reader ID"] for row in reads}), 1)}
    for finding in NIH:
        column = finding.lower()
        for row in reads:
            image = row["Image ID"]
            yield _rating(
                (f"NIH {column}", READER, f"reader {numbers[row['Reader ID']]}"),
                (image, row["Patient ID"], truth[image][finding] == "YES"),
                float(row[finding] == "YES"),
                _circumstances(around[image]),
            )
        for image, row in around.items():
            if image in truth:
                yield _rating(
                    (f"NIH {column}", REPORT, ""),
                    (image, row["Patient ID"], truth[image][finding] == "YES"),
                    float(finding in row["Finding Labels"].split("|")),
                    _circumstances(row),
                )


def stanford_ratings(folder: Path) -> Iterator[Rating]:
    """Yield models, radiologists and report; the majority of five other radiologists is the reference."""
    files = read_chexpert(folder)
    readers = {
        name: {row["Study"]: row for row in csv_rows(folder / "readers" / f"{name}.csv")}
        for name in _OUTSIDE_THE_MAJORITY
    }
    for case in chexpert_cases(files):
        said = {item.finding: item.presence for item in case.observations}
        for column, finding in FINDINGS.items():
            name = f"Stanford {finding}"
            about = (case.case, case.patient, float(files.truth[case.case][column]) == 1)
            yield _rating((name, DETECTOR, ""), about, case.detections[0].scores[finding], {})
            yield _rating((name, REPORT, ""), about, _stated(said.get(finding)), {})
            for reader, table in readers.items():
                if case.case in table:
                    yield _rating((name, READER, reader), about, float(table[case.case][column]), {})


def panel_ratings(folder: Path) -> Iterator[Rating]:
    """Yield a detector, its outputs taken for probabilities, and the report; a panel is the reference."""
    for case in read_nih(folder / "detector_scores.csv.gz", folder / "expert_reads.csv"):
        if case.context_only:
            continue
        around = {"sex": case.sex or "", "view": case.view or ""}
        stated = {item.finding for item in case.observations}
        for item in case.adjudications:
            there = item.confirmed is (item.kind is DiscrepancyKind.POSSIBLE_MISS)
            about = (case.case, case.patient, there)
            members = MEMBERS[item.finding]
            name = f"NIH panel {item.finding.replace('_', ' ')}"
            scores = case.detections[0].probabilities
            highest = max(scores[member] for member in members if member in scores)
            yield _rating((name, DETECTOR, ""), about, highest, around, is_probability=True)
            yield _rating((name, REPORT, ""), about, float(not stated.isdisjoint(members)), around)


def report_reader_ratings(folder: Path) -> Iterator[Rating]:
    """Yield what the report reader states of chest CT reports; labels by hand are the reference."""
    reader = load_reader()
    for report in labelled_reports(folder.parent):
        observations = reader.read(report.text).observations
        for label in CT_LABELS:
            presences = {item.presence for item in observations if is_current(item, label.findings)}
            there = any(label.coded(code) for code in report.codes)
            stated = next(
                (kind for kind in (Presence.PRESENT, Presence.UNCERTAIN) if kind in presences), None
            )
            about = (report.number, report.number, there)
            yield _rating((f"CT {label.name.lower()}", "report reader", ""), about, _stated(stated), {})


def main(arguments: Sequence[str] | None = None) -> int:
    """Write ratings, tables and page, and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("OVERREAD_DATA"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=2026)
    given = parser.parse_args(arguments)
    if given.data is None:
        parser.error("give the folder of the data by --data or OVERREAD_DATA")
    known = {
        "nih_readers": nih_ratings,
        "chexpert_reads": stanford_ratings,
        "chexnet_reads": panel_ratings,
        "ctrate": report_reader_ratings,
    }
    sets = gather(
        rating
        for name, read in known.items()
        if (given.data / name).is_dir()
        for rating in read(given.data / name)
    )
    if not sets:
        raise InvalidFileError(f"{given.data} holds none of {', '.join(known)}")
    given.out.mkdir(parents=True, exist_ok=True)
    write_ratings(given.out / "ratings.csv", sets)
    card = Scorecard(
        ratings=given.out / "ratings.csv",
        marks=None,
        detector=None,
        policy=default_policy(),
        drawing=Drawing(resamples=given.resamples, seed=given.seed),
        command=shlex.join(["overread", "audit", "scorecard", "ratings.csv", "--out", given.out.name]),
    )
    score(card, given.out, _say_nothing)
    sys.stdout.write(f"{write_scorecard(given.out)}\n")
    return 0


def _say_nothing(_what: str, _count: int) -> None:
    pass


def _rating(
    observer: tuple[str, str, str],
    about: tuple[str, str, bool],
    score_: float,
    circumstances: Mapping[str, str],
    *,
    is_probability: bool = False,
) -> Rating:
    finding, test, reader = observer
    case, patient, truth = about
    return Rating(
        observer=Observer(finding=finding, test=test, reader=reader),
        case=case,
        patient=patient,
        score=score_,
        truth=truth,
        circumstances=circumstances,
        is_probability=is_probability,
    )


def _circumstances(row: Mapping[str, str]) -> Mapping[str, str]:
    return {"sex": row["Patient Gender"], "view": row["View Position"]}


def _stated(presence: Presence | None) -> float:
    return {Presence.PRESENT: 1.0, Presence.UNCERTAIN: _HEDGED}.get(presence or Presence.ABSENT, 0.0)


if __name__ == "__main__":
    sys.exit(main())

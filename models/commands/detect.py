"""`overread detect`: calibrated probabilities of single images, as a table."""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from overread.command import EXIT_FAILED, EXIT_OK, Command
from overread.errors import InputError, InvalidFileError, NotFoundError, words_of

if TYPE_CHECKING:
    from models.onnx_detector import OnnxDetector

DESCRIPTION = """\
Writes one row per image with the calibrated probability of every finding that the model knows.
Reads DICOM, PNG and JPEG; folders are searched through. A PNG or JPEG says nothing about itself, so its
pixels alone are held to what the model is meant for. An image that the model is not meant for, or that cannot
be read, has empty columns and a reason; it never stops the run. Where an image was corrected (turned,
inverted, cut to its exposed field) or looks odd, the reason says so beside its probabilities. Ends with 0 if
every file could be read, else 1.

example:
  overread detect study/ portable.png --out scores.csv
"""
STATUS_DONE, STATUS_NOT_APPLICABLE, STATUS_UNREADABLE = "scored", "not applicable", "unreadable"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="image or folder of images")
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--model", help="name of a release that comes with overread (default: the chest one)")
    parser.add_argument("--threads", type=int, default=1, help="of one inference (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    """Score every image and write the table."""
    from models.releases import load_onnx_detector  # keeps `overread --help` fast

    images = sorted(set(find_images(arguments.paths)))
    detector = load_onnx_detector(arguments.model, threads=arguments.threads)
    with _opened(arguments.out) as file:
        table = csv.writer(file)
        table.writerow(["path", "sop_instance_uid", "status", "reason", *detector.findings])
        counts = dict.fromkeys((STATUS_DONE, STATUS_NOT_APPLICABLE, STATUS_UNREADABLE), 0)
        for number, row in enumerate((score(path, detector) for path in images), start=1):
            table.writerow(row)
            counts[row[2]] += 1
            if row[2] == STATUS_UNREADABLE:
                sys.stderr.write(f"{row[0]}: {row[3]}\n")
            show_progress(sys.stderr, number, len(images))
    print(f"{arguments.out}: " + ", ".join(f"{count} {status}" for status, count in counts.items()))
    return EXIT_FAILED if counts[STATUS_UNREADABLE] else EXIT_OK


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise InvalidFileError(f"cannot write {path}: {words_of(error)}") from error


def find_images(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield every file that is named or lies in a folder that is named, hidden ones left out.

    Raises:
        NotFoundError: a path does not exist.
    """
    for path in paths:
        if path.is_dir():
            yield from (file for file in path.rglob("*") if file.is_file() and not _is_hidden(file, path))
        elif path.exists():
            yield path
        else:
            raise NotFoundError(f"there is no file or folder {path}")


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def score(path: Path, detector: "OnnxDetector") -> list[str]:
    """Return the row of one image."""
    from models.dicom import is_dicom

    dicom = is_dicom(path)
    nothing = [""] * len(detector.findings)
    try:
        detection = detector.detect([path]) if dicom else detector.detect_picture(path)
    except InputError as error:
        return [str(path), "", STATUS_UNREADABLE, str(error), *nothing]
    if detection.not_applicable is not None:
        return [str(path), "", STATUS_NOT_APPLICABLE, detection.not_applicable, *nothing]
    observations = detection.observations
    instance = observations[0].sop_instance_uid if dicom else ""
    probabilities = _numbers(observation.probability for observation in observations)
    return [str(path), instance, STATUS_DONE, "; ".join(detection.remarks), *probabilities]


def _numbers(probabilities: Iterable[float]) -> list[str]:
    return [f"{probability:.5f}" for probability in probabilities]


def show_progress(stream: TextIO, number: int, total: int) -> None:
    """Write how far it is, where a person looks on."""
    if stream.isatty():
        stream.write(f"\r{number}/{total}" + ("\n" if number == total else ""))
        stream.flush()


command = Command(
    summary="write what the model sees on single images as a table",
    description=DESCRIPTION,
    configure=configure,
    run=run,
)

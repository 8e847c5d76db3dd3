"""A recorded input of a release and what it gave: whoever installs the release can see that it still does.

The folder `recording` beside the manifest holds the input and `output.json`. An ONNX release is shown a
drawing of a chest, made here, so that no patient's image travels with it; the picture goes the whole way
through pixel pipeline, network and calibration. Others are shown DICOM files that the caller gives.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.onnx_detector import OnnxDetector
from models.parsing import Table
from models.releases import load_detector
from overread.errors import ModelError
from overread.observation import ObserverIdentity
from overread.ports import Detector

FOLDER = "recording"
DRAWING = "input.png"
OUTPUT = "output.json"
FORMAT = 1
TOLERANCE = 0.002
"""Between the same network on another processor or runtime; a change of the pixel pipeline makes more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Result of loading a release and showing it its recorded input."""

    identity: ObserverIdentity
    recorded: bool  # whether there is a recorded input at all
    largest_difference: float | None  # of a probability; None where nothing is recorded


def record(folder: Path, instances: Sequence[Path] = ()) -> Mapping[str, float]:
    """Write the recording of a release and return its output: probability by finding.

    Args:
        folder: of the release.
        instances: DICOM files of one study to show it; where there are none, an ONNX release gets a drawing.

    Raises:
        ModelError: the release cannot be loaded, needs instances, or is not meant for those given.
    """
    detector = load_detector(folder.name, folder.parent)
    recording = folder / FOLDER
    if recording.exists():
        shutil.rmtree(recording)
    recording.mkdir()
    if instances:
        for number, path in enumerate(instances, start=1):
            shutil.copyfile(path, recording / f"input-{number:04}.dcm")
    elif isinstance(detector, OnnxDetector):
        network = detector.manifest.network
        Image.fromarray(draw_chest(network.rows, network.columns)).save(recording / DRAWING, optimize=True)
    else:
        raise ModelError(f"{folder}: give DICOM files to record; only an ONNX release can be shown a drawing")
    outputs = _outputs(detector, recording)
    content = {
        "format": FORMAT,
        "tolerance": TOLERANCE,
        "inputs": {path.name: _sha256(path) for path in _inputs(recording)},
        "probabilities": {finding: round(value, 6) for finding, value in outputs.items()},
    }
    (recording / OUTPUT).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return outputs


def verify(folder: Path) -> Verification:
    """Return what a release is, having made sure that its files are intact and that it does what it did.

    Raises:
        ModelError: a file is missing or altered, or the recorded input does not give the recorded output.
    """
    detector = load_detector(folder.name, folder.parent)
    recording = folder / FOLDER
    if not (recording / OUTPUT).is_file():
        return Verification(identity=detector.identity, recorded=False, largest_difference=None)
    expected, tolerance = _read(recording)
    found = _outputs(detector, recording)
    if set(found) != set(expected):
        raise ModelError(f"{folder}: the recorded findings are not those of the release; record it anew")
    differences = {finding: abs(found[finding] - expected[finding]) for finding in expected}
    worst = max(differences, key=lambda finding: differences[finding])
    if differences[worst] > tolerance:
        raise ModelError(
            f"{folder}: the recorded input gives {worst} {found[worst]:.4f} instead of {expected[worst]:.4f} "
            f"(allowed difference {tolerance:g}); network, pixel pipeline or runtime do not do what they did"
        )
    return Verification(identity=detector.identity, recorded=True, largest_difference=differences[worst])


def draw_chest(rows: int, columns: int) -> NDArray[np.uint8]:
    """Return a drawing with the main shapes of a frontal chest radiograph; the same for the same size."""
    down, across = np.meshgrid(
        (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij"
    )

    def ellipse(middle: tuple[float, float], half: tuple[float, float]) -> NDArray[np.float64]:
        distance = np.hypot((down - middle[0]) / half[0], (across - middle[1]) / half[1])
        inside: NDArray[np.float64] = np.clip(0.5 + (1 - distance) * 8, 0, 1)
        return inside

    grey = 0.55 * ellipse((0.6, 0.5), (0.62, 0.46))
    for side in (0.31, 0.69):
        grey -= 0.4 * ellipse((0.46, side), (0.33, 0.15))
    grey += 0.3 * ellipse((0.55, 0.5), (0.6, 0.05)) + 0.25 * ellipse((0.62, 0.56), (0.17, 0.16))
    for number in range(9):  # ribs
        grey += 0.06 * ellipse((0.2 + 0.07 * number, 0.5), (0.012, 0.36))
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)


def _outputs(detector: Detector, recording: Path) -> Mapping[str, float]:
    inputs = _inputs(recording)
    if isinstance(detector, OnnxDetector) and [path.name for path in inputs] == [DRAWING]:
        return dict(zip(detector.findings, detector.probabilities(inputs[0]), strict=True))
    detection = detector.detect(inputs)
    if detection.not_applicable is not None:
        raise ModelError(f"the release is not meant for its recorded input: {detection.not_applicable}")
    return {item.finding: item.probability for item in detection.observations}


def _read(recording: Path) -> tuple[Mapping[str, float], float]:
    path = recording / OUTPUT
    try:
        table = Table(json.loads(path.read_text(encoding="utf-8")), where=str(path))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no readable JSON: {error}") from error
    if table.integer("format") != FORMAT:
        raise ModelError(f"{path} has another format than {FORMAT}")
    stated, probabilities = table.table("inputs"), table.table("probabilities")
    if {name: stated.text(name) for name in stated} != {
        item.name: _sha256(item) for item in _inputs(recording)
    }:
        raise ModelError(f"{recording}: the recorded input was altered; install the release again")
    expected = {finding: probabilities.number(finding) for finding in probabilities}
    return MappingProxyType(expected), table.number("tolerance")


def _inputs(recording: Path) -> list[Path]:
    return sorted(path for path in recording.iterdir() if path.name != OUTPUT)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

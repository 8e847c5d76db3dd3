"""Ability of the released model to tell images of other kinds.

    python -m training.unfamiliar --data PATH

Prints how unusual other images look against the radiographs of NIH ChestX-ray14 that the release was made
from: radiographs of children (Kermany et al. 2018, 224 pixels), the same against radiographs that were
reduced to 224 pixels, so that sharpness gives nothing away, and the grey images of the pydicom-data package.
The card has the same of radiographs that were left out. Intervals over patients; each of the other images
counts as one.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.onnx_detector import OnnxDetector
from models.pixels import read_stored
from models.releases import load_onnx_detector
from overread.errors import OverreadError
from training.datasets import Radiograph, read_kermany, read_nih
from training.metrics import auc_estimate

UNUSUAL_SHARE = 0.95
REDUCED_SIDE = 224
LEAST_SIDE = 100  # of an image of the package
CHESTS = "RG1_"  # the only chest radiographs among them, by their names


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("OVERREAD_DATA"))
    folder = parser.parse_args().data
    if folder is None:
        sys.exit("say where the radiographs are, with --data or OVERREAD_DATA")
    detector = load_onnx_detector()
    radiographs = read_nih(Path(folder) / "nih")
    known = _unusual(detector, (radiograph.path for radiograph in radiographs))
    with tempfile.TemporaryDirectory() as reduced:
        small = _unusual(detector, _reduced(radiographs, Path(reduced)))
    children = _unusual(detector, (found.path for found in read_kermany(Path(folder) / "kermany" / "test")))
    sys.stdout.write(f"{'':52}{'n':>6}{'above 0.95':>12}  AUC against the radiographs\n")
    sys.stdout.write(f"{'radiographs':52}{len(known):6}{_share(known):12.3f}\n")
    sys.stdout.write(f"{'radiographs, reduced to 224 pixels':52}{len(small):6}{_share(small):12.3f}\n")
    _row("radiographs of children", children, known, radiographs)
    _row("radiographs of children, against reduced ones", children, small, radiographs)
    _row("other images of pydicom-data", _unusual(detector, _other_images()), known, radiographs)


def _unusual(detector: OnnxDetector, paths: Iterable[Path]) -> NDArray[np.float64]:
    return np.array([detector.answer(path).out_of_distribution for path in paths], np.float64)


def _reduced(radiographs: Sequence[Radiograph], folder: Path) -> Iterable[Path]:
    for radiograph in radiographs:
        path = folder / f"{radiograph.name}.png"
        with Image.open(radiograph.path) as picture:
            picture.convert("L").resize((REDUCED_SIDE, REDUCED_SIDE), Image.Resampling.BILINEAR).save(path)
        yield path


def _other_images() -> Iterable[Path]:
    """Return the grey images of the pydicom-data package that can be decoded and show no chest radiograph."""
    spec = find_spec("data_store")
    if spec is None or spec.origin is None:
        sys.exit("pydicom-data is missing; install the extra: pip install 'overread[test]'")
    for path in sorted(Path(spec.origin).parent.rglob("*.dcm")):
        if path.name.startswith(CHESTS):
            continue
        try:
            stored, _ = read_stored(path)
        except OverreadError:
            continue  # broken on purpose, as many of the package are
        if stored.ndim == 2 and min(stored.shape) >= LEAST_SIDE:
            yield path


def _share(unusual: NDArray[np.float64]) -> float:
    return float((unusual > UNUSUAL_SHARE).mean())


def _row(
    name: str, others: NDArray[np.float64], known: NDArray[np.float64], radiographs: Sequence[Radiograph]
) -> None:
    scores = np.concatenate([known, others])
    foreign = np.concatenate([np.zeros(len(known)), np.ones(len(others))])
    patients = [radiograph.patient for radiograph in radiographs] + [
        f"other {at}" for at in range(len(others))
    ]
    auc = auc_estimate(scores, foreign, patients)
    sys.stdout.write(f"{name:52}{len(others):6}{_share(others):12.3f}  {auc:.3f}\n")


if __name__ == "__main__":
    main()

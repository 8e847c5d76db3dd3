"""The released network in 8 bits, for comparison: is it faster here, and what does it cost?

    python -m benchmarks.quantisation --data PATH [--calibration 100]

Quantised as `overread models quantise` does, on some radiographs of NIH ChestX-ray14. Printed: the mean AUC
over the findings on those of other patients, before and after, and their difference with a bootstrap interval
over patients. The release that comes with overread was trained on all of them, so that only the difference
says something. `benchmarks.detector` has the speed.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray

from models.pixels import network_input
from models.quantisation import quantise
from models.releases import load_onnx_detector, release_folder
from training.datasets import FINDINGS, read_nih
from training.metrics import auc_gain_estimate, mean_auc_estimate
from training.split import assign_folds
from training.targets import label_matrix

Tensor = NDArray[np.float32]
FOLDS = 4  # of the patients; the ranges are taken from one, and the others are measured


def main() -> int:
    """Quantise, score and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=os.environ.get("OVERREAD_DATA"), help="default: $OVERREAD_DATA")
    parser.add_argument("--calibration", type=int, default=100, help="radiographs to calibrate on")
    given = parser.parse_args()
    network = load_onnx_detector().manifest.network
    radiographs = read_nih(Path(given.data) / "nih")
    first = assign_folds(radiographs, FOLDS) == 0
    ranges, measured = (
        [each for each, chosen in zip(radiographs, group, strict=True) if chosen] for group in (first, ~first)
    )

    def tensor(path: Path) -> Tensor:
        return network_input(path, rows=network.rows, columns=network.columns)[None, None]

    source = release_folder() / network.file
    target = Path(tempfile.mkdtemp()) / "int8.onnx"
    calibration = [tensor(each.path) for each in ranges[: given.calibration]]
    quantise(source, target, network.input_name, calibration)
    tensors = [tensor(each.path) for each in measured]
    before, after = (_scores(path, network.scores_output, tensors) for path in (source, target))
    labels = label_matrix(measured)
    held = [at for at in range(len(FINDINGS)) if 0 < labels[:, at].mean() < 1]
    before, after, labels = before[:, held], after[:, held], labels[:, held]
    patients = [each.patient for each in measured]
    old, new = (mean_auc_estimate(scores, labels, patients).value for scores in (before, after))
    gain = auc_gain_estimate(after, before, labels, patients)
    megabytes = [path.stat().st_size / 1e6 for path in (source, target)]
    print(f"mean AUC over {len(held)} findings, n = {len(labels)}: {old:.4f} in 32 bits, {new:.4f} in 8")
    print(f"difference {gain:+.4f}; {megabytes[0]:.1f}, {megabytes[1]:.1f} MB")
    return 0


def _scores(path: Path, output: str, tensors: Sequence[Tensor]) -> Tensor:
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run([output], {name: tensor})[0] for tensor in tensors])


if __name__ == "__main__":
    sys.exit(main())

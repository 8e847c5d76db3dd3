"""The released network in 8 bits, for comparison: is it faster here, and what does it cost?

    python -m benchmarks.quantisation --data PATH [--calibration 100]

Quantised as `overread models quantise` does, on radiographs of training patients. Printed: the mean AUC over
the findings on the test patients of `overread train`, before and after, and their difference with a bootstrap
interval over patients. `benchmarks.detector` has the speed.
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
from training.metrics import gain_interval, mean_auc_interval, patient_samples
from training.recipe import Settings
from training.split import split_by_patient
from training.targets import label_matrix

Tensor = NDArray[np.float32]
ROUNDS = 1000  # of the bootstrap


def main() -> int:
    """Quantise, score and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=os.environ.get("OVERREAD_DATA"), help="default: $OVERREAD_DATA")
    parser.add_argument("--calibration", type=int, default=100, help="radiographs to calibrate on")
    given = parser.parse_args()
    settings, network = Settings(), load_onnx_detector().manifest.network
    split = split_by_patient(
        read_nih(Path(given.data) / "nih"), salt=settings.salt, test_share=settings.test_share
    )

    def tensor(path: Path) -> Tensor:
        return network_input(path, rows=network.rows, columns=network.columns)[None, None]

    source = release_folder() / network.file
    target = Path(tempfile.mkdtemp()) / "int8.onnx"
    calibration = [tensor(each.path) for each in split.training[: given.calibration]]
    quantise(source, target, network.input_name, calibration)
    tensors = [tensor(each.path) for each in split.test]
    before, after = (_scores(path, network.scores_output, tensors) for path in (source, target))
    labels = label_matrix(split.test)
    held = [at for at in range(len(FINDINGS)) if 0 < labels[:, at].mean() < 1]
    before, after, labels = before[:, held], after[:, held], labels[:, held]
    drawn = patient_samples([each.patient for each in split.test], rounds=ROUNDS, seed=1)
    old, new = (mean_auc_interval(scores, labels, drawn).value for scores in (before, after))
    gain = gain_interval(after, before, labels, drawn)
    megabytes = [path.stat().st_size / 1e6 for path in (source, target)]
    print(f"mean AUC over {len(held)} findings, n = {len(labels)}: {old:.4f} in 32 bits, {new:.4f} in 8")
    print(
        f"difference {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]; "
        f"{megabytes[0]:.1f}, {megabytes[1]:.1f} MB"
    )
    return 0


def _scores(path: Path, output: str, tensors: Sequence[Tensor]) -> Tensor:
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run([output], {name: tensor})[0] for tensor in tensors])


if __name__ == "__main__":
    sys.exit(main())

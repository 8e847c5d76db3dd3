"""A release in 8 bits: its network quantised after training, all else as it was.

Static quantisation in the QDQ form of ONNX Runtime (Jacob et al., CVPR 2018): the range of every intermediate
value is taken from radiographs. On processors with 8-bit dot products (VNNI) that is faster; on others it may
be neither faster nor as exact, so the result says how fast it is here and how far its probabilities moved.
Needs the package onnx, which is not of the runtime set.
"""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import (  # type: ignore[import-untyped]  # it ships no types
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process  # type: ignore[import-untyped]

from models.dicom import is_dicom
from models.guards import guard_for
from models.intensity import Grey
from models.library_errors import as_model_error
from models.manifest import FILE_NAME, Manifest, save_manifest
from models.network import input_tensor
from models.onnx_detector import OnnxDetector
from models.preparation import prepare_image, prepare_picture
from models.recording import record
from models.releases import ONNX, release_kind
from overread.errors import ConfigurationError, InputError, ModelError

LEAST_IMAGES = 20
ROUNDS = 7
_ROUND_SECONDS = 0.5
_ORIGIN = "quantised from"  # entry of a manifest's `training`

Tensor = NDArray[np.float32]  # (1, channels, rows, columns), or as the network's layout has it
Report = Callable[[int, int], None]  # images done, and how many there are


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A release in 8 bits beside the one in 32, on the same images."""

    speed: tuple[float, float, float]  # times as many images a second: median, lowest, highest of the rounds
    largest_difference: float  # of a probability
    mean_difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantised:
    """Result of a quantisation."""

    images: int  # that the ranges were taken from
    left_out: int  # that the model is not meant for, or that cannot be read
    megabytes: tuple[float, float]  # of the network's file, before and after
    comparison: Comparison


def quantise_release(release: Path, folder: Path, images: Sequence[Path], report: Report) -> Quantised:
    """Write a release in 8 bits into a folder, whose name becomes the release's.

    Args:
        release: folder of an ONNX release in 32 bits.
        folder: to write.
        images: DICOM, PNG or JPEG; a hundred are enough. Those that the model is not meant for are left out.
        report: told after every image.

    Raises:
        ConfigurationError: fewer than `LEAST_IMAGES` can be used, the release is in 8 bits already, or the
            folder holds one.
        ModelError: the release cannot be loaded, is no ONNX release or does not take 32-bit numbers.
    """
    if (folder / FILE_NAME).exists():
        raise ConfigurationError(f"{folder} holds a release already; name another folder or remove it")
    before = _on_cpu(release)
    if _ORIGIN in before.manifest.training:
        raise ConfigurationError(f"{release} is in 8 bits already; quantise the release that it was made of")
    prepared = list(_prepared(before.manifest, images, report))
    if len(prepared) < LEAST_IMAGES:
        raise ConfigurationError(
            f"{len(prepared)} of {len(images)} images can be used; give at least {LEAST_IMAGES}, better 100, "
            "that the model is meant for"
        )
    folder.mkdir(parents=True, exist_ok=True)
    network = before.manifest.network
    tensors = (
        input_tensor(grey[None], network.input_form, low=network.range_min, high=network.range_max)
        for grey in prepared
    )
    quantise(release / network.file, folder / network.file, network.input_name, tensors)
    _describe(before.manifest, folder, images=len(prepared))
    record(folder)
    before_file, after_file = (each / network.file for each in (release, folder))
    return Quantised(
        images=len(prepared),
        left_out=len(images) - len(prepared),
        megabytes=(before_file.stat().st_size / 1e6, after_file.stat().st_size / 1e6),
        comparison=_compare(before, _on_cpu(folder), prepared),
    )


def quantise(source: Path, target: Path, input_name: str, tensors: Iterable[Tensor]) -> None:
    """Write a network in 8 bits, the ranges of its values taken from these inputs.

    Raises:
        ModelError: the network cannot be quantised.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        with as_model_error(f"{source} cannot be quantised"):
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(target),
                _Reader(input_name, tensors),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # it ships no types
    def __init__(self, name: str, tensors: Iterable[Tensor]) -> None:
        self._left = ({name: np.ascontiguousarray(tensor)} for tensor in tensors)

    def get_next(self) -> dict[str, Tensor] | None:
        """Return the next input, or None after the last."""
        return next(self._left, None)


def _on_cpu(folder: Path) -> OnnxDetector:
    if (kind := release_kind(folder)) != ONNX:
        raise ModelError(f"{folder} is of kind {kind}; only {ONNX} can be quantised")
    return OnnxDetector(folder, provider="cpu")


def _prepared(manifest: Manifest, images: Sequence[Path], report: Report) -> Iterable[Grey]:
    guard = guard_for(manifest.intended_use)
    for number, path in enumerate(images, start=1):
        try:
            image = (prepare_image if is_dicom(path) else prepare_picture)(path, manifest, guard)
        except InputError:
            image = None
        report(number, len(images))
        if image is not None and image.pixels is not None:
            yield image.pixels


def _describe(manifest: Manifest, folder: Path, *, images: int) -> None:
    content = (folder / manifest.network.file).read_bytes()
    described = replace(
        manifest,
        name=folder.name,
        version=f"{manifest.version}-int8",
        network=replace(manifest.network, sha256=hashlib.sha256(content).hexdigest()),
        training={
            **manifest.training,
            _ORIGIN: f"{manifest.name} {manifest.version}, SHA-256 {manifest.network.sha256}",
            "ranges taken from": f"{images} images",
        },
    )
    save_manifest(described, folder)


def _compare(before: OnnxDetector, after: OnnxDetector, images: Sequence[Grey]) -> Comparison:
    rates = sorted(_rate(after, images) / _rate(before, images) for _ in range(ROUNDS))
    differences = np.abs(_probabilities(after, images) - _probabilities(before, images))
    return Comparison(
        speed=(median(rates), rates[0], rates[-1]),
        largest_difference=float(differences.max()),
        mean_difference=float(differences.mean()),
    )


def _rate(detector: OnnxDetector, images: Sequence[Grey]) -> float:
    """Return images per second."""
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < _ROUND_SECONDS:
        detector.scores(images[done % len(images)][None])
        done += 1
    return done / (time.perf_counter() - started)


def _probabilities(detector: OnnxDetector, images: Sequence[Grey]) -> NDArray[np.float64]:
    curves = [detector.manifest.calibration[finding] for finding in detector.findings]
    return np.array(
        [
            [curve.probability(float(score)) for curve, score in zip(curves, scores, strict=True)]
            for scores in (detector.scores(grey[None])[0] for grey in images)
        ]
    )

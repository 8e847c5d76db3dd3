"""The network of a release in ONNX Runtime, held to what its manifest says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.boxes import ScoredBox, boxes_of
from models.intensity import Grey
from models.io_format import InputForm
from models.library_errors import as_model_error
from models.manifest import Manifest, verify_network
from models.providers import start_session
from overread.errors import InvalidFileError, ModelError

Scores = NDArray[np.float32]  # (findings,) in [0, 1]
Maps = NDArray[np.float32]  # (findings, grid rows, grid columns)

_KINDS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Output of a network for one image."""

    scores: Scores
    maps: Maps | None  # None where the network has none
    boxes: tuple[tuple[ScoredBox, ...], ...]  # per finding; of a network that classifies, none
    unusual: float | None = None  # larger is less like what the network knows; None where it does not say


class OnnxNetwork:
    """A verified network; safe to share between threads."""

    def __init__(
        self, folder: Path, manifest: Manifest, *, threads: int, provider: str | None = None
    ) -> None:
        content = verify_network(manifest, folder)
        with as_model_error(f"{folder / manifest.network.file} cannot be loaded"):
            self._session = start_session(content, threads=threads, provider=provider)
        self._stated = manifest.network
        self._familiarity = manifest.familiarity
        self._form = manifest.network.output_form
        self._columns = list(self._form.columns_of(len(manifest.findings)))
        self._folder = folder
        self._check_names()

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what the network runs on."""
        return str(self._session.get_providers()[0])

    def run(self, image: Grey) -> Output:
        """Return what the network says of one image of the stated size.

        Raises:
            ModelError: the network's outputs are not what the manifest says.
        """
        outputs = self._outputs(image[np.newaxis])
        if self._form.boxes is not None:
            return self._boxed(outputs)
        scores = self._scores_in(outputs)
        return Output(
            scores=scores[0],
            maps=self._maps_in(outputs),
            boxes=((),) * len(self._columns),
            unusual=self._unusual_in(outputs),
        )

    def score(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores (images, findings) of prepared images (images, rows, columns), run as one batch.

        A network that takes one image at a time is asked so.

        Raises:
            InvalidFileError: the images are not of the stated size.
        """
        stated = self._stated
        if images.ndim != 3 or images.shape[1:] != (stated.rows, stated.columns):
            raise InvalidFileError(
                f"inputs must have the shape (images, {stated.rows}, {stated.columns}), not {images.shape}"
            )
        if self._form.boxes is not None:
            return np.stack([self.run(image).scores for image in images])
        if self._session.get_inputs()[0].shape[0] == 1:
            return np.concatenate([self._scores_in(self._outputs(image[np.newaxis])) for image in images])
        return self._scores_in(self._outputs(images))

    def _outputs(self, images: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        stated = self._stated
        wanted = self._wanted()
        tensor = input_tensor(images, stated.input_form, low=stated.range_min, high=stated.range_max)
        kind = _KINDS[self._session.get_inputs()[0].type]
        tensor = np.rint(tensor).astype(kind) if kind is np.uint8 else tensor.astype(kind, copy=False)
        with as_model_error(f"{self._folder}: the network refuses its input"):
            found = self._session.run(wanted, {stated.input_name: np.ascontiguousarray(tensor)})
        return dict(zip(wanted, found, strict=True))

    def _scores_in(self, outputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        names = (self._stated.scores_output, *self._form.further_scores)
        parts = [outputs[name].reshape(len(outputs[name]), -1) for name in names]
        scores = _activated(np.concatenate(parts, axis=1).astype(np.float32), self._form.activation)
        exact = self._form.columns or scores.shape[1] == len(self._columns)
        if not exact or scores.shape[1] <= max(self._columns):
            raise ModelError(f"{self._folder}: outputs {scores.shape} are not those of the manifest")
        return self._checked(scores[:, self._columns])

    def _maps_in(self, outputs: dict[str, NDArray[Any]]) -> Maps | None:
        if self._stated.maps_output is None:
            return None
        maps = outputs[self._stated.maps_output]
        if maps.ndim != 4 or maps.shape[0] != 1 or maps.shape[1] <= max(self._columns):
            raise ModelError(f"{self._folder}: maps {maps.shape} are not those of the manifest")
        if not np.isfinite(maps).all():
            raise ModelError(f"{self._folder}: maps that are no numbers")
        return maps[0, self._columns].astype(np.float32)

    def _unusual_in(self, outputs: dict[str, NDArray[Any]]) -> float | None:
        if self._familiarity is None:
            return None
        found = outputs[self._familiarity.output]
        if found.size != 1 or not np.isfinite(found).all():
            raise ModelError(f"{self._folder}: {self._familiarity.output} must be one number per image")
        return float(found.reshape(()))

    def _boxed(self, outputs: dict[str, NDArray[Any]]) -> Output:
        stated = self._stated
        found = boxes_of(
            outputs, stated, scored=lambda raw: self._checked(_activated(raw, self._form.activation))
        )
        boxes = tuple(found.get(column, ()) for column in self._columns)
        scores = np.array([max((box.score for box in of), default=0.0) for of in boxes], np.float32)
        return Output(scores=scores, maps=None, boxes=boxes, unusual=self._unusual_in(outputs))

    def _checked(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        if not ((scores >= 0) & (scores <= 1)).all():  # neither is a number that is none
            raise ModelError(f"{self._folder}: scores outside [0, 1]; does `output_form` lack an activation?")
        return scores

    def _wanted(self) -> list[str]:
        stated, boxes = self._stated, self._form.boxes
        names = [stated.scores_output, *self._form.further_scores, stated.maps_output]
        if boxes is not None:
            names += [boxes.output, boxes.labels_output]
        if self._familiarity is not None:
            names.append(self._familiarity.output)
        return [name for name in names if name is not None]

    def _check_names(self) -> None:
        inputs = {value.name: value.type for value in self._session.get_inputs()}
        outputs = {value.name for value in self._session.get_outputs()}
        if set(inputs) != {self._stated.input_name} or not set(self._wanted()) <= outputs:
            raise ModelError(
                f"{self._folder}: inputs {set(inputs)} and outputs {outputs} are not those of the manifest"
            )
        if inputs[self._stated.input_name] not in _KINDS:
            raise ModelError(
                f"{self._folder}: an input of {inputs[self._stated.input_name]} is not supported; "
                f"export the network with one of {', '.join(_KINDS)}"
            )


def input_tensor(
    images: NDArray[np.float32], form: InputForm, *, low: float = 0.0, high: float = 1.0
) -> NDArray[np.float32]:
    """Return grey images (images, rows, columns) in [0, 1] as the network takes them."""
    values = images if (low, high) == (0.0, 1.0) else images * np.float32(high - low) + np.float32(low)
    tensor = np.broadcast_to(values[:, np.newaxis], (len(values), form.channels, *values.shape[1:]))
    if (form.mean, form.std) != ((0.0,), (1.0,)):
        mean, std = (
            np.array(of, np.float32)[np.newaxis, :, np.newaxis, np.newaxis] for of in (form.mean, form.std)
        )
        tensor = (tensor - mean) / std
    return np.moveaxis(tensor, 1, 3) if form.layout == "NHWC" else tensor


def _activated(raw: NDArray[np.float32], activation: str) -> NDArray[np.float32]:
    """Return scores in [0, 1]; of softmax, over the last axis."""
    if activation == "sigmoid":
        result: NDArray[np.float32] = (1 / (1 + np.exp(-np.clip(raw, -60, 60)))).astype(np.float32)
        return result
    if activation == "softmax":
        powers = np.exp(raw - raw.max(axis=-1, keepdims=True))
        shares: NDArray[np.float32] = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
        return shares
    return raw

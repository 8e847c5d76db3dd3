"""The network of a release in ONNX Runtime, held to what its manifest says."""

from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray

from models.intensity import Grey
from models.manifest import Manifest, verify_network
from overread.errors import InvalidFileError, ModelError

Scores = NDArray[np.float32]  # (findings,) in [0, 1]
Maps = NDArray[np.float32]  # (findings, grid rows, grid columns)


class OnnxNetwork:
    """A verified network; safe to share between threads."""

    def __init__(self, folder: Path, manifest: Manifest, *, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        content = verify_network(manifest, folder)
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a class per status, with no common one
            raise ModelError(f"{folder / manifest.network.file} cannot be loaded: {error}") from error
        self._stated = manifest.network
        self._findings = len(manifest.findings)
        self._folder = folder
        self._check_names()

    def run(self, image: Grey) -> tuple[Scores, Maps]:
        """Return scores and class maps of one image of the stated size.

        Raises:
            ModelError: the network's outputs are not what the manifest says.
        """
        stated = self._stated
        scores, maps = self._session.run(
            [stated.scores_output, stated.maps_output], {stated.input_name: image[np.newaxis, np.newaxis]}
        )
        if scores.shape != (1, self._findings) or maps.ndim != 4 or maps.shape[:2] != scores.shape:
            raise ModelError(
                f"{self._folder}: outputs {scores.shape} and {maps.shape} are not those of the manifest"
            )
        if not (np.isfinite(maps).all() and ((scores >= 0) & (scores <= 1)).all()):
            raise ModelError(f"{self._folder}: scores outside [0, 1] or maps that are no numbers")
        return scores[0], maps[0]

    def score(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores (images, findings) of prepared images (images, rows, columns), run as one batch.

        Raises:
            InvalidFileError: the images are not of the stated size.
        """
        stated = self._stated
        if images.ndim != 3 or images.shape[1:] != (stated.rows, stated.columns):
            raise InvalidFileError(
                f"inputs must have the shape (images, {stated.rows}, {stated.columns}), not {images.shape}"
            )
        batch = np.ascontiguousarray(images[:, np.newaxis], dtype=np.float32)
        (scores,) = self._session.run([stated.scores_output], {stated.input_name: batch})
        found: NDArray[np.float32] = scores
        return found

    def _check_names(self) -> None:
        inputs = {value.name for value in self._session.get_inputs()}
        outputs = {value.name for value in self._session.get_outputs()}
        stated = self._stated
        if inputs != {stated.input_name} or not {stated.scores_output, stated.maps_output} <= outputs:
            raise ModelError(
                f"{self._folder}: inputs {inputs} and outputs {outputs} are not those of the manifest"
            )

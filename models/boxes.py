"""The boxes of a detection network, whichever way it writes them down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.io_format import BoxForm
from models.localisation import Box
from models.manifest import NetworkFile
from overread.errors import ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredBox:
    """A box in shares of the network's input, and how sure the network is of it."""

    box: Box
    score: float  # in [0, 1]


def boxes_of(
    outputs: Mapping[str, NDArray[Any]],
    network: NetworkFile,
    *,
    scored: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> dict[int, tuple[ScoredBox, ...]]:
    """Return the boxes of one image by class number, the surest first.

    Args:
        outputs: of the network, by name.
        network: how they are to be read.
        scored: turns the raw scores into [0, 1].

    Raises:
        ModelError: the shapes do not belong together, or a corner is no number.
    """
    form = network.output_form.boxes
    assert form is not None  # noqa: S101  # the caller asks only then
    corners = outputs[form.output].reshape(-1, outputs[form.output].shape[-1]).astype(np.float64)
    if not len(corners):
        return {}
    scores = scored(outputs[network.scores_output].reshape(len(corners), -1).astype(np.float32))
    if corners.shape[1:] != (4,) or not np.isfinite(corners).all():
        raise ModelError(f"output {form.output!r} does not hold four numbers a box")
    edges = _edges(corners, form, network)
    if form.labels_output is None:
        return {column: _sorted(edges, scores[:, column]) for column in range(scores.shape[1])}
    labels = outputs[form.labels_output].reshape(-1)
    if scores.shape != (len(labels), 1):
        raise ModelError(f"{len(labels)} labels do not belong to scores of the shape {scores.shape}")
    return {
        int(label): _sorted(edges[labels == label], scores[labels == label, 0])
        for label in set(labels.tolist())
    }


def _edges(corners: NDArray[np.float64], form: BoxForm, network: NetworkFile) -> NDArray[np.float64]:
    """Return left, top, right, bottom in shares of the input."""
    first, second = corners[:, :2], corners[:, 2:]
    if form.corners == "cxcywh":
        first, second = first - second / 2, first + second / 2
    elif form.corners == "xywh":
        second = first + second
    size = np.array([network.columns, network.rows]) if form.unit == "pixels" else np.ones(2)
    edges: NDArray[np.float64] = np.clip(np.concatenate([first / size, second / size], axis=1), 0.0, 1.0)
    return edges


def _sorted(edges: NDArray[np.float64], scores: NDArray[np.float32]) -> tuple[ScoredBox, ...]:
    order = np.argsort(-scores, kind="stable")
    return tuple(
        ScoredBox(
            box=Box(**dict(zip(("left", "top", "right", "bottom"), map(float, edges[at]), strict=True))),
            score=float(scores[at]),
        )
        for at in order
    )

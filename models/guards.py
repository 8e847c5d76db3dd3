"""Holds the pixels of an image to what a model is meant for: after the header, before the network.

An empty image and one that is no frontal chest radiograph are refused; one that is stored turned, inverted or
within a wide uniform border is corrected; one that looks like its own mirror image gets a remark, because the
heart may really lie on the right. Every judgement is made on what the network would see.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.framing import Framing
from models.intensity import Grey, resize
from models.localisation import Box
from models.manifest import FRONTAL_CHEST, IntendedUse

WEIGHTS = Path(__file__).parent / "data" / "frontal-chest.npz"

GRID = 64  # cells a side of what is judged
THUMBNAIL = 32
VERSIONS = 8  # four quarter turns, each as it is and inverted
OTHER = VERSIONS  # place of "no frontal chest radiograph" in the likelihoods

UNIFORM_RANGE = 0.04  # of the grey scale; a row or column within it belongs to a border
STRAY_CELLS = 3  # at either end of a row's values: a marker in a border does not end it
LEAST_BORDER = 0.25  # of the area; of ordinary chest radiographs one in 300 has so much, see the card

TURNED = "was turned by {}° counter-clockwise"  # before it was read

Prepare = Callable[[Framing], Grey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """An image as the network may see it, or why it may not."""

    framing: Framing
    pixels: Grey | None  # None where the image is refused
    reason: str = ""  # of the refusal, in words
    remarks: tuple[str, ...] = ()  # what was corrected or looks odd, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A perceptron with one hidden layer: standardised thumbnails in, one number each out."""

    hidden: NDArray[np.float32]  # (THUMBNAIL * THUMBNAIL, units)
    hidden_bias: NDArray[np.float32]  # (units,)
    output: NDArray[np.float32]  # (units,)
    output_bias: float

    def score(self, thumbnails: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return one number for each of (count, THUMBNAIL, THUMBNAIL)."""
        flat = thumbnails.reshape(len(thumbnails), -1)
        found: NDArray[np.float32] = (
            np.maximum(flat @ self.hidden + self.hidden_bias, 0) @ self.output + self.output_bias
        )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Knows an upright frontal chest radiograph; see the card beside the weights."""

    upright: Scorer  # high for an upright chest of the usual polarity
    situs: Scorer  # higher for a chest than for its mirror image
    sure_of_other: float  # probability from which an image is refused
    sure_of_turn: float  # probability, of a chest, from which it is turned or inverted
    sure_of_mirror: float  # probability, of an upright chest, from which it is said to look mirrored

    def likelihoods(self, pixels: Grey) -> NDArray[np.float64]:
        """Return nine probabilities: that each of the `versions` is the upright chest, and that none is."""
        logits = np.append(self.upright.score(versions(thumbnail(pixels))), np.float32(0.0)).astype(float)
        odds = np.exp(logits - logits.max())
        shares: NDArray[np.float64] = odds / odds.sum()
        return shares

    def mirror_likelihood(self, pixels: Grey) -> float:
        """Return the probability that an upright chest is stored as its mirror image."""
        small = thumbnail(pixels)
        as_it_is, flipped = self.situs.score(np.stack([small, small[:, ::-1]]))
        return float(1 / (1 + np.exp(np.clip(as_it_is - flipped, -50, 50))))

    def judge(self, pixels: Grey) -> "Judgement":
        """Return what to do about the image; only what is sure is acted on."""
        likelihoods = self.likelihoods(pixels)
        if likelihoods[OTHER] >= self.sure_of_other:
            return Judgement(quarter_turns=0, inverted=False, other=True)
        best = int(likelihoods[:VERSIONS].argmax())
        if best == 0:
            return Judgement(quarter_turns=0, inverted=False, doubtful=bool(likelihoods[OTHER] > 0.5))
        if likelihoods[OTHER] > 0.5 or likelihoods[best] < self.sure_of_turn * likelihoods[:VERSIONS].sum():
            return Judgement(quarter_turns=0, inverted=False, doubtful=True)
        return Judgement(quarter_turns=best % 4, inverted=best >= 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Changes that would make an image an upright frontal chest radiograph, where any would."""

    quarter_turns: int  # to be made, counter-clockwise
    inverted: bool  # whether black and white must change places
    other: bool = False  # it is no frontal chest radiograph
    doubtful: bool = False  # it looks odd, but not surely so

    @property
    def is_upright(self) -> bool:
        """Whether nothing has to be done."""
        return not (self.quarter_turns or self.inverted or self.other)


@cache
def load_guard(path: Path = WEIGHTS) -> Guard:
    """Return the guard with the weights of a file."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return Guard(
        upright=_scorer(arrays, "upright"),
        situs=_scorer(arrays, "situs"),
        sure_of_other=float(arrays["sure_of_other"]),
        sure_of_turn=float(arrays["sure_of_turn"]),
        sure_of_mirror=float(arrays["sure_of_mirror"]),
    )


def guard_for(use: IntendedUse) -> Guard | None:
    """Return what holds pixels to a model's intended use, or None where the model asks for nothing."""
    return load_guard() if use.appearance == FRONTAL_CHEST else None


def frame(prepare: Prepare, start: Framing, guard: Guard | None, *, mirrored: bool = False) -> Framed:
    """Return the image as the network may see it, corrected where that is sure to be right.

    Args:
        prepare: gives what the network would see under a framing.
        start: what the header says must be done.
        guard: None asks only that the image is not empty.
        mirrored: whether the header says that the patient's right is on the right of the image.
    """
    pixels = prepare(start)
    if not pixels.any():
        return Framed(framing=start, pixels=None, reason="is empty: its pixels are all alike")
    if guard is None:
        return Framed(framing=start, pixels=pixels)
    framing, remarks = start, []
    field = exposed_field(pixels)
    if field is not None:
        framing = framing.cut(field)
        pixels = prepare(framing)
        remarks.append("was cut to its exposed field: a uniform border takes a quarter of it or more")
    judgement = guard.judge(pixels)
    if not judgement.is_upright and not judgement.other:
        framing = framing.then(quarter_turns=judgement.quarter_turns, inverted=judgement.inverted)
        pixels = prepare(framing)
        remarks.append(_correction(judgement))
        judgement = guard.judge(pixels)
    if not judgement.is_upright:
        return Framed(
            framing=framing,
            pixels=None,
            reason="does not look like a frontal chest radiograph, in whichever way it is turned",
        )
    if judgement.doubtful:
        remarks.append("looks unlike an upright frontal chest radiograph, though not surely; read as it is")
    elif abs(mirrored - guard.mirror_likelihood(pixels)) >= guard.sure_of_mirror:
        remarks.append("has the heart on the patient's right: dextrocardia, or its sides are stored wrongly")
    return Framed(framing=framing, pixels=pixels, remarks=tuple(remarks))


def grid(pixels: Grey) -> Grey:
    """Return what is judged of a network's input: means of (GRID, GRID) cells."""
    rows, columns = pixels.shape
    if rows % GRID or columns % GRID:
        return resize(pixels, rows=GRID, columns=GRID)
    means: Grey = pixels.reshape(GRID, rows // GRID, GRID, columns // GRID).mean(axis=(1, 3))
    return means


def thumbnail(pixels: Grey) -> NDArray[np.float32]:
    """Return (THUMBNAIL, THUMBNAIL) cells of mean 0 and standard deviation 1; zeros if they are alike."""
    fold = GRID // THUMBNAIL
    small = grid(pixels).reshape(THUMBNAIL, fold, THUMBNAIL, fold).mean(axis=(1, 3))
    centred = small - small.mean()
    standardised: NDArray[np.float32] = (centred / max(float(centred.std()), 1e-6)).astype(np.float32)
    return standardised


def versions(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the eight versions of a thumbnail: turned by 0 to 3 quarters, then the same four inverted."""
    turned = np.stack([np.rot90(small, turns) for turns in range(4)])
    return np.concatenate([turned, -turned])


def exposed_field(pixels: Grey) -> Box | None:
    """Return what lies within the uniform borders, in shares of the image; None where they are narrow."""
    cells = grid(pixels)
    top, bottom = _margins(_is_uniform(cells))
    left, right = _margins(_is_uniform(cells.T))
    if (GRID - top - bottom) * (GRID - left - right) > (1 - LEAST_BORDER) * GRID * GRID:
        return None
    return Box(left=left / GRID, top=top / GRID, right=1 - right / GRID, bottom=1 - bottom / GRID)


def _is_uniform(cells: Grey) -> NDArray[np.bool_]:
    ordered = np.sort(cells, axis=1)
    return np.asarray(ordered[:, -1 - STRAY_CELLS] - ordered[:, STRAY_CELLS] < UNIFORM_RANGE)


def _margins(uniform: NDArray[np.bool_]) -> tuple[int, int]:
    """Return how many cells a border takes at the start and at the end; none where all are uniform.

    The cell beside it, in which border and field are mixed, is counted with it.
    """
    inside = np.flatnonzero(~uniform)
    if len(inside) < 3:
        return 0, 0
    before, after = int(inside[0]), len(uniform) - 1 - int(inside[-1])
    return before + (before > 0), after + (after > 0)


def _correction(judgement: Judgement) -> str:
    done = [TURNED.format(90 * judgement.quarter_turns)] if judgement.quarter_turns else []
    done += ["was inverted"] if judgement.inverted else []
    return f"{' and '.join(done)}: its pixels show that it is stored otherwise than it says"


def _scorer(arrays: dict[str, NDArray[np.floating]], name: str) -> Scorer:
    return Scorer(
        hidden=arrays[f"{name}_hidden"].astype(np.float32),
        hidden_bias=arrays[f"{name}_hidden_bias"].astype(np.float32),
        output=arrays[f"{name}_output"].astype(np.float32),
        output_bias=float(arrays[f"{name}_output_bias"]),
    )

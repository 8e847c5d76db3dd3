"""Accuracy of the guard, as shares with intervals, and the effect of a border on a network."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.framing import Framing
from models.guards import Guard, Judgement, exposed_field
from models.intensity import Grey, normalise, resize
from models.releases import load_onnx_detector
from overread.statistics import proportion
from training.guards.pictures import Picture

CHANGES: dict[str, tuple[int, bool]] = {  # how it is stored -> counter-clockwise turns and inversion to undo
    "inverted": (0, True),
    "turned by 90°": (1, False),
    "turned by 180°": (2, False),
    "turned by 270°": (3, False),
    "inverted and turned by 90°": (1, True),
    "inverted and turned by 180°": (2, True),
    "inverted and turned by 270°": (3, True),
}
BORDERS = (0, 255)  # grey values of the made borders


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Share with the 95 % interval of Wilson (1927)."""

    hits: int
    count: int

    def __add__(self, other: "Share") -> "Share":
        return Share(hits=self.hits + other.hits, count=self.count + other.count)

    def __str__(self) -> str:
        if not self.count:
            return "n = 0"
        return f"{self.hits}/{self.count} = {proportion(self.hits, self.count):.2%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the result."""

    subject: str
    what: str
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class BorderEffect:
    """Mean absolute change of the released network's scores by a border, over images and findings."""

    images: int
    left_alone: float
    cut: float


def measure(guard: Guard, chests: Sequence[Picture], others: Sequence[Picture]) -> list[Figure]:
    """Return every figure of one guard on pictures that it did not learn from."""
    figures = []
    for source in sorted({picture.source for picture in chests}):
        figures += _on_chests(guard, source, [picture for picture in chests if picture.source == source])
    for source in sorted({picture.source for picture in others}):
        cells = [picture.cells for picture in others if picture.source == source]
        share = _share(cells, lambda image: not _let_in(guard, image))
        figures.append(Figure(subject=source, what="refused", share=share))
    return figures


def pooled(parts: Iterable[Sequence[Figure]]) -> list[Figure]:
    """Return the figures of several guards on several sets as one, each picture counted once."""
    sums: dict[tuple[str, str], Share] = {}
    for figure in (figure for part in parts for figure in part):
        key = (figure.subject, figure.what)
        sums[key] = sums.get(key, Share(hits=0, count=0)) + figure.share
    return [Figure(subject=subject, what=what, share=share) for (subject, what), share in sums.items()]


def describe(figures: Sequence[Figure]) -> list[str]:
    """Return the figures as rows of a table."""
    return [f"| {figure.subject} | {figure.what} | {figure.share} |" for figure in figures]


def _on_chests(guard: Guard, source: str, chests: Sequence[Picture]) -> list[Figure]:
    good = [picture.cells for picture in chests]
    judged = [guard.judge(cells) for cells in good]

    def figure(what: str, hits: Iterable[bool]) -> Figure:
        found = list(hits)
        return Figure(subject=source, what=what, share=Share(hits=sum(found), count=len(found)))

    figures = [
        figure("good: refused", (each.other for each in judged)),
        figure(
            "good: wrongly turned or inverted", (not each.is_upright and not each.other for each in judged)
        ),
        figure("good: remark that it looks odd", (each.doubtful for each in judged)),
        figure("good: remark that it looks mirrored", (_looks_mirrored(guard, cells) for cells in good)),
        figure("good: cut to its field", (picture.cut for picture in chests)),
        figure("mirrored: remark", (_looks_mirrored(guard, cells[:, ::-1]) for cells in good)),
    ]
    for name, (turns, inverted) in CHANGES.items():
        stored = [_stored(picture, turns, inverted=inverted) for picture in chests]
        answers = [guard.judge(cells) for cells in stored]
        right = Judgement(quarter_turns=turns, inverted=inverted)
        figures.append(figure(f"{name}: corrected", (answer == right for answer in answers)))
        figures.append(figure(f"{name}: read as it is", (answer.is_upright for answer in answers)))
    return figures


def _stored(picture: Picture, turns: int, *, inverted: bool) -> Grey:
    """Return what a network would see of the chest if it were stored so that this must be undone."""
    return np.rot90(1 - picture.inverted if inverted else picture.cells, -turns)


def _let_in(guard: Guard, cells: Grey) -> bool:
    """Whether the network would be asked, after the correction that the guard would make."""
    judgement = guard.judge(cells)
    if judgement.is_upright or judgement.other:
        return not judgement.other
    turned = np.rot90(cells, judgement.quarter_turns)
    return guard.judge(1 - turned if judgement.inverted else turned).is_upright


def _looks_mirrored(guard: Guard, cells: Grey) -> bool:
    return guard.mirror_likelihood(cells) >= guard.sure_of_mirror


def _share(images: Iterable[Grey], test: Callable[[Grey], bool]) -> Share:
    found = [test(image) for image in images]
    return Share(hits=sum(found), count=len(found))


def border_effect(paths: Sequence[Path], *, seed: int) -> BorderEffect:
    """Return what wide uniform borders do to the scores of the released network, left alone and cut."""
    detector, random = load_onnx_detector(), np.random.default_rng(seed)
    network = detector.manifest.network

    def seen(stored: NDArray[np.uint8]) -> Grey:
        return normalise(resize(stored, rows=network.rows, columns=network.columns))

    changes: list[NDArray[np.float32]] = []
    for number, path in enumerate(paths):
        with Image.open(path) as picture:
            stored = np.asarray(picture.convert("L"))
        shares = random.uniform(0.1, 0.3, (2, 2))  # rows and columns, before and after
        widths = (shares * np.array(stored.shape)[:, np.newaxis]).astype(int)
        bordered = np.pad(stored, widths, constant_values=BORDERS[number % len(BORDERS)])
        field = exposed_field(seen(bordered))
        framing = Framing() if field is None else Framing().cut(field)
        scores = detector.scores(np.stack([seen(stored), seen(bordered), seen(framing.apply(bordered))]))
        changes.append(np.abs(scores[1:] - scores[0]).mean(axis=1))
    left_alone, cut = np.mean(changes, axis=0)
    return BorderEffect(images=len(paths), left_alone=float(left_alone), cut=float(cut))

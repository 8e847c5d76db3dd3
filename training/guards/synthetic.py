"""Made images that are no frontal chest radiographs, some of them made of chest radiographs."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.guards import GRID
from models.intensity import Grey, normalise, resize
from training.guards.pictures import Picture

FINE = 4 * GRID  # side on which a picture is drawn
Draw = Callable[[np.random.Generator], Grey]


def noise(random: np.random.Generator) -> Grey:
    """Return noise whose spectrum falls by a random power of the frequency: grain to clouds."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(FINE), np.fft.fftfreq(FINE))) + 1 / FINE
    spectrum = np.fft.fft2(random.normal(size=(FINE, FINE))) * frequency ** -random.uniform(0, 2.5)
    return _grey(np.fft.ifft2(spectrum).real)


def gradient(random: np.random.Generator) -> Grey:
    """Return a slope in any direction, bent or not, with a little grain."""
    rows, columns = np.mgrid[-1 : 1 : FINE * 1j, -1 : 1 : FINE * 1j]
    angle, bend = random.uniform(0, 2 * np.pi), random.uniform(-1, 1)
    slope = rows * np.sin(angle) + columns * np.cos(angle) + bend * (rows**2 + columns**2)
    return _grey(slope + random.normal(scale=0.02, size=slope.shape))


def ellipses(random: np.random.Generator) -> Grey:
    """Return a phantom: a bright body with darker and brighter ellipses anywhere."""
    rows, columns = np.mgrid[-1 : 1 : FINE * 1j, -1 : 1 : FINE * 1j]
    grey = np.zeros((FINE, FINE))
    for at in range(random.integers(1, 9)):
        row, column = random.uniform(-0.7, 0.7, 2) * (at > 0)
        height, width = random.uniform(0.1, 0.9, 2)
        inside = ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 < 1
        grey[inside] += random.uniform(-1, 1)
    return _grey(grey + random.normal(scale=0.05, size=grey.shape))


def stripes(random: np.random.Generator) -> Grey:
    """Return bars or a checkerboard, as in test patterns."""
    rows, columns = np.mgrid[0 : 1 : FINE * 1j, 0 : 1 : FINE * 1j]
    bars = np.sign(np.sin(2 * np.pi * random.uniform(1, 12) * columns + random.uniform(0, 6)))
    if random.random() < 0.5:
        bars = bars * np.sign(np.sin(2 * np.pi * random.uniform(1, 12) * rows + random.uniform(0, 6)))
    return _grey(bars + random.normal(scale=0.05, size=bars.shape))


def limb(random: np.random.Generator) -> Grey:
    """Return soft and hard tissue of an extremity: bright shafts within a paler band on a dark ground."""
    image = Image.new("L", (FINE, FINE), 0)
    draw = ImageDraw.Draw(image)
    middle, lean, width = random.uniform(60, 196), random.uniform(-60, 60), random.uniform(50, 130)
    draw.line((middle - lean, 0, middle + lean, FINE), fill=90, width=int(width))
    for offset in random.uniform(-0.3, 0.3, random.integers(1, 5)) * width:
        ends = sorted(random.uniform(-40, FINE + 40, 2))
        at = [(middle + offset + lean * (2 * end / FINE - 1), end) for end in ends]
        draw.line(
            [*at[0], *at[1]], fill=int(random.uniform(150, 255)), width=int(random.uniform(6, width / 3))
        )
    return _grained(image, random)


def text(random: np.random.Generator) -> Grey:
    """Return a page: lines of words, dark on white or white on dark."""
    image = Image.new("L", (FINE, FINE), 0)
    draw = ImageDraw.Draw(image)
    size = int(random.uniform(8, 24))
    for row in range(int(random.uniform(4, 40)), FINE - size, int(size * random.uniform(1.1, 2))):
        words = " ".join("x" * random.integers(1, 9) for _ in range(random.integers(1, 9)))
        draw.text((random.uniform(2, 40), row), words, fill=255, font_size=size)
    page = _grained(image, random)
    return page if random.random() < 0.5 else -page


def _grained(image: Image.Image, random: np.random.Generator) -> Grey:
    smooth = np.asarray(image, np.float32)
    return _grey(smooth + random.normal(scale=random.uniform(1, 12), size=smooth.shape))


def _grey(values: NDArray[np.floating]) -> Grey:
    grey: Grey = values.astype(np.float32)
    return grey


KINDS: dict[str, Draw] = {
    "noise": noise,
    "gradient": gradient,
    "ellipses": ellipses,
    "stripes": stripes,
    "limb": limb,
    "text": text,
}
CHEST_KINDS = ("detail", "scrambled", "shuffled", "half")


def draw_pictures(count: int, *, seed: int) -> list[Picture]:
    """Return so many made pictures of each kind."""
    random = np.random.default_rng(seed)
    return [
        _picture(f"synthetic: {name}", f"{name} {seed} {number}", draw(random))
        for name, draw in KINDS.items()
        for number in range(count)
    ]


def from_chests(radiographs: Sequence[Picture], *, seed: int) -> list[Picture]:
    """Return a picture of each kind that is made of a chest radiograph, in the group of its patient."""
    random = np.random.default_rng(seed)
    made = []
    for radiograph in radiographs:
        kind = CHEST_KINDS[random.integers(len(CHEST_KINDS))]
        made.append(_picture(f"chest: {kind}", radiograph.group, _spoil(radiograph.cells, kind, random)))
    return made


def _spoil(cells: Grey, kind: str, random: np.random.Generator) -> Grey:
    if kind == "detail":  # a window on a third of the chest: no whole lung in it
        side = int(GRID * random.uniform(0.2, 0.4))
        row, column = random.integers(0, GRID - side, 2)
        return np.ascontiguousarray(cells[row : row + side, column : column + side])
    if kind == "scrambled":  # the same spectrum, no anatomy
        spectrum = np.abs(np.fft.fft2(cells - cells.mean()))
        phases = np.angle(np.fft.fft2(random.normal(size=cells.shape)))
        return _grey(np.fft.ifft2(spectrum * np.exp(1j * phases)).real)
    if kind == "half":  # one side, or the upper or lower part, stretched
        half = cells[:, : GRID // 2] if random.random() < 0.5 else cells[: GRID * 2 // 5]
        return np.ascontiguousarray(half if random.random() < 0.5 else half[::-1, ::-1])
    parts = int(random.integers(2, 5))  # pieces in another order
    edge = GRID // parts
    pieces = [
        cells[row * edge : (row + 1) * edge, column * edge : (column + 1) * edge]
        for row in range(parts)
        for column in range(parts)
    ]
    order = random.permutation(len(pieces))
    order = order[::-1] if (order == np.arange(len(pieces))).all() else order
    rows = [np.hstack([pieces[at] for at in order[row * parts : (row + 1) * parts]]) for row in range(parts)]
    return np.vstack(rows)


def _picture(source: str, group: str, grey: Grey) -> Picture:
    small = resize(grey, rows=GRID, columns=GRID)
    return Picture(source=source, group=group, cells=normalise(small), inverted=1 - normalise(-small))

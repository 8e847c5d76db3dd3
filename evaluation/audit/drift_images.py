"""What drift of real images is seen: `python -m evaluation.audit.drift_images --data PATH`.

Radiographs of NIH ChestX-ray14 (`nih/images`), one of each of 400 patients, are prepared as for the default
detector, as they are and changed in one way each. Again and again 300 are drawn as the reference and the
other 100 are the window, of which all or a part is changed. Prints the share of windows with an alarm in
pixels and in embedding, with its interval, at the rate that was asked for.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from models.guards import guard_for
from models.preparation import prepare_picture
from models.releases import load_onnx_detector
from overread.appearance import Appearance
from overread.cohort import CohortCase
from overread.drift_columns import EMBEDDING, PIXELS, windows_of
from overread.drift_watch import Watch, alarms, changes_by_channel
from overread.report import load_reader
from overread.statistics import proportion

PATIENTS, WINDOW = 400, 100
Way = Callable[[Image.Image], Image.Image]
WAYS: Mapping[str, Way] = {
    "as they are": lambda image: image,
    "inverted": ImageOps.invert,
    "mirrored": ImageOps.mirror,
    "turned by 5 degrees": lambda image: image.rotate(5),
    "darker (gamma 1.5)": lambda image: image.point(
        [round(255 * (level / 255) ** 1.5) for level in range(256)]
    ),
    "blurred by 2 pixels": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "sharpened": lambda image: image.filter(ImageFilter.UnsharpMask(radius=2, percent=80)),
}
SHARES = (1.0, 0.2)


def appearances(paths: Sequence[Path], way: Way) -> list[Appearance | None]:
    """Return what the changed pictures look like to the default detector; None where it refuses one."""
    manifest = load_onnx_detector().manifest
    guard = guard_for(manifest.intended_use)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            changed = Path(folder) / "changed.png"
            with Image.open(path) as image:
                way(image.convert("L")).save(changed)
            found.append(prepare_picture(changed, manifest, guard).appearance)
    return found


def first_of_patients(folder: Path, random: np.random.Generator) -> list[Path]:
    """Return one image of each of PATIENTS patients; names are `<patient>_<number>`."""
    first = {path.stem.partition("_")[0]: path for path in sorted(folder.iterdir(), reverse=True)}
    chosen = random.choice(sorted(first), size=min(PATIENTS, len(first)), replace=False)
    return [first[patient] for patient in chosen]


def alarm_counts(
    usual: Sequence[Appearance | None],
    changed: Sequence[Appearance | None],
    share: float,
    watch: Watch,
    repetitions: int,
    random: np.random.Generator,
) -> dict[str, int]:
    """Return in how many of so many windows each channel alarms."""
    reader, counts = load_reader(), {PIXELS: 0, EMBEDDING: 0}
    for number in range(repetitions):
        order = random.permutation(len(usual))
        in_window = set(order[:WINDOW].tolist())
        altered = set(order[: round(share * WINDOW)].tolist())
        cases = [
            CohortCase(
                case=str(place),
                patient=str(place),
                order=int(place in in_window),
                appearance=changed[place] if place in altered else usual[place],
            )
            for place in range(len(usual))
        ]
        windows = windows_of(cases, lambda case: case.order == 1, reader, None)
        own = Watch(
            false_alarms=watch.false_alarms, permutations=watch.permutations, seed=watch.seed + 5 * number
        )
        for channel in alarms(changes_by_channel(windows, own)):
            if channel in counts:
                counts[channel] += 1
    return counts


def main() -> int:
    """Describe, compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("OVERREAD_DATA"), help="else OVERREAD_DATA"
    )
    parser.add_argument("--repetitions", type=int, default=500, help="windows without a change")
    parser.add_argument("--change-repetitions", type=int, default=50, help="of each kind")
    parser.add_argument("--false-alarms", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.data is None:
        parser.error("give the folder of the data by --data or OVERREAD_DATA")
    random = np.random.default_rng(given.seed)
    paths = first_of_patients(given.data / "nih" / "images", random)
    watch = Watch(false_alarms=given.false_alarms, permutations=499, seed=given.seed)
    usual: list[Appearance | None] = []
    for words, way in WAYS.items():
        changed = appearances(paths, way)
        usual = usual or changed
        is_usual = changed is usual
        repetitions = given.repetitions if is_usual else given.change_repetitions
        for share in SHARES[:1] if is_usual else SHARES:
            counts = alarm_counts(usual, changed, share, watch, repetitions, random)
            said = "; ".join(f"{name} {proportion(count, repetitions):.3f}" for name, count in counts.items())
            refused = sum(one is None for one in changed)
            sys.stdout.write(f"{words}, {share:.0%} of {WINDOW}: {said}; {refused} of {len(paths)} refused\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

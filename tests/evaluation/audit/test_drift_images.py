"""The measurement on real images: changed pictures are described, and the change is counted."""

import numpy as np
from PIL import Image

from evaluation.audit.drift_images import WAYS, alarm_counts, first_of_patients
from overread.appearance import EMBEDDING_SIZE, Appearance
from overread.drift_columns import EMBEDDING, PIXELS
from overread.drift_watch import Watch


def made(random: np.random.Generator) -> Appearance:
    return Appearance(
        rows=512,
        columns=512,
        measures={"mean": float(random.normal())},
        embedding=tuple(float(value) for value in random.normal(1.0, size=EMBEDDING_SIZE)),
    )


def test_a_change_is_counted_in_its_channel_and_refused_images_are_none() -> None:
    random = np.random.default_rng(2)
    usual: list[Appearance | None] = [made(random) for _ in range(160)]
    brighter = [
        Appearance(
            rows=one.rows,
            columns=one.columns,
            measures={"mean": one.measures["mean"] + 3},
            embedding=one.embedding,
        )
        for one in usual
        if one is not None
    ]
    usual[7] = None
    watch = Watch(false_alarms=0.05, permutations=99, seed=1)

    counts = alarm_counts(usual, brighter, 0.5, watch, 3, np.random.default_rng(1))

    assert counts[PIXELS] == 3
    assert counts[EMBEDDING] <= 1


def test_one_image_of_each_patient_is_taken(tmp_path) -> None:
    for name in ("1_000.jpg", "1_001.jpg", "2_000.jpg", "3_000.jpg"):
        (tmp_path / name).touch()

    chosen = first_of_patients(tmp_path, np.random.default_rng(1))
    assert {path.stem[0] for path in chosen} == {"1", "2", "3"}
    assert all(path.name.endswith("_000.jpg") for path in chosen)


def test_every_way_gives_another_picture_of_the_same_size() -> None:
    pixels = np.random.default_rng(3).integers(0, 255, size=(64, 64)).astype(np.uint8)
    image = Image.fromarray(pixels)

    for words, way in WAYS.items():
        changed = way(image)
        assert changed.size == image.size
        assert (np.asarray(changed) != pixels).any() == (words != "as they are")

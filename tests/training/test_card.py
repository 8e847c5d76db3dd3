"""The released files are those of the card: they know whom they learnt from better than the folds did."""

import os
import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from models.releases import DEFAULT_RELEASE, RELEASES, load_onnx_detector
from training.datasets import read_nih
from training.figures import measure
from training.release import evaluate
from training.split import assign_folds

SHARE = 8  # every so many radiographs: enough to tell
MARGIN = 0.02  # 0.045 when it was made


@pytest.mark.skipif(
    "OVERREAD_DATA" not in os.environ, reason="OVERREAD_DATA names no folder with NIH ChestX-ray14"
)
def test_the_release_does_better_on_what_it_learnt_from_than_the_card_says_of_folds() -> None:
    folder = Path(os.environ["OVERREAD_DATA"])
    radiographs = read_nih(folder / "nih" if (folder / "nih").is_dir() else folder)
    if str(len(radiographs)) != load_onnx_detector().manifest.training["radiographs"]:
        pytest.skip("OVERREAD_DATA holds other radiographs than the release was made from")
    stated = re.search(
        r"Mean AUC over 13 findings[^*]*\*\*([0-9.]+)", (RELEASES / DEFAULT_RELEASE / "README.md").read_text()
    )
    assert stated
    some = radiographs[::SHARE]
    mean = measure(evaluate(RELEASES / DEFAULT_RELEASE, some), assign_folds(some, 2)).mean
    assert mean.value > float(stated[1]) + MARGIN

"""The figures of the released model's card can be had again from the published data."""

import os
import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from models.releases import DEFAULT_RELEASE, RELEASES, load_onnx_detector
from training.datasets import read_nih
from training.figures import measure
from training.recipe import Settings
from training.release import evaluate
from training.split import split_by_patient


@pytest.mark.skipif(
    "OVERREAD_DATA" not in os.environ, reason="OVERREAD_DATA names no folder with NIH ChestX-ray14"
)
def test_the_mean_auc_of_the_card_is_reached_again() -> None:
    folder = Path(os.environ["OVERREAD_DATA"])
    settings = Settings()
    split = split_by_patient(
        read_nih(folder / "nih" if (folder / "nih").is_dir() else folder),
        salt=settings.salt,
        test_share=settings.test_share,
    )
    recorded = load_onnx_detector().manifest.training
    if str(len(split.test)) != recorded["test_radiographs"]:
        pytest.skip("OVERREAD_DATA holds other radiographs than the release was measured on")
    stated = re.search(
        r"Mean AUC over 13 findings[^*]*\*\*([0-9.]+)", (RELEASES / DEFAULT_RELEASE / "README.md").read_text()
    )
    assert stated
    mean = measure(evaluate(RELEASES / DEFAULT_RELEASE, split.test), split.training).mean
    assert mean.value == pytest.approx(float(stated[1]), abs=0.002)

"""What is taught blends labels, reads and radiologists, each where it has something to say."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from dataclasses import replace

from tests.training.material import write_nih
from training.datasets import ANY, FINDINGS, Box, read_nih
from training.targets import Blend, box_masks, places_known, soft_targets, standard_reads

MASS, HERNIA, OPACITY = (FINDINGS.index(name) for name in ("mass", "hernia", "opacity"))
NOTHING = Blend(reads=0.0, expert=0.0)


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory):
    return read_nih(write_nih(tmp_path_factory.mktemp("data"), patients=8))


def test_labels_alone_are_softened(radiographs) -> None:
    targets = soft_targets(radiographs, NOTHING)
    assert sorted({round(float(value), 4) for value in targets.flatten()}) == [0.03, 0.93]


def test_reads_count_by_half_where_there_are_any(radiographs) -> None:
    plain, mixed = soft_targets(radiographs, NOTHING), soft_targets(radiographs, replace(NOTHING, reads=0.5))
    unread = [at for at, found in enumerate(radiographs) if found.reads is None]
    np.testing.assert_array_equal(mixed[unread], plain[unread])
    sick = [at for at, found in enumerate(radiographs) if found.reads and ANY in found.findings]
    well = [at for at, found in enumerate(radiographs) if found.reads and ANY not in found.findings]
    # The reads tell sick from well, so calibrated to the labels they lie on their side of one half.
    read = 2 * mixed - plain
    assert (read[sick] > 0.5).all()
    assert (read[well] < 0.5).all()


def test_reads_to_imitate_have_one_scale_and_say_nothing_of_the_unread(radiographs) -> None:
    values, read = standard_reads(radiographs)
    assert list(read) == [found.reads is not None for found in radiographs]
    np.testing.assert_allclose(values[read].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(values[read].std(axis=0), 1, atol=1e-4)
    assert not values[~read].any()
    sick = [bool(found.findings) for found in radiographs]
    assert values[read & sick].min() > values[read & ~np.array(sick)].max()
    values, read = standard_reads([replace(found, reads=None) for found in radiographs])
    assert not values.any()
    assert not read.any()


def test_radiologists_count_on_what_they_looked_for(radiographs) -> None:
    targets = soft_targets(radiographs, replace(NOTHING, expert=0.5))
    sick = next(at for at, found in enumerate(radiographs) if found.expert is not None)
    assert targets[sick, MASS] == pytest.approx((0.93 + 0.95) / 2)  # they drew it
    assert targets[sick, FINDINGS.index("edema")] == pytest.approx(0.93)  # they did not look for it
    assert targets[sick, FINDINGS.index("nodule")] == pytest.approx((0.93 + 0.03) / 2)  # they saw none


def test_boxes_become_masks(radiographs) -> None:
    sick = next(found for found in radiographs if ANY in found.findings)
    (mask,) = box_masks([sick], cells=32)
    (box,) = sick.boxes
    rows = mask[MASS].nonzero()[:, 0]
    columns = mask[MASS].nonzero()[:, 1]
    assert (rows.min() / 32, (columns.max() + 1) / 32) == pytest.approx(
        (box.row_min, box.column_max), abs=0.04
    )
    assert mask.sum() == mask[MASS].sum() > 0


def test_a_consolidation_is_drawn_for_an_opacity_that_the_report_names(radiographs) -> None:
    box = Box(finding="consolidation", column_min=0.5, row_min=0.5, column_max=1.0, row_max=1.0)
    named = replace(radiographs[0], boxes=(box,), expert=None, findings=frozenset({"opacity"}))
    unnamed = replace(named, findings=frozenset())
    masks, known = box_masks([named, unnamed], cells=4), places_known([named, unnamed])
    assert masks[0, OPACITY].sum() == 4
    assert masks[1, OPACITY].sum() == 0
    assert known[:, OPACITY].tolist() == [1, 0]


def test_an_empty_mask_is_believed_only_where_somebody_looked(radiographs) -> None:
    looked = next(found for found in radiographs if found.expert is not None)
    known = places_known([looked, replace(looked, expert=None)])
    assert known[0, [MASS, FINDINGS.index("nodule"), HERNIA]].tolist() == [1, 1, 0]
    assert known[1, [MASS, FINDINGS.index("nodule"), HERNIA]].tolist() == [1, 0, 0]

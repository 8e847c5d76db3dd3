"""Training sees what it should, does the same twice, and goes on where it was interrupted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from overread.errors import ConfigurationError  # noqa: E402
from tests.training.material import write_nih  # noqa: E402
from training.augmentation import Strength, augment  # noqa: E402
from training.datasets import ANY, FINDINGS, read_nih  # noqa: E402
from training.networks import ClassMapNetwork, load_imagenet_weights  # noqa: E402
from training.recipe import Run, Settings, pointing_loss, prepare, train  # noqa: E402
from training.targets import box_masks, soft_targets  # noqa: E402

SETTINGS = Settings(side=64, epochs=2, batch_size=8)
MASS = FINDINGS.index("mass")


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory):
    return read_nih(write_nih(tmp_path_factory.mktemp("data"), patients=8))


@pytest.fixture(scope="module")
def material(radiographs):
    return prepare(radiographs, SETTINGS)


def weights(network: ClassMapNetwork) -> np.ndarray:
    return torch.cat([value.flatten().float() for value in network.state_dict().values()]).numpy()


def test_the_published_weights_fit_and_see_structure() -> None:
    network = ClassMapNetwork(3, dropout=0.0)
    load_imagenet_weights(network)
    logits, maps = network.eval()(torch.rand(2, 1, 64, 64))
    assert maps.shape == (2, 3, 2, 2)
    torch.testing.assert_close(logits, maps.mean(dim=(2, 3)))
    assert not torch.allclose(maps[0], maps[1])


def test_labels_are_smoothed_and_reads_are_moved_to_their_prevalence(radiographs) -> None:
    plain = soft_targets(radiographs, smoothing=0.1, reads_weight=0.0)
    assert sorted({float(value) for value in plain.flatten()}) == pytest.approx([0.05, 0.95])
    mixed = soft_targets(radiographs, smoothing=0.1, reads_weight=0.5)
    unread = [at for at, found in enumerate(radiographs) if found.reads is None]
    np.testing.assert_array_equal(mixed[unread], plain[unread])
    sick = next(at for at, found in enumerate(radiographs) if found.reads and ANY in found.findings)
    # Log odds of the reads: ln(0.2/0.8) = -1.386 for the sick half, ln(0.01/0.99) = -4.595 for the other;
    # their mean goes to even odds, so the sick read +1.604 or 0.8326; the label is 0.95.
    assert mixed[sick, MASS] == pytest.approx((0.95 + 0.8326) / 2, abs=1e-3)


def test_boxes_become_masks(radiographs) -> None:
    sick = next(found for found in radiographs if ANY in found.findings)
    (mask,) = box_masks([sick], cells=32)
    (box,) = sick.boxes
    rows, columns = torch.nonzero(mask[MASS], as_tuple=True)
    assert (rows.min() / 32, (columns.max() + 1) / 32) == pytest.approx(
        (box.row_min, box.column_max), abs=0.04
    )
    assert mask.sum() == mask[MASS].sum() > 0


def test_masks_move_with_their_image() -> None:
    images = torch.zeros(16, 1, 64, 64)
    images[:, :, 8:24, 40:56] = 1.0
    masks = torch.zeros(16, 1, 32, 32)
    masks[:, :, 4:12, 20:28] = 1.0
    gentle = Strength(gamma=0, contrast=0, brightness=0, noise=0)
    moved, moved_masks = augment(images, masks, gentle, torch.Generator().manual_seed(4))
    expected = torch.nn.functional.avg_pool2d(moved, 2)
    assert (expected - moved_masks).abs().mean() < 0.02
    columns = moved[:, 0].sum(dim=1).argmax(dim=1)
    assert (columns < 32).any()
    assert (columns > 32).any()  # some are mirrored, some are not


def test_pointing_costs_nothing_inside_the_box_and_much_outside() -> None:
    masks = torch.zeros(1, 2, 32, 32)
    masks[0, 0, :8, :8] = 1
    inside, outside = torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8)
    inside[0, 0, 0, 0] = outside[0, 0, 7, 7] = 20.0
    assert pointing_loss(inside, masks) < 0.01
    assert pointing_loss(outside, masks) > 5
    assert pointing_loss(outside, torch.zeros_like(masks)) == 0


def test_the_same_seed_trains_the_same_network(material) -> None:
    trained = []
    for settings in (SETTINGS, SETTINGS, replace(SETTINGS, seed=1)):
        run = Run(material, settings)
        run.train_epoch()
        trained.append(weights(run.network))
    np.testing.assert_array_equal(trained[0], trained[1])
    assert np.abs(trained[0] - trained[2]).max() > 1e-4


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(material, tmp_path: Path) -> None:
    whole = train(Run(material, SETTINGS), tmp_path / "whole", lambda progress: None)
    first = Run(material, SETTINGS)
    first.train_epoch()
    first.save(tmp_path / "cut")
    epochs: list[int] = []
    rest = train(Run(material, SETTINGS), tmp_path / "cut", lambda progress: epochs.append(progress.epoch))
    assert epochs == [2]
    np.testing.assert_array_equal(weights(whole), weights(rest))


def test_a_checkpoint_of_other_settings_is_refused(material, tmp_path) -> None:
    Run(material, SETTINGS).save(tmp_path / "checkpoint")
    with pytest.raises(ConfigurationError, match="other settings"):
        Run(material, replace(SETTINGS, seed=1)).restore(tmp_path / "checkpoint")


def test_frozen_layers_stay_as_they_were_published(material) -> None:
    run = Run(material, SETTINGS)
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.train_epoch()
    changed = {
        name for name, value in run.network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert not any(name.startswith(("stem.", "blocks.0.", "blocks.2.")) for name in changed)
    assert any(name.startswith("blocks.3.") for name in changed)

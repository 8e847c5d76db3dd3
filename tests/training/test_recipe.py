"""Training sees what it should, does the same twice, and goes on where it was interrupted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from overread.errors import ConfigurationError  # noqa: E402
from tests.training.material import write_nih  # noqa: E402
from training.augmentation import Strength, augment, warp  # noqa: E402
from training.datasets import ANY, FINDINGS, read_nih  # noqa: E402
from training.folds import open_views, prepare  # noqa: E402
from training.networks import ChestNetwork, load_imagenet_weights, pool_places  # noqa: E402
from training.recipe import Kind, Material, Run, Settings, mix, place_loss, train  # noqa: E402
from training.views import MIRRORED, UNCHANGED, load_images  # noqa: E402

SETTINGS = Settings(side=64, epochs=2, batch_size=8, views=2, folds=2)
DEPTH = 6
PLAIN = Kind(frozen_blocks=DEPTH, imitation_weight=0.5, imitates=False)


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory):
    return read_nih(write_nih(tmp_path_factory.mktemp("data"), patients=8))


@pytest.fixture(scope="module")
def views(radiographs, tmp_path_factory):
    return open_views(radiographs, SETTINGS, tmp_path_factory.mktemp("views"), frozen_blocks=DEPTH)


@pytest.fixture(scope="module")
def material(radiographs, views):
    return prepare(radiographs, SETTINGS, views, left_out=None)


def start(material: Material, settings: Settings = SETTINGS, kind: Kind = PLAIN) -> Run:
    return Run(material, settings, kind=kind, seed=settings.seed)


def weights(network: ChestNetwork) -> np.ndarray:
    return torch.cat([value.flatten().float() for value in network.state_dict().values()]).numpy()


def test_the_published_weights_fit_and_see_structure() -> None:
    network = ChestNetwork(3, dropout=0.0)
    load_imagenet_weights(network)
    images = torch.rand(2, 1, 64, 64)
    reading = network.eval()(images)
    assert reading.maps.shape == (2, 3, 4, 4)
    assert reading.logits.shape == reading.pooled.shape == (2, 3)
    torch.testing.assert_close(network.tail(network.trunk(images)).logits, reading.logits)
    assert not torch.allclose(reading.embedding[0], reading.embedding[1])


def test_pooling_lies_between_the_mean_and_the_largest_place() -> None:
    maps = torch.zeros(1, 1, 4, 4)
    assert pool_places(maps).item() == pytest.approx(0, abs=1e-6)
    maps[0, 0, 1, 2] = 5.0
    assert 5 / 16 < pool_places(maps).item() < 5.0


def test_masks_move_with_their_image() -> None:
    images = torch.zeros(16, 1, 64, 64)
    images[:, :, 8:24, 40:56] = 1.0
    masks = torch.zeros(16, 1, 32, 32)
    masks[:, :, 4:12, 20:28] = 1.0
    gentle = Strength(gamma=0, contrast=0, brightness=0, noise=0)
    moved, transforms = augment(images, gentle, torch.Generator().manual_seed(4))
    expected = torch.nn.functional.avg_pool2d(moved, 2)
    assert (expected - warp(masks, transforms)).abs().mean() < 0.02
    columns = moved[:, 0].sum(dim=1).argmax(dim=1)
    assert (columns < 32).any()
    assert (columns > 32).any()  # some are mirrored, some are not


def test_views_are_what_the_frozen_layers_see_and_stay_as_they_are(radiographs, views, tmp_path) -> None:
    network = ChestNetwork(3, dropout=0.0, frozen_blocks=DEPTH)
    load_imagenet_weights(network)
    images = load_images(radiographs[:2], side=64).float() / 255
    with torch.inference_mode():
        plain, flipped = network.eval().trunk(images), network.trunk(images.flip(3))
    for view, expected in ((UNCHANGED, plain), (MIRRORED, flipped)):
        stored = views.batch(np.full(2, view), np.arange(2))
        torch.testing.assert_close(stored, expected, atol=5e-3, rtol=5e-3)
    again = open_views(radiographs, SETTINGS, tmp_path, frozen_blocks=DEPTH)
    np.testing.assert_array_equal(again.features, views.features)
    other = open_views(radiographs, replace(SETTINGS, seed=1), tmp_path, frozen_blocks=DEPTH)
    assert not np.array_equal(other.features[2], views.features[2])


def test_masks_of_the_mirrored_view_are_mirrored(views) -> None:
    masks = torch.zeros(1, 1, 64, 64)
    masks[0, 0, :16, :16] = 1
    moved = views.masks(masks, np.array([0]), cells=4)
    assert moved[UNCHANGED, 0, 0, 0].tolist() == [1, 0, 0, 0]
    assert moved[MIRRORED, 0, 0, 0].tolist() == [0, 0, 0, 1]


def test_places_cost_nothing_where_they_are_right_and_much_where_they_are_not() -> None:
    masks = torch.zeros(1, 2, 8, 8)
    masks[0, 0, :4, :4] = 1
    right = torch.where(masks > 0, 20.0, -20.0)
    wrong = right.flip(3)
    known = torch.tensor([[1.0, 0.0]])
    assert place_loss(right, masks, known) < 0.05
    assert place_loss(wrong, masks, known) > 5
    assert place_loss(wrong, masks, torch.zeros(1, 2)) == 0  # nobody looked


def test_a_fold_left_out_is_neither_chosen_nor_taught(radiographs, views) -> None:
    others = [prepare(radiographs, SETTINGS, views, left_out=fold) for fold in range(2)]
    assert sorted(np.concatenate([each.chosen for each in others])) == list(range(len(radiographs)))
    for each in others:
        left_out = np.setdiff1d(np.arange(len(radiographs)), each.chosen)
        assert not each.targets[left_out].any()


def test_the_same_seed_trains_the_same_network(material) -> None:
    trained = []
    for seed in (1, 1, 2):
        run = Run(material, SETTINGS, kind=PLAIN, seed=seed)
        run.train_epoch()
        trained.append(weights(run.network))
    np.testing.assert_array_equal(trained[0], trained[1])
    assert np.abs(trained[0] - trained[2]).max() > 1e-4


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(material, tmp_path: Path) -> None:
    whole = train(start(material), tmp_path / "whole", lambda progress: None)
    first = start(material)
    first.train_epoch()
    first.save(tmp_path / "cut")
    epochs: list[int] = []
    rest = train(start(material), tmp_path / "cut", lambda progress: epochs.append(progress.epoch))
    assert epochs == [2]
    np.testing.assert_array_equal(weights(whole), weights(rest))


def test_a_checkpoint_of_other_settings_is_refused(material, tmp_path) -> None:
    start(material).save(tmp_path / "checkpoint")
    with pytest.raises(ConfigurationError, match="other settings"):
        start(material, replace(SETTINGS, seed=1)).restore(tmp_path / "checkpoint")


def test_frozen_layers_stay_as_they_were_published(material) -> None:
    run = start(material)
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.train_epoch()
    changed = {
        name for name, value in run.network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert not any(name.startswith(("stem.", "blocks.0.", "blocks.5.")) for name in changed)
    assert any(name.startswith("blocks.6.") for name in changed)


def test_what_is_imitated_counts_as_much_as_what_labels_teach_or_not_at_all(material) -> None:
    shares = []
    for imitates in (True, False):
        run = start(material, kind=replace(PLAIN, imitates=imitates))
        run.train_epoch()
        network = run.trained_network()
        shares.append(network.imitated_share.numpy())
        said = network(torch.rand(3, 1, 64, 64))
        taught = said.logits - network.imitated_share * said.imitated
        torch.testing.assert_close(taught, network.classifier(said.embedding))
    any_abnormality = FINDINGS.index(ANY)
    assert shares[0][any_abnormality] == 0
    assert (np.delete(shares[0], any_abnormality) > 0).all()
    assert not shares[1].any()


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_nothing_is_imitated_where_nothing_was_read_or_asked_for(material, weight) -> None:
    unread = replace(material, read=np.zeros_like(material.read)) if weight else material
    run = start(unread, kind=replace(PLAIN, imitation_weight=weight, imitates=bool(weight)))
    before = run.network.imitator.weight.clone()
    run.train_epoch()
    assert not run.trained_network().imitated_share.any()
    torch.testing.assert_close(run.network.imitator.weight, before, atol=1e-3, rtol=0.05)


def test_the_read_are_blended_with_the_read(material) -> None:
    marked = replace(material, reads=torch.from_numpy(material.read).float()[:, None].repeat(1, 2))
    chosen = np.flatnonzero(material.placed < 0)
    features = torch.arange(len(chosen)).float().view(-1, 1, 1, 1)
    mixed = mix(marked, features, chosen, replace(SETTINGS, mixed_share=1.0), np.random.default_rng(1))
    assert (mixed.features != features).any()
    torch.testing.assert_close(mixed.reads, marked.reads[torch.from_numpy(chosen)])

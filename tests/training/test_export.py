"""What is exported says what the trained networks say, each seeing the image its own way round."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from models.onnx_export import round_weights  # noqa: E402
from training.export import INPUT, export_onnx  # noqa: E402
from training.networks import ChestNetwork, load_imagenet_weights  # noqa: E402
from training.unusual import Unusualness  # noqa: E402


def networks(depths: tuple[int, ...]) -> list[ChestNetwork]:
    made = []
    for seed, depth in enumerate(depths):
        torch.manual_seed(seed)
        network = ChestNetwork(3, dropout=0.0, frozen_blocks=depth)
        load_imagenet_weights(network)
        network.imitated_share.fill_(0.5 * (seed % 2))
        round_weights(network)
        made.append(network.eval())
    return made


@pytest.mark.parametrize("depths", [(6,), (2, 2, 6, 6, 6)])
def test_the_file_says_the_mean_of_what_the_networks_say(tmp_path: Path, depths: tuple[int, ...]) -> None:
    trained = networks(depths)
    width = trained[-1].trunk(torch.zeros(1, 1, 64, 64)).shape[1] * 4
    distance = Unusualness(np.zeros(width), np.eye(width))
    export_onnx(trained, distance, tmp_path / "network.onnx", side=64)
    images = torch.rand(2, 1, 64, 64)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    scores, maps, unusual = session.run(None, {INPUT: images.numpy()})

    said = [network(images.flip(3) if at % 2 else images) for at, network in enumerate(trained)]
    with torch.inference_mode():
        logits = torch.stack([reading.logits for reading in said]).mean(dim=0)
        turned = [reading.maps.flip(3) if at % 2 else reading.maps for at, reading in enumerate(said)]
        expected = torch.stack(turned).mean(dim=0)
        features = trained[-1].trunk(images)
    np.testing.assert_allclose(scores, torch.sigmoid(logits), atol=1e-4)
    np.testing.assert_allclose(maps, expected, atol=1e-3)
    np.testing.assert_allclose(unusual, distance(features), rtol=1e-3)

"""The published ResNet-50 at 512 pixels becomes a release that gives what their own network gives."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from models.pixels import read_stored
from models.placement import prepare
from models.releases import load_onnx_detector
from models.torchxrayvision.convert import convert
from models.torchxrayvision.published import find_set
from overread.errors import ModelError
from tests.models.torchxrayvision.material import set_statistics

SET = "resnet50-res512-all"
SIDE = 512


class Bottleneck(nn.Module):
    """He et al., CVPR 2016, with the stride in the middle; the names are those of torchvision."""

    def __init__(self, inputs: int, width: int, *, stride: int) -> None:
        super().__init__()
        outputs = width * 4
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, image: Tensor) -> Tensor:
        hidden = torch.relu(self.bn1(self.conv1(image)))
        hidden = self.bn3(self.conv3(torch.relu(self.bn2(self.conv2(hidden)))))
        return torch.relu(hidden + (image if self.downsample is None else self.downsample(image)))


class ResNet50(nn.Module):
    """ResNet-50 for one channel and 18 outputs, as the library builds it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        self.bn1, self.maxpool = nn.BatchNorm2d(64), nn.MaxPool2d(3, stride=2, padding=1)
        inputs = 64
        for at, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=1):
            layer = nn.Sequential()
            for block in range(blocks):
                layer.append(Bottleneck(inputs, width, stride=2 if at > 1 and block == 0 else 1))
                inputs = width * 4
            self.add_module(f"layer{at}", layer)
        self.fc = nn.Linear(inputs, 18)

    def forward(self, image: Tensor) -> Tensor:
        features = self.maxpool(torch.relu(self.bn1(self.conv1(image))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            features = layer(features)
        return torch.sigmoid(self.fc(features.mean(dim=(2, 3))))


@pytest.fixture(scope="module")
def network() -> ResNet50:
    torch.manual_seed(12)
    network = ResNet50()
    set_statistics(network)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, Bottleneck):
                module.bn3.weight *= 0.3
        network.conv1.weight *= 1e-3  # its input runs to 1024
        network.fc.weight *= 8
    return network.eval()


@pytest.fixture(scope="module")
def release(network, tmp_path_factory):
    """A release of the file as it is published: the tensors alone."""
    folder = tmp_path_factory.mktemp("resnet")
    torch.save(network.state_dict(), folder / "state.pt")
    convert(folder / "state.pt", folder / "xrv-resnet", published=SET)
    return folder / "xrv-resnet"


def test_a_picture_gets_the_scores_of_their_network(network, release, tmp_path) -> None:
    detector = load_onnx_detector(release.name, release.parent)
    columns = find_set(SET).columns
    pixels = np.random.default_rng(4).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    grey, _ = prepare(*read_stored(tmp_path / "a.png"), detector.manifest.network)
    found = detector.scores(grey[None])[0]
    scaled = (2 * (pixels.astype(np.float32) / 255) - 1) * 1024
    with torch.inference_mode():
        scores = network(torch.from_numpy(scaled)[None, None])[0].numpy()
    expected = [float(scores[columns[finding]]) for finding in detector.findings]
    assert max(expected) - min(expected) > 0.2  # they differ, so that a wrong order would show
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_release_says_what_it_is_and_leaves_out_what_has_no_threshold(release) -> None:
    manifest = load_onnx_detector(release.name, release.parent).manifest
    assert manifest.training["converted from"] == SET
    assert (manifest.network.rows, manifest.network.columns) == (SIDE, SIDE)
    assert not {"lung_lesion", "mediastinal_widening"} & set(manifest.findings)
    assert len(manifest.findings) == 15  # Infiltration and Lung Opacity are one finding here


def test_the_weights_of_another_network_are_refused(network, tmp_path) -> None:
    torch.save(network.state_dict(), tmp_path / "state.pt")
    with pytest.raises(ModelError, match="other weights than the set all needs: a DenseNet-121"):
        convert(tmp_path / "state.pt", tmp_path / "release", published="all")

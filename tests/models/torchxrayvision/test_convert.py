"""Published weights become a release that gives what their own network gives."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from pydicom.dataset import Dataset
from torch import Tensor, nn
from torch.nn import functional

from models.pixels import read_stored
from models.placement import prepare
from models.releases import load_onnx_detector
from models.torchxrayvision.convert import convert
from models.torchxrayvision.published import find_set, load_sets
from models.torchxrayvision.weights import read_weights
from overread.errors import ConfigurationError, ModelError
from overread.finding import load_vocabulary
from overread.observation import Presence
from tests.models.radiographs import write_radiograph
from tests.models.torchxrayvision.material import set_statistics

pytestmark = pytest.mark.slow


class _DenseLayer(nn.Sequential):
    """Huang et al., CVPR 2017: 1 x 1 then 3 x 3, the input kept; the names are those of torchvision."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.add_module("norm1", nn.BatchNorm2d(channels))
        self.add_module("relu1", nn.ReLU(inplace=True))
        self.add_module("conv1", nn.Conv2d(channels, 128, 1, bias=False))
        self.add_module("norm2", nn.BatchNorm2d(128))
        self.add_module("relu2", nn.ReLU(inplace=True))
        self.add_module("conv2", nn.Conv2d(128, 32, 3, padding=1, bias=False))

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([image, super().forward(image)], 1)


class _DenseBlock(nn.Sequential):
    pass


class _Transition(nn.Sequential):
    pass


class DenseNet(nn.Module):
    """DenseNet-121 for one channel and 18 outputs, as the library builds it."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False))
        self.features.add_module("norm0", nn.BatchNorm2d(64))
        self.features.add_module("relu0", nn.ReLU(inplace=True))
        self.features.add_module("pool0", nn.MaxPool2d(3, stride=2, padding=1))
        channels = 64
        for at, layers in enumerate((6, 12, 24, 16), start=1):
            block = _DenseBlock()
            for layer in range(layers):
                block.add_module(f"denselayer{layer + 1}", _DenseLayer(channels + layer * 32))
            self.features.add_module(f"denseblock{at}", block)
            channels += layers * 32
            if at < 4:
                transition = _Transition()
                transition.add_module("norm", nn.BatchNorm2d(channels))
                transition.add_module("relu", nn.ReLU(inplace=True))
                transition.add_module("conv", nn.Conv2d(channels, channels // 2, 1, bias=False))
                transition.add_module("pool", nn.AvgPool2d(2, stride=2))
                self.features.add_module(f"transition{at}", transition)
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, 18)

    def forward(self, image: Tensor) -> Tensor:
        features = functional.relu(self.features(image))
        return torch.sigmoid(self.classifier(functional.adaptive_avg_pool2d(features, 1).flatten(1)))


@pytest.fixture(scope="module")
def network() -> DenseNet:
    torch.manual_seed(11)
    network = DenseNet()
    set_statistics(network)
    with torch.no_grad():
        network.features.conv0.weight *= 1e-3  # its input runs to 1024
        network.classifier.weight *= 8
    return network.eval()


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    """The file as it is published: a pickled module of the library's classes."""
    library = ModuleType("torchxrayvision.models")
    classes = (DenseNet, _DenseLayer, _DenseBlock, _Transition)
    own = [found.__module__ for found in classes]
    for found in classes:
        setattr(library, found.__name__, found)
        found.__module__ = library.__name__
    sys.modules |= {"torchxrayvision": ModuleType("torchxrayvision"), library.__name__: library}
    path = tmp_path_factory.mktemp("weights") / "all.pt"
    torch.save(network, path)
    for found, name in zip(classes, own, strict=True):
        found.__module__ = name
    del sys.modules["torchxrayvision"], sys.modules[library.__name__]
    return path


@pytest.fixture(scope="module")
def release(weights, tmp_path_factory):
    folder = tmp_path_factory.mktemp("releases") / "xrv-all"
    convert(weights, folder, published="all")
    return folder


@pytest.fixture(scope="module")
def detector(release):
    return load_onnx_detector(release.name, release.parent)


def expected_scores(network, pixels, detector) -> list[float]:
    """Return what the library does with an 8-bit image of 224 x 224: -1024 to 1024, sigmoid."""
    scaled = (2 * (pixels.astype(np.float32) / 255) - 1) * 1024
    with torch.inference_mode():
        scores = network(torch.from_numpy(scaled)[None, None])[0].numpy()
    columns = find_set("all").columns
    return [float(scores[columns[finding]]) for finding in detector.findings]


def test_a_picture_gets_the_scores_of_their_network(network, detector, tmp_path) -> None:
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (224, 224), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.png")
        grey, _ = prepare(*read_stored(tmp_path / "a.png"), detector.manifest.network)
        found = detector.scores(grey[None])[0]
        expected = expected_scores(network, pixels, detector)
        assert max(expected) - min(expected) > 0.2  # they differ, so that a wrong order would show
        assert found == pytest.approx(expected, abs=1e-4)


def test_a_dicom_image_is_cut_to_its_middle_square_and_seen_through_its_window(network, detector) -> None:
    square = np.random.default_rng(7).integers(0, 256, (224, 224), dtype=np.uint8)
    wide = np.pad(square, ((0, 0), (40, 40)))
    header = Dataset()
    header.PhotometricInterpretation = "MONOCHROME2"
    header.WindowCenter, header.WindowWidth = 128, 256
    grey, placement = prepare(wide, header, detector.manifest.network)
    assert detector.scores(grey[None])[0] == pytest.approx(
        expected_scores(network, square, detector), abs=1e-4
    )
    assert (placement.framing.field.left, placement.framing.field.right) == pytest.approx(
        (40 / 304, 264 / 304)
    )


def test_the_published_threshold_is_a_probability_of_one_half(detector) -> None:
    known = find_set("all")
    for finding in detector.findings:
        curve = detector.manifest.calibration[finding]
        assert curve.probability(known.thresholds[finding]) == pytest.approx(0.5, abs=1e-4)
        assert curve.prevalence is None


def test_the_maps_average_to_the_logits(detector, network) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (224, 224), dtype=np.uint8)
    output = detector._network.run((pixels / 255).astype(np.float32))
    scores = 1 / (1 + np.exp(-output.maps.mean(axis=(1, 2))))
    assert scores == pytest.approx(output.scores, abs=1e-4)


def test_a_radiograph_is_observed_with_a_heat_map(detector, tmp_path) -> None:
    pixels = np.random.default_rng(3).integers(0, 4096, (400, 300), dtype=np.uint16)
    pixels[:] = np.linspace(0, 4000, 300).astype(np.uint16)
    detection = detector.detect([write_radiograph(tmp_path / "a.dcm", pixels)])
    if detection.not_applicable is None:  # the guards may know better than to take a ramp for a chest
        assert {found.presence for found in detection.observations} <= {Presence.PRESENT, Presence.ABSENT}
        assert all(found.heat_map is not None for found in detection.observations)


def test_a_state_of_the_network_is_taken_as_well_as_the_module(network, weights, tmp_path) -> None:
    torch.save(network.state_dict(), tmp_path / "state.pt")
    state, module = read_weights(tmp_path / "state.pt"), read_weights(weights)
    assert set(state) == set(module)
    assert all(torch.equal(state[name], module[name]) for name in state)


class _Malicious:
    def __reduce__(self):
        return (exec, ("raise SystemExit('it ran')",))


def test_nothing_that_the_file_names_is_run(tmp_path) -> None:
    torch.save(_Malicious(), tmp_path / "evil.pt")
    with pytest.raises(ModelError, match="holds no weights"):
        read_weights(tmp_path / "evil.pt")


def test_other_weights_an_unknown_set_and_a_full_folder_are_refused(release, weights, tmp_path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
    with pytest.raises(ModelError, match="other weights"):
        convert(tmp_path / "other.pt", tmp_path / "release")
    with pytest.raises(ModelError, match="no set of weights 'best'"):
        convert(weights, tmp_path / "release", published="best")
    with pytest.raises(ConfigurationError, match="a release already"):
        convert(weights, release)


def test_every_set_names_findings_of_the_vocabulary_and_outputs_once() -> None:
    densenets = ["all", "nih", "pc", "chex", "rsna", "mimic_nb", "mimic_ch"]
    assert list(load_sets()) == [*densenets, "resnet50-res512-all"]
    for known in load_sets().values():
        assert set(known.columns) <= set(load_vocabulary())
        assert len(set(known.columns.values())) == len(known.columns)
        assert all(0 < threshold < 1 for threshold in known.thresholds.values())
    assert find_set("densenet121-res224-nih").columns["opacity"] == 2  # Infiltration: it has no Lung Opacity
    assert find_set("all").columns["opacity"] == 16

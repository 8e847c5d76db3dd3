"""Writes a release folder from published weights: the network with class maps as ONNX, and its manifest."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from monai.networks.nets.densenet import DenseNet121
from monai.networks.nets.resnet import resnet50
from torch import Tensor, nn

from models.io_format import InputForm
from models.manifest import (
    FRONTAL_CHEST,
    Calibration,
    IntendedUse,
    Manifest,
    NetworkFile,
    OperatingPoint,
    save_manifest,
)
from models.onnx_export import write_onnx
from models.pixels import PIPELINE_VERSION
from models.torchxrayvision.published import PublishedSet, find_set
from models.torchxrayvision.weights import read_weights
from overread.errors import ConfigurationError, ModelError

OUTPUTS = 18
SCALE = 1024.0  # their images run from -1024 to 1024
NETWORK_FILE = "network.onnx"
COHORT = "none: a probability of 0.5 stands for the published operating point, and is no frequency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A network of theirs, as MONAI builds it."""

    title: str
    side: int  # pixels of the square that it sees
    build: Callable[[], nn.Module]
    last: str  # name of the layer that gives the logits
    features: Callable[[nn.Module], nn.Module]  # of a network, all before the mean over places


def _densenet121() -> nn.Module:
    return DenseNet121(spatial_dims=2, in_channels=1, out_channels=OUTPUTS)


def _resnet50() -> nn.Module:
    return resnet50(
        spatial_dims=2, n_input_channels=1, num_classes=OUTPUTS, conv1_t_stride=2, bias_downsample=False
    )


def _resnet_features(network: nn.Module) -> nn.Module:
    parts = ("conv1", "bn1", "act", "maxpool", "layer1", "layer2", "layer3", "layer4")
    return nn.Sequential(*(network.get_submodule(part) for part in parts))


ARCHITECTURES = {
    "densenet121": Architecture(
        title="DenseNet-121",
        side=224,
        build=_densenet121,
        last="class_layers.out",
        features=lambda network: network.get_submodule("features"),
    ),
    "resnet50": Architecture(
        title="ResNet-50", side=512, build=_resnet50, last="fc", features=_resnet_features
    ),
}


class ClassMaps(nn.Module):
    """Their network with the class maps whose means its logits are (Zhou et al., CVPR 2016)."""

    def __init__(self, features: nn.Module, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.features = features
        self.weight = nn.Parameter(weight[:, :, None, None])
        self.bias = nn.Parameter(bias)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores in [0, 1] and maps of the columns asked for."""
        maps = nn.functional.conv2d(torch.relu(self.features(image)), self.weight, self.bias)
        return torch.sigmoid(maps.mean(dim=(2, 3))), maps


def convert(weights: Path, folder: Path, *, published: str = "all") -> Manifest:
    """Write a release folder and return its manifest.

    Args:
        weights: file of the set, as the library downloads it.
        folder: of the release; its last part is the release's name.
        published: name of the set, which tells the network, the outputs that were trained and their operating
            points.

    Raises:
        ModelError: the file holds other weights, or there is no such set.
        ConfigurationError: the folder holds a release already.
    """
    known = find_set(published)
    if (folder / "manifest.json").exists():
        raise ConfigurationError(f"{folder} holds a release already; name another folder or remove it")
    architecture = ARCHITECTURES[known.network]
    network, state = architecture.build(), read_weights(weights)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"{weights} holds other weights than the set {known.name} needs: a {architecture.title} with "
            f"{OUTPUTS} outputs"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(known.columns.values())
    weight, bias = (state[f"{architecture.last}.{part}"][rows] for part in ("weight", "bias"))
    write_onnx(
        ClassMaps(architecture.features(network), weight, bias).eval(),
        folder / NETWORK_FILE,
        side=architecture.side,
        input_name="image",
        output_names=("scores", "maps"),
    )
    manifest = _manifest(known, folder, weights)
    save_manifest(manifest, folder)
    return manifest


def _manifest(known: PublishedSet, folder: Path, weights: Path) -> Manifest:
    findings, side = tuple(known.columns), ARCHITECTURES[known.network].side
    # Half is where the published threshold lies: the odds of a score are taken relative to it.
    calibration = {
        name: Calibration(slope=1.0, intercept=-_log_odds(known.thresholds[name])) for name in findings
    }
    point = OperatingPoint(
        name="published",
        cohort=f"as published with the weights: {known.data}",
        rule="the threshold that TorchXRayVision publishes",
        thresholds=dict.fromkeys(findings, 0.5),
    )
    return Manifest(
        name=folder.name,
        version="v1",
        licence="Apache-2.0 (TorchXRayVision); the data sets have terms of their own",
        pixel_pipeline=PIPELINE_VERSION,
        findings=findings,
        network=NetworkFile(
            file=NETWORK_FILE,
            sha256=hashlib.sha256((folder / NETWORK_FILE).read_bytes()).hexdigest(),
            input_name="image",
            rows=side,
            columns=side,
            range_min=-SCALE,
            range_max=SCALE,
            scores_output="scores",
            maps_output="maps",
            input_form=InputForm(grey="displayed", fit="crop"),
        ),
        calibration={name: curve.rounded() for name, curve in calibration.items()},
        calibration_cohort=COHORT,
        default_operating_point=point.name,
        operating_points=(point,),
        intended_use=_INTENDED_USE,
        training_data=(known.data,),
        training={
            "converted from": known.library_name,
            "sha256 of the weights": hashlib.sha256(weights.read_bytes()).hexdigest(),
        },
    )


_INTENDED_USE = IntendedUse(
    statement="Frontal chest radiographs of adults, for a second look at studies already reported; "
    "research weights, not for diagnosis.",
    modalities=("CR", "DX"),
    body_parts=("chest", "thorax", "lung"),
    views=("PA", "AP"),
    minimum_age_years=16.0,
    appearance=FRONTAL_CHEST,
)


def _log_odds(share: float) -> float:
    return float(torch.logit(torch.tensor(share, dtype=torch.float64)))

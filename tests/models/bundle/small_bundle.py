"""Bundles of the layout of the Model Zoo's lung_nodule_ct_detection, small enough for a test.

The weights are set by hand so that the network boxes what is bright: where a box ends up is then a question
of geometry alone. With `PYRAMID` it has the parts of the Zoo's network instead, a ResNet with a feature
pyramid, and random weights.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from monai.bundle.config_parser import ConfigParser

from models.bundle.pyramid import enable_feature_pyramids

SPACING = [1.0, 1.0, 1.25]
CONFIG: dict[str, Any] = {
    "whether_raw_luna16": False,
    "whether_resampled_luna16": "$(not @whether_raw_luna16)",
    "imports": ["$import glob", "$import os"],
    "bundle_root": ".",
    "test_datalist": "$monai.data.load_decathlon_datalist('no such file')",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "amp": True,
    "spatial_dims": 3,
    "num_classes": 1,
    "size_divisible": [2, 2, 2],
    "infer_patch_size": [48, 48, 32],
    "anchor_generator": {
        "_target_": "monai.apps.detection.utils.anchor_utils.AnchorGeneratorWithAnchorShape",
        "feature_map_scales": [1],
        "base_anchor_shapes": [[10, 10, 8]],
    },
    "feature_extractor": "$torch.nn.Conv3d(1, 8, kernel_size=8, stride=2, padding=3)",
    "network_def": {
        "_target_": "RetinaNet",
        "spatial_dims": "@spatial_dims",
        "num_classes": "@num_classes",
        "num_anchors": 1,
        "feature_extractor": "@feature_extractor",
        "size_divisible": "@size_divisible",
        "use_list_output": False,
    },
    "network": "$@network_def.to(@device)",
    "detector": {
        "_target_": "RetinaNetDetector",
        "network": "@network",
        "anchor_generator": "@anchor_generator",
        "debug": False,
        "spatial_dims": "@spatial_dims",
        "num_classes": "@num_classes",
        "size_divisible": "@size_divisible",
    },
    "detector_ops": [
        "$@detector.set_target_keys(box_key='box', label_key='label')",
        "$@detector.set_box_selector_parameters(score_thresh=0.02,nms_thresh=0.1,detections_per_img=300)",
        "$@detector.set_sliding_window_inferer(roi_size=@infer_patch_size,overlap=0.25,device='cpu')",
    ],
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image", "_disabled_": "@whether_raw_luna16"},
            {
                "_target_": "LoadImaged",
                "keys": "image",
                "reader": "itkreader",
                "affine_lps_to_ras": True,
                "_disabled_": "@whether_resampled_luna16",
            },
            {"_target_": "EnsureChannelFirstd", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {
                "_target_": "Spacingd",
                "keys": "image",
                "pixdim": SPACING,
                "_disabled_": "@whether_resampled_luna16",
            },
            {
                "_target_": "ScaleIntensityRanged",
                "keys": "image",
                "a_min": -1024.0,
                "a_max": 300.0,
                "b_min": 0.0,
                "b_max": 1.0,
                "clip": True,
            },
            {"_target_": "EnsureTyped", "keys": "image"},
        ],
    },
    "inferer": {"_target_": "scripts.detection_inferer.RetinaNetInferer", "detector": "@detector"},
    "evaluator": {"_target_": "scripts.evaluator.DetectionEvaluator", "_requires_": "@detector_ops"},
    "run": ["$@evaluator.run()"],
}
PYRAMID = {
    "infer_patch_size": [64, 64, 32],
    "size_divisible": [16, 16, 8],
    "anchor_generator": {
        "_target_": "monai.apps.detection.utils.anchor_utils.AnchorGeneratorWithAnchorShape",
        "feature_map_scales": [1, 2, 4],
        "base_anchor_shapes": [[6, 8, 4]],
    },
    "backbone": "$monai.networks.nets.resnet.resnet10(spatial_dims=3,n_input_channels=1,"
    "conv1_t_stride=[2,2,1],conv1_t_size=[7,7,7])",
    "feature_extractor": "$monai.apps.detection.networks.retinanet_network.resnet_fpn_feature_extractor("
    "@backbone,3,False,[1,2],None)",
}


def write_bundle(folder: Path, *, weights: str = "models/model.pt", **changes: Any) -> Path:
    """Write configs, weights and manifest; changes replace entries of the configuration."""
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    config = {**CONFIG, **changes}
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    metadata = {"version": "0.6.8", "name": "Lung nodule CT detection", "monai_version": "1.4.0"}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    network = plant(build(config)) if "backbone" not in config else build(config)
    if weights.endswith(".ts"):
        torch.jit.save(torch.jit.script(network), folder / weights)
    else:
        torch.save(network.state_dict(), folder / weights)
    return write_manifest(folder, weights=weights)


def build(config: dict[str, Any]) -> torch.nn.Module:
    """Return the network of a configuration, as MONAI builds it."""
    enable_feature_pyramids()
    torch.manual_seed(3)
    parser = ConfigParser({**config, "device": "$torch.device('cpu')"})
    network: torch.nn.Module = parser.get_parsed_content("network").eval()
    return network


def plant(network: Any) -> torch.nn.Module:
    """Set the weights so that brightness passes through to the scores, and anchors stay as they are."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv3d):
                module.weight.zero_()
                if module.bias is not None:
                    module.bias.zero_()
        network.feature_extractor.weight.fill_(1 / 512)
        middle = (1, 1, 1)
        for module in network.classification_head.conv:
            if isinstance(module, torch.nn.Conv3d):
                for channel in range(8):
                    module.weight[(channel, channel, *middle)] = 1
        network.classification_head.cls_logits.weight[(slice(None), slice(None), *middle)] = 1 / 16
        network.classification_head.cls_logits.bias.fill_(-3)
    return network  # type: ignore[no-any-return]  # a Module


def write_manifest(folder: Path, *, weights: str = "models/model.pt", **changes: Any) -> Path:
    """Write the manifest for the files as they are."""
    files = ["configs/inference.json", "configs/metadata.json", weights]
    manifest = {
        "format": 1,
        "kind": "monai-bundle",
        "name": folder.name,
        "version": "0.6.8",
        "licence": "Apache-2.0",
        "findings": ["nodule"],
        "config": "configs/inference.json",
        "weights": weights,
        "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files},
        "overrides": {"whether_raw_luna16": True},
        "calibration": {"nodule": {"slope": 1.0, "intercept": 0.0}},
        "calibration_cohort": "nobody",
        "default_operating_point": "balanced",
        "operating_points": [
            {"name": "balanced", "cohort": "nobody", "rule": "by hand", "thresholds": {"nodule": 0.5}},
            {"name": "never", "cohort": "nobody", "rule": "by hand", "thresholds": {"nodule": 1.0}},
        ],
        "intended_use": {
            "statement": "tests",
            "modalities": ["CT"],
            "body_parts": ["chest", "thorax", "lung"],
            "minimum_age_years": 16.0,
            "minimum_slices": 8,
            "maximum_slice_mm": 3.0,
        },
        "training_data": ["none"],
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder

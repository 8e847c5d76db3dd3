"""The network of a bundle: built by MONAI as its configuration says, and asked about one volume."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector
from monai.bundle.config_parser import ConfigParser
from monai.data.meta_tensor import MetaTensor
from monai.transforms.compose import Compose

from models.bundle.configuration import DETECTOR, NETWORK, SETUP, TRANSFORMS, read_configuration
from models.bundle.manifest import BundleManifest, verify_files
from models.bundle.pyramid import enable_feature_pyramids
from models.bundle.regions import PatientBox, patient_box
from models.bundle.volume import Volume
from models.library_errors import as_model_error
from overread.errors import ModelError

IMAGE = "image"
TORCHSCRIPT = ".ts"
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # from MONAI's right-anterior-head to DICOM's patient coordinates


class BundleNetwork:
    """A verified detection network of a bundle, on the GPU where there is one."""

    def __init__(self, folder: Path, manifest: BundleManifest, *, threads: int) -> None:
        verify_files(manifest, folder)
        enable_feature_pyramids()
        torch.set_num_threads(threads)
        self._device = "cuda:0" if torch.cuda.is_available() else "cpu"
        self._folder = folder
        with as_model_error(f"the bundle {folder} cannot be built"):
            parser = read_configuration(folder, manifest, device=self._device)
            self._detector = _built(parser, folder / manifest.weights, self._device)
            steps = parser.get_parsed_content(TRANSFORMS)
            self._transforms = Compose([step for step in steps if step is not None])  # None: disabled

    def find(self, volume: Volume) -> tuple[PatientBox, ...]:
        """Return the boxes that the network draws, the surest first.

        Raises:
            ModelError: the network does not give boxes, labels and scores.
        """
        values, affine = torch.from_numpy(volume.values)[None], torch.from_numpy(volume.affine_ras)
        image = MetaTensor(values, affine=affine, meta={"space": "RAS"})
        with as_model_error(f"the bundle {self._folder} failed"):
            prepared = cast(MetaTensor, self._transforms({IMAGE: image})[IMAGE])
            found = self._run(prepared)
        to_patient = _LPS @ np.asarray(prepared.affine, np.float64)
        boxes = found[self._detector.target_box_key]
        scores = found[self._detector.pred_score_key]
        labels = found[self._detector.target_label_key]
        kept = [
            patient_box(np.asarray(box, np.float64), to_patient, score=float(score), label=int(label))
            for box, score, label in zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True)
        ]
        return tuple(sorted(kept, key=lambda item: -item.score))

    def _run(self, prepared: MetaTensor) -> dict[str, torch.Tensor]:
        image = prepared.as_tensor().float().to(self._device)
        window = self._detector.inferer.roi_size if self._detector.inferer is not None else None
        half = torch.autocast("cuda") if self._device.startswith("cuda") else nullcontext()
        with torch.inference_mode(), half:
            outputs = self._detector([image], use_inferer=_is_larger(image.shape[1:], window))
        found = cast(dict[str, torch.Tensor], outputs[0])
        return {key: value.float().cpu() for key, value in found.items()}


def _is_larger(shape: Sequence[int], window: Any) -> bool:
    """Whether a volume does not fit into one window and must be looked at piece by piece."""
    return window is not None and any(side > limit for side, limit in zip(shape, window, strict=True))


def _built(parser: ConfigParser, weights: Path, device: str) -> RetinaNetDetector:
    if weights.suffix == TORCHSCRIPT:
        parser.globals["loaded_network"] = torch.jit.load(  # type: ignore[no-untyped-call]  # it says nothing of types
            str(weights), map_location=device
        )
        parser[NETWORK] = "$loaded_network"
    detector = parser.get_parsed_content(DETECTOR)
    if not isinstance(detector, RetinaNetDetector):
        raise ModelError(f"the bundle's detector is a {type(detector).__name__}, not a RetinaNetDetector")
    if weights.suffix != TORCHSCRIPT:
        state = torch.load(weights, map_location=device, weights_only=True)
        detector.network.load_state_dict(state.get("model", state))
    parser.get_parsed_content(SETUP)
    return detector.eval()

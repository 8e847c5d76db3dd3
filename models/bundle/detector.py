"""The detector of a MONAI bundle: the CT slices of one study in, observations out."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from models.bundle.manifest import BundleManifest, load_bundle_manifest
from models.bundle.network import BundleNetwork
from models.bundle.regions import PatientBox, regions_of, side_of
from models.bundle.series import Stack, choose_stack
from models.bundle.volume import Volume, read_volume
from models.stages import Stage, StageObserver, ignore_stage
from overread.finding import Vocabulary, load_vocabulary
from overread.observation import Detection, DetectorObservation, Laterality, ObserverIdentity, Presence

MOST_BOXES = 10  # per finding; a page that marks more marks nothing


class BundleDetector:
    """Implements `overread.ports.Detector` for a bundle. Not to be shared between threads."""

    def __init__(
        self,
        folder: Path,
        *,
        operating_point: str | None = None,
        threads: int = 1,
        on_stage: StageObserver = ignore_stage,
    ) -> None:
        self.manifest: BundleManifest = load_bundle_manifest(folder)
        self._point = self.manifest.operating_point(operating_point)
        self._network = BundleNetwork(folder, self.manifest, threads=threads)
        self._vocabulary: Vocabulary = load_vocabulary()
        self._on_stage = on_stage

    @property
    def identity(self) -> ObserverIdentity:
        """Name and version of the bundle, one hash over the hashes of its files."""
        files = "\n".join(f"{name} {found}" for name, found in sorted(self.manifest.files.items()))
        digest = hashlib.sha256(files.encode()).hexdigest()
        return ObserverIdentity(name=self.manifest.name, version=self.manifest.version, sha256=digest)

    @property
    def findings(self) -> tuple[str, ...]:
        """Ids of the findings that the network boxes."""
        return self.manifest.findings

    @property
    def operating_point(self) -> str:
        """Name of the operating point in use."""
        return self._point.name

    def prefetch(self, instances: Sequence[Path]) -> None:
        """Ignore the hint: a volume takes more memory than time."""

    def detect(self, instances: Sequence[Path]) -> Detection:
        """Return what the network sees in the best series of a study, or why it does not apply.

        Raises:
            InvalidDicomError: a file is no DICOM.
            UndecodablePixelsError: a slice that the network should see cannot be decoded.
            ModelError: the bundle does not do what its manifest says.
        """
        choice = choose_stack(instances, self.manifest.intended_use)
        if choice.stack is None:
            reason = "; ".join(choice.remarks) or "the study has no images"
            return Detection(detector=self.identity, operating_point=self._point.name, not_applicable=reason)
        started = time.perf_counter()
        volume = read_volume(choice.stack)
        decoded = time.perf_counter()
        boxes = self._network.find(volume)
        found = time.perf_counter()
        for stage, seconds in ((Stage.DECODE, decoded - started), (Stage.INFERENCE, found - decoded)):
            self._on_stage(detector=self.manifest.name, stage=stage, seconds=seconds)
        return Detection(
            detector=self.identity,
            operating_point=self._point.name,
            observations=tuple(
                self._observe(finding, [box for box in boxes if box.label == label], choice.stack, volume)
                for label, finding in enumerate(self.findings)
            ),
            remarks=choice.remarks,
        )

    def _observe(
        self, finding: str, boxes: Sequence[PatientBox], stack: Stack, volume: Volume
    ) -> DetectorObservation:
        """Return the statement about one finding, from its boxes, the surest first."""
        calibration, threshold = self.manifest.calibration[finding], self._point.thresholds[finding]
        score = boxes[0].score if boxes else 0.0
        sure = [box for box in boxes if calibration.probability(box.score) >= threshold][:MOST_BOXES]
        regions = [region for box in sure for region in regions_of(box, stack)]
        sided = self._vocabulary[finding].sided
        middle = stack.slices[len(stack.slices) // 2].sop_instance_uid
        return DetectorObservation(
            finding=finding,
            presence=Presence.PRESENT if sure else Presence.ABSENT,
            laterality=side_of(sure, volume.midline_mm()) if sided else Laterality.UNSPECIFIED,
            score=score,
            probability=calibration.probability(score),
            prevalence=calibration.prevalence,
            sop_instance_uid=regions[0].sop_instance_uid if regions else middle,
            regions=tuple(regions),
            size_mm=tuple(round(edge, 1) for edge in sure[0].size_mm) if sure else (),
        )

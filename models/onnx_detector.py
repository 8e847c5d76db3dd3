"""The detector of a release folder: DICOM files of one study in, observations out."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.boxes import ScoredBox
from models.guards import guard_for
from models.intensity import Grey
from models.localisation import (
    MOST_BOXES,
    Box,
    Map,
    evidence_of_boxes,
    find_boxes,
    find_laterality,
    relative_evidence,
)
from models.manifest import Manifest, load_manifest
from models.network import Maps, OnnxNetwork
from models.pixels import read_stored
from models.placement import prepare
from models.prefetch import Prefetch
from models.preparation import PreparedImage, prepare_image, prepare_picture
from models.providers import remarks_on_provider
from models.stages import Stage, StageObserver, ignore_stage
from overread.appearance import Appearance
from overread.finding import Vocabulary, load_vocabulary
from overread.observation import (
    Detection,
    DetectorObservation,
    HeatMap,
    ImageRegion,
    Laterality,
    ObserverIdentity,
    Presence,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer of the network for one image."""

    scores: tuple[float, ...]  # raw, one per finding
    probabilities: tuple[float, ...]  # calibrated, one per finding
    maps: Maps | None  # None where the network has none
    boxes: tuple[tuple[ScoredBox, ...], ...]  # per finding; of a network that classifies, none
    out_of_distribution: float | None  # see `Detection`


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Answer of the network for one image of a study."""

    image: PreparedImage
    answer: Answer


class OnnxDetector:
    """An `overread.ports.DescribingDetector` for any release folder. Safe to share between threads."""

    def __init__(
        self,
        folder: Path,
        *,
        operating_point: str | None = None,
        threads: int = 1,
        provider: str | None = None,
        on_stage: StageObserver = ignore_stage,
    ) -> None:
        self.manifest: Manifest = load_manifest(folder)
        self._point = self.manifest.operating_point(operating_point)
        self._network = OnnxNetwork(folder, self.manifest, threads=threads, provider=provider)
        self._vocabulary: Vocabulary = load_vocabulary()
        self._guard = guard_for(self.manifest.intended_use)
        self._on_stage = on_stage
        self._prefetch = Prefetch(self._prepare)

    @property
    def identity(self) -> ObserverIdentity:
        """Name and version of the release, hash of the network's file."""
        manifest = self.manifest
        return ObserverIdentity(name=manifest.name, version=manifest.version, sha256=manifest.network.sha256)

    @property
    def findings(self) -> tuple[str, ...]:
        """Ids of the findings that the network scores."""
        return self.manifest.findings

    @property
    def operating_point(self) -> str:
        """Name of the operating point in use."""
        return self._point.name

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what the network runs on."""
        return self._network.provider

    def prefetch(self, instances: Sequence[Path]) -> None:
        """Decode and prepare these images in the background, for the `detect` that probably comes next."""
        self._prefetch.hint(instances)

    def detect(self, instances: Sequence[Path]) -> Detection:
        """Return what the network sees on the DICOM files of one study, or why it does not apply.

        Of several frontal chest radiographs, each finding is taken from the one that shows it most.

        Raises:
            InvalidDicomError: a file is no DICOM.
            UndecodablePixelsError: an image that the model is meant for cannot be decoded.
        """
        return self.look(self._prefetch.take(instances))

    def detect_and_describe(self, instances: Sequence[Path]) -> tuple[Detection, Appearance | None]:
        """Return what `detect` returns, and the appearance of the first image that the network saw."""
        described: list[Appearance] = []

        def noted(prepared: Iterable[PreparedImage]) -> Iterator[PreparedImage]:
            for image in prepared:
                if image.appearance is not None and not described:
                    described.append(image.appearance)
                yield image

        detection = self.look(noted(self._prefetch.take(instances)))
        return detection, described[0] if described else None

    def detect_picture(self, path: Path) -> Detection:
        """Return what the network sees on a PNG or JPEG, or why it does not apply; see `detect`.

        Raises:
            UndecodablePixelsError: the picture cannot be decoded.
        """
        return self.look([prepare_picture(path, self.manifest, self._guard)])

    def look(self, prepared: Iterable[PreparedImage]) -> Detection:
        """Return what the network sees on the prepared images of one study; see `detect`."""
        noted: dict[str, list[str]] = {}  # why an image was skipped, or what is odd about it -> images
        seen: list[_Seen] = []
        for image in prepared:
            for remark in (image.reason,) if image.pixels is None else image.remarks:
                noted.setdefault(remark, []).append(image.whole.sop_instance_uid)
            if image.pixels is not None:
                seen.append(_Seen(image=image, answer=self._ask(image.pixels)))
        remarks = tuple(_name(images) + " " + remark for remark, images in noted.items())
        if not seen:
            return self._not_applicable(remarks)
        return Detection(
            detector=self.identity,
            operating_point=self._point.name,
            observations=tuple(self._observe(index, seen) for index in range(len(self.findings))),
            remarks=(*remarks, *self._remarks_on_choice(seen), *remarks_on_provider(self.provider)),
            out_of_distribution=_most_unusual(seen),
        )

    def probabilities(self, path: Path) -> tuple[float, ...]:
        """Return the calibrated probability per finding of a picture; see `answer`."""
        return self.answer(path).probabilities

    def answer(self, path: Path) -> Answer:
        """Return what the network says of a picture, taken for a frontal chest radiograph.

        Raises:
            UndecodablePixelsError: the picture cannot be decoded.
        """
        pixels, _ = prepare(*read_stored(path), self.manifest.network)
        return self._ask(pixels)

    def scores(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the raw scores (images, findings) of what the pixel pipeline prepared, run as one batch.

        Args:
            images: (images, rows, columns) of the release, as `models.placement.prepare` makes them.

        Raises:
            InvalidFileError: the images are not of that size.
        """
        return self._network.score(images)

    def _prepare(self, path: Path) -> PreparedImage:
        started = time.perf_counter()
        prepared = prepare_image(path, self.manifest, self._guard)
        if prepared.pixels is not None:  # one that the header already excludes is not decoded
            self._tell(Stage.DECODE, started)
        return prepared

    def _tell(self, stage: Stage, started: float) -> None:
        self._on_stage(detector=self.manifest.name, stage=stage, seconds=time.perf_counter() - started)

    def _ask(self, pixels: Grey) -> Answer:
        started = time.perf_counter()
        output = self._network.run(np.ascontiguousarray(pixels))
        self._tell(Stage.INFERENCE, started)
        raw = tuple(float(score) for score in output.scores)
        calibrated = tuple(
            self.manifest.calibration[finding].probability(score)
            for finding, score in zip(self.findings, raw, strict=True)
        )
        familiarity = self.manifest.familiarity
        return Answer(
            scores=raw,
            probabilities=calibrated,
            maps=output.maps,
            boxes=output.boxes,
            out_of_distribution=None
            if familiarity is None or output.unusual is None
            else round(familiarity.out_of_distribution(output.unusual), 4),
        )

    def _observe(self, index: int, seen: Sequence[_Seen]) -> DetectorObservation:
        """Return the statement about one finding, from the image that shows it most."""
        best = max(seen, key=lambda candidate: candidate.answer.probabilities[index])
        image, answer = best.image, best.answer
        finding, probability = self.findings[index], answer.probabilities[index]
        present = probability >= self._point.thresholds[finding]
        evidence = None if answer.maps is None else relative_evidence(answer.maps[index])
        boxes = self._boxes(finding, evidence, answer.boxes[index]) if present else ()
        sided = present and self._vocabulary[finding].sided
        return DetectorObservation(
            finding=finding,
            presence=Presence.PRESENT if present else Presence.ABSENT,
            laterality=_side(evidence, boxes, image) if sided else Laterality.UNSPECIFIED,
            score=answer.scores[index],
            probability=probability,
            prevalence=self.manifest.calibration[finding].prevalence,
            sop_instance_uid=image.whole.sop_instance_uid,
            regions=tuple(_region(image.whole, image.placement.to_stored(box)) for box in boxes),
            heat_map=None if evidence is None else _heat_map(image, evidence * probability),
        )

    def _boxes(self, finding: str, evidence: Map | None, stated: Sequence[ScoredBox]) -> tuple[Box, ...]:
        """Return boxes around the strongest evidence, or the network's own from the operating point on."""
        if evidence is not None:
            return find_boxes(evidence)
        calibration, threshold = self.manifest.calibration[finding], self._point.thresholds[finding]
        sure = [item.box for item in stated if calibration.probability(item.score) >= threshold]
        return tuple(sure[:MOST_BOXES])

    def _not_applicable(self, remarks: Sequence[str]) -> Detection:
        reason = "; ".join(remarks) if remarks else "the study has no images"
        return Detection(detector=self.identity, operating_point=self._point.name, not_applicable=reason)

    def _remarks_on_choice(self, seen: Sequence[_Seen]) -> tuple[str, ...]:
        if len(seen) == 1:
            return ()
        return (f"{len(seen)} images were read; each finding is taken from the one that shows it most",)


def _most_unusual(seen: Sequence[_Seen]) -> float | None:
    stated = [image.answer.out_of_distribution for image in seen]
    return max((share for share in stated if share is not None), default=None)


def _name(images: Sequence[str]) -> str:
    """Return how to speak of images that share a reason; a CT study has hundreds."""
    return f"image {images[0]}" + (f" (and {len(images) - 1} more)" if len(images) > 1 else "")


def _side(evidence: Map | None, boxes: Sequence[Box], image: PreparedImage) -> Laterality:
    looked_at = evidence_of_boxes(boxes) if evidence is None else evidence
    return find_laterality(image.placement.cells(looked_at), mirrored=image.mirrored)


def _heat_map(image: PreparedImage, heat: Map) -> HeatMap:
    """Return the evidence weighted by the probability: a map of what is not there must not glow."""
    framing = image.placement.framing
    values = framing.map_to_stored(image.placement.cells(heat)).round(4).tolist()
    return HeatMap(
        region=_region(image.whole, framing.field),
        values=tuple(tuple(row) for row in values),
        quarter_turns=framing.quarter_turns,
    )


def _region(whole: ImageRegion, box: Box) -> ImageRegion:
    """Return shares of the image as its stored pixels."""
    return ImageRegion(
        sop_instance_uid=whole.sop_instance_uid,
        column_min=box.left * whole.column_max,
        row_min=box.top * whole.row_max,
        column_max=box.right * whole.column_max,
        row_max=box.bottom * whole.row_max,
    )

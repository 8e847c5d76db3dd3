"""A product whose results arrive as rows of a file, as a detector."""

from collections.abc import Sequence
from pathlib import Path

from models.vendor_results.claim import Claim, Results
from models.vendor_results.manifest import VendorManifest
from models.vendor_results.rowfile import Row, RowFile
from models.vendor_results.study import Study, read_study
from models.vendor_results.weighing import detection_of
from overread.errors import InvalidFileError, ModelError
from overread.finding import load_vocabulary
from overread.observation import Detection, ImageRegion, Laterality, ObserverIdentity, Presence

_PRESENCES = {
    **dict.fromkeys(("", "yes", "y", "true", "1", "present", "positive"), Presence.PRESENT),
    **dict.fromkeys(("no", "n", "false", "0", "absent", "negative"), Presence.ABSENT),
    **dict.fromkeys(("uncertain", "undetermined", "indeterminate"), Presence.UNCERTAIN),
}
_SIDES = {
    "": Laterality.UNSPECIFIED,
    **dict.fromkeys(("r", "right"), Laterality.RIGHT),
    **dict.fromkeys(("l", "left"), Laterality.LEFT),
    **dict.fromkeys(("b", "bilateral", "both"), Laterality.BILATERAL),
}


class RowsDetector:
    """Implements `overread.ports.Detector` over the rows of one product. Safe to share between threads."""

    def __init__(self, manifest: VendorManifest, folder: Path) -> None:
        if manifest.rows_file is None:
            raise ValueError("a manifest of this kind names its file")
        path = folder / Path(manifest.rows_file).expanduser()
        if not path.is_file():
            raise ModelError(
                f"{path} is missing: the product's export must write it, with at least its first line"
            )
        self._manifest = manifest
        self._file = RowFile(path)
        self._findings = {name: name for name in load_vocabulary()} | {
            word.casefold(): finding for word, finding in manifest.codes.items()
        }

    @property
    def identity(self) -> ObserverIdentity:
        """Name and version of the manifest, and its hash."""
        manifest = self._manifest
        return ObserverIdentity(name=manifest.name, version=manifest.version, sha256=manifest.sha256)

    @property
    def findings(self) -> tuple[str, ...]:
        """Ids of the findings that the manifest says the worth of."""
        return self._manifest.findings

    def prefetch(self, instances: Sequence[Path]) -> None:
        """There is nothing to prepare."""

    def detect(self, instances: Sequence[Path]) -> Detection:
        """Return what the rows about the study state, or why there is nothing.

        Raises:
            InvalidDicomError: a file is no DICOM.
        """
        study = read_study(instances)
        return detection_of(self._results(study), self._manifest, tuple(study.images))

    def _results(self, study: Study) -> Results:
        try:
            rows = self._file.rows_of(
                study_instance_uid=study.study_instance_uid, accession_number=study.accession_number
            )
        except InvalidFileError as error:
            return Results(failure=str(error), complete=False)
        remarks: list[str] = []
        own = [row for row in rows if _is_of(study, row, remarks)]
        if not own:
            failure = f"{self._manifest.name} has no row for this study"
            return Results(failure=failure, remarks=tuple(remarks))
        claims = [claim for row in own if (claim := self._claim(row, study, remarks)) is not None]
        return Results(claims=tuple(claims), remarks=tuple(remarks))

    def _claim(self, row: Row, study: Study, remarks: list[str]) -> Claim | None:
        """Return the statement of a row; None for one that states nothing, or that cannot be understood."""
        if not row.finding:
            return None
        finding = self._findings.get(row.finding.casefold())
        side = _SIDES.get(row.side.casefold())
        presence = _PRESENCES.get(row.present.casefold())
        problems = [
            f"line {row.line}: {problem}"
            for problem, there in (
                (f"{row.finding!r} is no finding that overread knows", finding is None),
                (f"side {row.side!r} is not understood", side is None),
                (f"presence {row.present!r} is not understood", presence is None),
            )
            if there
        ]
        if finding is None or side is None or presence is None:
            remarks += [f"{problem}; nothing is made of it" for problem in problems]
            return None
        score = self._score(row, remarks)
        region = _region(row, study, remarks)
        return Claim(
            finding=finding,
            presence=None if score is not None and not row.present else presence,
            score=score,
            laterality=side,
            regions=() if region is None else (region,),
            images=(row.sop_instance_uid,) if row.sop_instance_uid in study.images else (),
            size_mm=_size_mm(row, remarks),
        )

    def _score(self, row: Row, remarks: list[str]) -> float | None:
        if not row.score:
            return None
        low, high = self._manifest.score_min, self._manifest.score_max
        try:
            scaled = (float(row.score) - low) / (high - low)
        except ValueError:
            scaled = -1.0
        if 0 <= scaled <= 1:
            return scaled
        remarks.append(f"line {row.line}: score {row.score!r} is no number from {low:g} to {high:g}")
        return None


def _is_of(study: Study, row: Row, remarks: list[str]) -> bool:
    if row.patient_id and study.patient_id and row.patient_id != study.patient_id:
        remarks.append(f"line {row.line} names another patient than the images; it is not read")
        return False
    return True


def _size_mm(row: Row, remarks: list[str]) -> tuple[float, ...]:
    if not row.size_mm:
        return ()
    try:
        size = float(row.size_mm)
    except ValueError:
        size = 0.0
    if 0 < size < 1000:
        return (size,)
    remarks.append(f"line {row.line}: size {row.size_mm!r} is no length in mm")
    return ()


def _region(row: Row, study: Study, remarks: list[str]) -> ImageRegion | None:
    """Return the box of a row in stored pixels; None where it has none, or none on an image of the study."""
    if not any(row.box):
        return None
    size = study.images.get(row.sop_instance_uid)
    try:
        left, top, right, bottom = (float(edge) for edge in row.box)
        frame = int(row.frame or 0)
    except ValueError:
        size = None
        left = top = right = bottom = 0.0
        frame = 0
    if size is None or not (0 <= left < right <= size[1] and 0 <= top < bottom <= size[0]) or frame < 0:
        remarks.append(f"line {row.line}: its box does not lie on an image of the study")
        return None
    return ImageRegion(
        sop_instance_uid=row.sop_instance_uid,
        frame=frame,
        column_min=left,
        row_min=top,
        column_max=right,
        row_max=bottom,
    )

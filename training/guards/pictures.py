"""Images that the input guard learns from and is measured on: radiographs, and everything that is none."""

import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from models.framing import Framing
from models.guards import exposed_field, grid
from models.intensity import Grey
from models.pixels import network_input_from, read_stored
from overread.errors import NotFoundError
from training.datasets import read_nih

SIDE = 256  # pixels of the network's input that is judged

# One object per scene of the pydicom-data package; its other files are further encodings of the same.
OBJECTS = (
    *("CT_small.dcm", "693_UNCR.dcm", "explicit_VR-UN.dcm", "bad_sequence.dcm", "J2K_pixelrep_mismatch.dcm"),
    *("eCT_Supplemental.dcm", "MR_small.dcm", "MR2_UNCR.dcm", "MR-SIEMENS-DICOM-WithOverlays.dcm"),
    *("examples_overlay.dcm", "emri_small.dcm", "JPEG2000_UNC.dcm", "US1_UNCR.dcm", "OBXXXX1A.dcm"),
    *("examples_rgb_color.dcm", "examples_palette.dcm", "examples_jpeg2k.dcm", "gdcm-US-ALOKA-16.dcm"),
    *("color3d_jpeg_baseline.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm", "color-pl.dcm", "color-px.dcm"),
    *("examples_ybr_color.dcm", "RG3_UNCR.dcm", "image_dfl.dcm", "SC_rgb_jpeg.dcm", "SC_rgb.dcm"),
    *("mlut_18.dcm", "vlut_04.dcm", "GDCMJ2K_TextGBR.dcm", "liver_1frame.dcm", "SC_rgb_jls_lossy_line.dcm"),
)
FRAMES = {"eCT_Supplemental.dcm": 2, "emri_small.dcm": 10, "color3d_jpeg_baseline.dcm": 12}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One image as the guard judges it: cut to its field, as it is when it is served."""

    source: str  # such as "NIH" or "synthetic: text"
    group: str  # patient or object: what must not be on both sides of a split
    cells: Grey  # (GRID, GRID)
    inverted: Grey  # the same image when it is stored inverted, inverted again: nearly the same as `cells`
    cut: bool = False  # whether a wide border was cut away


def chests(paths: Iterable[tuple[str, Path]], *, source: str) -> list[Picture]:
    """Return chest radiographs, given as patient and path."""
    return [
        _picture(*read_stored(path), source=source, group=f"{source} {patient}") for patient, path in paths
    ]


def _picture(stored: NDArray[Any], header: Dataset, *, source: str, group: str) -> Picture:
    def seen(framing: Framing) -> Grey:
        return network_input_from(stored, header, rows=SIDE, columns=SIDE, framing=framing)

    direct, framing = seen(Framing()), Framing()
    field = exposed_field(direct)
    if field is not None:
        framing = framing.cut(field)
        direct = seen(framing)
    return Picture(
        source=source,
        group=group,
        cells=grid(direct),
        inverted=1 - grid(seen(framing.then(quarter_turns=0, inverted=True))),
        cut=field is not None,
    )


def nih_paths(data: Path) -> list[tuple[str, Path]]:
    """Return patient and path of every NIH radiograph that is there."""
    return [(radiograph.patient, radiograph.path) for radiograph in read_nih(data / "nih")]


def kermany_paths(data: Path, part: str) -> list[tuple[str, Path]]:
    """Return patient and path of the paediatric radiographs of one part (train or test); empty if absent."""
    return [(_kermany_patient(path), path) for path in sorted((data / "kermany" / part).rglob("*.jpeg"))]


def _kermany_patient(path: Path) -> str:
    """`person12_virus_46` is patient 12; `IM-0115-0001` and `NORMAL2-IM-0115-0001-0002` number studies."""
    parts = path.stem.split("_")[0] if path.stem.startswith("person") else path.stem.rsplit("IM-", 1)[1][:4]
    return f"{path.parent.name} {parts}"


def objects() -> list[Picture]:
    """Return the images of the pydicom-data package that are no chest radiographs.

    Raises:
        NotFoundError: the package lacks one of them.
    """
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # many of these objects were chosen for being odd
        for name in OBJECTS:
            found += [_object(name, frame) for frame in range(FRAMES.get(name, 1))]
    return found


def _object(name: str, frame: int) -> Picture:
    path = get_testdata_file(name, download=False)
    if path is None:
        raise NotFoundError(f"the pydicom-data package lacks {name}")
    stored, header = read_stored(Path(cast("str", path)), frame)
    return _picture(stored, header, source=f"object: {header.get('Modality') or 'other'}", group=name)


def strangers(folder: Path) -> list[Picture]:
    """Return pictures (JPEG, PNG) of a folder that holds no chest radiograph."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".png", ".jpg", ".jpeg"})
    return chests(((path.stem, path) for path in paths), source="picture")


def is_of_fold(group: str, fold: int, *, folds: int) -> bool:
    """Whether a group belongs to a fold; a hash of its name decides, whatever else there is."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") % folds == fold

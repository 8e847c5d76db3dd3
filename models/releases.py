"""Model releases on disk: those that come with overread, or those of a folder that the user names."""

from pathlib import Path

from models.manifest import FILE_NAME
from models.onnx_detector import OnnxDetector
from overread.errors import ModelError

RELEASES = Path(__file__).parent / "releases"
DEFAULT_RELEASE = "chest-radiograph"


def list_releases(root: Path | None = None) -> tuple[str, ...]:
    """Return the names of the releases in a folder; None means those that come with overread."""
    return tuple(sorted(path.parent.name for path in (root or RELEASES).glob(f"*/{FILE_NAME}")))


def load_detector(
    name: str | None = None, root: Path | None = None, *, operating_point: str | None = None, threads: int = 1
) -> OnnxDetector:
    """Return the detector of a release, its network verified.

    Args:
        name: of the release; None is the default chest radiograph model.
        root: folder of releases; None means those that come with overread.
        operating_point: None is the release's default.
        threads: of one inference; more processes are worth more than more threads.

    Raises:
        ModelError: there is no such release, or it is malformed or altered.
    """
    folder = (root or RELEASES) / (name or DEFAULT_RELEASE)
    if folder.parent != (root or RELEASES) or not (folder / FILE_NAME).is_file():
        known = ", ".join(list_releases(root)) or "none"
        raise ModelError(f"there is no model release {folder.name!r}; there are: {known}")
    return OnnxDetector(folder, operating_point=operating_point, threads=threads)

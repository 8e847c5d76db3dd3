"""Published weights fetched from where they are published, and held to their SHA-256."""

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path

from models.torchxrayvision.published import PublishedSet
from overread.errors import ConfigurationError, ModelError, PeerError

_TIMEOUT_SECONDS = 60.0
_BLOCK = 1 << 20  # bytes
_MOST = 1 << 30  # bytes; the largest of the files has a tenth of that


def fetch(known: PublishedSet, folder: Path, *, mirror: str | None = None, sha256: str | None = None) -> Path:
    """Return the file of a set of weights in the folder, downloaded unless it is there already.

    Args:
        known: the set.
        folder: to keep the file in; it may hold it from an earlier time.
        mirror: address of the folder to fetch it from; None: where it is published.
        sha256: of the file; None: the one that is known here.

    Raises:
        ConfigurationError: the hash of this set is not known here, and none was given; or the address is no
            address.
        PeerError: the download fails.
        ModelError: what was downloaded is another file.
    """
    expected = (sha256 or known.sha256 or "").lower()
    if not expected:
        raise ConfigurationError(
            f"the SHA-256 of the set {known.name} is not known here; take it from a source that you trust "
            "and give it with --sha256"
        )
    name = known.url.rpartition("/")[2]
    target = folder / name
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        _download(known.url if mirror is None else f"{mirror.rstrip('/')}/{name}", partial)
        partial.replace(target)
    with target.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        target.unlink()
        raise ModelError(f"{name} is another file than expected: SHA-256 {found}, not {expected}; removed")
    return target


def _download(url: str, path: Path) -> None:
    if not url.startswith(("https://", "http://")):
        raise ConfigurationError(f"{url} is no http(s) address")
    try:
        # Scheme checked above. Whoever answers, and whereto it redirects: the hash decides.
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer, path.open("wb") as file:  # noqa: S310
            while block := answer.read(_BLOCK):
                file.write(block)
                if file.tell() > _MOST:
                    raise PeerError(f"{url} does not end; it is not the file that is published")
            stated = answer.headers.get("Content-Length")
            if stated is not None and file.tell() != int(stated):
                raise PeerError(f"{url} broke off after {file.tell()} of {stated} bytes; try again")
    except (OSError, http.client.HTTPException, urllib.error.URLError) as error:
        raise PeerError(f"cannot fetch {url}: {error}") from error

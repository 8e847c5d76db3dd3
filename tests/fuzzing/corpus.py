"""Inputs on which a parser once failed, as files: `corpus/PARSER/HASH`. Ordinary tests replay all of them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).with_name("corpus")


def keep(name: str, content: bytes, folder: Path = FOLDER) -> Path:
    """Return the file that now holds the input; the same one again is the same file."""
    path = folder / name / hashlib.sha256(content).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def kept(name: str, folder: Path = FOLDER) -> Iterator[Path]:
    """Yield the inputs of a parser, in a fixed order."""
    yield from sorted((folder / name).glob("*"))

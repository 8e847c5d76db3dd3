"""A file is fetched once, and is no other than the one whose hash is known."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from models.torchxrayvision.fetching import fetch
from models.torchxrayvision.published import PublishedSet, find_set, load_sets
from overread.errors import ConfigurationError, ModelError, PeerError
from tests.models.torchxrayvision.serving import serving

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "all.pt").write_bytes(CONTENT)
    with serving(tmp_path / "page") as url:
        yield url


def known(address: str, sha256: str | None = SHA256) -> PublishedSet:
    return replace(find_set("all"), url=f"{address}/all.pt", sha256=sha256)


@pytest.mark.parametrize("way", ["", "/moved"])
def test_the_file_is_fetched_once_from_where_it_is_published(address, tmp_path, way) -> None:
    path = fetch(known(address + way), tmp_path / "kept")
    assert path.read_bytes() == CONTENT
    assert fetch(known("http://127.0.0.1:1"), tmp_path / "kept") == path  # nobody is asked again
    assert list((tmp_path / "kept").iterdir()) == [path]


def test_another_file_is_refused_and_removed(address, tmp_path) -> None:
    with pytest.raises(ModelError, match=f"{SHA256}, not {'0' * 64}"):
        fetch(known(address, "0" * 64), tmp_path / "kept")
    assert not list((tmp_path / "kept").iterdir())


def test_a_given_hash_and_a_mirror_take_the_place_of_what_is_published(address, tmp_path) -> None:
    elsewhere = known("http://127.0.0.1:1", sha256=None)
    assert fetch(elsewhere, tmp_path / "kept", mirror=f"{address}/", sha256=SHA256.upper()).is_file()


def test_without_a_hash_nothing_is_fetched(address, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="--sha256"):
        fetch(known(address, sha256=None), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("end", "error"),
    [("/cut", PeerError), ("/nowhere", PeerError), (None, ConfigurationError)],
)
def test_a_download_that_fails_leaves_no_file_of_that_name(address, tmp_path, end, error) -> None:
    with pytest.raises(error):
        fetch(known("file:///etc" if end is None else address + end), tmp_path / "kept")
    assert not (tmp_path / "kept" / "all.pt").exists()


def test_every_set_has_an_address_and_the_one_for_most_has_a_hash() -> None:
    addresses = [each.url for each in load_sets().values()]
    assert len(set(addresses)) == len(addresses)
    assert all(address.startswith("https://") and address.endswith(".pt") for address in addresses)
    assert len(find_set("all").sha256 or "") == 64

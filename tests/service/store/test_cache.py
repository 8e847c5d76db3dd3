import hashlib
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from overread.errors import NotFoundError
from service.store.cache import ObjectCache

FILL = (
    "import hashlib, io, sys; from pathlib import Path; from service.store.cache import ObjectCache\n"
    "cache = ObjectCache(folder=Path(sys.argv[1]), bytes_max=64_000, in_use_seconds=0.0)\n"
    "for number in range(400):\n"
    "    content = str(number).encode() * 400\n"
    "    sha256 = hashlib.sha256(content).hexdigest()\n"
    "    path = cache.find(sha256) or cache.fill(sha256, io.BytesIO(content))\n"
)


def content_of(number: int) -> bytes:
    return bytes([number]) * 100


def hash_of(number: int) -> str:
    return hashlib.sha256(content_of(number)).hexdigest()


def cache_in(folder: Path, *, bytes_max: int = 1000, in_use_seconds: float = 60.0) -> ObjectCache:
    return ObjectCache(folder=folder, bytes_max=bytes_max, in_use_seconds=in_use_seconds)


def fill(cache: ObjectCache, number: int, *, used_ago: float = 0.0) -> Path:
    path = cache.fill(hash_of(number), io.BytesIO(content_of(number)))
    if path.exists():
        used = time.time() - used_ago
        os.utime(path, (used, used))
    return path


def present(cache: ObjectCache, numbers: range) -> list[int]:
    return [number for number in numbers if (cache.folder / hash_of(number)[:2] / hash_of(number)).exists()]


def test_what_was_not_used_for_longest_goes_first_and_less_than_the_limit_stays(tmp_path) -> None:
    cache = cache_in(tmp_path, bytes_max=10_000)
    for number in range(10):
        fill(cache, number, used_ago=1000 - number)
    cache.find(hash_of(0))  # used again

    small = cache_in(tmp_path, bytes_max=800)
    small.evict()

    # 1,000 bytes over a limit of 800: four of 100 go, so that 600 = 3/4 of it stay.
    assert present(small, range(10)) == [0, 5, 6, 7, 8, 9]


def test_what_is_in_use_stays_even_above_the_limit(tmp_path) -> None:
    cache = cache_in(tmp_path, bytes_max=300)

    for number in range(8):
        fill(cache, number)

    assert present(cache, range(8)) == list(range(8))


def test_a_folder_below_its_limit_is_left_alone(tmp_path) -> None:
    cache = cache_in(tmp_path)
    for number in range(10):
        fill(cache, number, used_ago=1000)

    assert cache.evict() == 0


def test_what_was_adopted_and_never_used_goes_before_what_is_in_use(tmp_path) -> None:
    cache = cache_in(tmp_path, bytes_max=10_000)
    for number in range(3):
        fill(cache, number)
    for number in range(3, 10):
        (tmp_path / "new").write_bytes(content_of(number))
        cache.adopt(tmp_path / "new", hash_of(number))

    cache_in(tmp_path, bytes_max=400).evict()

    assert present(cache, range(10)) == [0, 1, 2]


def test_a_copy_with_other_bytes_than_its_name_says_is_not_kept(tmp_path) -> None:
    cache = cache_in(tmp_path)

    with pytest.raises(NotFoundError, match="damaged"):
        cache.fill(hash_of(1), io.BytesIO(content_of(2)))

    assert cache.find(hash_of(1)) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"] == []


def test_what_a_dead_fetch_left_is_removed_in_time(tmp_path) -> None:
    cache = cache_in(tmp_path, bytes_max=100)
    old, young = tmp_path / f"{hash_of(1)}.old", tmp_path / f"{hash_of(1)}.young"
    for path, age in ((old, 7200), (young, 10)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age, time.time() - age))

    cache.evict()

    assert (old.exists(), young.exists()) == (False, True)


def test_processes_that_share_the_folder_keep_it_bounded_and_find_whole_copies(tmp_path) -> None:
    started = [subprocess.Popen([sys.executable, "-c", FILL, str(tmp_path)]) for _ in range(3)]

    assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
    copies = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"]
    assert 0 < sum(path.stat().st_size for path in copies) <= 64_000
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in copies)

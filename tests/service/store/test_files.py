import subprocess
import sys
from dataclasses import replace

import pytest

from overread.errors import InputError, OutOfResourcesError
from service.store.database import open_store

HOLD = (
    "import sys; from pathlib import Path; from service.settings import load_settings; "
    "from service.store.files import ObjectFiles; "
    "settings = load_settings({'OVERREAD_FREE_BYTES_MIN': '0'}, data_folder=Path(sys.argv[1])); "
    "files = ObjectFiles.in_folder(settings); "
    "incoming = files.begin(); incoming.write(b'half'); print('written', flush=True); sys.stdin.read()"
)


def left(store) -> list[bytes]:
    return [path.read_bytes() for path in store.files.incoming.iterdir()]


def test_an_object_that_did_not_arrive_completely_leaves_nothing(sqlite_store) -> None:
    def receive_half() -> None:
        with sqlite_store.files.begin() as incoming:
            incoming.write(b"half")
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        receive_half()

    assert left(sqlite_store) == []


def test_a_kept_object_is_found_by_the_hash_of_its_bytes(sqlite_store) -> None:
    with sqlite_store.files.begin() as incoming:
        for chunk in (b"a", b"", b"bc"):
            incoming.write(chunk)
        sqlite_store.files.keep(incoming)

    # echo -n abc | sha256sum
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert incoming.sha256 == sha256
    assert sqlite_store.files.path_of(sha256).read_bytes() == b"abc"
    assert left(sqlite_store) == []


def test_what_a_killed_receiver_left_is_removed_and_what_a_living_one_writes_is_not(sqlite_store) -> None:
    folder = str(sqlite_store.settings.data_folder)
    holding = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holding:
        assert holding.stdout.readline() == b"written\n"

        assert sqlite_store.files.sweep() == 0
        assert left(sqlite_store) == [b"half"]
        holding.kill()
        holding.wait()

        open_store(sqlite_store.settings).close()
        assert left(sqlite_store) == []


def test_a_disk_that_is_nearly_full_refuses_new_objects(sqlite_store) -> None:
    full = replace(
        sqlite_store.files, settings=sqlite_store.settings.model_copy(update={"free_bytes_min": 1 << 60})
    )

    with pytest.raises(OutOfResourcesError, match="OVERREAD_FREE_BYTES_MIN"):
        full.begin()


def test_a_disk_that_fills_while_an_object_arrives_refuses_the_rest(sqlite_store) -> None:
    filling = replace(
        sqlite_store.files, settings=sqlite_store.settings.model_copy(update={"free_bytes_min": 0})
    )
    with filling.begin() as incoming:
        incoming.write(bytes(60 << 20))
        object.__setattr__(
            filling, "settings", sqlite_store.settings.model_copy(update={"free_bytes_min": 1 << 60})
        )

        with pytest.raises(OutOfResourcesError):
            incoming.write(bytes(8 << 20))  # past the 64 MiB after which space is looked at again


def test_an_object_larger_than_allowed_is_refused_while_it_arrives(sqlite_store) -> None:
    small = replace(
        sqlite_store.files, settings=sqlite_store.settings.model_copy(update={"object_bytes_max": 10})
    )

    with small.begin() as incoming, pytest.raises(InputError, match="10 bytes"):
        incoming.write(bytes(11))

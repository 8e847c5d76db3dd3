"""One process at a time sends to a destination; a dead one is succeeded at once."""

import subprocess
import sys

from service.results.ownership import is_dead, lease_of, owning, this_process
from service.store.leases import holder_of, take_lease
from tests.service.material import NOW


def test_what_another_process_owns_is_left_to_it(sqlite_store) -> None:
    assert take_lease(sqlite_store, lease_of("pacs", this_process()), now=NOW)

    with owning(sqlite_store, "pacs", "results elsewhere 1 2 3", clock=lambda: NOW) as owns:
        assert not owns

    assert holder_of(sqlite_store, "results pacs") == this_process()


def test_the_lease_of_a_dead_process_is_taken_over(store) -> None:
    code = "from service.results.ownership import this_process; print(this_process())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    owner = dead.stdout.strip()
    assert take_lease(store, lease_of("pacs", owner), now=NOW)

    with owning(store, "pacs", this_process(), clock=lambda: NOW) as owns:
        assert owns
        assert holder_of(store, "results pacs") == this_process()

    assert holder_of(store, "results pacs") is None


def test_a_process_is_dead_only_where_it_could_be_seen() -> None:
    ours = this_process()
    words = ours.split(" ")

    assert not is_dead(ours)
    assert is_dead(" ".join([*words[:4], "1"]))  # the number belongs to a process that began at another time
    assert not is_dead(" ".join(["results", "elsewhere", *words[2:4], "1"]))
    assert not is_dead(" ".join([*words[:2], "namespace", words[3], "1"]))
    assert not is_dead("worker host 17")

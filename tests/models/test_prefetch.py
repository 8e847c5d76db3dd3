"""Preparing ahead, with a preparation that is told when to go on."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from models.prefetch import HINTS_IGNORED, MOST_IMAGES, Prefetch

A, B, C, D = ((Path(name),) for name in "abcd")


class Kitchen:
    """Prepares a path by naming it; counts, and says in which thread."""

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.behind: list[str] = []
        self.open = threading.Event()
        self.open.set()

    def prepare(self, path: Path) -> str:
        self.open.wait()
        self.prepared.append(path.name)
        if threading.current_thread().name == "prefetch":
            self.behind.append(path.name)
        if path.name == "broken":
            raise ValueError("it is broken")
        return f"<{path.name}>"


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()


@pytest.fixture
def prefetch(kitchen) -> Prefetch[str]:
    return Prefetch(kitchen.prepare)


def test_a_hinted_study_is_prepared_behind_and_once(prefetch, kitchen) -> None:
    study = (Path("a"), Path("b"))
    prefetch.hint(study)

    assert list(prefetch.take(study)) == ["<a>", "<b>"]
    assert kitchen.prepared == kitchen.behind == ["a", "b"]


def test_what_was_taken_is_forgotten(prefetch, kitchen) -> None:
    prefetch.hint(A)

    assert list(prefetch.take(A)) == list(prefetch.take(A)) == ["<a>"]
    assert (kitchen.prepared, kitchen.behind) == (["a", "a"], ["a"])


@pytest.mark.parametrize("hinted", [B, (*A, *B), ()])
def test_another_hint_changes_nothing(prefetch, hinted) -> None:
    prefetch.hint(hinted)

    assert list(prefetch.take(A)) == ["<a>"]


def test_the_next_study_may_be_hinted_before_the_one_in_hand_is_taken(prefetch, kitchen) -> None:
    for hinted, asked in ((B, A), (C, B), (D, C)):
        prefetch.hint(hinted)
        list(prefetch.take(asked))

    list(prefetch.take(D))
    assert kitchen.behind == ["b", "c", "d"]


def test_an_error_is_raised_where_the_study_is_asked_for(prefetch, kitchen) -> None:
    broken = (*A, Path("broken"))
    prefetch.hint(broken)

    walked = iter(prefetch.take(broken))
    assert next(walked) == "<a>"
    with pytest.raises(ValueError, match="it is broken"):
        next(walked)
    assert kitchen.behind == ["a", "broken"]


def test_a_hint_is_ignored_while_another_is_prepared(prefetch, kitchen) -> None:
    kitchen.open.clear()
    prefetch.hint(A)
    prefetch.hint(B)
    kitchen.open.set()

    assert list(prefetch.take(B)) == ["<b>"]
    assert list(prefetch.take(A)) == ["<a>"]
    assert kitchen.behind == ["a"]


def test_a_study_of_many_images_is_not_prepared_ahead(prefetch, kitchen) -> None:
    for count in (MOST_IMAGES, MOST_IMAGES + 1):
        study = tuple(Path(f"{count}-{number}") for number in range(count))
        prefetch.hint(study)
        assert len(list(prefetch.take(study))) == count

    assert len(kitchen.behind) == MOST_IMAGES


def settle(prefetch: Prefetch[str], hinted: tuple[Path, ...]) -> None:
    """Hint, and wait until the background is done with it."""
    prefetch.hint(hinted)
    for thread in threading.enumerate():
        if thread.name == "prefetch":
            thread.join()


def test_after_a_hint_in_vain_some_are_ignored(prefetch, kitchen) -> None:
    for hinted in (A, B, C):  # with the third, nobody has asked for the first
        settle(prefetch, hinted)
    for number in range(HINTS_IGNORED):
        settle(prefetch, (Path(f"ignored {number}"),))
    settle(prefetch, D)

    assert kitchen.behind == ["a", "b", "c", "d"]


def test_a_process_ends_without_waiting_for_what_nobody_asked_for() -> None:
    program = (
        "import threading; from pathlib import Path; from models.prefetch import Prefetch\n"
        "Prefetch(lambda path: threading.Event().wait(600)).hint([Path('a')]); print('done')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("done\n", "")

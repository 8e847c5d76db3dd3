"""Every parser stands what it once did not, its samples, and a few hundred further inputs of a fixed seed."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.fuzzing.campaign import fuzz
from tests.fuzzing.corpus import FOLDER, kept
from tests.fuzzing.harness import Harness, check
from tests.fuzzing.parsers import NAMES, harnesses

EXECUTIONS = 40
pytestmark = pytest.mark.filterwarnings("ignore")  # of pydicom, about what is broken on purpose


@pytest.fixture(scope="module")
def by_name() -> Iterator[dict[str, Harness]]:
    with ExitStack() as stack:
        yield {harness.name: harness for harness in harnesses(stack)}


def test_every_parser_has_a_name_and_a_corpus_has_a_parser(by_name: dict[str, Harness]) -> None:
    assert tuple(by_name) == NAMES
    assert {path.name for path in FOLDER.iterdir()} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_parser_stands_what_it_once_did_not(name: str, by_name: dict[str, Harness]) -> None:
    for path in kept(name):
        check(by_name[name], path.read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_a_parser_takes_its_samples_and_some_hostile_inputs(name: str, by_name: dict[str, Harness]) -> None:
    for sample in by_name[name].samples:
        check(by_name[name], sample)
    tally = fuzz(by_name[name], number=1, seconds=3600.0, executions=EXECUTIONS)

    assert tally.failures == {}

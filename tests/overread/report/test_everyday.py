"""Everyday sentences of many hospitals, each with what it must be read as."""

from pathlib import Path

import pytest

from overread.report import load_reader
from tests.overread.report.expectations import is_stated

_LINES = (Path(__file__).with_name("everyday.txt")).read_text(encoding="utf-8").splitlines()
CASES = [line.rsplit(" | ", maxsplit=1) for line in _LINES if line and not line.startswith("#")]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text[:50] for text, _ in CASES])
def test_an_everyday_sentence_is_read_as_a_careful_reader_does(text: str, expected: str) -> None:
    reading = load_reader().read(text.replace("\\n", "\n"))

    for one in expected.split("; "):
        assert is_stated(reading, one), (one, reading.observations)

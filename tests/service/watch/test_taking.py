"""Files that were spoilt on their way: each is taken or refused, and none ends the watch."""

import os
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.hl7.settings import Hl7Settings
from service.watch.settings import WatchSettings
from service.watch.taking import SettledFile, take_file
from tests.service.material import NOW
from tests.service.quarantine.test_contents import FORMS
from tests.service.quarantine.test_replay import message

NAMES = ("a.dcm", "a.hl7", "a.json", "a.txt", "a")
BEGUN = (*FORMS, b'{"accession_number": "A1", "text": "x"}', f"\x0b{message('A1')}\x1c\r".encode() * 2)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(NAMES), whole=st.sampled_from(BEGUN))
def test_whatever_a_file_holds_it_is_taken_or_refused_in_words(
    sqlite_store, tmp_path: Path, data, name: str, whole: bytes
) -> None:
    spoilt = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(bytes(spoilt[: data.draw(st.integers(0, len(spoilt)))]))
    sidecar = data.draw(st.sampled_from([None, b"{", b'{"status": "NONE"}', b'{"accession_number": "A1"}']))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        file = SettledFile(name=name, descriptor=descriptor, sidecar=sidecar)
        problems = take_file(sqlite_store, file, WatchSettings(), hl7=Hl7Settings(), now=NOW)
    finally:
        os.close(descriptor)

    assert all(problem.isprintable() for problem in problems)

import pytest

from tests.service.faults.mutate import run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("protocol", "count"), [("dicom", 300), ("hl7", 300)])
def test_nothing_that_is_sent_stops_a_listener_or_makes_it_lose_anything(protocol, count, tmp_path) -> None:
    tally = run(protocol, tmp_path, count, seed=20260301)

    assert tally.outcomes.total() == count
    assert tally.is_perfect, "\n".join(tally.lines(protocol))
    assert len(tally.outcomes) >= 3
    assert tally.memory_megabytes < 400

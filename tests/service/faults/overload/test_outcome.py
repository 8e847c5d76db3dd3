"""What a flood must not do is told."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.service.faults.chaos.ledger import Reckoning
from tests.service.faults.overload.outcome import Outcome, Phase, halves

PHASE = Phase(
    seconds=10.0,
    offered=100,
    acknowledged=20,
    concluded=5,
    pages=(0.1,) * 200,
    memory_megabytes=(900.0, 1000.0, 1100.0, 1050.0),
)
RECKONING = Reckoning(
    studies=10,
    acknowledged=20,
    distinct=20,
    stored=20,
    triaged_once=10,
    waiting=0,
    lost=(),
    twice=(),
    open=(),
)
HELD = Outcome(
    seed=1,
    database="sqlite",
    capacity=PHASE,
    flood=PHASE,
    drain=PHASE,
    refusals=Counter({"FHIR status 503": 7, "C-STORE status 0xa700": 2, "HL7 answered AE": 1}),
    acknowledged=Counter({"FHIR": 20}),
    longest_answer_seconds={"FHIR": 1.5},
    pages=Counter({"200": 600}),
    peak_megabytes={"api": 300.0},
    reckoning=RECKONING,
)


def test_a_flood_that_is_turned_away_by_the_codes_of_its_protocols_held() -> None:
    assert HELD.faults == ()
    assert list(HELD.lines())[-1] == "everything held"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"refusals": Counter({"HTTP status 500": 3})}, "3 x HTTP status 500"),
        ({"refusals": Counter({"STOW-RS ReadTimeout": 1})}, "1 x STOW-RS ReadTimeout"),
        (
            {"refusals": Counter({"HTTP status 503 without Retry-After": 1})},
            "1 x HTTP status 503 without Retry-After",
        ),
        ({"refusals": Counter({"C-STORE no reply": 2, "FHIR status 503": 300})}, "2 x C-STORE no reply"),
        ({"pages": Counter({"200": 5, "503": 2})}, "2 x page 503"),
        ({"flood": replace(PHASE, acknowledged=0)}, "nothing was taken during the flood"),
        ({"flood": replace(PHASE, pages=(0.1,) * 150 + (1.5,) * 50)}, "a page took 1.50 s (p99)"),
        (
            {"flood": replace(PHASE, memory_megabytes=(900.0, 1000.0, 1200.0, 1260.0))},
            "memory grew from 1000 to 1260 MB",
        ),
        (
            {"reckoning": replace(RECKONING, lost=("object of A1",))},
            "not everything is there once and concluded",
        ),
    ],
)
def test_what_did_not_hold_is_told(changed: dict[str, object], told: str) -> None:
    outcome = replace(HELD, **changed)

    assert outcome.faults == (told,)
    assert list(outcome.lines())[-1] == f"did not hold: {told}"


def test_a_connection_that_ended_just_when_something_was_sent_is_no_fault() -> None:
    assert replace(HELD, refusals=Counter({"C-STORE no reply": 2, "FHIR status 503": 400})).faults == ()


def test_the_halves_of_some_values_share_none() -> None:
    assert halves([3.0, 1.0, 2.0]) == (3.0, 2.0)
    assert halves([5.0]) == (5.0, 0.0)

"""A language model on the loopback interface re-reads the sentences behind a flag."""

from collections.abc import Iterator

import pytest

from overread.case import CaseState
from service.store.queue import claim_case
from service.store.worklist import load_case
from service.triage.rereading import load_rereader
from tests.models.chat import ChatServer, serving_chat
from tests.service.material import BLACK, NOW, WHITE, ready_case, triage_one

DENIED = "I see no reason to doubt the mass."  # which the rules of these tests take for a denial


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving_chat() as server:
        yield server


def rereader(store, server: ChatServer):
    """As a worker makes it from the settings of its installation."""
    model = {"url": server.url, "name": "local", "seconds_max": 5}
    given = {f"language_model_{name}": value for name, value in model.items()}
    return load_rereader(store.settings.model_copy(update=given))


def triaged(store, server: ChatServer, *, value: int = WHITE, report: str = DENIED):
    case_id = ready_case(store, value=value, report=report)
    claimed = claim_case(store, worker="w", now=NOW)
    triage_one(store, claimed, clock=lambda: NOW, rereader=rereader(store, server))
    return load_case(store, case_id)


def mass(presence: str) -> list[dict[str, str]]:
    return [{"finding": "mass", "presence": presence, "laterality": "UNSPECIFIED", "words": "mass"}]


def test_a_flag_that_rested_on_a_misread_sentence_goes_and_the_conclusion_names_both_readers(
    store, server
) -> None:
    server.answer(mass("PRESENT"))

    case = triaged(store, server)

    assert case.summary.state is CaseState.CONCORDANT
    assert case.triage.reading.observer.name == "words+local"
    (observation,) = case.triage.reading.observations
    assert observation.rules["presence"] == "model:local"


def test_a_flag_that_the_model_confirms_stays(store, server) -> None:
    server.answer(mass("ABSENT"))

    case = triaged(store, server)

    assert case.summary.state is CaseState.LISTED
    assert case.triage.reading.observer.name == "words+local"


@pytest.mark.parametrize("status", [500, 302])
def test_where_the_model_fails_the_rules_decide_and_are_named_alone(store, server, status) -> None:
    server.reply = lambda _: (status, b"")

    case = triaged(store, server)

    assert case.summary.state is CaseState.LISTED
    assert case.triage.reading.observer.name == "words"
    assert len(server.received) == 1


def test_nothing_is_sent_where_no_flag_depends_on_a_sentence(store, server) -> None:
    agreed = triaged(store, server, value=BLACK)

    assert agreed.summary.state is CaseState.CONCORDANT
    assert server.received == []


def test_nothing_is_sent_where_the_report_is_silent(store, server) -> None:
    silent = triaged(store, server, report="The heart is of normal size.")

    assert silent.summary.state is CaseState.LISTED
    assert server.received == []


def test_without_a_setting_there_is_no_second_reader(store) -> None:
    assert store.settings.language_model is None
    assert load_rereader(store.settings) is None

import json
import logging
from collections.abc import Iterator

import pytest

from models.language_model import ChatEndpoint, EndpointSettings
from overread.discrepancy import Discrepancy, DiscrepancyKind
from overread.errors import ConfigurationError, OutOfResourcesError
from overread.finding import load_vocabulary
from overread.observation import Laterality, Presence, ReportObservation, ReportReading
from overread.report import load_reader
from overread.report.reread import Rereader, sentences_behind
from tests.models.chat import ChatServer, serving_chat


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving_chat() as server:
        yield server


def rereader_of(url: str) -> Rereader:
    endpoint = ChatEndpoint(EndpointSettings(url=url, model="local", timeout_seconds=5))
    return Rereader(endpoint, load_vocabulary())


def reread(server: ChatServer, text: str, finding: str = "nodule") -> ReportReading:
    """Read by rules, and again by the model the sentences that speak of a finding."""
    reading = load_reader().read(text)
    sentences = [o.sentence for o in reading.observations if o.finding == finding]
    return rereader_of(server.url).reread(text, reading, sentences)


def nodules(server: ChatServer, text: str) -> list[ReportObservation]:
    return [o for o in reread(server, text).observations if o.finding == "nodule"]


TEXT = "Cardiomegaly. There is a nodule that I would not call one. No effusion."


def nodule_absent(words: str = "nodule") -> list[dict[str, str]]:
    return [{"finding": "nodule", "presence": "ABSENT", "laterality": "UNSPECIFIED", "words": words}]


def test_the_model_corrects_presence_and_the_rules_name_it(server: ChatServer) -> None:
    server.answer(nodule_absent())

    (nodule,) = nodules(server, TEXT)

    assert (nodule.presence, nodule.certainty, nodule.rules["presence"]) == (
        Presence.ABSENT,
        0.0,
        "model:local",
    )
    assert TEXT[nodule.span.start : nodule.span.end] == "nodule"


def test_the_model_corrects_the_side(server: ChatServer) -> None:
    server.answer([{"finding": "nodule", "presence": "PRESENT", "laterality": "LEFT", "words": "nodule"}])

    (nodule,) = nodules(server, "There is a nodule.")

    assert nodule.laterality is Laterality.LEFT


def test_only_the_sentence_that_matters_is_sent(server: ChatServer) -> None:
    server.answer(nodule_absent())

    reread(server, TEXT)

    ((path, body),) = server.received
    sent = json.dumps(body)
    assert path == "/v1/chat/completions"
    assert "nodule that I would not call one" in sent
    assert "Cardiomegaly" not in sent
    assert "effusion" not in sent


def test_nothing_is_sent_where_nothing_matters(server: ChatServer) -> None:
    reread(server, TEXT, finding="fracture")

    assert server.received == []


@pytest.mark.parametrize(
    "findings",
    [
        nodule_absent(words="a mass of 3 cm"),
        nodule_absent(words=""),
        [{"finding": "nodule", "presence": "GONE", "words": "nodule"}],
        [{"finding": "mass", "presence": "ABSENT", "words": "nodule"}],
        [*nodule_absent(), {"finding": "nodule", "presence": "PRESENT", "words": "nodule"}],
        "nodule",
        [["nodule"]],
    ],
    ids=[
        "words not in the text",
        "no words",
        "unknown presence",
        "not asked for",
        "two answers",
        "text",
        "wrong shape",
    ],
)
def test_an_answer_that_does_not_hold_leaves_the_rules_reading(server: ChatServer, findings: object) -> None:
    server.answer(findings)

    (nodule,) = nodules(server, "There is a nodule.")

    assert nodule.presence is Presence.PRESENT


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (200, b"not json"),
        (200, b"{}"),
        (200, b'{"choices": [{"message": {"content": null}}]}'),
        (302, b""),
    ],
    ids=["server error", "not JSON", "no choices", "no text", "redirect"],
)
def test_a_failing_endpoint_leaves_the_rules_reading(server: ChatServer, status: int, body: bytes) -> None:
    server.reply = lambda _: (status, body)

    (nodule,) = nodules(server, "There is a nodule.")

    assert nodule.presence is Presence.PRESENT
    assert len(server.received) == 1


def test_an_endpoint_that_nobody_serves_leaves_the_rules_reading() -> None:
    server = ChatServer()
    url = server.url
    server.server_close()
    reading = load_reader().read("There is a nodule.")

    again = rereader_of(url).reread("There is a nodule.", reading, [o.sentence for o in reading.observations])

    assert again == reading
    with pytest.raises(OutOfResourcesError):
        ChatEndpoint(EndpointSettings(url=url, model="local", timeout_seconds=1)).complete("", "")


def test_logs_carry_no_report_text(server: ChatServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer("nodule that I would not call one")

    reread(server, TEXT)

    assert caplog.records
    assert "nodule" not in " ".join(str(vars(record)) for record in caplog.records)


def test_a_group_denied_by_a_normal_statement_is_not_asked_about(server: ChatServer) -> None:
    server.answer(nodule_absent())

    reading = reread(server, "The lungs are clear.")

    assert server.received == []

    assert {o.presence for o in reading.observations if o.finding == "nodule"} == {Presence.ABSENT}
    assert all(
        o.rules["finding"].startswith("denial:") for o in reading.observations if o.finding == "nodule"
    )


def test_the_reading_names_the_model_only_where_it_answered(server: ChatServer) -> None:
    server.answer(
        [{"finding": "nodule", "presence": "PRESENT", "laterality": "UNSPECIFIED", "words": "nodule"}]
    )
    assert reread(server, TEXT).observer.name == "overread-rules+local"

    server.answer(nodule_absent(words="a mass of 3 cm"))
    assert reread(server, TEXT).observer == load_reader().identity


def test_the_sentences_behind_a_flag_are_those_of_its_observations() -> None:
    reading = load_reader().read("Heart normal. Small nodule in the left lung. Nodule seen. No effusion.")
    mine = tuple(o for o in reading.observations if o.finding == "nodule")
    flag = Discrepancy(
        kind=DiscrepancyKind.POSSIBLE_OVERCALL,
        finding="nodule",
        detector_observation=None,
        report_observations=mine[::-1],
        factors=(),
        odds=1.0,
        priority=1.0,
        reasons=(),
    )

    assert sentences_behind([flag, flag]) == (mine[0].sentence, mine[1].sentence)
    assert sentences_behind([]) == ()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        ChatEndpoint(EndpointSettings(url="file:///etc/passwd", model="local"))

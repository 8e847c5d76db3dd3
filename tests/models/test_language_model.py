import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from models.language_model import ChatEndpoint, EndpointSettings
from overread.errors import ConfigurationError, OutOfResourcesError
from overread.finding import load_vocabulary
from overread.observation import Laterality, Presence, ReportObservation
from overread.report import load_reader
from overread.report.reread import RereadingReader

Reply = Callable[[dict[str, object]], tuple[int, bytes]]


class ChatServer(ThreadingHTTPServer):
    """Answers POST /v1/chat/completions as a test asks; keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, dict[str, object]]] = []
        self.reply: Reply = lambda _: (500, b"")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def answer(self, findings: object) -> None:
        """Answer with findings, as a model that does as it was told."""
        content = json.dumps({"findings": findings})
        body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
        self.reply = lambda _: (200, body)


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path, body))
        status, answer = self.server.reply(body)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.url + "/elsewhere")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ChatServer]:
    server = ChatServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def reader_with(
    server: ChatServer, matters: Callable[[ReportObservation], bool] = lambda o: o.finding == "nodule"
) -> RereadingReader:
    endpoint = ChatEndpoint(EndpointSettings(url=server.url, model="local", timeout_seconds=5))
    return RereadingReader(load_reader(), endpoint, load_vocabulary(), matters)


def nodules(reader: RereadingReader, text: str) -> list[ReportObservation]:
    return [o for o in reader.read(text).observations if o.finding == "nodule"]


TEXT = "Cardiomegaly. There is a nodule that I would not call one. No effusion."


def nodule_absent(words: str = "nodule") -> list[dict[str, str]]:
    return [{"finding": "nodule", "presence": "ABSENT", "laterality": "UNSPECIFIED", "words": words}]


def test_the_model_corrects_presence_and_the_rules_name_it(server: ChatServer) -> None:
    server.answer(nodule_absent())

    (nodule,) = nodules(reader_with(server), TEXT)

    assert (nodule.presence, nodule.certainty, nodule.rules["presence"]) == (
        Presence.ABSENT,
        0.0,
        "model:local",
    )
    assert TEXT[nodule.span.start : nodule.span.end] == "nodule"


def test_the_model_corrects_the_side(server: ChatServer) -> None:
    server.answer([{"finding": "nodule", "presence": "PRESENT", "laterality": "LEFT", "words": "nodule"}])

    (nodule,) = nodules(reader_with(server), "There is a nodule.")

    assert nodule.laterality is Laterality.LEFT


def test_only_the_sentence_that_matters_is_sent(server: ChatServer) -> None:
    server.answer(nodule_absent())

    reader_with(server).read(TEXT)

    ((path, body),) = server.received
    sent = json.dumps(body)
    assert path == "/v1/chat/completions"
    assert "nodule that I would not call one" in sent
    assert "Cardiomegaly" not in sent
    assert "effusion" not in sent


def test_nothing_is_sent_where_nothing_matters(server: ChatServer) -> None:
    reader_with(server, matters=lambda _: False).read(TEXT)

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

    (nodule,) = nodules(reader_with(server), "There is a nodule.")

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

    (nodule,) = nodules(reader_with(server), "There is a nodule.")

    assert nodule.presence is Presence.PRESENT
    assert len(server.received) == 1


def test_an_endpoint_that_nobody_serves_leaves_the_rules_reading() -> None:
    server = ChatServer()
    url = server.url
    server.server_close()
    endpoint = ChatEndpoint(EndpointSettings(url=url, model="local", timeout_seconds=1))
    reader = RereadingReader(load_reader(), endpoint, load_vocabulary(), lambda _: True)

    (nodule,) = nodules(reader, "There is a nodule.")

    assert nodule.presence is Presence.PRESENT
    with pytest.raises(OutOfResourcesError):
        endpoint.complete("", "")


def test_logs_carry_no_report_text(server: ChatServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer("nodule that I would not call one")

    reader_with(server).read(TEXT)

    assert caplog.records
    assert "nodule" not in " ".join(str(vars(record)) for record in caplog.records)


def test_a_group_denied_by_a_normal_statement_is_not_asked_about(server: ChatServer) -> None:
    server.answer(nodule_absent())

    reading = reader_with(server).read("The lungs are clear.")

    assert {o.presence for o in reading.observations if o.finding == "nodule"} == {Presence.ABSENT}
    assert all(
        o.rules["finding"].startswith("denial:") for o in reading.observations if o.finding == "nodule"
    )


def test_the_identity_names_rules_and_model(server: ChatServer) -> None:
    assert reader_with(server).identity.name == "overread-rules+local"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        ChatEndpoint(EndpointSettings(url="file:///etc/passwd", model="local"))

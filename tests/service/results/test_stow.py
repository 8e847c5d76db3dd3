"""Results by STOW-RS: to a scripted server, and to Orthanc."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from overread.errors import PeerError
from service.results.ownership import this_process
from service.results.sending import Sender
from service.results.settings import Rule, StowServer
from service.results.stow import StowClient
from service.store.database import Store
from service.store.outbox import Query, list_deliveries
from service.store.result_occasions import Moment
from service.store.results import Form
from tests.service.material import NOW
from tests.service.results.material import make_due, seen, told_case

TO_WEB = (Rule(moment=Moment.TRIAGE, form=Form.SR, destination="web"),)


class Answers:
    """A STOW server that answers with the statuses and failure reasons of a script, then with success."""

    def __init__(self, *answers: tuple[int, int | None]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []

    @contextmanager
    def listening(self) -> Iterator[str]:
        server_of_test = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server_of_test.requests.append((self.path, dict(self.headers), body))
                status, reason = server_of_test.answers.pop(0) if server_of_test.answers else (200, None)
                answer = {} if reason is None else failed(body, reason)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
            finally:
                server.shutdown()
                thread.join(10)


def failed(body: bytes, reason: int) -> dict[str, object]:
    uid = next(part for part in body.split(b"\x02\x00\x03\x00UI")[1:2])[2:].split(b"\x00")[0].decode()
    uid = uid[: uid.index("\x02")] if "\x02" in uid else uid
    item = {"00081155": {"vr": "UI", "Value": [uid]}, "00081197": {"vr": "US", "Value": [reason]}}
    return {"00081198": {"vr": "SQ", "Value": [item]}}


def sender(store: Store, url: str) -> Sender:
    client = StowClient(StowServer(name="web", url=url, authorization="Bearer x"), store.files)
    return Sender(store, client, owner=this_process(), clock=lambda: NOW)


def states(store: Store) -> list[tuple[str, str | None]]:
    return [(item.state.value, item.detail) for item in list_deliveries(store, Query(), limit=9)]


def test_an_object_is_posted_as_it_was_made(sqlite_store) -> None:
    told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_WEB)
    (delivery,) = list_deliveries(sqlite_store, Query(), limit=9)
    server = Answers()

    with server.listening() as url:
        assert sender(sqlite_store, url).send_due() == 1

    ((path, headers, body),) = server.requests
    assert path == "/dicom-web/studies"
    assert headers["Authorization"] == "Bearer x"
    assert sqlite_store.files.path_of(delivery.sha256).read_bytes() in body
    assert states(sqlite_store) == [("SENT", "stored, HTTP status 200")]


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ((409, 0xA900), ("DUE", "failure reason 0xA900")),
        ((409, 0x0111), ("SENT", "it held it already, failure reason 0x0111")),
        ((400, None), ("DUE", "HTTP status 400")),
    ],
)
def test_what_the_server_says_of_an_object_counts(answer, wanted, sqlite_store) -> None:
    told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_WEB)

    with Answers(answer).listening() as url:
        sender(sqlite_store, url).send_due()

    assert states(sqlite_store) == [wanted]


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_server_that_does_not_take_anything_counts_as_away(status, sqlite_store) -> None:
    told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_WEB)

    with Answers((status, None)).listening() as url, pytest.raises(PeerError, match=str(status)):
        sender(sqlite_store, url).send_due()

    (delivery,) = list_deliveries(sqlite_store, Query(), limit=9)
    assert (delivery.state, delivery.attempts) == ("DUE", 0)

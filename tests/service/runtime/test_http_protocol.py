"""Requests whose head does not come to its end, on real sockets."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from service.runtime.http_protocol import TimedHeadProtocol, bounded_protocol

UPLOAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na"
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class HastyProtocol(TimedHeadProtocol):
    head_seconds = 0.2


async def greeting(scope: Scope, receive: Receive, send: Send) -> None:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class NarrowProtocol(bounded_protocol(2)):  # type: ignore[misc]
    patience_seconds = 0.0


class PatientProtocol(NarrowProtocol):
    patience_seconds = 3600.0


@contextlib.contextmanager
def serving(protocol: type[TimedHeadProtocol]) -> Iterator[Callable[[], socket.socket]]:
    """What makes connections to a server."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as held:
        config = uvicorn.Config(greeting, http=protocol, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = listener.getsockname()
        try:
            yield lambda: held.enter_context(socket.create_connection(address, timeout=20))
        finally:
            server.should_exit = True
            thread.join(timeout=10)


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    """A connection to a server that waits shortly for the head of a request."""
    with serving(HastyProtocol) as connect:
        yield connect()


def answer(connection: socket.socket) -> bytes:
    connection.sendall(REQUEST)
    return connection.recv(4096)[:12]


def test_the_longest_silent_connection_without_a_whole_request_makes_room() -> None:
    with serving(NarrowProtocol) as connect:
        spoken, half = connect(), connect()
        assert answer(spoken) == b"HTTP/1.1 200"
        half.sendall(UPLOAD)
        third = connect()
        assert answer(third) == b"HTTP/1.1 200"
        assert half.recv(10) == b""
        assert answer(connect()) == b"HTTP/1.1 200"  # in place of one that rests between two requests
        assert spoken.recv(10) == b""
        assert answer(third) == b"HTTP/1.1 200"


def test_a_connection_too_many_is_told_so_while_the_others_are_at_work() -> None:
    with serving(PatientProtocol) as connect:
        for _ in range(2):
            connect().sendall(UPLOAD)
        assert connect().recv(4096).startswith(b"HTTP/1.1 503")


@pytest.mark.parametrize("sent", [b"", REQUEST[:-2]], ids=["nothing", "half a head"])
def test_a_connection_without_a_whole_head_is_closed(sent: bytes) -> None:
    with listening() as connection:
        connection.sendall(sent)
        assert connection.recv(10) == b""


def test_half_a_second_head_is_closed_too() -> None:
    with listening() as connection:
        connection.sendall(REQUEST)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(REQUEST[:-2])
        assert connection.recv(10) == b""


def test_a_body_may_take_longer_than_a_head() -> None:
    with listening() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\na")
        connection.settimeout(1.0)
        with pytest.raises(TimeoutError):
            connection.recv(10)
        connection.sendall(b"b")
        connection.settimeout(20)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")

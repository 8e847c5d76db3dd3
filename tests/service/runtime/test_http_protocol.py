"""Requests whose head does not come to its end, on real sockets."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from service.runtime.http_protocol import TimedHeadProtocol

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


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    """A connection to a server that waits shortly for the head of a request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(greeting, http=HastyProtocol, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with socket.create_connection(listener.getsockname()) as connection:
                connection.settimeout(20)
                yield connection
        finally:
            server.should_exit = True
            thread.join(timeout=10)


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

"""A listener on a free port of 127.0.0.1, in a thread of the test's own process."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def listening_on(make: Callable[[socket.socket], socketserver.BaseServer]) -> Iterator[int]:
    """The server that `make` makes of a listening socket; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = make(listener)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.shutdown()
            thread.join(timeout=10)

"""A C-STORE or HL7 listener as a process: `python -m service.runtime.listener_process {dicom,hl7} ADDRESSES`.

It listens on a socket that the supervisor holds and hands down, as the HTTP processes do.
"""

import logging
import os
import signal
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

import structlog

from service.dicom.settings import DicomSettings
from service.hl7.settings import Hl7Settings
from service.log import configure_logging
from service.network_settings import require_restricted
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.release_watch import ends_when_outdated
from service.tracing import close_tracing, configure_tracing

_log = structlog.get_logger("overread.listener")


class Protocol(StrEnum):
    """Protocol of a listener."""

    DICOM = "dicom"
    HL7 = "hl7"


def check_listener(protocol: Protocol, host: str, environ: Mapping[str, str]) -> None:
    """Return if a listener can be started on this address with these settings.

    Raises:
        ConfigurationError: a setting is wrong, or others could send and nobody has said who may.
    """
    if protocol is Protocol.DICOM:
        dicom = DicomSettings.read(environ)
        remedy = "OVERREAD_DICOM_CALLING_AE_TITLES or OVERREAD_DICOM_TLS_CLIENT_CA"
        require_restricted(host, is_restricted=dicom.is_restricted, name="images", remedy=remedy)
        if dicom.tls is not None:
            dicom.tls.context()
        return
    hl7 = Hl7Settings.read(environ)
    remedy = "OVERREAD_HL7_SENDERS or OVERREAD_HL7_TLS_CLIENT_CA"
    require_restricted(host, is_restricted=hl7.is_restricted, name="reports", remedy=remedy)
    if hl7.tls is not None:
        hl7.tls.context()


def run_listener(protocol: Protocol, listener: socket.socket, environ: Mapping[str, str]) -> None:
    """Take what is sent until SIGTERM or SIGINT; what has not been acknowledged by then is sent again."""
    configure_logging()
    configure_tracing(environ)
    logging.getLogger("pynetdicom").addHandler(logging.NullHandler())
    logging.getLogger("pynetdicom").propagate = False  # its messages repeat what was sent; ours do not
    store = open_store(load_settings(environ))
    server = _SERVERS[protocol](listener, store, environ)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    _log.info("listening", protocol=protocol.value, port=listener.getsockname()[1])
    with ends_when_outdated(store.require_release) as outdated:
        server.serve_forever(poll_interval=0.2)
    _log.info("stopped", protocol=protocol.value)
    close_tracing()
    sys.stderr.flush()
    os._exit(
        int(outdated.is_set())
    )  # the library's threads are no daemons, and wait for senders that may be silent


def _dicom_server(
    listener: socket.socket, store: Store, environ: Mapping[str, str]
) -> socketserver.BaseServer:
    from service.dicom.listener import DicomListener  # each process imports what it serves

    return DicomListener(listener, store, DicomSettings.read(environ), _now)


def _hl7_server(listener: socket.socket, store: Store, environ: Mapping[str, str]) -> socketserver.BaseServer:
    from service.hl7.listener import Hl7Listener

    return Hl7Listener(listener, store, Hl7Settings.read(environ), _now)


_Maker = Callable[[socket.socket, Store, Mapping[str, str]], socketserver.BaseServer]
_SERVERS: dict[Protocol, _Maker] = {Protocol.DICOM: _dicom_server, Protocol.HL7: _hl7_server}


def _now() -> datetime:
    return datetime.now(UTC)


def main(arguments: list[str]) -> None:
    """Serve the named protocol on the inherited descriptor."""
    protocol, descriptor = arguments
    run_listener(Protocol(protocol), socket.socket(fileno=int(descriptor)), os.environ)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Peers that take results: scripted ones on a free port, each counting what it was sent."""

import socketserver
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.presentation import build_context

from service.dicom.settings import Peer
from service.hl7.framing import FrameReader, frame
from service.results.settings import StoreScp

SR = "1.2.840.10008.5.1.4.1.1.88.33"
SC = "1.2.840.10008.5.1.4.1.1.7"
KO = "1.2.840.10008.5.1.4.1.1.88.59"
EXPLICIT = "1.2.840.10008.1.2.1"


class ScriptedPacs:
    """A PACS that answers with the statuses of a script, then with success."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.received: Counter[str] = Counter()
        self.order: list[str] = []
        self.port = 0

    def store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        status = self.statuses.pop(0) if self.statuses else 0
        if status < 0:
            event.assoc.abort()
            return 0xC000
        if status == 0:
            self.received[uid] += 1
            self.order.append(uid)
        return status

    @contextmanager
    def listening(self, *classes: str) -> Iterator[None]:
        entity = AE(ae_title="PACS")
        for uid in classes or (SR, SC, KO):
            entity.add_supported_context(build_context(uid, EXPLICIT).abstract_syntax or "", EXPLICIT)
        server: Any = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self.store)]
        )
        self.port = server.server_address[1]
        try:
            yield
        finally:
            server.shutdown()

    @property
    def address(self) -> StoreScp:
        return StoreScp(
            name="pacs",
            ae_title="PACS",
            peer=Peer(host="127.0.0.1", port=self.port),
            own_ae_title="OVERREAD",
            asks_commitment=False,
        )


class ScriptedReceiver:
    """A receiver of HL7 that answers with the codes of a script, then with AA; "" closes the connection."""

    def __init__(self, *codes: str) -> None:
        self.codes = list(codes)
        self.messages: list[str] = []

    @contextmanager
    def listening(self, tls: ssl.SSLContext | None = None, *, host: str = "127.0.0.1") -> Iterator[int]:
        receiver = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    if tls is not None:
                        self.request = tls.wrap_socket(self.request, server_side=True)
                    self.take()
                except OSError:  # the other side does not like our certificate, nor we theirs
                    self.request.close()

            def take(self) -> None:
                reader = FrameReader(message_bytes_max=1 << 20)
                while received := self.request.recv(1 << 16):
                    for content in reader.feed(received):
                        message = content.decode()
                        code = receiver.codes.pop(0) if receiver.codes else "AA"
                        if not code:
                            return
                        receiver.messages.append(message)
                        control_id = message.split("\r")[0].split("|")[9]
                        answer = f"MSH|^~\\&|||||||ACK|1|P|2.5.1\rMSA|{code}|{control_id}\r"
                        self.request.sendall(frame(answer.encode()))

        with socketserver.ThreadingTCPServer((host, 0), Handler) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield server.server_address[1]
            finally:
                server.shutdown()
                thread.join(10)

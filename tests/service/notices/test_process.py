"""`overread serve` tells of a case that waits, from the list to the receiver, and is stopped in order."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overread.errors import PeerError
from service.notices.process import make_due, send_once
from service.settings import load_settings
from service.store.database import open_store
from service.store.outbox import DeliveryState, Query, list_deliveries
from tests.service.material import after, triaged_case
from tests.service.notices.peers import PAGE, SECRET, MailHost, Receiver, hooked
from tests.service.running import serving
from tests.service.waiting import eventually


def test_a_service_tells_of_a_case_by_itself(tmp_path: Path) -> None:
    store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=tmp_path / "data"))
    case_id = triaged_case(store, now=datetime.now(UTC) - timedelta(hours=1))
    receiver = Receiver()
    with receiver.listening() as url:
        environment = {
            "OVERREAD_NOTICES_DESTINATIONS": f"pager={url}",
            "OVERREAD_NOTICES_WEBHOOK_SECRETS": f"pager={SECRET}",
            "OVERREAD_NOTICES_PAGE_URL": PAGE,
            "OVERREAD_NOTICES_RULES": "waiting:*:pager",
        }
        with serving(tmp_path, "--workers", "0", **environment) as running:
            eventually(lambda: bool(receiver.calls))
            eventually(lambda: list_deliveries(store, Query(), limit=1)[0].state is DeliveryState.SENT)
            running.process.terminate()
            assert running.process.wait(120) == 0
    store.close()

    (call,) = receiver.calls
    assert json.loads(call.body)["data"]["cases"] == [{"case_id": case_id, "url": f"{PAGE}/cases/{case_id}"}]


def test_a_receiver_that_is_away_holds_up_nobody_else(sqlite_store) -> None:
    with Receiver().listening() as away:
        pass
    host = MailHost()
    with host.listening() as port:
        environ = {
            "OVERREAD_NOTICES_DESTINATIONS": f"pager={away},chief=mailto:chief@hospital.example",
            "OVERREAD_NOTICES_WEBHOOK_SECRETS": f"pager={SECRET}",
            "OVERREAD_NOTICES_PAGE_URL": PAGE,
            "OVERREAD_NOTICES_MAIL_SERVER": f"127.0.0.1:{port}",
            "OVERREAD_NOTICES_MAIL_SECURITY": "none",
            "OVERREAD_NOTICES_MAIL_SENDER": "overread@hospital.example",
            "OVERREAD_NOTICES_RULES": "waiting:*:pager,waiting:*:chief",
        }
        triaged_case(sqlite_store)
        with pytest.raises(PeerError, match="the webhook pager"):
            send_once(sqlite_store, environ)

    assert len(host.messages) == 1
    found = {item.destination: item.state for item in list_deliveries(sqlite_store, Query(), limit=9)}
    assert found == {"notice:pager": DeliveryState.DUE, "notice:chief": DeliveryState.SENT}


def test_of_nothing_new_nothing_is_made(sqlite_store) -> None:
    watches = hooked("http://127.0.0.1:9").watches()
    assert make_due(sqlite_store, watches, clock=lambda: after(60)) == 0
    triaged_case(sqlite_store)
    assert make_due(sqlite_store, watches, clock=lambda: after(120)) == 1
    assert make_due(sqlite_store, watches, clock=lambda: after(9000)) == 0

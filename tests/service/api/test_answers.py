"""The answers of the API have the keys and the kinds of values that clients know; `answers.json` lists them.

A key may be added, with a line in the changelog; one that is renamed or taken away breaks every client. The
file is written by `python -m tests.service.api.test_answers` on a store that holds every kind of row.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

from service.application import make_app
from service.security.roles import Scope
from service.security.tokens import make_token
from service.settings import load_settings
from service.store.database import Store, open_store
from service.web.guard import GuardMiddleware, access_for
from tests.service.security.people import BY
from tests.service.store.releases.filling import fill
from tests.service.web.listening import listening, opener

KNOWN = Path(__file__).parent / "answers.json"
REPORT = {"text": "No mass.", "accession_number": "A8", "patient_id": "P1"}


def shapes(client: httpx.Client) -> dict[str, list[str]]:
    """Return for each request the paths of its answer's values, with their kinds."""
    states = ("LISTED", "FAILED", "CONCORDANT", "READY", "IN_TRIAGE", "AWAITING_REPORT")
    answers = {
        "GET /api/v1/worklist": client.get("/api/v1/worklist", params={"state": states}),
        "GET /api/v1/cases/{case_id}": client.get("/api/v1/cases/13"),
        "GET /api/v1/studies/{study_instance_uid}/case": client.get("/api/v1/studies/2.25.4/case"),
        "POST /api/v1/cases/{case_id}/retry": client.post("/api/v1/cases/6/retry"),
        "POST /api/v1/studies/{study_instance_uid}/close": client.post("/api/v1/studies/2.25.1/close"),
        "GET /api/v1/counts": client.get("/api/v1/counts"),
        "POST /api/v1/reports": client.post("/api/v1/reports", json=REPORT),
        "GET /api/v1/quarantine": client.get("/api/v1/quarantine"),
        "GET /api/v1/quarantine/{quarantine_id}": client.get("/api/v1/quarantine/3"),
        "POST /api/v1/quarantine/{quarantine_id}/replay": client.post(
            "/api/v1/quarantine/1/replay", json={"actor": "Dr Roe"}
        ),
    }
    for request, answer in answers.items():
        assert answer.status_code in {200, 201}, (request, answer.text)
    return {request: sorted(set(paths(answer.json()))) for request, answer in answers.items()}


def token_in(store: Store) -> str:
    """A token with every scope, since the rows of every kind hold accounts."""
    return make_token(store, "of the test", frozenset(Scope), days=1, by=BY)


def paths(value: object, at: str = "") -> Iterator[str]:
    """Yield "key.key[]: kind" for each value inside a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{at}[]")
    else:
        yield f"{at}: {type(value).__name__}"


def test_every_value_that_clients_know_is_still_there(api: httpx.Client, sqlite_store: Store) -> None:
    fill(sqlite_store)
    api.headers["Authorization"] = f"Bearer {token_in(sqlite_store)}"
    known = json.loads(KNOWN.read_text(encoding="utf-8"))

    found = shapes(api)

    missing = {request: sorted(set(known[request]) - set(found[request])) for request in known}
    assert missing == {request: [] for request in known}


def main() -> None:
    """Write the file anew."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=Path(folder))
        store = open_store(settings)
        fill(store)
        headers = {"Authorization": f"Bearer {token_in(store)}"}
        access = access_for("127.0.0.1", None)
        app = make_app(opener(store, access=access), list)
        app.add_middleware(GuardMiddleware, access=access)
        with listening(app) as url, httpx.Client(base_url=url, timeout=60, headers=headers) as client:
            text = json.dumps(shapes(client), indent=1)
        store.close()
    KNOWN.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

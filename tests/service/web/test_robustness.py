"""Whatever is sent to a described address, the answer is one that the description knows."""

from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.api import cases, fhir, images, quarantine, reports, workers
from service.store.database import Store
from service.web import health
from tests.service.web.seeing import seen_case

ROUTERS = (
    cases.router,
    fhir.router,
    health.router,
    images.router,
    quarantine.router,
    reports.router,
    workers.router,
)
GETS = sorted(
    route.path
    for router in ROUTERS
    for route in router.routes
    if "GET" in route.methods  # type: ignore[attr-defined]
)
WORDS = (
    st.sampled_from(
        ["1", "0", "-1", "2.25.1.1.1", "mass", "LISTED", "9" * 30, "%00", "../..", "\udcff", "'--"]
    )
    | st.text()
)
NAMES = ["state", "limit", "after", "offset", "max_side", "frame", "finding", "ground", "accession_number"]


def quoted(word: str) -> str:
    return quote(word.encode("utf-8", "surrogatepass"), safe="%") or "x"


@pytest.mark.parametrize("path", GETS)
def test_no_address_and_no_parameter_makes_a_server_error(
    api: httpx.Client, sqlite_store: Store, path: str
) -> None:
    seen_case(sqlite_store)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(word=WORDS, query=st.dictionaries(st.sampled_from(NAMES), WORDS, max_size=3))
    def ask(word: str, query: dict[str, str]) -> None:
        address = "/".join(quoted(word) if part.startswith("{") else part for part in path.split("/"))
        parameters = "&".join(f"{name}={quoted(value)}" for name, value in query.items())
        answer = api.get(f"{address}?{parameters}")
        assert answer.status_code < 500, (address, parameters, answer.text)

    ask()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    content=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    media_type=st.sampled_from(
        ["application/json", "text/plain", "text/plain; charset=utf-16", "text/plain; charset=\x01", ""]
    ),
    accession=st.text(max_size=20),
)
def test_no_report_makes_a_server_error(
    api: httpx.Client, content: bytes, media_type: str, accession: str
) -> None:
    answer = api.post(
        "/api/v1/reports",
        params={"accession_number": accession},
        content=content,
        headers={"Content-Type": media_type},
    )
    assert answer.status_code in {200, 201, 400, 409, 413, 415, 422}, answer.text

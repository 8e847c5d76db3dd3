"""The BentoML service as it is served."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pytest
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.routing import Mount, Route

from models.releases import load_detector
from service.bento import BATCH_MAX, DETECTOR_ADDRESS, Overread, app, scores_body_bytes_max
from service.dicomweb.stow import stow_app
from service.tensors import encode_input
from tests.service.web.listening import listening

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of the whole service on a data folder of the test's own."""
    monkeypatch.setenv("OVERREAD_FOLDER", str(tmp_path))
    monkeypatch.setenv("OVERREAD_FREE_BYTES_MIN", "0")
    with listening(Overread.to_asgi()) as url:
        yield url


@pytest.fixture
def document(service: str) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{service}/openapi.json").json()
    return answer


def flat(routes: Iterable[Any]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif not isinstance(route, Mount):  # an included router
            yield from flat(route.original_router.routes)


def registered() -> set[tuple[str, str]]:
    """Method and address of each route of the service and of the intake process, pages left out."""
    own = [route for route in Overread.to_asgi().routes if isinstance(route, Route)]
    return {
        (method.lower(), route.path)
        for route in flat((*own, *app.routes, *stow_app({}).routes))
        if not isinstance(route, APIRoute) or route.include_in_schema
        for method in (route.methods or ())
        if method != "HEAD" and route.path != "/"  # BentoML's own start page lies behind the worklist
    }


def test_every_route_is_in_the_one_document(document: dict[str, Any]) -> None:
    described = {
        (method, path) for path, item in document["paths"].items() for method in item if method != "servers"
    }
    assert registered() - described == set()
    assert described - registered() == set()


def test_only_the_static_files_are_mounted() -> None:
    assert [route.path for route in app.routes if isinstance(route, Mount)] == ["/desk/static"]


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r"'\$ref': '([^']+)'", str(document)))
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references - known == set()
    assert {"#/components/schemas/CaseReply", "#/components/schemas/ReportStatus"} <= references


def test_the_intake_says_where_it_is(document: dict[str, Any]) -> None:
    assert document["paths"]["/studies"]["servers"][0]["url"].startswith("http://127.0.0.1:")


def test_the_service_is_ready_with_the_released_model(service: str) -> None:
    answer = httpx.get(f"{service}/health/ready")
    assert answer.status_code == 200
    details = [check["detail"] for check in answer.json()["checks"]]
    assert any(load_detector().identity.sha256[:12] in detail for detail in details)


def test_bentos_own_metrics_which_carry_addresses_are_off(service: str) -> None:
    httpx.get(f"{service}/api/v1/studies/2.25.987654321/case")
    metrics = httpx.get(f"{service}/metrics").text
    assert "overread_http_requests_total" in metrics
    assert "bentoml" not in metrics
    assert "987654321" not in metrics


def test_an_unknown_client_is_refused_at_bentos_endpoints_too(service: str) -> None:
    for path in ("/docs.json", "/schema.json", "/livez"):
        assert httpx.get(service + path, headers={"Host": "evil.example"}).status_code == 421


def test_concurrent_requests_get_each_its_own_scores(service: str) -> None:
    detector = load_detector()
    network = detector.manifest.network
    inputs = np.random.default_rng(7).random((6, network.rows, network.columns), dtype=np.float32)
    alone = np.concatenate([detector.scores(each[None]) for each in inputs])

    async def ask_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=service, timeout=60) as client:
            bodies = [{"inputs": [encode_input(each)]} for each in inputs]
            return await asyncio.gather(*(client.post(DETECTOR_ADDRESS, json=body) for body in bodies))

    answers = asyncio.run(ask_all())
    assert [answer.status_code for answer in answers] == [200] * len(inputs)
    together = np.concatenate([np.asarray(answer.json(), dtype=np.float32) for answer in answers])
    np.testing.assert_allclose(together, alone, atol=2e-3)  # inputs travel in 16 bits


@pytest.mark.parametrize("inputs", [["AAAA"], ["no base64"], [], ["AAAA"] * (BATCH_MAX + 1)])
def test_inputs_of_another_shape_or_number_are_refused(service: str, inputs: list[str]) -> None:
    answer = httpx.post(service + DETECTOR_ADDRESS, json={"inputs": inputs})
    assert answer.status_code == 400


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"inputs": null}', b"no json"])
def test_a_request_without_inputs_is_refused(service: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert httpx.post(service + DETECTOR_ADDRESS, content=body, headers=headers).status_code == 400


def test_as_many_inputs_as_a_request_may_have_are_taken(service: str) -> None:
    network = load_detector().manifest.network
    one = encode_input(np.zeros((network.rows, network.columns), np.float32))
    answer = httpx.post(service + DETECTOR_ADDRESS, json={"inputs": [one] * BATCH_MAX}, timeout=60)
    assert answer.status_code == 200


@pytest.mark.parametrize("stated", [True, False])
def test_a_longer_body_is_refused_whether_its_length_is_stated_or_not(service: str, stated: bool) -> None:
    body = b" " * (scores_body_bytes_max() + 1)  # by one byte, so that all of it is sent before the answer
    pieces = body if stated else iter((body[:1000], body[1000:]))
    answer = httpx.post(service + DETECTOR_ADDRESS, content=pieces, timeout=60)
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


def test_an_input_is_checked_before_it_joins_a_batch() -> None:
    with pytest.raises(ValidationError):
        cast(Any, Overread).apis["scores"].input_spec(inputs=["AAAA"])


def test_a_bad_request_does_not_spoil_the_others_of_its_batch(service: str) -> None:
    network = load_detector().manifest.network
    good = encode_input(np.zeros((network.rows, network.columns), np.float32))

    async def ask_all() -> list[int]:
        async with httpx.AsyncClient(base_url=service, timeout=60) as client:
            asked = (client.post(DETECTOR_ADDRESS, json={"inputs": [text]}) for text in [good, "AAAA"] * 8)
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert asyncio.run(ask_all()) == [200, 400] * 8


def test_the_repository_builds_into_a_bento_of_the_runtime_alone(tmp_path: Path) -> None:
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "True"}
    bentoml = Path(sys.executable).with_name("bentoml")
    subprocess.run([str(bentoml), "build"], cwd=ROOT, env=environment, check=True, capture_output=True)
    (bento,) = [folder for folder in (tmp_path / "bentos" / "overread").iterdir() if folder.is_dir()]
    packed = {path.name for path in (bento / "src").iterdir()}
    assert {"overread", "models", "service"} <= packed
    assert "tests" not in packed
    assert list((bento / "src" / "models" / "releases").rglob("*.onnx"))
    assert (bento / "src" / "service" / "desk" / "templates" / "page.html").exists()
    requirements = (bento / "env" / "python" / "requirements.txt").read_text()
    assert "onnxruntime" in requirements
    assert "torch" not in requirements

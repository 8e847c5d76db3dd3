"""Pictures over HTTP: what they may take at once, who waits, who is turned away, and who need not wait."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

from service.application import make_app
from service.store.database import Store
from service.store.removal import Removal, mark_removed
from service.store.worklist import load_case
from service.web.budget import Budget
from service.web.settings import WebSettings
from tests.service.fhir.documents import attachment, body, bundle, order, patient, report, study
from tests.service.material import NOW, dicom_bytes, send_image, triaged_case
from tests.service.narrative.pdfs import pdf_of
from tests.service.pictures.bombs import HUGE, MANY_COMPONENTS, jpeg_2000_object
from tests.service.pictures.processes import MemoryPeak, stopped_children
from tests.service.pictures.ways import API_PICTURE, WADO_PICTURE, WAYS, app_for, headers_for
from tests.service.waiting import eventually
from tests.service.web.listening import listening, opener

SMALL = WebSettings(picture_bytes_max=1 << 28)
WAITING_MAX = 50  # more than a process has threads for everything else
FEW = WebSettings(
    pictures_waiting_max=WAITING_MAX,
    picture_cache_bytes=0,
    narratives_at_once=1,
    narratives_waiting_max=WAITING_MAX,
)
FHIR = {"Content-Type": "application/fhir+json"}
CHILDREN_BYTES = 2 * (2 * SMALL.picture_bytes_max + (256 << 20))
"""What the kernel lets two children take beside what they hold from their start on, however rarely the busy
parent looks at them."""


def get(url: str, way: str, number: int) -> httpx.Response:
    return httpx.get(url + way.format(number), headers=headers_for(way), timeout=120)


def ask_at_once(url: str, way: str, numbers: list[int]) -> list[int]:
    """Statuses of requests that are sent together."""

    async def ask_all() -> list[int]:
        statuses = list[int]()

        async def ask(client: httpx.AsyncClient, number: int) -> None:
            statuses.append((await client.get(way.format(number), headers=headers_for(way))).status_code)

        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client,
            anyio.create_task_group() as group,
        ):
            for number in numbers:
                group.start_soon(ask, client, number)
        return statuses

    return anyio.run(ask_all)


@pytest.mark.parametrize("way", WAYS)
def test_an_image_that_alone_is_over_the_budget_is_refused_without_being_decoded(
    sqlite_store: Store, way: str
) -> None:
    send_image(sqlite_store, jpeg_2000_object(**HUGE))

    with listening(app_for(way, sqlite_store)) as url:
        reply = get(url, way, 1)

    assert (reply.status_code, reply.json()["type"]) == (413, "/problems/over-limit")
    assert "16384 x 16384" in reply.json()["detail"]
    assert "OVERREAD_PICTURE_BYTES_MAX" in reply.json()["detail"]


@pytest.mark.slow
@pytest.mark.parametrize("bomb", [HUGE, MANY_COMPONENTS], ids=["huge", "components"])
@pytest.mark.parametrize("way", WAYS)
def test_images_that_blow_up_stay_within_the_budget_and_harm_no_other_request(
    sqlite_store: Store, way: str, bomb: dict[str, int]
) -> None:
    for number in range(1, 5):
        send_image(sqlite_store, jpeg_2000_object(**bomb, number=number))
    send_image(sqlite_store, dicom_bytes(number=5))

    with listening(app_for(way, sqlite_store, SMALL)) as url:
        assert get(url, way, 5).status_code == 200
        with MemoryPeak() as peak:
            statuses = ask_at_once(url, way, [1, 2, 3, 4])
        after = get(url, way, 5)

    assert set(statuses) <= {413, 422, 503}  # the last on a machine that is too busy
    assert peak.growth_bytes < CHILDREN_BYTES + SMALL.picture_bytes_max
    assert after.status_code == 200


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client in the loop of the application, so that the test can hold what requests wait for."""
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=120) as client,
    ):
        yield client


async def answers_while_others_wait(
    budget: Budget, ask: Callable[[], Awaitable[httpx.Response]], meanwhile: Callable[[], Awaitable[None]]
) -> tuple[list[int], httpx.Response]:
    """Statuses of as many requests as may wait, and the answer to one more, which comes meanwhile."""
    statuses = list[int]()

    async def keep() -> None:
        statuses.append((await ask()).status_code)

    async with anyio.create_task_group() as group:
        with await budget.take(budget.total):
            for _ in range(WAITING_MAX):
                group.start_soon(keep)
            while budget.waiting < WAITING_MAX:
                await anyio.sleep(0.01)
            one_more = await ask()
            await meanwhile()
            assert statuses == []
    return statuses, one_more


def test_pages_do_not_wait_for_pictures_and_one_too_many_is_told_when_to_come_again(
    sqlite_store: Store,
) -> None:
    case_id = triaged_case(sqlite_store)
    app = app_for(API_PICTURE, sqlite_store, FEW)

    async def scenario() -> None:
        async with client_of(app) as client:

            async def look_at_pages() -> None:
                for page in ("/", f"/cases/{case_id}", f"/api/v1/cases/{case_id}", "/health/ready"):
                    assert (await client.get(page)).status_code == 200

            statuses, one_more = await answers_while_others_wait(
                app.state.pictures.budget, lambda: client.get(API_PICTURE.format(1)), look_at_pages
            )
        assert statuses == [200] * WAITING_MAX
        assert (one_more.status_code, "retry-after" in one_more.headers) == (503, True)

    anyio.run(scenario)


def test_searches_do_not_wait_for_pictures(sqlite_store: Store) -> None:
    send_image(sqlite_store)
    app = app_for(WADO_PICTURE, sqlite_store, FEW)

    async def scenario() -> None:
        async with client_of(app) as client:

            async def search() -> None:
                for address in ("/studies", "/studies/2.25.1", "/studies/2.25.1/metadata", "/health/live"):
                    assert (await client.get(address)).status_code == 200

            statuses, one_more = await answers_while_others_wait(
                app.state.pictures.budget,
                lambda: client.get(WADO_PICTURE.format(1), headers=headers_for(WADO_PICTURE)),
                search,
            )
        assert statuses == [200] * WAITING_MAX
        assert (one_more.status_code, "retry-after" in one_more.headers) == (503, True)

    anyio.run(scenario)


def a_fhir_bundle() -> tuple[str, bytes, dict[str, str]]:
    form = attachment(pdf_of("There is a mass."), "application/pdf")
    return "/fhir", body(bundle(patient(), order(), study(), report(presentedForm=[form]))), FHIR


def a_report_as_json() -> tuple[str, bytes, dict[str, str]]:
    content = b'{"text": "There is a mass.", "accession_number": "A1"}'
    return "/api/v1/reports", content, {"Content-Type": "application/json"}


@pytest.mark.parametrize("made", [a_fhir_bundle, a_report_as_json])
def test_pages_do_not_wait_for_reports_that_are_read_and_one_too_many_is_told_so(
    sqlite_store: Store, made: Callable[[], tuple[str, bytes, dict[str, str]]]
) -> None:
    address, sent, headers = made()
    app = app_for(API_PICTURE, sqlite_store, FEW)

    async def scenario() -> None:
        async with client_of(app) as client:

            async def look_at_pages() -> None:
                for page in ("/", "/quarantine", "/api/v1/counts", "/health/live"):
                    assert (await client.get(page)).status_code == 200

            statuses, one_more = await answers_while_others_wait(
                app.state.narratives.turns,
                lambda: client.post(address, content=sent, headers=headers),
                look_at_pages,
            )
        assert sorted(statuses) == [200] * (WAITING_MAX - 1) + [201]
        assert (one_more.status_code, "retry-after" in one_more.headers) == (503, True)
        assert ("resourceType" in one_more.json()) == (made is a_fhir_bundle)

    anyio.run(scenario)


@pytest.mark.parametrize("made", [a_fhir_bundle, a_report_as_json])
def test_reports_are_read_in_threads_that_no_page_needs(
    sqlite_store: Store, made: Callable[[], tuple[str, bytes, dict[str, str]]]
) -> None:
    app = make_app(opener(sqlite_store), list)  # without the guard, which needs a thread as pages do
    address, sent, headers = made()

    async def scenario() -> None:
        async with client_of(app) as client:
            limiter = current_default_thread_limiter()
            limiter.total_tokens = 1
            await limiter.acquire_on_behalf_of(sent)  # so that no page has a thread
            answer = await client.post(address, content=sent, headers=headers)
            limiter.release_on_behalf_of(sent)
        assert answer.status_code == 201

    anyio.run(scenario)


@pytest.mark.parametrize("way", [API_PICTURE, WADO_PICTURE])
def test_a_picture_that_was_drawn_is_not_drawn_again_and_gone_with_its_pixels(
    sqlite_store: Store, way: str
) -> None:
    case_id = triaged_case(sqlite_store)

    with listening(app_for(way, sqlite_store)) as url:
        drawn = get(url, way, 1)
        with stopped_children():
            again = get(url, way, 1)
        detail = load_case(sqlite_store, case_id)
        removal = Removal(at=NOW, why="test", state=detail.summary.state)
        mark_removed(sqlite_store, "2.25.1", ["2.25.1.1.1"], removal)
        gone = get(url, way, 1)

    assert (drawn.status_code, again.status_code, gone.status_code) == (200, 200, 410)
    assert drawn.content == again.content


@pytest.mark.parametrize("way", WAYS)
def test_what_was_sent_or_refused_or_given_up_gives_its_share_back(sqlite_store: Store, way: str) -> None:
    send_image(sqlite_store, jpeg_2000_object(2000, 2000))  # more than what lies in the buffers of a socket
    send_image(sqlite_store, jpeg_2000_object(**HUGE, number=2))
    app = app_for(way, sqlite_store)

    with listening(app) as url:
        assert get(url, way, 1).status_code == 200
        assert get(url, way, 2).status_code == 413
        with httpx.stream("GET", url + way.format(1), headers=headers_for(way), timeout=120) as reply:
            assert reply.status_code == 200  # and nothing of it is read
        budget = app.state.pictures.budget
        eventually(lambda: budget.free == budget.total)


@pytest.mark.parametrize("way", WAYS)
def test_a_decoder_that_crashes_costs_its_own_request_alone(sqlite_store: Store, way: str) -> None:
    send_image(sqlite_store, jpeg_2000_object(8, 8, components=2))  # an exception of C++ that nobody catches
    send_image(sqlite_store, dicom_bytes(number=2))

    with listening(app_for(way, sqlite_store)) as url:
        crashed, whole = get(url, way, 1), get(url, way, 2)

    assert (crashed.status_code, crashed.json()["type"]) == (422, "/problems/undecodable-pixels")
    assert whole.status_code == 200

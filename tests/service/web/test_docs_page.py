"""The page that shows the OpenAPI document, in a real browser, and who may call what by the document."""

from typing import Any

import httpx
import pytest
from selenium import webdriver

from service.security.routes import ROUTES
from service.web.openapi import with_security
from tests.service.desk.test_browser import CHROMEDRIVER, CHROMIUM, browser, wait_for

__all__ = ["browser"]


@pytest.mark.slow
@pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="no browser (Debian packages chromium and chromium-driver)"
)
@pytest.mark.parametrize("size", [(1280, 900), (3840, 2160)])
def test_the_page_shows_the_operations_and_loads_nothing_from_elsewhere(
    browser: webdriver.Chrome, api: httpx.Client, size: tuple[int, int]
) -> None:
    browser.set_window_size(*size)
    browser.get(f"{api.base_url}/docs")
    wait_for(browser, "#operations-tag-triage")
    shown = browser.page_source
    for path in ("/api/v1/triage", "/api/v1/worklist", "/fhir/DiagnosticReport"):
        assert path.replace("/", "/\u200b").lstrip("\u200b") in shown or path in shown
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert all(name.startswith((str(api.base_url), "data:")) for name in loaded)
    wide = browser.execute_script("return document.documentElement.scrollWidth > window.innerWidth")
    assert not wide


def test_only_its_own_files_are_given_out(api: httpx.Client) -> None:
    page = api.get("/docs")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert api.get("/docs/swagger-ui-bundle.js").headers["content-type"].startswith("text/javascript")
    for name in ("marked.min.js", "..%2Fhttp_app.py", "docs_page.py"):
        assert api.get(f"/docs/{name}").status_code == 404


def test_the_document_names_who_may_call_each_operation(api: httpx.Client) -> None:
    document: dict[str, Any] = api.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert (schemes["token"]["scheme"], schemes["session"]["name"]) == ("bearer", "overread_session")
    assert document["security"] == [{"token": []}, {"session": []}]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            is_public = ROUTES[method.upper(), path].is_public
            assert ("security" in operation) == is_public
            assert ("401" in operation["responses"]) == (not is_public)
            assert is_public or operation["x-roles"] or operation["x-scopes"]


def test_an_address_of_several_methods_is_secured_in_each() -> None:
    item = {"get": {}, "put": {}, "servers": [{"url": "http://x"}]}
    secured = with_security({"paths": {"/a": item}})
    assert secured["paths"]["/a"]["servers"] == item["servers"]
    assert all("401" in secured["paths"]["/a"][method]["responses"] for method in ("get", "put"))

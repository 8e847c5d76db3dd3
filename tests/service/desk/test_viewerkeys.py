"""The keys of the viewer: the table, what the script does, the page and the documentation say the same."""

import re
from pathlib import Path

import httpx

from service.desk.viewerkeys import VIEWER_KEYS
from service.store.database import Store
from tests.service.web.seeing import seen_case

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "service/desk/static"
_ROW = re.compile(r"\| (`.+?`) \| (.+?) \|")


def actions() -> set[str]:
    """Names in the table of the script."""
    body = (STATIC / "viewer/viewer.js").read_text().split("actions = {", 1)[1]
    return set(re.findall(r'^    "?([a-z-]+)"?: \(\) =>', body, re.MULTILINE))


def bound() -> list[tuple[str, str]]:
    return [binding for key in VIEWER_KEYS for binding in key.bindings]


def test_every_key_does_something_and_everything_has_a_key() -> None:
    assert {action for _, action in bound()} == actions()


def test_no_key_is_given_twice_nor_to_the_page_too() -> None:
    keys = [key for key, _ in bound()]
    table = (STATIC / "desk.js").read_text().split("const actions = {", 1)[1].split("};", 1)[0]
    of_the_page = set(re.findall(r'^  "?(.)"?: ', table, re.MULTILINE))

    assert len(keys) == len(set(keys))
    assert of_the_page >= {"j", "k", "u", "?"}
    of_the_judgement = set("ynqsZ")  # service/desk/static/judging.js
    assert set(keys).isdisjoint(of_the_page | of_the_judgement | set("123456789") | {"Enter", "Tab"})


def test_the_documentation_has_the_same_table() -> None:
    text = (ROOT / "docs/viewer.md").read_text()

    assert _ROW.findall(text) == [
        (" ".join(f"`{shown}`" for shown in key.shown), key.words) for key in VIEWER_KEYS
    ]


def test_the_help_of_the_page_lists_them(api: httpx.Client, sqlite_store: Store) -> None:
    page = api.get(f"/cases/{seen_case(sqlite_store)}").text

    for key in VIEWER_KEYS:
        assert f"<dd>{key.words}</dd>" in page
    listed = re.findall(r'data-viewer-key="(.+?)" data-viewer-action="(.+?)"', page)
    assert [(key.replace("&lt;", "<").replace("&gt;", ">"), action) for key, action in listed] == bound()

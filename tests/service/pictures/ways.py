"""Applications with pictures, and ways to ask for one."""

from fastapi import FastAPI

from service.dicomweb.stow import make_stow_app
from service.store.database import Store
from service.web.guard import access_for
from service.web.settings import WebSettings
from tests.service.web.listening import guarded_app, opener

API_PICTURE = "/api/v1/instances/2.25.1.1.{}/rendered.png?max_side=16384"
WADO_PICTURE = "/studies/2.25.1/series/2.25.1.1/instances/2.25.1.1.{}/rendered"
WADO_FRAME = "/studies/2.25.1/series/2.25.1.1/instances/2.25.1.1.{}/frames/1"
WADO_OBJECT = "/studies/2.25.1/series/2.25.1.1/instances/2.25.1.1.{}"
PLAIN = {
    WADO_FRAME: 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1',
    WADO_OBJECT: 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1',
}
WAYS = [API_PICTURE, WADO_PICTURE, WADO_FRAME, WADO_OBJECT]
"""Ways to have instance {} of the study decoded."""


def app_for(way: str, store: Store, web: WebSettings | None = None) -> FastAPI:
    """The application that answers such a request."""
    if way.startswith("/api"):
        return guarded_app(store, web)
    return make_stow_app(opener(store), access_for("127.0.0.1", None), web)


def headers_for(way: str) -> dict[str, str]:
    return {"Accept": PLAIN.get(way, "image/png")}

"""The BentoML service: API and pages, and the active detector as a shared endpoint with adaptive batching.

    overread serve                                            everything for one machine
    bentoml serve service.bento:Overread --host 127.0.0.1     this service alone, as BentoML serves it
    bentoml build                                             the same as a Bento

BentoML's own metrics and access log are off: both would carry addresses, and with them study UIDs.
"""

import os
from functools import cache, partial
from typing import Annotated, Any, cast

import numpy as np
import numpy.typing as npt
import structlog

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # before the import, which reads it

import bentoml
from bentoml.exceptions import InvalidArgument, ServiceUnavailable
from bentoml.validators import DType
from pydantic import AfterValidator, Field

from models.loaded_detectors import LoadedDetectors, load_detectors, scoring_detector
from models.onnx_detector import OnnxDetector
from overread.command import PRIVATE_UMASK
from overread.errors import ConfigurationError, InputError, ModelError
from overread.observation import ObserverIdentity
from service.application import make_app
from service.desk.pages import answer_refusal
from service.dicomweb.stow import stow_document
from service.metrics import observe_stage
from service.parent_death import die_with_parent
from service.settings import load_settings
from service.store.detector_registry import installed_registry
from service.tensors import decode_inputs, encoded_length
from service.triage.confined_looks import ConfinedLooks, load_registered
from service.web import openapi
from service.web.access_log import AccessMiddleware
from service.web.body import BodyLimitMiddleware
from service.web.guard import GuardMiddleware
from service.web.opening import access_from, context_opener
from service.web.settings import WebSettings

DETECTOR_ADDRESS = "/api/v1/detector/scores"
BATCH_MAX = 32
LATENCY_MAX_MILLISECONDS = 2000
# BentoML keeps a timer of about 5 kB for each request for as long as this.
TIMEOUT_SECONDS = 60
_BODY_BYTES_BESIDE = 1 << 16  # what stands around the inputs of a request

_log = structlog.get_logger("overread.service")
_access = access_from(os.environ)


@cache  # one per process, shared by readiness and endpoint; an error is not kept
def _loaded() -> LoadedDetectors:
    kept = installed_registry(os.environ)
    return load_detectors(kept.load(), kept.folder, on_stage=observe_stage)


@cache
def _looks() -> ConfinedLooks:
    settings = load_settings(os.environ)
    longest = min(settings.case_seconds_max, TIMEOUT_SECONDS)  # nobody waits for the answer any longer
    settings = settings.model_copy(update={"case_seconds_max": longest})
    load = partial(load_registered, installed_registry(os.environ).load(), settings, None)
    return ConfinedLooks(load, settings, registry_version=None)


def _detector() -> OnnxDetector:
    return scoring_detector(_loaded())


def _model() -> ObserverIdentity:
    return _loaded().active[0].identity


def scores_body_bytes_max() -> int:
    """Return the size of a body with as many inputs as a request may have."""
    try:
        network = _detector().manifest.network
    except (ModelError, ConfigurationError):
        return _BODY_BYTES_BESIDE  # the endpoint says that no request can be answered
    return BATCH_MAX * (encoded_length(network.rows, network.columns) + 16) + _BODY_BYTES_BESIDE


def _checked(text: str) -> str:
    """Return one prepared input as it is, refused while it is alone: in a batch it would spoil the others."""
    try:
        network = _detector().manifest.network
        decode_inputs([text], rows=network.rows, columns=network.columns)
    except (ModelError, ConfigurationError):
        pass  # the endpoint says that no request can be answered
    except InputError as error:
        raise ValueError(str(error)) from error
    return text


Prepared = Annotated[str, AfterValidator(_checked)]


@bentoml.service(
    name="overread",
    workers=1,
    traffic={"timeout": TIMEOUT_SECONDS},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Overread:
    """Finds reported studies where image and report most likely disagree. Not for primary diagnosis."""

    def __init__(self) -> None:
        os.umask(PRIVATE_UMASK)
        if bentoml.server_context.worker_index:  # a worker of `bentoml serve`, orphaned when that is killed
            die_with_parent()
        try:
            identity = _model()
            _log.info("model_loaded", name=identity.name, version=identity.version, sha256=identity.sha256)
        except (
            ModelError,
            ConfigurationError,
        ) as error:  # the worklist can be read; readiness says what is wrong
            _log.error("model_unusable", reason=str(error))

    @bentoml.api(  # type: ignore[untyped-decorator]  # it says nothing of types
        route=DETECTOR_ADDRESS,
        batchable=True,
        max_batch_size=BATCH_MAX,
        max_latency_ms=LATENCY_MAX_MILLISECONDS,
    )
    def scores(
        self, inputs: Annotated[list[Prepared], Field(min_length=1, max_length=BATCH_MAX)]
    ) -> Annotated[npt.NDArray[np.float32], DType("float32")]:
        """Return the raw scores of the active release, one row per prepared input, one column per finding.

        Inputs are what the release's pixel pipeline makes of an image, not images: rows x columns of its
        manifest, in [0, 1], as base64 of little-endian 16-bit floats. Requests that arrive together are run
        as one batch.
        """
        try:
            network = _detector().manifest.network
            return _detector().scores(decode_inputs(inputs, rows=network.rows, columns=network.columns))
        except (ModelError, ConfigurationError) as error:
            raise ServiceUnavailable(str(error)) from error
        except InputError as error:
            raise InvalidArgument(str(error)) from error


_service = cast(Any, Overread)  # the decorator's type says nothing of what it makes


def further_documents() -> list[openapi.Document]:
    """Return what answers beside the application: BentoML's own endpoints, and the intake process."""
    own: openapi.Document = _service.openapi_spec.asdict()
    own["paths"].pop("/metrics", None)  # BentoML's is off; the application has one
    answer = {"responses": {"200": {"description": "JSON"}}, "tags": ["Infrastructure"]}
    for path, summary in (("/schema.json", "BentoML's schema"), ("/docs.json", "BentoML's own document")):
        own["paths"][path] = {"get": {"summary": summary, **answer}}
    return [own, stow_document(os.environ)]


app = make_app(
    context_opener(os.environ, access=_access, model=_model, looks=_looks),
    further_documents,
    WebSettings.read(os.environ),
)
_service.mount_asgi_app(app, path="/")
_service.add_asgi_middleware(AccessMiddleware)  # the first added is the outermost
_service.add_asgi_middleware(GuardMiddleware, access=_access, application=app, refuse=answer_refusal)
_service.add_asgi_middleware(BodyLimitMiddleware, bytes_max={DETECTOR_ADDRESS: scores_body_bytes_max})

"""Metrics that the processes of the service keep, by the conventions of Prometheus.

Each process counts what it does itself. Where PROMETHEUS_MULTIPROC_DIR names a folder, as under `overread
serve`, prometheus_client keeps the values in files there, and the HTTP processes add them up. No label holds
a name, a number or a UID; every label has few values.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from models.stages import Stage
from overread.errors import InputError, OutOfResourcesError, OverreadError

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # of prometheus_client, which reads it when it is imported
OUT_OF_RESOURCES = "OUT_OF_RESOURCES"
_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own in it: a full disk must not stop the counting
_TRIAGE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300, 600)
_STAGE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class IntakeProtocol(StrEnum):
    """Protocol of an arrival."""

    C_STORE = "c_store"  # an object each
    STOW = "stow"  # a part of a request each
    HL7 = "hl7"  # a message each
    FHIR = "fhir"  # a DiagnosticReport each
    HTTP = "http"  # a report each


class TriageEnd(StrEnum):
    """End of the triage of a claimed case."""

    CONCLUDED = "concluded"
    FAILED = "failed"  # its input cannot be used
    RELEASED = "released"  # back in the queue
    LEASE_LOST = "lease_lost"  # another worker holds it


REGISTRY = CollectorRegistry()
"""Registry of the metrics of this process."""

HTTP_REQUESTS = Counter(
    "overread_http_requests", "Requests answered.", ("method", "route", "status"), registry=REGISTRY
)
HTTP_REQUEST_SECONDS = Histogram(
    "overread_http_request_seconds",
    "Time to the last byte of the answer.",
    ("method", "route"),
    registry=REGISTRY,
)
INTAKE_ACCEPTED = Counter(
    "overread_intake_accepted",
    "Objects, messages and reports that were acknowledged.",
    ("protocol",),
    registry=REGISTRY,
)
INTAKE_REFUSED = Counter(
    "overread_intake_refused",
    "Objects, messages and reports, and connections that should bring some, that were refused.",
    ("protocol", "reason"),
    registry=REGISTRY,
)
TRIAGES = Counter("overread_triages", "Claimed cases by how their triage ended.", ("end",), registry=REGISTRY)
TRIAGE_SECONDS = Histogram(
    "overread_triage_seconds",
    "Time from the claim of a case to its stored conclusion.",
    buckets=_TRIAGE_BUCKETS,
    registry=REGISTRY,
)
RESULTS_SENT = Counter(
    "overread_results_sent",
    "Results by destination, and whether it took them.",
    ("destination", "answer"),
    registry=REGISTRY,
)
LOOKS_ENDED = Counter(
    "overread_looks_ended",
    "Looks at a case that ended their process: by the limit that they went over, or `lost`, which crashed.",
    ("limit",),
    registry=REGISTRY,
)
LEASES_LOST = Counter(
    "overread_leases_lost", "Leases that ran out because their worker ended or hung.", registry=REGISTRY
)
DECODE_SECONDS = Histogram(
    "overread_decode_seconds",
    "Time from the file of an image, or the series of a volume, to the input of the network.",
    ("detector",),
    buckets=_STAGE_BUCKETS,
    registry=REGISTRY,
)
INFERENCE_SECONDS = Histogram(
    "overread_inference_seconds",
    "Time of one run of the network.",
    ("detector",),
    buckets=_STAGE_BUCKETS,
    registry=REGISTRY,
)
# What is known beforehand is there from the start, at 0: Prometheus sees no increase to a first value.
for _end in TriageEnd:
    TRIAGES.labels(_end.value)
for _limit in ("wall_seconds", "memory_bytes", "lost"):
    LOOKS_ENDED.labels(_limit)
for _protocol in IntakeProtocol:
    INTAKE_ACCEPTED.labels(_protocol.value)
    INTAKE_REFUSED.labels(_protocol.value, OUT_OF_RESOURCES)
_STAGES = {Stage.DECODE: DECODE_SECONDS, Stage.INFERENCE: INFERENCE_SECONDS}


def count_accepted(protocol: IntakeProtocol) -> None:
    """Count something that was acknowledged."""
    INTAKE_ACCEPTED.labels(protocol.value).inc()


def count_refused(protocol: IntakeProtocol, why: Exception | str) -> None:
    """Count something that was refused.

    Args:
        protocol: by which it came.
        why: the error, or one of few fixed words where there was none.
    """
    INTAKE_REFUSED.labels(protocol.value, why if isinstance(why, str) else refusal_reason(why)).inc()


@contextmanager
def counted(protocol: IntakeProtocol) -> Iterator[None]:
    """Count what the block receives: accepted, or refused with the error that the block raises."""
    try:
        yield
    except (OverreadError, OSError) as error:
        count_refused(protocol, error)
        raise
    count_accepted(protocol)


def refusal_reason(error: Exception) -> str:
    """Return the label for an error: the reason that quarantine states, or OUT_OF_RESOURCES, or FAILED."""
    if isinstance(error, InputError):
        return error.reason
    return OUT_OF_RESOURCES if isinstance(error, OutOfResourcesError | OSError) else "FAILED"


def observe_stage(*, detector: str, stage: Stage, seconds: float) -> None:
    """Note how long a detector took for a stage; a `models.stages.StageObserver`."""
    _STAGES[stage].labels(detector).observe(seconds)


def process_registry() -> CollectorRegistry:
    """Return the registry whose values count: of this process, or of all that share a folder with it."""
    if not os.environ.get(FOLDER_VARIABLE):
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Give an empty folder, in memory where there is one, for the metrics of several processes.

    To be named to each of them by `FOLDER_VARIABLE` in its environment. It is removed when the block ends:
    counts begin at 0 with each start.
    """
    in_memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="overread-metrics-", dir=in_memory) as folder:
        yield Path(folder)

"""Detections of detectors in shadow, kept beside the triage result and apart from all that is shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from overread.errors import UnreadableRecordError
from overread.observation import Detection, ObserverIdentity
from service.store import queries
from service.store.database import Store
from service.store.json_format import from_json, to_json
from service.store.records import Lease

_log = structlog.get_logger("overread.shadow")
_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowLook:
    """Detection of one detector in shadow on the study of one triage result, or why there is none."""

    detector: ObserverIdentity
    detection: Detection | None  # None where it failed
    failure: str | None  # why, in words; None where it did not fail
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowPair:
    """A look in shadow beside what the active detectors saw on the same study."""

    case_id: int
    revision: int
    shadow: ShadowLook
    active: tuple[Detection, ...]


def add_shadows(store: Store, lease: Lease, looks: Sequence[ShadowLook], *, now: datetime) -> None:
    """Keep what was seen in shadow beside the result that this lease concluded; the case is not touched."""
    rows = [
        {
            "case_id": lease.case_id,
            "revision": lease.revision,
            "position": position,
            "detector_name": look.detector.name,
            "detector_version": look.detector.version,
            "detector_sha256": look.detector.sha256,
            "detection": None if look.detection is None else to_json(look.detection),
            "failure": look.failure,
            "seconds": look.seconds,
            "worker": lease.owner,
            "looked_at": now,
        }
        for position, look in enumerate(looks)
    ]
    if rows:
        with store.writing(durable=False) as connection:
            connection.execute(queries.ADD_SHADOW, rows)


def walk_shadows(store: Store) -> Iterator[ShadowPair]:
    """Yield every look in shadow, by case, with what the active detectors saw.

    A look that this release cannot read, or beside which it cannot read what the active detectors saw, is
    left out; the log names its case.
    """
    last = (0, 0, -1)
    while True:
        bound = dict(zip(("case_id", "revision", "position"), last, strict=True))
        with store.reading() as connection:
            rows = connection.execute(queries.SHADOWS, {**bound, "limit": _PAGE}).all()
            for row in rows:
                try:
                    pair = _pair(connection, row)
                except UnreadableRecordError as error:
                    _log.warning("shadow_unreadable", case=row.case_id, revision=row.revision, why=str(error))
                    continue
                yield pair
        if not rows:
            return
        last = (rows[-1].case_id, rows[-1].revision, rows[-1].position)


def _pair(connection: Connection, row: Row[Any]) -> ShadowPair:
    """Return the look of a row of SHADOWS beside what the active detectors saw."""
    key = {"case_id": row.case_id, "revision": row.revision}
    seen = connection.execute(queries.DETECTIONS, key).scalars()
    return ShadowPair(
        case_id=row.case_id,
        revision=row.revision,
        shadow=ShadowLook(
            detector=ObserverIdentity(
                name=row.detector_name, version=row.detector_version, sha256=row.detector_sha256
            ),
            detection=None if row.detection is None else from_json(Detection, row.detection),
            failure=row.failure,
            seconds=row.seconds,
        ),
        active=tuple(from_json(Detection, text) for text in seen),
    )

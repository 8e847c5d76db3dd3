"""One patient's data: a copy of everything, and the removal of what may go.

<folder>/cases/<number>/reports/<version>-<status>.txt   every version, as it counted
<folder>/cases/<number>/objects/<SOP instance UID>.dcm   bytes as received
<folder>/cases/<number>/results.json                     what triage concluded of the latest revision
<folder>/cases/<number>/appearance.json                  what its first image looked like, in numbers
<folder>/cases/<number>/history.json                     what happened to the case, and who did it
<folder>/cases/<number>/second-reads.json                what second readers said of the case, and who did
<folder>/quarantine/<number>                             bytes as received, of what was refused
<folder>/who-saw-what.jsonl                              the audit trail about all of them
<folder>/missing.txt                                     what is named and not kept, and why
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from overread.actor import Actor
from overread.case import CaseState
from overread.errors import (
    ConfigurationError,
    InputError,
    InvalidFileError,
    NotFoundError,
    RemovedError,
    words_of,
)
from service.audit_trail.formats import as_json
from service.store.archive import instances_within
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store
from service.store.drift import kept_appearance
from service.store.erasure import Erasure, erase_case, erase_refusal
from service.store.json_format import to_json
from service.store.patients import Holdings
from service.store.quarantine import discard, load_entry
from service.store.records import CaseDetail, InstanceRecord, QuarantineEntry, QuarantineState
from service.store.removal import Removal, drop_removed, mark_removed, remove_refused
from service.store.second_reads import reads_of
from service.store.worklist import find_case, load_case, load_instance

STAYS = (
    "What stays: the text of the reports, what was concluded and decided, the history of the cases and the "
    "audit trail. They are the record of a medical decision and of who saw it; they go with the database of "
    "the installation, after the time for which the law asks to keep them."
)


ERASED_STAYS = (
    "What stays: the audit trail, which says under the numbers of the cases and the UIDs of the images who "
    "saw them and who erased them, and which words people searched for. Backups and copies that were handed "
    "on are not touched; what is sent again comes in again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseCount:
    """Result of an erasure."""

    cases: int
    refused: int
    kept: tuple[str, ...]  # what could not go now, with the reason, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalCount:
    """Result of a removal."""

    objects: int = 0
    refused: int = 0
    kept: tuple[str, ...] = ()  # what could not go now, with the reason, in words


def copy_everything(store: Store, held: Holdings, folder: Path) -> int:
    """Copy all that is kept of a patient into a new folder, and return how many files there are.

    Raises:
        ConfigurationError: the folder exists and is not empty.
        InvalidFileError: it cannot be written.
        OutOfResourcesError: the store is not available.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty; name a new folder for each copy")
    missing: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for case_id in held.case_ids:
            case = load_case(store, case_id)
            _copy_case(case, _objects_of(store, case), folder / "cases" / str(case_id), missing)
            _copy_second_reads(store, case_id, folder / "cases" / str(case_id))
            if (appearance := kept_appearance(store, case_id)) is not None:
                _write(folder / "cases" / str(case_id) / "appearance.json", appearance + "\n")
        for number in held.quarantine_ids:
            entry = load_entry(store, number)
            _copy_bytes(entry, folder / "quarantine" / str(number), f"quarantine {number}", missing)
        _write(folder / "who-saw-what.jsonl", "".join(f"{line}\n" for line in _trail(store, held)))
        _write(folder / "missing.txt", "".join(f"{line}\n" for line in missing))
    except OSError as error:
        raise InvalidFileError(f"cannot write {folder}: {words_of(error)}") from error
    return sum(path.is_file() for path in folder.rglob("*"))


def remove_bytes(store: Store, held: Holdings, *, actor: Actor, because: str, now: datetime) -> RemovalCount:
    """Remove the images of a patient, and what was refused; see `STAYS` for what does not go.

    Raises:
        InputError: no reason is given.
        OutOfResourcesError: the store is not available.
    """
    if not because.strip():
        raise InputError("say why it is removed")
    objects = refused = 0
    for uid in held.study_uids:
        objects += _remove_study(store, uid, actor, because, now)
    kept = tuple(
        f"image {uid}: its study is open or in work; close it, or try again in a moment"
        for uid in held.sop_instance_uids
        if load_instance(store, uid).removal is None
    )
    for number in held.quarantine_ids:
        refused += _remove_entry(store, load_entry(store, number), actor, because, now)
    return RemovalCount(objects=objects, refused=refused, kept=kept)


def erase_rows(store: Store, held: Holdings, erasure: Erasure) -> EraseCount:
    """Erase all that names a patient's cases, studies and images but the audit trail; the bytes go first.

    Raises:
        InputError: no reason is given.
        OutOfResourcesError: the store is not available.
    """
    removed = remove_bytes(store, held, actor=erasure.actor, because=erasure.why, now=erasure.at)
    reasons = {number: erase_case(store, number, erasure) for number in held.case_ids}
    for number in held.quarantine_ids:
        erase_refusal(store, number, erasure)
    kept = tuple(f"case {number}: {why}" for number, why in reasons.items() if why is not None)
    return EraseCount(
        cases=len(reasons) - len(kept), refused=len(held.quarantine_ids), kept=(*removed.kept, *kept)
    )


def _remove_study(store: Store, uid: str, actor: Actor, because: str, now: datetime) -> int:
    """Remove the images of one study, and return how many went; none of one that is open or in work."""
    try:
        case = load_case(store, find_case(store, uid))
    except NotFoundError:  # images that wait for their report
        return 0
    if case.summary.state is CaseState.IN_TRIAGE:
        return 0
    held = instances_within(store, uid)  # with the results that were made of them
    wanted = [each.sop_instance_uid for each in held if each.removal is None]
    removal = Removal(at=now, why=because, state=case.summary.state, by=actor)
    if not wanted or mark_removed(store, uid, wanted, removal) == 0:
        return 0
    return sum(drop_removed(store, each) for each in wanted)


def _remove_entry(store: Store, entry: QuarantineEntry, actor: Actor, because: str, now: datetime) -> bool:
    if entry.state is QuarantineState.WAITING:
        discard(store, entry.quarantine_id, actor=actor, because=because, now=now)
    return remove_refused(store, entry.quarantine_id, entry.sha256, Removal(at=now, why=because, by=actor))


def _objects_of(store: Store, case: CaseDetail) -> Sequence[InstanceRecord]:
    """Return the objects of the study of a case, with the results that were made of it."""
    uid = case.summary.study_instance_uid
    if uid is None:
        return ()
    try:
        return instances_within(store, uid)
    except NotFoundError:
        return ()


def _copy_case(case: CaseDetail, objects: Sequence[InstanceRecord], folder: Path, missing: list[str]) -> None:
    for report in case.reports:
        _write(folder / "reports" / f"{report.version}-{report.status.value.lower()}.txt", report.text)
    for instance in objects:
        name = f"{instance.sop_instance_uid}.dcm"
        _copy_bytes(instance, folder / "objects" / name, f"image {instance.sop_instance_uid}", missing)
    if case.triage is not None:
        _write(folder / "results.json", to_json(case.triage.result) + "\n")
    history = [
        {
            "at": event.happened_at.isoformat(),
            "event": event.event.value,
            "by": event.actor.display_name,
            "detail": event.detail,
        }
        for event in case.events
    ]
    _write(folder / "history.json", json.dumps(history, indent=2, ensure_ascii=False) + "\n")


def _copy_second_reads(store: Store, case_id: int, folder: Path) -> None:
    with store.reading() as connection:
        reads = reads_of(connection, case_id)
    lines = [
        {
            "at": item.at.isoformat(),
            "act": item.act.value,
            "by": item.actor.display_name,
            "said": None if item.content is None else json.loads(to_json(item.content))["value"],
            "undoes": item.undoes,
        }
        for item in reads
    ]
    if lines:
        _write(folder / "second-reads.json", json.dumps(lines, indent=2, ensure_ascii=False) + "\n")


def _copy_bytes(kept: InstanceRecord | QuarantineEntry, path: Path, name: str, missing: list[str]) -> None:
    try:
        content = kept.path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(content, path)
    except (RemovedError, NotFoundError) as error:
        missing.append(f"{name}: {error}")


def _trail(store: Store, held: Holdings) -> Iterator[str]:
    for sealed in find_entries(store, TrailFilter(subjects=held.subjects)):
        if sealed.entry is not None:
            yield as_json(sealed, sealed.entry)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(text, encoding="utf-8")

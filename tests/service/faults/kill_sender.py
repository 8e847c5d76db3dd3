"""Kills the sender of results with SIGKILL at random moments while its PACS refuses, hangs and answers late.

    python -m tests.service.faults.kill_sender --results 500 --kills 1000 --seed 1

The PACS is a process of its own, of pynetdicom, and keeps what it acknowledges and much of what it does not.
Each result must arrive, under one SOP Instance UID, with the bytes that were made.
"""

import argparse
import contextlib
import hashlib
import logging
import os
import random
import signal
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import NoReturn

import structlog
from pynetdicom import AE, evt

from service.dicom.settings import Peer
from service.results.dimse import StoreScu
from service.results.making import result_of_case
from service.results.ownership import this_process
from service.results.sending import Sender
from service.results.settings import StoreScp
from service.settings import Settings, load_settings
from service.store.database import Store, open_store
from service.store.outbox import DeliveryState, outbox_figures
from service.store.result_occasions import Moment, add_occasion, claim_occasion
from service.store.results import Form, MadeResult, keep_results, latest_subject
from tests.service.material import send_report
from tests.service.results.material import seen, told_case

SR = "1.2.840.10008.5.1.4.1.1.88.33"
EXPLICIT = "1.2.840.10008.1.2.1"
SPEED = 10.0  # of the clock of the outbox, so that its delays pass sooner
PATIENCE_SECONDS = 300.0
HANG_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was asked for."""

    results: int
    kills: int
    seed: int


def fill(store: Store, count: int) -> dict[str, str]:
    """Put so many results into the outbox, and return the hash of the data set of each by its UID."""
    told_case(store, seen("nodule", (10, 20, 30, 40)))
    template = result_of_case(store, 1, Form.SR)
    subject = latest_subject(store, 1)
    while claim_occasion(store, now=datetime.now(UTC)) is not None:
        pass
    wanted = {}
    for number in range(count):
        case_id = send_report(store, accession=f"R{number}").case_id
        now = datetime.now(UTC)
        with store.writing() as transaction:
            add_occasion(transaction, case_id, moment=Moment.TRIAGE, revision=1, now=now)
        occasion = claim_occasion(store, now=now)
        assert occasion is not None
        template.SOPInstanceUID = f"2.25.9.{number}"
        template.file_meta.MediaStorageSOPInstanceUID = template.SOPInstanceUID
        template.save_as(encoded := BytesIO(), enforce_file_format=True)
        with store.files.begin() as file:
            file.write(encoded.getbuffer())
            store.files.keep(file)
            columns = {
                "sop_instance_uid": template.SOPInstanceUID,
                "study_instance_uid": "2.25.1",
                "series_instance_uid": template.SeriesInstanceUID,
                "sop_class_uid": SR,
                "transfer_syntax_uid": EXPLICIT,
                "sha256": file.sha256,
                "size_bytes": file.size_bytes,
                "source": "test",
                "received_at": now,
                "result_of": case_id,
            }
        made = MadeResult(form=Form.SR, withdraws=False, instance=columns, destinations=("pacs",))
        about = type(subject)(
            **{name: getattr(subject, name) for name in subject.__slots__} | {"occasion": occasion}
        )
        assert keep_results(store, about, [made], "for the test", now=now)
        wanted[str(template.SOPInstanceUID)] = data_set_hash(encoded.getvalue())
    return wanted


def data_set_hash(content: bytes) -> str:
    """Hash of an object without preamble and file meta information, which a PACS writes anew."""
    file = BytesIO(content)
    pass_over_meta(file)
    return hashlib.sha256(file.read()).hexdigest()


def pass_over_meta(file: BytesIO) -> None:
    """Move to the first byte after the file meta information (PS3.10 section 7.1)."""
    file.seek(128 + 4 + 8)
    (length,) = struct.unpack("<L", file.read(4))
    file.seek(length, 1)


def be_the_pacs(folder: Path, port_file: Path, seed: int) -> NoReturn:
    """Take objects, each into a file named by its UID; refuse, hang and be late at random."""
    chance = random.Random(seed)

    def store(event: evt.Event) -> int:
        draw = chance.random()
        if draw < 0.05:
            return 0xA700
        if draw < 0.07:
            time.sleep(HANG_SECONDS)
        elif draw < 0.25:
            time.sleep(chance.uniform(0.01, 0.1))
        uid = str(event.request.AffectedSOPInstanceUID)
        content = event.encoded_dataset(include_meta=True)
        path = folder / uid
        with (folder / f".{uid}.log").open("a") as log:
            log.write(data_set_hash(content) + "\n")
        path.with_suffix(".part").write_bytes(content)
        path.with_suffix(".part").rename(path)
        if draw > 0.97:
            event.assoc.abort()  # kept, but never acknowledged
        return 0

    entity = AE(ae_title="PACS")
    entity.maximum_associations = 1000
    entity.network_timeout = entity.dimse_timeout = 30
    entity.add_supported_context(SR, EXPLICIT)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    port_file.with_suffix(".part").write_text(str(server.server_address[1]))  # type: ignore[union-attr]
    port_file.with_suffix(".part").rename(port_file)
    threading.Event().wait()
    raise AssertionError("unreachable")


def be_the_sender(settings: Settings, port: int, began: float) -> NoReturn:
    """Send until killed."""
    store = open_store(settings, sweep=False)
    destination = StoreScu(pacs_address(port), store.files)
    Sender(store, destination, owner=this_process(), clock=lambda: hasty(began)).run(threading.Event())
    raise AssertionError("unreachable")


def pacs_address(port: int) -> StoreScp:
    return StoreScp(
        name="pacs",
        ae_title="PACS",
        peer=Peer(host="127.0.0.1", port=port),
        own_ae_title="OVERREAD",
        asks_commitment=False,
    )


def hasty(began: float) -> datetime:
    return datetime.fromtimestamp(began + (time.time() - began) * SPEED, UTC)


@contextlib.contextmanager
def child(work: Callable[[], NoReturn]) -> Iterator[int]:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def due(settings: Settings) -> int:
    store = open_store(settings, sweep=False)
    try:
        figures = outbox_figures(store)
        return sum(item.count for item in figures if item.state is not DeliveryState.SENT)
    finally:
        store.close()


def kill_and_count(run: Run, settings: Settings, pacs_folder: Path) -> dict[str, object]:
    """Send everything with so many kills, and say what the PACS holds."""
    store = open_store(settings)
    wanted = fill(store, run.results)
    store.close()
    chance, began = random.Random(run.seed), time.time()
    port_file = pacs_folder.parent / "port"
    kills = 0
    with child(lambda: be_the_pacs(pacs_folder, port_file, run.seed)):
        while not port_file.exists():
            time.sleep(0.01)
        port = int(port_file.read_text())
        while kills < run.kills:
            with child(lambda: be_the_sender(settings, port, began)):
                time.sleep(chance.uniform(0.0, 0.3))
            kills += 1
            if kills == run.kills // 2:
                done_halfway = run.results - due(settings)
        deadline = time.monotonic() + PATIENCE_SECONDS
        left = due(settings)
        with child(lambda: be_the_sender(settings, port, began)):
            while due(settings) and time.monotonic() < deadline:
                time.sleep(0.1)
    held = {path.name: data_set_hash(path.read_bytes()) for path in pacs_folder.glob("2.25.*[0-9]")}
    arrivals = {path.name[1:-4]: path.read_text().split() for path in pacs_folder.glob(".*.log")}
    return {
        "results": run.results,
        "kills": kills,
        "acknowledged at half of the kills": done_halfway if run.kills > 1 else 0,
        "acknowledged after the kills": run.results - left,
        "sent again although the PACS held it": sum(len(seen_) - 1 for seen_ in arrivals.values()),
        "not acknowledged": due(settings),
        "lost": len(wanted.keys() - held.keys()),
        "held under another UID": len(held.keys() - wanted.keys()),
        "held with other content": sum(held[uid] != wanted[uid] for uid in held.keys() & wanted.keys()),
        "most arrivals of one": max(Counter({uid: len(seen_) for uid, seen_ in arrivals.items()}).values()),
        "seconds": round(time.time() - began),
    }


def main() -> int:
    """Run, print the account, and return 0 if all is right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=500)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database-url", default="")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        environ = {"OVERREAD_FREE_BYTES_MIN": "0"}
        if arguments.database_url:
            environ["OVERREAD_DATABASE_URL"] = arguments.database_url
        settings = load_settings(environ, data_folder=Path(folder) / "data")
        (Path(folder) / "pacs").mkdir()
        run = Run(results=arguments.results, kills=arguments.kills, seed=arguments.seed)
        account = kill_and_count(run, settings, Path(folder) / "pacs")
    for what, count in account.items():
        sys.stdout.write(f"{what:40} {count}\n")
    faults = ("not acknowledged", "lost", "held under another UID", "held with other content")
    return 1 if any(account[fault] for fault in faults) else 0


if __name__ == "__main__":
    sys.exit(main())

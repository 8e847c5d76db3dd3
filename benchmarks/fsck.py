"""Checks a store with many small objects, some of which are planted faults, and prints speed and memory.

    python -m benchmarks.fsck --objects 200000

The objects are small, so that what is timed is the work for each object and not the reading of its bytes.
Ends with status 1 if what is found is not exactly what was planted.
"""

import argparse
import hashlib
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.day import START, study_row
from service.maintenance.inventory import Check, Fault, Tally, check_all
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.object_rows import Place
from service.store.object_store import PREFIXES, FolderObjectStore
from service.store.schema import instances, studies

PLANTED = {Fault.ORPHAN: 20, Fault.MISSING: 20, Fault.DAMAGED: 20}
BATCH = 2000


def fill(store: Store, count: int, chance: random.Random) -> None:
    """Put so many objects into the store, with as many faults of each kind as are planted."""
    if not isinstance(store.files.objects, FolderObjectStore):
        raise TypeError("this benchmark fills a folder")
    folder = store.files.objects.folder
    wrong = iter(chance.sample(range(count), sum(PLANTED.values())))
    faults = {next(wrong): fault for fault, number in PLANTED.items() for _ in range(number)}
    with store.writing() as connection:
        connection.execute(studies.insert(), study_row(0, "2.25.1", START))
    for first in range(0, count, BATCH):
        rows = []
        for number in range(first, min(first + BATCH, count)):
            content = b"object %d" % number
            sha256, fault = hashlib.sha256(content).hexdigest(), faults.get(number)
            if fault is not Fault.MISSING:
                kept = content[::-1] if fault is Fault.DAMAGED else content
                (folder / sha256[:2] / sha256).write_bytes(kept)
            if fault is not Fault.ORPHAN:
                rows.append(row_of(number, sha256, len(content)))
        with store.writing() as connection:
            connection.execute(instances.insert(), rows)


def row_of(number: int, sha256: str, size_bytes: int) -> dict[str, object]:
    """Return the row of one object."""
    return {
        "sop_instance_uid": f"2.25.1.{number}",
        "study_instance_uid": "2.25.1",
        "series_instance_uid": "2.25.1.1",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.1",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "sha256": sha256,
        "size_bytes": size_bytes,
        "source": "bulk",
        "received_at": START,
    }


def main() -> int:
    """Fill, check, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(load_settings({"OVERREAD_FREE_BYTES_MIN": "0"}, data_folder=Path(folder)))
        fill(store, arguments.objects, random.Random(arguments.seed))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        steps = [(place, prefix) for prefix in PREFIXES for place in Place]
        check, tally = Check(now=datetime.now(UTC) + timedelta(hours=2)), Tally()
        started = time.perf_counter()
        found = Counter(item.fault for item in check_all(store, steps, check, tally))
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        store.close()
    print(f"{tally.objects} objects, {tally.rows} rows, seed {arguments.seed}: {seconds:.1f} s")
    print(
        f"{tally.objects / seconds:.0f} objects/s; peak memory {after // 1024} MB, {before // 1024} MB before"
    )
    print(", ".join(f"{fault} {found[fault]} of {number} planted" for fault, number in PLANTED.items()))
    return 0 if found == Counter(PLANTED) else 1


if __name__ == "__main__":
    sys.exit(main())

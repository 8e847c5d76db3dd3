"""Disturbs a real `overread serve` in every way at once while all kinds of things come in, and takes account.

    python -m tests.service.faults.chaos --minutes 30 --seed 1
    python -m tests.service.faults.chaos --minutes 30 --seed 1 --database postgresql --output chaos.json

Images and reports come by C-STORE, STOW-RS, HL7, FHIR, HTTP and a watched folder, with corrections, addenda,
shared reports and resends; senders send again what was not acknowledged. Meanwhile, drawn from the seed,
processes are killed and frozen, connections cut and slowed, the disk is full or read-only, the database away
or locked, the clock stepped (where a C compiler is installed), poison and bombs sent, and ports stormed. Then
all is put right, and what was acknowledged is held against the store. Ends with status 0 only if nothing was
lost, doubled or left undone. As root the data folder is a file system of its own in memory.
"""

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path

from tests.service.faults.chaos.run import Order, run


def main() -> int:
    """Run once; print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="of load and disturbances")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--rate", type=float, default=1.0, help="studies per second")
    parser.add_argument("--pace", type=float, default=1.0, help="2: disturbances twice as often")
    parser.add_argument("--patience", type=float, default=300.0, help="seconds for the rest after the load")
    parser.add_argument("--api-processes", type=int, default=2, help="of page and API")
    parser.add_argument("--output", type=Path, help="file for everything that was counted, as JSON")
    parser.add_argument("--log", type=Path, help="file for the messages of the installation")
    given = parser.parse_args()
    order = Order(
        seed=given.seed,
        seconds=given.minutes * 60,
        database=given.database,
        studies_per_second=given.rate,
        pace=given.pace,
        patience_seconds=given.patience,
        api_processes=given.api_processes,
        log=given.log,
    )
    warnings.simplefilter("ignore")  # pydicom's, about what is hostile on purpose
    with tempfile.TemporaryDirectory(prefix="overread-chaos-") as folder:
        outcome = run(order, Path(folder))
    sys.stdout.writelines(f"{line}\n" for line in outcome.lines())
    if given.output is not None:
        given.output.write_text(json.dumps(outcome.as_json(), indent=2) + "\n")
    return 0 if outcome.is_perfect else 1


if __name__ == "__main__":
    sys.exit(main())

"""Floods a real `overread serve` with ten times what the machine can take, lets it drain, and takes account.

    python -m tests.service.faults.overload --minutes 10 --seed 1
    python -m tests.service.faults.overload --minutes 10 --seed 1 --database postgresql --output overload.json

First a few senders always have something to send: what they get acknowledged is what the machine can take.
Then studies are offered at ten times that pace, by C-STORE, STOW-RS, HL7, FHIR and HTTP, from as many
connections as there are senders, which send again what was turned away. A share of the studies is new; the
others are sent once more, as from an archive. When the flood ends, what no sender had begun is withdrawn; the
rest is sent until it is acknowledged, and the queue drains. Ends with status 0 only if senders were answered,
and turned away by the codes of their protocols alone; a page took less than a second (99th percentile);
memory did not grow with the flood; and everything acknowledged is there, once, and concluded. Senders and
service share the machine.
"""

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path

from tests.service.faults.overload.run import Order, run


def main() -> int:
    """Run once; print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="of flood")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=float, default=10.0, help="what the machine can take")
    parser.add_argument("--fresh", type=float, default=0.25, help="share of studies that are new")
    parser.add_argument("--senders", type=int, default=300, help="each with a connection")
    parser.add_argument("--capacity-seconds", type=float, default=30.0, help="in which that is found out")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--patience", type=float, default=7200.0, help="seconds for the rest after the flood")
    parser.add_argument("--output", type=Path, help="file for everything that was counted, as JSON")
    parser.add_argument("--log", type=Path, help="file for the messages of the installation")
    given = parser.parse_args()
    order = Order(
        seed=given.seed,
        seconds=given.minutes * 60,
        capacity_seconds=given.capacity_seconds,
        times=given.times,
        fresh=given.fresh,
        senders=given.senders,
        database=given.database,
        patience_seconds=given.patience,
        log=given.log,
    )
    warnings.simplefilter("ignore")  # pydicom's, about UIDs that are numbers
    with tempfile.TemporaryDirectory(prefix="overread-overload-") as folder:
        outcome = run(order, Path(folder))
    sys.stdout.writelines(f"{line}\n" for line in outcome.lines())
    if given.output is not None:
        given.output.write_text(json.dumps(outcome.as_json(), indent=2) + "\n")
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())

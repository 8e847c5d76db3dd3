"""Takes hosts away from an installation on several of them, and takes account.

    python -m tests.service.faults.hosts --seed 1
    python -m tests.service.faults.hosts --seed 2 --away 40 --output hosts.json

Eight network namespaces stand for machines: PostgreSQL and its standby, object storage, two machines that
take in images and reports, three with workers, of which two have clocks that are five minutes off. While
studies come in, machines are cut off or stopped for longer than a lease, and the standby takes over from a
primary that nobody reaches any more. Then what was acknowledged is held against the store. Ends with status
0 only if nothing was lost, doubled or left undone. Takes root.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import warnings
from pathlib import Path

from tests.service.faults.hosts.network import MISSING, can_have_hosts
from tests.service.faults.hosts.run import EVENTS, Order, run
from tests.service.objectstorage import CREDENTIALS


def main() -> int:
    """Run once; print the account."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--event", action="append", choices=EVENTS, help="leave out all others; may be given several times"
    )
    parser.add_argument("--away", type=float, default=20.0, help="seconds for which a host is away")
    parser.add_argument("--rate", type=float, default=0.5, help="studies per second")
    parser.add_argument("--patience", type=float, default=600.0, help="seconds for the rest after the load")
    parser.add_argument("--output", type=Path, help="file for everything that was counted, as JSON")
    parser.add_argument("--folder", type=Path, help="where the hosts keep their files and logs; made anew")
    given = parser.parse_args()
    if not can_have_hosts():
        parser.error(MISSING)
    events = given.event or EVENTS
    order = Order(
        seed=given.seed,
        events=tuple(random.Random(given.seed).sample(events, len(events))),
        away_seconds=given.away,
        studies_per_second=given.rate,
        patience_seconds=given.patience,
    )
    warnings.simplefilter("ignore")
    os.environ.update(CREDENTIALS)  # this program reads the objects too
    with tempfile.TemporaryDirectory(prefix="overread-hosts-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(exist_ok=True, parents=True)
        folder.chmod(0o755)  # PostgreSQL is somebody else
        outcome = run(folder, order)
    account = outcome.as_json()
    text = json.dumps(account, indent=2)
    sys.stdout.write(f"{text}\n")
    if given.output is not None:
        given.output.write_text(f"{text}\n")
    return 0 if outcome.reckoning.is_perfect else 1


if __name__ == "__main__":
    sys.exit(main())

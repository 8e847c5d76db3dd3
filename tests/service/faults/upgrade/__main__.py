"""Upgrades an installation under load on PostgreSQL, goes back, and takes account.

    python -m tests.service.faults.upgrade beside --studies 60    # a release to come beside this one
    python -m tests.service.faults.upgrade restart --studies 60   # from the last one that has to be stopped

`beside`: a release to come, this one with a further revision that only adds, brings the tables there and
starts beside this one; both take studies; this one is stopped, and at last brought back in its place, without
a restore. `restart`: the last release before revision 0023, from the history of the repository, is stopped,
this one started; then a backup of the former is restored under it and what came after is sent again.
Meanwhile somebody judges what is listed, and asks for the list five times a second. Ends with status 0 only
if nothing was lost, doubled or left undone.
"""

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

from tests.service.faults.upgrade.releases import NO_HISTORY, earlier_release
from tests.service.faults.upgrade.run import run_beside, run_restart
from tests.service.postgres import MISSING, cluster, program


def main() -> int:
    """Run one of them; print the account."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("way", choices=("beside", "restart"))
    parser.add_argument("--studies", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where data and logs are kept; made anew")
    given = parser.parse_args()
    if program("initdb") is None:
        parser.error(MISSING)
    warnings.simplefilter("ignore")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="overread-upgrade-") as temporary, cluster() as running:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if given.way == "beside":
            outcome = run_beside(running, folder, studies=given.studies, seed=given.seed)
            what = "this release and the next"
        else:
            commit = earlier_release(folder / "earlier")
            if commit is None:
                parser.error(NO_HISTORY)
            outcome = run_restart(
                running, folder, studies=given.studies, seed=given.seed, code=folder / "earlier"
            )
            what = f"commit {commit} and this release"
    sys.stdout.write(f"{given.way}, {what}, seed {given.seed}, {time.monotonic() - began:.0f} s\n")
    sys.stdout.writelines(f"{line}\n" for line in outcome.lines())
    return 0 if outcome.is_perfect else 1


if __name__ == "__main__":
    sys.exit(main())

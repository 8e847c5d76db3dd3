"""Outages while studies and reports go into `overread serve` by every way, and what became of everything.

    python -m tests.service.faults.outages cut --studies 100      # connections cut anywhere, or made to crawl
    python -m tests.service.faults.outages disk --studies 60      # the disk fills up, then grows (as root)
    python -m tests.service.faults.outages database --studies 60  # PostgreSQL restarted over and over

Senders send again what was not acknowledged, so in the end all must be stored and triaged exactly once.
Prints what `benchmarks.kill` prints, and ends with status 0 only if all of it is right.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from benchmarks.account import Account
from benchmarks.kill import PATIENCE_SECONDS, SENDERS, Installation, Post, free_ports, parcels_of, settle
from benchmarks.sending import Ports, Way
from tests.service.faults.proxy import SpoilingProxy
from tests.service.postgres import Cluster, cluster

CUT_SHARE, CRAWL_SHARE = 0.3, 0.05
DISK_BYTES, GROWN_BYTES, KEPT_FREE_BYTES = "20m", "2g", 4 << 20
REFUSALS = 20  # of images, after which the disk grows
NO_ROOM = (f"{Way.STORE} status 0xa700", f"{Way.STOW} status 503")
RESTART_SECONDS = 6.0


class Outage(ABC):
    """What goes wrong, again and again, while senders send."""

    def __init__(self) -> None:
        self.scene = ExitStack()
        self.counts: Counter[str] = Counter()

    @abstractmethod
    def installation(self, folder: Path) -> Installation:
        """Return what it happens to, not yet started."""

    def ports(self, installation: Installation) -> Ports:
        """Return where senders connect to."""
        return installation.ports

    def step(self, installation: Installation, post: Post) -> None:  # noqa: B027  # some need none
        """Do what is due; called several times a second."""


class Cut(Outage):
    """Some connections are cut after a random number of bytes, some crawl."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    def installation(self, folder: Path) -> Installation:
        """Return one that loses patience with a silent sender soon."""
        idle = {"OVERREAD_DICOM_IDLE_SECONDS": "3", "OVERREAD_HL7_MESSAGE_SECONDS": "3"}
        return Installation(folder=folder / "data", ports=free_ports(), log=folder / "log", environment=idle)

    def ports(self, installation: Installation) -> Ports:
        """Return the ports of proxies that spoil connections."""
        return Ports(
            api=self._spoil(installation.ports.api),
            stow=self._spoil(installation.ports.stow),
            dicom=self._spoil(installation.ports.dicom),
            hl7=self._spoil(installation.ports.hl7),
        )

    def _spoil(self, port: int) -> int:
        proxy = SpoilingProxy(
            targets=(("127.0.0.1", port),),
            cut_share=CUT_SHARE,
            crawl_share=CRAWL_SHARE,
            chance=self._chance,
            counts=self.counts,
        )
        self.scene.callback(proxy.close)
        return proxy.port


class Disk(Outage):
    """The disk has room for a few studies only, and grows after some refusals."""

    def __init__(self, _: random.Random) -> None:
        super().__init__()
        self._folder = Path()

    def installation(self, folder: Path) -> Installation:
        """Return one on a small file system of its own."""
        self._folder = folder / "data"
        self._folder.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "overread", self._folder],
            check=True,
        )
        self.scene.callback(subprocess.run, ["umount", "--lazy", self._folder], check=True)
        kept_free = {"OVERREAD_FREE_BYTES_MIN": str(KEPT_FREE_BYTES)}
        return Installation(
            folder=self._folder, ports=free_ports(), log=folder / "log", environment=kept_free
        )

    def step(self, installation: Installation, post: Post) -> None:
        """Let the disk grow once images have been refused by both ways, often enough."""
        refused = Counter({why: number for why, number in post.repeated.items() if why in NO_ROOM})
        if not self.counts and len(refused) == len(NO_ROOM) and refused.total() >= REFUSALS:
            self.counts = refused
            grow = ["mount", "-o", f"remount,size={GROWN_BYTES}", str(self._folder)]
            subprocess.run(grow, check=True)


class Database(Outage):
    """PostgreSQL is restarted over and over, gently and not."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self._cluster: Cluster | None = None
        self._due = time.monotonic() + RESTART_SECONDS

    def installation(self, folder: Path) -> Installation:
        """Return one on a database cluster of its own."""
        self._cluster = self.scene.enter_context(cluster())
        url = self._cluster.url(self._cluster.new_database())
        return Installation(folder=folder / "data", ports=free_ports(), log=folder / "log", database_url=url)

    def step(self, installation: Installation, post: Post) -> None:
        """Restart the server when it is time."""
        if self._cluster is not None and time.monotonic() >= self._due:
            abrupt = self._chance.random() < 0.5
            self._cluster.restart(abrupt=abrupt)
            self.counts["database restarted abruptly" if abrupt else "database restarted"] += 1
            self._due = time.monotonic() + self._chance.expovariate(1 / RESTART_SECONDS)


OUTAGES = {"cut": Cut, "disk": Disk, "database": Database}


def run(name: str, *, studies: int, seed: int, folder: Path) -> tuple[Account, Outage, Post]:
    """Send while it happens, wait until all is triaged, and count."""
    outage = OUTAGES[name](random.Random(seed))
    with outage.scene:
        installation = outage.installation(folder)
        post = Post(ports=outage.ports(installation), pause_seconds=0.2)
        for parcel in parcels_of(studies, seed):
            post.waiting.put(parcel)
        senders = [threading.Thread(target=post.send_all, daemon=True) for _ in range(SENDERS)]
        try:
            installation.keep_up()
            for sender in senders:
                sender.start()
            deadline = time.monotonic() + PATIENCE_SECONDS
            while any(sender.is_alive() for sender in senders) and time.monotonic() < deadline:
                installation.keep_up()
                outage.step(installation, post)
                post.over.wait(0.2)
            account = settle(installation, post, studies)
        finally:
            post.over.set()
            installation.stop()
    return account, outage, post


def main() -> int:
    """Run one outage and print what was counted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("outage", choices=OUTAGES)
    parser.add_argument("--studies", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        account, outage, post = run(
            arguments.outage, studies=arguments.studies, seed=arguments.seed, folder=Path(folder)
        )
    lines = [f"{arguments.outage}, seed {arguments.seed}, {time.monotonic() - start:.0f} s"]
    for title, counts in (("happened", outage.counts), ("sent again", post.repeated)):
        lines.append(
            f"{title}: " + (", ".join(f"{n} x {what}" for what, n in sorted(counts.items())) or "nothing")
        )
    sys.stdout.write("\n".join([*lines, *account.lines()]) + "\n")
    return 0 if account.is_perfect else 1


if __name__ == "__main__":
    sys.exit(main())

"""Two upgrades under load: one beside the release before, one that stops it; and the way back from each."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import create_engine, func, select, text

from benchmarks.account import Account
from benchmarks.kill import PATIENCE_SECONDS, Installation, Post, count, settle
from benchmarks.sending import Parcel, Ports
from overread.case import SECOND_READ, TRIAGED
from service.store.schema import cases
from tests.service.faults.upgrade.releases import NEXT_REVISION, next_release
from tests.service.faults.upgrade.scene import (
    Judge,
    Probe,
    Senders,
    await_acknowledged,
    await_answer,
    command,
    installation_of,
    parcels_for,
)
from tests.service.postgres import Cluster


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of everything, and how long nobody answered."""

    account: Account
    gaps: dict[str, float]  # longest seconds between two answers of the list, by phase
    asked: int
    sent_again: Counter[str]
    judged: int  # acknowledged judgements
    judgements_kept: int  # of these, recorded exactly once
    refused: Counter[str]  # judgements, by status
    studies_by_release: dict[str, int]  # who took them
    restored: Account | None = None  # after the way back by restore, and all sent again

    @property
    def is_perfect(self) -> bool:
        """Whether nothing was lost, doubled or left undone, on the way there and on the way back."""
        accounts = [account for account in (self.account, self.restored) if account is not None]
        return (
            all(account.is_perfect for account in accounts)
            and self.judged == self.judgements_kept
            and not self.refused
        )

    def lines(self) -> Iterator[str]:
        """The outcome in words."""
        longest = ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in self.gaps.items())
        yield f"longest seconds between two answers, {self.asked} times asked: {longest}"
        again = ", ".join(f"{number} x {why}" for why, number in sorted(self.sent_again.items()))
        yield f"sent again: {again or 'nothing'}"
        taken = ", ".join(f"{number} by {who}" for who, number in sorted(self.studies_by_release.items()))
        yield f"studies taken: {taken or 'not told apart'}"
        yield f"judgements acknowledged {self.judged}, recorded once {self.judgements_kept}; {self.refused}"
        yield from self.account.lines()
        if self.restored is not None:
            yield "after the restore, all that came after the backup sent again:"
            yield from self.restored.lines()


@contextmanager
def _watched(ports: list[Ports]) -> Iterator[tuple[Probe, Judge]]:
    over = threading.Event()
    probe, judge = Probe(ports=ports, over=over), Judge(ports=ports, over=over)
    threads = [threading.Thread(target=each.run, daemon=True) for each in (probe, judge)]
    for thread in threads:
        thread.start()
    try:
        yield probe, judge
    finally:
        over.set()
        for thread in threads:
            thread.join(timeout=60)


def run_beside(cluster: Cluster, folder: Path, *, studies: int, seed: int) -> Outcome:
    """Bring a release to come in beside this one, which goes on; take this one away; and bring it back."""
    url = cluster.url(cluster.new_database())
    next_release(folder / "next")
    this = installation_of(folder, "this", None, url)
    coming = installation_of(folder, "coming", folder / "next", url)
    alone, meanwhile, both, coming_alone, back = _parts(parcels_for(studies, seed), 5)
    first = Senders(post=_post(this.ports))
    second, third = first.to(coming.ports), first.to(this.ports)
    answering = [this.ports]
    with ExitStack() as scene:
        for each in (coming, this, first, second, third):
            scene.callback(each.stop)
        await_answer(this)
        with _watched(answering) as (probe, judge):
            first.send(alone)
            await_acknowledged(first.post, len(alone), this)
            first.send(meanwhile)
            probe.phase = "upgrade of the tables"
            assert f"to {NEXT_REVISION}" in command(coming, "db", "upgrade")
            probe.phase = "start of the next"
            await_answer(coming)
            probe.phase = "both"
            answering.append(coming.ports)
            first.send(both)
            second.send()
            await_acknowledged(first.post, len(alone + meanwhile + both), this, coming)
            probe.phase = "the next alone"
            first.stop()
            answering.remove(this.ports)
            this.stop()
            second.send(coming_alone)
            await_acknowledged(first.post, len(alone + meanwhile + both + coming_alone), coming)
            probe.phase = "back"
            await_answer(this)  # the way back, without a restore
            answering.append(this.ports)
            second.stop()
            answering.remove(coming.ports)
            coming.stop()
            third.send(back)
            account = settle(this, first.post, studies)
        return _outcome(account, first.post, probe, judge, url, told_by="taken_by")


def run_restart(cluster: Cluster, folder: Path, *, studies: int, seed: int, code: Path) -> Outcome:
    """Stop an earlier release that knows its own tables alone, start this one; then restore the former."""
    url = cluster.url(cluster.new_database())
    earlier = installation_of(folder, "earlier", code, url)
    this = installation_of(folder, "this", None, url)
    this.ports = earlier.ports
    parcels = parcels_for(studies, seed)
    before, meanwhile = _parts(parcels, 2)
    senders = Senders(post=_post(earlier.ports))
    with ExitStack() as scene:
        for each in (this, earlier, senders):
            scene.callback(each.stop)
        await_answer(earlier)
        with _watched([earlier.ports]) as (probe, judge):
            senders.send(before)
            await_acknowledged(senders.post, len(before), earlier)
            command(earlier, "db", "backup", str(folder / "backup"))
            senders.send(meanwhile)
            await_acknowledged(senders.post, len(before) + len(meanwhile) // 3, earlier)
            probe.phase = "stop, upgrade, start"
            earlier.stop()
            command(this, "db", "upgrade")
            await_answer(this)
            probe.phase = "after"
            account = settle(this, senders.post, studies)
        this.stop()
        outcome = _outcome(account, senders.post, probe, judge, url)
        restored = _restored(cluster, folder, parcels, studies, code)
    return replace(outcome, restored=restored)


def _restored(cluster: Cluster, folder: Path, parcels: list[Parcel], studies: int, code: Path) -> Account:
    """Restore the backup under the earlier release, send everything once more, and count."""
    (folder / "back").mkdir()
    back = installation_of(folder / "back", "back", code, cluster.url(cluster.new_database()))
    command(back, "db", "restore", str(folder / "backup"))
    senders = Senders(post=_post(back.ports))
    with ExitStack() as scene:
        scene.callback(back.stop)
        scene.callback(senders.stop)
        await_answer(back)
        senders.send(parcels)
        await_acknowledged(senders.post, len(parcels), back)
        await_triaged(back, studies)
    return count(back, senders.post, studies)  # at last, since it brings the tables to this release


def await_triaged(installation: Installation, studies: int) -> None:
    """Return when every case has been triaged, or patience ends; the tables are left as they are."""
    states = [state.value for state in TRIAGED | SECOND_READ]
    asked = select(func.count()).select_from(cases).where(cases.c.state.in_(states))
    engine = create_engine(installation.database_url)
    deadline = time.monotonic() + PATIENCE_SECONDS
    done = 0
    while done < studies and time.monotonic() < deadline:
        installation.keep_up()
        with engine.connect() as connection:
            done = connection.execute(asked).scalar_one()
        time.sleep(0.5)
    engine.dispose()


def _parts(parcels: list[Parcel], number: int) -> list[list[Parcel]]:
    """Return the parcels in so many parts of about the same size."""
    return [parcels[len(parcels) * at // number : len(parcels) * (at + 1) // number] for at in range(number)]


def _post(ports: Ports) -> Post:
    return Post(ports=ports, pause_seconds=0.3)


def _outcome(
    account: Account, post: Post, probe: Probe, judge: Judge, url: str, *, told_by: str = ""
) -> Outcome:
    engine = create_engine(url)
    with engine.connect() as connection:
        kept = Counter(
            connection.execute(text("SELECT submission FROM second_reads WHERE act = 'JUDGED'")).scalars()
        )
        by_release = {}
        if told_by:
            rows = connection.execute(text(f"SELECT {told_by}, count(*) FROM studies GROUP BY 1")).all()
            by_release = {"the next release" if row[0] else "this release": row[1] for row in rows}
    engine.dispose()
    return Outcome(
        account=account,
        gaps=probe.gaps,
        asked=probe.asked,
        sent_again=post.repeated,
        judged=len(judge.judged),
        judgements_kept=sum(kept[submission] == 1 for submission in judge.judged.values()),
        refused=judge.refused,
        studies_by_release=by_release,
    )

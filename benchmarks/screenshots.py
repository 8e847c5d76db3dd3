"""Makes the pictures of the documentation anew: every page, and the walk of a first case, in Chromium.

    make pictures

The demonstration's cases, and a store of made-up judgements for the rates, at a time that stands still, in a
window of 1280 pixels: with the same release of Chromium and the same fonts nothing changes. Prints the bytes
of each picture. Look at them before they are committed.
"""

import argparse
import logging
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains

from benchmarks import day
from benchmarks.demo_desk import ARRIVED, SHOWN, demo_desk, keep_picture, look_through, settle, sign_in
from benchmarks.first_walk import tell, walk
from benchmarks.quality import judge_everything
from benchmarks.viewer import chromium
from benchmarks.worklist import opened
from overread.actor import Actor, ActorKind
from overread.discrepancy import DiscrepancyKind
from overread.errors import InputError
from overread.second_read import FlagVerdict, Judgement, Radpeer, Verdict
from service.adjudication.reads import Sender, judge
from service.deidentification.pseudonyms import Pseudonyms
from service.intake.reports import IncomingReport, receive_report
from service.log import configure_logging
from service.peer_learning.candidates import Period
from service.peer_learning.counts import counts_of
from service.peer_learning.meeting import PAGE, Meeting, export_meeting
from service.peer_learning.meeting_list import ListedCase
from service.results.making import Maker
from service.results.objects import Workshop
from service.results.settings import Rule
from service.security.identity import Identity, Means
from service.security.roles import Role
from service.store.database import Store
from service.store.report_authors import note_author
from service.store.result_occasions import Moment
from service.store.results import Form
from tests.service.security.people import Desk, add, desk_on

FOLDER = Path(__file__).parents[1] / "docs" / "images"
AUTHOR = "fay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One page as somebody sees it after some keys."""

    name: str  # of the file, without its ending
    who: str
    path: str
    keys: Sequence[str] = ()
    height: int = 800


BEFORE = (
    Picture(name="worklist", who="ada", path="/"),
    Picture(name="no-such-page", who="ada", path="/nope", height=400),
    Picture(name="account", who="ada", path="/account"),
    Picture(name="case", who="ada", path="/cases/1", keys=("y",), height=900),
    Picture(name="viewer", who="ada", path="/cases/1", keys=("e",)),
    Picture(name="filter", who="carla", path="/", keys=("f",)),
    Picture(name="queue", who="carla", path="/queue"),
    Picture(name="quarantine", who="carla", path="/quarantine"),
    Picture(name="quarantine-entry", who="carla", path="/quarantine/1"),
    Picture(name="results", who="carla", path="/results"),
    Picture(name="people", who="rita", path="/people"),
)
AFTER = (Picture(name="own-reports", who=AUTHOR, path="/own-reports"),)
"""Pages that have something to show once a case is judged."""
RATES = (
    Picture(name="second-reads", who="quinn", path="/second-reads"),
    Picture(name="second-reads-months", who="quinn", path="/second-reads#by-site"),
)
"""Pages that have something to show once many cases are judged."""
MADE_UP = 3000  # cases
LEARNING_POINT = "Compare both lungs at the same level, and once more with the image inverted."


def fill(store: Store) -> None:
    """Refuse a report that names no study, and make a result that waits for its destination."""
    with suppress(InputError):  # what refuses it keeps it in quarantine
        receive_report(store, IncomingReport(content="FINDINGS: No mass.", source="demo"), now=ARRIVED)
    rules = (Rule(moment=Moment.TRIAGE, form=Form.SR, destination="pacs"),)
    with Workshop() as workshop:
        Maker(store, workshop, rules, clock=lambda: ARRIVED).make_due()
    with store.writing() as connection:
        note_author(connection, 1, 1, AUTHOR)


def judge_first(store: Store) -> None:
    """Judge the case at the top, for its author to be told."""
    ada = Actor(identifier="person:ada", kind=ActorKind.PERSON, display_name="Ada Novak")
    identity = Identity(actor=ada, means=Means.SESSION, roles=frozenset({Role.SECOND_READER}))
    flag = FlagVerdict(finding="mass", kind=DiscrepancyKind.POSSIBLE_MISS, verdict=Verdict.CONFIRMED)
    judgement = Judgement(
        verdicts=(flag,),
        radpeer=Radpeer.UNDERSTANDABLE_INSIGNIFICANT,
        learning_point=LEARNING_POINT,
        asks_for_addendum=True,
    )
    judge(store, 1, judgement, Sender(identity=identity, submission="shown", revision=1, at=SHOWN))


def show(
    page: webdriver.Chrome, desk: Desk, pictures: Sequence[Picture], keep: Callable[[str], None], times: int
) -> None:
    """Open the pages one after the other and keep a picture of each."""
    who = ""
    for picture in pictures:
        look_through(page, height=picture.height, times=times)
        if picture.who != who:
            sign_in(page, desk, who := picture.who)
        page.get(f"{desk.url}{picture.path}")
        settle(page)
        for key in picture.keys:
            ActionChains(page).send_keys(key).perform()
        keep(picture.name)


@contextmanager
def judged_desk() -> Iterator[Desk]:
    """Give a desk with many made-up judgements."""
    chance = random.Random(1)
    with opened("sqlite") as store:
        day.fill(store, MADE_UP, chance)
        judge_everything(store, chance, drawn=0.3)
        add(store, "quinn", Role.QUALITY, display_name="Quinn Osei")
        with desk_on(store, clock=lambda: SHOWN) as desk:
            yield desk


def show_meeting(page: webdriver.Chrome, store: Store, keep: Callable[[str], None]) -> None:
    """Make a meeting of the judged case, and keep a picture of its page."""
    case = ListedCase(
        case_id=1, take=True, told_otherwise=True, learning_point=LEARNING_POINT, comment="", report=""
    )
    with tempfile.TemporaryDirectory() as folder:
        counts = counts_of(store, Period(since=ARRIVED, until=SHOWN + timedelta(days=1)), target=None)
        meeting = Meeting(
            title="Learning meeting, June", counts=counts, with_untold=False, pseudonyms=Pseudonyms(bytes(32))
        )
        for done in export_meeting(store, [case], Path(folder), meeting):
            if done.why_not is not None:
                raise SystemExit(f"the judged case stays out of the meeting: {done.why_not}")
        page.get((Path(folder) / PAGE).as_uri())
        settle(page)
        keep("meeting")


def make(folder: Path, times: int) -> None:
    """Make every picture, and print what the first walk took."""
    total = 0
    with chromium() as page:

        def keep(name: str) -> None:
            nonlocal total
            size = keep_picture(page, folder / f"{name}.png")
            total += size
            print(f"{name}.png  {size / 1000:.0f} kB", flush=True)

        with demo_desk(asks_own_read=False) as (store, desk):
            fill(store)
            show(page, desk, BEFORE, keep, times)
            judge_first(store)
            show(page, desk, AFTER, keep, times)
            show_meeting(page, store, keep)
        with judged_desk() as desk:
            show(page, desk, RATES, keep, times)
        with demo_desk(asks_own_read=True) as (_, desk):
            look_through(page, times=times)
            page.delete_all_cookies()
            tell(walk(page, desk.url, keep))
    print(f"{total / 1e6:.2f} MB in all")


def main() -> int:
    """Make them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="default: that of the documentation")
    parser.add_argument(
        "--times", type=int, default=1, help="a larger window: 3 gives 3840 pixels; default: 1"
    )
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    configure_logging(level=logging.WARNING)
    make(arguments.folder, arguments.times)
    return 0


if __name__ == "__main__":
    sys.exit(main())

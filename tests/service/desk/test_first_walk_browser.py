"""The first case of somebody who sees the screen alone: every step is shown there (benchmarks.first_walk)."""

from selenium import webdriver

from benchmarks.demo_desk import demo_desk, look_through
from benchmarks.first_walk import walk
from overread.case import CaseState
from service.adjudication.known_reads import known_reads
from service.store.second_reads import ReadAct
from service.store.worklist import load_case
from tests.service.adjudication.test_reads import person
from tests.service.desk.test_browser import browser, pytestmark

__all__ = ("browser", "pytestmark")


def test_the_screen_alone_leads_from_the_sign_in_to_the_next_case(browser: webdriver.Chrome) -> None:
    look_through(browser)
    pictures: list[str] = []
    with demo_desk(asks_own_read=True) as (store, desk):
        steps = walk(browser, desk.url, pictures.append)
        assert load_case(store, 1).summary.state is CaseState.AWAITING_ARBITRATION
        acts = [item.act for item in known_reads(store, 1, person()).reads]
        assert acts == [ReadAct.OPENED, ReadAct.COMMITTED, ReadAct.JUDGED]
    assert len(steps) == len(pictures) == 9

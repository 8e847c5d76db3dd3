"""The judging part of the case page as a browser without script gets it."""

import re
from collections.abc import Iterator

import httpx
import pytest

from overread.case import CaseState
from overread.discrepancy import DiscrepancyKind
from overread.finding import Actionable
from overread.observation import ImageRegion, Laterality
from overread.second_read import AddedFinding, Judgement, Radpeer, StatedFinding, Verdict
from service.adjudication.known_reads import known_reads
from service.adjudication.reads import judge
from service.security.roles import Role
from service.store.database import Store
from service.store.worklist import load_case
from tests.service.adjudication.test_reads import CONFIRMED, REJECTED, SEVERE, person, rules, sender
from tests.service.desk.test_pages import Page
from tests.service.security.people import Desk, add, desk_on, token_on
from tests.service.web.seeing import seen_case

PERSON = {"Accept": "text/html"}


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    """A desk at which ada and bob read and quinn looks after quality."""
    add(sqlite_store, "ada")
    add(sqlite_store, "bob")
    add(sqlite_store, "quinn", Role.QUALITY)
    with desk_on(sqlite_store) as opened:
        yield opened


def fields_of(page: httpx.Response) -> dict[str, str]:
    """What the hidden fields of the judging form hold."""
    form = page.text.partition('class="judge"')[2].partition("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))


def last_judgement(store: Store, case_id: int) -> Judgement:
    found = [item.judgement for item in known_reads(store, case_id, person("nobody", Role.QUALITY)).reads]
    assert found[-1] is not None
    return found[-1]


def test_the_whole_form_is_recorded_and_the_next_case_of_the_same_list_opens(
    desk: Desk, sqlite_store: Store
) -> None:
    first = seen_case(sqlite_store, 1, findings={"mass": 0.9, "cardiomegaly": 0.5})
    second = seen_case(sqlite_store, 2, findings=("nodule",))
    with desk.signed_in() as browser:
        fields = fields_of(browser.get(f"/cases/{first}?for=thoracic"))
        given = {
            "verdict-1": "CONFIRMED",
            "corrected-1": "nodule",
            "side-of-1": "RIGHT",
            "size-of-1": "12.5",
            "box-of-1": "1 2, 5 6",
            "verdict-2": "NOT_CONFIRMED",
            "cause-2": "NOT_SIGNIFICANT",
            "finding-1": "effusion",
            "kind-1": "POSSIBLE_OVERCALL",
            "radpeer": "2a",
            "acr": "days",
            "comment": "seen on the lateral view",
            "learning": "look behind the heart",
            "tells_author": "yes",
        }
        answer = browser.post(f"/cases/{first}/judgement?for=thoracic", data=fields | given)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/cases/{second}?for=thoracic")
    judgement = last_judgement(sqlite_store, first)
    region = ImageRegion(sop_instance_uid="2.25.1.1.1", column_min=1, row_min=2, column_max=5, row_max=6)
    assert judgement.verdicts[0].corrected == StatedFinding(
        finding="nodule", laterality=Laterality.RIGHT, region=region, size_mm=12.5
    )
    assert [item.verdict for item in judgement.verdicts] == [Verdict.CONFIRMED, Verdict.NOT_CONFIRMED]
    effusion = StatedFinding(finding="effusion")
    assert judgement.added == (AddedFinding(stated=effusion, kind=DiscrepancyKind.POSSIBLE_OVERCALL),)
    assert (judgement.radpeer, judgement.acr_category) == (
        Radpeer.UNDERSTANDABLE_INSIGNIFICANT,
        Actionable.DAYS,
    )
    assert (judgement.comment, judgement.learning_point, judgement.tells_author) == (
        "seen on the lateral view",
        "look behind the heart",
        True,
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"verdict-1": "NOT_CONFIRMED"}, "has a cause"),
        ({"verdict-1": "PERHAPS"}, "none of its choices"),
        ({"verdict-1": "CONFIRMED", "size-of-1": "nan"}, "size-of-1 is not a number"),
        ({"verdict-1": "CONFIRMED", "box-of-1": "9 1 2 3"}, "left, top, right and bottom"),
        ({"verdict-1": "CONFIRMED", "revision": "2"}, "load it again"),
        ({}, "says something"),
        ({"radpeer": "1", "submission": ""}, "a submission has"),
    ],
)
def test_a_form_that_says_nothing_usable_is_refused_in_words(
    api: httpx.Client, sqlite_store: Store, wrong: dict[str, str], words: str
) -> None:
    case_id = seen_case(sqlite_store)
    fields = fields_of(api.get(f"/cases/{case_id}", headers=PERSON))
    answer = api.post(f"/cases/{case_id}/judgement", data=fields | wrong, headers=PERSON)
    assert answer.status_code in {409, 422}
    assert words in Page(answer).text
    assert load_case(sqlite_store, case_id).summary.state is CaseState.LISTED


def test_a_form_that_is_sent_twice_is_recorded_once(api: httpx.Client, sqlite_store: Store) -> None:
    case_id = seen_case(sqlite_store)
    fields = fields_of(api.get(f"/cases/{case_id}", headers=PERSON)) | {"radpeer": "1"}
    answers = [api.post(f"/cases/{case_id}/judgement", data=fields, headers=PERSON) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    reads = [item for item in known_reads(sqlite_store, case_id, person()).reads if item.judgement]
    assert len(reads) == 1


def test_the_script_of_the_page_is_told_where_to_go_on_and_what_was_refused(
    api: httpx.Client, sqlite_store: Store
) -> None:
    first, second = seen_case(sqlite_store, 1), seen_case(sqlite_store, 2, findings=("cardiomegaly",))
    fields = fields_of(api.get(f"/cases/{first}", headers=PERSON)) | {"verdict-1": "CONFIRMED"}
    script = {"Accept": "application/json"}
    refused = api.post(f"/cases/{first}/judgement", data=fields | {"radpeer": "9"}, headers=script)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    for _ in range(2):  # the second time since the first answer was lost
        answer = api.post(f"/cases/{first}/judgement", data=fields, headers=script)
        assert (answer.status_code, answer.json()) == (200, {"next": f"/cases/{second}"})


def test_the_arbiter_sees_both_judgements_without_names_and_the_readers_do_not(
    desk: Desk, sqlite_store: Store
) -> None:
    rules(sqlite_store, "[second_read]\nreaders = 2")
    case_id = seen_case(sqlite_store)
    with desk.signed_in("ada") as browser:
        fields = fields_of(browser.get(f"/cases/{case_id}")) | {"verdict-1": "CONFIRMED", "radpeer": "2a"}
        browser.post(f"/cases/{case_id}/judgement", data=fields)
        assert "It waits for another reader" in browser.get(f"/cases/{case_id}").text
    with desk.signed_in("bob") as browser:
        page = browser.get(f"/cases/{case_id}")
        assert "Reader A" not in page.text
        assert "Ada" not in page.text
        fields = fields_of(page) | {"verdict-1": "UNSURE"}
        browser.post(f"/cases/{case_id}/judgement", data=fields)
        assert "Another person decides" in browser.get(f"/cases/{case_id}").text
    assert load_case(sqlite_store, case_id).summary.state is CaseState.AWAITING_ARBITRATION
    add(sqlite_store, "carl")
    with desk.signed_in("carl") as browser:
        assert f"/cases/{case_id}" in browser.get("/?show=arbitration").text
        page = browser.get(f"/cases/{case_id}")
        judging = page.text.partition('class="judging"')[2].partition("</section>")[0]
        assert "Lung mass: confirmed; RADPEER 2a" in judging
        assert "Lung mass: unsure" in judging
        assert "The readers differ: mass: confirmed and unsure; RADPEER: 2a and none." in judging
        assert "Ada" not in judging
        answer = browser.post(
            f"/cases/{case_id}/judgement", data=fields_of(page) | {"verdict-1": "CONFIRMED"}
        )
        assert answer.headers["location"] == "/?show=arbitration"
    assert load_case(sqlite_store, case_id).summary.state is CaseState.JUDGED


def test_nobody_takes_back_what_another_judged(desk: Desk, sqlite_store: Store) -> None:
    case_id = seen_case(sqlite_store)
    recorded = judge(sqlite_store, case_id, CONFIRMED, sender())
    with desk.signed_in("bob") as browser:
        page = browser.get(f"/cases/{case_id}")
        assert "Take it back" not in page.text
        undoing = {"csrf_token": token_on(page), "submission": "u", "read_id": str(recorded.read_id)}
        assert browser.post(f"/cases/{case_id}/judgement/undo", data=undoing).status_code == 409
    assert load_case(sqlite_store, case_id).summary.state is CaseState.JUDGED


def test_the_shares_are_shown_to_who_looks_after_quality(desk: Desk, sqlite_store: Store) -> None:
    for number, judgement in enumerate((CONFIRMED, REJECTED, REJECTED, SEVERE), start=1):
        judge(sqlite_store, seen_case(sqlite_store, number), judgement, sender(submission=str(number)))
    with desk.signed_in("quinn") as browser:
        page = browser.get("/second-reads")
        words = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page.text))
        assert "3 judged cases; 0 discrepancies" in words
        # 2 of 3 flags; Wilson's interval of 2 in 3 is 20.8 to 93.9 %.
        assert "Not confirmed 2 66.7% 20.8% to 93.9%" in words
        assert "Detector saw what is not there 2 100.0%" in words
        shares = browser.get("/api/v1/second-reads/summary").json()
    assert shares["causes"]["NOT_THERE"]["count"] == 2
    assert shares["disagreed"] == {"count": 0, "value": None, "low": 0.0, "high": 1.0}
    with desk.signed_in("ada") as browser:
        assert browser.get("/second-reads").status_code == 403

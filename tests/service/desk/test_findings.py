"""What the case page says of each finding."""

import httpx
import pytest

from overread.report import load_reader
from service.desk.words import ratio
from service.store.database import Store
from service.store.worklist import load_case
from tests.service.desk.test_pages import PERSON, REPORT, get
from tests.service.web.seeing import seen_case

OTHER_WORD = (
    "FINDINGS: There is an opacity in the left lung.",
    "consolidation",
    (
        "The report reader found no statement about consolidation; "
        "what is marked may be another word for the same shadow."
    ),
    "There is an opacity in the left lung",
)
ONCE = (
    "FINDINGS: Prior pneumonia in 2019. The heart is enlarged.",
    "pneumonia",
    "The report speaks of pneumonia, but not as something this study shows or rules out.",
    "",
)
ASKED = (
    "INDICATION: Pneumothorax?\nFINDINGS: The heart is enlarged.",
    "pneumothorax",
    "The report reader found no statement about pneumothorax.",
    "",
)


@pytest.mark.parametrize(("report", "finding", "note", "marked"), [OTHER_WORD, ONCE, ASKED])
def test_how_a_report_speaks_of_what_it_may_have_missed_is_said_as_it_is(
    api: httpx.Client, sqlite_store: Store, report: str, finding: str, note: str, marked: str
) -> None:
    case_id = seen_case(sqlite_store, report=report, findings=(finding,), reader=load_reader())
    page = get(api, f"/cases/{case_id}")
    assert note in page.text
    assert "".join(page.marked).rstrip(".") == marked


def test_what_is_not_listed_is_not_called_an_agreement(api: httpx.Client, sqlite_store: Store) -> None:
    case_id = seen_case(sqlite_store, findings={"mass": 0.01})
    for path in ("/?show=concordant", f"/cases/{case_id}"):
        text = get(api, path).text
        assert "No disagreement is likely enough to be listed" in text
        assert "agree " not in text.replace("disagree", "")


def test_evidence_is_told_in_words_and_the_odds_are_in_the_details(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = seen_case(sqlite_store, report=REPORT)
    (found,) = load_case(sqlite_store, case_id).triage.result.discrepancies
    shown, details = get(api, f"/cases/{case_id}").text.split("How the odds came about")
    assert "Chance that it is so: 1 in 3" in shown
    assert "Possible miss: the detector sees lung mass, left; the report denies it." in shown
    assert "0.8" not in shown
    for factor in found.factors:
        assert f"{factor.reason} {ratio(factor.odds_ratio)} " in details
    assert ratio(found.odds) in details


def test_the_strongest_finding_leads_and_what_is_unlikely_beyond_three_is_folded(
    api: httpx.Client, sqlite_store: Store
) -> None:
    likely = {"effusion": 0.8, "mass": 0.15, "cardiomegaly": 0.9}
    unlikely = {"edema": 0.13, "hernia": 0.12}
    case_id = seen_case(sqlite_store, report="Normal.", findings=likely | unlikely)
    answer = api.get(f"/cases/{case_id}", headers=PERSON).text
    shown, folded = answer.partition('id="why"')[2].split("2 less likely")
    for name in ("Cardiomegaly", "Pleural effusion", "Lung mass"):
        assert f">{name}, left</a>" in shown
    assert shown.index(">Cardiomegaly, left<") < shown.index(">Pleural effusion") < shown.index(">Lung mass")
    for name in ("edema", "hernia"):
        assert name in folded
    assert "Possible miss" in folded
    assert '<details class="folded">' in shown
    assert '<details class="folded" open>' in api.get(f"/cases/{case_id}?finding=5", headers=PERSON).text

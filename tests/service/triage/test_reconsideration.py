import pytest
from sqlalchemy import insert

from overread.actor import Actor
from overread.case import CaseEvent, CaseState
from overread.comparison import compare
from overread.errors import ConfigurationError, NotFoundError, TransitionError
from overread.priority import Policy, default_policy, shipped_policy_text
from service.store.policies import (
    activate_policy,
    follow_shipped_policy,
    list_policies,
    policy_in_force,
)
from service.store.queue import claim_case
from service.store.records import PolicyOrigin
from service.store.schema import policies
from service.store.worklist import list_worklist, load_case
from service.triage import reconsideration
from service.triage.reconsideration import reorder_list, restore_finding
from tests.service.material import NOW, ROE, after, dicom_bytes, send_image, send_report, triaged_case
from tests.service.triage.test_worker import drain
from tests.service.web.seeing import seen_case

TEXT = shipped_policy_text()
VERSION = default_policy().version
LUNG, HEART = "mass", "cardiomegaly"


def changed(*changes: tuple[str, str], version: str = "site 1") -> str:
    text = TEXT.replace(f'version = "{VERSION}"', f'version = "{version}"')
    for before, now in changes:
        assert before in text
        text = text.replace(before, now, 1)
    return text


def listed(store) -> list[int]:
    return [case.case_id for case in list_worklist(store, now=after(60)).cases]


def events(store, case_id: int) -> list[CaseEvent]:
    return [event.event for event in load_case(store, case_id).events]


def test_another_policy_puts_the_open_list_into_its_order_and_is_recorded(store) -> None:
    urgent = seen_case(store, 1, findings=("pneumothorax",))
    lung = seen_case(store, 2, findings=(LUNG,))
    assert listed(store) == [urgent, lung]
    before = load_case(store, urgent).triage

    activate_policy(store, changed(("minutes = 1.0", "minutes = 0.01")), actor=ROE, now=after(5))
    assert reorder_list(store, now=after(6)) == 2

    assert listed(store) == [lung, urgent]
    case = load_case(store, urgent)
    assert (case.triage.revision, case.triage.result.policy_version) == (before.revision + 1, "site 1")
    assert case.triage.reading == before.reading
    assert case.triage.detections == before.detections
    assert events(store, urgent)[-2:] == [CaseEvent.POLICY_CHANGED, CaseEvent.FOUND_DISCREPANT]
    assert case.events[-2].detail == "policy site 1"
    (record,) = list_policies(store)
    assert (record.version, record.actor, record.in_force_from) == ("site 1", ROE, after(5))
    assert record.text == changed(("minutes = 1.0", "minutes = 0.01"))


def test_what_a_stricter_policy_does_not_list_leaves_the_list(store) -> None:
    case_id = triaged_case(store)

    activate_policy(
        store,
        changed(("minimum_odds = 0.05", "minimum_odds = 1e9")),
        actor=ROE,
        now=after(5),
    )
    reorder_list(store, now=after(6))

    assert load_case(store, case_id).summary.state is CaseState.CONCORDANT


def test_nothing_is_weighed_again_twice(store) -> None:
    triaged_case(store)
    activate_policy(store, changed(), actor=ROE, now=after(5))

    assert reorder_list(store, now=after(6)) == 1
    assert reorder_list(store, now=after(7)) == 0
    assert activate_policy(store, changed(), actor=ROE, now=after(8)) is False


def test_a_worker_follows_a_change_of_policy_and_triages_under_it(store) -> None:
    known = triaged_case(store, 1)
    activate_policy(store, changed(), actor=ROE, now=after(5))
    new = triaged_case(store, 2, now=after(6))
    assert load_case(store, new).triage.result.policy_version == "site 1"

    drain(store, now=after(7))

    assert load_case(store, known).triage.result.policy_version == "site 1"


def test_a_wait_goes_on_under_another_policy(store) -> None:
    case_id = triaged_case(store)
    since = load_case(store, case_id).summary.waiting_since

    activate_policy(store, changed(("days = 72", "days = 1")), actor=ROE, now=after(5))
    reorder_list(store, now=after(600))

    case = load_case(store, case_id).summary
    assert case.waiting_since == since
    assert (case.overdue_at - since).total_seconds() == 3600


def test_a_changed_policy_needs_a_version_of_its_own_and_a_wrong_one_is_refused(store) -> None:
    activate_policy(store, changed(), actor=ROE, now=NOW)

    with pytest.raises(ConfigurationError, match="version of its own"):
        activate_policy(
            store,
            changed(("minimum_odds = 0.05", "minimum_odds = 0.06")),
            actor=ROE,
            now=NOW,
        )
    with pytest.raises(ConfigurationError, match="minimum_odds"):
        activate_policy(store, changed(("minimum_odds = 0.05", "minimum_odds = -1")), actor=ROE, now=NOW)
    assert len(list_policies(store)) == 1


def test_a_policy_whose_comments_alone_changed_is_the_same(store) -> None:
    activate_policy(store, changed(), actor=ROE, now=NOW)

    assert activate_policy(store, changed() + "\n# A remark.\n", actor=ROE, now=after(1)) is False


def test_a_policy_that_this_release_does_not_understand_is_named_and_can_be_replaced(store) -> None:
    old = {
        "version": "old",
        "sha256": "0" * 64,
        "text": 'version = "old"',
        "actor_name": "x",
        "in_force_from": NOW,
    }
    with store.writing() as connection:
        connection.execute(insert(policies), old | {"origin": "SITE"})

    with store.reading() as connection, pytest.raises(ConfigurationError, match="version old, does not fit"):
        policy_in_force(connection)
    assert activate_policy(store, changed(), actor=ROE, now=after(1)) is True
    with store.reading() as connection:
        assert policy_in_force(connection).version == "site 1"


def test_the_shipped_policy_is_followed_until_the_site_chooses_one(store) -> None:
    assert follow_shipped_policy(store, actor=Actor.program("overread 1"), now=NOW) is True
    assert follow_shipped_policy(store, actor=Actor.program("overread 1"), now=NOW) is False
    activate_policy(store, changed(), actor=ROE, now=after(1))

    assert follow_shipped_policy(store, actor=Actor.program("overread 2"), now=after(2)) is False
    assert [record.origin for record in list_policies(store)] == [PolicyOrigin.SITE, PolicyOrigin.SHIPPED]


def earlier_and_new(store, *, earlier: str, issuer: str | None = None) -> int:
    """Two studies of one patient, a year apart; returns the case of the second, whose report omits a mass."""
    for number, day, report in ((1, "20250301", earlier), (2, "20260301", "Normal heart.")):
        study, accession = f"2.25.{number}", f"A{number}"
        shown = {"StudyDate": day, "IssuerOfPatientID": "HOSPITAL" if number == 1 else issuer or "HOSPITAL"}
        send_image(store, dicom_bytes(study=study, AccessionNumber=accession, **shown))
        receipt = send_report(store, report, accession=accession)
    drain(store, now=after(60))
    return receipt.case_id


STABLE = "There is a stable mass."


def test_what_the_patients_earlier_report_knew_is_set_aside_and_can_be_brought_back(store) -> None:
    case_id = earlier_and_new(store, earlier=STABLE)
    case = load_case(store, case_id)
    assert case.summary.state is CaseState.CONCORDANT
    assert [item.discrepancy.finding for item in case.triage.result.known_before] == [LUNG]
    (report,) = case.earlier
    assert (report.text, report.study_date, report.days_before) == (STABLE, "20250301", 365)

    assert restore_finding(store, case_id, LUNG, actor=ROE, now=after(90)) is CaseState.LISTED

    case = load_case(store, case_id)
    assert [item.finding for item in case.triage.result.discrepancies] == [LUNG]
    assert case.triage.result.known_before == ()
    assert case.summary.waiting_since == after(90)
    assert [event.event for event in case.events[-2:]] == [CaseEvent.RESTORED, CaseEvent.FOUND_DISCREPANT]
    assert (case.events[-2].actor, case.events[-2].detail) == (ROE, LUNG)


def test_what_was_brought_back_stays_when_a_new_report_comes(store) -> None:
    case_id = earlier_and_new(store, earlier=STABLE)
    restore_finding(store, case_id, LUNG, actor=ROE, now=after(90))

    send_report(store, "Normal heart and bones.", accession="A2", now=after(100))
    drain(store, now=after(110))

    assert load_case(store, case_id).summary.state is CaseState.LISTED


def test_another_issuers_patient_of_the_same_id_is_another_patient(store) -> None:
    case_id = earlier_and_new(store, earlier=STABLE, issuer="CLINIC")

    assert load_case(store, case_id).summary.state is CaseState.LISTED


def test_a_later_study_makes_nothing_known(store) -> None:
    first = earlier_and_new(store, earlier="Normal heart.")
    send_report(store, STABLE, accession="A2", now=after(70))  # of the later study
    send_report(store, "Normal heart and bones.", accession="A1", now=after(70))
    drain(store, now=after(80))

    assert load_case(store, first - 1).summary.state is CaseState.LISTED


def test_only_what_was_set_aside_can_be_brought_back(store) -> None:
    case_id = triaged_case(store)

    with pytest.raises(NotFoundError, match="set aside"):
        restore_finding(store, case_id, LUNG, actor=ROE, now=after(9))
    with pytest.raises(NotFoundError, match="no case"):
        restore_finding(store, 99, LUNG, actor=ROE, now=after(9))


def test_a_case_that_is_being_triaged_anew_is_not_weighed_again(store) -> None:
    case_id = earlier_and_new(store, earlier=STABLE)
    send_report(store, "Normal heart and bones.", accession="A2", now=after(70))
    claim_case(store, worker="w", now=after(71))

    with pytest.raises(TransitionError, match="anew"):
        restore_finding(store, case_id, LUNG, actor=ROE, now=after(72))


def test_what_arrives_during_the_comparison_is_not_held_up_and_counts(store, monkeypatch) -> None:
    case_id = earlier_and_new(store, earlier=STABLE)

    def compare_slowly(*given: object) -> object:
        send_report(store, "Normal heart and bones.", accession="A2", now=after(70))
        return compare(*given)

    monkeypatch.setattr(reconsideration, "compare", compare_slowly)
    with pytest.raises(TransitionError, match="anew"):
        restore_finding(store, case_id, LUNG, actor=ROE, now=after(72))

    case = load_case(store, case_id)
    assert case.summary.state is CaseState.READY
    assert CaseEvent.RESTORED not in events(store, case_id)


def test_a_case_is_weighed_under_the_policy_in_force_when_it_is_stored(store, monkeypatch) -> None:
    case_id = triaged_case(store)
    activate_policy(store, changed(("minutes = 1.0", "minutes = 0.01")), actor=ROE, now=after(5))
    stricter = changed(("minimum_odds = 0.05", "minimum_odds = 1e9"), version="site 2")
    versions = []

    def compare_meanwhile(case: object, policy: Policy, *given: object) -> object:
        versions.append(policy.version)
        if len(versions) == 1:
            activate_policy(store, stricter, actor=ROE, now=after(6))
        return compare(case, policy, *given)

    monkeypatch.setattr(reconsideration, "compare", compare_meanwhile)
    reorder_list(store, now=after(7))
    reorder_list(store, now=after(8))

    assert versions == ["site 1", "site 2"]
    assert load_case(store, case_id).triage.result.policy_version == "site 2"

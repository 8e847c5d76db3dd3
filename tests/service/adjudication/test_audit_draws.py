"""Concordant cases that stand in the list unmarked."""

from pathlib import Path

from overread.audit_sample import AuditStratum
from overread.case import CaseEvent, CaseState
from overread.cohort import Adjudication, read_cohort
from overread.discrepancy import DiscrepancyKind
from overread.finding import ANY_ABNORMALITY
from overread.second_read import Judgement, OwnRead, Radpeer
from service.adjudication.blinding import as_seen, page_as_seen
from service.adjudication.reads import commit_own_read, judge
from service.export import export_cohort
from service.store.database import Store
from service.store.order import Selection
from service.store.second_reads import draws_of
from service.store.worklist import list_worklist, load_case
from service.triage.reconsideration import reorder_list
from tests.service.adjudication.test_reads import person, rules, sender
from tests.service.material import PSEUDONYMS, ROE, after
from tests.service.web.seeing import seen_case

ALL = "[second_read]\nown_read_share = 1\n[second_read.audit]\nneither = 1\nseen_only = 1"
QUIET = {"mass": 0.01}


def test_a_drawn_case_is_listed_and_told_from_no_other_until_the_own_read(store: Store) -> None:
    rules(store, ALL)
    flagged = [seen_case(store, number) for number in (1, 2)]
    drawn = seen_case(store, 3, findings=QUIET)
    page = page_as_seen(store, list_worklist(store, Selection(), now=after(9)), person())
    assert {case.case_id for case in page.cases} == {*flagged, drawn}
    for name in type(page.cases[0]).__dataclass_fields__:
        given = {type(getattr(case, name)) for case in page.cases}
        assert len(given) == 1, f"{name} tells the drawn case from the others"
    alike = ("outcome", "actionable", "reasons", "headline", "revision", "attempts", "state", "subspecialty")
    for name in (*alike, "waiting_since", "overdue_at", "open_to_all_at", "updated_at", "description"):
        assert len({getattr(case, name) for case in page.cases}) == 1, name
    seen = as_seen(store, load_case(store, drawn), person())
    other = as_seen(store, load_case(store, flagged[0]), person())
    hidden = ("reports", "report", "triage", "unreadable", "earlier", "events")
    assert [getattr(seen.detail, name) for name in hidden] == [getattr(other.detail, name) for name in hidden]


def test_its_place_is_between_those_of_the_list(store: Store) -> None:
    rules(store, ALL)
    for number in range(1, 6):
        seen_case(store, number, findings={"mass": 0.5 + 0.09 * number})
    for number in range(6, 12):
        seen_case(store, number, findings=QUIET)
    cases = list_worklist(store, Selection(), now=after(9)).cases
    flagged = [case.priority for case in cases if case.case_id <= 5]
    drawn = [case.priority for case in cases if case.case_id > 5]
    assert len(drawn) == 6
    assert all(0.9 * min(flagged) <= priority <= max(flagged) for priority in drawn)
    assert len(set(drawn)) == 6


def test_every_draw_is_kept_with_its_probability_drawn_or_not(store: Store) -> None:
    rules(store, ALL.replace("neither = 1", "neither = 0.3"))
    numbers = [seen_case(store, number, findings=QUIET) for number in range(1, 31)]
    with store.reading() as connection:
        draws = draws_of(connection, numbers)
    assert {(item.stratum, item.probability) for item in draws.values()} == {(AuditStratum.NEITHER, 0.3)}
    listed = {case.case_id for case in list_worklist(store, Selection(), now=after(9), limit=100).cases}
    assert listed == {case_id for (case_id, _), item in draws.items() if item.is_drawn}
    assert 2 <= len(listed) <= 18


def test_a_drawn_case_stays_drawn_under_another_policy(store: Store) -> None:
    rules(store, ALL)
    drawn = seen_case(store, findings=QUIET)
    rules(store, ALL, version="10")
    reorder_list(store, now=after(50), actor=ROE)
    detail = load_case(store, drawn)
    assert (detail.summary.state, detail.summary.revision) == (CaseState.LISTED, 2)
    assert [event.event for event in detail.events][-2:] == [CaseEvent.FOUND_CONCORDANT, CaseEvent.SAMPLED]


def test_what_was_read_of_it_leaves_with_its_probability(store: Store, tmp_path: Path) -> None:
    rules(store, ALL.replace("neither = 1", "neither = 0.999999"))
    case_id = seen_case(store, findings=QUIET)
    commit_own_read(store, case_id, OwnRead(), sender(submission="own"))
    detail = as_seen(store, load_case(store, case_id), person()).detail
    assert detail.triage is not None
    assert detail.triage.result.discrepancies == ()
    judge(store, case_id, Judgement(radpeer=Radpeer.CONCUR, comment="normal"), sender())
    export_cohort(store, tmp_path / "past.jsonl", PSEUDONYMS)
    (case,) = read_cohort(tmp_path / "past.jsonl")
    assert case.selection_probability == 0.999999
    miss = DiscrepancyKind.POSSIBLE_MISS
    assert case.adjudications == (Adjudication(finding=ANY_ABNORMALITY, kind=miss, confirmed=False),)


def test_nothing_is_drawn_where_the_policy_asks_for_none(store: Store) -> None:
    case_id = seen_case(store, findings=QUIET)
    assert load_case(store, case_id).summary.state is CaseState.CONCORDANT
    with store.reading() as connection:
        assert draws_of(connection, [case_id]) == {}

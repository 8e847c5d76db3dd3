"""Judgements of second readers: recorded once, never changed, and where they send a case."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from overread.actor import Actor, ActorKind
from overread.case import CaseEvent, CaseState
from overread.discrepancy import DiscrepancyKind
from overread.errors import ClaimedError, ContradictionError, InputError, TransitionError
from overread.priority import shipped_policy_text
from overread.second_read import (
    FlagVerdict,
    Judgement,
    OwnRead,
    Radpeer,
    RejectionCause,
    StatedFinding,
    Verdict,
)
from service.adjudication.blinding import selection_as_seen
from service.adjudication.known_reads import known_reads
from service.adjudication.reads import Sender, commit_own_read, judge, note_opened, undo
from service.maintenance.patient import erase_rows, remove_bytes
from service.security.identity import Identity, Means
from service.security.roles import Role
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store
from service.store.erasure import Erasure
from service.store.order import Selection
from service.store.patients import holdings_of_patient
from service.store.policies import activate_policy
from service.store.reading_claims import Hold, find_claim, hold_case
from service.store.report_authors import note_author
from service.store.second_reads import AuditDraw, ReadAct, add_draw
from service.store.worklist import list_worklist, load_case
from tests.service.material import NOW, ROE, after, send_report
from tests.service.web.seeing import seen_case

MISS = DiscrepancyKind.POSSIBLE_MISS
CONFIRMED = Judgement(
    verdicts=(FlagVerdict(finding="mass", kind=MISS, verdict=Verdict.CONFIRMED),),
    radpeer=Radpeer.UNDERSTANDABLE_INSIGNIFICANT,
    learning_point="Look behind the heart.",
)
REJECTED = Judgement(
    verdicts=(
        FlagVerdict(finding="mass", kind=MISS, verdict=Verdict.NOT_CONFIRMED, cause=RejectionCause.NOT_THERE),
    )
)
SEVERE = replace(CONFIRMED, radpeer=Radpeer.USUALLY_MADE_SIGNIFICANT)


def person(name: str = "ada", *roles: Role) -> Identity:
    actor = Actor(identifier=f"person:{name}", kind=ActorKind.PERSON, display_name=name.title())
    return Identity(actor=actor, means=Means.SESSION, roles=frozenset(roles or (Role.SECOND_READER,)))


def sender(name: str = "ada", submission: str = "", *, revision: int = 1, seconds: float = 60) -> Sender:
    return Sender(
        identity=person(name),
        submission=submission or f"{name} {revision}",
        revision=revision,
        at=after(seconds),
    )


def rules(store: Store, table: str, *, version: str = "9") -> None:
    """Bring a policy with these rules of the second read into force."""
    shipped = shipped_policy_text()
    bare = shipped[: shipped.index("# How cases are read")].replace(
        next(line for line in shipped.splitlines() if line.startswith("version")), f'version = "{version}"'
    )
    activate_policy(store, f"{bare}\n{table}", actor=ROE, now=NOW)


def states_of(store: Store, case_id: int) -> CaseState:
    return load_case(store, case_id).summary.state


def listed(store: Store) -> Sequence[int]:
    return [case.case_id for case in list_worklist(store, Selection(), now=after(100)).cases]


def test_a_judged_case_leaves_the_list_with_its_event_and_entry_of_the_audit_trail(store: Store) -> None:
    case_id = seen_case(store)
    recorded = judge(store, case_id, CONFIRMED, sender())
    assert (recorded.state, recorded.is_new) == (CaseState.JUDGED, True)
    assert listed(store) == []
    detail = load_case(store, case_id)
    assert (detail.events[-1].event, detail.events[-1].actor.display_name) == (CaseEvent.JUDGED, "Ada")
    (read,) = known_reads(store, case_id, person()).reads
    assert (read.judgement, read.act, read.at) == (CONFIRMED, ReadAct.JUDGED, after(60))
    acts = [item.entry for item in find_entries(store, TrailFilter(actor="person:ada"))]
    assert {(act.what, act.subject) for act in acts if act} == {
        ("second read", f"case {case_id}"),
        ("case", f"case {case_id}"),
    }


def test_what_is_sent_twice_is_recorded_once(store: Store) -> None:
    case_id = seen_case(store)
    first = judge(store, case_id, CONFIRMED, sender())
    again = judge(store, case_id, CONFIRMED, sender())
    assert (again.read_id, again.is_new) == (first.read_id, False)
    with pytest.raises(ContradictionError):
        judge(store, case_id, REJECTED, sender())
    with pytest.raises(ContradictionError):
        judge(store, case_id, CONFIRMED, sender("bob", "ada 1"))
    assert len(known_reads(store, case_id, person()).reads) == 1


def test_who_has_the_case_judges_it_and_nobody_has_it_then(store: Store) -> None:
    case_id = seen_case(store)
    hold_case(store, case_id, Hold(holder=person("ada").actor, at=after(10), seconds=600))
    with pytest.raises(ClaimedError, match="Ada has case"):
        judge(store, case_id, CONFIRMED, sender("bob"))
    recorded = judge(store, case_id, CONFIRMED, sender())
    assert find_claim(store, case_id, now=after(61)) is None
    undo(store, case_id, recorded.read_id, sender(submission="u"))
    assert judge(store, case_id, CONFIRMED, sender("bob")).is_new


def test_a_case_is_judged_once_and_only_as_it_was_shown(store: Store) -> None:
    case_id = seen_case(store)
    with pytest.raises(TransitionError, match="load it again"):
        judge(store, case_id, CONFIRMED, sender(revision=2))
    other = FlagVerdict(finding="nodule", kind=MISS, verdict=Verdict.CONFIRMED)
    with pytest.raises(InputError, match="does not have"):
        judge(store, case_id, Judgement(verdicts=(other,)), sender())
    judge(store, case_id, CONFIRMED, sender())
    with pytest.raises(TransitionError, match="not waiting"):
        judge(store, case_id, CONFIRMED, sender("bob"))


def test_the_database_refuses_every_change_of_a_second_read(store: Store) -> None:
    judge(store, seen_case(store), CONFIRMED, sender())
    for statement in ("UPDATE second_reads SET content = NULL", "DELETE FROM second_reads"):
        with pytest.raises(DBAPIError, match="append-only"), store.writing() as connection:
            connection.execute(text(statement))


def test_undoing_is_a_further_event_and_brings_the_case_back_to_its_place(store: Store) -> None:
    case_id = seen_case(store)
    before = load_case(store, case_id).summary
    recorded = judge(store, case_id, CONFIRMED, sender())
    with pytest.raises(TransitionError, match="who made it"):
        undo(store, case_id, recorded.read_id, sender("bob", "b"))
    for _ in range(2):
        assert undo(store, case_id, recorded.read_id, sender(submission="u")).state is CaseState.LISTED
    summary = load_case(store, case_id).summary
    assert (summary.priority, summary.waiting_since, summary.overdue_at) == (
        before.priority,
        before.waiting_since,
        before.overdue_at,
    )
    judge(store, case_id, REJECTED, sender(submission="second thoughts"))
    acts = [item.act for item in known_reads(store, case_id, person()).reads]
    assert acts == [ReadAct.JUDGED, ReadAct.UNDONE, ReadAct.JUDGED]
    known = known_reads(store, case_id, person())
    assert known.mine is not None
    assert known.mine.judgement == REJECTED


def test_a_severe_score_counts_once_another_person_has_arbitrated(store: Store) -> None:
    case_id = seen_case(store)
    judge(store, case_id, SEVERE, sender())
    assert states_of(store, case_id) is CaseState.AWAITING_ARBITRATION
    assert listed(store) == []
    with pytest.raises(TransitionError, match="another person"):
        judge(store, case_id, SEVERE, sender(submission="again"))
    arbitrated = judge(store, case_id, CONFIRMED, sender("bob"))
    assert arbitrated.state is CaseState.JUDGED
    reads = known_reads(store, case_id, person("carl")).reads
    assert [(item.act, item.reader) for item in reads] == [
        (ReadAct.JUDGED, "Reader A"),
        (ReadAct.ARBITRATED, "Reader B"),
    ]
    with pytest.raises(TransitionError, match="arbitration"):
        undo(store, case_id, reads[0].read_id, sender(submission="u"))
    back = undo(store, case_id, arbitrated.read_id, sender("bob", "u2"))
    assert back.state is CaseState.AWAITING_ARBITRATION


def test_two_independent_readers_agree_or_a_third_person_decides(store: Store) -> None:
    rules(store, "[second_read]\nreaders = 2")
    alike, differing = seen_case(store, 1), seen_case(store, 2)
    for case_id in (alike, differing):
        judge(store, case_id, CONFIRMED, sender(submission=f"a {case_id}"))
        assert states_of(store, case_id) is CaseState.LISTED
        assert known_reads(store, case_id, person("bob")).reads == ()
    with pytest.raises(TransitionError, match="judged case"):
        judge(store, alike, CONFIRMED, sender(submission="a third"))
    mine = selection_as_seen(store, Selection(), person("ada"))
    theirs = selection_as_seen(store, Selection(), person("bob"))
    assert list_worklist(store, mine, now=after(100)).cases == ()
    assert len(list_worklist(store, theirs, now=after(100)).cases) == 2
    judge(store, alike, CONFIRMED, sender("bob", "b"))
    assert states_of(store, alike) is CaseState.JUDGED
    judge(store, differing, REJECTED, sender("bob", "c"))
    assert states_of(store, differing) is CaseState.AWAITING_ARBITRATION
    known = known_reads(store, differing, person("carl"))
    assert known.disagreements == ("mass: confirmed and not_confirmed", "RADPEER: 2a and none")
    assert len([item for item in known.reads if item.stands]) == 2
    judge(store, differing, REJECTED, sender("carl"))
    assert states_of(store, differing) is CaseState.JUDGED


def test_a_corrected_report_opens_a_judged_case_again_and_its_wait_begins_anew(store: Store) -> None:
    case_id = seen_case(store)
    judge(store, case_id, CONFIRMED, sender())
    send_report(store, "FINDINGS: A mass.", now=after(500))
    summary = load_case(store, case_id).summary
    assert (summary.state, summary.waiting_since) == (CaseState.READY, None)
    with pytest.raises(TransitionError):
        judge(store, case_id, CONFIRMED, sender(submission="late"))


def test_an_own_read_comes_before_everything_and_only_once(store: Store) -> None:
    rules(store, "[second_read]\nown_read_share = 1")
    case_id = seen_case(store)
    note_opened(store, case_id, sender(seconds=10))
    note_opened(store, case_id, sender(seconds=20))
    with pytest.raises(TransitionError, match="own read"):
        judge(store, case_id, CONFIRMED, sender(submission="too early"))
    own = OwnRead(findings=(StatedFinding(finding="nodule"),), comment="left base")
    assert commit_own_read(store, case_id, own, sender(submission="own", seconds=30)).is_new
    assert not commit_own_read(store, case_id, own, sender(submission="own", seconds=40)).is_new
    with pytest.raises(TransitionError, match="shown to you already"):
        commit_own_read(store, case_id, OwnRead(), sender(submission="other"))
    judge(store, case_id, CONFIRMED, sender())
    reads = known_reads(store, case_id, person()).reads
    assert [(item.act, item.at) for item in reads] == [
        (ReadAct.OPENED, after(10)),
        (ReadAct.COMMITTED, after(30)),
        (ReadAct.JUDGED, after(60)),
    ]
    assert reads[1].own_read == own


def test_what_was_judged_counts_towards_the_share_that_is_looked_at(sqlite_store: Store) -> None:
    numbers = [seen_case(sqlite_store, n, findings={"mass": 0.5 + 0.01 * n}) for n in range(1, 25)]
    half = Selection(share=0.5)
    before = list_worklist(sqlite_store, half, now=after(9)).line
    for case_id in numbers[-2:]:
        judge(sqlite_store, case_id, CONFIRMED, sender(submission=str(case_id)))
    line = list_worklist(sqlite_store, half, now=after(9)).line
    assert before is not None
    assert line is not None
    # Half of 24 is 12; two of them have been looked at, and ten of the other 22 stand above the line.
    assert (before.triaged, before.above, line.triaged, line.above, line.below) == (24, 12, 24, 10, 12)


def test_second_reads_go_with_the_rows_of_their_patient(store: Store) -> None:
    case_id = seen_case(store, 1)
    recorded = judge(store, case_id, CONFIRMED, sender())
    undo(store, case_id, recorded.read_id, sender(submission="u"))
    with store.writing() as connection:
        note_author(connection, case_id, 1, "fay")
        drawn = AuditDraw(revision=1, stratum="neither", probability=0.1, is_drawn=False)
        add_draw(connection, case_id, drawn, policy_version="1", now=NOW)
    seen_case(store, 2)
    held = holdings_of_patient(store, "P1")
    remove_bytes(store, held, actor=ROE, because="request 7", now=after(200))
    erase_rows(store, held, Erasure(actor=ROE, at=after(300), why="request 7"))
    with store.reading() as connection:
        for table in ("second_reads", "audit_draws", "report_authors"):
            found = connection.execute(
                text(f"SELECT count(*) FROM {table} WHERE case_id = {case_id}")
            )  # no input
            assert found.scalar_one() == 0, table

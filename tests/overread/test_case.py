import pytest

from overread.case import TRIAGED, CaseEvent, CaseState, advance
from overread.errors import TransitionError


@pytest.mark.parametrize("start", [CaseState.AWAITING_IMAGES, CaseState.AWAITING_REPORT])
def test_a_case_is_ready_when_its_second_half_comes(start) -> None:
    event = {
        CaseState.AWAITING_IMAGES: CaseEvent.COMPLETED_BY_IMAGES,
        CaseState.AWAITING_REPORT: CaseEvent.COMPLETED_BY_REPORT,
    }[start]

    assert advance(start, event) is CaseState.READY


@pytest.mark.parametrize("state", [*sorted(TRIAGED), CaseState.IN_TRIAGE, CaseState.FAILED])
def test_a_revision_sends_a_complete_case_back_to_triage(state) -> None:
    assert advance(state, CaseEvent.REVISED) is CaseState.READY


@pytest.mark.parametrize("state", [state for state in CaseState if state is not CaseState.READY])
def test_only_a_ready_case_can_be_claimed(state) -> None:
    with pytest.raises(TransitionError, match=state):
        advance(state, CaseEvent.CLAIMED)


@pytest.mark.parametrize("state", [state for state in CaseState if state is not CaseState.IN_TRIAGE])
def test_only_a_case_in_triage_can_be_concluded(state) -> None:
    for event in (CaseEvent.FOUND_DISCREPANT, CaseEvent.FOUND_CONCORDANT, CaseEvent.FOUND_NOT_APPLICABLE):
        with pytest.raises(TransitionError):
            advance(state, event)

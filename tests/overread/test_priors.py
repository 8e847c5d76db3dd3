from dataclasses import replace

import pytest

from overread.discrepancy import DiscrepancyKind
from overread.finding import load_vocabulary
from overread.observation import Laterality, Presence, Temporality
from overread.priority import default_policy
from overread.priors import EarlierReading, History
from overread.triage import Outcome, TriageResult, triage
from tests.overread.observations import detection, reading, seen, stated

STABLE = stated("nodule", temporality=Temporality.STABLE)


def before(*observations, days: float = 100, study: str = "1.9") -> EarlierReading:
    return EarlierReading(
        study_instance_uid=study, report_version=2, days_before=days, reading=reading(*observations)
    )


def concluded(*earlier: EarlierReading, report=None, observation=None, restored=()) -> TriageResult:
    return triage(
        reading() if report is None else report,
        [detection(seen("nodule") if observation is None else observation)],
        default_policy(),
        load_vocabulary(),
        history=History(earlier=earlier, restored=frozenset(restored)),
    )


def test_what_an_earlier_report_calls_stable_is_set_aside_with_that_report() -> None:
    result = concluded(before(STABLE))

    assert (result.outcome, result.priority, result.discrepancies) == (Outcome.CONCORDANT, 0.0, ())
    (known,) = result.known_before
    assert (known.discrepancy.kind, known.discrepancy.finding) == (DiscrepancyKind.POSSIBLE_MISS, "nodule")
    assert (known.study_instance_uid, known.report_version, known.observation) == ("1.9", 2, STABLE)
    assert known.discrepancy.odds > 0


@pytest.mark.parametrize(
    "earlier",
    [
        before(stated("nodule")),  # stated, but not as something known
        before(stated("nodule", temporality=Temporality.NEW)),
        before(STABLE, stated("nodule", temporality=Temporality.LARGER)),
        before(stated("nodule", Presence.ABSENT)),
        before(stated("effusion", temporality=Temporality.STABLE)),
        before(STABLE, days=5000),
        before(STABLE, days=-1),
    ],
)
def test_nothing_else_is_set_aside(earlier) -> None:
    assert concluded(earlier).outcome is Outcome.DISCREPANT


def test_the_latest_report_that_speaks_of_a_finding_decides() -> None:
    gone = before(stated("nodule", Presence.ABSENT), days=10)
    silent = before(stated("effusion"), days=5)

    assert concluded(before(STABLE), gone).outcome is Outcome.DISCREPANT
    assert concluded(silent, before(STABLE)).outcome is Outcome.CONCORDANT


def test_a_finding_of_the_same_family_is_the_same_finding() -> None:
    mass = stated("mass", temporality=Temporality.STABLE)

    assert concluded(before(mass)).outcome is Outcome.CONCORDANT


def test_the_other_side_is_news() -> None:
    right = replace(STABLE, laterality=Laterality.RIGHT)
    left = seen("nodule", laterality=Laterality.LEFT)

    assert concluded(before(right), observation=left).outcome is Outcome.DISCREPANT
    assert concluded(before(right)).outcome is Outcome.CONCORDANT


def test_what_this_report_denies_or_calls_larger_is_news() -> None:
    assert concluded(before(STABLE), report=reading(stated("nodule", Presence.ABSENT))).priority > 0


def test_what_is_urgent_is_never_taken_for_known() -> None:
    stable = stated("pneumothorax", temporality=Temporality.STABLE)

    assert concluded(before(stable), observation=seen("pneumothorax")).outcome is Outcome.DISCREPANT


def test_what_a_person_brought_back_stays() -> None:
    result = concluded(before(STABLE), restored=["nodule"])

    assert (result.outcome, result.known_before) == (Outcome.DISCREPANT, ())


def test_what_is_news_is_listed_beside_what_is_known() -> None:
    both = [detection(seen("nodule"), seen("pneumothorax"))]
    history = History(earlier=(before(STABLE),))

    result = triage(reading(), both, default_policy(), load_vocabulary(), history=history)

    assert [item.finding for item in result.discrepancies] == ["pneumothorax"]
    assert [item.discrepancy.finding for item in result.known_before] == ["nodule"]

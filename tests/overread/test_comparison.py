import json

import pytest

from overread.comparison import ComparedCase, PriorReport, compare, days_between, read_history
from overread.errors import InvalidReportError
from overread.finding import load_vocabulary
from overread.observation import ObserverIdentity, Presence
from overread.priority import default_policy
from overread.report import load_reader
from overread.report.reread import Rereader
from overread.triage import Outcome, triage
from tests.overread.observations import detection, seen

POLICY, VOCABULARY, READER = default_policy(), load_vocabulary(), load_reader()
TEXT = "FINDINGS: There is a nodule, or rather there is none.\nIMPRESSION: No effusion."
DENIED = "FINDINGS: No nodule.\nIMPRESSION: No effusion."
OUTPUTS = (detection(seen("nodule", 0.01, prevalence=0.2)),)  # against what TEXT states


class Denying:
    """A language model that calls every finding absent that it is asked about."""

    identity = ObserverIdentity(name="denying", version="1")

    def complete(self, _: str, text: str) -> str:
        sentence = json.loads(text)
        findings = [
            {"finding": finding, "presence": "ABSENT", "laterality": "UNSPECIFIED", "words": "nodule"}
            for finding in sentence["findings"]
        ]
        return json.dumps({"findings": findings})


def prior(text: str, *, days: float = 100) -> PriorReport:
    return PriorReport(study_instance_uid="1.9", report_version=3, days_before=days, text=text)


def test_a_comparison_is_triage_on_the_reading_that_was_given() -> None:
    reading = READER.read(DENIED)
    outputs = (detection(seen("nodule", 0.9)),)

    found = compare(ComparedCase(reading=reading, detections=outputs), POLICY, VOCABULARY)

    assert found.result == triage(reading, outputs, POLICY, VOCABULARY)
    assert found.result.outcome is Outcome.DISCREPANT
    assert found.reading is reading


def test_what_is_read_a_second_time_is_compared_again() -> None:
    reading, rereader = READER.read(TEXT), Rereader(Denying(), VOCABULARY)
    first = compare(ComparedCase(reading=reading, detections=OUTPUTS, text=TEXT), POLICY, VOCABULARY)

    again = compare(
        ComparedCase(reading=reading, detections=OUTPUTS, text=TEXT), POLICY, VOCABULARY, rereader=rereader
    )

    assert "POSSIBLE_OVERCALL" in [item.kind for item in first.result.discrepancies]
    assert "POSSIBLE_OVERCALL" not in [item.kind for item in again.result.discrepancies]
    nodules = [item for item in again.reading.observations if item.finding == "nodule"]
    assert {item.presence for item in nodules} == {Presence.ABSENT}
    assert again.reading.observer.name.endswith("+denying")


def test_without_the_text_the_reading_stands() -> None:
    reading = READER.read(TEXT)
    case = ComparedCase(reading=reading, detections=OUTPUTS)

    again = compare(case, POLICY, VOCABULARY, rereader=Rereader(Denying(), VOCABULARY))

    assert again.reading is reading
    assert again.result == compare(case, POLICY, VOCABULARY).result


def test_what_an_earlier_report_calls_stable_is_set_aside_unless_a_person_brought_it_back() -> None:
    priors = (prior("FINDINGS: Stable nodule in the right upper lobe."),)

    def outcome(restored: frozenset[str]) -> Outcome:
        history = read_history(priors, READER, restored=restored)
        case = ComparedCase(
            reading=READER.read("FINDINGS: No effusion.\nIMPRESSION: No effusion."),
            detections=(detection(seen("nodule", 0.9)),),
            history=history,
        )
        result = compare(case, POLICY, VOCABULARY).result
        assert [item.report_version for item in result.known_before] == [3] * (not restored)
        return result.outcome

    assert outcome(frozenset()) is Outcome.CONCORDANT
    assert outcome(frozenset({"nodule"})) is Outcome.DISCREPANT


def test_an_earlier_report_without_text_is_refused() -> None:
    with pytest.raises(InvalidReportError):
        read_history((prior(" "),), READER)


@pytest.mark.parametrize(
    ("earlier", "later", "days"),
    [
        ("20240228", "20240301", 2.0),  # 2024 is a leap year
        ("2025-03-01", "20260301", 365.0),
        ("20260301", "20260301", 0.0),
        ("20260302", "20260301", -1.0),
        ("20261301", "20260301", None),
        ("", "20260301", None),
        (None, "20260301", None),
        ("20260301", None, None),
    ],
)
def test_days_between_studies_are_by_their_dates(earlier, later, days) -> None:
    assert days_between(earlier, later) == days

import math

import pytest

from overread.cohort import CohortCase
from overread.finding import load_vocabulary
from overread.observation import Observation, Presence
from overread.report import load_reader
from overread.report_labels import report_label, stated_observations

VOCABULARY = load_vocabulary()


def says(*presences: tuple[str, Presence]) -> tuple[Observation, ...]:
    return tuple(Observation(finding=finding, presence=presence) for finding, presence in presences)


@pytest.mark.parametrize(
    ("observations", "label"),
    [
        (says(), 0.0),
        (says(("opacity", Presence.ABSENT)), 0.0),
        (says(("opacity", Presence.PRESENT)), 1.0),
        (says(("pneumonia", Presence.PRESENT)), 1.0),  # a kind of it
        (says(("effusion", Presence.PRESENT)), 0.0),
        (says(("opacity", Presence.UNCERTAIN)), math.nan),
        (says(("opacity", Presence.UNCERTAIN), ("pneumonia", Presence.PRESENT)), 1.0),
    ],
)
def test_a_label_is_what_the_report_states_of_a_finding_or_a_kind_of_it(observations, label) -> None:
    assert report_label(observations, "opacity", VOCABULARY) == pytest.approx(label, nan_ok=True)


def test_a_text_is_read_and_only_what_holds_now_counts() -> None:
    text = "INDICATION: Pneumothorax.\nFINDINGS: There is a pleural effusion."
    case = CohortCase(case="1", patient="p", text=text, observations=says(("mass", Presence.PRESENT)))

    stated = stated_observations(case, load_reader())

    assert [(item.finding, item.presence) for item in stated] == [("effusion", Presence.PRESENT)]


def test_without_a_text_what_was_read_before_stands() -> None:
    observations = says(("mass", Presence.PRESENT))
    case = CohortCase(case="1", patient="p", observations=observations)

    assert stated_observations(case, load_reader()) == observations

"""Words as people write, type and dictate them."""

import pytest

from overread.observation import Laterality, Presence
from overread.report import load_reader


def read(text: str) -> dict[str, Presence]:
    return {o.finding: o.presence for o in load_reader().read(text).observations}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("Pulmonary oedema.", "edema"),
        ("Left haemothorax.", "hemothorax"),
        ("Haemopneumothorax.", "hydropneumothorax"),
        ("There is a tumour in the left lung.", "mass"),
        ("Generalised demineralisation.", "osteopenia"),
        ("Para-oesophageal hernia.", "hernia"),
        ("Orthopaedic hardware.", "orthopedic_hardware"),
        ("Cardiomegally.", "cardiomegaly"),
        ("Small left plural effusion.", "effusion"),
        ("Left pnuemothorax.", "pneumothorax"),
        ("Bibasilar atelctasis.", "atelectasis"),
        ("Left basilar atelectasisinfiltrate.", "atelectasis"),
    ],
)
def test_a_finding_is_known_however_it_is_spelled(text: str, finding: str) -> None:
    assert read(text).get(finding) is Presence.PRESENT


@pytest.mark.parametrize(
    "text",
    [
        "There is know pneumothorax.",
        "Know pneumothorax.",
        "No evidence off pneumothorax.",
        "Lungs clear, know pneumothorax.",
    ],
)
def test_a_denial_is_heard_through_speech_recognition(text: str) -> None:
    assert read(text)["pneumothorax"] is Presence.ABSENT


@pytest.mark.parametrize(
    "text",
    [
        "Portable chest.",
        "Widespread.",
        "Wireless telemetry.",
        "Similar to baseline.",
        "Intravenous contrast.",
        "Contrast injection.",
        "The patient's confusion is known.",
    ],
)
def test_everyday_words_are_no_findings_run_together_or_mistyped(text: str) -> None:
    assert read(text) == {}


def test_british_spelling_makes_nothing_plural() -> None:
    (effusion,) = [o for o in load_reader().read("Haemothorax.").observations if o.finding == "hemothorax"]

    assert effusion.laterality is Laterality.UNSPECIFIED

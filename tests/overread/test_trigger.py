from dataclasses import replace

import pytest

from overread.finding import load_vocabulary
from overread.observation import ContextItem, ContextKind, Presence, Recommendation, Section, Span
from overread.priority import default_policy
from overread.report import load_reader
from overread.triage import triage
from overread.trigger import load_triggers, triggers_of
from tests.overread.observations import detection, reading, seen, stated

RATIOS = default_policy().tables.triggers
VOCABULARY = load_vocabulary()


def item(kind: ContextKind, value: str, presence: Presence = Presence.PRESENT) -> ContextItem:
    return ContextItem(
        kind=kind,
        value=value,
        presence=presence,
        span=Span(0, 1),
        section=Section.INDICATION,
        rule="context:test",
    )


def names(report, finding: str) -> list[str]:
    """Names of the triggers that concern a miss of this finding."""
    return [
        trigger.factor.name
        for trigger in triggers_of(report, RATIOS, VOCABULARY)
        if trigger.concerns(finding)
    ]


def hedged(finding: str, certainty: float = 0.3):
    return replace(stated(finding, Presence.UNCERTAIN), certainty=certainty)


def test_a_report_without_anything_special_triggers_nothing() -> None:
    assert triggers_of(reading(stated("effusion")), RATIOS, VOCABULARY) == ()


def test_a_hedge_concerns_what_else_the_shadow_may_be_and_not_the_finding_itself() -> None:
    report = reading(hedged("effusion"))

    assert names(report, "consolidation") == ["hedged wording"]  # which may look like an effusion
    assert names(report, "effusion") == []
    assert names(report, "fracture") == []
    assert names(reading(hedged("effusion", 0.75)), "consolidation") == []  # "likely" is an opinion


@pytest.mark.parametrize(
    ("kind", "value", "finding"),
    [
        (ContextKind.SYMPTOM, "cough", "consolidation"),
        (ContextKind.TRAUMA, "fall", "rib_fracture"),
        (ContextKind.SYMPTOM, "chest pain", "pneumothorax"),
        (ContextKind.SYMPTOM, "hemoptysis", "mass"),
    ],
)
def test_a_normal_report_leaves_open_what_the_indication_asks_for(kind, value, finding) -> None:
    asking = replace(reading(stated(finding, Presence.ABSENT)), context=(item(kind, value),))
    answered = replace(reading(stated("effusion")), context=(item(kind, value),))
    denied = replace(reading(), context=(item(kind, value, Presence.ABSENT),))

    assert names(asking, finding) == ["open question"]
    assert names(asking, "osteopenia") == []
    assert names(answered, finding) == []
    assert names(denied, finding) == []


def test_known_cancer_concerns_what_may_belong_to_it() -> None:
    report = replace(reading(stated("effusion")), context=(item(ContextKind.KNOWN_CANCER, "lung cancer"),))

    assert names(report, "nodule") == ["known cancer"]
    assert names(report, "pneumothorax") == []


def test_an_operation_counts_once_it_has_been_done() -> None:
    done = replace(reading(stated("effusion")), context=(item(ContextKind.OPERATION, "status post"),))
    to_come = replace(reading(stated("effusion")), context=(item(ContextKind.OPERATION, "preop"),))

    assert names(done, "pneumothorax") == ["operation or device"]
    assert names(to_come, "pneumothorax") == []


def test_a_vague_report_concerns_every_finding() -> None:
    three = reading(hedged("effusion"), hedged("nodule"), hedged("fracture"))
    asking = replace(
        reading(stated("effusion")),
        recommendations=(
            Recommendation(
                action="clinical correlation",
                within_days=None,
                span=Span(0, 1),
                sentence=Span(0, 1),
                section=Section.IMPRESSION,
                rule="action:correlation",
            ),
        ),
    )

    assert "vague report" in names(three, "osteopenia")
    assert names(asking, "osteopenia") == ["vague report"]
    assert names(reading(hedged("effusion"), hedged("nodule")), "osteopenia") == []


def test_a_rare_condition_and_many_findings_make_one_more_easily_missed() -> None:
    many = reading(
        *(stated(finding) for finding in ("effusion", "opacity", "nodule", "cardiomegaly", "fracture"))
    )

    assert names(reading(stated("cavity")), "nodule") == ["rare condition"]
    assert names(many, "pneumothorax") == ["complex case"]


def test_a_trigger_multiplies_the_odds_of_a_miss_and_says_why() -> None:
    plain = reading(stated("effusion", Presence.ABSENT))
    asked = replace(plain, context=(item(ContextKind.SYMPTOM, "chest pain"),))

    def found(report):
        (one,) = triage(report, [detection(seen("pneumothorax"))], default_policy(), VOCABULARY).discrepancies
        return one

    assert found(asked).odds == pytest.approx(RATIOS.question * found(plain).odds)
    assert (
        found(asked).factors[-1].reason
        == "the indication speaks of chest pain, the report states no such finding"
    )


def test_a_trigger_alone_lists_nothing() -> None:
    asked = replace(reading(), context=(item(ContextKind.SYMPTOM, "chest pain"),))

    assert triage(asked, [detection(seen("pneumothorax", 0.05))], default_policy(), VOCABULARY).priority == 0


def test_every_word_of_the_tables_is_one_that_the_reader_gives() -> None:
    tables = load_triggers()
    words = {*tables.questions, *tables.still_to_come, *tables.rare_words}
    reader = load_reader()

    unknown = [
        word
        for word in sorted(words)
        if word not in {found.value for found in reader.read(f"INDICATION: {word}.").context}
    ]

    assert unknown == []

import threading
from dataclasses import replace

import pytest

from overread.errors import InvalidReportError
from overread.observation import (
    ContextKind,
    Experiencer,
    Laterality,
    Presence,
    ReportObservation,
    Section,
    Span,
    Temporality,
)
from overread.report import load_reader
from overread.report.reader import LONGEST_REPORT, MOST_OBSERVATIONS, MOST_REMARKS

NORMAL = (
    "FINDINGS: Heart size normal. The lungs are clear. No pleural effusion or pneumothorax. "
    "IMPRESSION: No acute cardiopulmonary abnormality."
)


def read(text: str) -> tuple[ReportObservation, ...]:
    return load_reader().read(text).observations


def only(text: str, finding: str) -> ReportObservation:
    (found,) = [observation for observation in read(text) if observation.finding == finding]
    return found


def presence(text: str, finding: str) -> Presence:
    return only(text, finding).presence


def test_a_normal_report_denies_whole_groups() -> None:
    observations = read(NORMAL)

    assert {o.presence for o in observations} == {Presence.ABSENT}
    assert {
        "nodule",
        "mass",
        "consolidation",
        "effusion",
        "pneumothorax",
        "cardiomegaly",
        "any_abnormality",
    } <= {o.finding for o in observations}


def test_masses_in_both_lungs_are_present_and_bilateral() -> None:
    text = (
        "Multiple rounded masses in both lungs, the largest in the right lower lobe, "
        "suspicious for metastases."
    )

    mass = only(text, "mass")

    assert (mass.presence, mass.laterality) == (Presence.PRESENT, Laterality.BILATERAL)
    assert presence(text, "metastasis") is Presence.UNCERTAIN


@pytest.mark.parametrize(
    ("text", "finding", "expected"),
    [
        ("No change in the left effusion.", "effusion", Presence.PRESENT),
        ("Resolved pneumonia.", "pneumonia", Presence.ABSENT),
        ("The PICC has been removed.", "central_venous_catheter", Presence.ABSENT),
        ("Pleural effusion is not seen.", "effusion", Presence.ABSENT),
        ("Consolidation was not observed.", "consolidation", Presence.ABSENT),
        ("Pneumothorax is not detected.", "pneumothorax", Presence.ABSENT),
        ("Nodules are not appreciated.", "nodule", Presence.ABSENT),
        ("No evidence of effusion or nodule, but atelectasis.", "nodule", Presence.ABSENT),
        ("No evidence of effusion or nodule, but atelectasis.", "atelectasis", Presence.PRESENT),
        ("Without pneumothorax.", "pneumothorax", Presence.ABSENT),
        ("The lungs are free of consolidation.", "consolidation", Presence.ABSENT),
        ("Negative for pneumothorax.", "pneumothorax", Presence.ABSENT),
        ("This is scarring rather than atelectasis.", "atelectasis", Presence.ABSENT),
        ("Atelectasis versus pneumonia.", "pneumonia", Presence.UNCERTAIN),
        ("Pneumothorax cannot be excluded.", "pneumothorax", Presence.UNCERTAIN),
        ("Cannot exclude pneumothorax.", "pneumothorax", Presence.UNCERTAIN),
        ("No visible pneumothorax . Right pleural effusion", "effusion", Presence.PRESENT),
        ("No visible pneumothorax . Right pleural effusion", "pneumothorax", Presence.ABSENT),
        ("The heart is of normal width.", "cardiomegaly", Presence.ABSENT),
        ("7 mm non calcified nodule in the left lung.", "nodule", Presence.PRESENT),
        ("Lungs are clear but for a small left effusion.", "effusion", Presence.PRESENT),
    ],
)
def test_negation_survives_what_reports_do_to_it(text: str, finding: str, expected: Presence) -> None:
    assert presence(text, finding) is expected


def test_certainty_is_graded() -> None:
    hedges = ["cannot exclude", "may represent", "suspicious for", "likely", "consistent with"]

    certainties = [only(f"Left opacity, {hedge} pneumonia.", "pneumonia").certainty for hedge in hedges]

    assert certainties == sorted(certainties)
    assert len(set(certainties)) == len(hedges)


def test_a_word_that_no_term_covers_is_still_an_abnormality() -> None:
    assert presence("There is a rounded lucency.", "unlisted_abnormality") is Presence.PRESENT


@pytest.mark.parametrize(
    ("text", "finding", "time"),
    [
        ("Stable cardiomegaly.", "cardiomegaly", Temporality.STABLE),
        ("Effusion is larger.", "effusion", Temporality.LARGER),
        ("New left base consolidation.", "consolidation", Temporality.NEW),
        ("History of pneumothorax.", "pneumothorax", Temporality.HISTORICAL),
    ],
)
def test_time_is_read(text: str, finding: str, time: Temporality) -> None:
    assert only(text, finding).temporality is time


def test_a_relatives_disease_is_not_the_patients() -> None:
    assert only("Father had tuberculosis.", "tuberculosis").experiencer is Experiencer.OTHER


def test_indication_and_comparison_are_context_and_no_findings() -> None:
    text = (
        "INDICATION: Cough, rule out pneumonia. Breast cancer.\n"
        "COMPARISON: 12/03/2021.\nFINDINGS: Lungs clear."
    )

    reading = load_reader().read(text)

    assert {o.section for o in reading.observations} == {Section.FINDINGS}
    kinds = {(item.kind, item.value) for item in reading.context}
    assert {
        (ContextKind.SYMPTOM, "cough"),
        (ContextKind.KNOWN_CANCER, "breast cancer"),
        (ContextKind.COMPARISON_DATE, "12/03/2021"),
    } <= kinds
    assert all(text[item.span.start : item.span.end].lower() == item.value for item in reading.context)


def test_every_attribute_names_its_rule() -> None:
    observation = only("Possible small left apical pneumothorax, new.", "pneumothorax")

    assert {"finding", "presence", "laterality", "zones", "severity", "temporality"} <= set(observation.rules)


def test_spans_lead_to_the_words_and_their_sentence() -> None:
    text = "FINDINGS: Lungs clear. Small right effusion, stable."

    effusion = only(text, "effusion")
    nodule = [o for o in read(text) if o.finding == "nodule"]

    assert text[effusion.span.start : effusion.span.end] == "effusion"
    assert text[effusion.sentence.start : effusion.sentence.end] == "Small right effusion, stable"
    assert [text[o.span.start : o.span.end] for o in nodule] == ["Lungs clear"]


def test_a_finding_without_a_place_takes_that_of_the_sentence_before() -> None:
    text = "Bandlike opacity in the left base. This may represent scarring."

    assert only(text, "scar").laterality is Laterality.LEFT


@pytest.mark.parametrize("text", ["", "  \n\t", "a\0b"], ids=["empty", "blank", "binary"])
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(InvalidReportError):
        load_reader().read(text)


def test_a_text_beyond_the_limit_is_refused() -> None:
    with pytest.raises(InvalidReportError, match=str(LONGEST_REPORT)):
        load_reader().read("x" * (LONGEST_REPORT + 1))


def test_any_concept_can_be_asserted() -> None:
    sentence = "She denies any chest pain."

    said = load_reader().assert_concept(sentence, Span(15, 25))

    assert said.presence is Presence.ABSENT


def test_the_reader_may_be_shared_between_threads() -> None:
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(load_reader().read(NORMAL))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 8
    assert all(result == results[0] for result in results)


def test_the_identity_changes_with_the_rules() -> None:
    assert len(load_reader().identity.sha256) == 64


def test_every_field_of_an_observation_is_set_though_its_constructor_is_not_called() -> None:
    observations = read("FINDINGS: Small 5 mm nodule in the right upper lobe. IMPRESSION: Clear lungs.")
    assert len(observations) > 2
    assert all(replace(observation) == observation for observation in observations)
    nodule = observations[0]
    assert (nodule.section, nodule.severity, nodule.size_mm) == (Section.FINDINGS, "small", (5.0,))
    assert (nodule.temporality, nodule.experiencer) == (Temporality.CURRENT, Experiencer.PATIENT)


def test_no_rule_is_named_for_a_place_that_nobody_gave() -> None:
    placed = only("Opacity in the right base, mild, suspicious for edema.", "edema")
    unplaced = read("Mild bronchial thickening, suspicious for edema.")

    assert placed.rules["laterality"] == "certainty:suspicious"
    assert all("laterality" not in observation.rules for observation in unplaced)


def test_an_observation_is_as_frozen_as_any_other() -> None:
    observation = only("Small right effusion.", "effusion")

    assert type(observation) is ReportObservation
    assert replace(observation) == observation
    with pytest.raises(AttributeError):
        observation.finding = "mass"  # type: ignore[misc]


def test_the_words_of_one_noun_phrase_have_one_place() -> None:
    observations = read("Calcific density nodules consistent with granulomas bilaterally.")

    assert {o.laterality for o in observations if o.finding in ("opacity", "nodule")} == {
        Laterality.BILATERAL
    }


def test_findings_outside_the_chest_take_no_side_over_with() -> None:
    assert only("Left pleural effusion with scoliosis.", "scoliosis").laterality is Laterality.UNSPECIFIED


def test_effusions_are_on_both_sides_unless_a_side_is_named_or_they_are_denied() -> None:
    assert only("Small effusions.", "effusion").rules["laterality"] == "place:one-a-side"
    assert only("Small effusion.", "effusion").laterality is Laterality.UNSPECIFIED
    assert only("No effusions.", "effusion").laterality is Laterality.UNSPECIFIED
    assert only("Left effusions.", "effusion").laterality is Laterality.LEFT


def test_a_reading_holds_so_many_statements_and_tells_how_many_more_there_were() -> None:
    reading = load_reader().read("FINDINGS: " + "Effusion. " * (MOST_OBSERVATIONS + 7) + "No mass.")
    usual = load_reader().read(NORMAL)

    assert len(reading.observations) == MOST_OBSERVATIONS
    assert reading.statements_left_out == 8
    assert usual.statements_left_out == 0


def test_a_reading_holds_so_many_recommendations_and_so_much_context() -> None:
    advice = load_reader().read("IMPRESSION: " + "Recommend CT in 3 months. " * (MOST_REMARKS + 5))
    context = load_reader().read("HISTORY: " + "Cough. " * (MOST_REMARKS + 4))

    assert (len(advice.recommendations), advice.statements_left_out) == (MOST_REMARKS, 5)
    assert (len(context.context), context.statements_left_out) == (MOST_REMARKS, 4)

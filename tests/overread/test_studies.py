import numpy as np
import pytest

from overread.finding import load_vocabulary
from overread.observation import Observation, Presence
from overread.studies import Columns, StudyTable, earlier_of, number_patients, stated_families

VOCABULARY = load_vocabulary()
COLUMNS = Columns.of(("nodule", "mass", "effusion"), VOCABULARY)


def table(patients, order, scores, stated) -> StudyTable:
    rows = len(order)
    return StudyTable(
        columns=COLUMNS,
        scores=np.array(scores, dtype=float),
        stated=np.array(stated, dtype=bool),
        patients=number_patients(patients),
        order=np.array(order),
        age_years=np.full(rows, 60.0),
        male=np.ones(rows),
        anteroposterior=np.zeros(rows),
    )


def test_outputs_of_one_family_share_its_column() -> None:
    assert COLUMNS.families == ("lung_lesion", "effusion")
    assert COLUMNS.members(VOCABULARY) == ((0, 1), (2,))


def test_a_hedged_finding_of_the_family_states_it_and_a_denied_one_does_not() -> None:
    said = (
        Observation(finding="nodule", presence=Presence.UNCERTAIN),
        Observation(finding="effusion", presence=Presence.ABSENT),
    )

    assert stated_families(said, COLUMNS, VOCABULARY) == (1.0, 0.0)


def test_only_earlier_studies_of_the_same_patient_count_whatever_the_order_of_the_file() -> None:
    # patient a: studies 0, 1, 2 in the rows 3, 0, 2; patient b: one study
    studies = table(
        ["a", "b", "a", "a"],
        [1, 0, 2, 0],
        np.zeros((4, 3)),
        [[1, 0], [1, 1], [0, 0], [0, 1]],
    )
    values = np.array([[1.0, 0, 0], [9, 9, 9], [7, 7, 7], [3, 0, 2]])

    earlier = earlier_of(studies, values)

    assert earlier.count.tolist() == [1, 0, 2, 0]
    assert earlier.logits.tolist() == pytest.approx(np.array([[3, 0, 2], [0, 0, 0], [2, 0, 1], [0, 0, 0]]))
    assert earlier.stated.tolist() == [[0, 1], [0, 0], [0.5, 0.5], [0, 0]]


def test_an_empty_table_has_no_history() -> None:
    empty = table([], np.zeros(0, dtype=int), np.zeros((0, 3)), np.zeros((0, 2)))

    assert len(earlier_of(empty, np.zeros((0, 3))).count) == 0

"""The searches of the archive, on both databases."""

import pytest

from service.store.archive import (
    Attribute,
    Between,
    Condition,
    Level,
    Like,
    OneOf,
    instances_within,
    search,
    study_contents,
)
from service.store.database import Store
from tests.service.material import dicom_bytes, send_image


@pytest.fixture
def archive(store: Store) -> Store:
    for study, accession, day, modalities in (
        ("2.25.1", "A_1", "20260101", ("DX",)),
        ("2.25.2", "AB1", "20260301", ("CT", "CT", "SEG")),
        ("2.25.3", r"a\[1]%", None, ("DX",)),
    ):
        for number, modality in enumerate(modalities, start=1):
            content = dicom_bytes(
                study=study,
                number=number,
                SeriesInstanceUID=f"{study}.{modality}".replace("CT", "1")
                .replace("SEG", "2")
                .replace("DX", "1"),
                AccessionNumber=accession.replace("\\", ""),
                StudyDate=day,
                Modality=modality,
            )
            send_image(store, content)
    return store


def found(store: Store, level: Level, *conditions: tuple[Attribute, Condition], **page: int) -> list[str]:
    results = search(store, level, conditions, **{"limit": 100, **page})
    if level is Level.STUDY:
        return [result.study.study_instance_uid for result in results]
    if level is Level.SERIES:
        return [result.instance.series_instance_uid for result in results]
    return [result.instance.sop_instance_uid for result in results]


def test_studies_match_every_kind_of_condition_alike_on_both_databases(archive: Store) -> None:
    def accession(pattern: str) -> list[str]:
        return found(archive, Level.STUDY, (Attribute.ACCESSION_NUMBER, Like(pattern=pattern)))

    assert accession("A*") == ["2.25.2", "2.25.1"]  # not the one in lower case
    assert accession("A?1") == ["2.25.2", "2.25.1"]
    assert accession("A_*") == ["2.25.1"]
    assert accession("*[1]*") == ["2.25.3"]
    assert accession("*%") == ["2.25.3"]
    assert found(archive, Level.STUDY, (Attribute.STUDY_DATE, Between(first="20260101", last=None))) == [
        "2.25.2",
        "2.25.1",
    ]
    assert found(archive, Level.STUDY, (Attribute.STUDY_DATE, Between(first=None, last="20260228"))) == [
        "2.25.1"
    ]
    assert found(archive, Level.STUDY, (Attribute.MODALITIES_IN_STUDY, OneOf(values=("SEG",)))) == ["2.25.2"]
    assert found(archive, Level.STUDY, (Attribute.PATIENT_ID, OneOf(values=("P1", "P2")))) == [
        "2.25.2",
        "2.25.1",
        "2.25.3",
    ]


def test_pages_fit_together_at_every_level(archive: Store) -> None:
    for level, count in ((Level.STUDY, 3), (Level.SERIES, 4), (Level.INSTANCE, 5)):
        whole = found(archive, level)
        assert len(whole) == len(set(whole)) == count
        assert [found(archive, level, limit=1, offset=at)[0] for at in range(count)] == whole


def test_a_series_is_counted_and_a_study_described_by_all_its_instances(archive: Store) -> None:
    series = search(archive, Level.SERIES, [(Attribute.MODALITY, OneOf(values=("CT",)))], limit=5)
    assert [(item.instances, item.study.study_instance_uid) for item in series] == [(2, "2.25.2")]
    content = study_contents(archive, ["2.25.2", "2.25.9"])["2.25.2"]
    assert (content.modalities, content.series, content.instances) == (("CT", "SEG"), 2, 3)
    within = instances_within(archive, "2.25.2", "2.25.2.1")
    assert [item.sop_instance_uid for item in within] == ["2.25.2.1.1", "2.25.2.1.2"]

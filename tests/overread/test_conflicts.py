from dataclasses import replace

import pytest

from overread.conflicts import evidence_within
from overread.discrepancy import Discrepancy, DiscrepancyKind
from overread.finding import load_vocabulary
from overread.observation import HeatMap, ImageRegion, Presence, Section
from overread.priority import default_policy, priority
from overread.triage import triage
from tests.overread.observations import detection, reading, seen, stated

WHOLE = ImageRegion(sop_instance_uid="1.2.3", column_min=0, row_min=0, column_max=8, row_max=8)
TOP = ((1.0, 0.2), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
BOTTOM = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.2), (0.0, 1.0))
PLACE, SIZE = DiscrepancyKind.LOCATION_CONFLICT, DiscrepancyKind.SIZE_OR_SEVERITY_CONFLICT


def map_of(values: tuple[tuple[float, ...], ...]) -> HeatMap:
    return HeatMap(region=WHOLE, values=values)


def found(report, observation) -> tuple[Discrepancy, ...]:
    policy = default_policy()
    return triage(report, [detection(observation)], policy, load_vocabulary()).discrepancies


def kinds(report, observation) -> list[DiscrepancyKind]:
    return [item.kind for item in found(report, observation)]


@pytest.mark.parametrize(
    ("zones", "values", "conflict"),
    [
        (("upper lobe",), BOTTOM, True),
        (("apex",), BOTTOM, True),
        (("lower lobe",), TOP, True),
        (("costophrenic",), TOP, True),
        (("upper lobe",), TOP, False),
        (("base",), BOTTOM, False),
        (("upper lobe", "base"), BOTTOM, False),
        (("perihilar",), BOTTOM, False),
        (("upper lobe", "perihilar"), BOTTOM, False),
        ((), BOTTOM, False),
    ],
)
def test_a_zone_conflicts_with_evidence_that_lies_wholly_at_another_height(zones, values, conflict) -> None:
    report = reading(replace(stated("consolidation"), zones=zones))

    result = kinds(report, replace(seen("consolidation", 0.9), heat_map=map_of(values)))

    assert (result == [PLACE]) is conflict


def test_a_conflict_of_place_says_where_the_report_and_where_the_detector_look() -> None:
    report = reading(replace(stated("consolidation"), zones=("upper lobe",)))

    (item,) = found(report, replace(seen("consolidation", 0.9), heat_map=map_of(BOTTOM)))

    odds = default_policy().tables.location
    # probability 0.9 of unknown prevalence: odds 9
    assert item.odds == pytest.approx(odds.prior_odds * odds.place_ratio * 9)
    assert item.report_observations == report.observations
    assert item.factors[1].reason == "the report says upper lobe, where 0% of the detector's evidence lies"
    assert item.reasons == (
        "Place conflict: the report puts consolidation in the upper lobe; the detector sees it elsewhere.",
    )


def test_a_finding_that_is_also_stated_without_a_zone_may_be_anywhere() -> None:
    zoned = replace(stated("consolidation"), zones=("upper lobe",))
    lower = replace(seen("consolidation", 0.9), heat_map=map_of(BOTTOM))

    assert kinds(reading(zoned, stated("consolidation")), lower) == []
    assert kinds(reading(zoned, stated("consolidation", section=Section.IMPRESSION)), lower) == [PLACE]


@pytest.mark.parametrize("finding", ["cardiomegaly", "rib_fracture"])
def test_only_lung_and_pleura_have_zones(finding) -> None:
    report = reading(replace(stated(finding), zones=("upper lobe",)))

    assert PLACE not in kinds(report, replace(seen(finding, 0.9), heat_map=map_of(BOTTOM)))


def test_a_finding_without_a_map_is_nowhere() -> None:
    report = reading(replace(stated("consolidation"), zones=("upper lobe",)))

    assert kinds(report, seen("consolidation", 0.9)) == []
    assert evidence_within(map_of(((0.0,), (0.0,))), ((0.0, 1.0),)) is None


def test_evidence_is_counted_where_it_is_strong() -> None:
    # 0.4 is weaker than half of the peak: it does not say where. 1.0 above, 0.8 + 0.6 below.
    heat_map = map_of(((1.0, 0.4), (0.8, 0.6)))

    assert evidence_within(heat_map, ((0.0, 0.5),)) == pytest.approx(1.0 / 2.4)


@pytest.mark.parametrize(
    ("turns", "stored"),
    [
        (0, ((1.0, 1.0), (0.0, 0.0))),
        (1, ((0.0, 1.0), (0.0, 1.0))),  # the right edge comes up by a turn counter-clockwise
        (2, ((0.0, 0.0), (1.0, 1.0))),
        (3, ((1.0, 0.0), (1.0, 0.0))),
    ],
)
def test_an_image_that_was_stored_lying_is_looked_at_upright(turns, stored) -> None:
    heat_map = replace(map_of(stored), quarter_turns=turns)

    assert evidence_within(heat_map, ((0.0, 0.5),)) == 1.0


@pytest.mark.parametrize(
    ("stated_mm", "seen_mm", "conflict"),
    [
        ((10.0,), (25.0, 8.0), True),
        ((30.0, 20.0), (14.0,), True),
        ((10.0,), (19.0,), False),
        ((10.0,), (), False),
        ((), (25.0,), False),
    ],
)
def test_sizes_conflict_from_twice_on_by_their_longest_dimension(stated_mm, seen_mm, conflict) -> None:
    report = reading(replace(stated("nodule"), size_mm=stated_mm))

    result = kinds(report, replace(seen("nodule", 0.9), size_mm=seen_mm))

    assert (result == [SIZE]) is conflict


def test_of_several_stated_sizes_nobody_knows_which_one_was_measured() -> None:
    report = reading(*(replace(stated("nodule"), size_mm=(size,)) for size in (5.0, 30.0)))

    assert kinds(report, replace(seen("nodule", 0.9), size_mm=(12.0,))) == []


def test_a_finding_that_is_denied_has_no_conflict_of_place_or_size() -> None:
    denied = reading(replace(stated("nodule", Presence.ABSENT), zones=("upper lobe",), size_mm=(5.0,)))
    lower = replace(seen("nodule", 0.9), heat_map=map_of(BOTTOM), size_mm=(20.0,))

    assert kinds(denied, lower) == [DiscrepancyKind.POSSIBLE_MISS]


def test_a_conflict_weighs_less_than_a_miss_with_the_same_odds() -> None:
    report = reading(replace(stated("nodule"), size_mm=(5.0,)))
    policy, vocabulary = default_policy(), load_vocabulary()

    (item,) = found(report, replace(seen("nodule", 0.9), size_mm=(20.0,)))

    nodule = vocabulary["nodule"]
    miss = priority(item.odds, nodule, policy)
    assert item.priority == pytest.approx(policy.tables.size.benefit * miss)

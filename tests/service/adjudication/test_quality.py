"""Figures of quality, each computed again by scipy, statsmodels, scikit-learn, or the audit of an export."""

import csv
import random
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.proportion import proportion_confint

from benchmarks.day import fill
from benchmarks.quality import judge_everything
from overread.command import main
from overread.discrepancy import DiscrepancyKind
from overread.second_read import FlagVerdict, Judgement, Radpeer, RejectionCause, Verdict
from overread.statistics import Estimate
from service.adjudication.judged_table import UNREAD_SECONDS, JudgedCase, JudgedTable, said_by
from service.adjudication.quality import Quality, QualityRoom, quality_of
from service.adjudication.reads import judge, undo
from service.maintenance.patient import erase_rows
from service.store.database import Store
from service.store.erasure import Erasure
from service.store.judged_cases import UnreadCount
from service.store.patients import holdings_of_patient
from tests.service.adjudication.test_reads import CONFIRMED, REJECTED, rules, sender
from tests.service.material import NOW
from tests.service.web.seeing import seen_case

MISS, OVERCALL, SIDE = (
    DiscrepancyKind.POSSIBLE_MISS,
    DiscrepancyKind.POSSIBLE_OVERCALL,
    DiscrepancyKind.LATERALITY_CONFLICT,
)
SCORES = (None, Radpeer.CONCUR, Radpeer.UNDERSTANDABLE_SIGNIFICANT)
MONTHS = tuple(f"2025-{month:02d}" for month in range(1, 13))


def said(finding: str, kind: DiscrepancyKind, radpeer: Radpeer | None, *, confirmed: bool) -> Judgement:
    verdict = Verdict.CONFIRMED if confirmed else Verdict.NOT_CONFIRMED
    cause = None if confirmed else RejectionCause.NOT_THERE
    flag = FlagVerdict(finding=finding, kind=kind, verdict=verdict, cause=cause)
    return Judgement(verdicts=(flag,), radpeer=radpeer)


def made(number: int, chance: random.Random) -> JudgedCase:
    """One case of its own patient."""
    kind, finding = chance.choice((MISS, MISS, OVERCALL, SIDE)), chance.choice(("mass", "nodule"))
    confirmed, flagged = chance.random() < 0.3, number % 3 > 0
    other = confirmed if chance.random() < 0.8 else not confirmed
    return JudgedCase(
        patient=f"|P{number}",
        site="small" if number < 9 else chance.choice(("north", "south", None)),
        month=chance.choice(MONTHS),
        is_flagged=flagged,
        probability=1.0 if flagged else 0.25,
        said=said_by(said(finding, kind, chance.choice(SCORES), confirmed=confirmed)),
        judged_at=NOW,
        found_twice=(confirmed, other) if number % 2 else None,
        differs=bool(number % 2) and confirmed is not other,
    )


@pytest.fixture(scope="module")
def cases() -> list[JudgedCase]:
    chance = random.Random(3)
    return [made(number, chance) for number in range(600)]


@pytest.fixture(scope="module")
def quality(cases: list[JudgedCase]) -> Quality:
    unread = (
        UnreadCount(outcome="CONCORDANT", probability=0.25, cases=600),
        UnreadCount(outcome="DISCREPANT", probability=None, cases=40),
    )
    return quality_of(JudgedTable(cases=dict(enumerate(cases)), unread=unread, unread_at=NOW), now=NOW)


def wilson_of_patients(hits: int, patients: int) -> tuple[float, float]:
    """Wilson's interval of cases of one patient each, with Student's quantile for that few patients."""
    units = (patients - 1) * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, patients - 1)) ** 2
    low, high = proportion_confint(hits / patients * units, units, method="wilson")
    return float(low), float(high)


def same(estimate: Estimate | None, hits: int, total: int) -> bool:
    assert estimate is not None
    low, high = wilson_of_patients(hits, total)
    return (estimate.value, estimate.low, estimate.high) == pytest.approx((hits / total, low, high), abs=1e-4)


def test_rates_by_finding_kind_site_and_month_are_those_of_statsmodels(
    cases: list[JudgedCase], quality: Quality
) -> None:
    items = [case.said.adjudications[0] for case in cases]
    for rate in quality.findings:
        some = [item for item in items if (item.finding, item.kind.value) == rate.level]
        assert same(rate.estimate, sum(item.confirmed for item in some), len(some))
    for rate in quality.kinds:
        some = [item for item in items if item.kind.value == rate.level[0]]
        assert same(rate.estimate, sum(item.confirmed for item in some), len(some))
    assert {rate.level[0] for rate in quality.kinds} == {MISS.value, OVERCALL.value, SIDE.value}
    for name, rates in (("site", quality.sites), ("month", quality.months)):
        for rate in rates:
            some = [case.said.adjudications[0] for case in cases if getattr(case, name) == rate.level[0]]
            if rate.level != ("small",):
                assert (rate.of, rate.confirmed) == (len(some), sum(item.confirmed for item in some))
                assert same(rate.estimate, sum(item.confirmed for item in some), len(some))
    assert [rate.level[0] for rate in quality.months] == list(MONTHS)


def test_of_few_patients_nothing_is_told_but_that(quality: Quality) -> None:
    (small,) = [rate for rate in quality.sites if rate.level == ("small",)]
    assert (small.of, small.confirmed, small.estimate) == (None, None, None)


def test_verdicts_causes_and_scores_are_wilsons_of_statsmodels(
    cases: list[JudgedCase], quality: Quality
) -> None:
    confirmed = quality.summary.verdicts[Verdict.CONFIRMED]
    hits = sum(case.said.adjudications[0].confirmed for case in cases)
    ends = proportion_confint(hits, len(cases), method="wilson")
    assert confirmed.count == hits
    assert (confirmed.estimate.low, confirmed.estimate.high) == pytest.approx(ends)
    scored = [case.said.radpeer for case in cases if case.said.radpeer is not None]
    severe = quality.summary.radpeer[Radpeer.UNDERSTANDABLE_SIGNIFICANT]
    ends = proportion_confint(severe.count, len(scored), method="wilson")
    assert severe.count == scored.count(Radpeer.UNDERSTANDABLE_SIGNIFICANT)
    assert (severe.estimate.low, severe.estimate.high) == pytest.approx(ends)
    assert quality.summary.causes[RejectionCause.NOT_THERE].count == len(cases) - hits


def test_the_archive_weighs_each_read_by_its_chance_and_the_naive_figure_does_not(
    cases: list[JudgedCase], quality: Quality
) -> None:
    """A wrong side is a discrepancy as others are; 40 flagged cases are spoken for by nobody."""
    found = [case for case in cases if case.said.adjudications[0].confirmed]
    weighed = sum(1 / (case.probability or 0) for case in found)
    figures = {(item.figure, item.estimator): item for item in quality.archive}
    naive = figures["discrepancy_rate", "naive"].estimate
    thompson = figures["discrepancy_rate", "Horvitz-Thompson"].estimate
    assert naive is not None
    assert thompson is not None
    assert naive.value == pytest.approx(len(found) / len(cases))
    assert thompson.value == pytest.approx(weighed / (len(cases) + 600))
    assert "without 40 cases" in (figures["discrepancy_rate", "Hajek"].remark or "")
    assert quality.flagged_unread == 40
    assert quality.drawn_read == sum(not case.is_flagged for case in cases)


def test_two_readers_agree_as_scikit_learn_says(cases: list[JudgedCase], quality: Quality) -> None:
    def finds(case: JudgedCase) -> tuple[bool, bool]:
        assert case.found_twice is not None
        return case.found_twice

    pairs = np.array([finds(case) for case in cases if case.found_twice is not None])
    assert quality.agreement["Cohen kappa"].value == pytest.approx(cohen_kappa_score(*pairs.T))
    assert quality.agreement["Cohen kappa"].n == quality.read_twice == len(pairs)
    differing = sum(first != second for first, second in pairs)
    assert quality.summary.disagreed.count == differing


def test_months_lie_between_exact_limits_of_scipy(quality: Quality) -> None:
    assert len(quality.chart) == 12
    for item in quality.chart:
        units = round(item.chart.effective_cases)
        low, high = (stats.binom.ppf(end, units, item.chart.expected) / units for end in (0.001, 0.999))
        assert (item.chart.low, item.chart.high) == pytest.approx((low, high))
    assert not any(item.chart.is_outside for item in quality.chart)


def test_a_month_in_which_all_is_confirmed_stands_out(cases: list[JudgedCase]) -> None:
    changed = [
        case._replace(said=said_by(said("mass", MISS, None, confirmed=True)))
        if case.month == "2025-11"
        else case
        for case in cases
    ]
    quality = quality_of(JudgedTable(cases=dict(enumerate(changed))), now=NOW)
    assert [item.month for item in quality.chart if item.chart.is_outside] == ["2025-11"]


def test_an_empty_store_gives_no_figure(store: Store) -> None:
    quality = QualityRoom().quality(store, now=NOW)
    assert (quality.summary.cases, quality.read, quality.archive, quality.chart) == (0, 0, (), ())
    assert (quality.findings, quality.sites, quality.agreement) == ((), (), {})


def test_the_figures_are_those_of_the_audit_of_an_export(sqlite_store: Store, tmp_path: Path) -> None:
    chance = random.Random(5)
    fill(sqlite_store, 400, chance)
    judge_everything(sqlite_store, chance, drawn=0.3)
    quality = QualityRoom().quality(sqlite_store, now=NOW)
    at = ["--data-folder", str(sqlite_store.settings.data_folder)]
    assert main(["audit", "run", *at, "--out", str(tmp_path / "audit")]) == 0

    def table(name: str) -> list[dict[str, str]]:
        with (tmp_path / "audit" / "tables" / f"{name}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    figures = {(item.figure, item.estimator): item.estimate for item in quality.archive}
    rows = {(row["figure"], row["estimator"]): row for row in table("archive")}
    for name in ("naive", "Horvitz-Thompson", "Hajek"):  # strata differ: flagged is what each takes for it
        assert close(figures["discrepancy_rate", name], rows["discrepancy_rate", name])
    rates = table("rates")
    confirmed = {
        (row["dimension"], row["level"]): row
        for row in rates
        if (row["finding"], row["figure"]) == ("any", "confirmed")
    }
    told = [rate for rate in quality.months if rate.estimate is not None]
    assert told
    for rate in told:
        assert close(rate.estimate, confirmed["month", rate.level[0]])
    by_finding = {
        (row["finding"], f"POSSIBLE_{row['figure'].removeprefix('confirmed_').upper()}"): row
        for row in rates
        if row["dimension"] == "all" and row["figure"].startswith("confirmed_")
    }
    seen = [rate for rate in quality.findings if rate.estimate is not None]  # of few the page is silent
    assert len(seen) > 5
    for rate in seen:
        assert close(rate.estimate, by_finding[rate.level])
    for row in table("radpeer"):
        share = quality.summary.radpeer[Radpeer(row["score"])]
        assert (share.count, share.estimate.value) == (int(row["hits"]), pytest.approx(float(row["value"])))


def close(estimate: Estimate | None, row: dict[str, str]) -> bool:
    assert estimate is not None
    ends = (float(row["value"]), float(row["low"]), float(row["high"]))
    return (estimate.value, estimate.low, estimate.high) == pytest.approx(
        ends, abs=1e-5
    )  # the table has six digits


def test_what_is_judged_taken_back_and_erased_counts_at_the_next_look(store: Store) -> None:
    room = QualityRoom()

    def looked() -> tuple[int, int]:
        kept, anew = (one.quality(store, now=NOW) for one in (room, QualityRoom()))
        assert kept == anew
        return kept.summary.cases, kept.flagged_unread

    first, second = seen_case(store, 1), seen_case(store, 2)
    assert looked() == (0, 2)
    recorded = judge(store, first, CONFIRMED, sender(submission="1"))
    judge(store, second, REJECTED, sender(submission="2"))
    assert looked() == (2, 0)
    undo(store, first, recorded.read_id, sender(submission="3"))
    assert looked() == (1, 1)
    judge(store, first, CONFIRMED, sender(submission="4"))
    assert looked() == (2, 0)
    erased = Erasure(actor=sender().identity.actor, at=NOW, why="asked")
    erase_rows(store, holdings_of_patient(store, "P1"), erased)
    assert room.quality(store, now=NOW).summary.cases < 2


def test_cases_that_nobody_judged_are_counted_again_after_a_while(store: Store) -> None:
    room = QualityRoom()
    assert room.quality(store, now=NOW).flagged_unread == 0
    seen_case(store)
    assert room.quality(store, now=NOW).flagged_unread == 0
    later = NOW + timedelta(seconds=UNREAD_SECONDS)
    quality = room.quality(store, now=later)
    assert (quality.flagged_unread, quality.unread_at) == (1, later)


def test_a_case_that_two_have_to_read_counts_once_both_have(store: Store) -> None:
    rules(store, "[second_read]\nreaders = 2")
    case_id = seen_case(store)
    judge(store, case_id, CONFIRMED, sender("ada"))
    assert QualityRoom().quality(store, now=NOW).summary.cases == 0
    judge(store, case_id, CONFIRMED, sender("bob"))
    quality = QualityRoom().quality(store, now=NOW)
    assert (quality.summary.cases, quality.read_twice, quality.summary.disagreed.count) == (1, 1, 0)
    assert quality.agreement == {}  # of one patient nothing is told


def test_somebody_bound_to_a_site_sees_the_figures_of_that_site_alone(store: Store) -> None:
    room = QualityRoom()
    for number, site in ((1, "north"), (2, "south"), (3, "south")):
        judge(store, seen_case(store, number, site=site), CONFIRMED, sender(submission=str(number)))
    assert room.quality(store, now=NOW).summary.cases == 3
    assert room.quality(store.seen_from({"south"}), now=NOW).summary.cases == 2
    assert room.quality(store.seen_from(set()), now=NOW).summary.cases == 0

"""A scorecard against scikit-learn and scipy, its page, and what its tables say of themselves."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve

from evaluation.audit.ratings import read_ratings, write_ratings
from evaluation.audit.result_folder import read_result
from evaluation.audit.scorecard import Scorecard, score
from evaluation.audit.scorecard_page import write_scorecard
from evaluation.audit.scorecard_tables import Drawing
from overread.errors import InvalidFileError
from overread.priority import default_policy
from tests.evaluation.audit.ratings_made import CASES, made_ratings
from tests.evaluation.audit.test_page import CHROMIUM, Tables, shown_by_chromium

MARKS = """case,patient,finding,score,lesion
c0,p0,mass,0.9,left
c0,p0,mass,0.4,left
c0,p0,mass,,right
c0,p0,mass,0.8,
c1,p1,mass,,upper
c2,p2,mass,0.7,
c2,p2,mass,0.3,
"""


def scored(folder, ratings=None, marks=None):
    asked = Scorecard(
        ratings=ratings,
        marks=marks,
        detector=None,
        policy=default_policy(),
        drawing=Drawing(resamples=200, seed=3),
        command="overread audit scorecard ratings.csv --out out",
    )
    return score(asked, folder, lambda what, count: None)


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scorecard")
    sets = made_ratings()
    write_ratings(folder / "ratings.csv", sets)
    (folder / "marks.csv").write_text(MARKS)
    scored(folder / "out", folder / "ratings.csv", folder / "marks.csv")
    write_scorecard(folder / "out")
    return folder / "out", sets


def table(folder, name):
    return pd.read_csv(folder / "tables" / f"{name}.csv", keep_default_na=False)


def row(frame, **wanted):
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_a_table_of_ratings_is_read_as_it_was_written(card) -> None:
    folder, sets = card
    again = read_ratings(folder.parent / "ratings.csv")

    assert [item.observer for item in again] == [item.observer for item in sets]
    for one, other in zip(sets, again, strict=True):
        assert one.cases == other.cases
        assert (one.scores == other.scores).all()
        assert (one.positive == other.positive).all()
        assert one.is_probability == other.is_probability
        assert one.circumstances["site"].tolist() == other.circumstances["site"].tolist()


def test_figures_are_those_of_scikit_learn(card) -> None:
    folder, sets = card
    frame = table(folder, "figures")
    detector = sets[0]
    expected = {
        "AUC": roc_auc_score(detector.positive, detector.scores),
        "average_precision": average_precision_score(detector.positive, detector.scores),
        "Brier": brier_score_loss(detector.positive, detector.scores),
        "mean_probability_less_share": detector.scores.mean() - detector.positive.mean(),
    }
    for name, value in expected.items():
        shown = row(frame, test="detector", figure=name)
        assert float(shown["value"]) == pytest.approx(value, abs=1e-5), name
        assert float(shown["low"]) < value < float(shown["high"])
    edges = np.minimum((detector.scores * 10).astype(int), 9)
    gap = [
        abs((detector.scores - detector.positive)[edges == bin_].mean()) * (edges == bin_).mean()
        for bin_ in np.unique(edges)
    ]
    shown = row(frame, test="detector", figure="ECE")
    assert float(shown["value"]) == pytest.approx(sum(gap), abs=1e-5)
    assert re.fullmatch(r"0\.0\d\d if the probabilities were right", shown["remark"])
    reader = next(item for item in sets if item.observer.name == "aided, two")
    for call in (1, 2, 3):
        found = row(frame, test="aided", reader="two", figure="sensitivity", from_score=str(call))
        assert float(found["value"]) == pytest.approx(
            (reader.scores >= call)[reader.positive].mean(), abs=1e-5
        )
        found = row(frame, test="aided", reader="two", figure="specificity", from_score=str(call))
        assert float(found["value"]) == pytest.approx(
            (reader.scores < call)[~reader.positive].mean(), abs=1e-5
        )


def test_the_roc_of_the_table_is_that_of_scikit_learn(card) -> None:
    folder, sets = card
    frame = table(folder, "curves")
    roc = frame[frame["curve"] == "ROC"].astype({"x": float, "y": float, "low": float, "high": float})
    across, up, _ = roc_curve(sets[0].positive, sets[0].scores, drop_intermediate=False)
    last = np.r_[across[1:] != across[:-1], True]

    assert roc["y"].to_numpy() == pytest.approx(np.interp(roc["x"], across[last], up[last]), abs=1e-5)
    assert (roc["low"] <= roc["high"]).all()
    assert set(frame["test"]) == {"detector"}  # four scores of a reader are no curve


def test_reliability_holds_each_bin_of_probabilities(card) -> None:
    folder, sets = card
    frame = table(folder, "reliability").astype({"mean_probability": float, "share": float})
    edges = np.minimum((sets[0].scores * 10).astype(int), 9)

    assert frame["cases"].tolist() == np.bincount(edges).tolist()
    assert frame["share"].to_numpy() == pytest.approx(
        [sets[0].positive[edges == place].mean() for place in range(10)], abs=1e-5
    )
    assert (frame["mean_probability"] * 10).astype(int).tolist() == list(range(10))


def test_readers_of_two_tests_are_compared_as_for_patients_written_out(card) -> None:
    folder, sets = card
    frame = table(folder, "multireader")
    by_name = {item.observer.name: item for item in sets}
    areas = {
        test: [
            roc_auc_score(item.positive, item.scores)
            for name, item in by_name.items()
            if name.startswith(test)
        ]
        for test in ("alone", "aided")
    }
    shown = row(frame, figure="difference")
    mean = row(frame, figure="mean_AUC", test="aided")

    assert shown["test"] == "aided less alone"
    assert float(shown["value"]) == pytest.approx(np.mean(areas["aided"]) - np.mean(areas["alone"]), abs=1e-5)
    assert float(mean["value"]) == pytest.approx(np.mean(areas["aided"]), abs=1e-5)
    assert shown["readers"] == 3
    assert (shown["cases"], shown["patients"]) == (CASES, CASES // 2)
    error = (float(shown["high"]) - float(shown["low"])) / 2 / stats.t.ppf(0.975, float(shown["degrees"]))
    assert float(shown["F"]) == pytest.approx((float(shown["value"]) / error) ** 2, rel=1e-3)
    assert float(shown["p"]) == pytest.approx(
        stats.f.sf(float(shown["F"]), 1, float(shown["degrees"])), rel=1e-2
    )
    assert f"F = {float(shown['F']):.4g}" in shown["remark"]  # Dorfman, Berbaum and Metz: the same


def test_subgroups_are_those_cases_alone(card) -> None:
    folder, sets = card
    shown = row(table(folder, "subgroups"), test="detector", level="south", figure="AUC")
    south = sets[0].circumstances["site"] == "south"

    assert shown["cases"] == south.sum()
    assert float(shown["value"]) == pytest.approx(
        roc_auc_score(sets[0].positive[south], sets[0].scores[south]), abs=1e-5
    )


def test_free_response_is_counted_by_hand(card) -> None:
    """Three lesions, one is hit before any false mark; no further one with more of them."""
    folder, _ = card
    frame = table(folder, "froc")

    assert float(row(frame, figure="mean_sensitivity")["value"]) == pytest.approx(1 / 3, abs=1e-5)
    assert row(frame, figure="mean_sensitivity")["lesions"] == 3
    assert row(frame, figure="mean_sensitivity")["cases"] == 3


def test_the_page_shows_the_tables_asks_nothing_and_holds_no_script(card) -> None:
    folder, _ = card
    page = (folder / "scorecard.html").read_text()
    parsed = Tables(page)
    shown = [cells for cells in parsed.tables["table-figures"][1:] if cells[1] == "detector"]

    assert not parsed.tags & {"script", "img", "iframe", "link", "object", "form"}
    assert all((folder / address).is_file() for address in parsed.addresses)
    assert "default-src 'none'" in page
    assert " style=" not in page
    assert "<b>north" not in page
    area = row(table(folder, "figures"), test="detector", figure="AUC")
    assert [f"{float(area[name]):.3f}" for name in ("value", "low", "high")] == shown[0][8:11]
    assert page.count("<svg") == 4  # ROC, precision and recall, reliability, free response
    assert all(entry["sha256"] in page for entry in read_result(folder)["tables"].values())


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_chromium_shows_the_page_without_a_refusal_and_prints_it(card, tmp_path) -> None:
    folder, _ = card

    assert shown_by_chromium(folder / "scorecard.html", tmp_path) == 4


def test_a_perfect_order_has_no_interval_and_says_so(tmp_path) -> None:
    lines = [f"c{n},p{n},mass,{'yes' if n < 20 else 'no'},{1 - n / 100}" for n in range(40)]
    path = tmp_path / "r.csv"
    path.write_text("case,patient,finding,truth,score\n" + "\n".join(lines) + "\n")
    scored(tmp_path / "out", path)
    shown = row(table(tmp_path / "out", "figures"), figure="AUC")

    assert (shown["value"], shown["low"]) == ("", "")
    assert "no interval" in shown["remark"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("c1,p1,mass,perhaps,0.3", "line 3"),
        ("c1,p1,mass,yes,high", "line 3"),
        ("c1,p1,mass,yes,nan", "line 3"),
        ("c1,,mass,yes,0.2", "line 3"),
        ("c0,p0,mass,yes,0.2", "twice"),
    ],
)
def test_a_malformed_rating_is_named(tmp_path, line, said) -> None:
    path = tmp_path / "r.csv"
    path.write_text(f"case,patient,finding,truth,score\nc0,p0,mass,yes,0.1\n{line}\n")

    with pytest.raises(InvalidFileError, match=said):
        read_ratings(path)

"""What a cohort says of a detector, the report reader and the list, by hand."""

import json

import pytest

from evaluation.audit.cohort_ratings import golden_ratings
from overread.errors import InvalidFileError
from overread.priority import default_policy


def case(number, *, adjudications=(), text=None, observations=(), scores=None, context=False):
    record = {
        "case": f"c{number}",
        "patient": f"p{number}",
        "sex": "F",
        "context_only": context,
        "observations": [{"finding": f, "presence": p} for f, p in observations],
        "detections": [
            {"detector": "some", "version": "3", "scores": scores or {"mass": 0.2, "effusion": 0.3}}
        ],
        "adjudications": [{"finding": f, "kind": k, "confirmed": c} for f, k, c in adjudications],
    }
    if text:
        record["text"] = text
    return record


def written(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def rated(path):
    return {
        (item.observer.test, item.observer.finding): dict(
            zip(item.cases, zip(item.scores.tolist(), item.positive.tolist(), strict=True), strict=True)
        )
        for item in golden_ratings(path, default_policy(), None, lambda what, count: None)
    }


def test_a_verdict_says_what_is_there_and_a_text_is_read_beside_its_labels(tmp_path) -> None:
    path = written(
        tmp_path / "golden.jsonl",
        [
            case(0, adjudications=[("mass", "POSSIBLE_MISS", True)], scores={"mass": 0.9, "effusion": 0.1}),
            case(1, adjudications=[("mass", "POSSIBLE_MISS", False)], scores={"mass": 0.4, "effusion": 0.1}),
            case(
                2,
                adjudications=[("effusion", "POSSIBLE_OVERCALL", True)],
                observations=[("effusion", "PRESENT")],
                text="Findings: There is a left pleural effusion.",
            ),
            case(
                3,
                adjudications=[("effusion", "POSSIBLE_OVERCALL", False)],
                observations=[("effusion", "PRESENT")],
                text="Findings: The lungs are clear.",
            ),
            case(4, observations=[("effusion", "ABSENT")], text="Findings: Possible pleural effusion."),
            case(5, adjudications=[("mass", "POSSIBLE_MISS", True)], context=True),
        ],
    )

    found = rated(path)

    assert found["some 3", "mass"] == {"c0": (pytest.approx(0.9), True), "c1": (pytest.approx(0.4), False)}
    assert {name: truth for name, (_, truth) in found["some 3", "effusion"].items()} == {
        "c2": False,
        "c3": True,
    }
    assert found["report reader", "effusion"] == {"c2": (1.0, True), "c3": (0.0, True), "c4": (0.5, False)}
    order = found["order of the list", "confirmed_discrepancy"]
    assert {name: truth for name, (_, truth) in order.items()} == {
        "c0": True,
        "c1": False,
        "c2": True,
        "c3": False,
    }
    assert order["c0"][0] > order["c1"][0]


def test_a_cohort_without_anything_to_judge_by_is_refused(tmp_path) -> None:
    path = written(tmp_path / "golden.jsonl", [case(0, observations=[("mass", "PRESENT")])])

    with pytest.raises(InvalidFileError, match="no output of a detector that a second reader judged"):
        rated(path)

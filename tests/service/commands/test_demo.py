import json
import subprocess
import sys

import pytest

from overread.case import CaseState
from service.commands.demo import describe
from service.demo import RankedCase, demo_cases, run_demo
from service.settings import load_settings

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom finds fault with what the real objects hold


@pytest.fixture(scope="module")
def ranked(tmp_path_factory) -> tuple[RankedCase, ...]:
    return run_demo(load_settings({}, data_folder=tmp_path_factory.mktemp("demo")))


def test_the_report_that_does_not_mention_the_masses_comes_out_on_top(ranked) -> None:
    missed, stated = demo_cases()[:2]
    place = {case.title: case for case in ranked}

    assert place[missed.title].rank == 1
    assert place[missed.title].summary.state is CaseState.LISTED
    assert "lung mass" in place[missed.title].summary.reasons[0]
    assert place[stated.title].summary.priority < place[missed.title].summary.priority


def test_every_other_real_object_is_not_applicable_and_says_why(ranked) -> None:
    others = [case.summary for case in ranked if case.title not in {case.title for case in demo_cases()[:2]}]

    assert len(others) == len(demo_cases()) - 2 >= 5
    assert {summary.state for summary in others} == {CaseState.NOT_APPLICABLE}
    assert all(summary.reasons and summary.priority == 0 for summary in others)


def test_the_list_for_a_person_names_each_case_with_its_reasons(ranked) -> None:
    text = describe(ranked)

    for case in ranked:
        assert case.title in text
        assert all(reason in text for reason in case.summary.reasons)


def test_once_ends_with_the_list_as_json_on_standard_output(tmp_path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "overread", "demo", "--once", "--data-folder", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    cases = json.loads(finished.stdout)["cases"]
    assert [case["rank"] for case in cases] == list(range(1, len(demo_cases()) + 1))
    assert [case["priority"] for case in cases] == sorted((case["priority"] for case in cases), reverse=True)
    assert cases[0]["reasons"]
    assert cases[0]["accession_number"] == "DEMO-1"

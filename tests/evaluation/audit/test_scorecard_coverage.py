from evaluation.audit.scorecard_coverage import of_areas, of_readers


def test_alike_cases_taken_for_independent_hold_less_often_than_patients() -> None:
    tallies = of_areas(0.75, patients=100, largest=4, repetitions=150, seed=2)
    held = {name: tally.held / tally.given for name, tally in tallies.items()}

    assert held["area"] >= 0.89
    assert held["difference of two areas"] >= 0.89
    assert held["area, cases taken for independent"] < held["area"]


def test_readers_of_tests_that_do_not_differ_are_seldom_told_apart(capsys) -> None:
    tallies = of_readers(0.75, repetitions=60, seed=2)

    assert tallies["difference of two tests"].held / 60 >= 0.88
    assert int(capsys.readouterr().out.split()[0]) <= 8

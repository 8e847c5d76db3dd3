from tests.service.faults.chaos.watch import Conditions, percentile_99


def test_an_answer_is_untrue_only_if_something_was_wrong_from_question_to_answer() -> None:
    conditions = Conditions(past=[("disk full", 10.0, 20.0)], present={"database": 30.0})

    assert conditions.during(11.0, 12.0) == ["disk full"]
    assert conditions.during(9.0, 12.0) == []
    assert conditions.during(19.0, 21.0) == []
    assert conditions.during(31.0, 32.0) == ["database"]


def test_what_is_put_right_is_past() -> None:
    conditions = Conditions()
    with conditions.wrong("disk full"):
        assert list(conditions.present) == ["disk full"]

    assert conditions.present == {}
    assert [what for what, *_ in conditions.past] == ["disk full"]


def test_the_99th_percentile_of_a_hundred_and_one_is_the_hundredth() -> None:
    assert percentile_99([float(number) for number in range(101)]) == 99.0
    assert percentile_99([]) == 0.0

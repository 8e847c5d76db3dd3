import pytest

from service.desk.words import chance


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.99, "over 9 in 10"),
        (0.9, "9 in 10"),
        (0.78, "4 in 5"),
        (0.68, "2 in 3"),
        (0.5, "1 in 2"),
        (0.41, "2 in 5"),
        (0.3334, "1 in 3"),
        (0.25, "1 in 4"),
        (0.2, "1 in 5"),
        (0.0476, "1 in 21"),
    ],
)
def test_a_probability_is_said_as_people_say_it(probability: float, words: str) -> None:
    assert chance(probability) == words

"""Drift against an exchange of units written out, and against what must not alarm."""

import numpy as np
import pytest

from overread.drift import MOST_CASES, changes, distance

NAMES = ("a", "b", "c")


def found(values, patients, in_window, **how):
    asked = {"false_alarms": 0.05, "permutations": 499, "seed": 1, **how}
    return {change.column: change for change in changes(NAMES, values, (patients, in_window), **asked)}


def made(seed=3, cases=200, shift=0.0):
    random = np.random.default_rng(seed)
    in_window = np.arange(cases) >= cases * 3 // 4
    values = random.normal(size=(cases, 3))
    values[in_window, 1] += shift
    return values, np.arange(cases), in_window


def test_means_and_interval_are_those_of_two_samples_of_patients() -> None:
    values, patients, in_window = made()
    change = found(values, patients, in_window)["a"]
    own, usual = values[in_window, 0], values[~in_window, 0]
    error = np.sqrt(own.var(ddof=1) / len(own) + usual.var(ddof=1) / len(usual))

    assert (change.window, change.reference) == pytest.approx((own.mean(), usual.mean()))
    assert change.high - change.low == pytest.approx(2 * 1.959964 * error, rel=1e-6)
    assert (change.window_units, change.reference_units) == (50, 150)


def test_a_column_that_moved_alarms_and_the_others_do_not() -> None:
    by_name = found(*made(shift=1.0))

    assert by_name["b"].is_alarm
    assert not by_name["a"].is_alarm
    assert not by_name["c"].is_alarm
    assert by_name["b"].p == pytest.approx(1 / 500)


def test_p_counts_the_largest_of_all_columns_over_its_own_error() -> None:
    values, patients, in_window = made(shift=0.25)
    random = np.random.default_rng(17)
    scale = values.std(axis=0)

    def largest(side):
        return np.abs((values[side].mean(axis=0) - values[~side].mean(axis=0)) / scale)

    by_chance = np.array([largest(random.permutation(in_window)) for _ in range(2000)])
    seen = largest(in_window)[1]
    expected = np.mean(by_chance.max(axis=1) >= seen)
    assert np.mean(by_chance[:, 1] >= seen) < expected - 0.05  # of this column alone it would be another

    assert found(values, patients, in_window, permutations=1999)["b"].p == pytest.approx(expected, abs=0.03)


def test_cases_of_one_patient_are_exchanged_together() -> None:
    """Ten patients of twenty cases each differ much: as single cases they would alarm, as patients not."""
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(50), 20)
    values = np.repeat(random.normal(size=(50, 3)), 20, axis=0)
    values[:, 0] = np.repeat(np.linspace(-1, 1, 50)[random.permutation(50)], 20)
    in_window = patients >= 30
    alike = found(values, patients, in_window)
    apart = found(values, np.arange(1000), in_window)

    assert all(alike[name].p >= apart[name].p for name in NAMES)
    assert apart["a"].is_alarm or apart["b"].is_alarm or apart["c"].is_alarm
    assert not any(alike[name].is_alarm for name in NAMES)


def test_a_patient_in_both_windows_changes_places_with_himself_alone() -> None:
    """A small change in everybody is seen, however unlike the patients are."""
    random = np.random.default_rng(2)
    patients = np.tile(np.arange(60), 2)
    in_window = np.repeat([False, True], 60)
    values = np.tile(random.normal(0, 5, size=(60, 3)), (2, 1)) + random.normal(0, 0.3, size=(120, 3))
    values[in_window, 1] += 0.5

    by_name = found(values, patients, in_window)

    assert by_name["b"].is_alarm
    assert not by_name["a"].is_alarm


def test_what_too_few_have_is_left_out_and_what_never_varies_too() -> None:
    values, patients, in_window = made()
    values[5:, 0] = np.nan
    values[:, 2] = 1.0

    assert set(found(values, patients, in_window)) == {"b"}


def test_too_few_exchanges_for_a_rate_are_refused() -> None:
    with pytest.raises(ValueError, match="no alarm could be given"):
        found(*made(), false_alarms=0.001, permutations=99)


def apart(values, patients, in_window, **how):
    asked = {"false_alarms": 0.05, "permutations": 199, "seed": 1, **how}
    return distance("distance", values, (patients, in_window), **asked)


def test_a_distance_is_the_unbiased_discrepancy_of_two_samples() -> None:
    """Every patient has one case: the textbook's double sums over all pairs."""
    values, patients, in_window = made(cases=80, shift=1.5)
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    squares = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2)
    kernel = np.exp(-squares / np.median(squares[np.triu_indices(80, 1)]))

    def mean_of(rows, columns):
        pairs = [kernel[i, j] for i in rows for j in columns if i != j]
        return sum(pairs) / len(pairs)

    own, usual = np.flatnonzero(in_window), np.flatnonzero(~in_window)
    expected = mean_of(own, own) + mean_of(usual, usual) - 2 * mean_of(own, usual)
    found_ = apart(values, patients, in_window)

    assert found_.window == pytest.approx(np.sqrt(expected))
    assert (found_.window_units, found_.reference_units) == (20, 60)
    assert (found_.low, found_.high) == (None, None)


def test_a_change_that_no_mean_shows_is_seen_by_the_distance() -> None:
    values, patients, in_window = made(cases=400)
    values[in_window, 1] = values[in_window, 0]  # in the window the two go together

    assert apart(values, patients, in_window, permutations=499).is_alarm
    assert not any(change.is_alarm for change in found(values, patients, in_window).values())


def test_a_distance_without_a_change_gives_no_alarm_and_pictures_of_one_patient_are_one() -> None:
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(60), 10)
    values = np.repeat(random.normal(size=(60, 3)), 10, axis=0) + random.normal(0, 0.1, size=(600, 3))
    in_window = patients >= 36

    assert not apart(values, patients, in_window).is_alarm
    assert apart(
        values, np.arange(600), in_window
    ).is_alarm  # as if each picture were of a patient of its own


def test_of_many_cases_a_part_is_looked_at_and_without_a_picture_none() -> None:
    values, patients, in_window = made(cases=4 * MOST_CASES // 3 + 900, shift=1.0)
    values[::2, 0] = np.nan
    many = apart(*made(cases=2 * MOST_CASES, shift=1.0), permutations=39)

    assert (many.reference_units, many.window_units) == (MOST_CASES, MOST_CASES // 2)
    assert many.is_alarm
    values[:, 2] = np.nan
    assert apart(values, patients, in_window) is None


def test_too_few_exchanges_for_a_distance_are_refused() -> None:
    with pytest.raises(ValueError, match="no alarm could be given"):
        apart(*made(), false_alarms=0.001, permutations=99)


def test_windows_whose_patients_have_unlike_numbers_of_cases_alarm_no_more_often() -> None:
    """Patients of the window have one case each, others four: exchanging them makes its mean surer."""
    random = np.random.default_rng(6)
    patients = np.concatenate([np.repeat(np.arange(60), 4), np.arange(60, 120)])
    in_window = patients >= 60
    alarms = 0
    for seed in range(200):
        values = random.normal(size=(300, 3))
        alarms += any(
            change.is_alarm
            for change in found(values, patients, in_window, permutations=99, seed=seed).values()
        )

    assert alarms <= 20  # of 200, 10 are expected

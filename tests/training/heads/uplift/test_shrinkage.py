"""Shrinkage: priors alone without data, data alone with much of it, and noise dropped."""

from __future__ import annotations

import numpy as np
import pytest

from training.heads.uplift.shrinkage import (
    LEAST_SLOPE,
    MOST_SLOPE,
    SLOPE_PRIOR_MEAN,
    SURELY_WRONG,
    Average,
    Prior,
    Slope,
    between_accounts,
    held_out_slope,
    measured_average,
    posterior,
)

PRIOR = Prior(mean=0.05, sd=0.02)


def test_without_draws_the_prior_stands_alone():
    """A new action has its prior's mean and standard deviation, and the draws no weight."""
    assert posterior(PRIOR, None) == (Average(0.05, 0.02), 0.0)


def test_equal_precision_meets_in_the_middle():
    """With a standard error as large as the prior's sd, either counts half and the variance halves."""
    average, weight = posterior(PRIOR, Average(0.01, 0.02))
    assert weight == pytest.approx(0.5)
    assert average.mean == pytest.approx(0.03)
    assert average.sd == pytest.approx(0.02 / np.sqrt(2))


def test_many_draws_forget_the_prior():
    """A tiny standard error leaves what was measured."""
    average, weight = posterior(PRIOR, Average(-0.01, 1e-5))
    assert weight > 0.999
    assert average.mean == pytest.approx(-0.01, abs=1e-4)


def test_shrunk_averages_are_closer_to_the_truth_than_measured_ones():
    """Over many actions drawn from the prior, the posterior's squared error is that of theory and its band honest."""
    rng = np.random.default_rng(8)
    true = rng.normal(PRIOR.mean, PRIOR.sd, 4_000)
    measured = true + rng.normal(0, 0.03, len(true))
    found = [posterior(PRIOR, Average(value, 0.03))[0] for value in measured]
    error = np.array([one.mean for one in found]) - true
    assert error.std() == pytest.approx(found[0].sd, rel=0.05)
    assert error.std() < 0.6 * (measured - true).std()
    assert np.mean(np.abs(error) < 1.645 * found[0].sd) == pytest.approx(0.9, abs=0.02)


def test_the_standard_error_takes_draws_of_an_account_together():
    """Every draw repeated within its account leaves mean and standard error as they were."""
    rng = np.random.default_rng(3)
    pseudo, account = rng.normal(0.1, 1, 500), np.arange(500).astype(object)
    once = measured_average(pseudo, np.ones(500), account)
    twice = measured_average(np.tile(pseudo, 2), np.ones(1000), np.tile(account, 2))
    assert once.sd == pytest.approx(1 / np.sqrt(500), rel=0.1)
    assert (twice.mean, twice.sd) == pytest.approx((once.mean, once.sd))


def test_a_relative_average_is_per_unit_of_churn_probability():
    """Effects of a fifth of each account's churn probability give an average of a fifth."""
    rng = np.random.default_rng(3)
    churn = rng.uniform(0.05, 0.4, 2_000)
    found = measured_average(0.2 * churn + rng.normal(0, 0.01, 2_000), churn, np.arange(2_000).astype(object))
    assert found.mean == pytest.approx(0.2, abs=0.01)
    with pytest.raises(ValueError, match="churn probability"):
        Prior(0.1, 0.1, "churn_probability").units(3, None)


def test_noise_is_dropped_and_sure_differences_are_kept():
    """A sure slope is used nearly as it is, up to a limit; one that is surely the wrong way round is not used."""
    assert Slope(0.8, 0.05).shrunk == pytest.approx(0.8, abs=0.02)
    assert Slope(1.2, 0.05).shrunk > 1
    assert Slope(9.0, 0.1).shrunk == MOST_SLOPE
    assert 0 < Slope(0.0, 0.05).shrunk < 0.05
    assert Slope(-0.9, 0.1).shrunk == 0
    for error in (0.1, 0.31, 2.0, 5.0):
        assert Slope(-1.01 * SURELY_WRONG * error, error).shrunk == 0
        assert Slope(-0.99 * SURELY_WRONG * error, error).shrunk > 0


def test_an_unsure_slope_is_near_what_was_believed_before():
    """Between what was found and the prior, weighed by errors; where nothing could be found, nothing is believed."""
    believed = np.linspace(0.0, 8.0, 400_001)
    for raw, error in ((1.0, 0.5), (-0.6, 0.4), (0.2, 0.2), (1.2, 0.1)):
        likely = np.exp(-believed / SLOPE_PRIOR_MEAN - 0.5 * ((raw - believed) / error) ** 2)
        assert Slope(raw, error).shrunk == pytest.approx(likely @ believed / likely.sum(), abs=1e-4)
    assert Slope(-3.0, 50.0).shrunk == pytest.approx(SLOPE_PRIOR_MEAN, abs=0.001)
    assert Slope(0.7, 0.0).shrunk == 0.7
    assert Slope(0.0, float("inf")).shrunk == 0


def test_a_slope_that_came_out_negative_by_chance_keeps_the_order():
    """It counts for little, less than one that came out above zero, but it does not fall to nothing."""
    found = [Slope(raw, 0.8).shrunk for raw in (-1.0, 0.0, 1.0)]
    assert LEAST_SLOPE < found[0] < found[1] < found[2]


def test_the_slope_finds_how_much_of_a_difference_is_true():
    """Twice exaggerated differences have a slope of a half, within its standard error's reach."""
    rng = np.random.default_rng(5)
    true = rng.normal(0, 0.1, 20_000)
    pseudo = true + rng.normal(0, 0.5, len(true))
    found = held_out_slope(pseudo, 2 * true, np.ones(len(true)), np.arange(len(true)).astype(object))
    assert abs(found.raw - 0.5) < 3 * found.sd
    assert found.sd < 0.05


def test_a_prior_must_leave_room_for_data():
    """A prior without a spread is refused."""
    with pytest.raises(ValueError, match="above 0"):
        Prior(0.1, 0.0)


def test_single_accounts_stand_as_far_apart_as_their_baselines():
    """Effects of a tenth of each account's chance are found to vary by a tenth of the spread of those chances."""
    chance = np.random.default_rng(2).uniform(0.02, 0.4, 5_000)
    average = Average(0.1 * chance.mean(), 1e-9)
    assert between_accounts(average, chance) == pytest.approx((0.1 * chance).std())
    assert between_accounts(average, 1 - chance) == pytest.approx((0.1 * chance).std())


def test_an_average_of_nothing_that_is_unsure_still_lets_accounts_differ():
    """Its error counts as its mean does; baselines that are all alike or all zero let nobody differ."""
    chance = np.array([0.1, 0.3])
    for average in (Average(0.0, 0.04), Average(0.04, 0.0)):
        assert between_accounts(average, chance) == pytest.approx(0.02)
    assert between_accounts(Average(0.1, 0.1), np.full(3, 0.2)) == pytest.approx(0, abs=1e-12)
    assert between_accounts(Average(0.1, 0.1), np.zeros(3)) == 0

"""Drift of features is told from noise."""

from __future__ import annotations

import numpy as np
import pytest

from training.monitoring.drift import bin_counts, feature_drift, population_stability_index

LIMIT = 0.1


def drift(before, now):
    """Return the drift of columns by feature, one row an account."""
    names = [f"f{column}" for column in range(before.shape[1])]
    found = feature_drift(names, before, now, accounts_before=len(before), accounts_now=len(now))
    assert [one.psi for one in found] == sorted((one.psi for one in found), reverse=True)
    return {one.feature: one for one in found}


def test_the_index_is_the_formula():
    """Two bins whose shares change places give twice the difference times the logarithm of the ratio."""
    index = population_stability_index(np.array([799.5, 199.5]), np.array([199.5, 799.5]))
    assert index == pytest.approx(2 * 0.6 * np.log(4.0))
    assert population_stability_index(np.array([5.0, 0.0]), np.array([5.0, 0.0])) == 0


def test_what_moved_is_found_and_what_did_not_is_not():
    """A shifted, a widened and an emptied feature are beyond the limit; an unchanged one is not."""
    rng = np.random.default_rng(1)
    before, now = rng.normal(size=(1000, 4)), rng.normal(size=(800, 4))
    now[:, 1] += 1.0
    now[:, 2] *= 2.5
    now[rng.random(800) < 0.3, 3] = np.nan
    found = drift(before, now)
    assert {name for name, one in found.items() if one.beyond(LIMIT)} == {"f1", "f2", "f3"}
    assert found["f3"].missing_before == 0
    assert found["f3"].missing_now == pytest.approx(0.3, abs=0.05)


def test_noise_of_few_accounts_is_not_called_drift():
    """Of a hundred worlds without drift, few have a feature beyond its noise, though the index is above the limit."""
    rng = np.random.default_rng(2)
    worlds = [drift(rng.normal(size=(60, 5)), rng.normal(size=(60, 5))) for _ in range(100)]
    assert sum(any(one.psi > LIMIT for one in world.values()) for world in worlds) > 90
    assert sum(any(one.beyond(LIMIT) for one in world.values()) for world in worlds) <= 12


def test_single_values_have_bins_of_their_own():
    """Few values are counted one by one; a value that was not there before has a bin, and so has a missing one."""
    nan = np.nan
    before, now = bin_counts(np.array([0.0, 1, 1, 2, nan]), np.array([1.0, 2, 3, 1.5, nan, nan]))
    assert before.tolist() == [1, 2, 1, 0, 1]
    assert now.tolist() == [0, 1, 1, 2, 2]


def test_deciles_hold_a_tenth_each_and_everything_beyond():
    """Ten bins of equal size; what lies outside of all that was seen falls into the first and the last."""
    before, now = bin_counts(np.arange(1000.0), np.array([-5.0, 5000.0, 5000.0]))
    assert before.tolist() == [100] * 10
    assert now.tolist() == [1, *[0] * 8, 2]


def test_a_feature_that_is_null_throughout_has_no_drift():
    """One bin on both sides: index and noise are 0; null before and told now is drift."""
    nothing = np.full((50, 1), np.nan)
    assert drift(nothing, nothing)["f0"].psi == 0
    assert not drift(nothing, nothing)["f0"].beyond(LIMIT)
    assert drift(nothing, np.ones((50, 1)))["f0"].beyond(LIMIT)


def test_rows_are_needed_on_both_sides():
    """The error says how many there are."""
    with pytest.raises(ValueError, match="0 and 3"):
        drift(np.empty((0, 1)), np.ones((3, 1)))

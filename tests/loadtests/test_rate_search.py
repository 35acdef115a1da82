"""The search for the highest rate that a service holds."""

from __future__ import annotations

import math

import pytest

from loadtests.rate_search import highest_held, judge, next_rate, percentile


def search(capacity, first=100.0, most=5000.0):
    """Return the steps of a search against a service that holds every rate up to *capacity*."""
    steps = []
    while rate := next_rate(steps, first=first, most=most):
        steps.append(judge(rate, [5.0 if rate <= capacity else 50.0] * 200, 0, 0.1, limit_ms=20))
        assert len(steps) < 40
    return steps


@pytest.mark.parametrize("capacity", [100.0, 333.0, 1234.0, 4000.0])
def test_the_search_ends_just_below_the_capacity(capacity):
    """The highest rate held is within 10 % below what the service can bear."""
    best = highest_held(search(capacity))
    assert best is not None
    assert capacity / 1.1 <= best.rate <= capacity


def test_the_search_stops_at_the_rate_not_to_exceed():
    """A service that holds everything is asked up to the given rate, once."""
    steps = search(math.inf, most=1000)
    assert steps[-1].rate == 1000
    assert [step.rate for step in steps].count(1000) == 1


def test_a_first_rate_that_is_missed_ends_the_search():
    """A service that can't bear the first rate has no highest rate."""
    steps = search(50.0)
    assert len(steps) == 1
    assert highest_held(steps) is None


def test_one_error_means_that_a_rate_is_not_held():
    """Quick answers do not make up for a failed request."""
    assert judge(10, [1.0] * 1000, 0, 0.0, limit_ms=20).held
    assert not judge(10, [1.0] * 1000, 1, 0.0, limit_ms=20).held


def test_no_answer_at_all_is_not_held():
    """A rate without any answer is missed, not passed for lack of slow ones."""
    step = judge(10, [], 0, 0.0, limit_ms=20)
    assert not step.held
    assert step.p99_ms == math.inf


def test_a_rate_held_above_a_missed_one_does_not_count():
    """A lucky pass beyond a rate that was missed is not the highest rate."""
    good, bad = [1.0] * 100, [99.0] * 100
    steps = [judge(rate, times, 0, 0, limit_ms=20) for rate, times in ((10, good), (20, bad), (30, good))]
    best = highest_held(steps)
    assert best is not None
    assert best.rate == 10


def test_a_percentile_is_a_value_that_occurred():
    """The 99th percentile of 1 to 100 is 99, and of a single value that value."""
    assert percentile([float(value) for value in range(1, 101)], 0.99) == 99
    assert percentile([7.0], 0.99) == 7

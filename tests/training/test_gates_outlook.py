"""Gates on intervals and outlook: a bundle that has them is judged by them, one that has none is not."""

from __future__ import annotations

import dataclasses
import itertools
import time

import numpy as np
import pytest

from tests.training import rivals
from tests.training.export.small_models import make_matrix
from tests.training.small_outlook import make_outlook
from tests.training.test_gates import LIMITS
from training.gates import Candidate, judge


def with_outlook(models, **narrowed):
    """Return *models* with a random outlook whose uncertainties are *narrowed*."""
    matrix = make_matrix(np.random.default_rng(1), 500)
    outlook = make_outlook(models.heads, matrix, plan_column=5)
    sure = {
        name: dataclasses.replace(one, **{key: (value,) * 3 for key, value in narrowed.items()})
        for name, one in outlook.uncertainty.items()
    }
    return dataclasses.replace(models, outlook=dataclasses.replace(outlook, uncertainty=sure))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The bundle that the rows follow, with intervals."""
    return rivals.opened(with_outlook(rivals.RIGHT), tmp_path_factory.mktemp("sound") / "models")


def gates(bundle, rows, clock=time.perf_counter):
    """Return the gates of *bundle* without a champion."""
    return judge(Candidate(bundle, rows, None, None, seed=1), LIMITS, clock)


def test_intervals_that_hold_and_an_outlook_that_is_fast_pass(sound, right_rows):
    """Where events come as the heads say, intervals hold; both gates are there and pass."""
    found = {(gate.name, gate.subject): gate for gate in gates(sound, right_rows)}
    for head in ("churn", "upsell"):
        assert found["intervals hold", f"{head} 90d"].verdict == "passed"
        assert "of 10 groups" in found["intervals hold", f"{head} 90d"].value
    assert found["outlook not slow", "bundle"].verdict == "passed"


def test_intervals_that_are_sure_of_wrong_probabilities_are_refused(tmp_path, wrong_rows):
    """A head that is wrong and yet sure of itself has intervals that hold too few groups."""
    narrow = with_outlook(rivals.WRONG, scale=0.0, floor=0.0)
    found = [
        gate
        for gate in gates(rivals.opened(narrow, tmp_path / "models"), wrong_rows)
        if gate.name == "intervals hold"
    ]
    assert {gate.verdict for gate in found} == {"refused"}
    assert len(found) == 2


def test_an_outlook_that_takes_far_longer_is_refused(sound, right_rows):
    """By a clock on which the calls with the outlook take a hundred times as long, the bundle is refused."""
    readings = itertools.count()
    calls = 1 + 60 * 2  # one graph alone is timed first: a reading to warm up, then 60 rounds of two

    def clock():
        number = next(readings)
        if number < calls:
            return float(number)
        turn, within = divmod(number - calls, 4)
        return 1000.0 * turn + (0.0, 1.0, 1.0, 101.0)[within]

    gate = next(one for one in gates(sound, right_rows, clock) if one.name == "outlook not slow")
    assert (gate.verdict, gate.value) == ("refused", "100.0 times a call without")


def test_a_bundle_without_them_is_not_asked_for_them(right_bundle, right_rows):
    """Bundles of heads alone have neither gate."""
    names = {gate.name for gate in gates(right_bundle, right_rows)}
    assert not names & {"intervals hold", "outlook not slow"}

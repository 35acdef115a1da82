"""Prior-data conflict: told when draws are far from what is declared, and priors wider when several are."""

from __future__ import annotations

import numpy as np
import pytest

from training.heads.uplift.conflict import MOST_WIDENING, conflict_of, widened
from training.heads.uplift.shrinkage import Average, Prior

GUIDE = Prior(0.05, 0.04, "churn_probability")
NAMES = ("a", "b", "c", "d")


def test_draws_far_from_the_prior_are_told():
    """Beyond two standard errors there is a sentence with both sides; within there is the number alone."""
    far = conflict_of(GUIDE, Average(-0.44, 0.19))
    assert far.z == pytest.approx((-0.44 - 0.05) / np.hypot(0.04, 0.19))
    assert "-0.440 ± 0.190 of the churn probability" in far.sentence
    assert "+0.050 ± 0.040 is declared" in far.sentence
    near = conflict_of(GUIDE, Average(-0.2, 0.19))
    assert (near.sentence, near.as_dict()["sentence"]) == (None, None)


def test_where_both_are_right_the_number_is_standard_normal():
    """Effects drawn from the prior and measured with their error give a z of mean 0 and deviation 1."""
    rng = np.random.default_rng(4)
    true = rng.normal(GUIDE.mean, GUIDE.sd, 4_000)
    z = np.array([conflict_of(GUIDE, Average(one, 0.1)).z for one in true + rng.normal(0, 0.1, len(true))])
    assert abs(z.mean()) < 0.06
    assert z.std() == pytest.approx(1.0, abs=0.04)


def test_priors_that_draws_bear_out_stay_as_declared():
    """One action off by chance, or fewer than three actions, change no prior."""
    priors = dict.fromkeys(NAMES, GUIDE)
    near = {name: Average(0.05, 0.1) for name in NAMES}
    assert widened(priors, near | {"a": Average(-0.2, 0.1)}) == priors
    assert widened({"a": GUIDE, "b": GUIDE}, {"a": Average(2.0, 0.01), "b": Average(-2.0, 0.01)}) == {
        "a": GUIDE,
        "b": GUIDE,
    }


def test_priors_that_were_too_sure_are_believed_as_the_draws_allow():
    """With effects spread five times as far as declared, the wider prior has about that spread; others keep theirs."""
    rng = np.random.default_rng(6)
    names = [f"action {number}" for number in range(60)]
    priors = {name: Prior(0.1, 0.02) for name in names} | {"other": GUIDE}
    told = {name: Average(one, 0.01) for name, one in zip(names, rng.normal(0.1, 0.06, 60), strict=True)}
    found = widened(priors, told | {"other": Average(3.0, 0.1)})
    assert found[names[0]].sd == pytest.approx(0.06, rel=0.2)
    assert found[names[0]].mean == 0.1
    assert found["other"] == GUIDE


def test_widening_is_bounded():
    """Draws that are nonsense widen a prior by four declared deviations, no more; unmeasured actions keep theirs."""
    priors = dict.fromkeys(NAMES, Prior(0.0, 0.02))
    told = {"a": Average(5.0, 0.01), "b": Average(-5.0, 0.01), "c": Average(4.0, 0.01), "d": None}
    found = widened(priors, told)
    assert found["a"].sd == pytest.approx(0.02 * np.sqrt(1 + MOST_WIDENING**2))
    assert found["d"] == priors["d"]

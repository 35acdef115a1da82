"""The benchmark on synthetic worlds: the product's priors, the noise of futures off, and policies by the truth."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.synthetic_estimates import PRIORS, SHIPPED, Estimates
from benchmarks.synthetic_figures import covered, error_ratio, rank
from benchmarks.synthetic_policies import ORACLE, SERVED, SURE, gain_of, in_money, policies
from benchmarks.synthetic_uplift import gain_lines, summary
from benchmarks.synthetic_world import declared_priors
from keepgrow import train_priors
from serving.decisions.catalogue import load_catalogue


def simulated(*, noise, error, spread=0.05, n=6_000):
    """Return estimates with *error*, and truths by two halves of futures with *noise*, of one action."""
    rng = np.random.default_rng(3)
    true = rng.normal(0.02, spread, n)
    halves = np.stack([true + rng.normal(0, noise, n) for _ in range(2)])[:, :, None]
    mean = np.full((n, 1), 0.02)
    return Estimates(mean, np.full((n, 1), error), np.full((n, 1), error)), halves, rng.random(n)


def test_priors_are_those_that_the_product_declares():
    """Every type of action of the packaged catalogue has the prior that `keepgrow train` reads."""
    product = train_priors.declared_priors(load_catalogue(None))
    ours = declared_priors()
    assert ours
    assert all(product[key] == prior for key, prior in ours.items())
    assert {key for key, _ in ours} == {
        action.type
        for action in load_catalogue(None).actions
        if action.priors.retain.sd > 0 or action.priors.expand.sd > 0
    }


def test_the_noise_of_futures_is_neither_blamed_nor_credited():
    """An honest error is found honest whatever the noise of the truth; half of it is found half too small."""
    for noise in (0.001, 0.06):
        honest, halves, size = simulated(noise=noise, error=0.05)
        assert error_ratio(honest, halves, 0) == pytest.approx(1.0, abs=0.05)
        assert covered(honest, halves, 0, size) == pytest.approx(0.9, abs=0.015)
        narrow, halves, size = simulated(noise=noise, error=0.025)
        assert error_ratio(narrow, halves, 0) == pytest.approx(2.0, abs=0.1)
        assert covered(narrow, halves, 0, size) == pytest.approx(0.59, abs=0.025)


def test_an_action_is_taken_only_where_it_is_said_to_help():
    """The best of what is above zero is taken; with an error only what surely is; else nothing is gained or lost."""
    effect = np.array([[0.1, 0.2], [-0.1, -0.2], [0.01, -0.3]])
    truth = np.array([[0.5, 0.3], [0.7, 0.7], [-0.2, 0.9]])
    one = Estimates(effect, np.full((3, 2), 0.02), np.full((3, 2), 0.001))
    assert gain_of(one, truth).tolist() == [0.3, 0.0, -0.2]
    assert gain_of(one, truth, error=one.standard_error).tolist() == [0.3, 0.0, 0.0]


def test_money_adds_both_outcomes_and_their_errors_by_their_worth():
    """One that stays is worth its MRR, one that expands 30 % of it."""
    retained = Estimates(np.array([[0.1]]), np.array([[0.03]]), np.array([[0.01]]))
    expanded = Estimates(np.array([[0.2]]), np.array([[0.1]]), np.array([[0.0]]))
    found = in_money({"retained": retained, "expanded": expanded})
    assert found.effect[0, 0] == pytest.approx(0.16)
    assert found.standard_error[0, 0] == pytest.approx(0.03 * np.sqrt(2))
    assert found.of_mean[0, 0] == pytest.approx(0.01)


def test_no_policy_beats_the_oracle_and_the_rule_as_served_asks_most():
    """Every gain is at most the oracle's; the table has them all, the best first."""
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 0.1, (400, 3))
    told = truth + rng.normal(0, 0.1, truth.shape)
    one = Estimates(told, np.full_like(told, 0.1), np.full_like(told, 0.05))
    gains = policies({SHIPPED: one, PRIORS: one}, truth, single=("call", 1), propensity=rng.random(400))
    assert all((gain <= gains[ORACLE] + 1e-12).all() for gain in gains.values())
    acted = [np.count_nonzero(gains[name]) for name in (SURE, SERVED, SHIPPED)]
    assert acted == sorted(acted)
    lines = gain_lines(gains, np.arange(400).astype(object), "points")
    assert lines[3].startswith(f"| {ORACLE} |")
    assert "| 0.00 | 100% |" in lines[3]
    assert len(lines) == 3 + len(gains)


def test_worlds_are_put_together_by_mean_and_range():
    """Each figure has its mean, least and most; one that some world lacks is told of the others."""
    text = "\n".join(summary([{"gain": {"a": 1.0, "b": 2.0}}, {"gain": {"a": 3.0}}]))
    assert "| a | 2.00 | 1.00 | 3.00 |" in text
    assert "| b | 2.00 | 2.00 | 2.00 |" in text


def test_one_value_for_all_has_no_rank():
    """A constant estimate is not correlated with anything; the truth itself fully is."""
    truth = np.array([0.1, 0.3, 0.2])
    assert np.isnan(rank(np.full(3, 0.1), truth))
    assert rank(truth, truth) == pytest.approx(1.0)

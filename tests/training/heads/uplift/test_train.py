"""Uplift heads from simulated draws with known effects."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.training.uplift_world import FRESH, SMALL, draws, effects
from training.evaluation.bootstrap import Estimate
from training.export.trees import read_trees
from training.heads.uplift.fitting import RELATIVE_VARIATION, Draws, fit_head, fit_heads, out_of_fold
from training.heads.uplift.grown import grow
from training.heads.uplift.head import UpliftHead, raw_effects
from training.heads.uplift.learners import LEARNERS, learn
from training.heads.uplift.nuisance import account_folds, cross_fitted_outcomes
from training.heads.uplift.selection import choose_learner, preferred, split_later
from training.heads.uplift.shrinkage import Prior
from training.heads.uplift.train import train_uplift

WIDE = Prior(0.0, 0.5)
PRIORS = {("call", "retained"): WIDE, ("offer", "retained"): WIDE, ("poem", "retained"): Prior(0.04, 0.01)}


@pytest.fixture(scope="module")
def trained():
    """Heads and report of a training with a third action that was never drawn."""
    logged, matrix, _, _ = draws(4_000)
    return train_uplift(
        logged, matrix, priors=PRIORS, outcomes=("retained",), samples=40, settings=SMALL, seed=1
    )


def test_outcome_models_never_see_the_account_they_are_asked_about():
    """Folds hold whole accounts, and changing an account's outcomes does not change what is expected of it."""
    logged, matrix, _, _ = draws(600)
    fold = account_folds(logged.account_id, 3, 1)
    assert all(len(set(fold[logged.account_id == name])) == 1 for name in np.unique(logged.account_id)[:50])
    outcome = logged.outcomes["retained"]
    changed = np.where(logged.account_id == "a00007", 50.0, outcome)
    one, other = (
        cross_fitted_outcomes(matrix, logged.arm, values, fold, arms=3, settings=SMALL, seed=1)
        for values in (outcome, changed)
    )
    mine = logged.account_id == "a00007"
    assert np.array_equal(one[mine], other[mine])
    assert not np.array_equal(one[~mine], other[~mine])


def test_pseudo_effects_are_unbiased_though_chances_and_outcomes_go_together(prepared):
    """Their mean is the true average effect within noise, also when the outcome models are nonsense."""
    known, true = prepared
    rows, positions = known.effect_rows(0)
    nonsense = Draws(known.treatments, known.matrix, "retained", np.full_like(known.expected, 3.0), None)
    for pseudo in (rows.pseudo_effect(), nonsense.effect_rows(0)[0].pseudo_effect()):
        error = pseudo.std() / np.sqrt(len(pseudo))
        assert abs(pseudo.mean() - true[positions, 0].mean()) < 3 * error


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_finds_who_is_helped(prepared, name):
    """On new accounts, estimated and true effect of the action that helps some go together."""
    bags = grow(name, prepared[0], [0], settings=SMALL, seed=3)[0]
    estimate = np.mean([bag.effect(FRESH) for bag in bags], axis=0)
    assert np.corrcoef(estimate, effects(FRESH)[:, 0])[0, 1] > 0.8


def test_the_shipped_heads_are_near_the_truth(trained):
    """The differing action has trees, and both averages are near the true ones."""
    heads = {head.action: head for head in trained[0]}
    mean, error = heads["call"].effects(FRESH)
    true = effects(FRESH)
    assert np.corrcoef(mean, true[:, 0])[0, 1] > 0.8
    assert abs(mean.mean() - true[:, 0].mean()) < 0.05
    assert np.all(error > 0)
    assert abs(heads["offer"].effects(FRESH)[0].mean() - 0.05) < 0.05


def test_an_action_that_was_never_drawn_has_its_prior_alone(trained):
    """Its effect is the declared mean for all, with the declared standard deviation, and it has no trees."""
    (poem,) = (head for head in trained[0] if head.action == "poem")
    mean, error = poem.effects(FRESH[:3])
    assert mean.tolist() == [0.04] * 3
    assert error == pytest.approx([0.01] * 3)
    assert poem.bags == ()


def test_the_report_says_what_was_compared_and_found(trained):
    """It is JSON, names the learners' improvements and the choice, and holds held-out figures and policy values."""
    report = json.loads(json.dumps(trained[1]))["outcomes"]["retained"]
    assert set(report["choice"]["improvement_over_averages_e6"]) == {"s", "dr", "x", "t"}
    assert report["choice"]["learner"] in report["choice"]["improvement_over_averages_e6"]
    call = report["actions"]["call"]
    assert call["held_out"]["ranking"]["qini"]["low"] > 0
    assert call["shipped"]["weight_of_draws"] > 0.9
    assert report["actions"]["poem"]["shipped"]["draws"] == 0
    values = {name: one["doubly_robust"]["value"] for name, one in report["policy"]["value"].items()}
    assert values["uplift"] > max(values["best_single_action"], values["nothing"])
    assert report["policy"]["surely_acts_in"] <= report["policy"]["acts_in"]
    assert {"surely_above_zero", "mean_surely_above_zero"} <= set(report["policy"]["uplift_less_others"])
    assert len(report["calibration"]["bins"]) == 10
    assert call["held_out"]["calibration"]["error_if_perfect"]["value"] > 0
    assert call["held_out"]["standard_error"]["median_of_mean"] < call["held_out"]["standard_error"]["median"]
    assert call["shipped"]["conflict"] == {"z": pytest.approx(0, abs=2), "sentence": None}


def test_training_repeats_itself_to_the_bit(trained):
    """The same draws, settings and seed give the same heads."""
    logged, matrix, _, _ = draws(4_000)
    again, _ = train_uplift(
        logged, matrix, priors=PRIORS, outcomes=("retained",), learners=(trained[0][0].learner,), samples=20,
        settings=SMALL, seed=1,
    )  # fmt: skip
    assert np.array_equal(again[0].effects(FRESH)[0], trained[0][0].effects(FRESH)[0])


def test_little_data_stays_near_the_prior():
    """With a few dozen draws the average moves little from a firm prior, and no trees are grown."""
    logged, matrix, _, _ = draws(160, size=0.0)
    known = Draws.cross_fitted(logged, matrix, "retained", None, settings=SMALL, seed=1)
    fit = fit_head("dr", known, 0, Prior(0.05, 0.01), settings=SMALL, seed=1)
    assert fit.weight < 0.05
    assert fit.head.average == pytest.approx(0.05, abs=0.01)
    assert fit.head.bags == ()
    assert fit.slope is None


def test_differences_that_are_only_noise_count_little():
    """Where the action does nothing to anybody, told effects differ less than half as much as those of the trees."""
    told, raw = [], []
    for seed in range(8):
        logged, matrix, _, _ = draws(900, seed=seed, size=0.0)
        known = Draws.cross_fitted(logged, matrix, "retained", None, settings=SMALL, seed=1)
        fit = fit_head("x", known, 0, Prior(0.0, 0.05), settings=SMALL, seed=1)
        bags = learn("x", known.effect_rows(0)[0], SMALL, seed=1)
        told.append(fit.head.effects(FRESH)[0].std())
        raw.append(np.mean([bag.effect(FRESH) for bag in bags], axis=0).std())
    assert np.mean(told) < 0.5 * np.mean(raw)


def test_held_out_draws_come_after_everything_that_was_learnt_from():
    """Every training outcome was known when the first held-out draw was made; a trial is split by accounts."""
    logged, *_ = draws(500)
    split = split_later(logged, 0.3, 1)
    begin = logged.treated_at[split.held_out].min()
    assert split.by == "time"
    assert (logged.treated_at[split.train] + np.timedelta64(30, "D") <= begin).all()
    at_once = logged.select(np.arange(500))
    object.__setattr__(at_once, "treated_at", np.full(500, np.datetime64(0, "us")))
    by_account = split_later(at_once, 0.3, 1)
    assert by_account.by == "accounts"
    assert not set(logged.account_id[by_account.train]) & set(logged.account_id[by_account.held_out])


def test_the_formula_is_the_one_that_is_written(trained):
    """Mean and error follow from raw effects, average and slope, also for a prior relative to churn."""
    (call,) = (head for head in trained[0] if head.action == "call")
    raw, spread = raw_effects(call.bags, FRESH)
    relative = UpliftHead(
        "call",
        "retained",
        call.learner,
        call.bags,
        Prior(0.1, 0.05, "churn_probability"),
        0.12,
        0.03,
        0.2,
        0.6,
    )
    unit = np.linspace(0.01, 0.5, len(FRESH))
    mean, error = relative.effects(FRESH, unit)
    assert np.allclose(mean, 0.12 * unit + 0.6 * (raw - 0.2 * unit))
    assert np.allclose(error, np.sqrt((0.03 * unit) ** 2 + 0.6 * spread**2))
    assert np.array_equal(relative.errors_of_mean(FRESH, unit), error)
    known = replace(relative, error_of_average=0.01)
    assert np.allclose(known.errors_of_mean(FRESH, unit), np.sqrt((0.01 * unit) ** 2 + 0.6 * spread**2))


def test_shipped_trees_are_of_the_kind_that_is_exported(trained):
    """The exporter reads every booster of every bag, and the leaves that a row ends in sum to its prediction."""
    (call,) = (head for head in trained[0] if head.action == "call")
    for bag in call.bags:
        for booster in (bag.plus, bag.minus):
            if booster is not None:
                trees = read_trees(booster)
                assert 0 < len(trees) <= SMALL.retold_trees
                told = [sum(leaf_value(tree, row) for tree in trees) for row in FRESH[:20]]
                assert told == pytest.approx(booster.predict(FRESH[:20]), abs=1e-12)


def leaf_value(tree, row):
    """Return the value of the leaf that *row*, without missing values, ends in."""
    at = 0 if len(tree.feature) else ~0
    while at >= 0:
        goes_left = row[tree.feature[at]] <= tree.threshold[at]
        at = (tree.left if goes_left else tree.right)[at]
    return tree.leaf_value[~at]


def test_what_a_fold_is_asked_with_knows_nothing_of_its_outcomes():
    """Changing an account's outcomes changes neither what outcome models nor what learners say of its own fold."""
    logged, matrix, _, _ = draws(900)
    known = Draws.cross_fitted(logged, matrix, "retained", None, settings=SMALL, seed=1)
    fold = int(known.fold[0])
    mine = known.fold == fold
    logged.outcomes["retained"][mine] += 5.0
    changed = Draws.cross_fitted(logged, matrix, "retained", None, settings=SMALL, seed=1)
    for action in range(2):
        one, other = (draws_.effect_rows_without(action, fold) for draws_ in (known, changed))
        assert not np.isin(one.account_id, logged.account_id[mine]).any()
        assert np.array_equal(one.pseudo_effect(), other.pseudo_effect())
    assert not np.array_equal(known.expected[:, ~mine], changed.expected[:, ~mine])


def test_the_default_ships_unless_another_is_surely_better():
    """On draws that say little the default ships; the report says what each learner gained over it."""
    logged, matrix, _, _ = draws(1_500, size=0.0)
    _, report = train_uplift(
        logged, matrix, priors=PRIORS, outcomes=("retained",), samples=300, settings=SMALL, seed=1
    )
    choice = report["outcomes"]["retained"]["choice"]
    assert choice["learner"] == "s"
    assert not choice["decided"]
    assert set(choice["improvement_over_default_e6"]) == {"dr", "x", "t"}


def test_a_learner_that_is_surely_closer_takes_the_default_s_place():
    """What is surely ahead of the default ships, the best of several; what merely looks ahead does not."""
    sure, unsure = Estimate(5.0, 3.0, 7.0), Estimate(9.0, -1.0, 19.0)
    behind = Estimate(-4.0, -6.0, -2.0)
    assert preferred("s", {"t": sure, "dr": unsure}) == "t"
    assert preferred("s", {"t": unsure, "dr": behind}) == "s"
    assert preferred("s", {"t": sure, "dr": Estimate(6.0, 4.0, 8.0)}) == "dr"


def test_a_head_of_averages_alone_has_no_trees(prepared):
    """Asked for none, an action that surely differs between accounts still has one effect for all."""
    fits = fit_heads("none", prepared[0], {"call": WIDE, "offer": WIDE}, settings=SMALL, seed=1)
    assert [(fit.head.learner, fit.head.bags, fit.slope) for fit in fits] == [("none", (), None)] * 2
    assert np.ptp(fits[0].head.effects(FRESH)[0]) == 0


def test_the_choice_is_made_without_the_draws_that_judge():
    """Other outcomes of the later draws change what is held out and nothing of the choice."""
    logged, matrix, _, _ = draws(1_600)
    later = split_later(logged, 0.3, 1).held_out
    changed = logged.select(np.arange(len(logged)))
    changed.outcomes["retained"] = np.where(
        later, 1.0 - logged.outcomes["retained"], logged.outcomes["retained"]
    )
    reports = [
        train_uplift(
            one, matrix, priors=PRIORS, outcomes=("retained",), learners=("t", "x"), samples=20,
            settings=SMALL, seed=1,
        )[1]["outcomes"]["retained"]
        for one in (logged, changed)
    ]  # fmt: skip
    assert reports[0]["choice"] == reports[1]["choice"]
    assert reports[0]["actions"]["call"]["held_out"] != reports[1]["actions"]["call"]["held_out"]
    assert any("Few draws" in note for note in reports[0]["notes"])


def test_what_trees_say_out_of_fold_serves_the_choice_and_the_head(prepared):
    """A head that is given the differences is the one that finds them itself."""
    known, _ = prepared
    told = out_of_fold("t", known, {0: WIDE}, settings=SMALL, seed=1)[0]
    one, other = (
        fit_head("t", known, 0, WIDE, settings=SMALL, seed=1, difference=given) for given in (None, told)
    )
    assert one.slope == other.slope
    assert one.head.slope == other.head.slope
    assert choose_learner(
        ("s", "t"), known, {"call": WIDE, "offer": WIDE}, settings=SMALL, samples=20, seed=1
    ).learner in {"s", "t"}


def test_too_few_draws_to_compare_are_said_to_be():
    """The default ships, nothing is judged, and a note says why."""
    logged, matrix, _, _ = draws(420)
    _, report = train_uplift(
        logged, matrix, priors=PRIORS, outcomes=("retained",), samples=20, settings=SMALL, seed=1
    )
    found = report["outcomes"]["retained"]
    assert found["choice"]["learner"] == "s"
    assert "fewer than 400 draws" in found["notes"][0]
    assert "held_out" not in found["actions"]["call"]


def test_single_accounts_stand_apart_on_the_churn_scale_too():
    """A relative effect of single accounts is as unsure as the average, and as far from it as is assumed."""
    logged, matrix, _, _ = draws(1_200)
    churn = np.full(len(matrix), 0.3)
    known = Draws.cross_fitted(logged, matrix, "retained", churn, settings=SMALL, seed=1)
    fit = fit_head("none", known, 1, Prior(0.1, 0.05, "churn_probability"), settings=SMALL, seed=1)
    apart = RELATIVE_VARIATION * np.hypot(fit.average.mean, fit.average.sd)
    assert fit.head.average_sd == pytest.approx(np.hypot(fit.average.sd, apart))
    assert fit.head.average_sd > abs(fit.head.average)


def test_intervals_hold_the_effects_of_single_accounts_that_vary_as_assumed():
    """Relative effects of an exponential distribution, of actions true to their prior, are held nine times in ten."""
    rng = np.random.default_rng(11)
    held = []
    for seed in range(12):
        logged, matrix, _, _ = draws(500, seed=seed)
        churn = rng.uniform(0.05, 0.4, len(matrix))
        average = max(rng.normal(0.3, 0.1), 0.0)
        true = churn * average * rng.exponential(size=len(matrix))
        taken = logged.arm == 1
        logged.outcomes["retained"] = (rng.random(len(matrix)) < 1 - churn + true * taken).astype(float)
        known = Draws.cross_fitted(logged, matrix, "retained", churn, settings=SMALL, seed=1)
        head = fit_head("none", known, 0, Prior(0.3, 0.1, "churn_probability"), settings=SMALL, seed=1).head
        mean, error = head.effects(matrix, churn)
        held.append(np.mean(np.abs(mean - true) <= 1.645 * error))
    assert 0.87 < np.mean(held) < 0.97

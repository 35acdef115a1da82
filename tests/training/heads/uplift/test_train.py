"""Uplift heads from simulated draws with known effects."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.training.uplift_world import draws, effects
from training.export.trees import read_trees
from training.heads.uplift.fitting import Draws, fit_head, fit_heads
from training.heads.uplift.head import UpliftHead, raw_effects
from training.heads.uplift.learners import LEARNERS, TreatmentAsFeature, learn
from training.heads.uplift.nuisance import account_folds, cross_fitted_outcomes
from training.heads.uplift.regression import boosted
from training.heads.uplift.selection import choose_learner, split_later
from training.heads.uplift.settings import UpliftSettings
from training.heads.uplift.shrinkage import Prior
from training.heads.uplift.train import train_uplift

SMALL = UpliftSettings(
    bags=3, trees=25, rows_per_leaf=100, learning_rate=0.1, folds=2, repeats=1, nuisance_trees=25
)
WIDE = Prior(0.0, 0.5)
PRIORS = {("call", "retained"): WIDE, ("offer", "retained"): WIDE, ("poem", "retained"): Prior(0.04, 0.01)}
FRESH = np.random.default_rng(77).normal(size=(3_000, 4))


@pytest.fixture(scope="module")
def prepared():
    """Four thousand draws with cross-fitted outcomes, and the true effects."""
    logged, matrix, true, _ = draws(4_000)
    return Draws.cross_fitted(logged, matrix, "retained", None, settings=SMALL, seed=1), true


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
    bags = learn(name, prepared[0].effect_rows(0)[0], SMALL, seed=3)
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
        logged, matrix, priors=PRIORS, outcomes=("retained",), samples=40, settings=SMALL, seed=1
    )
    choice = report["outcomes"]["retained"]["choice"]
    assert choice["learner"] == "s"
    assert not choice["decided"]
    assert set(choice["improvement_over_default_e6"]) == {"dr", "x", "t"}


def test_a_learner_that_is_surely_closer_takes_the_default_s_place(prepared):
    """Heads that know nothing give way to those that do, and these stay where the others are no surer."""
    known, _ = prepared
    logged, matrix, _, _ = draws(4_000, seed=8)
    later = known.later(logged, matrix, None, settings=SMALL, seed=1)
    blank = Draws.cross_fitted(*draws(900, seed=9, size=0.0)[:2], "retained", None, settings=SMALL, seed=1)
    priors = {name: Prior(0.0, 0.05) for name in ("call", "offer")}
    good, bad = (fit_heads("s", one, priors, settings=SMALL, seed=1) for one in (known, blank))
    taken = choose_learner({"s": bad, "t": good}, later, samples=60, seed=1)
    assert (taken.learner, taken.decided) == ("t", True)
    kept = choose_learner({"s": good, "t": bad}, later, samples=60, seed=1)
    assert (kept.learner, kept.decided) == ("s", False)


def test_retelling_keeps_what_the_single_model_says(prepared):
    """Trees without the treatment follow those that have it, on accounts that neither has seen."""
    rows, _ = prepared[0].effect_rows(0)
    columns = np.column_stack([rows.matrix, rows.treated.astype(float)])
    parameters = SMALL.single_parameters(len(columns), 4)
    single = TreatmentAsFeature(boosted(columns, rows.outcome, parameters, trees=SMALL.single_trees))
    told = single.effect(rows.matrix)
    again = boosted(rows.matrix, told, SMALL.retelling_parameters(len(told), 4), trees=SMALL.retold_trees)
    wanted = single.effect(FRESH)
    assert np.corrcoef(again.predict(FRESH), wanted)[0, 1] > 0.95
    assert again.predict(FRESH).std() > 0.8 * wanted.std()


def test_every_bag_draws_the_accounts_anew(prepared):
    """Bags differ from one another, and as many as are asked for are grown."""
    rows, _ = prepared[0].effect_rows(0)
    bags = learn("s", rows, SMALL.with_bags(3), seed=3)
    told = [bag.effect(FRESH) for bag in bags]
    assert len(told) == 3
    assert not np.array_equal(told[0], told[1])
    assert not np.array_equal(told[1], told[2])

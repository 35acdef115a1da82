"""Leaving out the trees that say the same of all arms changes no effect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.uplift_world import FRESH, SMALL
from training.heads.uplift.arm_trees import arm_trees
from training.heads.uplift.regression import boosted, boosted_each, predicted
from training.heads.uplift.single import single_models, with_arm


@pytest.fixture(scope="module")
def rows(prepared):
    """Draws of two actions and nothing."""
    return prepared[0].arm_rows(prepared[0].outside(None))


def whole(rows, settings=SMALL):
    """Return a model of all arms with all of its trees."""
    return boosted(
        with_arm(rows.matrix, rows.arm, rows.actions),
        rows.outcome,
        settings.single_parameters(len(rows.arm), 5),
        trees=settings.shared_trees,
    )


def test_effects_are_those_of_the_whole_model(rows):
    """What an action adds is the same but for rounding, with fewer trees."""
    booster = whole(rows)
    part = arm_trees(booster, rows.matrix.shape[1])
    assert 0 < part.num_trees() < booster.num_trees()
    for action in (1, 2):
        taken, held = (with_arm(FRESH, np.full(len(FRESH), arm), rows.actions) for arm in (action, 0))
        effect = predicted(part, taken) - predicted(part, held)
        assert np.ptp(effect) > 0.01
        np.testing.assert_allclose(
            effect, predicted(booster, taken) - predicted(booster, held), rtol=0, atol=1e-13
        )


def test_every_tree_that_is_left_asks_about_the_arm(rows):
    """No tree is left that splits on features alone, and none that asks about the arm is missing."""
    features = rows.matrix.shape[1]
    booster = whole(rows)

    def asking(one):
        told = one.trees_to_dataframe().dropna(subset="split_feature")
        return told[told.split_feature.isin([f"Column_{at}" for at in range(features, features + 3)])]

    part = arm_trees(booster, features)
    assert asking(part).tree_index.nunique() == part.num_trees() == asking(booster).tree_index.nunique()


def test_an_arm_that_changes_nothing_has_no_trees_and_no_effect(rows):
    """Where no tree asks about the arm there is no model, and the effect is zero for everybody."""
    same = replace(rows, arm=np.zeros_like(rows.arm))
    assert arm_trees(whole(same), rows.matrix.shape[1]) is None
    (model,) = single_models(same, np.ones((1, len(rows.arm))), SMALL, seed=5)
    assert model.booster is None
    assert model.effect(FRESH, 0).tolist() == [0.0] * len(FRESH)


def test_many_targets_on_the_same_rows_are_learnt_as_each_by_itself(rows):
    """Cutting the features into bins once changes no digit of any model."""
    targets = [rows.outcome, rows.outcome * rows.matrix[:, 0]]
    params = [SMALL.retelling_parameters(len(rows.arm), seed) for seed in (3, 4)]
    together = boosted_each(rows.matrix, targets, params, trees=20)
    for model, target, own in zip(together, targets, params, strict=True):
        alone = boosted(rows.matrix, target, own, trees=20)
        assert model.model_to_string() == alone.model_to_string()

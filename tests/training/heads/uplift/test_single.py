"""What S grows: an action's own model, the one that all actions share, and trees of x alone that follow both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.uplift_world import FRESH, SMALL, draws, effects
from training.heads.uplift.draws import Draws
from training.heads.uplift.grown import grow
from training.heads.uplift.single import retold, single_models


def test_retelling_keeps_what_the_single_model_says(prepared):
    """Trees without the arm follow the model that has it, on accounts that neither has seen."""
    rows = prepared[0].arm_rows(prepared[0].outside(None))
    (model,) = single_models(rows, np.ones((1, len(rows.arm))), SMALL, seed=4)
    (bag,) = retold(rows.matrix, model.effect(rows.matrix, 0)[None], SMALL, seed=4)
    again = bag.effect(FRESH)
    wanted = model.effect(FRESH, 0)
    assert np.corrcoef(again, wanted)[0, 1] > 0.95
    assert again.std() > 0.8 * wanted.std()


def test_what_one_action_did_tells_of_another_that_helps_the_same_accounts():
    """S ranks accounts for an action of few draws better with many draws of one like it than without them."""
    logged, matrix, _, _ = draws(4_000, size=0.5)
    of_call = np.flatnonzero(logged.propensities[:, 1] > 0)
    calls, known = logged.select(of_call), matrix[of_call]
    seldom = np.random.default_rng(2).random(len(calls)) < 0.08
    named = np.zeros_like(calls.propensities)
    named[:, 0] = calls.propensities[:, 0]
    named[np.arange(len(calls)), np.where(seldom, 1, 2)] = calls.propensities[:, 1]
    both = replace(calls, propensities=named, arm=np.where(calls.arm == 0, 0, np.where(seldom, 1, 2)))
    few = both.select(seldom)
    alone = replace(few, actions=few.actions[:1], propensities=few.propensities[:, :2])
    alike = []
    for one, rows in ((alone, known[seldom]), (both, known)):
        seen = Draws.cross_fitted(one, rows, "retained", None, settings=SMALL, seed=1)
        bags = grow("s", seen, [0], settings=SMALL, seed=1)[0]
        told = np.mean([bag.effect(FRESH) for bag in bags], axis=0)
        alike.append(np.corrcoef(told, effects(FRESH)[:, 0])[0, 1])
    assert alike[1] > alike[0] + 0.1


def test_the_bags_of_an_action_do_not_depend_on_which_others_are_asked_for(prepared):
    """Both actions together give what each gives by itself, with the shared model and without."""
    for name in ("s", "t"):
        together = grow(name, prepared[0], [0, 1], settings=SMALL, seed=3)
        for action in (0, 1):
            (own,) = grow(name, prepared[0], [action], settings=SMALL, seed=3).values()
            assert np.array_equal(own[0].effect(FRESH), together[action][0].effect(FRESH))


def test_the_only_action_of_a_trial_has_a_model_of_its_own_alone(prepared):
    """With one action there is nothing to share: its bags follow its own model, and no other is fitted."""
    known = prepared[0]
    call = known.treatments.comparable(0)
    alone = replace(
        known.treatments.select(call), actions=known.treatments.actions[:1],
        propensities=known.treatments.propensities[call][:, :2],
    )  # fmt: skip
    seen = Draws(alone, known.matrix[call], "retained", known.expected[:, call][:, :, :2], None)
    (bags,) = grow("s", seen, [0], settings=SMALL, seed=3).values()
    rows = seen.arm_rows(seen.outside(None))
    (model,) = single_models(rows, rows.resamples(1, seed=3), SMALL, seed=3)
    followed = retold(seen.matrix, model.effect(seen.matrix, 0)[None], SMALL, seed=4)
    assert np.array_equal(bags[0].effect(FRESH), followed[0].effect(FRESH))


def test_an_amount_is_learnt_from_the_draws_of_its_own_action_alone(prepared):
    """Other amounts under the second action change nothing of the first one's effect; other events do."""
    known = prepared[0]
    logged = known.treatments
    happened = logged.outcomes["retained"]
    of_other = logged.arm == 2
    for scale, same in ((10.0, True), (1.0, False)):
        outcomes = (happened * scale, np.where(of_other, 0.0, happened * scale))
        one, other = (
            grow(
                "s", replace(known, treatments=replace(logged, outcomes={"retained": outcome})), [0],
                settings=SMALL, seed=3,
            )[0][0].effect(FRESH)
            for outcome in outcomes
        )  # fmt: skip
        assert np.array_equal(one, other) == same


def test_nothing_is_learnt_of_a_fold_that_is_left_out(prepared):
    """Other outcomes in the fold change nothing of what is grown without it; draws without folds are refused."""
    known, _ = prepared
    logged = known.treatments
    outcome = np.where(known.fold == 0, 1.0 - logged.outcomes["retained"], logged.outcomes["retained"])
    changed = replace(known, treatments=replace(logged, outcomes={"retained": outcome}))
    one, other = (grow("s", told, [0], settings=SMALL, seed=3, without=0)[0] for told in (known, changed))
    assert np.array_equal(one[0].effect(FRESH), other[0].effect(FRESH))
    with pytest.raises(ValueError, match="no folds"):
        grow("s", replace(known, fold=None), [0], settings=SMALL, seed=3, without=0)


def test_a_resample_takes_whole_accounts_as_often_as_chance_has_it(prepared):
    """All draws of an account are in a sample equally often, and a sample has as many accounts as there are."""
    rows = prepared[0].arm_rows(prepared[0].outside(None))
    times = rows.resamples(2, seed=1)
    for account in np.unique(rows.account_id)[:50]:
        assert np.ptp(times[:, rows.account_id == account], axis=1).max() == 0
    _, first = np.unique(rows.account_id, return_index=True)
    assert times[:, first].sum(axis=1).tolist() == [len(first)] * 2


def test_every_bag_draws_the_accounts_anew(prepared):
    """Bags differ from one another, and as many as are asked for are grown."""
    bags = grow("s", prepared[0], [0], settings=SMALL.with_bags(3), seed=3)[0]
    told = [bag.effect(FRESH) for bag in bags]
    assert len(told) == 3
    assert not np.array_equal(told[0], told[1])
    assert not np.array_equal(told[1], told[2])


def test_more_resamples_than_bags_move_their_mean_and_not_how_they_differ(prepared):
    """The mean of the bags follows all resamples' models, and the bags differ as the first of these do."""
    known, settings = prepared[0], replace(SMALL.with_bags(2), single_models=3)
    bags = grow("s", known, [0], settings=settings, seed=3)[0]
    assert len(bags) == 2
    told = np.stack([bag.effect(FRESH) for bag in bags])
    rows = known.arm_rows(known.outside(None))
    times = rows.resamples(6, seed=3)
    inside = known.treatments.comparable(0)
    own = single_models(rows.of_action(0, inside), times[:, inside], SMALL, seed=3)
    shared = single_models(rows, times, SMALL, seed=3 + 1000 * rows.actions)
    each = np.stack(
        [(one.effect(FRESH, 0) + all_.effect(FRESH, 0)) / 2 for one, all_ in zip(own, shared, strict=True)]
    )
    distance = [
        np.abs(told.mean(axis=0) - wanted).mean() for wanted in (each.mean(axis=0), each[:2].mean(axis=0))
    ]
    assert distance[0] < 0.7 * distance[1]
    assert np.corrcoef(told[0] - told[1], each[0] - each[1])[0, 1] > 0.9

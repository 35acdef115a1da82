"""Priors that the catalogue declares reach training by key and by type."""

from __future__ import annotations

import pytest

from keepgrow.train_priors import declared_priors
from serving.decisions.catalogue import load_catalogue


def test_every_declared_effect_is_a_prior_in_its_own_scale():
    """What reduces churn is relative to the churn probability, what expands is absolute; nothing else has a prior."""
    catalogue = load_catalogue(None)
    found = declared_priors(catalogue)
    for action in catalogue.actions:
        retain, expand = action.priors.retain, action.priors.expand
        assert ((action.key, "retained") in found) == (retain.sd > 0)
        assert ((action.key, "expanded") in found) == (expand.sd > 0)
        if retain.sd:
            prior = found[action.key, "retained"]
            assert (prior.mean, prior.sd, prior.scale) == (retain.mean, retain.sd, "churn_probability")
        if expand.sd:
            assert found[action.key, "expanded"].scale == "absolute"


def test_actions_of_one_type_share_a_prior_that_is_no_surer_than_any_of_them():
    """Two guides with different priors give their type the mean, with a spread that covers both means."""
    catalogue = load_catalogue(None)
    guides = [
        action
        for action in catalogue.actions
        if action.type == "send_enablement_guide" and not action.wins_back
    ]
    assert len(guides) > 1
    prior = declared_priors(catalogue)["send_enablement_guide", "retained"]
    means = [action.priors.retain.mean for action in guides]
    assert prior.mean == pytest.approx(sum(means) / len(means))
    assert prior.sd >= max(action.priors.retain.sd for action in guides)
    assert all(abs(mean - prior.mean) <= prior.sd for mean in means)


def test_priors_of_coming_back_are_absolute_and_of_win_back_actions_alone():
    """Calls of both kinds share a type; each outcome has the prior of those that declare it."""
    priors = declared_priors(load_catalogue(None))
    call = priors["schedule_success_call", "returned"]
    assert (call.mean, call.sd, call.scale) == (0.03, 0.012, "absolute")
    assert priors["schedule_success_call", "retained"].mean == 0.15
    assert ("success_call", "returned") not in priors
    assert ("win_back_call", "retained") not in priors

"""What makes a bundle due is told from its test rows and the accounts of now."""

from __future__ import annotations

import dataclasses

import numpy as np

from training.evaluation.held_out import feature_frame
from training.monitoring.findings import ScoredRows
from training.monitoring.limits import load_monitor_limits
from training.monitoring.watch import watch

LIMITS = load_monitor_limits().model_copy(update={"samples": 60})


def scored(bundle, rows, seed=1):
    """Return *rows* as the bundle scores them, with contributions of which the first feature has most."""
    found = bundle.probabilities(rows)
    matrix = bundle.matrix(rows)
    rng = np.random.default_rng(seed)
    contributions = rng.normal(size=matrix.shape) * np.where(np.arange(matrix.shape[1]) == 0, 4.0, 1.0)
    return ScoredRows(
        account_id=rows["account_id"].to_numpy(dtype=object),
        matrix=matrix,
        probabilities={
            head.name: np.column_stack([found[f"{head.name}_{days}d"] for days in head.horizons_days])
            for head in bundle.manifest.heads
        },
        explained=np.arange(len(rows)),
        contributions={"churn": contributions},
    )


def look(bundle, before, now, **changes):
    """Return what is found of *now*."""
    limits = LIMITS.model_copy(update=changes)
    return watch(bundle.manifest, before, now, limits, age_days=10, seed=5)


def test_a_head_that_goes_by_other_signals_is_due(right_bundle, right_rows):
    """Contributions that moved from one signal to another are the reason, by name; the same ones are none."""
    before = scored(right_bundle, right_rows)
    assert look(right_bundle, before, scored(right_bundle, right_rows, seed=2)).reasons == ()
    now = dataclasses.replace(before, contributions={"churn": before.contributions["churn"][:, ::-1]})
    found = look(right_bundle, before, now)
    assert {reason.trigger for reason in found.reasons} == {"importance"}
    assert any("the share of logins went from" in reason.sentence for reason in found.reasons)
    assert found.due


def test_as_many_features_as_the_limit_have_to_drift(right_bundle, right_rows):
    """Two moved features are no reason where three are asked for, and one where two are."""
    before = scored(right_bundle, right_rows)
    names = [f"feature:{name}" for name in feature_frame(right_rows).columns]
    moved = right_rows.assign(**{"feature:mrr": 0.0, "feature:seats": 1})
    assert {"feature:mrr", "feature:seats"} <= set(names)
    now = dataclasses.replace(before, matrix=right_bundle.matrix(moved))
    assert not look(right_bundle, before, now, min_features_beyond=3).due
    (reason,) = look(right_bundle, before, now, min_features_beyond=2).reasons
    assert reason.trigger == "drift"
    assert "mrr" in reason.sentence


def test_a_card_that_promised_more_than_its_rows_bear_does_not_alarm_for_ever(right_bundle, right_rows):
    """What is expected now is held against the lower of realised and expected on test."""
    before = scored(right_bundle, right_rows)
    found = look(right_bundle, before, before)
    (head,) = [one for one in found.heads if (one.head, one.days) == ("churn", 90)]
    assert head.tested["roc_auc"]["value"] == 0.81
    assert head.on_test is not None
    assert head.auc_to_hold == min(0.81, head.on_test.roc_auc.value)
    assert not found.due

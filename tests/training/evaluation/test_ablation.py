from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.training.toy import DEFINITIONS, SPLIT, world
from training.evaluation.ablation import ablate, constant_features, groups_by_view, markdown

GROUPS = {"useful": ("risk", "need"), "useless": ("noise",)}


@pytest.fixture(scope="module")
def rows():
    """The toy world: `risk` raises churn, `noise` says nothing."""
    return world(accounts=250)


@pytest.fixture(scope="module")
def found(rows):
    """Both groups left out of the churn head, and each alone."""
    return ablate(rows, SPLIT, DEFINITIONS, groups=GROUPS, heads=("churn",), seed=1, samples=60)


def at(found, group, kind, horizon=90):
    """Return one ablation."""
    return next(one for one in found if (one.group, one.kind, one.horizon_days) == (group, kind, horizon))


def test_the_group_that_carries_the_signal_is_missed_and_noise_is_not(found):
    """Without the useful features AUC falls and log loss rises for sure; without noise nothing is sure to be lost."""
    useful, useless = at(found, "useful", "without"), at(found, "useless", "without")
    assert useful.verdict == "missed"
    assert useful.change["auc"].high < -0.05
    assert useful.change["log_loss"].low > 0
    assert useless.verdict != "missed"
    assert abs(useless.change["auc"].value) < 0.02


def test_alone_the_useful_group_nearly_reaches_the_whole_and_noise_does_not(found):
    """Changes are reduced less whole, and agree with the two figures they come from."""
    useful, useless = at(found, "useful", "alone"), at(found, "useless", "alone")
    assert useful.reduced["auc"] > 0.65
    assert useless.reduced["auc"] < 0.6
    assert useless.verdict == "worse alone"
    for one in (useful, useless):
        for name, change in one.change.items():
            assert change.value == pytest.approx(one.reduced[name] - one.whole[name])
            assert change.low <= change.high


def test_every_horizon_group_and_kind_is_there_and_in_the_table(found):
    """Three horizons, two groups, two kinds; the table has the whole model and a line each at its horizon."""
    assert len(found) == 3 * 2 * 2
    lines = markdown(found, 90).splitlines()
    assert len(lines) == 2 + 1 + 4
    assert "without useful (2)" in lines[3]


def test_groups_default_to_views_and_constants_are_named(rows):
    """The contract's views are the groups; a column of one value, or of none, is constant."""
    assert groups_by_view(rows) == {"numbers": tuple(f.name for f in rows.contract.model_features)}
    assert constant_features(rows) == ("never_filled",)
    matrix = rows.matrix.copy()
    matrix[:, 2] = 4.0
    assert constant_features(dataclasses.replace(rows, matrix=matrix)) == ("noise", "never_filled")
    matrix[0, 2] = np.nan
    assert constant_features(dataclasses.replace(rows, matrix=matrix)) == ("never_filled",)


def test_a_group_of_unknown_or_of_all_features_is_refused(rows):
    """The message names the group and the feature."""
    with pytest.raises(ValueError, match="'odd': typo"):
        ablate(rows, SPLIT, DEFINITIONS, groups={"odd": ("typo",)}, seed=1)
    with pytest.raises(ValueError, match="none or all"):
        ablate(rows, SPLIT, DEFINITIONS, seed=1)

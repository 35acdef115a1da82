"""The region that training covered, and who lies outside it."""

from __future__ import annotations

import json

import lightgbm as lgb
import numpy as np
import pytest

from serving.scoring.support import Support
from tests.training.export.small_models import make_contract
from training.evaluation.refusal import planted_strangers, refusal_report
from training.support import fit_support, null_view_shares


@pytest.fixture(scope="module")
def region():
    """Rows of six features of which the booster reads the first three most, and the region they cover."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(4_000, 6))
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    event = (rng.random(4_000) < 1 / (1 + np.exp(-np.nan_to_num(matrix[:, :3]).sum(axis=1)))).astype(float)
    data = lgb.Dataset(matrix, event)
    booster = lgb.train({"objective": "binary", "num_leaves": 4, "verbosity": -1, "num_threads": 1}, data, 30)
    return matrix, fit_support(matrix[:3_000], matrix[3_000:], [booster, booster])


def test_serving_reads_from_the_manifest_what_training_wrote(region):
    """Through JSON and back, serving's value tells the same rows apart, and ranges without an end survive."""
    matrix, learnt = region
    learnt.low[5], learnt.high[5] = -np.inf, np.inf
    served = Support.from_dict(json.loads(json.dumps(learnt.to_dict())))
    assert np.array_equal(served.outside(matrix), learnt.outside(matrix))
    assert served.low[5] == -np.inf


def test_few_ordinary_rows_and_nearly_all_strangers_are_refused(region):
    """At most 3 in 100 validation rows are refused, and nine in ten rows with three features far out."""
    matrix, learnt = region
    served = Support.from_dict(learnt.to_dict())
    assert served.unlike(matrix[3_000:]).mean() <= 0.03
    strangers = planted_strangers(matrix[3_000:], learnt.weight, features=3, seed=1)
    assert served.unlike(strangers).mean() >= 0.9


def test_a_missing_value_is_not_out_of_range(region):
    """A row without any value is not called unlike the training data; missing views are told elsewhere."""
    served = Support.from_dict(region[1].to_dict())
    assert served.unlike(np.full((1, 6), np.nan)).tolist() == [False]


def test_lists_of_unequal_length_are_refused(region):
    """A manifest whose ranges and weights do not match is an error that says so."""
    found = region[1].to_dict()
    with pytest.raises(ValueError, match="one entry a feature"):
        Support.from_dict({**found, "weight": found["weight"][:-1]})


def test_refusing_the_worse_rows_shows_as_a_ratio_above_one():
    """Where refused rows have four times the squared error, the ratio is four."""
    refused = np.arange(100) < 20
    probability = np.where(refused, 0.4, 0.2)
    accounts = np.array([f"a{row}" for row in range(100)], dtype=object)
    found = refusal_report(refused, probability, np.zeros(100), accounts, samples=50, seed=0)
    assert found["refused_share"] == pytest.approx(0.2)
    assert found["error_ratio"]["value"] == pytest.approx(4.0)


def test_the_share_of_null_rows_is_told_by_view():
    """A view counts as null in a row in which all of its features are, and in no other."""
    contract = make_contract()
    matrix = np.ones((200, len(contract.model_features)))
    of_view = np.array([feature.view for feature in contract.model_features])
    matrix[:, of_view == "profile"] = np.nan
    matrix[np.ix_(np.arange(50), of_view == "usage")] = np.nan
    matrix[50:, np.flatnonzero(of_view == "usage")[0]] = np.nan
    assert null_view_shares(matrix, contract) == {"usage": 0.25, "commercial": 0.0, "profile": 1.0}

"""Null views are told from a matrix, wherever their columns stand, and only where the bundle expects something."""

from __future__ import annotations

import numpy as np
import pytest

from serving.scoring.null_views import ORDINARY_SHARE, ExpectedViews
from tests.training.export.small_models import make_contract


def test_codes_name_the_views_of_which_all_columns_are_null() -> None:
    """Of random rows every code names exactly the views whose columns are all NaN, in any order of columns."""
    contract = make_contract()
    random = np.random.default_rng(5)
    for _ in range(3):
        expected = ExpectedViews.of(contract, dict.fromkeys([view.name for view in contract.views], 0.0))
        assert expected is not None
        matrix = np.where(random.random((400, len(contract.model_features))) < 0.7, np.nan, 1.0)
        of_view = np.array([feature.view for feature in contract.model_features])
        codes = expected.codes(matrix).tolist()
        assert codes == [expected.code(row.item) for row in matrix]
        for row, code in zip(matrix, codes, strict=True):
            assert set(expected.named(code)) == {
                view.name for view in contract.views if np.isnan(row[of_view == view.name]).all()
            }
        assert len(set(codes)) > 1
        features = contract.features
        shuffled = tuple(features[place] for place in random.permutation(len(features)))
        contract = contract.model_copy(update={"features": shuffled})
        contract.__dict__.pop("model_features")


@pytest.mark.parametrize("shares", [None, {}, {"usage": 1.0, "commercial": ORDINARY_SHARE + 0.001}])
def test_nothing_is_expected_of_views_that_training_did_not_know(shares: dict[str, float] | None) -> None:
    """Bundles that don't tell, and views that were often null, expect nothing."""
    assert ExpectedViews.of(make_contract(), shares) is None

"""Trees carried over from LightGBM must send every input where LightGBM sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.training.export.small_models import make_booster, make_matrix
from training.export.errors import UnsupportedTreeError
from training.export.hard_rows import SPECIAL_VALUES
from training.export.trees import ZERO_THRESHOLD, ensemble_arrays, read_trees

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from training.export.trees import Tree

    Matrix = NDArray[np.float64]


def leaves_by_onnx(trees: Sequence[Tree], matrix: Matrix) -> NDArray[np.int64]:
    """Return the leaf of each tree that the operator finds, shape (rows, trees)."""
    arrays = ensemble_arrays(trees, range(len(trees)))
    weights = np.concatenate([np.arange(tree.n_leaves, dtype=np.float64) for tree in trees])
    node = helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=len(trees),
        tree_roots=arrays.roots.tolist(),
        nodes_featureids=arrays.feature.tolist(),
        nodes_splits=numpy_helper.from_array(arrays.threshold, "splits"),
        nodes_modes=numpy_helper.from_array(np.zeros(len(arrays.feature), dtype=np.uint8), "modes"),
        nodes_missing_value_tracks_true=arrays.nan_tracks_true.tolist(),
        nodes_truenodeids=arrays.true_id.tolist(),
        nodes_trueleafs=arrays.true_is_leaf.tolist(),
        nodes_falsenodeids=arrays.false_id.tolist(),
        nodes_falseleafs=arrays.false_is_leaf.tolist(),
        leaf_targetids=arrays.leaf_target.tolist(),
        leaf_weights=numpy_helper.from_array(weights, "weights"),
    )
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, matrix.shape[1]])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, len(trees)])],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = ort.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": matrix})[0].astype(np.int64)


def one_split(threshold: float, *, decision_type: int) -> lgb.Booster:
    """Return a booster of one split on column 0, its text edited to hold exactly this threshold and rule."""
    rng = np.random.default_rng(0)
    column = rng.normal(size=(200, 1))
    booster = lgb.train(
        {"objective": "binary", "num_leaves": 2, "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5},
        lgb.Dataset(column, (column[:, 0] > 0).astype(float)),
        1,
    )
    lines = booster.model_to_string().splitlines()
    edited = [
        f"threshold={threshold!r}"
        if line.startswith("threshold=")
        else f"decision_type={decision_type}"
        if line.startswith("decision_type=")
        else line
        for line in lines
        if not line.startswith("tree_sizes=")
    ]
    return lgb.Booster(model_str="\n".join(edited))


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("use_missing", [True, False])
def test_every_row_ends_in_lightgbms_leaf(missing: float, use_missing: bool) -> None:
    """With missing values in training or not, known or ignored, each tree gives LightGBM's leaf."""
    rng = np.random.default_rng(5)
    booster = make_booster(rng, missing=missing, use_missing=use_missing)
    matrix = make_matrix(rng, 3000, missing=0.3)
    odd = rng.random(matrix.shape) < 0.2
    matrix[odd] = rng.choice(np.array(SPECIAL_VALUES), int(odd.sum()))
    expected = booster.predict(matrix, pred_leaf=True)
    assert np.array_equal(leaves_by_onnx(read_trees(booster), matrix), expected)


# LightGBM's decision_type: 2 is default_left; 0 and 8 are the missing types None and NaN.
@pytest.mark.parametrize("decision_type", [0, 2, 8, 10])
@pytest.mark.parametrize(
    "threshold",
    [
        0.0,
        -0.0,
        1e-36,
        -1e-36,
        ZERO_THRESHOLD,
        -ZERO_THRESHOLD,
        5e-324,
        -5e-324,
        2e-35,
        -2e-35,
        1.7e9,
        -1e300,
        1e300,
    ],
)
def test_thresholds_around_zero_and_far_from_it_are_exact(threshold: float, decision_type: int) -> None:
    """Inputs that LightGBM reads as zero, missing and infinite ones go its way, whatever the threshold."""
    booster = one_split(threshold, decision_type=decision_type)
    near = [threshold, np.nextafter(threshold, np.inf), np.nextafter(threshold, -np.inf)]
    matrix = np.array([*near, *SPECIAL_VALUES]).reshape(-1, 1)
    expected = booster.predict(matrix, pred_leaf=True).reshape(-1, 1)
    assert len(set(expected.ravel().tolist())) == 2
    assert np.array_equal(leaves_by_onnx(read_trees(booster), matrix), expected)


def test_a_tree_of_one_leaf_is_a_root_with_one_leaf() -> None:
    """A booster that found no split still gives its constant, beside trees that split."""
    rng = np.random.default_rng(2)
    stump = make_booster(rng, trees=1, min_data_in_leaf=5000)
    full = make_booster(rng, trees=3)
    trees = (*read_trees(full), *read_trees(stump), *read_trees(full))
    matrix = make_matrix(rng, 50)
    found = leaves_by_onnx(trees, matrix)
    assert read_trees(stump)[0].n_leaves == 1
    assert (found[:, 3] == 0).all()
    assert np.array_equal(found[:, 4:], full.predict(matrix, pred_leaf=True))


def test_only_trees_up_to_the_best_iteration_are_read() -> None:
    """Trees past the best iteration, which predict does not use, are not exported."""
    booster = make_booster(np.random.default_rng(0), trees=9)
    booster.best_iteration = 4
    assert len(read_trees(booster)) == 4


def test_expected_value_is_lightgbms() -> None:
    """A tree's expected value equals the base value of LightGBM's own TreeSHAP."""
    booster = make_booster(np.random.default_rng(0), trees=3)
    matrix = make_matrix(np.random.default_rng(1), 2)
    for index, tree in enumerate(read_trees(booster)):
        base = booster.predict(matrix, pred_contrib=True, start_iteration=index, num_iteration=1)[0, -1]
        assert tree.expected_value == pytest.approx(base, abs=1e-12)


def refused(**params: Any) -> str:
    """Return the message with which a booster trained so is refused."""
    booster = make_booster(np.random.default_rng(0), trees=2, **params)
    with pytest.raises(UnsupportedTreeError) as error:
        read_trees(booster, "the booster of churn")
    return str(error.value)


def test_what_the_graph_cannot_say_is_refused_by_name() -> None:
    """Categorical splits, linear leaves, zero as missing and averaged trees are refused by name."""
    assert "categorical" in refused(
        categorical_feature=[5], min_data_per_group=1, cat_smooth=1, max_cat_to_onehot=1
    )
    assert "linear_tree=false" in refused(linear_tree=True)
    assert "zero_as_missing=false" in refused(zero_as_missing=True)
    message = refused(boosting="rf", bagging_freq=1, bagging_fraction=0.5)
    assert "the booster of churn" in message
    assert "boosting=gbdt" in message


def test_several_margins_a_row_are_refused() -> None:
    """A multiclass booster is no hazard."""
    rng = np.random.default_rng(0)
    data = lgb.Dataset(make_matrix(rng, 300), rng.integers(0, 3, 300).astype(float))
    booster = lgb.train({"objective": "multiclass", "num_class": 3, "verbose": -1}, data, 2)
    with pytest.raises(UnsupportedTreeError, match="3 margins"):
        read_trees(booster)

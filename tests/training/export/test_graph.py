"""The graph must say what the heads say, and its reasons must add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.training.export.small_models import N_FEATURES, make_booster, make_head, make_matrix
from training.export.contributions import leaf_table, path_contributions
from training.export.errors import ExportError
from training.export.graph import build_graph
from training.export.parity import exact_contributions
from training.export.sessions import open_session
from training.export.trees import read_trees
from training.heads.hazard import HazardHead, Platt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.export.graph import BundleGraph

    Matrix = NDArray[np.float64]

NAMES = [f"f{column}" for column in range(N_FEATURES)]


def graph_of(heads: Sequence[HazardHead], background: Matrix, horizon: int = 90) -> BundleGraph:
    """Return the graph of *heads* with made-up feature names."""
    return build_graph(heads, NAMES, background=background, score_head="churn", score_horizon_days=horizon)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shared", [True, False])
def test_probabilities_are_the_heads(seed: int, shared: bool) -> None:
    """Random heads, with own boosters or a shared one, give LightGBM's probabilities to 1e-12."""
    rng = np.random.default_rng(seed)
    heads = [make_head(rng, "churn", shared=shared), make_head(rng, "upsell")]
    matrix = make_matrix(rng, 400, missing=0.25)
    session = open_session(graph_of(heads, matrix[:100]).serialized())
    for head, found in zip(heads, session.run(["churn", "upsell"], {"features": matrix}), strict=True):
        assert np.abs(found - head.probabilities(matrix)).max() < 1e-12


def test_probabilities_never_fall_and_stay_within_one_at_the_extremes() -> None:
    """However calibration saturates, probabilities rise within 0 and 1, and reasons are finite."""
    rng = np.random.default_rng(0)
    matrix = make_matrix(rng, 200)
    for intercept in (-800.0, -40.0, 0.0, 40.0, 800.0):
        made = make_head(rng, "churn")
        head = HazardHead(
            "churn", made.horizons_days, made.boosters, tuple(Platt(1.0, intercept) for _ in range(3))
        )
        found, reasons = open_session(graph_of([head], matrix).serialized()).run(None, {"features": matrix})
        assert (np.diff(found, axis=1) >= 0).all()
        assert found.min() >= 0
        assert found.max() <= 1
        assert np.isfinite(reasons).all()


def test_a_shared_booster_is_in_the_graph_once() -> None:
    """Three intervals on one booster cost the trees of one."""
    rng = np.random.default_rng(1)
    head = make_head(rng, "churn", shared=True)
    assert graph_of([head], make_matrix(rng, 50)).trees == head.boosters[0].num_trees()


@pytest.mark.parametrize("horizon", [30, 90])
@pytest.mark.parametrize("shared", [True, False])
def test_contributions_have_the_sum_of_exact_treeshap(horizon: int, shared: bool) -> None:
    """However leaves were averaged, a row's contributions sum to what exact TreeSHAP's sum to."""
    rng = np.random.default_rng(7)
    head = make_head(rng, "churn", shared=shared)
    matrix = make_matrix(rng, 300)
    graph = graph_of([make_head(rng, "upsell"), head], matrix[:60], horizon)
    found = open_session(graph.serialized()).run(["churn_contributions"], {"features": matrix[60:]})[0]
    exact = exact_contributions(head, horizon, matrix[60:])
    assert np.abs(found.sum(axis=1) - exact.sum(axis=1)).max() < 1e-5


def test_without_explain_contributions_are_empty() -> None:
    """A caller who does not want reasons gets none, and the same probabilities."""
    rng = np.random.default_rng(4)
    matrix = make_matrix(rng, 20)
    session = open_session(graph_of([make_head(rng, "churn")], matrix).serialized())
    full = session.run(None, {"features": matrix})
    bare = session.run(None, {"features": matrix, "explain": np.array(False)})
    assert np.array_equal(full[0], bare[0])
    assert full[1].shape == (20, N_FEATURES)
    assert bare[1].shape == (0, N_FEATURES)


def test_a_leaf_table_row_sums_to_its_leaf_with_or_without_background() -> None:
    """With many, few or no background rows, a leaf's row sums to its value minus the expected value."""
    rng = np.random.default_rng(5)
    booster = make_booster(rng)
    trees = read_trees(booster)
    expected = np.concatenate([tree.leaf_value - tree.expected_value for tree in trees])
    for rows in (500, 5, 0):
        table = leaf_table(booster, dict(enumerate(trees)), make_matrix(rng, rows))
        assert np.allclose(table.values.sum(axis=1), expected, atol=1e-10)
    assert table.leaves_without_background == len(expected)


def test_path_contributions_touch_only_features_on_the_path() -> None:
    """A leaf reached by one split owes everything to that split's feature."""
    tree = read_trees(make_booster(np.random.default_rng(6), trees=1, leaves=2))[0]
    table = path_contributions(tree, N_FEATURES)
    others = np.delete(table, tree.feature[0], axis=1)
    assert (others == 0).all()
    assert np.allclose(table[:, tree.feature[0]], tree.leaf_value - tree.expected_value)


def test_a_missing_head_or_horizon_or_feature_is_named() -> None:
    """What does not fit is refused with its name."""
    rng = np.random.default_rng(0)
    matrix = make_matrix(rng, 20)
    with pytest.raises(ExportError, match="'churn' with a horizon of 90"):
        graph_of([make_head(rng, "upsell")], matrix)
    with pytest.raises(ExportError, match="45 days"):
        graph_of([make_head(rng, "churn")], matrix, 45)
    with pytest.raises(ExportError, match="10 features; the contract has 9"):
        build_graph(
            [make_head(rng, "churn")],
            NAMES[:-1],
            background=matrix,
            score_head="churn",
            score_horizon_days=90,
        )

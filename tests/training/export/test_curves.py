"""A curve must say exactly what the trees say that were merged into it."""

from __future__ import annotations

import math

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.export.small_models import N_FEATURES, make_booster, make_matrix
from tests.training.export.test_graph import NAMES, graph_of
from training.export.contributions import path_contributions
from training.export.curves import leaves_at, merge_trees, only_feature
from training.export.forest import make_forest
from training.export.hard_rows import SPECIAL_VALUES, hard_rows
from training.export.parity import check_parity, exact_contributions
from training.export.sessions import open_session
from training.export.trees import Tree, read_trees
from training.heads.hazard import HazardHead, Platt


def staged_head(seed: int, *, missing: float = 0.1, use_missing: bool = True) -> HazardHead:
    """Return a head as training boosts it: shared stumps, then stumps and larger trees of each interval's own."""
    rng = np.random.default_rng(seed)
    matrix = make_matrix(rng, 600, missing=missing)
    filled = np.nan_to_num(matrix[:, :2])
    common = {
        "objective": "binary", "learning_rate": 0.2, "min_data_in_leaf": 5, "num_threads": 1, "verbose": -1,
        "use_missing": use_missing,
    }  # fmt: skip

    def grow(target: int, leaves: int, rounds: int, base: lgb.Booster | None) -> lgb.Booster:
        label = (filled[:, 0] + 3 * filled[:, 1] * (target + 1) > 8 + rng.normal(size=600)).astype(float)
        data = lgb.Dataset(matrix, label, free_raw_data=False)
        grown = lgb.train({**common, "num_leaves": leaves}, data, rounds, init_model=base)
        return lgb.Booster(model_str=grown.model_to_string())

    shared = grow(0, 2, 40, None)
    own = grow(1, 2, 10, shared)
    mixed = grow(2, 6, 5, grow(2, 3, 5, shared))
    return HazardHead(
        "churn", (30, 60, 90), (shared, own, mixed), (Platt(0.9, -1.0), Platt(1.1, -0.8), Platt(1.0, -1.2))
    )


def stump(threshold: float, low: float, high: float, *, nan_left: bool) -> Tree:
    """Return a tree of one split on column 3."""
    return Tree(
        feature=np.array([3]), threshold=np.array([threshold]), nan_left=np.array([nan_left]),
        left=np.array([~0]), right=np.array([~1]), leaf_value=np.array([low, high]),
        split_count=np.array([10.0]), leaf_count=np.array([4.0, 6.0]),
    )  # fmt: skip


finite = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(
    trees=st.lists(st.tuples(finite, finite, finite, st.booleans()), min_size=1, max_size=12),
    cut=st.integers(0, 12),
)
@settings(max_examples=60, deadline=None)
def test_a_curve_is_the_sum_of_its_stumps_on_and_beside_every_threshold(
    trees: list[tuple[float, float, float, bool]], cut: int
) -> None:
    """Whatever the stumps and which way missing values go, each booster gets its own stumps' exact sum."""
    stumps = [stump(at, low, high, nan_left=left) for at, low, high, left in trees]
    forests = [stumps[:cut], stumps[cut:]]
    curve = merge_trees(3, forests)
    points = np.array([at for at, *_ in trees])
    points = np.concatenate(
        [points, np.nextafter(points, -np.inf), np.nextafter(points, np.inf), SPECIAL_VALUES]
    )
    steps = leaves_at(curve.tree, points)
    for booster, own in enumerate(forests):
        for point, step in zip(points, steps, strict=True):
            left = [(math.isnan(point) and bool(one.nan_left[0])) or point <= one.threshold[0] for one in own]
            expected = math.fsum(one.leaf_value[0 if go else 1] for one, go in zip(own, left, strict=True))
            assert curve.values[step, booster] == expected


def test_a_curve_is_no_deeper_than_it_must_be() -> None:
    """A hundred thresholds are told apart by seven questions, and one for missing values."""
    stumps = [stump(float(at), 0.0, 1.0, nan_left=at % 2 == 0) for at in range(100)]
    tree = merge_trees(3, [stumps]).tree

    def depth(node: int) -> int:
        return 0 if node < 0 else 1 + max(depth(int(tree.left[node])), depth(int(tree.right[node])))

    assert depth(0) <= 8


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("use_missing", [True, False])
def test_a_staged_head_is_exported_exactly(missing: float, use_missing: bool) -> None:
    """Stumps that intervals share, stumps of their own and larger trees give LightGBM's probabilities to 1e-12."""
    head = staged_head(3, missing=missing, use_missing=use_missing)
    background = make_matrix(np.random.default_rng(1), 300)
    parity = check_parity(graph_of([head], background).serialized(), [head], background, seed=2, rows=5_000)
    assert parity.max_abs_difference < 1e-12


def test_trees_that_intervals_share_are_walked_once() -> None:
    """The graph holds a curve for each feature of some stump, and each larger tree once."""
    head = staged_head(4)
    forest = make_forest([head], N_FEATURES)
    own = [read_trees(booster) for booster in head.boosters]
    single = {only_feature(tree) for trees in own for tree in trees} - {None}
    assert {curve.feature for curve in forest.curves} == single
    larger = {tree.fingerprint() for trees in own for tree in trees if only_feature(tree) is None}
    assert len(forest.trees) == len(larger)
    assert forest.boosted_trees == sum(map(len, own))
    graph = graph_of([head], make_matrix(np.random.default_rng(1), 100))
    assert (graph.trees, graph.boosted_trees) == (len(single) + len(larger), forest.boosted_trees)
    assert graph.trees < graph.boosted_trees / 4


def test_contributions_of_curves_are_exact() -> None:
    """Where every tree looks at one feature, what is looked up is TreeSHAP, also on rows made to tell them apart."""
    grown = staged_head(5)
    head = HazardHead("churn", (30, 60), grown.boosters[:2], grown.calibrations[:2])
    graph = graph_of([head], np.zeros((0, len(NAMES))), 60)
    rows = hard_rows(head.boosters, make_matrix(np.random.default_rng(0), 200), 500, np.random.default_rng(1))
    found = open_session(graph.serialized()).run(["churn_contributions"], {"features": rows})[0]
    assert np.abs(found - exact_contributions(head, 60, rows)).max() < 1e-5
    assert graph.leaves_without_background == 0


def test_a_curves_expected_value_is_its_trees() -> None:
    """The base value of a curve is the sum of its trees' base values, and a stump's path contribution says the same."""
    trees = read_trees(make_booster(np.random.default_rng(6), trees=1, leaves=2))
    column = only_feature(trees[0])
    assert column is not None
    curve = merge_trees(column, [trees, []])
    table = path_contributions(trees[0], N_FEATURES)[:, column]
    assert curve.expected[1] == 0.0
    assert sorted(curve.values[:, 0] - curve.expected[0]) == pytest.approx(sorted(table), abs=1e-12)

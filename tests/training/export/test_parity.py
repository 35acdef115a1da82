"""The parity check must see what an inexact export does wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from tests.training.export.small_models import N_FEATURES, make_booster, make_head, make_matrix
from training.export.errors import ParityError
from training.export.graph import build_graph
from training.export.hard_rows import SPECIAL_VALUES, hard_rows
from training.export.parity import check_parity, measure_fidelity
from training.export.trees import read_trees
from training.heads.hazard import HazardHead, Platt

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from training.export.graph import BundleGraph

    Change = Callable[[onnx.ModelProto], object]
    Matrix = NDArray[np.float64]
    Exported = tuple[tuple[HazardHead, ...], Matrix, BundleGraph]

NAMES = [f"f{column}" for column in range(N_FEATURES)]


@pytest.fixture(scope="module")
def exported() -> Exported:
    """Return heads, background and graph of one small export."""
    rng = np.random.default_rng(11)
    heads = (make_head(rng, "churn"), make_head(rng, "upsell"))
    background = make_matrix(rng, 400)
    graph = build_graph(heads, NAMES, background=background, score_head="churn", score_horizon_days=90)
    return heads, background, graph


def attribute(model: onnx.ModelProto, name: str) -> onnx.AttributeProto:
    """Return an attribute of the tree node."""
    node = next(node for node in model.graph.node if node.op_type == "TreeEnsemble")
    return next(attribute for attribute in node.attribute if attribute.name == name)


def changed(graph: BundleGraph, change: Change) -> bytes:
    """Return the bytes of a copy of *graph* after *change*."""
    model = onnx.ModelProto.FromString(graph.serialized())
    change(model)
    return model.SerializeToString()


def test_an_exact_graph_passes_on_100_000_hard_rows(exported: Exported) -> None:
    """The graph agrees with LightGBM to 1e-12 on all hard rows."""
    heads, background, graph = exported
    parity = check_parity(graph.serialized(), heads, background, seed=1)
    assert parity.rows >= 100_000
    assert parity.max_abs_difference < 1e-12


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    missing=st.sampled_from([0.0, 0.05, 0.5]),
    leaves=st.integers(2, 20),
    use_missing=st.booleans(),
)
def test_any_booster_passes(seed: int, missing: float, leaves: int, use_missing: bool) -> None:
    """Random boosters, trained with and without missing values, are exported exactly."""
    rng = np.random.default_rng(seed)
    booster = make_booster(rng, trees=6, leaves=leaves, missing=missing, use_missing=use_missing)
    head = HazardHead("churn", (30,), (booster,), (Platt(1.1, -0.4),))
    background = make_matrix(rng, 100, missing=0.2)
    graph = build_graph([head], NAMES, background=background, score_head="churn", score_horizon_days=30)
    assert (
        check_parity(graph.serialized(), [head], background, seed=seed, rows=4000).max_abs_difference < 1e-12
    )


def round_thresholds(model: onnx.ModelProto) -> None:
    """Round thresholds to float32, as the usual converter does."""
    splits = attribute(model, "nodes_splits")
    values = numpy_helper.to_array(splits.t)
    splits.t.CopyFrom(numpy_helper.from_array(values.astype(np.float32).astype(np.float64), "nodes_splits"))


def nudge_one_threshold(model: onnx.ModelProto) -> None:
    """Move a single threshold to the next float64."""
    splits = attribute(model, "nodes_splits")
    values = numpy_helper.to_array(splits.t).copy()
    values[0] = np.nextafter(values[0], np.inf)
    splits.t.CopyFrom(numpy_helper.from_array(values, "nodes_splits"))


def swap_missing(model: onnx.ModelProto) -> None:
    """Send missing values the other way everywhere."""
    tracks = attribute(model, "nodes_missing_value_tracks_true")
    tracks.ints[:] = [1 - value for value in tracks.ints]


def swap_one_leaf(model: onnx.ModelProto) -> None:
    """Change one leaf value by a millionth."""
    values = next(tensor for tensor in model.graph.initializer if tensor.name == "leaf_values")
    moved = numpy_helper.to_array(values).copy()
    moved[0] += 1e-6
    values.CopyFrom(numpy_helper.from_array(moved, "leaf_values"))


@pytest.mark.parametrize("change", [round_thresholds, nudge_one_threshold, swap_missing, swap_one_leaf])
def test_a_corrupted_graph_is_refused_with_head_horizon_and_row(exported: Exported, change: Change) -> None:
    """Rounded or nudged thresholds, swapped missing values and one wrong leaf are all found."""
    heads, background, graph = exported
    with pytest.raises(ParityError, match=r"head '(churn|upsell)', horizon \d+ days, row \d+"):
        check_parity(changed(graph, change), heads, background, seed=1, rows=20_000)


def test_not_a_number_is_a_difference(exported: Exported) -> None:
    """A graph that gives NaN is refused, although NaN is never larger than the tolerance."""
    heads, background, graph = exported

    def spoil(model: onnx.ModelProto) -> None:
        intercepts = next(tensor for tensor in model.graph.initializer if tensor.name == "intercepts")
        intercepts.CopyFrom(numpy_helper.from_array(np.full(6, np.nan), "intercepts"))

    with pytest.raises(ParityError, match="nan"):
        check_parity(changed(graph, spoil), heads, background, seed=1, rows=2_000)


def test_hard_rows_hold_every_threshold_its_neighbours_and_special_values(exported: Exported) -> None:
    """Each column holds each of its thresholds, the numbers next to it, and all special values."""
    heads, background, _ = exported
    boosters = [booster for head in heads for booster in head.boosters]
    rows = hard_rows(boosters, background, 5_000, np.random.default_rng(0))
    assert len(rows) >= 5_000
    for feature in range(N_FEATURES):
        column = rows[:, feature]
        for booster in boosters:
            for tree in read_trees(booster):
                wanted = tree.threshold[tree.feature == feature]
                for values in (wanted, np.nextafter(wanted, np.inf), np.nextafter(wanted, -np.inf)):
                    assert np.isin(values, column).all()
        present = np.array([value for value in SPECIAL_VALUES if not np.isnan(value)])
        assert np.isin(present, column).all()
        assert np.isnan(column).any()


def test_fidelity_is_measured_against_exact_treeshap(exported: Exported) -> None:
    """Sums agree with exact TreeSHAP, directions nearly, and the figures are shares."""
    heads, background, graph = exported
    rows = make_matrix(np.random.default_rng(12), 200)
    found = measure_fidelity(graph, heads[0], 90, rows, signals=NAMES, background_rows=len(background))
    assert found.largest_sum_error < 1e-5
    assert 0.8 < found.mean_cosine <= 1.0
    assert found.same_top_feature == found.same_top_signal
    assert 0.5 < found.same_top_feature <= 1.0

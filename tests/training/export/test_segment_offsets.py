"""Segments with an intercept of their own: the graph gives them what the head gives, and reasons count them."""

from __future__ import annotations

from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest

from tests.training.export.small_models import make_booster, make_head, make_matrix
from training.export.graph import BundleGraph, build_graph, contributions_output
from training.export.parity import check_parity, exact_contributions
from training.export.sessions import open_session
from training.heads.hazard import HazardHead, Platt

COLUMN = 3
"""A column of the matrix whose whole numbers below 3 are taken for segment codes."""
ODD = np.array([np.nan, -np.inf, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1.5, 2.0, 2.999, 3.0, 7.0, np.inf])


def with_offsets(head: HazardHead, seed: int) -> HazardHead:
    """Return *head* with offsets of three segments in all intervals but the first."""
    rng = np.random.default_rng(seed)
    plain, *others = head.calibrations
    moved = [replace(one, offsets=tuple(rng.normal(0, 0.5, 3).tolist())) for one in others]
    return replace(head, calibrations=(plain, *moved), segment_column=COLUMN)


def graph_of(heads: list[HazardHead], background: np.ndarray) -> BundleGraph:
    """Return the graph of *heads*."""
    names = [f"f{number}" for number in range(background.shape[1])]
    return build_graph(heads, names, background=background, score_head="churn", score_horizon_days=90)


def rows_of_all_segments(rng: np.random.Generator) -> np.ndarray:
    """Return rows with every odd value in the segment's column."""
    matrix = make_matrix(rng, 40 * len(ODD), missing=0.1)
    matrix[:, COLUMN] = np.tile(ODD, 40)
    return matrix


@pytest.mark.parametrize("heads", ["both", "churn", "upsell"])
def test_the_graph_moves_each_segment_as_the_head_does(heads: str) -> None:
    """Whichever heads have offsets, known, unknown, missing and broken codes get the head's probability."""
    rng = np.random.default_rng(3)
    made = [
        with_offsets(head, 5) if heads in {"both", head.name} else head
        for head in (make_head(rng, "churn"), make_head(rng, "upsell", shared=True))
    ]
    matrix = rows_of_all_segments(rng)
    graph = graph_of(made, matrix[:200]).serialized()
    found = open_session(graph).run(["churn", "upsell"], {"features": matrix, "explain": np.array(False)})
    for head, probability in zip(made, found, strict=True):
        assert np.abs(probability - head.probabilities(matrix)).max() < 1e-12
        assert (np.diff(probability, axis=1) >= 0).all()
    assert check_parity(graph, made, matrix, seed=1, rows=4000).max_abs_difference < 1e-12


def test_a_segment_that_no_tree_asks_about_still_counts() -> None:
    """Where no booster splits on the segment its offsets come through, and other columns keep their curves."""
    rng = np.random.default_rng(8)
    matrix = rows_of_all_segments(rng)
    label = (np.nan_to_num(matrix[:, 0]) > np.nanmedian(matrix[:, 0])).astype(float)
    blind = matrix.copy()
    blind[:, COLUMN] = np.nan
    booster = lgb.train(
        {"objective": "binary", "num_leaves": 2, "num_threads": 1, "verbose": -1},
        lgb.Dataset(blind, label),
        5,
    )
    head = HazardHead("churn", (90,), (booster,), (Platt(1.0, -1.0, (0.7, 0.0, -0.4)),), COLUMN)
    found = open_session(graph_of([head], matrix).serialized()).run(
        ["churn"], {"features": matrix, "explain": np.array(False)}
    )[0]
    assert np.abs(found - head.probabilities(matrix)).max() < 1e-12
    assert len(np.unique(np.round(head.offsets(ODD)[:, 0], 6))) == 3


def test_reasons_of_a_row_add_up_with_its_segment() -> None:
    """Contributions sum to the log-odds less the base, and the segment's column has what its offset adds."""
    rng = np.random.default_rng(4)
    head = with_offsets(make_head(rng, "churn"), 9)
    matrix = rows_of_all_segments(rng)
    graph = graph_of([head], matrix[:200])
    probability, contributions = open_session(graph.serialized()).run(
        ["churn", contributions_output("churn")], {"features": matrix}
    )
    told = np.log(probability[:, -1]) - np.log1p(-probability[:, -1]) - graph.base.log_odds
    assert np.abs(contributions.sum(axis=1) - told).max() < 1e-4
    exact = exact_contributions(head, 90, matrix)
    assert np.abs(exact.sum(axis=1) - told).max() < 1e-6
    plain = exact_contributions(replace(head, segment_column=None), 90, matrix)
    moved = np.abs(exact - plain)[:, COLUMN]
    assert moved[np.tile(ODD, 40) == 1.0].min() > 0
    unknown = np.isnan(matrix[:, COLUMN])
    assert np.abs(exact - plain)[unknown].max() < 1e-12


def test_a_booster_of_its_own_is_shared_by_plain_and_moved_intervals() -> None:
    """Offsets differ by interval though all intervals have one booster: nothing leaks from one to the other."""
    rng = np.random.default_rng(6)
    booster = make_booster(rng)
    platts = (Platt(1.0, -1.0), Platt(1.0, -1.0, (0.5, 0.5, 0.5)), Platt(1.0, -1.0, (-0.5,)))
    head = HazardHead("churn", (30, 60, 90), (booster,) * 3, platts, COLUMN)
    matrix = rows_of_all_segments(rng)
    found = open_session(graph_of([head], matrix).serialized()).run(
        ["churn"], {"features": matrix, "explain": np.array(False)}
    )[0]
    assert np.abs(found - head.probabilities(matrix)).max() < 1e-12

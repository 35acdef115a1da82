"""Intervals and outlook in the graph: exact, monotone, and free for those who do not ask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.training.export.small_models import make_matrix, make_trained
from tests.training.small_outlook import make_outlook
from training.export.errors import ExportError, ParityError
from training.export.graph import build_graph
from training.export.hard_rows import SPECIAL_VALUES, hard_rows
from training.export.outlook_parity import check_outlook_parity
from training.export.sessions import open_session, run_in_chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.export.graph import BundleGraph
    from training.trained import TrainedModels

SWITCHED = (
    "churn_low", "churn_high", "upsell_low", "upsell_high",
    "upsell_long", "extra_mrr_ratio", "trajectory", "effects", "effect_errors",
)  # fmt: skip


def graph_of(trained: TrainedModels) -> BundleGraph:
    """Return the graph of *trained*."""
    return build_graph(
        trained.heads,
        [feature.name for feature in trained.contract.model_features],
        background=trained.background,
        score_head="churn",
        score_horizon_days=90,
        outlook=trained.outlook,
    )


@pytest.fixture(scope="module")
def trained() -> TrainedModels:
    """Return random models with an outlook."""
    return make_trained(outlook=True)


@pytest.fixture(scope="module")
def graph(trained: TrainedModels) -> BundleGraph:
    """Return their graph."""
    return graph_of(trained)


def adversarial(trained: TrainedModels, rows: int) -> NDArray[np.float64]:
    """Return ordinary rows, rows on split thresholds, and rows of special values only."""
    rng = np.random.default_rng(8)
    boosters = [booster for head in trained.heads for booster in head.boosters]
    hard = hard_rows(boosters, trained.background, rows // 2, rng)
    special = rng.choice(np.array(SPECIAL_VALUES), (rows // 4, trained.background.shape[1]))
    return np.concatenate([hard, special, make_matrix(rng, rows - rows // 2 - rows // 4)])


@pytest.mark.parametrize("shared", [False, True])
def test_every_new_output_is_what_the_trained_models_say(shared: bool) -> None:
    """Intervals, long horizon, amount, trajectory and effects agree with LightGBM on 10,000 hard rows."""
    trained = make_trained(seed=4, shared=shared, outlook=True)
    largest = check_outlook_parity(graph_of(trained).serialized(), trained, rows=10_000)
    assert set(largest) == set(SWITCHED)
    assert max(largest.values()) < 1e-12


def test_the_trajectory_reads_health_and_counts_who_leaves() -> None:
    """With inputs of its own the trajectory agrees with LightGBM and declines no less than churn; others ignore them.

    Where health is not given it is missing, which is the same as giving NaN.
    """
    trained = with_health(make_trained(seed=6))
    data = graph_of(trained).serialized()
    assert max(check_outlook_parity(data, trained, rows=5_000).values()) < 1e-12
    session = open_session(data)
    matrix = make_matrix(np.random.default_rng(1), 300)
    names = [one.name for one in session.get_outputs()]

    def run(health: NDArray[np.float64] | None) -> dict[str, NDArray[np.float64]]:
        feed = {"features": matrix, **({} if health is None else {"health": health})}
        return dict(zip(names, session.run(names, feed), strict=True))

    high, low, unknown, silent = (
        run(None if value is None else np.full((300, 2), value)) for value in (95.0, 5.0, np.nan, None)
    )
    for name in names:
        assert np.array_equal(unknown[name], silent[name])
        assert np.array_equal(high[name], low[name]) == (name != "trajectory")
    for found in (high, low, unknown):
        assert (found["trajectory"][:, 2] >= found["churn"][:, -1] - 1e-12).all()
        assert np.abs(found["trajectory"].sum(axis=1) - 1).max() < 1e-12
    one = dict(
        zip(names, session.run(names, {"features": matrix, "health": np.full((1, 2), 95.0)}), strict=True)
    )
    assert np.array_equal(one["trajectory"], high["trajectory"])


def with_health(trained: TrainedModels) -> TrainedModels:
    """Return *trained* with an outlook whose trajectory reads two policy features."""
    outlook = make_outlook(
        trained.heads,
        make_matrix(np.random.default_rng(2), 600),
        plan_column=5,
        health=("health_score", "health_score_28d_change"),
    )
    return replace(trained, outlook=outlook)


def test_probabilities_never_fall_up_to_twelve_months(trained: TrainedModels, graph: BundleGraph) -> None:
    """P30 <= P60 <= P90 <= P12m, and both ends of each interval, on 100,000 random and adversarial rows."""
    matrix = adversarial(trained, 100_000)
    assert len(matrix) >= 100_000
    names = ["churn", "upsell", "upsell_long", "churn_low", "churn_high", "upsell_low", "upsell_high"]
    session = open_session(graph.serialized())
    for _, found in run_in_chunks(session, names, matrix, explain=False, intervals=True, outlook=True):
        upsell = np.concatenate([found["upsell"], found["upsell_long"]], axis=1)
        for values in (upsell, *(found[name] for name in names if name != "upsell_long")):
            assert (np.diff(values, axis=1) >= 0).all()
            assert (values >= 0).all()
            assert (values <= 1).all()
        for head in ("churn", "upsell"):
            assert (found[f"{head}_low"] <= found[head]).all()
            assert (found[head] <= found[f"{head}_high"]).all()


def test_what_is_switched_off_has_no_rows_and_changes_nothing(
    trained: TrainedModels, graph: BundleGraph
) -> None:
    """Without intervals and outlook their outputs are empty, and the probabilities are the same bits."""
    session = open_session(graph.serialized())
    matrix = trained.background[:50]
    names = [output.name for output in session.get_outputs()]

    def run(**switches: bool) -> dict[str, NDArray[np.float64]]:
        feed = {"features": matrix, **{name: np.array(value) for name, value in switches.items()}}
        return dict(zip(names, session.run(names, feed), strict=True))

    everything, nothing = run(), run(explain=False, intervals=False, outlook=False)
    plain = open_session(graph_of(replace(trained, outlook=make_trained().outlook)).serialized())
    alone = plain.run(["churn", "upsell"], {"features": matrix, "explain": np.array(False)})
    for name, expected in zip(("churn", "upsell"), alone, strict=True):
        assert np.array_equal(everything[name], expected)
        assert np.array_equal(nothing[name], expected)
    for name in SWITCHED:
        assert len(everything[name]) == len(matrix)
        assert nothing[name].shape == (0, everything[name].shape[1])
    assert {one.name for one in plain.get_overridable_initializers()} == {"explain"}


def test_trajectories_add_up_to_one_and_errors_are_above_zero(
    trained: TrainedModels, graph: BundleGraph
) -> None:
    """Three probabilities a row that sum to 1; amounts are never negative; standard errors are positive."""
    session = open_session(graph.serialized())
    names = ["trajectory", "effect_errors", "extra_mrr_ratio"]
    for _, found in run_in_chunks(
        session, names, adversarial(trained, 2_000), explain=False, intervals=False, outlook=True
    ):
        assert np.abs(found["trajectory"].sum(axis=1) - 1).max() < 1e-12
        assert (found["trajectory"] >= 0).all()
        assert (found["effect_errors"] > 0).all()
        assert (found["extra_mrr_ratio"] >= 0).all()


@pytest.mark.parametrize(
    ("constant", "output"),
    [("factor_floors", "churn_low"), ("long_pieces", "upsell_long"), ("effect_levels", "effects")],
)
def test_a_graph_that_says_something_else_is_refused_by_output(
    trained: TrainedModels, graph: BundleGraph, constant: str, output: str
) -> None:
    """A wrong constant in a branch is found, and the message names the output, the row and its features."""
    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    for tensor in model.graph.initializer:
        if tensor.name == constant:
            value = numpy_helper.to_array(tensor) + 0.5
            tensor.CopyFrom(numpy_helper.from_array(value, constant))
    with pytest.raises(ParityError, match=rf"output '{output}', row \d+: .* features: \["):
        check_outlook_parity(model.SerializeToString(), trained, rows=200)


def test_parts_that_were_not_learnt_are_not_in_the_graph(trained: TrainedModels) -> None:
    """Without treatments and trajectory their outputs are absent; the others stay as they are."""
    fewer = replace(trained, outlook=replace(trained.outlook, effects=None, trajectory=None))
    graph = graph_of(fewer)
    names = {output.name for output in open_session(graph.serialized()).get_outputs()}
    assert set(SWITCHED) - names == {"trajectory", "effects", "effect_errors"}
    assert set(check_outlook_parity(graph.serialized(), fewer, rows=500)) <= names


def test_boosters_that_share_a_tree_must_agree_on_its_factors() -> None:
    """Two intervals with one tree but other factors are refused; a graph holds each tree once."""
    shared = make_trained(shared=True, outlook=True)
    churn = shared.head("churn")
    copied = churn.boosters[0].__copy__()
    head = replace(churn, boosters=(churn.boosters[0], copied, churn.boosters[2]))
    sure = shared.outlook.uncertainty["churn"]
    other = replace(sure, head=head, factors=(sure.factors[0], sure.factors[1] + 1.0, sure.factors[2]))
    outlook = replace(shared.outlook, uncertainty={**shared.outlook.uncertainty, "churn": other})
    with pytest.raises(ExportError, match="share a tree"):
        graph_of(replace(shared, heads=(head, shared.head("upsell")), outlook=outlook))

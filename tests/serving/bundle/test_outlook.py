"""Intervals and outlook of a loaded bundle are what was trained, and are given only when asked for."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from serving.bundle.loader import load_bundle
from serving.bundle.store import find_bundle
from serving.errors import BundleError
from tests.training.export.small_models import make_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from training.trained import TrainedModels

ROWS = make_matrix(np.random.default_rng(4), 200)


@pytest.fixture
def path(further_store: Path, tmp_path: Path) -> Path:
    """Return a copy of a stored bundle that a test may spoil."""
    shutil.copytree(find_bundle("keepgrow", further_store), tmp_path / "bundle")
    return tmp_path / "bundle"


def test_all_that_is_asked_for_is_what_was_trained(further_store: Path, further: TrainedModels) -> None:
    """Through store and loader, intervals, long horizon, amount, trajectory and effects are the models'."""
    bundle = load_bundle(find_bundle("keepgrow", further_store))
    bundle.warm_up()
    found = bundle.run(ROWS, contributions=True, intervals=True, outlook=True)
    outlook = further.outlook
    for head in ("churn", "upsell"):
        low, high = outlook.uncertainty[head].interval(ROWS)
        assert np.abs(found.low[head] - low).max() < 1e-12
        assert np.abs(found.high[head] - high).max() < 1e-12
    assert (found.long_horizon >= found.probabilities["upsell"][:, -1]).all()
    assert np.abs(found.extra_mrr_ratio - outlook.amount.extra_mrr_ratio(ROWS)).max() < 1e-12
    declining = bundle.manifest.trajectory.classes.index("declining")
    assert np.abs(found.trajectory[:, declining] - outlook.trajectory.probabilities(ROWS)[:, 0]).max() < 1e-12
    effects, errors = outlook.effects.effects(further.head("churn"), ROWS)
    assert np.abs(found.effects - effects).max() < 1e-12
    assert np.abs(found.effect_errors - errors).max() < 1e-12
    assert found.contributions.shape[0] == len(ROWS)


def test_the_manifest_tells_what_there_is(further_store: Path, further: TrainedModels) -> None:
    """Columns of the effects, the region of support, days and the level of intervals are in the manifest."""
    manifest = load_bundle(find_bundle("keepgrow", further_store)).manifest
    assert [(one.action, one.outcome, one.basis) for one in manifest.effects.columns] == [
        ("send_enablement_guide", "retained", "uplift"),
        ("schedule_success_call", "retained", "prior"),
        ("start_trial_or_upgrade", "expanded", "uplift"),
        ("send_enablement_guide", "expanded", "uplift"),
    ]
    assert manifest.support.model_dump(mode="json") == further.outlook.support.to_dict()
    assert (manifest.long_horizon.days, manifest.trajectory.days) == (365, 90)
    assert {head.interval_level for head in manifest.heads} == {0.9}


def test_nothing_is_given_that_was_not_asked_for(further_store: Path) -> None:
    """Probabilities are the same bits with any switches; what is off is None."""
    bundle = load_bundle(find_bundle("keepgrow", further_store))
    plain = bundle.run(ROWS, contributions=False)
    assert plain.low is None
    assert plain.effects is None
    ends = bundle.run(ROWS, contributions=False, intervals=True)
    assert ends.low is not None
    assert ends.trajectory is None
    ahead = bundle.run(ROWS, contributions=False, outlook=True)
    assert ahead.high is None
    assert ahead.long_horizon.shape == (len(ROWS),)
    for found in (ends, ahead):
        assert np.array_equal(found.probabilities["churn"], plain.probabilities["churn"])


def test_chunks_of_every_kind_are_seamless(further_store: Path) -> None:
    """More rows than one call may have give each row its own intervals and effects; no rows give empty ones."""
    bundle = load_bundle(find_bundle("keepgrow", further_store))
    matrix = make_matrix(np.random.default_rng(2), bundle.interval_chunk_rows + 7)
    whole = bundle.run(matrix, contributions=False, intervals=True, outlook=True)
    last = bundle.run(matrix[-9:], contributions=False, intervals=True, outlook=True)
    assert np.array_equal(whole.low["upsell"][-9:], last.low["upsell"])
    assert np.array_equal(whole.effects[-9:], last.effects)
    empty = bundle.run(matrix[:0], contributions=True, intervals=True, outlook=True)
    assert empty.high["churn"].shape == (0, 3)
    assert empty.trajectory.shape == (0, 3)


def test_a_bundle_without_them_says_none(store: Path) -> None:
    """A bundle of an earlier release loads, and answers what it has."""
    bundle = load_bundle(find_bundle("keepgrow", store))
    found = bundle.run(ROWS, contributions=False, intervals=True, outlook=True)
    assert not bundle.has_intervals
    assert not bundle.has_outlook
    assert (found.low, found.long_horizon, found.trajectory, found.effects) == (None, None, None, None)


def test_a_graph_without_a_promised_switch_or_output_is_refused(path: Path) -> None:
    """What the manifest promises and the graph lacks is named when the bundle is loaded."""
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["effects"]["columns"] = manifest["effects"]["columns"][:3]
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        BundleError, match=r"'effects' is tensor\(double\) with 4 columns; the manifest says .* 3"
    ):
        load_bundle(path)
    manifest["effects"] = None
    manifest["graph_hash"] = None
    (path / "manifest.json").write_text(json.dumps(manifest))
    load_bundle(path)
    model = onnx.load(path / "bundle.onnx")
    for value in model.graph.input:
        if value.name == "intervals":
            value.name = "spans"
    for tensor in model.graph.initializer:
        if tensor.name == "intervals":
            tensor.name = "spans"
    for node in model.graph.node:
        if node.op_type == "If" and node.input[0] == "intervals":
            node.input[0] = "spans"
    onnx.save(model, path / "bundle.onnx")
    with pytest.raises(BundleError, match="no optional input 'intervals'"):
        load_bundle(path)


def test_a_manifest_with_half_an_interval_or_a_short_region_is_refused(path: Path) -> None:
    """Both ends of an interval, and a range for each feature, or the manifest contradicts itself."""
    manifest = json.loads((path / "manifest.json").read_text())
    spoiled = json.loads(json.dumps(manifest))
    spoiled["heads"][0]["low_output"] = None
    (path / "manifest.json").write_text(json.dumps(spoiled))
    with pytest.raises(BundleError, match="one end of its interval"):
        load_bundle(path)
    spoiled = json.loads(json.dumps(manifest))
    head = spoiled["heads"][0] | {"name": "winback", "high_output": None}
    spoiled["winback"] = {"head": head, "after_days": 30, "within_days": 365}
    (path / "manifest.json").write_text(json.dumps(spoiled))
    with pytest.raises(BundleError, match="'winback' has one end of its interval"):
        load_bundle(path)
    manifest["support"]["low"] = manifest["support"]["low"][:-1]
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="one range and weight for each of 10 model features"):
        load_bundle(path)

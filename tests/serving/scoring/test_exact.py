"""Exact reasons against LightGBM's `pred_contrib`, on rows made to tell the two apart."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import pytest

from serving.bundle.loader import Bundle, load_bundle
from serving.bundle.store import find_bundle
from serving.errors import BundleError, ExactReasonsUnavailable, UnknownAccount
from serving.scoring.engine import score_rows
from serving.scoring.exact import METHOD, exact_reasons, score_exactly, shapley_values
from serving.scoring.leaf_paths import read_leaf_paths, readable
from tests.serving.scoring.conftest import NOW
from tests.training.export.small_models import TRAINED_AT, make_booster, make_matrix, make_trained
from tests.training.export.test_interval_weights import segmented
from training.export.bundle import save_bundle
from training.export.hard_rows import hard_rows
from training.export.parity import exact_contributions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.features.rows import FeatureRows
    from training.trained import TrainedModels

TOLERANCE = 1e-9
ROWS = 300


def rows_for(boosters: list[lgb.Booster], seed: int, count: int = ROWS) -> NDArray[np.float64]:
    """Return ordinary rows, rows on and beside thresholds, and rows of nothing but one odd value."""
    rng = np.random.default_rng(seed)
    odd = (np.nan, 0.0, -0.0, np.inf, -np.inf, 1e308, -1e308, 1e-35, 2e-35, -1e-40, 5e-324)
    width = boosters[0].num_feature()
    hard = hard_rows(boosters, make_matrix(rng, 100), count, rng)
    return np.vstack([make_matrix(rng, 50, missing=0.4), hard, *(np.full((1, width), one) for one in odd)])


def of_one_booster(booster: lgb.Booster, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Shapley values of the booster's margin as serving computes them."""
    _, leaves = read_leaf_paths(booster.model_to_string(), "booster")
    return np.array([sum(shapley_values(paths, readable(row)) for paths in leaves) for row in matrix])


def explained(booster: lgb.Booster, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same as LightGBM computes it."""
    return np.asarray(booster.predict(matrix, pred_contrib=True))[:, :-1]


@pytest.fixture(scope="module", params=["three boosters", "one booster", "segments"])
def trained(request: pytest.FixtureRequest) -> TrainedModels:
    """Return trained heads, whose intervals have boosters of their own, share one, or are calibrated by segment."""
    trained = make_trained(seed=11, shared=request.param == "one booster")
    if request.param != "segments":
        return trained
    return dataclasses.replace(trained, heads=(segmented(trained.head("churn")), trained.head("upsell")))


@pytest.fixture(scope="module")
def exported(trained: TrainedModels, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return the loaded bundle of *trained*."""
    folder = tmp_path_factory.mktemp("exact")
    tag = save_bundle(trained, trained_at=TRAINED_AT, store=folder, parity_rows=1_000, code="test")
    return load_bundle(find_bundle(tag, folder))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "settings",
    [
        {"trees": 1, "leaves": 2},
        {"trees": 12, "leaves": 8},
        {"trees": 12, "leaves": 8, "missing": 0.0},
        {"trees": 20, "leaves": 31},
        {"trees": 6, "leaves": 60, "max_depth": -1, "min_data_in_leaf": 1},
    ],
    ids=["stump", "small", "no missing values in training", "large", "deep"],
)
def test_a_boosters_reasons_are_those_of_lightgbm(settings: dict[str, float], seed: int) -> None:
    """On missing values, thresholds, zeros, infinities and extreme values `pred_contrib` is met to 1e-9."""
    booster = make_booster(np.random.default_rng(seed), **settings)  # type: ignore[arg-type]
    matrix = rows_for([booster], seed)
    np.testing.assert_allclose(
        of_one_booster(booster, matrix), explained(booster, matrix), rtol=0, atol=TOLERANCE
    )


def test_trees_that_do_not_split_give_no_reasons() -> None:
    """A booster of constant trees has a margin and nothing to explain."""
    booster = lgb.train(
        {"objective": "binary", "verbose": -1, "min_data_in_leaf": 999, "num_threads": 1},
        lgb.Dataset(np.random.default_rng(1).normal(size=(50, 3)), np.arange(50) % 3 == 0),
        3,
    )
    constant, leaves = read_leaf_paths(booster.model_to_string(), "booster")
    assert leaves == ()
    assert constant == pytest.approx(booster.predict(np.zeros((1, 3)), raw_score=True)[0], abs=1e-12)


def test_a_bundles_reasons_are_those_of_its_heads(exported: Bundle, trained: TrainedModels) -> None:
    """Put together over the intervals they equal what LightGBM gives, weighted as the export weights it."""
    head, days = trained.head("churn"), exported.manifest.score_horizon_days
    matrix = rows_for(list(head.boosters), 5)
    reasons = exact_reasons(exported)
    np.testing.assert_allclose(
        reasons.contributions(matrix), exact_contributions(head, days, matrix), rtol=0, atol=TOLERANCE
    )
    column = head.horizons_days.index(days)
    np.testing.assert_allclose(
        [reasons.probability(row) for row in matrix],
        head.probabilities(matrix)[:, column],
        rtol=0,
        atol=TOLERANCE,
    )
    assert len(reasons.boosters) == len({id(booster) for booster in head.boosters})


def test_a_score_with_exact_reasons_is_the_same_score(
    bundle: Bundle, make_rows: Callable[..., FeatureRows]
) -> None:
    """Only the reasons differ; the label says so, and every feature's part is told."""
    rows = make_rows(12, seed=4)
    usual = score_rows(rows, bundle, NOW)
    exactly = score_exactly(rows, bundle, NOW)
    contributions = exact_reasons(bundle).contributions(rows.matrix)
    names = [feature.name for feature in bundle.manifest.contract.model_features]
    for row, (one, other) in enumerate(zip(usual, exactly, strict=True)):
        assert not isinstance(one, UnknownAccount)
        assert not isinstance(other, UnknownAccount)
        assert other.signals_method == METHOD
        assert one.signals_method == "leaf_averaged_treeshap"
        reasons = {"raising": (), "lowering": (), "others": 0.0, "signals_method": "", "contributions": None}
        assert one.signals_base == other.signals_base is not None
        assert one._replace(**reasons) == other._replace(**reasons)
        assert other.contributions == pytest.approx(
            dict(zip(names, contributions[row], strict=True)), abs=1e-8
        )
        by_signal: dict[str, float] = {}
        for feature in bundle.manifest.contract.model_features:
            by_signal[feature.signal] = by_signal.get(feature.signal, 0.0) + other.contributions[feature.name]
        for signal in (*other.raising, *other.lowering):
            assert signal.contribution == pytest.approx(by_signal[signal.signal], abs=1e-4)
        assert other.raising == () or other.raising[0].signal == max(
            by_signal, key=lambda key: by_signal[key]
        )


def test_unknown_accounts_stay_unknown(bundle: Bundle, make_rows: Callable[..., FeatureRows]) -> None:
    """Reasons go to the accounts that they belong to, also beside accounts of which nothing is known."""
    rows = make_rows(3)
    whole = score_exactly(rows, bundle, NOW)
    rows.known[1] = False
    partly = score_exactly(rows, bundle, NOW)
    assert [partly[0], partly[2]] == [whole[0], whole[2]]
    assert isinstance(partly[1], UnknownAccount)
    rows.known[:] = False
    assert all(isinstance(one, UnknownAccount) for one in score_exactly(rows, bundle, NOW))


@pytest.mark.parametrize("damage", ["no text", "cut text", "another model", "no calibrations"])
def test_a_bundle_that_can_not_tell_says_why(exported: Bundle, tmp_path: Path, damage: str) -> None:
    """Without its texts, with cut or foreign ones, or from an earlier release, a bundle gives no exact reasons."""
    copy = tmp_path / "copy"
    shutil.copytree(exported.path, copy)
    text = copy / "boosters" / "churn_30d.txt"
    if damage == "no text":
        text.unlink()
    elif damage == "cut text":
        text.write_text(text.read_text()[: text.stat().st_size // 2])
    elif damage == "another model":
        shutil.copy(copy / "boosters" / "upsell_30d.txt", text)
    else:
        manifest = json.loads((copy / "manifest.json").read_text())
        del manifest["heads"][0]["calibrations"]
        (copy / "manifest.json").write_text(json.dumps(manifest))
    says = {"another model": "another model than its graph", "no calibrations": "no calibrations"}
    with pytest.raises(ExactReasonsUnavailable, match=says.get(damage, "churn_30d.txt")):
        exact_reasons(load_bundle(copy))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("num_tree_per_iteration=1", "num_tree_per_iteration=3"), "one margin"),
        (("num_cat=0", "num_cat=1"), "tree 0 .*categorical"),
        (("decision_type=2", "decision_type=6"), "tree 0 .*zero as missing"),
        (("leaf_count=", "leaf_counts="), "tree 0 .*leaf_count"),
    ],
)
def test_trees_of_another_kind_are_refused(change: tuple[str, str], message: str) -> None:
    """What the graph could not say either is named with its tree."""
    text = make_booster(np.random.default_rng(0), trees=1, leaves=2, missing=0.0).model_to_string()
    assert change[0] in text
    with pytest.raises(BundleError, match=message):
        read_leaf_paths(text.replace(change[0], change[1], 1), "booster")


def test_exact_reasons_need_no_lightgbm() -> None:
    """Serving explains exactly without importing LightGBM or what reads its models."""
    code = (
        "import serving.scoring.exact, sys; sys.exit(bool({'lightgbm', 'onnx', 'shap'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""A bundle is stored whole or not at all, and says of itself what training said."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import math
import os
import shutil
from typing import TYPE_CHECKING, Never

import lightgbm as lgb
import numpy as np
import pytest

from serving.bundle.loader import load_bundle
from serving.bundle.store import describe_bundle, find_bundle, list_bundles
from tests.training.export.small_models import TRAINED_AT, make_matrix, make_trained
from training.export import bundle as export
from training.export.errors import ExportError, ParityError
from training.export.trees import read_trees

if TYPE_CHECKING:
    from pathlib import Path

    from training.export.bundle import ExportedBundle

ROWS = 2_000


@pytest.fixture(scope="module")
def exported() -> ExportedBundle:
    """Return the files of one export."""
    return export.export_bundle(make_trained(), trained_at=TRAINED_AT, parity_rows=ROWS, code="1.0+test")


def everything(folder: Path) -> list[Path]:
    """Return all files below *folder*."""
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def test_a_stored_bundle_holds_graph_boosters_manifest_and_card(
    exported: ExportedBundle, tmp_path: Path
) -> None:
    """All files stand in BentoML's store, and labels and metadata can be read without BentoML."""
    tag = export.store_bundle(exported, tmp_path / "models")
    path = find_bundle(tag, tmp_path / "models")
    names = {file.relative_to(path).as_posix() for file in everything(path)}
    boosters = {f"boosters/{head}_{days}d.txt" for head in ("churn", "upsell") for days in (30, 60, 90)}
    assert {"bundle.onnx", "manifest.json", "card.html", "card.md", "model.yaml"} | boosters == names
    stored = describe_bundle(path)
    assert stored.tag == tag
    assert stored.labels["synthetic"] == "true"
    assert stored.metadata["feature_contract"] == exported.manifest.contract_hash
    assert stored.metadata["test_roc_auc"] == {"churn_90d": 0.81, "upsell_90d": 0.81}


def test_bentoml_itself_finds_the_bundle(exported: ExportedBundle, tmp_path: Path) -> None:
    """The store that is written is one that BentoML reads."""
    from bentoml._internal.models import ModelStore  # noqa: PLC0415 -- slow to import

    tag = export.store_bundle(exported, tmp_path)
    assert str(ModelStore(tmp_path).get("keepgrow:latest").tag) == tag


def test_the_manifest_is_json_and_says_what_training_said(exported: ExportedBundle) -> None:
    """NaN becomes null, explanations are measured, and heads carry definitions and thresholds."""
    manifest = json.loads(exported.files["manifest.json"])
    assert manifest["metrics"]["odd"] is None
    assert manifest["metrics"]["explanations"]["mean_cosine"] > 0.8
    assert manifest["metrics"]["explanations"]["largest_sum_error"] < 1e-5
    assert manifest["metrics"]["explanations"]["largest_additivity_error"] < 1e-6
    base = manifest["heads"][0]["contributions_base"]
    assert base["probability"] == pytest.approx(1 / (1 + math.exp(-base["log_odds"])), abs=1e-12)
    assert manifest["heads"][1]["contributions_base"] is None
    assert manifest["heads"][0]["thresholds"] == {"30d": 0.2, "60d": 0.25, "90d": 0.31}
    assert manifest["heads"][0]["definition"] == make_trained().definitions.sentence("churn")
    assert manifest["parity"]["rows"] >= ROWS
    assert manifest["parity"]["max_abs_difference"] < 1e-12
    assert manifest["provenance"]["code_version"] == "1.0+test"
    assert "lightgbm" in manifest["provenance"]["libraries"]
    assert manifest["graph_hash"] == f"sha256:{hashlib.sha256(exported.files['bundle.onnx']).hexdigest()}"


def test_a_stored_booster_is_the_trained_one(exported: ExportedBundle) -> None:
    """The LightGBM text loads to the same margins."""
    trained = make_trained()
    loaded = lgb.Booster(model_str=exported.files["boosters/churn_60d.txt"].decode())
    matrix = make_matrix(np.random.default_rng(0), 100)
    assert np.array_equal(loaded.predict(matrix), trained.heads[0].boosters[1].predict(matrix))
    assert len(read_trees(loaded)) == len(read_trees(trained.heads[0].boosters[1]))


def test_the_same_training_exports_the_same_bytes(exported: ExportedBundle) -> None:
    """An export depends on nothing but its arguments."""
    again = export.export_bundle(make_trained(), trained_at=TRAINED_AT, parity_rows=ROWS, code="1.0+test")
    assert again.files == exported.files


def test_a_shared_booster_scores_like_the_head(tmp_path: Path) -> None:
    """A head whose intervals share one booster comes through store and loader unchanged."""
    trained = make_trained(seed=9, shared=True)
    tag = export.save_bundle(trained, trained_at=TRAINED_AT, store=tmp_path, parity_rows=ROWS)
    matrix = make_matrix(np.random.default_rng(0), 200)
    outputs = load_bundle(find_bundle(tag, tmp_path)).run(matrix, contributions=False)
    assert np.abs(outputs.probabilities["churn"] - trained.heads[0].probabilities(matrix)).max() < 1e-12


def test_a_refused_export_leaves_the_store_as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """When parity fails, nothing is stored."""

    def differ(*_args: object, **_kwargs: object) -> Never:
        raise ParityError("head 'churn' differs")

    monkeypatch.setattr(export, "check_parity", differ)
    with pytest.raises(ParityError):
        export.save_bundle(make_trained(), trained_at=TRAINED_AT, store=tmp_path / "models", parity_rows=ROWS)
    assert everything(tmp_path) == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_save_leaves_no_half_bundle(
    exported: ExportedBundle,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    interruption: type[BaseException],
) -> None:
    """Ctrl-C or a full disk while files are copied leaves the earlier bundle, and `latest` on it."""
    first = export.store_bundle(exported, tmp_path)
    before = everything(tmp_path)
    copy = shutil.copytree

    def copy_then_stop(*args: object, **options: object) -> Never:
        copy(*args, **options)
        raise interruption

    monkeypatch.setattr(shutil, "copytree", copy_then_stop)
    with pytest.raises(interruption):
        export.store_bundle(exported, tmp_path)
    assert everything(tmp_path) == before
    assert [bundle.tag for bundle in list_bundles(tmp_path)] == [first]


def test_usage_reporting_is_off(exported: ExportedBundle, tmp_path: Path) -> None:
    """Saving switches BentoML's usage reporting off unless the environment says otherwise."""
    export.store_bundle(exported, tmp_path)
    assert os.environ["BENTOML_DO_NOT_TRACK"] == "True"


def test_a_background_of_another_width_or_a_naive_time_is_refused() -> None:
    """What would make a bundle that lies is refused before anything is exported."""
    trained = make_trained()
    narrow = dataclasses.replace(trained, background=trained.background[:, :-1])
    with pytest.raises(ExportError, match="10 model features"):
        export.export_bundle(narrow, trained_at=TRAINED_AT)
    with pytest.raises(ExportError, match="no time zone"):
        export.export_bundle(trained, trained_at=dt.datetime(2026, 3, 1))  # noqa: DTZ001 -- that is the point


def test_an_unknown_threshold_is_left_out(tmp_path: Path) -> None:
    """A threshold that could not be chosen (NaN) does not make a manifest that cannot be read back."""
    trained = dataclasses.replace(
        make_trained(), thresholds={"churn": {"30d": float("nan"), "90d": 0.4}, "upsell": {}}
    )
    tag = export.save_bundle(trained, trained_at=TRAINED_AT, store=tmp_path, parity_rows=ROWS)
    assert load_bundle(find_bundle(tag, tmp_path)).manifest.head("churn").thresholds == {"90d": 0.4}

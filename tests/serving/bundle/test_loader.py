"""A bundle that does not fit itself is refused when it is loaded, with what is wrong."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import helper

from feature_repo.contract import FeatureContract
from serving.bundle.loader import load_bundle
from serving.bundle.manifest import hash_of
from serving.bundle.store import find_bundle
from serving.errors import BundleError
from tests.training.export.small_models import N_FEATURES, make_matrix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from training.trained import TrainedModels

    Change = Callable[[Any], object]


@pytest.fixture
def path(store: Path, tmp_path: Path) -> Path:
    """Return a copy of a stored bundle that a test may spoil."""
    shutil.copytree(find_bundle("keepgrow", store), tmp_path / "bundle")
    return tmp_path / "bundle"


def edit_manifest(path: Path, change: Change) -> None:
    """Change the manifest's JSON, keeping the contract's hash right."""
    file = path / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    manifest["contract_hash"] = FeatureContract.model_validate(manifest["contract"]).hash
    file.write_text(json.dumps(manifest))


def edit_graph(path: Path, change: Change) -> None:
    """Change the ONNX graph, and let the manifest tell the hash of what came of it."""
    model = onnx.load(path / "bundle.onnx")
    change(model)
    onnx.save(model, path / "bundle.onnx")
    graph_hash = hash_of((path / "bundle.onnx").read_bytes())
    edit_manifest(path, lambda manifest: manifest.update(graph_hash=graph_hash))


def test_a_loaded_bundle_gives_the_trained_probabilities(store: Path, trained: TrainedModels) -> None:
    """Through store and loader, probabilities are LightGBM's."""
    bundle = load_bundle(find_bundle("keepgrow", store))
    bundle.warm_up()
    matrix = make_matrix(np.random.default_rng(1), 300)
    outputs = bundle.run(matrix, contributions=True)
    for head in trained.heads:
        assert np.abs(outputs.probabilities[head.name] - head.probabilities(matrix)).max() < 1e-12
    assert outputs.contributions.shape == (300, N_FEATURES)
    assert bundle.tag.startswith("keepgrow:")


def test_a_tag_does_for_a_path(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle can be loaded by tag from BentoML's own store."""
    monkeypatch.setenv("BENTOML_HOME", str(store.parent))
    (store.parent / "models").symlink_to(store) if store.name != "models" else None
    assert load_bundle("keepgrow:latest").path.name == find_bundle("keepgrow", store).name


def test_chunks_are_seamless(store: Path) -> None:
    """However many rows are cut into chunks, each row's answer is its own; no rows give empty answers."""
    bundle = load_bundle(find_bundle("keepgrow", store))
    matrix = make_matrix(np.random.default_rng(2), bundle.chunk_rows + 3)
    whole = bundle.run(matrix, contributions=False).probabilities["churn"]
    assert np.array_equal(whole[-5:], bundle.run(matrix[-5:], contributions=False).probabilities["churn"])
    empty = bundle.run(matrix[:0], contributions=True)
    assert empty.probabilities["churn"].shape == (0, 3)
    assert empty.contributions.shape == (0, N_FEATURES)


def test_contributions_are_only_given_when_asked_for(store: Path) -> None:
    """Without contributions there are none, and probabilities are the same."""
    bundle = load_bundle(find_bundle("keepgrow", store))
    matrix = make_matrix(np.random.default_rng(3), 5)
    bare = bundle.run(matrix, contributions=False)
    assert bare.contributions is None
    assert np.array_equal(
        bare.probabilities["upsell"], bundle.run(matrix, contributions=True).probabilities["upsell"]
    )


def test_a_matrix_of_another_width_is_refused(store: Path) -> None:
    """The number of columns is checked before the graph sees them."""
    with pytest.raises(ValueError, match="10 columns"):
        load_bundle(find_bundle("keepgrow", store)).run(np.zeros((2, 9)), contributions=False)


def test_missing_and_damaged_files_are_named(path: Path) -> None:
    """No manifest, broken JSON, no graph and a broken graph each say which file."""
    with pytest.raises(BundleError, match=r"has no manifest\.json"):
        load_bundle(path.parent)
    edit_manifest(path, lambda manifest: manifest.pop("graph_hash"))
    good = (path / "bundle.onnx").read_bytes()
    (path / "bundle.onnx").write_bytes(good[: len(good) // 2])
    with pytest.raises(BundleError, match="can't open it"):
        load_bundle(path)
    (path / "bundle.onnx").unlink()
    with pytest.raises(BundleError, match=r"has no bundle\.onnx"):
        load_bundle(path)
    (path / "manifest.json").write_text("{")
    with pytest.raises(BundleError, match="not readable as JSON"):
        load_bundle(path)


def test_a_graph_that_was_changed_after_export_is_not_served(path: Path) -> None:
    """One other bit is refused by the manifest's hash; a bundle of a release that wrote none still loads."""
    model = onnx.load(path / "bundle.onnx")
    model.doc_string = "changed"
    onnx.save(model, path / "bundle.onnx")
    with pytest.raises(BundleError, match=r"bundle\.onnx: is not the graph that was exported"):
        load_bundle(path)
    edit_manifest(path, lambda manifest: manifest.pop("graph_hash"))
    assert load_bundle(path).manifest.graph_hash is None


def test_another_schema_version_is_refused(path: Path) -> None:
    """A manifest of the future is refused by its version, before anything else is read."""
    edit_manifest(path, lambda manifest: manifest.update(schema_version=2, novelty=1))
    with pytest.raises(BundleError, match="schema_version is 2; this release reads 1"):
        load_bundle(path)


def test_a_contract_that_is_not_the_hashed_one_is_refused(path: Path) -> None:
    """Any change to the contract after training shows in its hash."""
    file = path / "manifest.json"
    file.write_text(file.read_text().replace('"limit_seconds": 172800', '"limit_seconds": 172801', 1))
    with pytest.raises(BundleError, match="contract_hash is not the hash of contract"):
        load_bundle(path)


def test_swapped_features_are_named(path: Path) -> None:
    """If contract and graph differ in order, the first column that differs is named with both features."""

    def swap(manifest: dict[str, Any]) -> None:
        features = manifest["contract"]["features"]
        features[0], features[1] = features[1], features[0]

    edit_manifest(path, swap)
    with pytest.raises(BundleError, match=r"column 0 of the graph is 'logins_7d'.*'logins_28d_ratio'"):
        load_bundle(path)


def test_a_feature_too_many_or_too_few_is_named(path: Path) -> None:
    """A feature that only one side knows is named."""
    edit_manifest(path, lambda manifest: manifest["contract"]["features"].pop(9))
    with pytest.raises(BundleError, match="without a partner is 'adoption_ratio'"):
        load_bundle(path)

    def add(manifest: dict[str, Any]) -> None:
        feature = dict(manifest["contract"]["features"][0])
        manifest["contract"]["features"] += [
            {**feature, "name": "adoption_ratio"},
            {**feature, "name": "novelty"},
        ]

    edit_manifest(path, add)
    with pytest.raises(BundleError, match="without a partner is 'novelty'"):
        load_bundle(path)


def test_encodings_must_fit_the_string_features(path: Path) -> None:
    """A string feature without encoding, or an encoding of no string feature, is named."""
    edit_manifest(
        path, lambda manifest: manifest["encodings"].append({"feature": "mrr", "categories": ["a"]})
    )
    with pytest.raises(BundleError, match="'mrr' has an encoding"):
        load_bundle(path)
    edit_manifest(path, lambda manifest: manifest["encodings"].clear())
    with pytest.raises(BundleError, match="'plan' has no encoding"):
        load_bundle(path)


def test_outputs_that_the_manifest_promises_must_be_there(path: Path) -> None:
    """A head whose output the graph lacks, or gives in another width, is named."""
    edit_manifest(path, lambda manifest: manifest["heads"][1].update(output="expansion"))
    with pytest.raises(BundleError, match="no output 'expansion'"):
        load_bundle(path)
    edit_manifest(path, lambda manifest: manifest["heads"][1].update(output="upsell", horizons_days=[30, 60]))
    with pytest.raises(BundleError, match=r"output 'upsell' is tensor.double. with 3 columns"):
        load_bundle(path)


def test_the_score_needs_its_horizon_and_reasons(path: Path) -> None:
    """A score horizon that the head lacks, and a head without contributions, are refused."""
    edit_manifest(path, lambda manifest: manifest.update(score_horizon_days=45))
    with pytest.raises(BundleError, match="no horizon of 45 days"):
        load_bundle(path)
    edit_manifest(path, lambda manifest: manifest["heads"][0].update(contributions_output=None))
    with pytest.raises(BundleError, match="can't give reasons"):
        load_bundle(path)


def test_a_graph_of_other_inputs_is_refused(path: Path) -> None:
    """The graph must take the manifest's one input, and the optional one that switches reasons off."""

    def drop_default(model: onnx.ModelProto) -> None:
        kept = [tensor for tensor in model.graph.initializer if tensor.name != "explain"]
        del model.graph.initializer[:]
        model.graph.initializer.extend(kept)

    edit_graph(path, drop_default)
    with pytest.raises(BundleError, match="needs inputs"):
        load_bundle(path)


def test_a_graph_that_names_no_features_is_refused(path: Path) -> None:
    """A graph without column names can't be checked, so it is not served."""
    edit_graph(path, lambda model: helper.set_model_props(model, {"trees": "5"}))
    with pytest.raises(BundleError, match=r"column 0 of the graph is ''"):
        load_bundle(path)

"""`keepgrow models` prints what stands in the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keepgrow.models import models_app
from serving.bundle.manifest import Manifest
from serving.errors import BundleError
from tests.training.export.small_models import TRAINED_AT, make_trained
from training.export.bundle import save_bundle


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a BentoML home with one bundle, and its tag."""
    folder = tmp_path_factory.mktemp("bentoml")
    tag = save_bundle(
        make_trained(), trained_at=TRAINED_AT, store=folder / "models", parity_rows=1_000, code="1.0+test"
    )
    return folder, tag


def run(home: Path, *words: str) -> str:
    """Return what `keepgrow models WORDS` prints on a wide terminal."""
    result = CliRunner().invoke(models_app, list(words), env={"BENTOML_HOME": str(home), "COLUMNS": "200"})
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_list_names_every_bundle_and_says_what_is_synthetic(home: tuple[Path, str]) -> None:
    """The list has tag, data set and test figures."""
    printed = run(home[0], "list")
    assert home[1] in printed
    assert "small world (synthetic)" in printed
    assert "churn_90d 0.810" in printed


def test_show_prints_labels_metadata_and_metrics_with_baselines(home: tuple[Path, str]) -> None:
    """One bundle is shown with labels, metadata, definitions, thresholds and every model's figures."""
    printed = run(home[0], "show", home[1])
    for expected in (
        "label synthetic",
        "metadata feature_contract",
        "1.0+test",
        "90d 0.310",
        "logistic regression",
    ):
        assert expected in printed
    assert "0.810 [0.78, 0.84]" in printed


def test_show_as_json_is_the_manifest(home: tuple[Path, str]) -> None:
    """The JSON is the manifest itself, for programs."""
    printed = json.loads(run(home[0], "show", "--json"))
    assert Manifest.model_validate(printed).provenance.dataset == "small world"


def test_card_prints_the_path_of_the_page(home: tuple[Path, str]) -> None:
    """The path leads to the bundle's HTML card."""
    page = Path(run(home[0], "card").replace("\n", ""))
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_an_empty_store_and_an_unknown_tag_are_said(tmp_path: Path, home: tuple[Path, str]) -> None:
    """An empty store is no failure of `list`; a tag that is not there is one of `show`."""
    assert "holds no bundle" in run(tmp_path, "list").replace("\n", " ")
    with pytest.raises(BundleError, match="keepgrow:nothere"):
        run(home[0], "show", "keepgrow:nothere")

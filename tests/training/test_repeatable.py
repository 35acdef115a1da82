"""Training is repeatable to the bit: equal data, definitions and seed give equal files."""

from __future__ import annotations

from feature_repo.tables.dataset import DatasetInfo
from tests.training import toy, toy_outlook
from tests.training.export.small_models import TRAINED_AT
from training.definitions import Definitions
from training.export.bundle import export_bundle
from training.settings import TrainingSettings
from training.train import train_on


def small_definitions():
    """Return the default definitions with few rounds."""
    values = toy.DEFINITIONS.model_dump()
    for stage in values["model"]["stages"]:
        stage["max_rounds"], stage["max_interval_rounds"] = 10, 2
    return Definitions.model_validate(values)


def exported():
    """Train on a small world and return the bundle's files by name."""
    rows = toy.world(accounts=60)
    trained = train_on(
        rows,
        toy.SPLIT,
        small_definitions(),
        dataset=DatasetInfo(name="toy"),
        seed=5,
        settings=TrainingSettings(num_threads=1, bootstrap_samples=20, background_rows=200, uplift_bags=2),
        sources=toy_outlook.sources(rows, draws=500),
    )
    return export_bundle(trained, trained_at=TRAINED_AT, parity_rows=200, code="1.0+test").files


def test_training_twice_gives_the_same_files_to_the_bit():
    """Graph, LightGBM texts, manifest and card are the same bytes, with intervals, trajectory and uplift in them."""
    one, again = exported(), exported()
    assert one.keys() == again.keys()
    assert [name for name in one if one[name] != again[name]] == []

"""Training is repeatable to the bit, in one go or interrupted, in any process: equal inputs give equal files."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from feature_repo.tables.dataset import DatasetInfo
from serving.bundle.manifest import BOOSTERS_FOLDER, GRAPH_FILE, MANIFEST_FILE, Manifest
from tests.training import toy, toy_outlook
from tests.training.export.small_models import TRAINED_AT
from training.definitions import Definitions
from training.export.bundle import export_bundle
from training.export.trees import read_trees
from training.identity import value_hash
from training.settings import TrainingSettings
from training.stages import Stages
from training.train import train_on
from training.tuning import Budget, Tuner

DRAWS = 1_000
"""Enough for uplift heads with trees."""
OTHER_PROCESS = (
    "import json\n"
    "from tests.training import test_repeatable as here\n"
    "print(json.dumps(here.digests(here.exported(here.trained()))))\n"
)


def small_definitions():
    """Return the default definitions with few rounds."""
    values = toy.DEFINITIONS.model_dump()
    for stage in values["model"]["stages"]:
        stage["max_rounds"], stage["max_interval_rounds"] = 10, 2
    return Definitions.model_validate(values)


def trained(stages=None, progress=lambda _: None):
    """Train on a small world, tuned, with everything that a bundle can have."""
    rows = toy.world(accounts=60)
    return train_on(
        rows,
        toy.SPLIT,
        small_definitions(),
        dataset=DatasetInfo(name="toy"),
        seed=5,
        settings=TrainingSettings(num_threads=1, bootstrap_samples=20, background_rows=200, uplift_bags=2),
        sources=toy_outlook.sources(rows, draws=DRAWS),
        tuning=Tuner(Budget(trials=2)),
        stages=stages,
        progress=progress,
    )


def exported(models):
    """Return the bundle's files by name."""
    return export_bundle(models, trained_at=TRAINED_AT, parity_rows=200, code="1.0+test").files


def digests(files):
    """Return a digest of each file, of the manifest that of all but what training cost; the card is made of it."""
    found = {
        name: value_hash(content.hex())
        for name, content in files.items()
        if name == GRAPH_FILE or name.startswith(BOOSTERS_FOLDER)
    }
    return found | {MANIFEST_FILE: Manifest.model_validate_json(files[MANIFEST_FILE]).content_hash}


@pytest.fixture(scope="module")
def whole():
    """Models that were trained in one go, and the digests of their files."""
    models = trained()
    return models, digests(exported(models))


def test_the_bundle_under_test_has_uplift_trees(whole):
    """Every uplift head of the bundle has trees, so that what follows is about them too."""
    heads = whole[0].outlook.effects.heads
    assert len(heads) == 4
    assert all(head.bags and len(read_trees(head.bags[0].plus)) > 1 for head in heads)


def test_another_process_with_another_hash_seed_makes_the_same_files(whole):
    """Graph, LightGBM texts and manifest are the same bits in a process whose sets and dicts are ordered otherwise."""
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS], env={**os.environ, "PYTHONHASHSEED": "12345"},
        check=True, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert json.loads(done.stdout) == whole[1]


def test_an_interrupted_training_goes_on_to_the_same_files(whole, tmp_path):
    """Stopped before its trajectory, a training makes only the rest when it is repeated, and the same bundle."""

    def stop(line):
        if line == "where health goes":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(Stages(tmp_path), stop)
    lines: list[str] = []
    models = trained(Stages(tmp_path, lines.append), lines.append)
    kept = [stage.name for stage in models.cost.stages if stage.kept]
    assert {
        "tuning, 2 trials", "churn head", "churn judgement", "upsell head", "upsell judgement",
        "slices and robustness", "uncertainty",
    } <= set(kept)  # fmt: skip
    assert [line for line in lines if "kept from before" in line] == [
        f"{one}: kept from before" for one in kept
    ]
    made = {stage.name for stage in models.cost.stages if not stage.kept}
    assert made == {"trajectory", "win-back", "uplift, retained", "uplift, expanded"}
    assert digests(exported(models)) == whole[1]


def test_a_finished_training_says_what_it_cost(whole):
    """The manifest names seconds of every stage, export included, and the most memory that the process held."""
    cost = Manifest.model_validate_json(exported(whole[0])[MANIFEST_FILE]).cost
    assert cost.stages[-1].name == "export"
    assert all(stage.seconds >= 0 for stage in cost.stages)
    assert cost.seconds > max(stage.seconds for stage in cost.stages)
    assert 50e6 < cost.peak_memory_bytes < 100e9
    assert cost.processor_seconds > 0

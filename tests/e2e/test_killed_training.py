"""`keepgrow train`, killed in its middle by SIGKILL, goes on where it was and makes the bundle of one that was not."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from keepgrow.up import truth_words
from serving.bundle.loader import read_manifest
from serving.bundle.manifest import BOOSTERS_FOLDER, GRAPH_FILE
from serving.bundle.store import find_bundle

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


def files_of(bundle: Path) -> dict[str, bytes]:
    """Return graph and LightGBM texts of a bundle."""
    paths = [bundle / GRAPH_FILE, *sorted((bundle / BOOSTERS_FOLDER).iterdir())]
    return {path.name: path.read_bytes() for path in paths}


def test_a_killed_training_goes_on_to_the_same_bundle(service, small_world, tmp_path):
    """Stages of before are not made again; graph, boosters and manifest are those of a training in one go."""
    stages, tag_file = service.workspace / "training", tmp_path / "tag.txt"
    made_in_one_go = find_bundle(
        (service.workspace / "model-tag.txt").read_text().strip(), service.place.root / "bentoml" / "models"
    )
    assert not stages.exists()
    extra = {
        "BENTOML_HOME": str(tmp_path / "bentoml"),
        "KEEPGROW_FEATURES_DIR": str((service.workspace / "features").resolve()),
        "KEEPGROW_REGISTRY": str((service.workspace / "registry.db").resolve()),
    }
    words = ("train", str(small_world), *truth_words(small_world), "--tag-file", str(tag_file))
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "keepgrow", *words], env={**service.place.env, **extra}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert any(line.strip().startswith("slices, gaps") for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not tag_file.exists()
    said = service.place.run(*words, extra=extra)
    for kept in ("churn head", "churn judgement", "upsell head", "upsell judgement"):
        assert f"{kept}: kept from before" in said
    assert "trajectory: kept from before" not in said
    assert "GB of memory at its peak" in said
    bundle = find_bundle(tag_file.read_text().strip(), tmp_path / "bentoml" / "models")
    assert files_of(bundle) == files_of(made_in_one_go)
    manifest, other = read_manifest(bundle), read_manifest(made_in_one_go)
    differing = {"cost": True, "provenance": {"trained_at"}}
    assert manifest.model_dump(exclude=differing) == other.model_dump(exclude=differing)
    assert manifest.content_hash == other.content_hash
    assert {stage.name for stage in manifest.cost.stages} == {stage.name for stage in other.cost.stages}
    assert not any(stage.kept for stage in other.cost.stages)
    assert not stages.exists()

"""`keepgrow retrain --promote` for real: it monitors, trains, asks the gates, and promotes or refuses what came out."""

from __future__ import annotations

import datetime as dt
import json
import shutil

import pytest
import yaml

from keepgrow.promotions import Promotion, champion_tag, read_history, record
from keepgrow.retrain import REFUSED
from serving.bundle.store import list_bundles
from tests.e2e.conftest import Place
from training.definitions import DEFAULT_FILE
from training.monitoring.limits import load_monitor_limits

pytestmark = pytest.mark.e2e


@pytest.fixture
def shop(place, small_world, service, tmp_path):
    """A store of its own whose champion is the service's bundle, over the service's features."""
    for name in ("models", "keepgrow-test-rows"):
        shutil.copytree(place.root / "bentoml" / name, tmp_path / "bentoml" / name)
    store = tmp_path / "bentoml" / "models"
    (store / "keepgrow" / "champion").unlink(missing_ok=True)
    tag = list_bundles(store)[0].tag
    now = dt.datetime.now(dt.UTC)
    record(store, Promotion(at=now, by="a test", tag=tag, replaces=None, decision="promoted"))
    extra = {
        "KEEPGROW_FEATURES_DIR": str(service.workspace / "features"),
        "KEEPGROW_REGISTRY": str(service.workspace / "registry.db"),
        "KEEPGROW_TRAINING_BOOTSTRAP_SAMPLES": "20",
        "KEEPGROW_TRAINING_UPLIFT_BAGS": "2",
        "COLUMNS": "300",
    }

    def retrain(*words, code):
        return Place(tmp_path).run("retrain", str(small_world), "--promote", *words, code=code, extra=extra)

    return store, tag, retrain


def written(path, values):
    """Write *values* as YAML and return the file's name."""
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return str(path)


def test_a_training_that_is_due_is_refused_or_promoted_by_the_gates(shop, tmp_path):
    """Heads of a single round are refused with exit code 4 and the champion stays; as good a bundle replaces it."""
    store, champion, retrain = shop
    unmeasured = {"refused_by": {"selection": [], "equal_opportunity": [], "calibration": []}}
    gates = written(tmp_path / "gates.yaml", {"fairness": unmeasured, "speed": {"max_ratio": 50}})
    due = written(
        tmp_path / "due.yaml",
        load_monitor_limits().model_dump()
        | {"max_psi": 1e-6, "min_features_beyond": 1, "min_days_between": 0, "samples": 40},
    )
    poor = yaml.safe_load(DEFAULT_FILE.read_text(encoding="utf-8"))
    poor["split"]["cutoff_every_days"] = 30
    for stage in poor["model"]["stages"]:
        stage["max_rounds"], stage["max_interval_rounds"] = 1, 0
    poorly = written(tmp_path / "poor.yaml", poor)

    watched = tmp_path / "watch.json"
    words = ("--gates", gates, "--limits", due, "--json", str(watched))
    printed = retrain(*words, "--definitions", poorly, code=REFUSED)
    told = json.loads(watched.read_text(encoding="utf-8"))
    assert (told["model"], told["due"]) == (champion, True)
    assert f"{champion} champion stays" in printed
    assert champion_tag(store) == champion
    refused = read_history(store)[-1]
    assert (refused.decision, refused.replaces) == ("refused", champion)
    assert {gate["name"] for gate in refused.gates if gate["verdict"] == "refused"} & {
        "not worse", "outlook not worse", "calibrated",
    }  # fmt: skip

    printed = retrain(*words, code=0)
    newest = list_bundles(store)[0].tag
    assert f"promoted {newest}, replacing {champion}" in printed
    assert champion_tag(store) == newest
    last = read_history(store)[-1]
    assert (last.decision, last.tag, last.replaces) == ("promoted", newest, champion)
    notes = {gate["note"] for gate in last.gates if gate["name"] in {"outlook not worse", "uplift not worse"}}
    assert any(champion in note for note in notes)
    assert any(note.startswith("paired on") for note in notes)
    assert [bundle.tag for bundle in list_bundles(store)][1:] == [refused.tag, champion]

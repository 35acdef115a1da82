"""The road on data that this project did not make: two years of a simulated B2B CRM product by ChurnSim."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.e2e.conftest import Place

pytestmark = [pytest.mark.e2e, pytest.mark.shared_data]

LEAST_ROC_AUC = {
    "churn": {"30d": 0.752, "60d": 0.728, "90d": 0.673},
    "upsell": {"30d": 0.920, "60d": 0.892, "90d": 0.871},
}
"""What a quick LightGBM on as-of features reached; trained on cutoffs up to 2023-03, tested from 2023-07."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A home and a model store for this data set."""
    return Place(tmp_path_factory.mktemp("churnsim"))


@pytest.fixture(scope="module")
def tables(place, shared_data):
    """ChurnSim as raw tables."""
    dest = place.root / "churnsim"
    place.run("import", "churnsim", str(shared_data / "churnsim_crm5"), str(dest))
    return dest


@pytest.fixture(scope="module")
def workspace(place, tables):
    """Features, online store and a bundle, made by `keepgrow up`."""
    place.run("up", "--data", str(tables), "--prepare-only")
    return next((place.root / "home").glob("*/account-ids.txt")).parent


def test_heads_rank_later_accounts_at_least_as_well_as_the_reference(place, tables, workspace):
    """On test cutoffs from July 2023, ROC AUC is no worse than the published figures, and the card says the split."""
    tag_file = place.root / "tag.txt"
    env = {
        "KEEPGROW_FEATURES_DIR": str(workspace / "features"),
        "KEEPGROW_REGISTRY": str(workspace / "registry.db"),
    }
    place.run("train", str(tables), "--test-from", "2023-07-01", "--tag-file", str(tag_file), extra=env)
    manifest = json.loads(place.run("models", "show", tag_file.read_text().strip(), "--json"))
    assert manifest["window"]["train"][1] <= "2023-04-01"
    assert manifest["window"]["test"][0] >= "2023-07-01"
    for head, horizons in LEAST_ROC_AUC.items():
        for horizon, least in horizons.items():
            figure = manifest["metrics"]["heads"][head]["horizons"][horizon]["models"]["keepgrow"]["metrics"][
                "roc_auc"
            ]
            assert figure["value"] >= least, f"{head} {horizon}: {figure}"
            assert figure["low"] < figure["value"] < figure["high"]


def test_accounts_without_tickets_or_consent_are_scored_but_not_approached(place, tables, workspace):
    """What the data set lacks is null: scores are given, and no action is proposed on channels without consent."""
    assert (workspace / "model-tag.txt").exists()
    with place.up("--data", str(tables)) as service:
        account = service.account_ids()[0]
        score = httpx.post(f"{service.url}/v1/score", json={"account_id": account}).json()
        assert 0 <= score["churn_risk_score"] <= 100
        body = {"account_id": account, "surface": "in_app"}
        decision = httpx.post(f"{service.url}/v1/next-best-action", json=body).json()
        assert decision["action"] is None
        assert decision["refused"]

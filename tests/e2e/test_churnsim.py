"""The road on data that this project did not make: two years of a simulated B2B CRM product by ChurnSim."""

from __future__ import annotations

import datetime as dt
import json

import duckdb
import httpx
import pytest
import redis

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
def env(place, valkey_url):
    """Features, registry and an online store of this data set's own."""
    url = valkey_url.removesuffix("/0") + "/13"
    yield {
        "KEEPGROW_FEATURES_DIR": str(place.root / "features"),
        "KEEPGROW_REGISTRY": str(place.root / "registry.db"),
        "REDIS_URL": url,
    }
    with redis.Redis.from_url(url) as client:
        client.flushdb()


@pytest.fixture(scope="module")
def end(place, tables, env):
    """The time up to which features are built and in the online store."""
    features = env["KEEPGROW_FEATURES_DIR"]
    place.run("features", "build", str(tables), features, extra=env)
    newest = f"SELECT max(event_timestamp) FROM '{features}/usage/*.parquet'"  # noqa: S608 -- a path of this test
    with duckdb.connect() as con:
        ((time,),) = con.execute(newest).fetchall()
    until = time.astimezone(dt.UTC).isoformat()
    place.run("materialize", "--apply", until, extra=env)
    return until


@pytest.fixture(scope="module")
def tag(place, tables, env, end):
    """The tag of a bundle whose test cutoffs are from July 2023."""
    assert end >= "2023-12"
    file = place.root / "tag.txt"
    place.run("train", str(tables), "--test-from", "2023-07-01", "--tag-file", str(file), extra=env)
    return file.read_text().strip()


def test_heads_rank_later_accounts_at_least_as_well_as_the_reference(place, tag):
    """On test cutoffs from July 2023, ROC AUC is no worse than the published figures, and the card says the split."""
    manifest = json.loads(place.run("models", "show", tag, "--json"))
    assert manifest["window"]["train"][1] <= "2023-04-01"
    assert manifest["window"]["test"][0] >= "2023-07-01"
    for head, horizons in LEAST_ROC_AUC.items():
        for horizon, least in horizons.items():
            figure = manifest["metrics"]["heads"][head]["horizons"][horizon]["models"]["keepgrow"]["metrics"][
                "roc_auc"
            ]
            assert figure["value"] >= least, f"{head} {horizon}: {figure}"
            assert figure["low"] < figure["value"] < figure["high"]


def test_accounts_without_tickets_or_consent_are_scored_but_not_approached(place, tables, env, end, tag):
    """What the data set lacks is null: scores are given, and no action is proposed on channels without consent."""
    profiles = f"'{env['KEEPGROW_FEATURES_DIR']}/profile/*.parquet'"
    newest = f"SELECT arg_max(account_id, event_timestamp) FROM {profiles} WHERE has_active_subscription"  # noqa: S608 -- a path of this test
    with duckdb.connect() as con:
        ((account,),) = con.execute(newest).fetchall()
    served = {
        "KEEPGROW_MODEL": tag,
        "KEEPGROW_CLOCK_START": end,
        "KEEPGROW_CATALOGUE": str(tables / "catalogue.yaml"),
        "LEDGER_URL": f"sqlite:///{place.root / 'ledger.db'}",
    }
    with place.serving(env | served) as url:
        score = httpx.post(f"{url}/v1/score", json={"account_id": account}).json()
        assert 0 <= score["churn_risk_score"] <= 100
        body = {"account_id": account, "surface": "in_app"}
        decision = httpx.post(f"{url}/v1/next-best-action", json=body).json()
        assert decision["action"] is None
        assert decision["refused"]

"""Opt-in views on the whole road: tables, features, a training that asks for them, and a score with a pushed value."""

from __future__ import annotations

import datetime as dt
import json
import shutil

import duckdb
import httpx
import pyarrow.dataset as ds
import pytest
import redis
import yaml

from feature_repo.pipeline.views import view
from keepgrow.retrain import views_read_by
from serving.bundle.loader import read_manifest
from serving.bundle.store import find_bundle
from serving.decisions.policy.fields import fields_of
from tests.feature_repo.feast.random_features import row
from training.definitions import load_definitions

pytestmark = pytest.mark.e2e

END = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
ROUGH = {"KEEPGROW_TRAINING_BOOTSTRAP_SAMPLES": "20", "KEEPGROW_TRAINING_UPLIFT_BAGS": "2"}
"""Enough for a bundle whose figures nobody reads."""

UPDATES = """
WITH paid AS (
  SELECT account_id, min(started_at) AS began, max(coalesce(ended_at, TIMESTAMPTZ '2100-01-01')) AS ended
  FROM '{raw}/subscriptions/*.parquet' GROUP BY ALL
), told AS (
  SELECT account_id, began + INTERVAL 20 DAY AS known_at, 'granted' AS approval FROM paid
  UNION ALL
  SELECT account_id, ended - INTERVAL 50 DAY, 'refused' FROM paid
  WHERE ended < TIMESTAMPTZ '2100-01-01' AND hash(account_id) % 10 < 7 AND ended > began + INTERVAL 80 DAY
  UNION ALL
  SELECT account_id, began + INTERVAL 200 DAY, 'refused' FROM paid WHERE hash(account_id) % 17 = 0
)
SELECT account_id || '/' || approval || '/' || known_at AS update_id, account_id, known_at, approval,
       if(approval = 'refused', 'abandoned', 'ordered') AS stage, DATE '2025-04-01' AS budget_starts_on
FROM told WHERE known_at < TIMESTAMPTZ '2026-07-01'
"""
"""Most accounts that leave were refused the spending 50 days before, and some that stay were too."""

SIGNALS = """
SELECT 's' || day AS signal_id, TIMESTAMPTZ '2025-06-01' + to_days(day::INT) AS known_at,
       ['market', 'competitor', 'regulation', 'economy'][1 + day % 4] AS kind, 'region' AS scope,
       ['europe', 'north_america', 'asia_pacific'][1 + day % 3] AS scope_id, sin(day) AS level
FROM range(0, 380, 7) days(day)
"""


@pytest.fixture(scope="module")
def tables(small_world, tmp_path_factory):
    """The small synthetic world with two made tables beside its own."""
    raw = tmp_path_factory.mktemp("opt-in") / "raw"
    shutil.copytree(small_world, raw)
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    for name, query in (("procurement_updates", UPDATES), ("external_signals", SIGNALS)):
        con.execute(f"COPY ({query.format(raw=raw)}) TO '{raw}/{name}.parquet'")
    return raw


@pytest.fixture(scope="module")
def env(service, tables, valkey_url):
    """Features of the world as they were built without the tables, and a registry, stores and models of their own."""
    folder = tables.parent
    shutil.copytree(service.workspace / "features", folder / "features")
    url = valkey_url.removesuffix("/0") + "/12"
    yield {
        **ROUGH,
        "BENTOML_HOME": str(folder / "bentoml"),
        "KEEPGROW_FEATURES_DIR": str(folder / "features"),
        "KEEPGROW_REGISTRY": str(folder / "registry.db"),
        "REDIS_URL": url,
    }
    with redis.Redis.from_url(url) as client:
        client.flushdb()


@pytest.fixture(scope="module")
def bundle(place, tables, env):
    """The tag and the manifest of a bundle that learnt from both views."""
    features, tag_file = env["KEEPGROW_FEATURES_DIR"], tables.parent / "tag.txt"
    said = place.run("features", "build", str(tables), features, extra=env)
    assert said.count("first build") == 2
    assert said.count("nothing new") == 8
    place.run("materialize", "--apply", END.isoformat(), extra=env)
    quick = load_definitions().model_dump(mode="json")
    quick["split"]["cutoff_every_days"] = 30
    quick["model"]["stages"] = quick["model"]["stages"][:1]
    definitions = tables.parent / "quick.yaml"
    definitions.write_text(yaml.safe_dump(quick))
    words = ("train", str(tables), "--definitions", str(definitions), "--with-views", "external,procurement")
    place.run(*words, "--tag-file", str(tag_file), extra=env)
    tag = tag_file.read_text().strip()
    return tag, read_manifest(find_bundle(tag, tables.parent / "bentoml" / "models"))


@pytest.fixture(scope="module")
def url(place, env, bundle, tables):
    """The service over that bundle."""
    extra = {
        "KEEPGROW_MODEL": bundle[0],
        "KEEPGROW_CLOCK_START": (END + dt.timedelta(minutes=10)).isoformat(),
        "KEEPGROW_CATALOGUE": str(tables / "catalogue.yaml"),
        "LEDGER_URL": f"sqlite:///{tables.parent / 'ledger.db'}",
    }
    with place.serving(env | extra) as running:
        yield running


def test_the_bundle_learnt_from_what_was_asked_for_and_says_so(bundle):
    """The contract names the service and its ten views, the new features weigh, and policy may speak of the stage."""
    manifest = bundle[1]
    assert manifest.contract.feature_service == "keepgrow_v1_with_procurement_external"
    assert [one.name for one in manifest.contract.views][-2:] == ["procurement", "external"]
    assert len(manifest.contract.views) == 10
    importance = manifest.metrics["heads"]["churn"]["importance"]
    assert max(importance, key=importance.get) in {feature.name for feature in view("procurement").features}
    assert "external" not in manifest.metrics["ablations"]["absent"]
    assert "procurement_stage" in fields_of(manifest)


def test_a_later_training_keeps_to_what_the_bundle_in_use_reads(bundle, env, monkeypatch):
    """`keepgrow retrain` asks for the views of the bundle in use; without a bundle there are none to keep to."""
    monkeypatch.setenv("BENTOML_HOME", env["BENTOML_HOME"])
    assert views_read_by(bundle[0]) == "procurement,external"
    assert views_read_by("keepgrow:nosuchbundle") is None


def test_what_is_served_is_what_was_built(place, env, url, service, bundle, tables):
    """The service and the batch say the same of every account, of which most have signals of both views."""
    out = tables.parent / "scores"
    words = ("score", "--as-of", "2026-06-30", "--out", str(out), "--features", env["KEEPGROW_FEATURES_DIR"])
    catalogue = {"KEEPGROW_CATALOGUE": str(tables / "catalogue.yaml")}
    place.run(*words, extra=env | catalogue | {"KEEPGROW_MODEL": bundle[0]})
    batch = {one["account_id"]: one for one in ds.dataset(out, format="parquet").to_table().to_pylist()}
    ids = service.account_ids()[:200]
    for score in httpx.post(f"{url}/v1/score", json={"account_ids": ids}).json()["scores"]:
        assert set(score["evidence"]["views"]) >= {"procurement", "external"}
        expected = batch[score["account_id"]]["churn_probability_90d"]
        assert score["churn_probability"]["90d"] == pytest.approx(expected, abs=1e-6)


def test_a_pushed_value_is_scored_at_once(place, env, url, service, tables):
    """An approval that has just been refused raises the churn probability, and is said to."""
    features, rows = env["KEEPGROW_FEATURES_DIR"], tables.parent / "pushed.jsonl"
    newest = f"'{features}/procurement/2026-06.parquet'"
    query = (
        f"SELECT min(account_id) FROM {newest} WHERE approvals_refused_365d = 0 AND account_id IN ? "  # noqa: S608 - a path of this test
        f"AND event_timestamp = (SELECT max(event_timestamp) FROM {newest})"
    )
    with duckdb.connect() as con:
        ((account,),) = con.execute(query, [service.account_ids()]).fetchall()
    before = httpx.post(f"{url}/v1/score", json={"account_id": account}).json()
    later = END + dt.timedelta(minutes=5)
    told = row(
        view("procurement"), account, later,
        days_to_next_budget_start=274, procurement_stage="abandoned", procurement_stage_rank=0,
        days_in_procurement_stage=0, approval_pending=False, approvals_refused_365d=1,
    )  # fmt: skip
    rows.write_text(json.dumps(told | {"event_timestamp": later.isoformat()}) + "\n")
    place.run("push", "procurement_push", str(rows), extra=env)
    after = httpx.post(f"{url}/v1/score", json={"account_id": account}).json()
    assert after["churn_probability"]["30d"] > before["churn_probability"]["30d"]
    as_of = after["evidence"]["views"]["procurement"]["as_of"]
    assert dt.datetime.fromisoformat(as_of) == later
    assert "approval" in {one["signal"] for one in after["signals"]["raising"]}

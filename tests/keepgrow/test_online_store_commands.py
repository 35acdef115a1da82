"""`keepgrow apply`, `materialize`, `push` and `contract`, as commands."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys

import pytest
import redis
from typer.testing import CliRunner

from feature_repo.contract import FeatureContract
from feature_repo.pipeline.views import VIEWS, view
from keepgrow.__main__ import build_app
from keepgrow.valkey import running_valkey
from tests.feature_repo.feast.random_features import END, row, write_features


@pytest.fixture
def keepgrow(tmp_path, monkeypatch):
    """Return what runs `keepgrow WORDS` on a folder of features in a fresh home, without any `REDIS_URL`."""
    write_features(tmp_path / "features", ["a", "b"])
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("KEEPGROW_FEATURES_DIR", str(tmp_path / "features"))
    monkeypatch.setenv("KEEPGROW_REGISTRY", str(tmp_path / "registry.db"))

    def run(*words, stdin=""):
        return CliRunner().invoke(build_app(words[0]), [*words], input=stdin)

    return run


def test_the_road_to_the_online_store_by_commands(keepgrow, tmp_path):
    """Without REDIS_URL the embedded server holds what was materialized and pushed, also once restarted."""
    applied = keepgrow("apply")
    assert applied.exit_code == 0, applied.output
    assert f"in {len(VIEWS)} views" in applied.stdout
    materialized = keepgrow("materialize", END.isoformat())
    assert materialized.exit_code == 0, materialized.output
    assert [line.split()[0] for line in materialized.stdout.splitlines()] == [spec.name for spec in VIEWS]
    time = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    pushed = json.dumps(row(view("usage"), "c", time.isoformat(), storage_gb=1.5))
    assert "1 rows pushed" in keepgrow("push", "usage_push", "-", stdin="\ufeff" + pushed + "\n\n").stdout
    with running_valkey(tmp_path / "valkey") as url, redis.Redis.from_url(url) as client:
        assert len(list(client.scan_iter(b"*account_id*"))) == 3
    contract = keepgrow("contract")
    compiled = FeatureContract.model_validate_json(contract.stdout)
    assert contract.stderr.strip() == compiled.hash


def test_materialize_can_apply_first(keepgrow, valkey_url, monkeypatch):
    """`--apply` registers the definitions, and REDIS_URL chooses the server."""
    url = valkey_url.removesuffix("/0") + "/6"
    monkeypatch.setenv("REDIS_URL", url)
    done = keepgrow("materialize", "--apply", "2026-03-01")
    assert done.exit_code == 0, done.output
    with redis.Redis.from_url(url) as client:
        assert len(list(client.scan_iter(b"*account_id*"))) == 2
        client.flushdb()


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (("materialize", "tomorrow"), "", "is not an ISO time"),
        (("materialize", "2026-03-01"), "", "holds no feature views"),
        (("push", "usage_push", "-"), "{", "line 1"),
        (("push", "usage_push", "-"), "[]", "should be a JSON object"),
        (("push", "usage_push", "missing.jsonl"), "", "missing.jsonl: No such file"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_two(tmp_path, valkey_url, words, stdin, message):
    """What a user got wrong is said without a traceback."""
    settings = {"KEEPGROW_REGISTRY": str(tmp_path / "registry.db"), "REDIS_URL": valkey_url}
    done = subprocess.run(
        [sys.executable, "-m", "keepgrow", *words], env=os.environ | settings, input=stdin,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr

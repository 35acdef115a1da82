"""`keepgrow apply`, `materialize`, `push` and `contract`, as commands."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys

import pytest
import redis

from feature_repo.contract import FeatureContract
from feature_repo.pipeline.views import VIEWS, view
from keepgrow.valkey import running_valkey
from tests.feature_repo.feast.random_features import END, row, write_features


@pytest.fixture
def keepgrow(tmp_path):
    """Return what runs `keepgrow WORDS` on a folder of features in a fresh home, without any `REDIS_URL`."""
    write_features(tmp_path / "features", ["a", "b"])
    env = {name: value for name, value in os.environ.items() if not name.startswith(("KEEPGROW_", "REDIS_"))}
    env |= {
        "KEEPGROW_FEATURES_DIR": str(tmp_path / "features"),
        "KEEPGROW_REGISTRY": str(tmp_path / "registry.db"),
    }

    def run(*words, stdin="", **more):
        command = [sys.executable, "-m", "keepgrow", *words]
        return subprocess.run(
            command, env=env | more, input=stdin, capture_output=True, text=True, check=False, timeout=120
        )

    return run


def test_the_road_to_the_online_store_by_commands(keepgrow, tmp_path):
    """Without REDIS_URL the embedded server holds what was materialized and pushed, also once restarted."""
    applied = keepgrow("apply")
    assert applied.returncode == 0, applied.stderr
    assert f"in {len(VIEWS)} views" in applied.stdout
    materialized = keepgrow("materialize", END.isoformat())
    assert materialized.returncode == 0, materialized.stderr
    assert [line.split()[0] for line in materialized.stdout.splitlines()] == [spec.name for spec in VIEWS]
    time = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    pushed = json.dumps(row(view("usage"), "c", time.isoformat(), storage_gb=1.5))
    assert "1 rows pushed" in keepgrow("push", "usage_push", "-", stdin="\ufeff" + pushed + "\n\n").stdout
    with running_valkey(tmp_path / "valkey") as url, redis.Redis.from_url(url) as client:
        assert len(list(client.scan_iter(b"*account_id*"))) == 3
    contract = keepgrow("contract")
    compiled = FeatureContract.model_validate_json(contract.stdout)
    assert contract.stderr.strip() == compiled.hash


def test_materialize_can_apply_first(keepgrow, valkey_url):
    """`--apply` registers the definitions, and REDIS_URL chooses the server."""
    url = valkey_url.removesuffix("/0") + "/6"
    done = keepgrow("materialize", "--apply", "2026-03-01", REDIS_URL=url)
    assert done.returncode == 0, done.stderr
    with redis.Redis.from_url(url) as client:
        assert client.dbsize() == 3
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
def test_a_mistake_is_one_sentence_and_exit_code_two(keepgrow, valkey_url, words, stdin, message):
    """What a user got wrong is said without a traceback."""
    done = keepgrow(*words, stdin=stdin, REDIS_URL=valkey_url.removesuffix("/0") + "/7")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr

"""Fixtures for every test: a real online store, and the data sets that are not part of this repository."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import prometheus_client.values  # before Feast, which on import makes the client of the whole process count in files
import pytest
import redis

from keepgrow.processes import free_port
from keepgrow.valkey import running_valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

assert prometheus_client.values.ValueClass is prometheus_client.values.MutexValue
ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    """Share tests out by file where `pytest -n` runs several processes."""
    from tests.scheduler import ByFile  # noqa: PLC0415 -- pytest also runs where there is no xdist

    return ByFile(config, log)


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a Valkey server of this test session's own, on a free port."""
    with running_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a Redis server of this test session's own, or skip where `redis-server` isn't installed."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not on PATH; Valkey's tests cover the same contract")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port) as client:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with contextlib.suppress(redis.ConnectionError):
                    client.ping()
                    break
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(20)


def _pg_ctl() -> str | None:
    """Return PostgreSQL's own launcher; Debian does not put it on PATH."""
    found = shutil.which("pg_ctl")
    return found or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)), None
    )


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Return the URL of a PostgreSQL server of this test session's own, or skip where none is installed."""
    launcher = _pg_ctl()
    if launcher is None:
        pytest.skip("no PostgreSQL server is installed; SQLite's tests cover the same contract")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("the package psycopg is not installed (pip install 'keepgrow[postgres]')")
    # As root PostgreSQL refuses to run; Debian's package brings a user of its own.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="keepgrow-postgres-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        port = free_port()
        data, log = folder / "data", folder / "log"
        init = ["-o", "--auth=trust --username=keepgrow --no-sync --encoding=UTF8 --locale=C"]
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"

        def run(*words: str) -> None:
            result = subprocess.run(
                [launcher, "-D", data, *words],
                user=user,
                cwd=folder,
                capture_output=True,
                check=False,
                text=True,
            )
            assert result.returncode == 0, result.stderr + (log.read_text() if log.exists() else "")

        run("init", *init)
        with log.open("w"):
            pass
        if user is not None:
            shutil.chown(log, user)
        run("start", "-w", "-l", str(log), "-o", options)
        try:
            yield f"postgresql://keepgrow@127.0.0.1:{port}"
        finally:
            run("stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of the shared data sets, or skip."""
    folder = Path(os.environ.get("KEEPGROW_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; KEEPGROW_SHARED_DATA names the folder of the shared data sets")
    return folder

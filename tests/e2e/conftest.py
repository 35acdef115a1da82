"""Fixtures that walk the whole road with real parts: a data folder in, a service on a free port out."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from keepgrow.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STOP_WITHIN_SECONDS = 30
READY_WITHIN_SECONDS = 600


@dataclass(frozen=True)
class Place:
    """A home and a model store of a test's own."""

    root: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment of every command run here."""
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("KEEPGROW_", "REDIS_"))
        }
        return {
            **kept,
            "BENTOML_HOME": str(self.root / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
            "KEEPGROW_HOME": str(self.root / "home"),
        }

    def run(self, *words: str, code: int = 0, extra: dict[str, str] | None = None) -> str:
        """Run `keepgrow WORDS` to its end, insist on its exit code and return all that it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "keepgrow", *words], env={**self.env, **(extra or {})}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=READY_WITHIN_SECONDS,
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        return done.stdout

    @contextlib.contextmanager
    def up(self, *words: str) -> Iterator[Service]:
        """Run `keepgrow up WORDS` until the context is left, then stop it as Ctrl-C does."""
        port = free_port()
        log = self.root / f"up-{port}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "keepgrow", "up", "--port", str(port), *words],
                env=self.env, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
            service = Service(f"http://127.0.0.1:{port}", log, process, self)
            try:
                service.wait_until_ready()
                yield service
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(STOP_WITHIN_SECONDS)

    @contextlib.contextmanager
    def serving(self, extra: dict[str, str]) -> Iterator[str]:
        """Run the service alone, by the settings *extra*, until the context is left; return its address."""
        port = free_port()
        log = self.root / f"serving-{port}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "serving", "--port", str(port)],
                env={**self.env, **extra}, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
            service = Service(f"http://127.0.0.1:{port}", log, process, self)
            try:
                service.wait_until_ready()
                yield service.url
            finally:
                process.terminate()
                process.wait(STOP_WITHIN_SECONDS)


@dataclass(frozen=True)
class Service:
    """A service that runs, and the place that it is of."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]
    place: Place

    def wait_until_ready(self) -> None:
        """Return once `/readyz` answers 200; fail with the log if the process ends or takes too long."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            time.sleep(0.2)
        pytest.fail(f"not ready in time:\n{self.log.read_text()}")

    @property
    def workspace(self) -> Path:
        """The one workspace below this place's home."""
        return next((self.place.root / "home").glob("*/account-ids.txt")).parent

    def account_ids(self) -> list[str]:
        """Return the ids of the accounts with current features."""
        return (self.workspace / "account-ids.txt").read_text(encoding="utf-8").split("\n")[:-1]


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A home and a model store for the small synthetic world."""
    return Place(tmp_path_factory.mktemp("road"))


@pytest.fixture(scope="session")
def small_world(place):
    """A synthetic world that is large enough to train on and small enough for a test."""
    dest = place.root / "world"
    place.run("synth", str(dest), "--accounts", "400", "--days", "420", "--seed", "11")
    return dest


@dataclass(frozen=True)
class Preparation:
    """What `keepgrow up` said when it was stopped in its middle, when it went on, and when all was there.

    Attributes:
        stopped: Printed until it was stopped.
        code: Exit code then.
        went_on: Printed when it was run once more, to its end.
        again: Printed when it was run after that.
        seconds_again: How long that took.
    """

    stopped: str
    code: int
    went_on: str
    again: str
    seconds_again: float


@pytest.fixture(scope="session")
def prepared(place, small_world):
    """The small synthetic world with all that a service needs, made by `keepgrow up`, stopped once on the way."""
    words = ("up", "--data", str(small_world))
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "keepgrow", *words, "--port", str(free_port())], env=place.env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        printed = []
        for line in process.stdout:
            printed.append(line)
            if line.strip("─ \n") == "features":
                break
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        printed.append(process.communicate(timeout=STOP_WITHIN_SECONDS)[0])
    went_on = place.run(*words, "--prepare-only")
    start = time.monotonic()
    again = place.run(*words, "--prepare-only")
    return Preparation("".join(printed), process.returncode, went_on, again, time.monotonic() - start)


@pytest.fixture(scope="session")
def service(place, small_world, prepared):
    """The service over the small synthetic world, made by `keepgrow up`."""
    assert "stored" in prepared.went_on
    with place.up("--data", str(small_world)) as running:
        yield running

"""Fixtures of the browser tests: the service as a process of its own on loopback, and a real browser."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pyarrow as pa
import pytest
import redis

from keepgrow.processes import free_port, running
from serving.decisions.catalogue import load_catalogue
from tests.serving.catalogues import whatever_happens
from tests.serving.world import NOW, account_ids, make_bundle, make_contract, make_features, write_online

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

DATABASE = 14
"""Of the online store; no other test uses it."""

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>\N{RIGHT-TO-LEFT OVERRIDE}'
READY_SECONDS = 60.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass(frozen=True)
class Service:
    """A running service.

    Attributes:
        url: Where it listens.
        effects: The file that effects go to.
    """

    url: str
    effects: Path

    def page(self, account_id: str) -> str:
        """Return the address of an account's brief as a page."""
        return f"{self.url}/v1/accounts/{quote(account_id, safe='')}/brief?format=html"

    def brief(self, account_id: str) -> dict[str, Any]:
        """Return an account's brief as JSON."""
        answer = httpx.get(f"{self.url}/v1/accounts/{quote(account_id, safe='')}/brief", timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def receipt(self, receipt_id: str) -> dict[str, Any]:
        """Return a receipt as the service knows it."""
        found: dict[str, Any] = httpx.get(f"{self.url}/v1/actions/{receipt_id}", timeout=30).json()
        return found

    def account_with(self, *, approvals: int) -> tuple[str, str]:
        """Return an account and the key of an action on it that can be applied and undone.

        Args:
            approvals: How many others must agree to it.
        """
        for account_id in account_ids()[:-1]:
            for one in self.brief(account_id)["actions"]:
                simulation = one["simulation"]
                fits = simulation["allowed"] and simulation["reversible"]
                if fits and simulation["approvals_needed"] == approvals:
                    return account_id, one["action"]["key"]
        raise AssertionError(f"no account has an action that {approvals} others must agree to")


@pytest.fixture(scope="module")
def service(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return the service on accounts of which one has a hostile id; what reaches further than low needs approval."""
    folder = tmp_path_factory.mktemp("browser")
    redis_url = valkey_url.removesuffix("/0") + f"/{DATABASE}"
    contract = make_contract()
    tag = make_bundle(folder / "models", contract, outlook=True)
    features = make_features(contract)
    row = {**features.to_pylist()[0], "account_id": HOSTILE, "industry": HOSTILE}
    write_online(redis_url, contract, features)
    write_online(redis_url, contract, pa.RecordBatch.from_pylist([row], schema=features.schema))
    content = whatever_happens(load_catalogue()).model_dump(mode="json")
    content["approvals"] = {"medium": 1, "high": 1}
    (folder / "catalogue.yaml").write_text(json.dumps(content), encoding="utf-8")
    port = free_port()
    env = {
        "BENTOML_HOME": str(folder),
        "REDIS_URL": redis_url,
        "LEDGER_URL": f"sqlite:///{folder / 'ledger.db'}",
        "KEEPGROW_MODEL": tag,
        "KEEPGROW_CATALOGUE": str(folder / "catalogue.yaml"),
        "KEEPGROW_CLOCK_START": NOW.isoformat(),
        "KEEPGROW_OUTBOX": f"file:{folder / 'effects.jsonl'}",
        "KEEPGROW_REDIS_TIMEOUT_SECONDS": "5",
        "KEEPGROW_LEDGER_TIMEOUT_SECONDS": "20",
    }
    with running([sys.executable, "-m", "serving", "--port", str(port)], env) as process:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, "the service did not start"
            try:
                if httpx.get(f"{url}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield Service(url, folder / "effects.jsonl")
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Return Chromium, driven by its own driver; skip where either, or Selenium, is missing."""
    selenium = pytest.importorskip("selenium.webdriver", reason="Selenium is not installed")
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip(
            "chromium and chromedriver are not both on PATH; Debian has them as chromium, chromium-driver"
        )
    os.environ.update(SE_OFFLINE="true", SE_AVOID_STATS="true")  # nothing is looked up, nobody is told
    options = selenium.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = selenium.Chrome(options=options, service=selenium.ChromeService(executable_path=driver))
    chrome.set_page_load_timeout(60)
    yield chrome
    chrome.quit()

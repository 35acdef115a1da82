"""Logs are JSON lines that say what failed and where, and nothing of what was asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import structlog

from serving.logs import configure_logs

if TYPE_CHECKING:
    import pytest


def fail_on(secret: str) -> None:
    """Fail with *secret* among the local variables."""
    raise ValueError(f"a value of {len(secret)} characters")


def test_a_logged_failure_has_its_place_and_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """The line is JSON with the exception's type and frames; a local variable's value is not in it."""
    configure_logs("INFO")
    try:
        log = structlog.get_logger("test")
        try:
            fail_on("account-of-a-customer")
        except ValueError as error:
            log.error("failed", exc_info=error, request_id="r-1")  # noqa: TRY400 - as the app logs
        log.debug("not shown")
    finally:
        structlog.reset_defaults()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    entry = json.loads(lines[0])
    assert (entry["event"], entry["level"], entry["request_id"]) == ("failed", "error", "r-1")
    assert entry["exception"][0]["exc_type"] == "ValueError"
    assert entry["exception"][0]["frames"][-1]["name"] == "fail_on"
    assert "account-of-a-customer" not in lines[0]

"""Logs are JSON lines that say what failed and where, and nothing of what was asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import structlog

from serving.errors import StoreUnavailable
from serving.logs import MOST_REASONS, SparingLog, configure_logs

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


def test_refusals_are_told_once_a_second_and_reason() -> None:
    """Of many refusals a second one line is written for each reason, and the next says how many it stands for."""
    seconds = 0.0
    with structlog.testing.capture_logs() as lines:
        sparing = SparingLog(structlog.get_logger("test"), lambda: seconds)
        for number in range(300):
            seconds = number / 100
            sparing.warning("refused", "timeout", detail="too late")
            sparing.warning("refused", "refused", detail="LOADING")
    assert [line["requests"] for line in lines if line["reason"] == "timeout"] == [1, 100, 100]
    assert len(lines) == 6
    assert lines[0] == {
        "event": "refused", "log_level": "warning", "reason": "timeout", "requests": 1, "detail": "too late",
    }  # fmt: skip


def test_however_many_reasons_there_are_few_are_kept() -> None:
    """Reasons that never end do not fill the memory."""
    with structlog.testing.capture_logs() as lines:
        sparing = SparingLog(structlog.get_logger("test"))
        for number in range(10 * MOST_REASONS):
            sparing.warning("refused", f"reason {number}")
    assert len(lines) == 10 * MOST_REASONS
    assert len(sparing._told) <= MOST_REASONS


def test_what_a_store_quotes_of_a_command_is_left_out() -> None:
    """A refusal that repeats the command's arguments does not bring an account id into errors and logs."""
    reply = "ERR unknown command 'HMGET', with args beginning with: 'account-of-a-customer'"
    error = StoreUnavailable.refused("cache:6379", reply)
    assert str(error) == "the online store at cache:6379 refuses: ERR unknown command"
    assert error.fault == "refused"

"""Where effects go: a log line, a line of a file, or a signed webhook (`webhook` beside this module)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog

from serving.errors import ServingError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.actions.outbox import Row

log = structlog.get_logger("keepgrow.effects")


class DeliveryError(ServingError):
    """A target did not take an event."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Connector(Protocol):
    """One target.

    Attributes:
        target: Its name in the outbox.
    """

    target: str

    async def deliver(self, row: Row) -> None:
        """Bring the event of *row* to the target.

        Raises:
            DeliveryError: The target did not take it.
        """

    async def close(self) -> None:
        """Let go of what is held."""


class LogConnector:
    """Says in the log that an event has left, naming its receipt and never its account; for trying things out."""

    target = "log"

    async def deliver(self, row: Row) -> None:
        """Log the event."""
        log.info("effect", event_id=row.event_id, type=row.type, receipt_id=row.receipt_id)

    async def close(self) -> None:
        """Hold nothing."""


class FileConnector:
    """Appends each event to a file, one line of JSON each, on disk before it counts as delivered."""

    def __init__(self, path: Path) -> None:
        self.target = f"file:{path}"
        self._path = path

    async def deliver(self, row: Row) -> None:
        """Append the event.

        Raises:
            DeliveryError: The file can't be written.
        """
        try:
            await asyncio.to_thread(self._append, row.body)
        except OSError as error:
            raise DeliveryError(f"{self._path}: {error.strerror or error}") from error

    def _append(self, body: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(body + b"\n")
            file.flush()
            os.fsync(file.fileno())

    async def close(self) -> None:
        """Hold nothing."""


def make_connectors(
    targets: str, webhook_secret: str | None, machine_time: Callable[[], float]
) -> dict[str, Connector]:
    """Return the connectors that a setting names, by their targets.

    Args:
        targets: `log`, `file:PATH` and addresses, apart by commas.
        webhook_secret: What addresses are signed with.
        machine_time: The machine's time in Unix seconds.

    Raises:
        SettingsError: One is of no known form, or an address lacks its secret.
    """
    found: dict[str, Connector] = {}
    for text in filter(None, (part.strip() for part in targets.split(","))):
        connector = _connector(text, webhook_secret, machine_time)
        found[connector.target] = connector
    if not found:
        raise SettingsError("KEEPGROW_OUTBOX: names no target; `log` writes effects to the log")
    return found


def _connector(text: str, webhook_secret: str | None, machine_time: Callable[[], float]) -> Connector:
    if text == LogConnector.target:
        return LogConnector()
    if text.startswith("file:") and len(text) > len("file:"):
        return FileConnector(Path(text.removeprefix("file:")))
    if text.startswith(("https://", "http://")):
        if not webhook_secret:
            raise SettingsError("KEEPGROW_WEBHOOK_SECRET: webhooks are signed, and this is not set")
        from serving.actions.webhook import make_webhook  # noqa: PLC0415 -- an HTTP client that others don't need

        return make_webhook(text, webhook_secret, machine_time)
    raise SettingsError("KEEPGROW_OUTBOX: a target is `log`, `file:PATH`, or begins with https:// or http://")

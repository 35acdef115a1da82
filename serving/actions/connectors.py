"""Where effects go: a log line, a line of a file, or a signed webhook (`webhook` beside this module)."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

import orjson
import structlog

from serving.errors import ServingError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.actions.outbox_row import Row

log = structlog.get_logger("keepgrow.effects")

EVENT_BEGINS: Final = b'{"specversion":'
"""How the line of an event begins; see `events`."""
END_BYTES: Final = 1 << 16
"""How much of a file's end is read at once to find its last line."""


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
    """Appends each event to a file, one line of JSON each, on disk before it counts as delivered.

    An event that was tried before is looked for first, so that a process which ended between the file and the ledger
    leaves no second line.
    """

    def __init__(self, path: Path) -> None:
        self.target = f"file:{path}"
        self._path = path

    async def deliver(self, row: Row) -> None:
        """Append the event.

        Raises:
            DeliveryError: The file can't be written.
        """
        try:
            await asyncio.to_thread(self._append, row)
        except OSError as error:
            raise DeliveryError(f"{self._path}: {error.strerror or error}") from error

    def _append(self, row: Row) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # of several writers, in whatever process, one at a time
            if row.attempts and _holds(file, row.event_id):
                return
            _mend_end(file)
            file.write(row.body + b"\n")
            file.flush()
            os.fsync(file.fileno())

    async def close(self) -> None:
        """Hold nothing."""


def _holds(file: BinaryIO, event_id: str) -> bool:
    """Return whether a whole line of *file* is the event with this id."""
    wanted = event_id.encode()
    file.seek(0)
    return any(_id_of(line) == event_id for line in file if wanted in line)


def _id_of(line: bytes) -> object:
    """Return the id of the event that a line holds; None of half a line."""
    try:
        return orjson.loads(line).get("id")
    except orjson.JSONDecodeError:
        return None


def _mend_end(file: BinaryIO) -> None:
    """Cut off the half of an event that a process which was killed has left; end another's unended line."""
    size = start = file.seek(0, os.SEEK_END)
    tail = b""
    while start and b"\n" not in tail:
        start = max(0, start - END_BYTES)
        file.seek(start)
        tail = file.read(size - start)
    tail = tail[tail.rfind(b"\n") + 1 :]
    if tail and tail[: len(EVENT_BEGINS)] == EVENT_BEGINS[: len(tail)]:
        file.truncate(size - len(tail))
    elif tail:
        file.write(b"\n")


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

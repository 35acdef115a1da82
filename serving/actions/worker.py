"""Sends what is in the outbox: in order for each account and target, at least once, again and again until it is taken.

Several processes may run a worker; one holds the lease and sends, the others wait for it to end.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from serving.actions import outbox, outbox_metrics
from serving.actions.connectors import DeliveryError, make_connectors
from serving.actions.lease import drop_lease, hold_lease
from serving.errors import LedgerError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from serving.actions.connectors import Connector
    from serving.actions.outbox_row import Row
    from serving.ledger.ledger import Ledger
    from serving.ledger.transaction import Transaction
    from serving.settings import ServingSettings

log = structlog.get_logger("keepgrow.outbox")

TOGETHER: Final = 8
"""Events that are sent at once; each of another account or to another target."""
LEASE_SECONDS: Final = 30.0
"""Longer than one turn of deliveries can take."""
MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Retries:
    """When to try again: the wait grows by `factor` each time, up to a most, and is cut by chance.

    Attributes:
        attempts_max: After so many attempts an event is given up (`dead`).
        first_seconds: Wait after the first failure.
        factor: Growth.
        most_seconds: Longest wait.
    """

    attempts_max: int = 10
    first_seconds: float = 5.0
    factor: float = 4.0
    most_seconds: float = 36_000.0

    def wait_seconds(self, attempts: int, chance: random.Random) -> float:
        """Return the wait after *attempts* failures, half to all of what the backoff says.

        So that targets that come back are not met by everybody at once; see Brooker, 2015, "Exponential backoff and
        jitter" (AWS Architecture Blog), "equal jitter".
        """
        whole = min(self.most_seconds, self.first_seconds * self.factor ** (attempts - 1))
        return whole * chance.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a turn: how many were taken, will be tried again, were given up."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: Sent) -> Sent:
        return Sent(self.delivered + other.delivered, self.failed + other.failed, self.dead + other.dead)

    @property
    def total(self) -> int:
        """How many were tried."""
        return self.delivered + self.failed + self.dead


class OutboxWorker:
    """Sends for one process."""

    def __init__(
        self,
        ledger: Ledger,
        connectors: Mapping[str, Connector],
        now: Callable[[], dt.datetime],
        machine_time: Callable[[], float],
        retries: Retries,
        *,
        poll_seconds: float = 1.0,
        seed: int | None = None,
    ) -> None:
        """Describe the worker; `run` or `drain` make it work.

        Args:
            ledger: Holds the outbox.
            connectors: Targets by name.
            now: The service's time: what is not due before.
            machine_time: The machine's time in Unix seconds: leases and waits.
            retries: When to try again.
            poll_seconds: Time between looks when there is nothing to do.
            seed: Of the chance in waits.
        """
        self._ledger = ledger
        self._connectors = connectors
        self._now = now
        self._machine_time = machine_time
        self._retries = retries
        self._poll_seconds = poll_seconds
        self._chance = random.Random(seed)
        self._measured = set(connectors)
        self._holder = secrets.token_hex(8)
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """Where effects go."""
        return tuple(self._connectors)

    def start(self) -> None:
        """Send from now on, in a task of the event loop that this runs in."""
        self._task = asyncio.get_running_loop().create_task(self.run())

    async def stop(self) -> None:
        """End the task, and let go of lease and connectors; what was not sent waits for the next worker."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.close()

    def nudge(self) -> None:
        """Look now; something was put in."""
        self._news.set()

    async def run(self) -> None:
        """Send for ever, until cancelled; a ledger that does not answer is waited for."""
        while True:
            self._news.clear()
            try:
                await self.drain()
            except LedgerError as error:
                log.warning("outbox_waits", reason=str(error))
            except Exception:  # nothing but `stop` ends the sending
                log.exception("outbox_failed")
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def drain(self) -> Sent:
        """Send all that may leave now, if nobody else does; return what came of it.

        Raises:
            LedgerError: The ledger does not answer.
        """
        sent = Sent()
        while True:
            # A look costs no turn of the writer, and most find nothing.
            rows = await self._ledger.transact(self._claim) if await self._ledger.look(self._is_due) else []
            if not rows:
                return sent
            outcomes = await asyncio.gather(*(self._send(row) for row in rows))
            for one in outcomes:
                sent += one

    async def measure(self) -> None:
        """Say in the metrics what waits for each target; a ledger that does not answer leaves them as they were."""
        now = self._now()
        try:
            found = await self._ledger.look(lambda transaction: outbox.backlog(transaction, now))
        except LedgerError as error:
            log.info("outbox_not_measured", reason=str(error))
        else:
            self._measured.update(one.target for one in found)
            outbox_metrics.show(found, self._measured, now)

    async def close(self) -> None:
        """Give the lease back and close the connectors."""
        try:
            await self._ledger.transact(lambda transaction: drop_lease(transaction, self._holder))
        except LedgerError as error:
            log.info("lease_kept", reason=str(error))
        for connector in self._connectors.values():
            await connector.close()

    def _is_due(self, transaction: Transaction) -> bool:
        return outbox.is_due(transaction, self.targets, self._now(), self._machine_us())

    def _machine_us(self) -> int:
        return int(self._machine_time() * MICROSECONDS)

    def _claim(self, transaction: Transaction) -> list[Row]:
        machine_us = self._machine_us()
        until_us = machine_us + int(LEASE_SECONDS * MICROSECONDS)
        if not hold_lease(transaction, self._holder, machine_us, until_us):
            return []
        return outbox.claim(transaction, self.targets, self._now(), machine_us, TOGETHER)

    async def _send(self, row: Row) -> Sent:
        try:
            await self._connectors[row.target].deliver(row)
        except DeliveryError as error:
            return await self._failed(row, error)
        except Exception as error:  # noqa: BLE001 -- one event that can't be sent must not stop the others
            return await self._failed(row, DeliveryError(f"{row.target}: {type(error).__name__}: {error}"))
        await self._ledger.transact(
            lambda transaction: outbox.mark_delivered(transaction, row.seq, self._now())
        )
        outbox_metrics.count(row.target, "delivered")
        return Sent(delivered=1)

    async def _failed(self, row: Row, error: DeliveryError) -> Sent:
        attempts, text = row.attempts + 1, str(error)
        if attempts >= self._retries.attempts_max:
            log.error("effect_given_up", event_id=row.event_id, type=row.type, reason=text)
            await self._ledger.transact(
                lambda transaction: outbox.mark_failed(transaction, row.seq, text, None)
            )
            outbox_metrics.count(row.target, "dead")
            return Sent(dead=1)
        wait = max(self._retries.wait_seconds(attempts, self._chance), error.retry_after_seconds or 0.0)
        retry_us = int((self._machine_time() + wait) * MICROSECONDS)
        log.warning("effect_not_taken", event_id=row.event_id, reason=text, again_in_seconds=round(wait, 1))
        await self._ledger.transact(
            lambda transaction: outbox.mark_failed(transaction, row.seq, text, retry_us)
        )
        outbox_metrics.count(row.target, "retried")
        return Sent(failed=1)


def make_worker(settings: ServingSettings, ledger: Ledger, now: Callable[[], dt.datetime]) -> OutboxWorker:
    """Return the worker of a process with these *settings*.

    Raises:
        SettingsError: A target or the secret can't be used.
    """
    secret = settings.webhook_secret
    connectors = make_connectors(
        settings.outbox, None if secret is None else secret.get_secret_value(), time.time
    )
    return OutboxWorker(ledger, connectors, now, time.time, Retries(attempts_max=settings.outbox_attempts))

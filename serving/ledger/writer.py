"""Group commit: one thread writes; whatever waits while it commits is its next transaction.

Nobody waits for company: an entry that comes alone is committed at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import structlog
from sqlalchemy.exc import IntegrityError

from serving.errors import EntryExists, LedgerUnavailable
from serving.ledger.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from serving.ledger.database import Database
    from serving.ledger.entry import Prepared

log = structlog.get_logger("keepgrow.ledger")

MOST_TOGETHER: Final = 128
"""Most requests that one transaction takes."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Append:
    entries: Sequence[Prepared]
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Work:
    work: Callable[[Transaction], Any]
    future: asyncio.Future[Any]


_Job: TypeAlias = _Append | _Work
_Result: TypeAlias = "tuple[asyncio.Future[Any], Any, Exception | None]"


class GroupWriter:
    """Writes for one event loop."""

    def __init__(self, database: Database, most_waiting: int) -> None:
        """Start the thread, from within the loop that will ask.

        Args:
            database: Where to write.
            most_waiting: Requests that may wait; one more is refused at once.
        """
        self._database = database
        self._most_waiting = most_waiting
        self._waiting = 0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._connection: sa.Connection | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    async def append(self, entries: Sequence[Prepared]) -> None:
        """Return when *entries* are committed; those that are there already, byte for byte, are left as they are.

        Raises:
            LedgerUnavailable: They were not taken; or nobody knows, if the caller stops waiting.
            EntryExists: Another entry has the kind and id of one; then none of them is written.
        """
        await self._ask(_Append(entries, self._loop.create_future()))

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Return what *work* returns, after the commit of all that it did; if it raises, nothing was done.

        Raises:
            LedgerUnavailable: The transaction could not be begun, or not be committed.
        """
        result: T = await self._ask(_Work(work, self._loop.create_future()))
        return result

    async def _ask(self, job: _Job) -> Any:  # noqa: ANN401 -- whatever the work returns
        if self._closed:
            raise LedgerUnavailable("the ledger is closed")
        if self._waiting >= self._most_waiting:
            raise LedgerUnavailable(f"{self._waiting} writes wait for the ledger already")
        self._waiting += 1
        self._jobs.put(job)
        return await job.future

    async def close(self) -> None:
        """Commit what waits, then end the thread."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while True:
            jobs, closing = self._next()
            results: list[_Result] = []
            appends: list[_Append] = []
            for job in jobs:
                if isinstance(job, _Append):
                    appends.append(job)
                    continue
                results += self._append_together(appends)
                appends = []
                results.append(self._work(job))
            results += self._append_together(appends)
            with contextlib.suppress(RuntimeError):  # the loop is gone, and whoever asked with it
                self._loop.call_soon_threadsafe(self._settle, results)
            if closing:
                self._drop_connection()
                return

    def _next(self) -> tuple[list[_Job], bool]:
        """Return the jobs that wait, once there is one, and whether to end after them."""
        job = self._jobs.get()
        jobs: list[_Job] = []
        with contextlib.suppress(queue.Empty):
            while job is not None:
                jobs.append(job)
                if len(jobs) == MOST_TOGETHER:
                    return jobs, False
                job = self._jobs.get_nowait()
            return jobs, True
        return jobs, False

    def _settle(self, results: list[_Result]) -> None:
        for future, value, error in results:
            self._waiting -= 1
            if future.done():  # whoever asked stopped waiting
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

    def _append_together(self, jobs: list[_Append]) -> list[_Result]:
        wanted = [job for job in jobs if not job.future.cancelled()]
        left: list[_Result] = [(job.future, None, None) for job in jobs if job.future.cancelled()]
        if not wanted:
            return left
        entries = [entry for job in wanted for entry in job.entries]
        try:
            if len({(entry.kind, entry.record_id) for entry in entries}) == len(entries):
                with contextlib.suppress(IntegrityError):
                    self._in_transaction(lambda transaction: transaction.add_all(entries))
                    return [*left, *((job.future, None, None) for job in wanted)]
            outcomes = self._in_transaction(lambda transaction: _add_one_by_one(transaction, wanted))
        except Exception as error:  # noqa: BLE001 -- it goes to those who asked
            return [*left, *((job.future, None, _unavailable(error)) for job in wanted)]
        return [*left, *((job.future, None, error) for job, error in zip(wanted, outcomes, strict=True))]

    def _work(self, job: _Work) -> _Result:
        if job.future.cancelled():
            return job.future, None, None
        try:
            return job.future, self._in_transaction(job.work), None
        except Exception as error:  # noqa: BLE001 -- it goes to whoever asked
            return job.future, None, error

    def _in_transaction(self, work: Callable[[Transaction], T]) -> T:
        """Return what *work* returns, committed.

        After a failure of the database the connection is given up: the next transaction opens a new one.
        """
        if self._connection is None:
            self._connection = self._database.connect()
        try:
            with self._database.writing(self._connection) as connection:
                return work(Transaction(connection))
        except LedgerUnavailable:
            self._drop_connection()
            raise

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.invalidate()
            connection.close()


def _add_one_by_one(transaction: Transaction, jobs: Sequence[_Append]) -> list[Exception | None]:
    """Add the entries of each job that are not there yet; a job that contradicts an entry adds none."""
    outcomes: list[Exception | None] = []
    for job in jobs:
        try:
            new = _new(transaction, job.entries)
        except EntryExists as error:
            outcomes.append(error)
            continue
        if new:
            transaction.add_all(new)
        outcomes.append(None)
    return outcomes


def _new(transaction: Transaction, entries: Sequence[Prepared]) -> list[Prepared]:
    """Return those of *entries* that are not there yet, each once.

    Raises:
        EntryExists: One contradicts an entry that is there, or another of them.
    """
    new: dict[tuple[str, str], Prepared] = {}
    for entry in entries:
        if transaction.holds(entry):
            continue
        first = new.setdefault((entry.kind, entry.record_id), entry)
        if (first.account_id, first.content) != (entry.account_id, entry.content):
            raise EntryExists(entry.kind, entry.record_id)
    return list(new.values())


def _unavailable(error: Exception) -> Exception:
    if isinstance(error, LedgerUnavailable):
        return error
    log.error("ledger_write_failed", exc_info=error)
    return LedgerUnavailable(f"the ledger's database failed: {error}")

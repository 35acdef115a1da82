"""The ledger as the service uses it, from its event loop: append, read, transact."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from serving.errors import LedgerUnavailable
from serving.ledger.checkpoints import Checkpoints
from serving.ledger.database import Database
from serving.ledger.documents import put_documents
from serving.ledger.entry import Entry, prepare
from serving.ledger.schema import require_current
from serving.ledger.transaction import Transaction
from serving.ledger.writer import GroupWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from serving.ledger.documents import Document
    from serving.ledger.sqlite import Sync

READERS: Final = 2
T = TypeVar("T")


class Ledger:
    """The ledger of one process.

    Attributes:
        database: Where it is kept.
    """

    def __init__(
        self,
        url: str,
        documents: Sequence[Document] = (),
        *,
        timeout_seconds: float = 1.0,
        most_waiting: int = 1024,
        sync: Sync = "normal",
    ) -> None:
        """Describe the ledger; `open` opens it, and so does its first use.

        Args:
            url: `sqlite:///FILE` or `postgresql://HOST/NAME`.
            documents: What decisions will be made by; there before the first of them.
            timeout_seconds: Longest time that a caller waits for a commit or a read.
            most_waiting: Writes that may wait; one more is refused at once.
            sync: See `Database`.

        Raises:
            LedgerError: The URL can't be used.
        """
        self.database = Database(url, wait_seconds=timeout_seconds, sync=sync)
        self._documents = documents
        self._timeout_seconds = timeout_seconds
        self._most_waiting = most_waiting
        self._opening = asyncio.Lock()
        self._closed = False
        self._writer: GroupWriter | None = None
        self._checkpoints: Checkpoints | None = None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="ledger-read")

    async def open(self) -> None:
        """Make sure that tables and documents are there, and begin to write for the event loop that this runs in.

        If it fails, the next use of the ledger tries again.

        Raises:
            LedgerError: The tables are not what this version needs.
            LedgerUnavailable: The database does not answer.
        """
        async with self._opening:
            if self._writer is None and not self._closed:
                await asyncio.to_thread(self._make_ready)
                self._checkpoints = Checkpoints(self.database) if self.database.embedded else None
                self._writer = GroupWriter(self.database, self._most_waiting)

    async def check(self) -> None:
        """Make sure that the tables are what this version needs; a database that does not answer passes.

        Raises:
            LedgerError: They are not, and what to do.
        """
        with contextlib.suppress(LedgerUnavailable):
            await asyncio.to_thread(require_current, self.database)

    def _make_ready(self) -> None:
        require_current(self.database)
        if self._documents:
            with self.database.writing() as connection:
                put_documents(connection, self._documents)

    async def close(self) -> None:
        """Commit what waits and close for good."""
        self._closed = True
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()
        if self._checkpoints is not None:
            await asyncio.to_thread(self._checkpoints.close)
        self._readers.shutdown(wait=False)
        self.database.close()

    async def append(self, *entries: Entry) -> None:
        """Return when *entries* are committed, together with whatever else is appended at the moment.

        Entries that are there already, equal byte for byte, are left as they are, so that a repetition does no harm.

        Raises:
            LedgerUnavailable: They were not committed in time. They may be later, but nobody was told so.
            EntryExists: Another entry has the kind and id of one; then none is written.
            ValueError: A time has no zone.
        """
        prepared = [prepare(entry) for entry in entries]
        try:
            async with asyncio.timeout(self._timeout_seconds):
                writer = self._writer or await self._open_writer()
                await writer.append(prepared)
        except TimeoutError as error:
            raise self._too_slow() from error

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Return what *work* returns, which runs in the writing thread, in one transaction of its own.

        If it raises, nothing of it is done, and the caller gets what it raised.

        Raises:
            LedgerUnavailable: It was not done in time. It may be later.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                writer = self._writer or await self._open_writer()
                return await writer.transact(work)
        except TimeoutError as error:
            raise self._too_slow() from error

    async def read(self, kind: str, record_id: str) -> Entry | None:
        """Return the entry of *kind* with this id, or None if there is none.

        Raises:
            EntryErased: Its content was emptied.
            LedgerUnavailable: The database did not answer in time.
        """
        return await self.look(lambda transaction: transaction.get(kind, record_id))

    async def of_account(self, account_id: str, kinds: Collection[str] = (), limit: int = 100) -> list[Entry]:
        """Return the newest entries about an account, newest first, without those that were emptied.

        Args:
            account_id: The account.
            kinds: Kinds that are wanted; none given: all.
            limit: Most entries.

        Raises:
            LedgerUnavailable: The database did not answer in time.
        """
        return await self.look(lambda transaction: transaction.of_account(account_id, kinds, limit))

    async def quick(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        """Return the rows of a small look-up in an embedded database, made in the event loop.

        Raises:
            LedgerUnavailable: The database did not let us read.
        """
        if self._writer is None:
            await self._open_writer()
        return self.database.quick(statement, values)

    async def look(self, question: Callable[[Transaction], T]) -> T:
        """Return the answer of *question*, which only reads, in a thread of its own.

        Raises:
            LedgerUnavailable: The database did not answer in time.
        """
        if self._writer is None:
            await self._open_writer()

        def ask() -> T:
            with self.database.reading() as connection:
                return question(Transaction(connection))

        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.get_running_loop().run_in_executor(self._readers, ask)
        except TimeoutError as error:
            raise self._too_slow() from error

    async def _open_writer(self) -> GroupWriter:
        await self.open()
        if self._writer is None:
            raise LedgerUnavailable("the ledger is closed")
        return self._writer

    def _too_slow(self) -> LedgerUnavailable:
        return LedgerUnavailable(f"the ledger did not answer within {self._timeout_seconds:g} s")

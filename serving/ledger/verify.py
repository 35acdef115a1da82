"""Checks the chain from its first entry to its last, and that whatever was emptied was emptied on record."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
import sqlalchemy as sa

from feature_repo.contract import canonical_hash
from serving.ledger.chain import START, Head, entry_hash
from serving.ledger.entry import content_hash
from serving.ledger.erasure import ERASURE, RETENTION
from serving.ledger.tables import CONTENTS, DOCUMENTS, ENTRIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.ledger.database import Database
    from serving.ledger.transaction import Row

ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place at which the ledger is not what it was.

    Attributes:
        seq: Number of the entry; 0 if it is no entry's.
        what: Kind and id, if they can be told.
        fault: What is wrong.
    """

    seq: int
    what: str
    fault: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found.

    Attributes:
        entries: Entries that were looked at.
        emptied: Those of them whose content was emptied on record.
        documents: Documents that were looked at.
        head: The last entry that is sound; noted elsewhere, it shows later whether the end was cut off.
        broken: Where the ledger is broken, or None.
    """

    entries: int
    emptied: int
    documents: int
    head: Head
    broken: Broken | None = None


@dataclass(slots=True)
class _Permits:
    """Which emptied contents are accounted for.

    Attributes:
        erasures: Of each account's pseudonym, number of the last erasure.
        retentions: End of each retention, in microseconds, and its number.
    """

    erasures: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    retentions: list[tuple[int, int]] = field(default_factory=list)

    def cover(self, row: Row) -> bool:
        """Return whether an erasure or a retention after it says that the row's content was emptied."""
        if row.account is not None and self.erasures[row.account] > row.seq:
            return True
        return any(row.at_us < before and row.seq < seq for before, seq in self.retentions)


def verify(database: Database, anchor: Head | None = None) -> Verified:
    """Return whether the ledger is what it was when it was written.

    Args:
        database: The ledger's.
        anchor: An entry that is known to have been there, from an earlier call.

    Raises:
        LedgerUnavailable: The database does not answer.
    """
    columns = (*ENTRIES.c, CONTENTS.c.seq.label("content_seq"), CONTENTS.c.salt, CONTENTS.c.account_id)
    everything = (
        sa.select(*columns, CONTENTS.c.content)
        .outerjoin(CONTENTS, CONTENTS.c.seq == ENTRIES.c.seq)
        .order_by(ENTRIES.c.seq)
    )
    head, emptied, anchored = START, 0, anchor is None or anchor == START
    with database.reading() as connection:
        permits = _permits(connection)
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(everything)
        for row in rows:
            fault = next(_faults(row, head, permits), None)
            if fault is not None:
                broken = Broken(head.seq + 1, f"{row.kind} {row.record_id}", fault)
                return Verified(head.seq, emptied, 0, head, broken)
            emptied += row.content is None
            head = Head(row.seq, row.hash)
            anchored = anchored or head == anchor
        if anchor is not None and not anchored:
            fault = f"the known entry {anchor.seq}:{anchor.hash} is not there: the chain was cut off or written anew"
            return Verified(
                head.seq, emptied, 0, head, Broken(min(anchor.seq, head.seq + 1), "the end", fault)
            )
        documents = 0
        for document in connection.execute(sa.select(DOCUMENTS)):
            documents += 1
            if canonical_hash(orjson.loads(document.content)) != document.hash:
                wrong = Broken(
                    0, f"{document.kind} {document.hash}", "the document's content is not what its name says"
                )
                return Verified(head.seq, emptied, documents, head, wrong)
    return Verified(head.seq, emptied, documents, head)


def _faults(row: Row, head: Head, permits: _Permits) -> Iterator[str]:
    """Yield what is wrong with an entry that should follow *head*."""
    if row.seq != head.seq + 1:
        yield f"entry {head.seq + 1} is missing: the next one is {row.seq}"
    if row.previous != head.hash:
        yield "it does not follow the entry before it"
    expected = entry_hash(
        row.previous, row.seq, row.kind, row.record_id, row.account, row.at_us, row.content_hash
    )
    if row.hash != expected:
        yield "its hash is not that of what it says"
    if row.content_seq is None:
        yield "its content is missing"
    elif row.content is None:
        if not permits.cover(row):
            yield "its content was emptied, and no erasure or retention says so"
    else:
        salt, account, content = _bytes(row.salt or b""), row.account_id, _bytes(row.content)
        name = None if account is None else _bytes(account).decode("utf-8", "surrogatepass")
        if content_hash(salt, name, content) != row.content_hash:
            yield "its content is not what was written"


def _bytes(value: bytes | str) -> bytes:
    """Return what is in the database as bytes; SQLite keeps text in any column if somebody put it there."""
    return value.encode() if isinstance(value, str) else bytes(value)


def _permits(connection: sa.Connection) -> _Permits:
    wanted = (
        sa.select(ENTRIES.c.seq, ENTRIES.c.kind, CONTENTS.c.content)
        .join(CONTENTS, CONTENTS.c.seq == ENTRIES.c.seq)
        .where(ENTRIES.c.kind.in_((ERASURE, RETENTION)), CONTENTS.c.content.is_not(None))
    )
    permits = _Permits()
    for row in connection.execute(wanted):
        content = orjson.loads(row.content)
        if row.kind == ERASURE:
            permits.erasures[content["account"]] = max(permits.erasures[content["account"]], row.seq)
        else:
            permits.retentions.append((content["before_us"], row.seq))
    return permits

"""What can be done to the ledger within one transaction: put entries at the end of the chain, and read them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson
import sqlalchemy as sa

from serving.errors import EntryErased, EntryExists
from serving.ledger import statements
from serving.ledger.chain import START, Head, entry_hash
from serving.ledger.entry import Entry, Prepared, from_microseconds, prepare
from serving.ledger.statements import Statements
from serving.ledger.tables import ACCOUNT_NAMES, CONTENTS, ENTRIES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

Row: TypeAlias = "sa.Row[*tuple[Any, ...]]"
PSEUDONYM_BYTES: Final = 16
_NAMES = sa.select(ACCOUNT_NAMES).where(ACCOUNT_NAMES.c.account_id.in_(sa.bindparam("ids", expanding=True)))
_FULL = sa.select(
    ENTRIES.c.seq,
    ENTRIES.c.kind,
    ENTRIES.c.record_id,
    ENTRIES.c.at_us,
    CONTENTS.c.account_id,
    CONTENTS.c.content,
).join(CONTENTS, CONTENTS.c.seq == ENTRIES.c.seq)
_ONE = _FULL.where(ENTRIES.c.kind == sa.bindparam("of_kind"), ENTRIES.c.record_id == sa.bindparam("with_id"))


def entries_with_content(*kinds: str) -> sa.Select[Any]:
    """Return a select of the entries of some kinds that were not emptied, each row one for `entry_of`."""
    return _FULL.where(ENTRIES.c.kind.in_(kinds), CONTENTS.c.content.is_not(None))


def name_bytes(account_id: str) -> bytes:
    """Return an account's id as the database keeps it: any text, also such as no database's text may hold."""
    return account_id.encode("utf-8", "surrogatepass")


class Transaction:
    """The ledger within one transaction; its writes are there for all or for none.

    Attributes:
        connection: For tables of one's own, in the same transaction.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._head: Head | None = None
        self._direct: Statements | None = None

    @property
    def _statements(self) -> Statements:
        if self._direct is None:
            self._direct = Statements(self.connection)
        return self._direct

    def add(self, entry: Entry) -> None:
        """Put *entry* at the end of the chain.

        Raises:
            EntryExists: There is an entry of this kind with this id.
            ValueError: Its time has no zone.
        """
        if self._row(entry.kind, entry.record_id) is not None:
            raise EntryExists(entry.kind, entry.record_id)
        self.add_all([prepare(entry)])

    def get(self, kind: str, record_id: str) -> Entry | None:
        """Return the entry of *kind* with this id, or None if there is none.

        Raises:
            EntryErased: Its content was emptied.
        """
        row = self._row(kind, record_id)
        return None if row is None else entry_of(row)

    def of_account(self, account_id: str, kinds: Collection[str] = (), limit: int = 100) -> list[Entry]:
        """Return the newest entries about an account, newest first, without those that were emptied.

        Args:
            account_id: The account.
            kinds: Kinds that are wanted; none given: all.
            limit: Most entries.
        """
        name = self.connection.execute(_NAMES, {"ids": [name_bytes(account_id)]}).first()
        if name is None:
            return []
        wanted = _FULL.where(ENTRIES.c.account == name.pseudonym, CONTENTS.c.content.is_not(None))
        if kinds:
            wanted = wanted.where(ENTRIES.c.kind.in_(sorted(kinds)))
        rows = self.connection.execute(wanted.order_by(ENTRIES.c.seq.desc()).limit(limit))
        return [entry_of(row) for row in rows]

    def has(self, kind: str, record_id: str) -> bool:
        """Return whether there is an entry of *kind* with this id, emptied or not."""
        return self._row(kind, record_id) is not None

    def place(self, kind: str, record_id: str) -> dict[str, Any]:
        """Return where in the chain an entry stands: its number, its hashes, and the hash of the one before.

        Raises:
            KeyError: There is no such entry.
        """
        wanted = sa.select(ENTRIES.c.seq, ENTRIES.c.hash, ENTRIES.c.previous, ENTRIES.c.content_hash).where(
            ENTRIES.c.kind == kind, ENTRIES.c.record_id == record_id
        )
        row = self.connection.execute(wanted).first()
        if row is None:
            raise KeyError(record_id)
        return dict(zip(("seq", "hash", "previous", "content_hash"), row, strict=True))

    def head(self) -> Head:
        """Return the end of the chain as this transaction sees it."""
        if self._head is None:
            rows = self._statements.rows(statements.HEAD)
            self._head = Head(*rows[0]) if rows else START
        return self._head

    def holds(self, prepared: Prepared) -> bool:
        """Return whether the very same entry is there: kind, id, account and content.

        Raises:
            EntryExists: Another one with this kind and id is.
        """
        row = self._row(prepared.kind, prepared.record_id)
        if row is None:
            return False
        account = None if prepared.account_id is None else name_bytes(prepared.account_id)
        if row.content is not None and (bytes(row.content), row.account_id) == (prepared.content, account):
            return True
        raise EntryExists(prepared.kind, prepared.record_id)

    def add_all(self, prepared: Sequence[Prepared]) -> None:
        """Put entries at the end of the chain, in their order.

        Raises:
            sqlalchemy.exc.IntegrityError: The ledger has an entry of the same kind and id; nothing else can be done
                in this transaction.
        """
        pseudonyms = self._pseudonyms({one.account_id for one in prepared if one.account_id is not None})
        seq, previous = self.head()
        entries: list[tuple[Any, ...]] = []
        contents: list[tuple[Any, ...]] = []
        for one in prepared:
            seq += 1
            name, account = (None, None) if one.account_id is None else pseudonyms[one.account_id]
            current = entry_hash(previous, seq, one.kind, one.record_id, account, one.at_us, one.content_hash)
            entries.append(
                (seq, one.kind, one.record_id, account, one.at_us, one.content_hash, previous, current)
            )
            contents.append((seq, one.salt, name, one.content))
            previous = current
        self._statements.insert(statements.ADD_ENTRIES, entries)
        self._statements.insert(statements.ADD_CONTENTS, contents)
        self._head = Head(seq, previous)

    def _pseudonyms(self, account_ids: set[str]) -> dict[str, tuple[bytes, str]]:
        """Return the name and the pseudonym of each account; one that has none gets one, at random."""
        if not account_ids:
            return {}
        names = {account_id: name_bytes(account_id) for account_id in account_ids}
        found = {bytes(name): str(pseudonym) for name, pseudonym in self._statements.names([*names.values()])}
        new = [(name, secrets.token_hex(PSEUDONYM_BYTES)) for name in names.values() if name not in found]
        if new:
            self._statements.insert(statements.ADD_NAMES, new)
            found.update(new)
        return {account_id: (name, found[name]) for account_id, name in names.items()}

    def _row(self, kind: str, record_id: str) -> Row | None:
        return self.connection.execute(_ONE, {"of_kind": kind, "with_id": record_id}).first()


def entry_of(row: Row) -> Entry:
    """Return the entry that a row of entries and contents holds.

    Raises:
        EntryErased: Its content was emptied.
    """
    if row.content is None:
        raise EntryErased(row.kind, row.record_id)
    account = row.account_id
    return Entry(
        kind=row.kind,
        record_id=row.record_id,
        account_id=None if account is None else bytes(account).decode("utf-8", "surrogatepass"),
        at=from_microseconds(row.at_us),
        content=orjson.loads(row.content),
    )

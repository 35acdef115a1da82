"""Whoever changes the ledger behind its back is found out."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from serving.errors import EntryErased
from serving.ledger.chain import Head
from serving.ledger.entry import Entry, content_hash
from serving.ledger.erasure import forget, prune
from serving.ledger.rejections import Rejections, suppress
from serving.ledger.tables import ACCOUNT_NAMES, CONTENTS
from serving.ledger.verify import verify
from tests.serving.ledger.conftest import NOW, entry

if TYPE_CHECKING:
    from serving.ledger.database import Database
    from serving.ledger.ledger import Ledger

TRIGGERS = ("entries_no_update", "entries_no_delete", "contents_only_emptied", "contents_no_delete",
            "documents_no_update")  # fmt: skip


def tamper(database: Database, *statements: str) -> None:
    """Run *statements* with the guards taken away, as somebody who owns the file could."""
    with contextlib.closing(sqlite3.connect(database._url.database, isolation_level=None)) as connection:
        for name in TRIGGERS:
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def ledger_url(tmp_path) -> str:
    """Return the address of an embedded ledger: how tampering is found does not depend on the database."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
async def written(ledger: Ledger) -> Ledger:
    """Return a ledger with ten entries about three accounts."""
    for number in range(1, 11):
        await ledger.append(entry(number, f"acme-{number % 3}", rejected=0.25))
    return ledger


@pytest.mark.parametrize(
    ("statement", "seq", "fault"),
    [
        ("UPDATE entries SET kind = 'outcome' WHERE seq = 4", 4, "hash"),
        ("UPDATE entries SET record_id = 'other' WHERE seq = 4", 4, "hash"),
        ("UPDATE entries SET account = NULL WHERE seq = 4", 4, "hash"),
        ("UPDATE entries SET at_us = at_us + 1 WHERE seq = 4", 4, "hash"),
        ("UPDATE entries SET content_hash = hash WHERE seq = 10", 10, "hash"),
        ("UPDATE entries SET previous = hash WHERE seq = 4", 4, "follow"),
        ("UPDATE entries SET hash = previous WHERE seq = 4", 4, "hash"),
        ("UPDATE contents SET content = replace(content, '0.25', '0.26') WHERE seq = 4", 4, "content"),
        ("UPDATE contents SET account_id = x'61' WHERE seq = 4", 4, "content"),
        ("UPDATE contents SET salt = x'00' WHERE seq = 4", 4, "content"),
        ("DELETE FROM contents WHERE seq = 4", 4, "missing"),
        ("DELETE FROM entries WHERE seq = 4", 4, "missing"),
        ("DELETE FROM entries WHERE seq = 1", 1, "missing"),
        ("UPDATE contents SET salt = NULL, account_id = NULL, content = NULL WHERE seq = 4", 4, "no erasure"),
    ],
)
async def test_the_first_broken_entry_is_named(written: Ledger, statement: str, seq: int, fault: str) -> None:
    """Any change of an entry or its content, and any gap, is found at its place, and what is before it is sound."""
    assert verify(written.database).broken is None
    tamper(written.database, statement)
    broken = verify(written.database).broken
    assert broken is not None
    assert broken.seq == seq
    assert fault in broken.fault


async def test_a_changed_entry_can_not_be_made_to_fit_by_a_new_content_hash(written: Ledger) -> None:
    """Whoever rewrites a content with its hash would have to rewrite the whole chain after it."""
    forged = content_hash(b"", "acme-1", b"{}")
    tamper(
        written.database,
        "UPDATE contents SET salt = x'', content = '{}' WHERE seq = 4",
        f"UPDATE entries SET content_hash = '{forged}' WHERE seq = 4",  # noqa: S608 -- a hash of ours
    )
    broken = verify(written.database).broken
    assert broken is not None
    assert broken.seq == 4


async def test_a_known_entry_shows_that_the_end_was_cut_off(written: Ledger) -> None:
    """A chain without its end is sound in itself; only an anchor from before tells."""
    anchor = verify(written.database).head
    assert anchor.seq == 10
    await written.append(entry(11))
    assert verify(written.database, anchor).broken is None
    assert verify(written.database, Head(10, "0" * 64)).broken is not None
    tamper(written.database, "DELETE FROM contents WHERE seq > 8", "DELETE FROM entries WHERE seq > 8")
    assert verify(written.database).broken is None
    broken = verify(written.database, anchor).broken
    assert broken is not None
    assert "cut off" in broken.fault


async def test_a_changed_document_is_found(written: Ledger) -> None:
    """A policy that is not what its hash says breaks the ledger."""
    tamper(
        written.database, "INSERT INTO documents (hash, kind, content) VALUES ('sha256:x', 'policy', '{}')"
    )
    broken = verify(written.database).broken
    assert broken is not None
    assert broken.what == "policy sha256:x"


async def test_a_forgotten_account_leaves_a_sound_chain_and_nothing_else(written: Ledger, tmp_path) -> None:
    """After an erasure no byte of the account's entries or id is left in the files, and the chain is sound."""
    needle = b"very-private-account"
    await written.append(
        entry(20, needle.decode(), words="secret words of theirs"), entry(21, "acme-1", words="others' words")
    )
    await written.transact(lambda work: suppress(work, needle.decode(), "guide", NOW + dt.timedelta(days=9)))
    assert forget(written.database, needle.decode(), now=NOW, reason="request") == 1
    found = verify(written.database)
    assert found.broken is None
    assert (found.entries, found.emptied) == (13, 1)
    with pytest.raises(EntryErased):
        await written.read("decision", "decision-20")
    assert await written.of_account(needle.decode()) == []
    assert (await written.read("decision", "decision-21")) is not None
    assert await Rejections(written).of(needle.decode(), NOW) == {}
    with written.database.reading() as connection:
        assert needle not in connection.execute(sa.select(ACCOUNT_NAMES.c.account_id)).scalars().all()
    await written.close()
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert needle not in data, path
        assert b"secret words" not in data, path
        assert (b"others' words" in data) == (path.name == "ledger.db"), path


async def test_an_account_that_comes_back_has_a_new_name(written: Ledger) -> None:
    """Entries after an erasure can't be connected with those before it, and a second erasure finds only them."""
    assert forget(written.database, "acme-1", now=NOW, reason="request") == 4
    await written.append(entry(30, "acme-1"))
    assert [one.content["number"] for one in await written.of_account("acme-1")] == [30]
    assert forget(written.database, "acme-1", now=NOW, reason="request") == 1
    assert forget(written.database, "acme-1", now=NOW, reason="request") is None
    assert verify(written.database).broken is None


async def test_old_contents_are_emptied_on_record(written: Ledger) -> None:
    """Retention empties what is older, keeps what is not, and never the record of an erasure."""
    forget(written.database, "acme-2", now=NOW, reason="request")
    before = NOW + dt.timedelta(seconds=6)
    assert prune(written.database, before=before, now=NOW) == 3
    assert prune(written.database, before=before, now=NOW) == 0
    found = verify(written.database)
    assert found.broken is None
    assert found.emptied == 4 + 3 - 1
    assert await written.read("decision", "decision-6") is not None
    with pytest.raises(EntryErased):
        await written.read("decision", "decision-4")


async def test_an_old_looking_entry_that_came_after_a_retention_is_not_covered_by_it(written: Ledger) -> None:
    """Only what was there when a retention ran may be empty because of it."""
    prune(written.database, before=NOW + dt.timedelta(seconds=6), now=NOW)
    await written.append(Entry("decision", "late", "acme-1", NOW, {}))
    with written.database.writing() as connection:
        connection.execute(
            CONTENTS.update().where(CONTENTS.c.seq == 12).values(salt=None, account_id=None, content=None)
        )
    broken = verify(written.database).broken
    assert broken is not None
    assert broken.seq == 12

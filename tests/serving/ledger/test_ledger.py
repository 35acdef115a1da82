"""The contract of the ledger, the same in every database."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, NoReturn

import orjson
import pytest
import sqlalchemy as sa

from serving.errors import EntryExists, LedgerUnavailable
from serving.ledger.database import Database
from serving.ledger.entry import Entry
from serving.ledger.ledger import Ledger
from serving.ledger.schema import migrate
from serving.ledger.tables import CONTENTS, ENTRIES
from serving.ledger.verify import verify
from tests.serving.ledger.conftest import NOW, entry

if TYPE_CHECKING:
    from serving.ledger.transaction import Transaction

AWKWARD = ["Acme", "acme", "a/b c?d", "zoë-\N{ROCKET}", "nul\0nul", "\ud800"]


async def test_an_entry_is_read_as_it_was_given(ledger: Ledger) -> None:
    """Kind, id, account, time to the microsecond and content come back equal, floats bit for bit."""
    given = entry(1, numbers=[0.1, -0.0, 1e300, 5, 2**63 - 1], text="zoë \N{ROCKET}", none=None, yes=True)
    await ledger.append(given)
    found = await ledger.read("decision", "decision-1")
    assert found == given
    assert orjson.dumps(found.content) == orjson.dumps(given.content)
    assert await ledger.read("decision", "decision-2") is None
    assert await ledger.read("outcome", "decision-1") is None


async def test_times_are_kept_as_moments_and_need_a_zone(ledger: Ledger) -> None:
    """A time of another zone comes back as the same moment in UTC; one without a zone is refused."""
    berlin = dt.timezone(dt.timedelta(hours=1))
    await ledger.append(Entry("x", "1", None, NOW.astimezone(berlin), {}))
    found = await ledger.read("x", "1")
    assert found is not None
    assert (found.at, found.at.utcoffset()) == (NOW, dt.timedelta(0))
    with pytest.raises(ValueError, match="zone"):
        await ledger.append(Entry("x", "2", None, NOW.replace(tzinfo=None), {}))


async def test_the_same_entry_twice_is_one_and_another_under_its_id_is_refused(ledger: Ledger) -> None:
    """A repetition does no harm; a contradiction is refused, and nothing that came with it is written."""
    await ledger.append(entry(1))
    await asyncio.gather(*(ledger.append(entry(1)) for _ in range(5)), ledger.append(entry(2), entry(2)))
    with pytest.raises(EntryExists, match="decision-1"):
        await ledger.append(entry(3), entry(1, other=True))
    with pytest.raises(EntryExists, match="decision-2"):
        await ledger.append(entry(2, account_id="someone else"))
    assert await ledger.read("decision", "decision-3") is None
    assert verify(ledger.database).entries == 2


async def test_one_contradiction_does_not_fail_those_that_are_committed_with_it(ledger: Ledger) -> None:
    """Of many appends at once only the contradicting ones are refused."""
    await ledger.append(entry(7, first=True))
    outcomes = await asyncio.gather(*(ledger.append(entry(n)) for n in range(20)), return_exceptions=True)
    assert [type(outcome) for n, outcome in enumerate(outcomes) if outcome is not None or n == 7] == [
        EntryExists
    ]
    assert verify(ledger.database).entries == 20


@pytest.mark.parametrize("account_id", AWKWARD)
async def test_entries_are_found_by_account(ledger: Ledger, account_id: str) -> None:
    """An account's entries come newest first, of the kinds that are wanted, whatever the id looks like."""
    if account_id == "\ud800":
        pytest.skip("not text: it is no account that any store knows")
    await ledger.append(entry(1, account_id), entry(2, account_id, "outcome"), entry(3, account_id))
    await ledger.append(entry(4, account_id + "x"), entry(5, None))
    assert [one.content["number"] for one in await ledger.of_account(account_id)] == [3, 2, 1]
    assert [one.content["number"] for one in await ledger.of_account(account_id, {"decision"}, 1)] == [3]
    assert {one.account_id for one in await ledger.of_account(account_id)} == {account_id}
    assert await ledger.of_account("nobody") == []


async def test_the_chain_names_no_account(ledger: Ledger) -> None:
    """Entries bear a pseudonym, the same for the same account, which is not made of the account's id."""
    await ledger.append(entry(1, "a"), entry(2, "b"), entry(3, "a"), entry(4, None))
    with ledger.database.reading() as connection:
        names = connection.execute(sa.select(ENTRIES.c.account).order_by(ENTRIES.c.seq)).scalars().all()
    assert names[0] == names[2] != names[1]
    assert names[3] is None
    assert len(names[0]) == 32


async def test_a_transaction_is_done_whole_or_not_at_all(ledger: Ledger) -> None:
    """What the work returns is returned; if it raises, nothing that it did is there and the caller gets the error."""

    def good(transaction: Transaction) -> int:
        transaction.add(entry(1))
        transaction.add(entry(2))
        found = transaction.get("decision", "decision-1")
        return 0 if found is None else found.content["number"]

    def bad(transaction: Transaction) -> NoReturn:
        transaction.add(entry(3))
        raise ZeroDivisionError

    assert await ledger.transact(good) == 1
    with pytest.raises(ZeroDivisionError):
        await ledger.transact(bad)
    with pytest.raises(EntryExists):
        await ledger.transact(good)
    await ledger.append(entry(4))
    assert await ledger.read("decision", "decision-3") is None
    assert verify(ledger.database).entries == 3


async def test_requests_that_wait_are_committed_together(ledger: Ledger) -> None:
    """Entries that arrive while another transaction runs need far fewer transactions than there are entries."""
    commits = []
    writing = ledger.database._writers
    sa.event.listen(writing, "commit", lambda _connection: commits.append(1))
    await asyncio.gather(*(ledger.append(entry(n, f"account-{n % 7}")) for n in range(200)))
    assert verify(ledger.database).entries == 200
    assert len(commits) <= 20


async def test_one_too_many_is_refused_at_once(ledger_url: str) -> None:
    """The queue is bounded: with no room left an append is refused without waiting."""
    ledger = Ledger(ledger_url, timeout_seconds=20, most_waiting=5)
    migrate(ledger.database)
    await ledger.open()
    outcomes = await asyncio.gather(*(ledger.append(entry(n)) for n in range(9)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[:5]] == [type(None)] * 5
    assert [type(outcome) for outcome in outcomes[5:]] == [LedgerUnavailable] * 4
    await ledger.close()
    with pytest.raises(LedgerUnavailable):
        await ledger.append(entry(1))


async def test_a_ledger_that_another_holds_is_unavailable_in_time_and_comes_back(ledger_url: str) -> None:
    """While another process holds the right to write, appends are refused within the limit, reads go on."""
    ledger = Ledger(ledger_url, timeout_seconds=0.3)
    migrate(ledger.database)
    await ledger.open()
    await ledger.append(entry(1))
    other = Database(ledger_url)
    with other.writing() as connection:
        connection.execute(sa.select(1))
        started = asyncio.get_running_loop().time()
        with pytest.raises(LedgerUnavailable):
            await ledger.append(entry(2))
        assert asyncio.get_running_loop().time() - started < 2
        assert await ledger.read("decision", "decision-1") is not None
    for _ in range(50):
        try:
            await ledger.append(entry(3))
            break
        except LedgerUnavailable:
            await asyncio.sleep(0.1)
    assert await ledger.read("decision", "decision-3") is not None
    other.close()
    await ledger.close()


@pytest.mark.parametrize(
    "statement",
    [
        ENTRIES.update().values(kind="other"),
        ENTRIES.delete(),
        CONTENTS.update().values(content=b"{}"),
        CONTENTS.update().values(account_id=None, salt=None),
        CONTENTS.delete(),
        sa.text("UPDATE documents SET content = content"),
        sa.text("DELETE FROM documents"),
    ],
    ids=str,
)
async def test_nothing_can_be_changed_or_deleted(ledger: Ledger, statement: sa.Executable) -> None:
    """The database itself refuses to change or delete what was written, all but the emptying of contents."""
    await ledger.append(entry(1))
    with ledger.database.writing() as connection:
        connection.execute(
            sa.text("INSERT INTO documents (hash, kind, content) VALUES ('sha256:x', 'policy', '{}')")
        )
    with (
        pytest.raises((sa.exc.DBAPIError, LedgerUnavailable), match="append-only"),
        ledger.database.writing() as connection,
    ):
        connection.execute(statement)
    with ledger.database.writing() as connection:
        connection.execute(CONTENTS.update().values(content=None, account_id=None, salt=None))

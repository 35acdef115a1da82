"""Levels as decisions read them: of each database, at most some seconds old."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from serving.errors import LedgerUnavailable
from serving.ledger.autonomy import KEPT_SECONDS, Change, Levels, Standing, changes, record_change, standings
from serving.ledger.erasure import prune
from serving.ledger.verify import verify
from tests.serving.ledger.conftest import NOW

if TYPE_CHECKING:
    from serving.decisions.autonomy import Level
    from serving.ledger.ledger import Ledger
    from serving.ledger.transaction import Transaction


@dataclass
class Seconds:
    """A clock that is set by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


async def put(ledger: Ledger, action: str, before: Level, after: Level, at: dt.datetime = NOW) -> Standing:
    """Record a change of level."""
    change = Change(action, before, after, "ann", "", "sha256:p", {})

    def work(transaction: Transaction) -> Standing:
        expected = standings(transaction).get(action)
        return record_change(transaction, change, expected=expected, at=at)

    return await ledger.transact(work)


async def test_a_change_is_in_force_within_seconds(ledger: Ledger) -> None:
    """Until then the former levels are given without asking; after it, those of the ledger, in the order of keys."""
    clock = Seconds()
    levels = Levels(ledger, clock)
    assert await levels.levels() == {}
    await put(ledger, "guide", "one_click", "suggest")
    await put(ledger, "call", "one_click", "shadow")
    assert await levels.levels() == {}
    clock.now += KEPT_SECONDS + 0.01
    assert list((await levels.levels()).items()) == [("call", "shadow"), ("guide", "suggest")]
    assert KEPT_SECONDS <= 5


async def test_levels_that_are_too_old_are_not_given(ledger: Ledger) -> None:
    """A ledger that is gone stops decisions instead of leaving them with levels of yesterday."""
    clock = Seconds()
    levels = Levels(ledger, clock)
    await levels.levels()
    await ledger.close()
    clock.now += KEPT_SECONDS / 2
    assert await levels.levels() == {}
    clock.now += KEPT_SECONDS
    with pytest.raises(LedgerUnavailable):
        await levels.levels()


async def test_changes_follow_each_other_in_time(ledger: Ledger) -> None:
    """A change that is dated before the last one comes right after it, and the chain stays sound."""
    first = await put(ledger, "guide", "one_click", "suggest")
    second = await put(ledger, "guide", "suggest", "shadow", NOW - dt.timedelta(days=30))
    assert (first.since, second.since) == (NOW, NOW + dt.timedelta(microseconds=1))
    assert await ledger.look(standings) == {"guide": second}
    assert verify(ledger.database).broken is None


async def test_retention_leaves_levels_what_they_rest_on(ledger: Ledger) -> None:
    """A change of level names no account: it is not emptied with old decisions, and the ladder still has its proof."""
    await put(ledger, "guide", "one_click", "suggest")
    assert prune(ledger.database, before=NOW + dt.timedelta(days=900), now=NOW + dt.timedelta(days=900)) == 0
    assert [entry.content["by"] for entry in await ledger.look(changes)] == ["ann"]

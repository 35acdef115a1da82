"""Applied actions count against caps in the real store: reserved before they are written, once, and kept after."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import pytest

from serving.actions.apply import Wish, apply
from serving.actions.capped import AppliedCaps
from serving.actions.errors import AlreadyApplied, Refused
from serving.actions.simulate import Rules
from serving.actions.sources import read_source
from serving.caps.store import CapStore
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import PolicyDocument
from serving.features.client import make_link
from tests.serving.actions.worlds import CATALOGUE, account, simulated
from tests.serving.decisions.frames import FIELDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from serving.ledger.ledger import Ledger

DOCUMENT = PolicyDocument.model_validate(
    {
        "name": "capped",
        "rules": [
            {"id": "any", "stage": "eligibility", "require": "true", "reason_code": "any", "text": "Any"},
        ],
        "caps": [{"id": "two_a_month", "limit": 2, "window_days": 28}],
    }
)
RULES = Rules(CATALOGUE, Policy(DOCUMENT, FIELDS))


@pytest.fixture
async def store(valkey_url: str, request: pytest.FixtureRequest) -> AsyncIterator[CapStore]:
    """Return a store whose keys are the test's own."""
    store = CapStore(make_link(valkey_url), b"{test}:" + request.node.name.encode())
    yield store
    await store.close()


async def attempt(ledger: Ledger, store: CapStore, number: int, key: str | None = None) -> bytes:
    """Apply simulation *number* of the account."""
    source = await read_source(ledger, "simulation", f"sim_{number}")
    now = account(caps_used={})
    return await apply(
        ledger,
        Wish(key or f"key-{number}", str(number), "ann"),
        source,
        source.action(now, RULES, None),
        now,
        RULES,
        approvals=[],
        targets=("log",),
        caps=AppliedCaps(store, DOCUMENT, 5.0),
    )


async def test_a_cap_is_never_passed_by_many_at_once(ledger: Ledger, store: CapStore) -> None:
    """Ten simulations applied at the same moment under a cap of two: two receipts, eight refusals by the cap."""
    for number in range(10):
        await simulated(ledger, "add_seats", account(), simulation_id=f"sim_{number}")
    outcomes = await asyncio.gather(
        *(attempt(ledger, store, number) for number in range(10)), return_exceptions=True
    )
    refused = [one for one in outcomes if isinstance(one, Refused)]
    assert (len(outcomes) - len(refused), len(refused)) == (2, 8)
    assert {one.stopped_by[0].rule for one in refused} == {"two_a_month"}
    assert len(await ledger.of_account(account().account_id, ("receipt",))) == 2


async def test_a_repeated_request_uses_nothing_more(ledger: Ledger, store: CapStore) -> None:
    """One key, five times: one use; another key for the same simulation is refused and uses nothing either."""
    for number in (1, 2, 3):
        await simulated(ledger, "add_seats", account(), simulation_id=f"sim_{number}")
    assert len(set(await asyncio.gather(*(attempt(ledger, store, 1) for _ in range(5))))) == 1
    with pytest.raises(AlreadyApplied):
        await attempt(ledger, store, 1, key="another")
    await attempt(ledger, store, 2)
    with pytest.raises(Refused, match="2 actions of 2"):
        await attempt(ledger, store, 3)


async def test_what_was_applied_is_not_given_back(ledger: Ledger, store: CapStore) -> None:
    """The use stays for the cap's window, also when reservations that were not shown are swept."""
    await simulated(ledger, "add_seats", account(), simulation_id="sim_1")
    await attempt(ledger, store, 1)
    assert await store.sweep(account().now + dt.timedelta(days=1), 5.0) == 0
    used, _ = await store.usage([("two_a_month|acme-0042", DOCUMENT.caps[0])], [], account().now, 5.0)
    assert list(used.values()) == [1]

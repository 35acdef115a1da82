"""Each level of a cap is said once, whether decisions or people who apply actions come to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from serving import metrics
from serving.actions.apply import Wish, apply
from serving.actions.errors import Refused
from serving.actions.fresh import fresh_frame
from serving.actions.simulate import Rules, simulate_action
from serving.actions.sources import read_source
from serving.actions.types import draft
from serving.caps.store import CapStore, Reservation
from serving.decisions.caps import Cap, Use
from serving.features.client import make_link
from serving.ledger.entry import Entry
from tests.serving.caps.test_live import ask, serving
from tests.serving.caps.test_store import DEADLINE, NOW
from tests.serving.world import account_ids

if TYPE_CHECKING:
    from pathlib import Path

    from serving.state import ServingState
    from tests.serving.conftest import World

LEVELS = ("60", "80", "100")


def alerts(cap: str) -> list[int]:
    """Return how often the three levels of *cap* were said in this process."""
    metrics.flush()
    found = (
        REGISTRY.get_sample_value("keepgrow_cap_alerts_total", {"cap": cap, "percent": percent})
        for percent in LEVELS
    )
    return [int(count or 0) for count in found]


async def apply_on(state: ServingState, account_id: str) -> bytes:
    """Apply a simulation that is on record under the account's name."""
    rules = Rules(state.catalogue, state.policy)
    source = await read_source(state.ledger, "simulation", f"sim_{account_id}")
    frame = await fresh_frame(state, account_id)
    wish = Wish(f"key-{account_id}", account_id, "ann")
    action = source.action(frame, rules, None)
    return await apply(
        state.ledger, wish, source, action, frame, rules, approvals=[], targets=("log",), caps=state.applied_caps,
    )  # fmt: skip


async def simulate_on(state: ServingState, account_id: str) -> bool:
    """Record a simulation under the account's name, and say whether it may be applied."""
    rules = Rules(state.catalogue, state.policy)
    frame = await fresh_frame(state, account_id)
    content = simulate_action(draft(rules.situation(frame, "guide_experiment")), frame, rules)
    name = f"sim_{account_id}"
    said = {**content, "proposed_by": "ann", "simulation_id": name}
    await state.ledger.append(Entry("simulation", name, account_id, frame.now, said))
    return bool(content["allowed"])


async def proposed_and_given_back(state: ServingState, account_id: str) -> bool:
    """Say whether the account gets an action on a customer's surface, and leave no use behind."""
    decision = await ask(state, account_id)
    if decision["action"] is None:
        return False
    return await state.caps.not_shown(decision["reservation"]["id"], state.clock.now())


async def test_decisions_and_people_share_one_alert_a_level(world: World, tmp_path: Path) -> None:
    """Decisions and applied actions at the same moment use up one budget, and say each level once together."""
    before = alerts("shared")
    async with serving(world, tmp_path, {"id": "shared", "per": [], "limit": 10, "window_days": 7}) as state:
        names = [name for name in account_ids()[:-1] if name.startswith("acme-")]
        people = [name for name in names[::2] if await simulate_on(state, name)][:7]
        asking = [name for name in names[1::2] if await proposed_and_given_back(state, name)][:7]
        road = [*(apply_on(state, name) for name in people), *(ask(state, name) for name in asking)]
        outcomes = await asyncio.gather(*road, return_exceptions=True)
    receipts = [one for one in outcomes if isinstance(one, bytes)]
    proposals = [one for one in outcomes if isinstance(one, dict) and one["action"] is not None]
    assert len(receipts) + len(proposals) == 10
    assert len(receipts) > 2
    assert len(proposals) > 2
    assert all(isinstance(one, bytes | dict | Refused) for one in outcomes)
    assert [now - was for now, was in zip(alerts("shared"), before, strict=True)] == [1, 1, 1]


async def test_a_reservation_asked_for_again_says_nothing_again(valkey_url: str) -> None:
    """The same reservation sent twice counts once, and so do its levels; an account's own cap has none."""
    store = CapStore(make_link(valkey_url), b"{test}:alerts-again")
    budget = Use(Cap(id="again", per=(), limit=5, window_days=7), "again", 3)
    own = Use(Cap(id="again_own", limit=1, window_days=7), "again_own|acme", 1)
    asked = Reservation("r1", "acme", "guide", "in_app", (budget, own), NOW, 0)
    answers = [await store.reserve(asked, NOW, DEADLINE) for _ in range(3)]
    await store.close()
    assert [one.granted for one in answers] == [True] * 3
    assert alerts("again") == [1, 0, 0]
    assert alerts("again_own") == [0, 0, 0]

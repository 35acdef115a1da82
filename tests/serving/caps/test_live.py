"""Caps on the way of live decisions: the whole service state, a real store and a real ledger."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import redis
import yaml

from serving.answers import next_best_action
from serving.bundle.store import find_bundle
from serving.caps.rebuild import rebuild
from serving.caps.store import CapStore
from serving.decisions.policy.document import PACKAGED_POLICY
from serving.features.client import make_link
from serving.ledger.outcomes import Outcome, record_outcome
from serving.state import ServingState
from tests.serving.catalogues import whatever_happens
from tests.serving.world import account_ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.serving.conftest import World


def forget_counts(world: World) -> None:
    """Lose what the server knows of caps."""
    with redis.Redis.from_url(world.redis_url) as client:
        for key in client.scan_iter("{keepgrow}:caps*"):
            client.delete(key)


@asynccontextmanager
async def serving(world: World, folder: Path, *caps: dict[str, Any]) -> AsyncIterator[ServingState]:
    """Run the service's state on a policy with *caps*, a catalogue without conditions, and counts of nothing."""
    forget_counts(world)
    policy = folder / "policy.yaml"
    document = yaml.safe_load(PACKAGED_POLICY.read_text())
    policy.write_text(yaml.safe_dump({**document, "holdouts": {}, "caps": list(caps)}))
    settings = world.settings(policy=policy, ledger_url=f"sqlite:///{folder / 'ledger.db'}")
    state = ServingState.load(settings, find_bundle(world.tag, world.home / "models"))
    state.catalogue = whatever_happens(state.catalogue)
    await state.connect()
    try:
        yield state
    finally:
        await state.close()


async def ask(state: ServingState, account_id: str, surface: str | None = "in_app") -> dict[str, Any]:
    """Return the decision about an account."""
    return (await next_best_action(state, account_id, surface)).to_dict()


async def ask_all(state: ServingState, surface: str | None = "in_app") -> list[dict[str, Any]]:
    """Return the decision about every account, asked at once."""
    return await asyncio.gather(*(ask(state, account_id, surface) for account_id in account_ids()[:-1]))


async def test_hundreds_of_requests_at_once_keep_a_cap_of_three(world: World, tmp_path: Path) -> None:
    """However many ask at once, three accounts get an action, and the others are told of the cap."""
    async with serving(world, tmp_path, {"id": "three", "per": [], "limit": 3, "window_days": 7}) as state:
        answers = [one for part in await asyncio.gather(*(ask_all(state) for _ in range(6))) for one in part]
    assert len(answers) > 200
    shown = [one for one in answers if one["action"] is not None]
    assert len({one["account_id"] for one in shown}) == len({one["reservation"]["id"] for one in shown}) == 3
    refused = [one for one in answers if one["reason"]["code"] == "three"]
    assert refused
    assert {one["reason"]["text"] for one in refused} == {
        "Nothing now: budgets are used up. 3 actions of 3 are used within 7 days."
    }


async def test_a_page_that_loads_again_uses_nothing_more(world: World, tmp_path: Path) -> None:
    """The same recommendation keeps its reservation, though the account's cap is used up by it."""
    cap = {"id": "once", "per": ["account"], "limit": 1, "window_days": 7}
    async with serving(world, tmp_path, cap) as state:
        first = next(one for one in await ask_all(state) if one["action"] is not None)
        again = await ask(state, first["account_id"])
        elsewhere = await ask(state, first["account_id"], "email")
    assert again["action"]["key"] == first["action"]["key"]
    assert again["reservation"] == {"id": first["decision_id"], "uses": [], "given_back_at": None}
    assert elsewhere["action"] is None
    assert "once" in {one["rule"] for one in elsewhere["refused"] if one["stage"] == "contact_policy"}


async def test_what_was_not_shown_is_free_again(world: World, tmp_path: Path) -> None:
    """A reservation that is given back lets another account have the action."""
    async with serving(world, tmp_path, {"id": "one", "per": [], "limit": 1, "window_days": 7}) as state:
        answers = await ask_all(state)
        (first,) = [one for one in answers if one["action"] is not None]
        assert await state.caps.not_shown(first["reservation"]["id"], state.clock.now())
        others = [one for one in await ask_all(state) if one["action"] is not None]
    assert len(others) == 1


async def test_beyond_a_budget_actions_are_drafts(world: World, tmp_path: Path) -> None:
    """An action that a used-up budget lets be prepared says so, and uses nothing."""
    spent = {"id": "spent", "per": [], "unit": "cost", "limit": 0, "window_days": 7, "on_breach": "draft"}
    async with serving(world, tmp_path, spent) as state:
        drafts = [one for one in await ask_all(state) if one["action"] and one["action"]["cost"] > 0]
    assert drafts
    assert {one["action"]["mode"] for one in drafts} == {"draft"}
    assert {tuple(one["action"]["drafted_by"]) for one in drafts} == {("spent",)}
    assert {one["reservation"] for one in drafts} == {None}


async def test_people_of_the_company_use_nothing_of_caps(world: World, tmp_path: Path) -> None:
    """What the account card shows is not put before a customer, so the cap of one lets all accounts through."""
    async with serving(world, tmp_path, {"id": "one", "per": [], "limit": 1, "window_days": 7}) as state:
        shown = [one for one in await ask_all(state, None) if one["action"] is not None]
    assert len(shown) > 1
    assert {one["reservation"] for one in shown} == {None}


async def test_counts_come_back_from_the_ledger(world: World, tmp_path: Path) -> None:
    """After a loss of data, what was shown or may still be counts again, once; what was given back does not."""
    cap = {"id": "company", "per": [], "limit": 100, "window_days": 7}
    async with serving(world, tmp_path, cap) as state:
        now = state.clock.now()
        first, second, third, *others = [one for one in await ask_all(state) if one["action"] is not None]
        for one, event in ((first, "shown"), (second, "not_shown")):
            outcome = Outcome(one["decision_id"], event)
            await state.ledger.transact(
                lambda ledger, told=outcome: record_outcome(ledger, told, now=now, rejection_days=1)
            )
        forget_counts(world)
        store = CapStore(make_link(world.redis_url))
        open_ = len([third, *others])
        assert await rebuild(store, state.ledger.database, now, 5) == (1 + open_, 1 + open_)
        assert await rebuild(store, state.ledger.database, now, 5) == (1 + open_, 0)
        counted = [("company", state.policy.document.caps[0])]
        assert (await store.usage(counted, [], now, 5))[0] == {"company": 1 + open_}
        later = now + dt.timedelta(hours=2)
        await store.sweep(later, 5)
        assert (await store.usage(counted, [], later, 5))[0] == {"company": 1}
        forget_counts(world)
        assert await rebuild(store, state.ledger.database, later, 5) == (1, 1)
        await store.close()

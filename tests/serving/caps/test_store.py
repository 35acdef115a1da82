"""The counts of caps against a real server: atomic, given back, rolling, restored."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from typing import TYPE_CHECKING

import pytest
import redis

from serving.caps.store import CapStore, PastUse, Reservation
from serving.decisions.caps import Cap, Use
from serving.errors import StoreUnavailable
from serving.features.client import make_link

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE = 9
NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
CAP = Cap(id="weekly", limit=3, window_days=7)
DEADLINE = 5.0


@pytest.fixture
def url(valkey_url: str) -> Iterator[str]:
    """Return the URL of an empty database."""
    address = valkey_url.removesuffix("/0") + f"/{DATABASE}"
    with redis.Redis.from_url(address) as client:
        client.flushdb()
        yield address
        client.flushdb()


def asked(name: str, *uses: Use, now: dt.datetime = NOW, action: str = "", valid: int = 0) -> Reservation:
    """Return a reservation called *name*, by default of a recommendation of its own."""
    return Reservation(name, "acme", action or name, "in_app", uses, now + DAY / 24, valid)


def use(cap: Cap = CAP, amount: int = 1, key: str = "weekly|acme") -> Use:
    """Return a use of *cap*."""
    return Use(cap, key, amount)


async def used(store: CapStore, now: dt.datetime = NOW, key: str = "weekly|acme", cap: Cap = CAP) -> int:
    """Return what is used under *key*."""
    return (await store.usage([(key, cap)], [], now, DEADLINE))[0][key]


def test_two_hundred_at_once_never_pass_a_cap_of_three(url: str) -> None:
    """Of 200 concurrent reservations through 8 clients, exactly three are granted, and all learn what was used."""

    async def scenario() -> None:
        stores = [CapStore(make_link(url)) for _ in range(8)]
        answers = await asyncio.gather(
            *(stores[i % 8].reserve(asked(f"r{i}", use()), NOW, DEADLINE) for i in range(200))
        )
        assert sum(answer.granted for answer in answers) == 3
        assert sorted(answer.used["weekly|acme"] for answer in answers) == [0, 1, 2, *[3] * 197]
        assert await used(stores[0]) == 3
        for store in stores:
            await store.close()

    asyncio.run(scenario())


def test_all_uses_are_reserved_or_none(url: str) -> None:
    """A reservation that passes one of two limits uses nothing of the other."""

    async def scenario() -> None:
        store = CapStore(make_link(url))
        money = Cap(id="money", limit=1, window_days=1, unit="cost", per=())
        answer = await store.reserve(asked("a", use(), use(money, 101, "money")), NOW, DEADLINE)
        assert not answer.granted
        assert await used(store) == 0
        assert (await store.reserve(asked("b", use(), use(money, 100, "money")), NOW, DEADLINE)).granted
        assert await used(store, key="money", cap=money) == 100
        await store.close()

    asyncio.run(scenario())


def test_what_is_not_shown_is_given_back(url: str) -> None:
    """A release and a sweep give back; what was kept stays until it leaves the window."""

    async def scenario() -> None:
        store = CapStore(make_link(url))
        for name in ("kept", "late", "released"):
            assert (await store.reserve(asked(name, use()), NOW, DEADLINE)).granted
        assert await store.keep("kept", NOW, DEADLINE)
        assert not await store.keep("kept", NOW, DEADLINE)
        assert await store.release("released", NOW, DEADLINE)
        assert not await store.release("released", NOW, DEADLINE)
        assert await store.sweep(NOW, DEADLINE) == 0
        assert await used(store) == 2
        assert await store.sweep(NOW + DAY, DEADLINE) == 1
        assert await used(store, NOW + DAY) == 1
        assert await used(store, NOW + 7 * DAY - DAY / 1000) == 1
        assert await used(store, NOW + 7 * DAY) == 0
        await store.close()

    asyncio.run(scenario())


def test_the_same_recommendation_counts_once_while_it_is_valid(url: str) -> None:
    """Loading a page again uses nothing more, and the earlier reservation is named; a release ends that."""

    async def scenario() -> None:
        store = CapStore(make_link(url))
        first = await store.reserve(asked("first", use(), action="guide", valid=60), NOW, DEADLINE)
        again = await store.reserve(asked("again", use(), action="guide", valid=60), NOW, DEADLINE)
        assert (first.granted, again.granted, again.reservation_id) == (True, True, "first")
        assert await used(store) == 1
        held = (await store.usage([], ["guide|in_app|acme", "other|in_app|acme"], NOW, DEADLINE))[1]
        assert held == {"guide|in_app|acme": "first"}
        await store.release("first", NOW, DEADLINE)
        assert (await store.usage([], ["guide|in_app|acme"], NOW, DEADLINE))[1] == {}
        await store.close()

    asyncio.run(scenario())


def test_counts_are_those_of_a_plain_model(url: str) -> None:
    """After any run of reservations, releases and passing time, each key's use is what a list of uses adds up to."""
    dice = random.Random(5)
    caps = {
        "a": Cap(id="a", limit=9, window_days=2),
        "b": Cap(id="b", limit=20, window_days=5, unit="csm_minutes"),
    }

    async def scenario() -> None:
        store = CapStore(make_link(url))
        now, model = NOW, dict[str, list[tuple[str, dt.datetime, int]]]()
        for step in range(300):
            now += dice.random() * DAY / 4
            wanted = [
                use(cap, dice.randint(1, 4), f"{name}|{dice.choice('xyé')}") for name, cap in caps.items()
            ]
            spent = {
                one.key: sum(
                    amount for _, at, amount in model.get(one.key, []) if at > now - DAY * one.cap.window_days
                )
                for one in wanted
            }
            answer = await store.reserve(asked(f"r{step}", *wanted, now=now), now, DEADLINE)
            assert answer.used == spent
            assert answer.granted == (not any(one.exceeds(spent[one.key]) for one in wanted))
            if answer.granted:
                for one in wanted:
                    model.setdefault(one.key, []).append((f"r{step}", now, one.amount))
            if dice.random() < 0.3:
                gone = f"r{dice.randint(0, step)}"
                await store.release(gone, now, DEADLINE)
                model = {key: [one for one in found if one[0] != gone] for key, found in model.items()}
        await store.close()

    asyncio.run(scenario())


def test_an_emptied_server_is_filled_again(url: str) -> None:
    """Restoring past uses counts each once, skips what left the window, and leaves open what may be given back."""

    async def scenario() -> None:
        store = CapStore(make_link(url))
        shown = PastUse("shown", NOW - DAY, None, (("weekly|acme", 1, 7 * 86_400),))
        waits = PastUse("open", NOW, NOW + DAY / 24, (("weekly|acme", 1, 7 * 86_400),))
        old = PastUse("old", NOW - 8 * DAY, None, (("weekly|acme", 1, 7 * 86_400),))
        assert [await store.restore(one, NOW, DEADLINE) for one in (shown, waits, old, shown)] == [
            True, True, False, False,
        ]  # fmt: skip
        assert await used(store) == 2
        assert await store.sweep(NOW + DAY, DEADLINE) == 1
        assert await used(store, NOW + DAY) == 1
        await store.close()

    asyncio.run(scenario())


def test_no_server_is_said_in_time() -> None:
    """Without a server the error is the one that becomes a 503."""

    async def scenario() -> None:
        store = CapStore(make_link("redis://127.0.0.1:1/0"))
        with pytest.raises(StoreUnavailable):
            await store.reserve(asked("a", use()), NOW, 0.2)
        await store.close()

    asyncio.run(scenario())

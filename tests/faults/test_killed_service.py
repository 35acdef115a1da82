"""`kill -9` of the running service at random moments, over HTTP: nothing that was answered is lost, nothing is doubled.

A client that gets no answer sends the same request with the same key again, as it should. Each restart is made as if it
had taken longer than the lease of the outbox, so that sending is interrupted too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import sqlalchemy as sa
import yaml

from keepgrow.processes import end, free_port
from serving.actions import outbox
from serving.actions.connectors import make_connectors
from serving.actions.tables import LEASES
from serving.actions.worker import OutboxWorker, Retries
from serving.caps.store import CapStore
from serving.decisions.caps import Cap
from serving.decisions.policy.document import PACKAGED_POLICY
from serving.features.client import make_link
from serving.ledger.database import Database
from serving.ledger.ledger import Ledger
from serving.ledger.tables import ENTRIES
from serving.ledger.verify import verify
from tests.serving.caps.test_live import forget_counts
from tests.serving.test_service import environment
from tests.serving.world import NOW, account_ids

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serving.conftest import World

KILLS = 16
SENDERS = 4
LONGEST_LIFE_SECONDS = 0.6
SEED = 20261122
ANN = {"keepgrow-actor": "ann"}
CAP = Cap(id="company", per=(), limit=1_000_000, window_days=7)


class Service:
    """The service, which can be killed and started again on the same port."""

    def __init__(self, starter: subprocess.Popen[str], port: int) -> None:
        self._starter = starter
        self._process = 0
        self.url = f"http://127.0.0.1:{port}"

    async def start(self) -> None:
        """Start, and return once it is ready."""
        assert self._starter.stdin is not None
        assert self._starter.stdout is not None
        self._starter.stdin.write("start\n")
        self._starter.stdin.flush()
        self._process = int(await asyncio.to_thread(self._starter.stdout.readline))
        deadline = time.monotonic() + 60
        async with httpx.AsyncClient(base_url=self.url, timeout=5) as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get("/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.02)
        raise AssertionError("the service did not become ready")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it, without a word by default."""
        os.kill(self._process, number)


@contextlib.contextmanager
def startable(env: dict[str, str]) -> Iterator[Service]:
    """Give a service that is not started yet."""
    port = free_port()
    starter = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.reborn", "--port", str(port)],
        env={**os.environ, **env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield Service(starter, port)
    finally:
        end(starter)


@dataclass
class Seen:
    """What the clients have asked, and what they were answered.

    Attributes:
        asked: Body of the request to apply by its key.
        receipts: Answers by key; more than one if they differ.
        decisions: Ids of decisions that were answered.
        numbers: Gives the next key.
    """

    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    receipts: dict[str, set[bytes]] = field(default_factory=dict)
    decisions: set[str] = field(default_factory=set)

    @property
    def unanswered(self) -> list[str]:
        """Keys of requests that got no answer."""
        return [key for key in self.asked if key not in self.receipts]


async def apply(client: httpx.AsyncClient, seen: Seen, key: str) -> None:
    """Send the request of *key*, again if it was sent before."""
    headers = {**ANN, "idempotency-key": key}
    answer = await client.post("/v1/actions/apply", json=seen.asked[key], headers=headers)
    assert answer.status_code == 200, answer.text
    seen.receipts.setdefault(key, set()).add(answer.content)


async def act(client: httpx.AsyncClient, seen: Seen, names: list[str], dice: random.Random) -> None:
    """Simulate and apply one action after the other, now and then one that was answered again, until the end."""
    while True:
        body = {"action_key": "guide_experiment", "account_id": dice.choice(names)}
        simulation = await client.post("/v1/actions/simulate", json=body, headers=ANN)
        assert simulation.status_code == 200, simulation.text
        key = f"key-{len(seen.asked)}"
        seen.asked[key] = {"simulation_id": simulation.json()["simulation_id"]}
        await apply(client, seen, key)
        if dice.random() < 0.1:
            await apply(client, seen, dice.choice(sorted(seen.receipts)))


async def ask(client: httpx.AsyncClient, seen: Seen, dice: random.Random) -> None:
    """Ask for one decision after the other, until the end."""
    while True:
        body = {"account_id": dice.choice(account_ids()[:-1])}
        answer = await client.post("/v1/next-best-action", json=body)
        assert answer.status_code == 200, answer.text
        seen.decisions.add(answer.json()["decision_id"])


async def work(url: str, seen: Seen, names: list[str], dice: random.Random) -> None:
    """Be several clients, until the service is gone; first of all, what was not answered is asked again."""

    async def until_gone(work: Any) -> None:
        with contextlib.suppress(httpx.TransportError):
            await work

    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        await asyncio.gather(
            *(until_gone(apply(client, seen, key)) for key in seen.unanswered),
            *(until_gone(act(client, seen, names, dice)) for _ in range(SENDERS)),
            until_gone(ask(client, seen, dice)),
        )


async def who_may(url: str) -> list[str]:
    """Return accounts that the action may be applied to."""
    found = []
    async with httpx.AsyncClient(base_url=url, timeout=30, headers=ANN) as client:
        for name in account_ids()[:-1]:
            body = {"action_key": "guide_experiment", "account_id": name}
            if (await client.post("/v1/actions/simulate", json=body)).json()["allowed"]:
                found.append(name)
    return found


def forget_lease(database: Database) -> None:
    """Let the lease of a worker that was killed be over."""
    with database.writing() as connection:
        connection.execute(LEASES.update().values(until_us=0))


def recorded(database: Database, kind: str) -> list[str]:
    """Return the ids of all entries of *kind*."""
    with database.reading() as connection:
        return list(
            connection.execute(sa.select(ENTRIES.c.record_id).where(ENTRIES.c.kind == kind)).scalars()
        )


async def send_the_rest(url: str, target: str) -> dict[str, int]:
    """Empty the outbox as the next worker would, and return how many events are in each state."""
    ledger = Ledger(url, timeout_seconds=20)
    await ledger.open()
    connectors = make_connectors(target, None, time.time)
    worker = OutboxWorker(ledger, connectors, lambda: NOW.replace(year=2030), time.time, Retries())
    await worker.drain()
    counts = await ledger.look(outbox.counts)
    await ledger.close()
    return counts


async def test_a_service_that_is_killed_again_and_again_keeps_its_word(world: World, tmp_path: Path) -> None:
    """Each key ends with one receipt, one effect and one use of a cap; all that was answered is on record."""
    dice, seen = random.Random(SEED), Seen()
    forget_counts(world)
    policy, effects = tmp_path / "policy.yaml", tmp_path / "effects.jsonl"
    document = yaml.safe_load(PACKAGED_POLICY.read_text())
    caps = [CAP.model_dump(mode="json", exclude_defaults=True)]
    policy.write_text(yaml.safe_dump({**document, "holdouts": {}, "caps": caps}))
    ledger_url = f"sqlite:///{tmp_path / 'ledger.db'}"
    env = {
        **environment(world),
        "LEDGER_URL": ledger_url,
        "KEEPGROW_POLICY": str(policy),
        "KEEPGROW_OUTBOX": f"file:{effects}",
        "KEEPGROW_LEDGER_TIMEOUT_SECONDS": "20",
        "KEEPGROW_REDIS_TIMEOUT_SECONDS": "5",
    }
    database = Database(ledger_url, wait_seconds=20)
    with startable(env) as service:
        await service.start()
        names = await who_may(service.url)
        assert names
        waited_for = []
        for _ in range(KILLS):
            working = asyncio.create_task(work(service.url, seen, names, dice))
            await asyncio.sleep(dice.uniform(0.02, LONGEST_LIFE_SECONDS))
            service.kill()
            await working
            waited_for.append(len(seen.unanswered))
            forget_lease(database)
            await service.start()
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
            await asyncio.gather(*(apply(client, seen, key) for key in seen.unanswered))
            await asyncio.gather(
                *(apply(client, seen, key) for key in dice.sample(sorted(seen.receipts), 20))
            )
        service.kill(signal.SIGTERM)
    forget_lease(database)
    counts = await send_the_rest(ledger_url, f"file:{effects}")

    assert sum(waited_for) > KILLS / 2, "too few requests were under way when the service was killed"
    assert len(seen.asked) > 2 * KILLS
    assert {len(answers) for answers in seen.receipts.values()} == {1}, "a key had two answers"
    answered = [json.loads(next(iter(answers)))["receipt_id"] for answers in seen.receipts.values()]
    assert Counter(recorded(database, "receipt")) == Counter(answered)
    assert len(recorded(database, "application")) == len(answered)
    sent = [json.loads(line) for line in effects.read_text().splitlines()]
    assert counts == {"pending": 0, "delivered": len(answered), "dead": 0, "cancelled": 0}
    assert Counter(event["data"]["receipt_id"] for event in sent) == Counter(answered)
    assert seen.decisions
    assert seen.decisions <= set(recorded(database, "decision"))
    assert verify(database).broken is None
    store = CapStore(make_link(world.redis_url))
    used, _ = await store.usage([("company", CAP)], [], NOW, 5)
    await store.close()
    database.close()
    assert used == {"company": len(answered)}

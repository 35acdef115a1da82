"""What came of actions and what waits in the outbox is in the metrics, by outcome and by target."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from serving import metrics
from serving.actions import outbox
from serving.actions.connectors import DeliveryError
from serving.actions.errors import Expired, Refused
from serving.actions.outbox_metrics import label, show
from serving.actions.outbox_row import Backlog
from serving.actions.worker import OutboxWorker, Retries
from tests.serving.actions.test_http import ANN, BOB, allowed, app, client
from tests.serving.actions.worlds import account, applied, simulated

if TYPE_CHECKING:
    import httpx

    from serving.actions.outbox_row import Row
    from serving.ledger.ledger import Ledger

__all__ = ["app", "client"]


class Moody:
    """A target that takes what it is told to, and refuses else."""

    target = "https://user:secret@hooks.test:8443/T0/B0/token?key=1"

    def __init__(self, *takes: bool) -> None:
        self.takes = list(takes)

    async def deliver(self, _row: Row) -> None:
        """Take the event or not."""
        if not self.takes.pop(0):
            raise DeliveryError("not now")

    async def close(self) -> None:
        """Hold nothing."""


def sample(name: str, **labels: str) -> float:
    """Return a sample of this process."""
    metrics.flush()
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def scraped(client: httpx.AsyncClient, name: str) -> dict[str, float]:
    """Return the samples of a metric as `/metrics` says them, by outcome or target and state."""
    text = (await client.get("/metrics")).text
    return {
        "/".join(one.labels.values()): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == name
    }


def grown(now: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    """Return what has become more, and by how much."""
    return {key: value - before.get(key, 0) for key, value in now.items() if value > before.get(key, 0)}


async def test_each_request_to_apply_counts_once_by_what_came_of_it(client: httpx.AsyncClient) -> None:
    """A receipt, its repetition, and every way to get none; simulations and undoings likewise."""
    names = ("keepgrow_applies_total", "keepgrow_simulations_total", "keepgrow_rollbacks_total")
    before = [await scraped(client, name) for name in names]

    async def apply(body: dict[str, Any], key: str) -> httpx.Response:
        headers = {**ANN, "idempotency-key": key} if key else ANN
        return await client.post("/v1/actions/apply", json=body, headers=headers)

    guide = {"simulation_id": (await allowed(client, "guide_experiment"))["simulation_id"]}
    status = {"simulation_id": (await allowed(client, "incident_status"))["simulation_id"]}
    simulate = "/v1/actions/simulate"
    assert (await client.post(simulate, json={"account_id": "x"}, headers=ANN)).status_code == 422
    gone = await client.post(simulate, json={"account_id": "x", "action_key": "add_seats"}, headers=ANN)
    assert gone.status_code == 404
    receipt = (await apply(guide, "one")).json()
    for body, key, code in (
        (guide, "one", 200),
        (status, "one", 422),
        (guide, "two", 409),
        (status, "three", 409),
        (guide, "", 400),
        ({"simulation_id": "sim_none"}, "four", 404),
    ):
        assert (await apply(body, key)).status_code == code
    undo = f"/v1/actions/{receipt['receipt_id']}/rollback"
    for token in ("rbt_wrong", receipt["rollback_token"], receipt["rollback_token"]):
        await client.post(undo, json={"rollback_token": token}, headers=BOB)
    applies, simulations, rollbacks = [
        grown(await scraped(client, name), was) for name, was in zip(names, before, strict=True)
    ]
    assert applies == {
        "applied": 1, "repeated": 1, "conflict": 2, "approvals_missing": 1, "malformed": 1, "unknown": 1,
    }  # fmt: skip
    assert simulations.pop("valid") >= 2
    assert simulations == {"invalid": 1, "unknown": 1}
    assert rollbacks == {"refused": 1, "undone": 1, "repeated": 1}


async def test_refusals_and_late_requests_are_counted_wherever_they_come_from(ledger: Ledger) -> None:
    """What policy stops when it is applied, and what is too old, is counted by the core, not only over HTTP."""
    name = "keepgrow_applies_total"
    before = {kind: sample(name, outcome=kind) for kind in ("refused", "expired")}
    source = await simulated(ledger, "add_seats", account())
    with pytest.raises(Refused):
        await applied(ledger, source, account(features={"incident_active": True}))
    with pytest.raises(Expired):
        await applied(ledger, source, account(now=account().now + dt.timedelta(days=9)))
    assert {kind: sample(name, outcome=kind) - was for kind, was in before.items()} == {
        "refused": 1, "expired": 1,
    }  # fmt: skip


async def test_the_outbox_is_counted_by_target_without_its_secrets(ledger: Ledger) -> None:
    """Delivered, tried again and given up; what waits, for how long; an address is named by its host alone."""
    moody, host = Moody(True, False, False), "https://hooks.test:8443"
    frame = account()
    now = [frame.now]
    worker = OutboxWorker(
        ledger, {moody.target: moody}, lambda: now[0], lambda: dt.datetime.timestamp(now[0]), Retries(2, 60.0)
    )
    counts = {
        kind: sample("keepgrow_outbox_deliveries_total", target=host, outcome=kind)
        for kind in ("delivered", "retried", "dead")
    }

    def waiting() -> list[float]:
        shown = [
            sample("keepgrow_outbox_events", target=host, state=state)
            for state in ("pending", "scheduled", "dead")
        ]
        return [*shown, sample("keepgrow_outbox_oldest_pending_seconds", target=host)]

    await worker.measure()
    assert waiting() == [0, 0, 0, 0]
    for number in (1, 2):
        source = await simulated(ledger, "add_seats", frame, simulation_id=f"sim_{number}")
        await applied(ledger, source, frame, key=f"key-{number}", targets=(moody.target,))
    now[0] += dt.timedelta(seconds=30)
    await worker.measure()
    assert waiting() == [2, 0, 0, 30]
    await worker.drain()
    await worker.measure()
    assert waiting() == [1, 0, 0, 30]
    now[0] += dt.timedelta(seconds=120)
    await worker.drain()
    await worker.measure()
    assert waiting() == [0, 0, 1, 0]
    assert {
        kind: sample("keepgrow_outbox_deliveries_total", target=host, outcome=kind) - was
        for kind, was in counts.items()
    } == {"delivered": 1, "retried": 1, "dead": 1}
    await ledger.transact(lambda transaction: outbox.send_again(transaction, (), "dead"))
    await worker.measure()
    assert waiting() == [1, 0, 0, 150]
    await ledger.close()
    now[0] += dt.timedelta(days=1)
    await worker.measure()
    assert waiting() == [1, 0, 0, 150], "a ledger that is gone is no reason to fail, and says nothing new"


async def test_a_later_effect_is_scheduled_until_it_is_due(ledger: Ledger) -> None:
    """The end of a trial waits for its day and is no backlog before it."""
    frame = account()
    source = await simulated(ledger, "upgrade_to_next_plan", frame)
    await applied(ledger, source, frame, targets=("log",))
    (today,) = await ledger.look(lambda one: outbox.backlog(one, frame.now))
    (later,) = await ledger.look(lambda one: outbox.backlog(one, frame.now + dt.timedelta(days=400)))
    assert (today.pending, today.scheduled, today.due_since) == (1, 1, frame.now)
    assert (later.pending, later.scheduled) == (2, 0)


def test_targets_of_one_host_are_added_up() -> None:
    """Two webhooks of one host share a name, so what waits for either counts; a file is not named by its path."""
    now = account().now
    one, other = "https://crm.test/a", "https://crm.test/b"
    since = now - dt.timedelta(seconds=5)
    show([Backlog(one, pending=1, due_since=since), Backlog(other, pending=2, dead=3)], [one, other], now)
    assert sample("keepgrow_outbox_events", target="https://crm.test", state="pending") == 3
    assert sample("keepgrow_outbox_events", target="https://crm.test", state="dead") == 3
    assert sample("keepgrow_outbox_oldest_pending_seconds", target="https://crm.test") == 5
    assert [label("file:/var/lib/secret.jsonl"), label("log")] == ["file", "log"]

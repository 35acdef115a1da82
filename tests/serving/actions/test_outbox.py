"""The outbox: in order for each account and target, at least once, signed, given up in the end, and sent again."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from serving.actions import outbox
from serving.actions.connectors import make_connectors
from serving.actions.errors import NotReversible, WrongToken
from serving.actions.events import make_event
from serving.actions.receipts import read_receipt, roll_back
from serving.actions.types import SideEffect
from serving.actions.webhook import webhook_keys
from serving.actions.worker import OutboxWorker, Retries
from serving.errors import SettingsError
from tests.serving.actions.worlds import account, applied, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from serving.ledger.ledger import Ledger

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
NEXT = "whsec_" + base64.b64encode(b"n" * 32).decode()
NOW = account().now


@dataclass
class Receiver:
    """A webhook receiver on a socket: what came, and what it answers."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        try:
            while line := await reader.readline():
                assert line.startswith(b"POST /hooks?tenant=1 ")
                headers: dict[str, str] = {}
                while (line := await reader.readline()) not in {b"\r\n", b""}:
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value.strip()
                self.came.append((headers, await reader.readexactly(int(headers["content-length"]))))
                status = self.statuses.pop(0) if self.statuses else 204
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        finally:
            writer.close()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The CloudEvents that came."""
        return [json.loads(body) for _, body in self.came]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Return a receiver that listens."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks?tenant=1"
    yield receiver
    server.close()


@dataclass
class Machine:
    """Clocks that the test sets."""

    now: dt.datetime = NOW
    machine: float = 1_770_000_000.0


def worker_of(ledger: Ledger, targets: str, machine: Machine, **retries: Any) -> OutboxWorker:
    """Return a worker whose clocks are the test's."""
    connectors = make_connectors(targets, SECRET, lambda: machine.machine)
    return OutboxWorker(
        ledger, connectors, lambda: machine.now, lambda: machine.machine, Retries(**retries), seed=1
    )


async def put(ledger: Ledger, target: str, *accounts: str, due_at: dt.datetime | None = None) -> None:
    """Put one event for each of *accounts* into the outbox, numbered by their place."""
    events = [
        make_event(SideEffect("test.done", {"number": number}, due_at), name, "rcp_1", NOW, {})
        for number, name in enumerate(accounts)
    ]
    await ledger.transact(lambda transaction: outbox.enqueue(transaction, events, "rcp_1", [target], NOW))


async def states(ledger: Ledger) -> dict[str, int]:
    """Return how many rows are in each state that has any."""
    return {state: count for state, count in (await ledger.look(outbox.counts)).items() if count}


async def test_an_effect_is_a_cloud_event_in_a_signed_webhook(ledger: Ledger, receiver: Receiver) -> None:
    """The body is CloudEvents 1.0 in structured JSON; who has the secret can check the Standard Webhooks signature."""
    machine = Machine()
    worker = worker_of(ledger, receiver.url, machine)
    source = await simulated(ledger, "add_seats", account())
    receipt = json.loads(await applied(ledger, source, account(), targets=worker.targets))
    assert (await worker.drain()).delivered == 1
    await worker.close()
    headers, body = receiver.came[0]
    assert headers["content-type"] == "application/cloudevents+json"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(b"k" * 32, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert headers["webhook-timestamp"] == "1770000000"
    event = json.loads(body)
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "subject", "time")} == {
        "specversion": "1.0", "id": headers["webhook-id"], "source": "urn:keepgrow",
        "type": "keepgrow.seats.adjusted", "subject": "acme-0042", "time": "2026-03-02T12:00:00Z",
    }  # fmt: skip
    assert event["data"]["receipt_id"] == receipt["receipt_id"]
    assert event["data"]["effect"]["seats_to"] == 24
    assert event["data"]["message"] == receipt["message"]
    assert event["data"]["disclosures"] == receipt["disclosures"]


async def test_a_secret_that_is_replaced_signs_too(ledger: Ledger, receiver: Receiver) -> None:
    """While two secrets are set, receivers with either can check; the address' query is in no name."""
    connectors = make_connectors(receiver.url, f"{NEXT} {SECRET}", lambda: 0.0)
    (target,) = connectors
    assert target.endswith("/hooks")
    await put(ledger, target, "a")
    worker = OutboxWorker(ledger, connectors, lambda: NOW, lambda: 0.0, Retries())
    await worker.drain()
    await worker.close()
    assert receiver.came[0][0]["webhook-signature"].count("v1,") == 2


async def test_events_of_an_account_come_in_order_and_hold_nobody_else_back(
    ledger: Ledger, receiver: Receiver
) -> None:
    """While one account's first event is not taken its second waits; another account's goes."""
    machine = Machine()
    worker = worker_of(ledger, receiver.url, machine)
    await put(ledger, worker.targets[0], "a", "a", "b")
    receiver.statuses = [503, 204]
    sent = await worker.drain()
    assert (sent.delivered, sent.failed) == (1, 1)
    assert [(event["subject"], event["data"]["effect"]["number"]) for event in receiver.events] == [
        ("a", 0), ("b", 2),
    ]  # fmt: skip
    assert (await worker.drain()).total == 0
    machine.machine += 6
    assert (await worker.drain()).delivered == 2
    await worker.close()
    order = [event["data"]["effect"]["number"] for event in receiver.events if event["subject"] == "a"]
    assert order == [0, 0, 1]
    assert len({event["id"] for event in receiver.events}) == 3
    assert await states(ledger) == {"delivered": 3}


async def test_what_is_never_taken_is_given_up_and_can_be_tried_anew(
    ledger: Ledger, receiver: Receiver
) -> None:
    """After so many attempts an event is dead and holds nothing back; a retry sends it under its old id."""
    machine = Machine()
    worker = worker_of(ledger, receiver.url, machine, attempts_max=3)
    await put(ledger, worker.targets[0], "a", "a")
    receiver.statuses = [500, 404, 301]
    for _ in range(3):
        await worker.drain()
        machine.machine += 3600
    assert await states(ledger) == {"dead": 1, "delivered": 1}
    (dead,) = await ledger.look(lambda transaction: outbox.listing(transaction, "dead", None, 10))
    assert (dead.attempts, dead.last_error) == (3, f"{worker.targets[0]} answered 301")
    await ledger.transact(lambda transaction: outbox.send_again(transaction, [dead.event_id], "dead"))
    assert (await worker.drain()).delivered == 1
    await worker.close()
    assert receiver.events[-1]["id"] == receiver.events[0]["id"] == dead.event_id


async def test_a_receiver_that_is_gone_or_asks_for_time_is_waited_for(
    ledger: Ledger, receiver: Receiver
) -> None:
    """A refused connection is a failure like another, and names no secret part of the address."""
    machine = Machine()
    worker = worker_of(ledger, "http://user:pass@127.0.0.1:9/hooks?token=x", machine)
    assert worker.targets == ("http://127.0.0.1:9/hooks",)
    await put(ledger, worker.targets[0], "a")
    assert (await worker.drain()).failed == 1
    await worker.close()
    (row,) = await ledger.look(lambda transaction: outbox.listing(transaction, None, "a", 10))
    assert row.last_error == "http://127.0.0.1:9/hooks: ConnectError"
    assert receiver.came == []


async def test_what_is_not_due_stays(ledger: Ledger, receiver: Receiver) -> None:
    """A scheduled effect waits for its time by the service's clock, and holds nothing back until then."""
    machine = Machine()
    worker = worker_of(ledger, receiver.url, machine)
    await put(ledger, worker.targets[0], "a", due_at=NOW + dt.timedelta(days=14))
    await put(ledger, worker.targets[0], "a")
    assert (await worker.drain()).delivered == 1
    machine.now += dt.timedelta(days=14)
    assert (await worker.drain()).delivered == 1
    await worker.close()
    assert receiver.events[0]["id"] != receiver.events[1]["id"]


async def test_one_worker_sends_and_the_others_wait_for_its_lease(ledger: Ledger, receiver: Receiver) -> None:
    """Two workers at once send each event once; when one ends, the other goes on."""
    machine = Machine()
    first, second = worker_of(ledger, receiver.url, machine), worker_of(ledger, receiver.url, machine)
    await put(ledger, first.targets[0], *(str(number) for number in range(20)))
    sent = await asyncio.gather(first.drain(), second.drain())
    assert sorted(one.delivered for one in sent) == [0, 20]
    idle = second if sent[0].delivered else first
    await put(ledger, first.targets[0], "late")
    assert (await idle.drain()).delivered == 0
    await (first if idle is second else second).close()
    assert (await idle.drain()).delivered == 1
    await idle.close()
    assert len(receiver.events) == 21


async def test_a_running_worker_sends_at_a_nudge(ledger: Ledger, tmp_path: Path) -> None:
    """What is put in leaves at once and not at the next look; stopping it twice does no harm."""
    target = f"file:{tmp_path / 'deep' / 'effects.jsonl'}"
    connectors = make_connectors(target, None, lambda: 0.0)
    worker = OutboxWorker(ledger, connectors, lambda: NOW, lambda: 0.0, Retries(), poll_seconds=60)
    worker.start()
    await asyncio.sleep(0.05)
    await put(ledger, target, "a", "b")
    worker.nudge()
    for _ in range(500):
        if await states(ledger) == {"delivered": 2}:
            break
        await asyncio.sleep(0.02)
    await worker.stop()
    await worker.stop()
    assert len((tmp_path / "deep" / "effects.jsonl").read_text().splitlines()) == 2


async def test_one_poisoned_event_stops_no_other(ledger: Ledger, tmp_path: Path) -> None:
    """A target that fails in a way that nobody foresaw is tried again like one that is down."""
    target = f"file:{tmp_path}"
    worker = worker_of(ledger, f"{target},log", Machine())
    await put(ledger, target, "a")
    await put(ledger, "log", "a")
    sent = await worker.drain()
    await worker.close()
    assert (sent.delivered, sent.failed) == (1, 1)


async def test_an_undone_action_is_followed_by_its_inverse(ledger: Ledger, receiver: Receiver) -> None:
    """After the effect has left, the inverse goes to the same target, once, however often it is asked for."""
    worker = worker_of(ledger, receiver.url, Machine())
    source = await simulated(ledger, "add_seats", account())
    receipt = json.loads(await applied(ledger, source, account(), targets=worker.targets))
    await worker.drain()
    with pytest.raises(WrongToken):
        await roll_back(ledger, receipt["receipt_id"], "rbt_guess", "ann", NOW, reason=None)
    undo = (ledger, receipt["receipt_id"], receipt["rollback_token"], "ann", NOW)
    undone = await asyncio.gather(*(roll_back(*undo, reason="wrong") for _ in range(5)))
    assert all(one == undone[0] for one in undone)
    await worker.drain()
    await worker.close()
    assert [event["type"] for event in receiver.events] == [
        "keepgrow.seats.adjusted", "keepgrow.seats.restored",
    ]  # fmt: skip
    assert receiver.events[1]["data"]["undoes"] == receipt["receipt_id"]
    kept = await read_receipt(ledger, receipt["receipt_id"])
    assert kept["rollback"] == undone[0]


async def test_what_was_delivered_long_ago_is_undone_too(ledger: Ledger, receiver: Receiver) -> None:
    """When the rows of delivered effects were forgotten, the inverse goes to the targets that the receipt names."""
    worker = worker_of(ledger, receiver.url, Machine())
    source = await simulated(ledger, "add_seats", account())
    receipt = json.loads(await applied(ledger, source, account(), targets=worker.targets))
    await worker.drain()
    late = NOW + dt.timedelta(days=100)
    assert await ledger.transact(lambda transaction: outbox.forget_before(transaction, late)) == 1
    await roll_back(ledger, receipt["receipt_id"], receipt["rollback_token"], "ann", NOW, reason=None)
    await worker.drain()
    await worker.close()
    assert receiver.events[-1]["type"] == "keepgrow.seats.restored"


async def test_what_has_not_left_is_cancelled_and_nothing_follows(ledger: Ledger, receiver: Receiver) -> None:
    """Undone before it was sent, an action reaches nobody, not even a mail that could not be called back."""
    worker = worker_of(ledger, receiver.url, Machine())
    now = account(features={"adoption_ratio": 0.2})
    source = await simulated(ledger, "enablement_guide", now)
    receipt = json.loads(await applied(ledger, source, now, targets=worker.targets))
    undone = await roll_back(
        ledger, receipt["receipt_id"], receipt["rollback_token"], "ann", NOW, reason=None
    )
    assert undone["cancelled"] == [receipt["effects"][0]["event_id"]]
    assert undone["effects"] == []
    assert (await worker.drain()).total == 0
    assert await states(ledger) == {"cancelled": 1}


async def test_a_mail_that_has_left_can_not_be_undone(ledger: Ledger, receiver: Receiver) -> None:
    """There is no inverse, and it is said so; the receipt stays as it was."""
    worker = worker_of(ledger, receiver.url, Machine())
    now = account(features={"adoption_ratio": 0.2})
    source = await simulated(ledger, "enablement_guide", now)
    receipt = json.loads(await applied(ledger, source, now, targets=worker.targets))
    await worker.drain()
    await worker.close()
    with pytest.raises(NotReversible):
        await roll_back(ledger, receipt["receipt_id"], receipt["rollback_token"], "ann", NOW, reason=None)
    assert (await read_receipt(ledger, receipt["receipt_id"]))["rollback"] is None


async def test_a_trial_that_is_undone_does_not_end_again(ledger: Ledger, receiver: Receiver) -> None:
    """Its scheduled end is cancelled; only the cancellation follows."""
    machine = Machine()
    worker = worker_of(ledger, receiver.url, machine)
    now = account()
    source = await simulated(ledger, "upgrade_to_next_plan", now)
    receipt = json.loads(await applied(ledger, source, now, targets=worker.targets))
    await worker.drain()
    await roll_back(ledger, receipt["receipt_id"], receipt["rollback_token"], "ann", NOW, reason=None)
    machine.now += dt.timedelta(days=30)
    await worker.drain()
    await worker.close()
    assert [event["type"] for event in receiver.events] == [
        "keepgrow.trial.started", "keepgrow.trial.cancelled",
    ]  # fmt: skip


def test_waits_grow_to_a_most_and_are_cut_by_chance() -> None:
    """Between half and all of 5, 20, 80 ... seconds, and no more than ten hours."""
    retries, chance = Retries(), random.Random(3)
    for attempts, whole in ((1, 5), (2, 20), (3, 80), (9, 36_000), (50, 36_000)):
        waits = [retries.wait_seconds(attempts, chance) for _ in range(200)]
        assert whole / 2 <= min(waits) < max(waits) <= whole


@pytest.mark.parametrize(
    ("targets", "secret", "says"),
    [
        ("", None, "names no target"),
        ("ftp://x", None, "`log`, `file:PATH`"),
        ("file:", None, "`log`, `file:PATH`"),
        ("https://x.test/", None, "this is not set"),
        ("https://x.test/", "hunter2", "a secret is whsec_"),
        ("https://x.test/", "whsec_c2hvcnQ=", "a secret is whsec_"),
        ("https://x.test:port/", SECRET, "address is none"),
    ],
)
def test_targets_that_can_not_be_used_are_refused_without_their_secrets(
    targets: str, secret: str | None, says: str
) -> None:
    """The sentence names the setting and what would be right, and never repeats a secret."""
    with pytest.raises(SettingsError, match="KEEPGROW_") as caught:
        make_connectors(targets, secret, lambda: 0.0)
    assert says in str(caught.value)
    assert secret is None or secret not in str(caught.value)


def test_keys_are_what_the_secrets_hold() -> None:
    """The prefix and base64 are taken off."""
    assert webhook_keys(f"{NEXT} {SECRET}") == (b"n" * 32, b"k" * 32)

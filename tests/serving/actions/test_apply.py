"""Apply: once, by policy as it is now, with the approvals that it needs, and never half."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest

from serving.actions import outbox
from serving.actions.apply import forget_before
from serving.actions.errors import (
    AlreadyApplied,
    ApprovalsMissing,
    Expired,
    KeyReused,
    OwnProposal,
    Refused,
    UnknownSource,
)
from serving.actions.receipts import read_receipt, roll_back
from serving.actions.simulate import UnknownAction
from serving.actions.sources import approve, find_source
from serving.decisions.next_best_action import decide
from serving.errors import EntryErased
from serving.ledger.decisions import answer_json, decision_entry
from serving.ledger.erasure import forget
from serving.ledger.verify import verify
from tests.serving.actions.worlds import CATALOGUE, RULES, account, applied, later, simulated

if TYPE_CHECKING:
    from serving.ledger.ledger import Ledger


async def rows_of(ledger: Ledger, receipt_id: str) -> list[outbox.Row]:
    """Return the outbox of a receipt."""
    return await ledger.look(lambda transaction: outbox.of_receipt(transaction, receipt_id))


async def test_ten_concurrent_applies_with_one_key_are_one(ledger: Ledger) -> None:
    """One effect, one receipt, ten equal answers."""
    now = account()
    source = await simulated(ledger, "add_seats", now)
    answers = await asyncio.gather(*(applied(ledger, source, now) for _ in range(10)))
    assert len(set(answers)) == 1
    receipt = orjson.loads(answers[0])
    assert len(await rows_of(ledger, receipt["receipt_id"])) == 1
    everything = await ledger.look(outbox.counts)
    assert everything == {"pending": 1, "delivered": 0, "dead": 0, "cancelled": 0}
    assert len(await ledger.of_account(now.account_id, ("receipt",))) == 1


async def test_the_receipt_says_all_that_it_was_given_by(ledger: Ledger) -> None:
    """Disclosures, bands, approvals, verdicts, hashes and the token are in the answer; the ledger keeps no token."""
    now = account()
    source = await simulated(ledger, "upgrade_to_next_plan", now)
    receipt = orjson.loads(await applied(ledger, source, now, actor="bob"))
    assert set(receipt["disclosures"]) == {"auto_renewal", "trial_ends", "prices_without_tax"}
    assert receipt["price_band"]["item"] == "business"
    assert receipt["price_band"]["floor"] == 719
    assert receipt["approvals"] == []
    assert (receipt["proposed_by"], receipt["applied_by"]) == ("ann", "bob")
    assert all(check["passed"] for check in receipt["checks"] if check["blocks"])
    assert receipt["hashes"] == {
        "policy": RULES.policy.hash, "catalogue": CATALOGUE.hash,
        "model": "keepgrow:test", "feature_contract": "sha256:test",
    }  # fmt: skip
    token = receipt.pop("rollback_token")
    kept = await read_receipt(ledger, receipt["receipt_id"])
    assert {name: kept[name] for name in receipt} == receipt
    assert token not in str(await ledger.read("receipt", receipt["receipt_id"]))
    assert kept["rollback"] is None


async def test_another_request_under_the_same_key_is_refused(ledger: Ledger) -> None:
    """The key belongs to the first request's content."""
    now = account()
    source = await simulated(ledger, "add_seats", now)
    await applied(ledger, source, now)
    with pytest.raises(KeyReused):
        await applied(ledger, source, now, body="another")


async def test_one_simulation_is_applied_once_whatever_the_key(ledger: Ledger) -> None:
    """A second key for the same simulation gets the first one's receipt named, and no effect."""
    now = account()
    source = await simulated(ledger, "add_seats", now)
    receipt = orjson.loads(await applied(ledger, source, now))
    with pytest.raises(AlreadyApplied) as caught:
        await applied(ledger, source, now, key="key-2")
    assert caught.value.receipt_id == receipt["receipt_id"]
    assert (await ledger.look(outbox.counts))["pending"] == 1


async def test_policy_is_checked_again_when_it_is_applied(ledger: Ledger) -> None:
    """What was allowed when simulated is refused if the account has changed by then; the key stays free."""
    before, changed = account(), account(features={"invoices_overdue": 1})
    source = await simulated(ledger, "add_seats", before)
    with pytest.raises(Refused) as caught:
        await applied(ledger, source, changed)
    assert [one.rule for one in caught.value.stopped_by] == ["nothing_to_buy_while_payment_is_due"]
    assert (await ledger.look(outbox.counts))["pending"] == 0
    assert orjson.loads(await applied(ledger, source, before))["allowed"]


async def test_facts_that_the_action_states_are_checked_again(ledger: Ledger) -> None:
    """Seats that were bought in between make the simulated change wrong."""
    source = await simulated(ledger, "add_seats", account())
    with pytest.raises(Refused, match="the account has 22 seats"):
        await applied(ledger, source, account(features={"seats": 22}))


async def test_a_held_out_account_gets_nothing_by_hand_either(ledger: Ledger) -> None:
    """Holdouts bind people too."""
    held = next(
        one
        for one in (account(account_id=f"acme-{number}") for number in range(2000))
        if RULES.policy.holdouts.of(one.account_id)
    )
    source = await simulated(ledger, "add_seats", held)
    with pytest.raises(Refused, match="held out"):
        await applied(ledger, source, held)


async def test_an_old_simulation_is_not_applied(ledger: Ledger) -> None:
    """After a day it has to be simulated again."""
    now = account(fresh_until=None)
    source = await simulated(ledger, "add_seats", now)
    with pytest.raises(Expired):
        await applied(ledger, source, later(now, hours=25))


async def test_who_proposes_can_not_approve(ledger: Ledger) -> None:
    """An action of high blast radius needs somebody who neither simulated nor applies it."""
    now = account(features={"incident_active": True})
    source = await simulated(ledger, "incident_status", now, actor="ann")
    with pytest.raises(ApprovalsMissing) as caught:
        await applied(ledger, source, now, actor="ann")
    assert (caught.value.needed, caught.value.given) == (1, ())
    with pytest.raises(OwnProposal):
        await approve(ledger, source, "ann", now.now, None)
    await approve(ledger, source, "bob", now.now, "read it")
    with pytest.raises(ApprovalsMissing):
        await applied(ledger, source, now, actor="bob")
    receipt = orjson.loads(await applied(ledger, source, now, actor="ann"))
    assert [one["by"] for one in receipt["approvals"]] == ["bob"]


async def test_to_approve_twice_is_to_approve_once(ledger: Ledger) -> None:
    """The second approval is the first one's answer."""
    now = account(features={"incident_active": True})
    source = await simulated(ledger, "incident_status", now)
    first = await approve(ledger, source, "bob", now.now, "yes")
    assert await approve(ledger, source, "bob", later(now, hours=1).now, "again") == first


async def test_a_decision_is_applied_as_it_proposed(ledger: Ledger) -> None:
    """The winner is written out for the account now; an alternative can be named, anything else can't."""
    now = account()
    decision = decide(now, CATALOGUE, RULES.policy)
    await ledger.append(decision_entry(now, decision.decision_id, answer_json(decision)))
    source = await find_source(ledger, decision.decision_id)
    assert source.action(now, RULES, None).action_key == decision.winner.action.key
    other = decision.alternatives[0].action.key
    assert source.action(now, RULES, other).action_key == other
    with pytest.raises(UnknownAction):
        source.action(now, RULES, decision.refused[0].action)
    receipt = orjson.loads(await applied(ledger, source, now))
    assert receipt["source"] == {"kind": "decision", "id": decision.decision_id}
    assert receipt["proposed_by"] is None


async def test_what_nobody_simulated_can_not_be_applied(ledger: Ledger) -> None:
    """An id that the ledger does not have is refused."""
    with pytest.raises(UnknownSource):
        await find_source(ledger, "sim_none")


async def test_answers_are_kept_as_long_as_they_are_wanted(ledger: Ledger) -> None:
    """Forgotten keys can be used anew; the action itself is still known."""
    now = account()
    source = await simulated(ledger, "add_seats", now)
    await applied(ledger, source, now)
    assert await ledger.transact(lambda transaction: forget_before(transaction, now.now)) == 0
    assert await ledger.transact(lambda transaction: forget_before(transaction, later(now, hours=1).now)) == 1
    with pytest.raises(AlreadyApplied):
        await applied(ledger, source, now)


async def test_the_chain_stays_sound_and_an_erased_account_leaves_nothing_behind(ledger: Ledger) -> None:
    """After apply, undo and erasure the chain verifies; outbox, kept answers and the receipt's content are empty."""
    now = account()
    source = await simulated(ledger, "add_seats", now)
    receipt = orjson.loads(await applied(ledger, source, now))
    undo = (ledger, receipt["receipt_id"], receipt["rollback_token"], "ann", now.now)
    await roll_back(*undo, reason=None)
    assert verify(ledger.database).broken is None
    assert forget(ledger.database, now.account_id, now=now.now, reason="request") == 4
    assert verify(ledger.database).broken is None
    assert sum((await ledger.look(outbox.counts)).values()) == 0
    assert await ledger.transact(lambda transaction: forget_before(transaction, later(now, days=1).now)) == 0
    with pytest.raises(EntryErased):
        await read_receipt(ledger, receipt["receipt_id"])

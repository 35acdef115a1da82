"""The ladder of autonomy when an action is applied: by the level that the ledger has at that moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from serving.actions import outbox
from serving.actions.errors import LevelTooLow
from serving.actions.sources import find_source
from serving.decisions.autonomy import LEVELS
from serving.decisions.next_best_action import decide
from serving.ledger.autonomy import Change, record_change, standing_of
from serving.ledger.decisions import answer_json, decision_entry
from tests.serving.actions.worlds import CATALOGUE, RULES, account, applied, simulated

if TYPE_CHECKING:
    from serving.actions.sources import Source
    from serving.decisions.autonomy import Level
    from serving.ledger.ledger import Ledger
    from serving.ledger.transaction import Transaction

KEY = "add_seats"
TRIGGER = "keepgrow:trigger:near_limit"


async def put(ledger: Ledger, level: Level, key: str = KEY) -> None:
    """Record that the action is at *level*."""

    def work(transaction: Transaction) -> None:
        before = standing_of(transaction, key)
        change = Change(key, "one_click", level, "ann", "test", "sha256:p", {})
        record_change(transaction, change, expected=before, at=account().now)

    await ledger.transact(work)


async def decided(ledger: Ledger) -> Source:
    """Return a decision that proposed the action, as a source of it alone."""
    now = account()
    decision = decide(
        now, CATALOGUE.model_copy(update={"actions": (CATALOGUE.actions_by_key[KEY],)}), RULES.policy
    )
    assert decision.winner is not None
    await ledger.append(decision_entry(now, decision.decision_id, answer_json(decision)))
    return await find_source(ledger, decision.decision_id)


@pytest.mark.parametrize("level", LEVELS)
async def test_a_simulation_is_applied_from_suggest_on(ledger: Ledger, level: Level) -> None:
    """Who looked at a simulation may apply it, but nothing that is in shadow."""
    source = await simulated(ledger, KEY, account())
    await put(ledger, level)
    if level == "shadow":
        with pytest.raises(LevelTooLow, match="nothing that is in shadow is applied"):
            await applied(ledger, source, account())
        assert (await ledger.look(outbox.counts))["pending"] == 0
        await put(ledger, "suggest")
    assert await applied(ledger, source, account())


@pytest.mark.parametrize("level", LEVELS)
async def test_a_decision_is_applied_straight_from_one_click_on(ledger: Ledger, level: Level) -> None:
    """Below that it has to be simulated first, and the refusal says so."""
    source = await decided(ledger)
    await put(ledger, level)
    if level in {"shadow", "suggest"}:
        with pytest.raises(LevelTooLow) as caught:
            await applied(ledger, source, account())
        assert (caught.value.action, caught.value.level, caught.value.needed) == (KEY, level, "one_click")
        assert ("simulate it first" in str(caught.value)) == (level == "suggest")
    else:
        assert await applied(ledger, source, account())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["simulation", "decision"])
async def test_a_trigger_applies_what_is_unattended(ledger: Ledger, level: Level, kind: str) -> None:
    """With nobody asked, whatever it is applied by."""
    source = await simulated(ledger, KEY, account()) if kind == "simulation" else await decided(ledger)
    await put(ledger, level)
    if level == "unattended":
        assert await applied(ledger, source, account(), actor=TRIGGER)
    else:
        with pytest.raises(LevelTooLow):
            await applied(ledger, source, account(), actor=TRIGGER)


async def test_without_a_level_on_record_a_trigger_applies_nothing(ledger: Ledger) -> None:
    """Where actions start, a person has to ask."""
    source = await simulated(ledger, KEY, account())
    with pytest.raises(LevelTooLow, match="a person has to ask for it"):
        await applied(ledger, source, account(), actor=TRIGGER)
    assert await applied(ledger, source, account())


async def test_the_ledger_s_level_counts_and_not_the_frame_s(ledger: Ledger) -> None:
    """A frame that is older than a change neither helps nor hinders."""
    source = await simulated(ledger, KEY, account())
    await put(ledger, "shadow")
    stale = account(autonomy={KEY: "unattended"})
    with pytest.raises(LevelTooLow):
        await applied(ledger, source, stale)
    await put(ledger, "unattended")
    assert await applied(ledger, source, account(autonomy={KEY: "one_click"}), actor=TRIGGER)


async def test_the_way_out_is_told_where_the_policy_would_refuse_as_well(ledger: Ledger) -> None:
    """A decision for a customer's surface is refused by the ladder, so that its reader learns to simulate."""
    source = await decided(ledger)
    await put(ledger, "suggest")
    customers = account(surface="in_app", autonomy={KEY: "suggest"})
    with pytest.raises(LevelTooLow, match="simulate it first"):
        await applied(ledger, source, customers)


async def test_a_demotion_at_the_same_moment_comes_before_or_after(ledger: Ledger) -> None:
    """Of ten applies beside a demotion each is done as by the level before it, or not at all."""
    sources = [await simulated(ledger, KEY, account(), simulation_id=f"sim_{number}") for number in range(10)]
    answers = await asyncio.gather(
        *(applied(ledger, source, account(), key=f"key-{index}") for index, source in enumerate(sources)),
        put(ledger, "shadow"),
        return_exceptions=True,
    )
    done = sum(isinstance(answer, bytes) for answer in answers)
    stopped = sum(isinstance(answer, LevelTooLow) for answer in answers)
    assert done + stopped == 10
    assert (await ledger.look(outbox.counts))["pending"] == done

"""Runs over accounts of a real store, with a real ledger: within the ladder, once, never against holdout or cap."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from serving.actions import outbox
from serving.bundle.store import find_bundle
from serving.clock import make_clock
from serving.ledger.autonomy import Change, record_change
from serving.ledger.erasure import forget
from serving.ledger.rejections import suppress
from serving.ledger.replay import replay
from serving.ledger.transaction import Transaction
from serving.ledger.verify import verify
from serving.triggers.document import load_playbooks
from serving.triggers.errors import PlaybooksError
from serving.triggers.runner import run_triggers
from tests.serving.triggers.services import NOTE, document, entries_of, make_unattended, opened
from tests.serving.triggers.worlds import accounts_of, free_accounts, service
from tests.serving.world import NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from serving.state import ServingState
    from tests.serving.conftest import World


@pytest.fixture
async def state(world: World, tmp_path: Path) -> AsyncIterator[ServingState]:
    """Return a service whose one trigger fires for every account."""
    async with service(world, tmp_path) as state:
        yield state


def later(state: ServingState, **by: float) -> None:
    """Let the service's clock read a later time."""
    state.clock = make_clock(NOW + dt.timedelta(**by))


async def effects(state: ServingState) -> int:
    """Return how many effects wait."""
    return (await state.ledger.look(outbox.counts))["pending"]


async def test_an_action_that_is_only_suggested_becomes_a_task(world: World, state: ServingState) -> None:
    """In the trigger's queue, with decision and sentence; other systems hear of it, and nothing is applied."""
    (account,) = free_accounts(state, world, 1)
    run = await run_triggers(state, [account])
    assert run.counts["older"] == {"fired": 1, "started": 1, "task": 1}
    found = await entries_of(state, account)
    (task,), (step,), (decision,) = found["task"], found["workflow_step"], found["decision"]
    assert found["receipt"] == []
    assert task.content["queue"] == "sales"
    assert task.content["action"]["key"] == NOTE
    assert task.content["text"] == "It is 400 days old."
    assert task.content["level"] == "one_click"
    assert task.content["decision_id"] == step.content["decision_id"] == decision.record_id
    assert decision.content["frame"]["lane"] == "batch"
    (row,) = await state.ledger.look(lambda ledger: outbox.of_receipt(ledger, task.record_id))
    event = json.loads(row.body)
    assert (event["type"], event["subject"]) == ("keepgrow.task.created", account)
    assert event["data"]["task"]["task_id"] == task.record_id


async def test_an_unattended_action_is_applied_once_by_the_trigger(world: World, state: ServingState) -> None:
    """The receipt names the trigger; further runs change nothing."""
    await make_unattended(state)
    (account,) = free_accounts(state, world, 1)
    run = await run_triggers(state, [account])
    assert run.counts["older"] == {"fired": 1, "started": 1, "applied": 1}
    assert (await run_triggers(state, [account])).counts["older"] == {"fired": 1}
    found = await entries_of(state, account)
    (receipt,), (step,) = found["receipt"], found["workflow_step"]
    assert found["task"] == []
    assert receipt.content["applied_by"] == "keepgrow:trigger:older"
    assert (step.content["outcome"], step.content["receipt_id"]) == ("applied", receipt.record_id)
    assert await effects(state) == 1


async def test_an_action_in_shadow_is_neither_applied_nor_a_task(world: World, state: ServingState) -> None:
    """What would have been is on record, and reaches nobody."""
    change = Change(NOTE, "one_click", "shadow", "ann", "", state.policy.hash, {})
    await state.ledger.transact(lambda ledger: record_change(ledger, change, expected=None, at=NOW))
    (account,) = free_accounts(state, world, 1)
    run = await run_triggers(state, [account])
    assert run.counts["older"] == {"fired": 1, "started": 1, "nothing": 1}
    found = await entries_of(state, account)
    assert (found["task"], found["receipt"]) == ([], [])
    assert found["workflow_step"][0].content["reason"]["code"] == "in_shadow"


@pytest.mark.parametrize("unattended", [True, False])
async def test_ten_concurrent_runs_are_one(
    world: World, tmp_path: Path, state: ServingState, unattended: bool
) -> None:
    """One workflow, one step and one effect for each account, whether runs are of one process or of two."""
    if unattended:
        await make_unattended(state)
    accounts = free_accounts(state, world, 3)
    async with service(world, tmp_path) as other:
        runs = await asyncio.gather(
            *(run_triggers(one, accounts) for one in (state, other) for _ in range(5))
        )
    outcome = "applied" if unattended else "task"
    assert sum(run.total("started") for run in runs) == sum(run.total(outcome) for run in runs) == 3
    for account in accounts:
        found = await entries_of(state, account)
        assert len(found["workflow"]) == len(found["workflow_step"]) == 1
        assert (len(found["receipt"]), len(found["task"])) == ((1, 0) if unattended else (0, 1))
    assert await effects(state) == 3


async def test_an_account_that_is_held_out_is_never_acted_on(world: World, tmp_path: Path) -> None:
    """Its workflow is on record, so that it can be held against those of others; nothing reaches anybody."""
    async with service(world, tmp_path, held_out=0.5) as state:
        await make_unattended(state)
        out = [one for one in accounts_of(world) if state.policy.holdouts.of(one)]
        assert len(out) > 5
        for hours in (0, 1, 2):
            later(state, hours=hours)
            await run_triggers(state, out)
        for account in out:
            found = await entries_of(state, account)
            assert (found["receipt"], found["task"]) == ([], [])
            assert [step.content["reason"]["code"] for step in found["workflow_step"]] == ["holdout"]
        assert await effects(state) == 0


async def test_caps_hold_over_a_run(world: World, tmp_path: Path) -> None:
    """Of many accounts for which it fires, as many are acted on as the budget allows; the others say why not."""
    cap = {"id": f"notes_{tmp_path.name[-12:].lower().replace('-', '_')}", "covers": {"actions": [NOTE]}, "per": [],
           "limit": 3, "window_days": 7}  # fmt: skip
    async with service(world, tmp_path, caps=(cap,)) as state:
        await make_unattended(state)
        accounts = free_accounts(state, world, 12)
        runs = [await run_triggers(state, accounts) for _ in range(2)]
        assert sum(run.total("applied") for run in runs) == 3
        assert runs[0].total("nothing") == 9
        assert await effects(state) == 3
        codes = {
            step.content["reason"]["code"]
            for account in accounts
            for step in (await entries_of(state, account))["workflow_step"]
        }
        assert codes == {"applied", cap["id"]}


async def test_people_get_as_many_tasks_a_day_as_they_take_and_the_most_valuable_first(
    world: World, tmp_path: Path
) -> None:
    """The others are told so once, and have their turn when the next day begins."""
    content = document(tasks_a_day={"sales": 4})
    async with service(world, tmp_path, content) as state:
        accounts = free_accounts(state, world, 12)
        dry = await run_triggers(state, accounts, dry=True)
        run = await run_triggers(state, accounts)
        assert (
            run.counts["older"]
            == dry.counts["older"]
            == {"fired": 12, "started": 12, "task": 4, "nothing": 8}
        )
        full = [one for one in run.accounts_done if one["outcome"] == "nothing"]
        assert {one["reason"]["code"] for one in full} == {"queue_full"}
        later(state, hours=10)  # the same day
        assert (await run_triggers(state, accounts)).counts["older"] == {"fired": 12}
        later(state, hours=12)
        assert (await run_triggers(state, accounts)).total("task") == 4


async def test_what_is_worth_most_goes_first(world: World, tmp_path: Path) -> None:
    """The one task of a full queue is that of the account whose action is worth most."""
    async with service(world, tmp_path, document(tasks_a_day={"sales": 1})) as state:
        accounts = free_accounts(state, world, 12)
        run = await run_triggers(state, accounts)
        (first,) = [one["account_id"] for one in run.accounts_done if one["outcome"] == "task"]
    async with service(world, tmp_path / "all") as state:
        await run_triggers(state, accounts)
        worth = {}
        for account in accounts:
            (decision,) = (await entries_of(state, account))["decision"]
            worth[account] = decision.content["answer"]["expected_value"]["amount"]
        assert first == max(worth, key=lambda account: worth[account])


async def test_what_an_account_has_rejected_is_not_done(world: World, state: ServingState) -> None:
    """A trigger knows rejections as every decision does."""
    await make_unattended(state)
    (account,) = free_accounts(state, world, 1)
    until = NOW + dt.timedelta(days=9)
    await state.ledger.transact(lambda ledger: suppress(ledger, account, NOTE, until))
    await run_triggers(state, [account])
    steps = (await entries_of(state, account))["workflow_step"]
    assert [step.content["reason"]["code"] for step in steps] == ["rejected_recently"]


async def test_a_step_that_comes_to_nothing_is_tried_again_and_recorded_when_the_reason_changes(
    world: World,
    state: ServingState,
) -> None:
    """So a daily run does not fill the ledger with the same refusal; when it can be done it is."""
    (account,) = free_accounts(state, world, 1)
    until = NOW + dt.timedelta(hours=12)
    await state.ledger.transact(lambda ledger: suppress(ledger, account, NOTE, until))
    for hours in (0, 4, 8, 11):
        later(state, hours=hours)
        run = await run_triggers(state, [account])
        assert run.total("nothing") == (1 if hours == 0 else 0)
    assert len((await entries_of(state, account))["decision"]) == 1
    later(state, hours=13)
    assert (await run_triggers(state, [account])).total("task") == 1


async def test_nothing_is_done_on_old_features(world: World, state: ServingState) -> None:
    """Three days later the same accounts are counted as stale, and nothing is started."""
    later(state, days=3)
    run = await run_triggers(state, accounts_of(world))
    assert run.stale == run.accounts == len(accounts_of(world))
    assert run.accounts_done == []


async def test_the_same_is_not_done_twice_by_two_workflows(world: World, tmp_path: Path) -> None:
    """Whichever triggers fire, an action that a workflow took lately is left out, and that is said."""
    content = document(rest_hours=0)
    content["triggers"].append({**content["triggers"][0], "id": "also", "playbook": "again"})
    content["playbooks"].append({**content["playbooks"][0], "key": "again"})
    async with service(world, tmp_path, content) as state:
        (account,) = free_accounts(state, world, 1)
        first = await run_triggers(state, [account])
        assert (first.total("started"), first.total("task")) == (2, 1)
        later(state, hours=1)
        second = await run_triggers(state, [account])
        assert second.counts["also"] == {"fired": 1, "nothing": 1}
        assert second.accounts_done[0]["reason"]["code"] == "done_lately"
        assert len((await entries_of(state, account))["decision"]) == 1


async def test_a_dry_run_says_the_same_and_leaves_nothing(world: World, state: ServingState) -> None:
    """What it counts is what a run then does."""
    accounts = accounts_of(world)
    dry = await run_triggers(state, accounts, dry=True)
    assert await state.ledger.look(lambda ledger: ledger.head().seq) == 0
    run = await run_triggers(state, accounts)
    assert dry.counts == run.counts
    assert run.total("task") > 10


async def test_decisions_of_steps_replay_to_the_byte_and_the_chain_verifies(
    world: World, state: ServingState
) -> None:
    """The catalogue of a step is among the ledger's documents."""
    await make_unattended(state)
    accounts = free_accounts(state, world, 4)
    await run_triggers(state, accounts)
    for account in accounts:
        (decision,) = (await entries_of(state, account))["decision"]
        with state.ledger.database.reading() as connection:
            assert replay(Transaction(connection), decision.record_id).same
    assert verify(state.ledger.database).broken is None


async def test_an_erased_account_has_no_workflows_and_may_start_anew(
    world: World, state: ServingState
) -> None:
    """Ids are random: nothing that is left tells whose workflow it was."""
    (account,) = free_accounts(state, world, 1)
    await run_triggers(state, [account])
    before = await entries_of(state, account)
    forget(state.ledger.database, account, now=NOW, reason="asked")
    assert (await entries_of(state, account))["workflow"] == []
    await run_triggers(state, [account])
    (workflow,) = (await entries_of(state, account))["workflow"]
    assert workflow.record_id != before["workflow"][0].record_id


async def test_an_unknown_account_is_named_and_stops_nobody(world: World, state: ServingState) -> None:
    """The others of the run are worked on."""
    (account,) = free_accounts(state, world, 1)
    run = await run_triggers(state, ["nobody", account])
    assert run.unknown == ["nobody"]
    assert run.total("task") == 1


async def test_what_is_packaged_runs_whole_over_every_account(world: World, tmp_path: Path) -> None:
    """No trigger is left out for the packaged catalogue and features; sentences bear missing values."""
    settings = world.settings(
        ledger_url=f"sqlite:///{tmp_path / 'ledger.db'}", ledger_timeout_seconds=20, outbox="log"
    )
    async with opened(settings, find_bundle(world.tag, world.home / "models")) as state:
        assert state.playbooks.hash == load_playbooks().hash
        run = await run_triggers(state, accounts_of(world))
        started = [one for one in run.accounts_done if one["outcome"] == "started"]
        assert len({one["trigger"] for one in started}) > 4
        assert all("{" not in one["reason"]["text"] for one in started)


async def test_a_service_with_a_typo_in_its_playbooks_does_not_start(world: World, tmp_path: Path) -> None:
    """The error names trigger and field."""
    content: dict[str, Any] = document()
    content["triggers"][0]["when"] = "acount_age_days >= 1.0"
    with pytest.raises(PlaybooksError, match="trigger 'older': no such field: acount_age_days"):
        async with service(world, tmp_path, content):
            pass

"""A service whose one trigger fires for every account, without all that makes the world that it runs on."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

import yaml

from serving.decisions.catalogue import load_catalogue
from serving.decisions.policy.document import PACKAGED_POLICY
from serving.ledger.autonomy import Change, record_change
from serving.ledger.schema import migrate
from serving.state import ServingState
from serving.triggers.workflow import KINDS
from tests.serving.catalogues import whatever_happens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from serving.ledger.entry import Entry
    from serving.settings import ServingSettings

CATALOGUE = load_catalogue()
NOTE: Final = "renewal_review"
"""An action that is worth it for every account in these tests."""


def document(**changes: Any) -> dict[str, Any]:
    """Return playbooks with one trigger, which fires for accounts that are older than a day, with *changes*."""
    return {
        "version": 1,
        "name": "test",
        "stages": [{"key": "any", "title": "Any", "when": "true"}],
        "triggers": [
            {
                "id": "older",
                "sentence": "It is {account_age_days} days old.",
                "when": "account_age_days >= 1.0",
                "playbook": "look",
                "cooldown_days": 30,
                "queue": "sales",
            }
        ],
        "playbooks": [
            {
                "key": "look",
                "title": "Look",
                "aim": "Somebody has looked.",
                "days": 10,
                "steps": [{"key": "first", "actions": [NOTE]}],
            }
        ],
        **changes,
    }


def write_files(
    folder: Path, playbooks: dict[str, Any] | None, caps: tuple[dict[str, Any], ...], held_out: float
) -> dict[str, Path]:
    """Write catalogue, policy and playbooks into *folder*; return the settings that name them."""
    content = whatever_happens(CATALOGUE).model_dump(mode="json")
    for action in content["actions"]:
        if action["key"] == NOTE:
            action |= {"cost": 0.0, "priors": {"retain": {"mean": 0.2, "sd": 0.01}}}
    policy = yaml.safe_load(PACKAGED_POLICY.read_text())
    policy |= {"caps": list(caps), "holdouts": {"salt": "keepgrow", "share": held_out}, "arms": {}}
    files = {"catalogue": content, "policy": policy, "playbooks": playbooks or document()}
    folder.mkdir(exist_ok=True)
    for name, written in files.items():
        (folder / f"{name}.yaml").write_text(json.dumps(written))
    return {name: folder / f"{name}.yaml" for name in files}


@contextlib.asynccontextmanager
async def opened(settings: ServingSettings, bundle: Path) -> AsyncIterator[ServingState]:
    """Open a service as a run on the command line does."""
    state = ServingState.load(settings, bundle)
    migrate(state.ledger.database)
    await state.ledger.open()
    try:
        yield state
    finally:
        await state.close()


async def make_unattended(state: ServingState, action: str = NOTE) -> None:
    """Let *action* be applied with nobody asked."""
    change = Change(action, "one_click", "unattended", "ann", "", state.policy.hash, {})
    at = state.clock.now() - dt.timedelta(days=1)
    await state.ledger.transact(lambda transaction: record_change(transaction, change, expected=None, at=at))


async def entries_of(state: ServingState, account_id: str) -> dict[str, list[Entry]]:
    """Return all that the ledger says of an account's workflows, receipts and decisions, by kind, oldest first."""
    found: dict[str, list[Entry]] = {kind: [] for kind in (*KINDS, "receipt", "application", "decision")}
    for entry in reversed(await state.ledger.of_account(account_id, tuple(found), 1000)):
        found[entry.kind].append(entry)
    return found

"""The packaged playbooks, and services on the world of the serving tests."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from keepgrow.known_fields import known_fields
from serving.bundle.store import find_bundle
from serving.triggers.compiled import Playbooks
from serving.triggers.document import load_playbooks
from tests.serving.triggers.services import CATALOGUE, opened, write_files
from tests.serving.world import IDLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from serving.settings import ServingSettings
    from serving.state import ServingState
    from tests.serving.conftest import World

FIELDS = known_fields(None)
PACKAGED = Playbooks(load_playbooks(), FIELDS, CATALOGUE)


def settings_in(
    world: World,
    folder: Path,
    playbooks: dict[str, Any] | None = None,
    caps: tuple[dict[str, Any], ...] = (),
    held_out: float = 0.05,
    **changes: Any,
) -> ServingSettings:
    """Return settings of a service on *world* whose files, ledger and effects are in *folder*."""
    return world.settings(
        ledger_url=f"sqlite:///{folder / 'ledger.db'}",
        ledger_timeout_seconds=20,
        outbox=f"file:{folder / 'effects.jsonl'}",
        **write_files(folder, playbooks, caps, held_out),
        **changes,
    )


@contextlib.asynccontextmanager
async def service(
    world: World,
    folder: Path,
    playbooks: dict[str, Any] | None = None,
    caps: tuple[dict[str, Any], ...] = (),
    held_out: float = 0.05,
) -> AsyncIterator[ServingState]:
    """Open a service on *world*, with all that is its own in *folder*."""
    settings = settings_in(world, folder, playbooks, caps, held_out)
    async with opened(settings, find_bundle(world.tag, world.home / "models")) as state:
        yield state


def accounts_of(world: World) -> list[str]:
    """Return the accounts of *world* that have a subscription."""
    stored: list[str] = world.features.column("account_id").to_pylist()
    return [one for one in stored if one != IDLE]


def free_accounts(state: ServingState, world: World, count: int) -> list[str]:
    """Return *count* accounts that are held out of nothing."""
    return [one for one in accounts_of(world) if not state.policy.holdouts.of(one)][:count]

"""`python -m keepgrow.example IDS`: says which account to show first, as JSON, in the environment of the service.

It decides as the service would and records nothing. That takes a model and its library, so it is a process of its own:
the one that watches over the service keeps neither.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from serving.actions.fresh import fresh_frame
from serving.decisions.next_best_action import decide
from serving.errors import ServingError, UnknownAccount
from serving.settings import load_settings
from serving.state import ServingState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serving.settings import ServingSettings

SURFACES: Final = ("in_app", "account_card")
"""Where an action would be shown, the best example first: to the customer, or to people of the company."""
MOST_ACCOUNTS: Final = 200


@dataclass(frozen=True, slots=True)
class Example:
    """An account to show.

    Attributes:
        account_id: The account.
        surface: Where its action would be shown.
        action: Key of the action that it gets there now; None if no account that was looked at gets any.
    """

    account_id: str
    surface: str
    action: str | None


async def example(
    settings: ServingSettings, account_ids: Iterable[str], bundle_path: Path | None = None
) -> Example | None:
    """Return the first account that gets an action, on the first surface where any does; None of no accounts.

    Args:
        settings: The service's.
        account_ids: Whom to look at, `MOST_ACCOUNTS` of them at most.
        bundle_path: Folder of the bundle; without it the settings' tag is looked up in the model store.

    Raises:
        ServingError: The service's parts can't be loaded, or do not answer.
    """
    wanted = list(itertools.islice(account_ids, MOST_ACCOUNTS))
    if not wanted:
        return None
    state = ServingState.load(settings, bundle_path)
    try:
        for surface in SURFACES:
            found = await _first(state, wanted, surface)
            if found is not None:
                return found
    finally:
        await state.close()
    return Example(wanted[0], SURFACES[0], None)


async def _first(state: ServingState, account_ids: Sequence[str], surface: str) -> Example | None:
    for account_id in account_ids:
        try:
            frame = await fresh_frame(state, account_id, surface)
        except UnknownAccount:
            continue
        decision = decide(frame, state.catalogue, state.policy)
        if decision.winner is not None:
            return Example(account_id, surface, decision.winner.action.key)
    return None


def main(ids: Path) -> None:
    """Print the example among the accounts that the file *ids* names, one a line."""
    with ids.open(encoding="utf-8") as lines:
        try:
            found = asyncio.run(example(load_settings(), (line.strip() for line in lines)))
        except ServingError as error:
            raise SystemExit(f"error: {error}") from None
    sys.stdout.buffer.write(orjson.dumps(None if found is None else asdict(found)) + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

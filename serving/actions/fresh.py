"""Reads accounts for actions as they are at this moment: as a decision would see them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from serving.answers import DECISION, score_account
from serving.deciding import frame_of
from serving.errors import UnknownAccount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.decisions.frame import DecisionFrame
    from serving.state import ServingState


async def fresh_frame(state: ServingState, account_id: str, surface: str | None = None) -> DecisionFrame:
    """Return what is known of an account now, for an action that is shown on *surface*, or anywhere.

    Raises:
        UnknownAccount: The store holds nothing of it.
        StoreUnavailable: The store did not answer in time.
        LedgerUnavailable: The ledger did not.
    """
    return await frame_of(state, await score_account(state, account_id, DECISION), surface)


async def fresh_frames(
    state: ServingState, account_ids: Sequence[str]
) -> tuple[list[DecisionFrame], list[UnknownAccount]]:
    """Return what is known of several accounts now, and those of which nothing is.

    Raises:
        StoreUnavailable: The store did not answer in time.
        LedgerUnavailable: The ledger did not.
    """
    found = await asyncio.gather(*(_frame_or_unknown(state, account_id) for account_id in account_ids))
    return (
        [one for one in found if not isinstance(one, UnknownAccount)],
        [one for one in found if isinstance(one, UnknownAccount)],
    )


async def _frame_or_unknown(state: ServingState, account_id: str) -> DecisionFrame | UnknownAccount:
    try:
        return await fresh_frame(state, account_id)
    except UnknownAccount as error:
        return error

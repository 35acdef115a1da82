"""Briefs as a client asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.serving.documented import fits
from tests.serving.world import account_ids

if TYPE_CHECKING:
    import httpx


def path_of(account_id: str) -> str:
    """Return the path of an account's brief."""
    return f"/v1/accounts/{quote(account_id, safe='')}/brief"


async def brief_of(client: httpx.AsyncClient, account_id: str) -> dict[str, Any]:
    """Return an account's brief, which must be of the documented form."""
    return fits(await client.get(path_of(account_id)), "BriefAnswer")


async def brief_with(client: httpx.AsyncClient, least: int) -> dict[str, Any]:
    """Return the brief of an account with at least so many actions that stand."""
    for account_id in account_ids()[:-1]:
        brief = await brief_of(client, account_id)
        if len(brief["actions"]) >= least:
            return brief
    raise AssertionError(f"no account has {least} actions")

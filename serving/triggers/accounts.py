"""Lists the accounts of the online store, a thousand keys a round trip; other requests go on in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import hiredis

from serving.errors import StoreUnavailable
from serving.features.client import CLUSTER, make_link
from serving.features.keys import EntityKeys
from serving.triggers.errors import PlaybooksError

if TYPE_CHECKING:
    from feature_repo.contract import FeatureContract

SCAN_COUNT: Final = b"1000"


async def stored_accounts(contract: FeatureContract, redis_url: str, deadline_seconds: float) -> list[str]:
    """Return the ids of all accounts of which the store holds anything, in order.

    Args:
        contract: Says how accounts are named there.
        redis_url: Address of the store.
        deadline_seconds: Longest time to wait for each round trip.

    Raises:
        StoreUnavailable: The store did not answer in time.
        PlaybooksError: The store is a Cluster, whose keys one connection can't list.
    """
    if redis_url.startswith(CLUSTER):
        raise PlaybooksError(
            "the accounts of a Cluster can't be listed; name a file with their ids, one a line: --accounts FILE"
        )
    keys = EntityKeys(contract.project, contract.join_key)
    link = make_link(redis_url)
    cursor, found = b"0", set[bytes]()
    try:
        while True:
            reply = await link.call(
                [b"SCAN", cursor, b"MATCH", keys.pattern, b"COUNT", SCAN_COUNT], deadline_seconds
            )
            if isinstance(reply, hiredis.ReplyError):
                raise StoreUnavailable.refused("", reply)
            cursor, some = cast("tuple[bytes, list[bytes]]", reply)
            found.update(some)  # SCAN may return a key twice
            if bytes(cursor) == b"0":
                return sorted(keys.account_id(key) for key in found)
    finally:
        await link.close()

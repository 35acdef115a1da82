"""Scores of 30 days ago in the online store: the batch job brings them, and who asks for a trend reads one.

Each is a key of its own beside Feast's, and goes by itself when it is too old to tell a trend by.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Final

import hiredis

from serving.errors import StoreUnavailable
from serving.scoring.trend import LONGEST_DAYS, TREND_DAYS, EarlierScore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from serving.features.client import StoreLink

PREFIX: Final = b"keepgrow:earlier_score:"
KEPT_SECONDS: Final = (LONGEST_DAYS - TREND_DAYS + 1) * 86_400
AT_ONCE: Final = 500
"""Keys that are written before an answer is waited for."""


class EarlierScores:
    """Earlier scores in the server that *link* leads to; it connects when it is first used."""

    def __init__(self, link: StoreLink) -> None:
        self._link = link

    async def of(self, account_id: str, deadline_seconds: float) -> EarlierScore | None:
        """Return what is on record for an account, or None.

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        key = _key(account_id)
        reply = await self._answer([b"GET", key], key, deadline_seconds)
        return EarlierScore.from_bytes(reply) if isinstance(reply, bytes) else None

    async def bring(self, scores: Iterable[tuple[str, EarlierScore]], deadline_seconds: float) -> int:
        """Put *scores* of accounts in the store, in place of what is there, and return how many.

        Raises:
            StoreUnavailable: The store did not answer in time.
        """
        count = 0
        left = iter(scores)
        while some := list(itertools.islice(left, AT_ONCE)):
            await asyncio.gather(
                *(self._set(_key(account_id), earlier, deadline_seconds) for account_id, earlier in some)
            )
            count += len(some)
        return count

    async def _set(self, key: bytes, earlier: EarlierScore, deadline_seconds: float) -> None:
        words = [b"SET", key, earlier.to_bytes(), b"EX", str(KEPT_SECONDS).encode()]
        await self._answer(words, key, deadline_seconds)

    async def _answer(self, words: Sequence[bytes], key: bytes, deadline_seconds: float) -> object:
        """Return the server's reply.

        Raises:
            StoreUnavailable: It did not answer in time, or refuses.
        """
        reply = await self._link.call(words, deadline_seconds, key)
        if isinstance(reply, hiredis.ReplyError):
            raise StoreUnavailable.refused("", reply)
        return reply

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()


def _key(account_id: str) -> bytes:
    return PREFIX + account_id.encode("utf-8", "surrogatepass")

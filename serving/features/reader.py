"""Features of accounts from the online store: one round trip, whatever the number of views.

Packed rows are read first, a field a view. Accounts that have a row without its packed form (Feast's own class
wrote it), or an older one, are read once more, a field a feature. Where most accounts are such, that is done at
once, and packed rows are tried now and then.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

import hiredis

from serving.errors import StoreUnavailable
from serving.features.client import StoreLink, make_link
from serving.features.decode import EncodingLike, Reply, RowDecoder
from serving.features.errors import StoreFormatError
from serving.features.keys import EntityKeys
from serving.features.packed import PackedDecoder
from serving.features.wire import Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from feature_repo.contract import FeatureContract
    from serving.features.rows import FeatureRows

DEFAULT_DEADLINE_SECONDS: Final = 0.2
SCAN_ROUNDS: Final = 50
SCAN_COUNT: Final = b"1000"
SAMPLED_ACCOUNTS: Final = 100
MOSTLY: Final = 0.5
"""Share of accounts without packed rows above which these are not asked for."""
REMEMBERED_ACCOUNTS: Final = 64
"""Over about how many of the accounts read last that share is taken."""
TRIED_EVERY: Final = 32
"""Above that share packed rows are asked for once in so many reads."""


class ContractLike(Protocol):
    """What says which features to read and how strings become numbers: a bundle's manifest."""

    @property
    def contract(self) -> FeatureContract:
        """The features."""

    @property
    def encodings(self) -> Iterable[EncodingLike]:
        """The categories of string features."""


class OnlineReader:
    """Reads the features of one contract from the store that Feast writes."""

    def __init__(self, manifest: ContractLike, redis_url: str, link: StoreLink | None = None) -> None:
        """Describe the reader; it connects when it is first used.

        Args:
            manifest: Feature contract and encodings.
            redis_url: Address of the store.
            link: Another way to the store than the one that fits the URL.

        Raises:
            ServingError: The URL can't be used.
            ValueError: A string feature of the model has no encoding.
        """
        self._decoder = RowDecoder(manifest.contract, manifest.encodings)
        self._packed = PackedDecoder(manifest.contract, manifest.encodings)
        self._fields = Fields(self._decoder.fields)
        self._packed_fields = Fields(self._packed.fields)
        self._keys = EntityKeys(manifest.contract.project, manifest.contract.join_key)
        self._link = link if link is not None else make_link(redis_url)
        self._unpacked_share = 0.0
        self._reads = 0

    @property
    def holder(self) -> Callable[[str], Hashable] | None:
        """What tells which server of the store holds an account; None where there is but one."""
        return self._holder if self._link.spread else None

    async def read(
        self, account_ids: Sequence[str], deadline_seconds: float = DEFAULT_DEADLINE_SECONDS
    ) -> FeatureRows:
        """Return the features of *account_ids*, in their order; one that the store lacks is not `known`.

        Args:
            account_ids: Any number of accounts, also none, also the same one twice.
            deadline_seconds: Longest time to wait, connecting included.

        Raises:
            StoreUnavailable: The store did not answer in time; the next read tries again.
            StoreFormatError: The store holds something else than the contract says.
        """
        if not account_ids:
            return self._decoder.decode((), ())
        self._reads += 1
        if self._unpacked_share > MOSTLY and self._reads % TRIED_EVERY:
            return await self._read_by_feature(account_ids, deadline_seconds)
        loop = asyncio.get_running_loop()
        ends = loop.time() + deadline_seconds
        replies = await self._ask(account_ids, self._packed_fields, deadline_seconds)
        rows, left = self._packed.decode(account_ids, replies)
        self._count_unpacked(len(left), len(account_ids))
        if not left:
            return rows
        again = [account_ids[index] for index in left]
        others = await self._read_by_feature(again, max(0.0, ends - loop.time()))
        return rows.replaced(left, others)

    async def _read_by_feature(self, account_ids: Sequence[str], deadline_seconds: float) -> FeatureRows:
        replies = await self._ask(account_ids, self._fields, deadline_seconds)
        return self._decoder.decode(account_ids, replies)

    async def _ask(
        self, account_ids: Sequence[str], fields: Fields, deadline_seconds: float
    ) -> Sequence[Reply]:
        replies = await self._link.read(self._keys.keys(account_ids), fields, deadline_seconds)
        self._require_values(account_ids, replies)
        return cast("Sequence[Reply]", replies)

    def _count_unpacked(self, unpacked: int, accounts: int) -> None:
        weight = min(1.0, accounts / REMEMBERED_ACCOUNTS)
        self._unpacked_share += weight * (unpacked / accounts - self._unpacked_share)

    async def ping(self, deadline_seconds: float = DEFAULT_DEADLINE_SECONDS) -> None:
        """Return if the store answers reads.

        Raises:
            StoreUnavailable: It does not, or it refuses.
        """
        await self._link.ping(self._keys.key(""), deadline_seconds)

    async def check_store(self, deadline_seconds: float = DEFAULT_DEADLINE_SECONDS) -> list[str]:
        """Compare some accounts of the store with the contract; a store without accounts passes.

        Args:
            deadline_seconds: Longest time to wait for each round trip.

        Returns:
            The accounts that were looked at.

        Raises:
            StoreUnavailable: The store did not answer in time.
            StoreFormatError: A value is of another type than the contract says, no sampled account that has a
                view has one of that view's features, or a packed row that would be used says something else
                than Feast's own fields.
        """
        cursor, keys = b"0", list[bytes]()
        for _ in range(SCAN_ROUNDS):
            reply = await self._link.call(
                [b"SCAN", cursor, b"MATCH", self._keys.pattern, b"COUNT", SCAN_COUNT], deadline_seconds
            )
            if isinstance(reply, hiredis.ReplyError):
                raise StoreUnavailable.refused("", reply)
            cursor, found = cast("tuple[bytes, list[bytes]]", reply)
            keys += found
            if keys or bytes(cursor) == b"0":
                break
        keys = keys[:SAMPLED_ACCOUNTS]
        if not keys:
            return []
        names = [self._keys.account_id(key) for key in keys]
        both = Fields((*self._decoder.fields, *self._packed.fields))
        replies = await self._link.read(keys, both, deadline_seconds)
        self._require_values(names, replies)
        by_feature = [cast("Reply", reply)[: len(self._decoder.fields)] for reply in replies]
        packed = [cast("Reply", reply)[len(self._decoder.fields) :] for reply in replies]
        rows = self._decoder.decode(names, by_feature)
        self._decoder.require_every_feature(names, by_feature)
        self._packed.require_same(rows, packed)
        return names

    async def close(self) -> None:
        """Close the connections; a later read opens them anew."""
        await self._link.close()

    def _holder(self, account_id: str) -> Hashable:
        return self._link.node_of(self._keys.key(account_id))

    def _require_values(self, account_ids: Sequence[str], replies: Sequence[object]) -> None:
        if set(map(type, replies)) == {list}:
            return
        for account_id, reply in zip(account_ids, replies, strict=True):
            if isinstance(reply, list):
                continue
            if "WRONGTYPE" in str(reply):
                raise StoreFormatError(account_id, "the account's key", "a hash", b"")
            raise StoreUnavailable.refused("", reply)

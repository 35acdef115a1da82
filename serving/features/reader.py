"""Features of accounts from the online store: one round trip, whatever the number of views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, cast

import hiredis

from serving.errors import StoreUnavailable
from serving.features.client import StoreLink, make_link
from serving.features.decode import EncodingLike, Reply, RowDecoder
from serving.features.errors import StoreFormatError
from serving.features.keys import EntityKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from feature_repo.contract import FeatureContract
    from serving.features.rows import FeatureRows

DEFAULT_DEADLINE_SECONDS: Final = 0.2
SCAN_ROUNDS: Final = 50
SCAN_COUNT: Final = b"1000"
SAMPLED_ACCOUNTS: Final = 100


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
        self._keys = EntityKeys(manifest.contract.project, manifest.contract.join_key)
        self._link = link if link is not None else make_link(redis_url, self._decoder.fields)

    @property
    def fields(self) -> tuple[bytes, ...]:
        """The hash fields that every read asks for."""
        return self._decoder.fields

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
        key = self._keys.key
        replies = await self._link.read([key(account_id) for account_id in account_ids], deadline_seconds)
        self._require_values(account_ids, replies)
        return self._decoder.decode(account_ids, cast("Sequence[Reply]", replies))

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
            StoreFormatError: A value is of another type than the contract says, or no sampled account that
                has a view has one of that view's features.
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
        replies = await self._link.read(keys, deadline_seconds)
        self._require_values(names, replies)
        rows = cast("Sequence[Reply]", replies)
        self._decoder.decode(names, rows)
        self._decoder.require_every_feature(names, rows)
        return names

    async def close(self) -> None:
        """Close the connections; a later read opens them anew."""
        await self._link.close()

    def _holder(self, account_id: str) -> Hashable:
        return self._link.node_of(self._keys.key(account_id))

    def _require_values(self, account_ids: Sequence[str], replies: Sequence[object]) -> None:
        for account_id, reply in zip(account_ids, replies, strict=True):
            if isinstance(reply, list):
                continue
            if "WRONGTYPE" in str(reply):
                raise StoreFormatError(account_id, "the account's key", "a hash", b"")
            raise StoreUnavailable.refused("", reply)

"""A Cluster, through shared connections to each of its masters and a map of slots that is kept in the background.

A node that hangs costs the accounts of its own slots their deadline, nobody else anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from binascii import crc_hqx
from typing import TYPE_CHECKING, Final, TypeVar, cast

import hiredis

from serving.errors import StoreUnavailable
from serving.features.nodes import Nodes, named
from serving.features.wire import SharedConnections

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from serving.features.wire import Fields

SLOTS: Final = 16_384
ASKED_AT_ONCE: Final = 3
REFRESH_SECONDS: Final = 0.25
"""Least time between two looks at the map, and longest time that one of them may take."""
REDIRECTIONS: Final = 3
Host = tuple[str, int]
T = TypeVar("T")


def slot_of(key: bytes) -> int:
    """Return the slot of *key*: a checksum of it, or of what stands between its first braces."""
    opened = key.find(b"{")
    if opened >= 0:
        closed = key.find(b"}", opened + 1)
        if closed > opened + 1:
            key = key[opened + 1 : closed]
    return crc_hqx(key, 0) % SLOTS


class ClusterLink:
    """A store link to a Cluster's masters."""

    def __init__(self, url: str) -> None:
        """Describe the link; it connects when it is first used.

        Args:
            url: `redis+cluster://[user:password@]host:port,host:port`, any of its nodes.

        Raises:
            ValueError: The URL is malformed.
        """
        self._seeds = Nodes.parse(url)
        self._nodes: dict[Host, SharedConnections] = {}
        self._slots: list[Host | None] = []
        self._refresh: asyncio.Task[None] | None = None
        self._refreshed = float("-inf")

    @property
    def spread(self) -> bool:
        """Keys are spread over several servers."""
        return True

    def node_of(self, key: bytes) -> Host | None:
        """Return the master of *key*'s slot; None before the map of slots is known, and of an uncovered slot."""
        return self._slots[slot_of(key)] if self._slots else None

    async def read(self, keys: Sequence[bytes], fields: Fields, deadline_seconds: float) -> list[object]:
        """Return the values of *fields* of each hash: a list, or a `hiredis.ReplyError`.

        Raises:
            StoreUnavailable: A node that has one of the keys did not answer in time, or no node is known.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + deadline_seconds
        if not self._slots:
            await self._first_map(deadline_seconds)
        replies: list[object] = [None] * len(keys)
        todo: dict[tuple[Host | None, bool], list[int]] = {}
        for index, key in enumerate(keys):
            todo.setdefault((self._slots[slot_of(key)], False), []).append(index)
        for last in (*[False] * REDIRECTIONS, True):
            left = max(0.0, ends - loop.time())
            parts = [(node, asking, indexes) for (node, asking), indexes in todo.items()]
            answers = await asyncio.gather(
                *(
                    self._read_node(node, [keys[i] for i in indexes], fields, left, asking)
                    for node, asking, indexes in parts
                )
            )
            todo = {}
            for (node, _, indexes), answer in zip(parts, answers, strict=True):
                for index, reply in zip(indexes, answer, strict=True):
                    replies[index] = reply
                    elsewhere = (
                        self._redirected(reply, node) if isinstance(reply, hiredis.ReplyError) else None
                    )
                    if elsewhere is not None:
                        todo.setdefault(elsewhere, []).append(index)
            if not todo or last:
                break
        return replies

    async def ping(self, _key: bytes, deadline_seconds: float) -> None:
        """Return if any master answers: the rest of a Cluster is worth asking still.

        Raises:
            StoreUnavailable: None did in time.
        """
        if not self._slots:
            await self._first_map(deadline_seconds)
        masters = sorted({node for node in self._slots if node is not None})
        await _first(
            (self._ping_node(node, deadline_seconds) for node in masters),
            f"no node of the Cluster {self._seeds} answers",
        )

    async def call(self, words: Sequence[bytes], deadline_seconds: float, key: bytes | None = None) -> object:
        """Return the reply to any one command of the master that has *key*, or else the first slot.

        Raises:
            StoreUnavailable: It did not answer in time.
        """
        if not self._slots:
            await self._first_map(deadline_seconds)
        slot = 0 if key is None else slot_of(key)
        for _ in range(REDIRECTIONS):
            node = self._slots[slot]
            if node is None:
                self._refresh_soon()
                raise self._uncovered()
            try:
                reply = await self._node(node).call(words, deadline_seconds)
            except StoreUnavailable:
                self._refresh_soon()
                raise
            if not isinstance(reply, hiredis.ReplyError) or self._redirected(reply, node) is None:
                break
        return reply

    async def close(self) -> None:
        """Close the connections."""
        if self._refresh is not None:
            self._refresh.cancel()
        for node in self._nodes.values():
            await node.close()
        self._nodes.clear()
        self._slots = []
        self._refreshed = float("-inf")

    async def _read_node(
        self, node: Host | None, keys: Sequence[bytes], fields: Fields, deadline_seconds: float, asking: bool
    ) -> list[object]:
        if node is None:
            self._refresh_soon()
            raise self._uncovered()
        connections = self._node(node)
        try:
            if asking:
                return await connections.read_asking(keys, fields, deadline_seconds)
            return await connections.read(keys, fields, deadline_seconds)
        except StoreUnavailable:
            self._refresh_soon()
            raise

    async def _ping_node(self, node: Host, deadline_seconds: float) -> None:
        try:
            reply = await self._node(node).call([b"PING"], deadline_seconds)
        except StoreUnavailable:
            self._refresh_soon()
            raise
        if reply != b"PONG":
            raise StoreUnavailable.refused(named([node]), reply)

    def _redirected(self, error: hiredis.ReplyError, node: Host | None) -> tuple[Host, bool] | None:
        """Return the node that *error* refers to and whether it has to be asked with ASKING, if it does."""
        kind, *words = str(error).split()
        if kind == "CLUSTERDOWN":
            self._refresh_soon()
        if kind not in {"MOVED", "ASK"} or len(words) != 2:  # noqa: PLR2004 -- slot and address
            return None
        host, _, port = words[1].rpartition(":")
        there = (host or (node[0] if node else ""), int(port))
        if kind == "MOVED":
            self._slots[int(words[0])] = there
            self._refresh_soon()
        return there, kind == "ASK"

    def _node(self, node: Host) -> SharedConnections:
        connections = self._nodes.get(node)
        if connections is None:
            connections = self._nodes[node] = SharedConnections(self._seeds.address(*node))
        return connections

    def _uncovered(self) -> StoreUnavailable:
        return StoreUnavailable(f"the Cluster {self._seeds} has slots that no node serves", "uncovered")

    async def _first_map(self, deadline_seconds: float) -> None:
        if self._refresh is None or self._refresh.done():
            self._refresh = self._start_refresh()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_seconds):
                await asyncio.shield(self._refresh)
        if not self._slots:
            raise StoreUnavailable(f"no node of the Cluster {self._seeds} told its slots")

    def _refresh_soon(self) -> None:
        """Look at the map again in the background, unless that is under way or was done just now."""
        under_way = self._refresh is not None and not self._refresh.done()
        if not under_way and asyncio.get_running_loop().time() - self._refreshed >= REFRESH_SECONDS:
            self._refresh = self._start_refresh()

    def _start_refresh(self) -> asyncio.Task[None]:
        self._refreshed = asyncio.get_running_loop().time()
        return asyncio.create_task(self._look_at_map())

    async def _look_at_map(self) -> None:
        known = [*dict.fromkeys((*(node for node in self._slots if node is not None), *self._seeds.hosts))]
        asked = random.sample(known, min(ASKED_AT_ONCE, len(known)))
        try:
            slots = await _first((self._slots_by(node) for node in asked), "no node told its slots")
        except StoreUnavailable:
            return
        self._slots = slots
        masters = {node for node in slots if node is not None}
        for node, connections in self._nodes.items():
            if node not in masters:
                await connections.close()

    async def _slots_by(self, node: Host) -> list[Host | None]:
        """Return each slot's master as *node* knows it."""
        reply = await self._node(node).call([b"CLUSTER", b"SLOTS"], REFRESH_SECONDS)
        if not isinstance(reply, list) or not reply:
            raise StoreUnavailable.refused(named([node]), reply)
        slots: list[Host | None] = [None] * SLOTS
        for first, last, master, *_ in cast("list[tuple[int, int, list[bytes | int]]]", reply):
            host = cast("bytes | None", master[0]) or b""
            there = (host.decode() if host not in {b"", b"?"} else node[0], int(master[1]))
            slots[first : last + 1] = [there] * (last + 1 - first)
        return slots


async def _first(asking: Iterable[Coroutine[None, None, T]], otherwise: str) -> T:
    """Return what the first that succeeds returns, and let go of the others.

    Raises:
        StoreUnavailable: None succeeds; it says *otherwise*.
    """
    left = {asyncio.ensure_future(one) for one in asking}
    try:
        while left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                if not isinstance(one.exception(), StoreUnavailable):
                    return one.result()
    finally:
        for one in left:
            one.cancel()
    raise StoreUnavailable(otherwise)

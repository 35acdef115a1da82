"""The master behind Sentinels, through shared connections that ask anew where it is whenever they open.

All Sentinels are asked at once and the majority is believed, so that one that hangs or was cut off neither
holds reads up nor leads them to a master of the past.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Final, cast

import hiredis

from serving.errors import StoreUnavailable
from serving.features.nodes import SENTINEL_PORT, Nodes
from serving.features.wire import Connection, ServerAddress, SharedConnections, pack

DEFAULT_MASTER: Final = "mymaster"
PATIENCE_SECONDS: Final = 0.1
"""How long a majority of the Sentinels is waited for; after it, whoever has answered is believed."""


class SentinelLink(SharedConnections):
    """A store link to whichever server is the master."""

    def __init__(self, url: str) -> None:
        """Describe the link; it connects when it is first used.

        Args:
            url: `redis+sentinel://[user:password@]host:port,host:port/master/db`; the credentials are the
                master's.

        Raises:
            ValueError: The URL is malformed.
        """
        nodes = Nodes.parse(url, SENTINEL_PORT)
        self._master = nodes.path[0] if nodes.path else DEFAULT_MASTER
        database = nodes.path[1] if len(nodes.path) > 1 else "0"
        if not database.isdigit():
            raise ValueError(f"the database should be a number, not {database!r}")
        self._name = f"{self._master} of the Sentinels {nodes}"
        super().__init__(nodes.address("", 0, int(database)), self._name)
        self._guards = tuple(
            SharedConnections(replace(nodes.address(host, port), user="", password=""))
            for host, port in nodes.hosts
        )

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        for guard in self._guards:
            await guard.close()

    async def _locate(self) -> ServerAddress:
        loop = asyncio.get_running_loop()
        ends = loop.time() + PATIENCE_SECONDS
        asking = {asyncio.ensure_future(self._ask_guard(guard)) for guard in self._guards}
        votes: Counter[tuple[str, int]] = Counter()
        try:
            while asking:
                # Past its end this still waits for the first who knows; the caller's deadline bounds it.
                wait = max(0.0, ends - loop.time()) if votes else None
                done, asking = await asyncio.wait(asking, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                votes.update(said for said in (one.result() for one in done) if said is not None)
                if votes and (not done or votes.most_common(1)[0][1] * 2 > len(self._guards)):
                    break
        finally:
            for one in asking:
                one.cancel()
        if not votes:
            raise StoreUnavailable(f"no Sentinel knows a master: {self._name}", "no_master")
        host, port = votes.most_common(1)[0][0]
        return replace(self._address, host=host, port=port)

    async def _ask_guard(self, guard: SharedConnections) -> tuple[str, int] | None:
        try:
            reply = await guard.call(
                [b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", self._master.encode()], 2 * PATIENCE_SECONDS
            )
        except StoreUnavailable:
            return None
        if not isinstance(reply, list):
            return None
        host, port = cast("list[bytes]", reply)
        return host.decode(), int(port)

    async def _log_in(self, connection: Connection) -> None:
        """Log in and refuse a server that is no master, or no longer, as Sentinel's documentation advises."""
        await super()._log_in(connection)
        role = (await connection.send(pack(b"ROLE"), 1))[0]
        if isinstance(role, hiredis.ReplyError):
            return  # no right to ask, or still loading: reads will tell
        if cast("list[bytes]", role)[0] != b"master":
            raise StoreUnavailable(
                f"the server that the Sentinels name is no master: {self._name}", "no_master"
            )
